//! Logpull: the records of a time range or of a ray, one per line, with the requested fields.
//!
//! A field that a record does not have is omitted, not refused. The messages for invalid queries are Logpull's own.

use std::collections::BTreeMap;

use super::client_request::ClientRequest;
use super::cve_switch::parse_cve_switch;
use super::envelope::{INVALID, bad_query_reply, error_reply, success_reply};
use super::retention::too_early;
use super::seen_fields::{SeenFields, seen_fields};
use crate::api::field_warnings::UnseenFields;
use crate::api::range_stream::{self, RangeRequest, StreamFormat, parse_share};
use crate::api::record_view::RecordView;
use crate::api::record_writer::{RecordWriter, parse_fields};
use crate::api::time_range::TimeRange;
use crate::http::media_type::{JSON, TEXT};
use crate::http::{HttpRequest, InstantFault, Problem, Reply, parse_instant, problems};
use crate::memory::ReservedWriter;
use crate::record::Dataset;
use crate::render::{FieldProjection, TimeForm};
use crate::services::Services;

/// The default fields of a record, as documented for Logpull.
const DEFAULT_FIELDS: [&str; 9] = [
    "ClientIP",
    "ClientRequestHost",
    "ClientRequestMethod",
    "ClientRequestURI",
    "EdgeEndTimestamp",
    "EdgeResponseBytes",
    "EdgeResponseStatus",
    "EdgeStartTimestamp",
    "RayID",
];

/// The fields of `http_requests` with their descriptions, as a JSON object.
const FIELDS: &str = include_str!("../../schemas/http_requests_fields.json");

/// The description of an unlisted field.
const UNDOCUMENTED: &str = "Not documented; the newest batch has it";

/// Handles `GET …/received`: the records of a time range.
pub(crate) async fn received_logs<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let caller = client.in_zone()?;
    let query = match parse_query(client.request, client.services.now_ms()) {
        Ok(query) => query,
        Err(what) => return Ok(bad_query_reply(&what)),
    };
    let visibility = client.caller.visibility();
    let too_early = too_early(client.config, client.services.as_ref(), query.range.start_ns, visibility).await;
    if let Some(what) = too_early.map_err(|_| problems::unavailable())? {
        return Ok(bad_query_reply(&what));
    }
    let request = RangeRequest {
        view: RecordView::new(&caller, Dataset::HttpRequests, None)?,
        range: query.range,
        sample: query.sample,
        limit: query.count,
        cursor: None,
        key_prefix: None,
        // A field that exists nowhere is omitted, as in Logpull.
        unseen: UnseenFields::default(),
    };
    let form = RecordWriter::for_lines(client.config, query.projection);
    range_stream::stream_range(client.services, &caller, request, form, StreamFormat::Logpull, TEXT).await
}

/// Handles `GET …/rayids/{ray}`: the records of a ray.
pub(crate) async fn zone_ray<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let caller = client.in_zone()?;
    let projection = match parse_projection(client.request) {
        Ok(projection) => projection,
        Err(what) => return Ok(bad_query_reply(&what)),
    };
    client.lines_of_ray(&caller, Dataset::HttpRequests, projection).await
}

/// Handles `GET …/received/fields`: the names and descriptions of all documented fields, and of those in the newest
/// batch, for callers for whom all batches exist.
pub(crate) async fn list_fields<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let view = RecordView::new(&client.in_zone()?, Dataset::HttpRequests, None)?;
    let mut fields: BTreeMap<String, String> = serde_json::from_str(FIELDS).unwrap_or_default();
    // Which batch is the newest depends on batches that may not exist for the caller.
    let has_newest = view.visibility().has_totals();
    let seen = if has_newest { seen_fields(client.services.as_ref(), &view).await } else { SeenFields::default() };
    for (name, kind) in seen {
        let kind = kind.map_or_else(String::new, |kind| format!(" ({kind})"));
        fields.entry(name).or_insert_with(|| format!("{UNDOCUMENTED}{kind}"));
    }
    let mut body = ReservedWriter::new(client.services.memory());
    body.push_json(&fields)?;
    Ok(Reply::new(200, JSON, body.finish()?))
}

