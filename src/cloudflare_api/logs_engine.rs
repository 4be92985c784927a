//! The Logs Engine: objects and records of a time range, and the records of a ray, by bucket and prefix.
//!
//! # Invariants
//! No object outside of the Worker's own bucket and the folders that Logpush writes to is listed or read.

use serde::{Deserialize, Serialize};

use super::client_request::ClientRequest;
use super::cve_switch::parse_cve_switch;
use super::envelope::{INVALID, NO_BUCKET, SUCCESS, TOO_MANY, error_reply, success_reply};
use crate::api::field_warnings::UnseenFields;
use crate::api::list_document::ListDocument;
use crate::api::range_stream::{self, RangeRequest, StreamFormat};
use crate::api::record_view::RecordView;
use crate::api::record_writer::RecordWriter;
use crate::api::retry::retry_while_out_of_memory;
use crate::api::time_range::TimeRange;
use crate::backend::{Bucket, ListPage, ListRequest};
use crate::bucket_keys::{DatasetClaim, KeyClass, batch_times, classify};
use crate::http::media_type::{JSON, TEXT};
use crate::http::{Problem, Reply, parse_instant, problems};
use crate::limits::{ENGINE_DAYS, ENGINE_LISTED, LIST_PAGE_BYTES};
use crate::memory::Reservation;
use crate::record::Dataset;
use crate::render::FieldProjection;
use crate::services::Services;
use crate::time::{DAY_MS, day, rfc3339};

/// The placeholder for the eight digits of a day in a prefix.
const DATE: &str = "{DATE}";

/// The range, prefix and dataset named by a client.
struct EngineQuery {
    range: TimeRange,
    prefix: Option<String>,
    dataset: Dataset,
}

/// The body of `POST …/rayids/index`.
#[derive(Deserialize)]
struct IndexRequest {
    start: String,
    end: String,
    bucket: String,
    prefix: Option<String>,
}

/// An object as listed by the Logs Engine.
#[derive(Serialize)]
struct EngineObject<'a> {
    key: &'a str,
    size: u64,
    uploaded_at: String,
}

/// Handles `GET …/list`: the objects whose names indicate that they hold records of the range.
pub(crate) async fn list_objects<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let query = match parse_query(client) {
        Ok(place) => place,
        Err(reply) => return Ok(*reply),
    };
    let limit = client.request.number_parameter("limit", ENGINE_LISTED, ENGINE_LISTED)?;
    let Some(prefixes) = folders(client, &query) else { return Ok(too_many_reply()) };
    let mut list = ListDocument::begin(client.services.memory(), &SUCCESS, "result")?;
    let mut listed = 0;
    for prefix in prefixes {
        let mut request = ListRequest { prefix, ..ListRequest::default() };
        loop {
            let (page, _held) = list_page(client, &request).await?;
            let is_shown = |key: &str| is_within(client, key, &query.range) && is_listed(client, key);
            for (key, head) in page.objects.iter().filter(|(key, _)| is_shown(key)) {
                if listed == limit {
                    return if client.request.parameter("limit").is_some() {
                        list_reply(list)
                    } else {
                        Ok(too_many_reply())
                    };
                }
                list.push(&EngineObject { key, size: head.size, uploaded_at: rfc3339(head.uploaded_ms) })?;
                listed += 1;
            }
            request.cursor = page.cursor;
            if request.cursor.is_none() {
                break;
            }
        }
    }
    list_reply(list)
}

/// The reply with the objects that were listed.
fn list_reply(list: ListDocument) -> Result<Reply, Problem> {
    Ok(Reply::new(200, JSON, list.end(&serde_json::json!({}))?))
}

/// Reads a page of the bucket's listing. Waits while other requests hold its memory.
async fn list_page<D: Services>(
    client: &ClientRequest<'_, D>,
    request: &ListRequest,
) -> Result<(ListPage, Reservation), Problem> {
    let services = client.services.as_ref();
    let none = services.memory().reservation();
    let held =
        retry_while_out_of_memory(services, &none, async || Ok(services.memory().reserve(LIST_PAGE_BYTES)?)).await?;
    let page = services.bucket().list(request).await.map_err(|_| problems::unavailable())?;
    Ok((page, held))
}

/// Handles `GET …/retrieve`: the records of the range.
pub(crate) async fn retrieve_logs<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let EngineQuery { range, prefix, dataset } = match parse_query(client) {
        Ok(place) => place,
        Err(reply) => return Ok(*reply),
    };
    let view = RecordView::new(client.caller, dataset, None)?;
    let request = RangeRequest {
        view,
        range,
        sample: None,
        limit: None,
        cursor: None,
        key_prefix: prefix,
        unseen: UnseenFields::default(),
    };
    let projection = match parse_projection(client) {
        Ok(projection) => projection,
        Err(reply) => return Ok(*reply),
    };
    let form = RecordWriter::for_lines(client.config, projection);
    range_stream::stream_range(client.services, client.caller, request, form, StreamFormat::Logpull, TEXT).await
}

/// Handles `POST …/rayids/index`: accepts without doing anything, since every batch is indexed when it arrives.
pub(crate) fn index_rays<D: Services>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let Ok(IndexRequest { start, end, bucket, prefix }) = serde_json::from_slice(&client.request.body) else {
        return Ok(error_reply(400, INVALID, "The body must be JSON with start, end, bucket and prefix."));
    };
    match engine_query(client, Some(&start), Some(&end), Some(&bucket), prefix) {
        Err(reply) => Ok(*reply),
        Ok(_) => Ok(success_reply(client.services.memory(), serde_json::json!({ "indexed": true }))?),
    }
}

