//! Logpull: the records of a time range or of a ray, one per line, with the fields that are asked for.
//!
//! What always holds: lines are NDJSON; a field that a record does not have is left out, not refused; a query that is
//! not understood is told in Logpull's own words.

use super::client_request::Client;
use super::envelope::{INVALID, bad_query, failure, success};
use crate::api::form::{Form, fields_of};
use crate::api::range::{self, RangeRequest, StreamFormat, parse_share};
use crate::api::sight::Sight;
use crate::api::times::{Range, with_plus};
use crate::http::media_type::{JSON, TEXT};
use crate::http::{Problem, Reply, Request};
use crate::record::Dataset;
use crate::render::{Projection, TimeForm};
use crate::services::Services;

/// The fields of a record where none are asked for.
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

/// The fields of `http_requests`, each with what it says.
const FIELDS: &str = include_str!("../../schemas/http_requests_fields.json");

/// `GET …/received`: the records of a time range.
pub(crate) async fn received<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    let caller = client.in_zone()?;
    let query = match query_of(client.request, client.desk.now_ms()) {
        Ok(query) => query,
        Err(what) => return Ok(bad_query(&what)),
    };
    let request = RangeRequest {
        sight: Sight::new(&caller, Dataset::HttpRequests, None)?,
        range: query.range,
        sample: query.sample,
        limit: query.count,
        cursor: None,
        key_prefix: None,
    };
    let form = Form::of_lines(client.config, query.projection);
    range::stream(client.desk, request, form, StreamFormat::Logpull, TEXT).await
}

/// `GET …/rayids/{ray}`: the records of a ray.
pub(crate) async fn ray<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    let caller = client.in_zone()?;
    let projection = match projection_of(client.request) {
        Ok(projection) => projection,
        Err(what) => return Ok(bad_query(&what)),
    };
    client.lines_of_ray(&caller, Dataset::HttpRequests, projection).await
}

/// `GET …/received/fields`: the fields there are.
pub(crate) fn fields<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    client.in_zone()?;
    Ok(Reply::new(200, JSON, FIELDS.as_bytes().to_vec()))
}

/// Whether logs are kept: always, as long as the bucket keeps them.
#[derive(serde::Serialize)]
struct Retention {
    flag: bool,
}

/// `GET …/control/retention/flag`.
pub(crate) fn retention<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    client.in_zone()?;
    Ok(success(Retention { flag: true }))
}

/// `POST …/control/retention/flag`: what is kept is kept; how long is the bucket's to say.
pub(crate) fn set_retention<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    /// The body.
    #[derive(serde::Deserialize)]
    struct Wanted {
        flag: bool,
    }
    client.in_zone()?;
    Ok(match serde_json::from_slice(&client.request.body) {
        Ok(Wanted { flag: true }) => success(Retention { flag: true }),
        Ok(Wanted { flag: false }) => {
            failure(400, INVALID, "Logs are kept as long as the bucket keeps them; this cannot be turned off here.")
        }
        Err(_) => failure(400, INVALID, "The body must be {\"flag\":true}."),
    })
}

/// What `received` is asked for.
struct Query {
    range: Range,
    count: Option<u64>,
    sample: Option<f64>,
    projection: Projection,
}

/// Reads the query, or says what is wrong with it as Logpull does.
fn query_of<B>(request: &Request<B>, now_ms: i64) -> Result<Query, String> {
    const TIME: &str = "must be unix timestamp or rfc3339 string";
    let instant = |name: &str| {
        let text = request.parameter(name).unwrap_or_default();
        with_plus(&text).ok_or_else(|| format!("error parsing {name} time: {TIME}"))
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
    Ok(Query { range: Range { start_ns, end_ns }, count, sample, projection: projection_of(request)? })
}

/// The fields and the form of times that are asked for.
fn projection_of<B>(request: &Request<B>) -> Result<Projection, String> {
    let fields =
        fields_of(request).map_err(|_| "error parsing fields: must be names with commas between".to_owned())?;
    let fields = fields.unwrap_or_else(|| DEFAULT_FIELDS.map(String::from).to_vec());
    let times = match request.parameter("timestamps") {
        None => TimeForm::UnixNano,
        Some(name) => TimeForm::from_name(&name)
            .ok_or_else(|| "error parsing timestamps: must be unix, unixnano or rfc3339".to_owned())?,
    };
    Ok(Projection { fields: Some(fields), times: Some(times) })
}