/// The retention flag, which is always on: the lifecycle rules of the bucket decide how long logs are kept.
#[derive(serde::Serialize)]
struct RetentionFlag {
    flag: bool,
}

/// Handles `GET …/control/retention/flag`: always `true`.
pub(crate) fn get_retention<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    client.in_zone()?;
    Ok(success_reply(client.services.memory(), RetentionFlag { flag: true })?)
}

/// Handles `POST …/control/retention/flag`: accepts `true`, and answers 400 to `false`, which raydex cannot do.
pub(crate) fn set_retention<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    #[derive(serde::Deserialize)]
    struct RetentionRequest {
        flag: bool,
    }
    client.in_zone()?;
    Ok(match serde_json::from_slice(&client.request.body) {
        Ok(RetentionRequest { flag: true }) => success_reply(client.services.memory(), RetentionFlag { flag: true })?,
        Ok(RetentionRequest { flag: false }) => {
            error_reply(400, INVALID, "Logs are kept as long as the bucket keeps them; this cannot be turned off here.")
        }
        Err(_) => error_reply(400, INVALID, "The body must be {\"flag\":true}."),
    })
}

/// The parameters of `received`.
struct LogpullQuery {
    range: TimeRange,
    count: Option<u64>,
    sample: Option<f64>,
    projection: FieldProjection,
}

/// Parses the query; the error is the text of Logpull's answer.
fn parse_query<B>(request: &HttpRequest<B>, now_ms: i64) -> Result<LogpullQuery, String> {
    const TIME: &str = "must be unix timestamp or rfc3339 string";
    let instant = |name: &str| {
        parse_instant(&request.parameter(name).unwrap_or_default()).map_err(|fault| match fault {
            InstantFault::Unreadable => format!("error parsing {name} time: {TIME}"),
            fault => format!("error parsing {name} time: {fault}"),
        })
    };
    let (start_ns, end_ns) = (instant("start")?, instant("end")?);
    if start_ns >= end_ns {
        return Err("error parsing time: invalid time range: start not before end".into());
    }
    if start_ns > now_ms.saturating_mul(1_000_000) {
        return Err("error parsing time: invalid time range: start is in the future".into());
    }
    let count = match request.parameter("count").map(|count| count.parse::<u64>()) {
        None => None,
        Some(Ok(count)) if count > 0 => Some(count),
        Some(_) => return Err("error parsing count: must be an integer greater than 0".into()),
    };
    let sample = request.parameter("sample").map(|text| {
        parse_share(&text)
            .ok_or_else(|| "error parsing sample: must be a number greater than 0, and 1 at most".to_owned())
    });
    let sample = sample.transpose()?;
    Ok(LogpullQuery { range: TimeRange { start_ns, end_ns }, count, sample, projection: parse_projection(request)? })
}

/// Parses the parameters `fields` and `timestamps` and the switch; the error is the text of Logpull's answer.
fn parse_projection<B>(request: &HttpRequest<B>) -> Result<FieldProjection, String> {
    let fields =
        parse_fields(request).map_err(|_| "error parsing fields: must be names with commas between".to_owned())?;
    let fields = fields.unwrap_or_else(|| DEFAULT_FIELDS.map(String::from).to_vec());
    let times = match request.parameter("timestamps") {
        None => TimeForm::UnixNano,
        Some(name) => TimeForm::from_name(&name).ok_or_else(|| {
            let names = itertools::join(TimeForm::ALL.map(TimeForm::name), ", ");
            format!("error parsing timestamps: must be one of {names}")
        })?,
    };
    Ok(FieldProjection { fields: Some(fields), times: Some(times), disarmed: parse_cve_switch(request)? })
}