/// Handles `GET …/rayids/{ray}`: the records of a ray.
pub(crate) async fn account_ray<D: Services + 'static>(client: &ClientRequest<'_, D>) -> Result<Reply, Problem> {
    let parameter = |name| client.request.parameter(name);
    let dataset = check_bucket(client, parameter("bucket").as_deref(), parameter("prefix").as_deref());
    match dataset.and_then(|dataset| Ok((dataset, parse_projection(client)?))) {
        Ok((dataset, projection)) => client.lines_of_ray(client.caller, dataset, projection).await,
        Err(reply) => Ok(*reply),
    }
}

/// Returns a projection of all fields as stored, apart from the switch; the error is the reply to a malformed one.
fn parse_projection<D>(client: &ClientRequest<'_, D>) -> Result<FieldProjection, Box<Reply>> {
    let disarmed =
        parse_cve_switch(client.request).map_err(|what| Box::new(error_reply(400, INVALID, &format!("{what}."))))?;
    Ok(FieldProjection { disarmed, ..FieldProjection::default() })
}

/// Parses `start`, `end`, `bucket` and `prefix`; the error is the reply to send.
fn parse_query<D: Services>(client: &ClientRequest<'_, D>) -> Result<EngineQuery, Box<Reply>> {
    let parameter = |name| client.request.parameter(name);
    engine_query(
        client,
        parameter("start").as_deref(),
        parameter("end").as_deref(),
        parameter("bucket").as_deref(),
        parameter("prefix"),
    )
}

fn engine_query<D: Services>(
    client: &ClientRequest<'_, D>,
    start: Option<&str>,
    end: Option<&str>,
    bucket: Option<&str>,
    prefix: Option<String>,
) -> Result<EngineQuery, Box<Reply>> {
    let dataset = check_bucket(client, bucket, prefix.as_deref())?;
    let instant = |name: &str, text: Option<&str>| {
        parse_instant(text.unwrap_or_default())
            .map_err(|fault| Box::new(error_reply(400, INVALID, &format!("The time {name} {fault}."))))
    };
    let (start_ns, end_ns) = (instant("start", start)?, instant("end", end)?);
    if start_ns >= end_ns {
        return Err(Box::new(error_reply(400, INVALID, "start must be before end.")));
    }
    Ok(EngineQuery { range: TimeRange { start_ns, end_ns }, prefix, dataset })
}

/// Returns the dataset that the prefix names, if bucket and prefix are those of Logpush.
fn check_bucket<D: Services>(
    client: &ClientRequest<'_, D>,
    bucket: Option<&str>,
    prefix: Option<&str>,
) -> Result<Dataset, Box<Reply>> {
    if bucket != Some(client.services.bucket_name()) {
        return Err(Box::new(error_reply(404, NO_BUCKET, "This deployment does not read that bucket.")));
    }
    let known = &client.config.log_prefix;
    let prefix = prefix.or_else(|| known.folders().first().map(String::as_str)).unwrap_or_default();
    if !known.may_hold(prefix) {
        return Err(Box::new(error_reply(404, NO_BUCKET, "This deployment does not read logs under that prefix.")));
    }
    // A setting names the dataset of keys, which have a day where the prefix has the placeholder.
    let folder = prefix.replace(DATE, &day(client.services.now_ms()));
    Ok(match known.claim(&format!("{folder}/")) {
        DatasetClaim::Named(dataset) | DatasetClaim::Alias(dataset) => dataset,
        DatasetClaim::Unnamed | DatasetClaim::Unknown => Dataset::HttpRequests,
    })
}

/// Returns the prefixes to list: one per day if the prefix contains `{DATE}`; `None` if these are more than
/// [`ENGINE_DAYS`].
fn folders<D>(client: &ClientRequest<'_, D>, query: &EngineQuery) -> Option<Vec<String>> {
    let known = client.config.log_prefix.folders();
    let inside = |prefix: &&String| known.iter().any(|folder| prefix.starts_with(folder.as_str()));
    let Some(prefix) = query.prefix.as_ref().filter(inside) else { return Some(known.to_vec()) };
    if !prefix.contains(DATE) {
        return Some(vec![prefix.clone()]);
    }
    let days = query.range.start_ms().div_euclid(DAY_MS)..=(query.range.end_ms() - 1).div_euclid(DAY_MS);
    let folders = || days.clone().map(|number| prefix.replace(DATE, &day(number * DAY_MS))).collect();
    (days.clone().count() <= ENGINE_DAYS).then(folders)
}

/// Returns whether the object is a batch whose name indicates that it may hold records of the range.
fn is_within<D>(client: &ClientRequest<'_, D>, key: &str, range: &TimeRange) -> bool {
    let is_batch = matches!(classify(key, &client.config.log_prefix), KeyClass::Batch(_));
    is_batch && batch_times(key).is_none_or(|(start, end)| start < range.end_ms() && end >= range.start_ms())
}

/// Returns whether the object exists for the caller: its key says that it is of one of their datasets.
fn is_listed<D>(client: &ClientRequest<'_, D>, key: &str) -> bool {
    let is_own = || match client.config.log_prefix.claim(key) {
        DatasetClaim::Named(dataset) | DatasetClaim::Alias(dataset) => client.caller.may_dataset(dataset),
        DatasetClaim::Unnamed | DatasetClaim::Unknown => false,
    };
    client.caller.visibility().has_totals() || is_own()
}

/// Returns the answer to a range with more objects than a list may have.
fn too_many_reply() -> Reply {
    error_reply(422, TOO_MANY, "Time range returned too many results. Try reducing the time range and try again.")
}
