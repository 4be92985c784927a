//! `GET /v1/rays/{ray}`: the records of one ray, of the dataset that the query names or of every dataset that the
//! caller may see. A format with columns shows one dataset, by default `http_requests`.
//!
//! # Invariants
//! The native format is the stored lines, byte for byte, each with a newline. Every answer has the cost of the lookup.
//! A record that the caller may not see is indistinguishable from one that does not exist.

use ::http::header::IF_NONE_MATCH;
use serde::Serialize;
use serde_json::value::RawValue;

use super::completeness::{absence_hint, find_missing};
use super::field_warnings::{FieldWarning, UnseenFields, header_of};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::record_writer::{RecordFormat, RecordWriter};
use super::retry::retry_while_out_of_memory;
use crate::access::Caller;
use crate::backend::BackendError;
use crate::config::Config;
use crate::http::entity_tag::entity_tag;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, problems};
use crate::index::calls::FindRay;
use crate::index::{ObjectVersion, ShardName};
use crate::ledger::completeness::MissingLines;
use crate::lookup::{FoundRecord, LookupResult, lookup};
use crate::memory::Reservation;
use crate::record::fields::line_text;
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::rpc;
use crate::services::Services;
use crate::time;

/// Answers with the records of the ray in the format that the client accepts, or 404.
pub(crate) async fn get_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    let named = parse_lookup_dataset(request)?;
    let dataset = named.unwrap_or(Dataset::HttpRequests);
    let form = RecordWriter::from_request(config, request, dataset, RecordFormat::Json)?;
    let named = if form.format.is_of_one_dataset() { Some(dataset) } else { named };
    let filter = parse_filter(request)?;
    let views = DatasetViews::new(caller, named, filter.as_ref())?;
    let unseen = UnseenFields::new(&views.datasets(), filter.as_ref(), form.projection.fields.as_deref());
    let key = ray_from_user(argument).map_err(|_| problems::not_a_ray())?;
    let reservation = services.memory().reservation();
    let (found, cost) = match find_ray(services, &views, &key, &reservation).await {
        Ok(found) => found,
        Err(problem) => return Err(explain_absence(services, caller, &views, &key, problem).await),
    };
    let seen = visible_records(&found, &views);
    let warnings = lookup_warnings(unseen, &views, &found, &seen);
    let tag = entity_tag(
        [caller.role.name().as_bytes(), request.query.as_bytes(), form.format.media_type().as_bytes()]
            .into_iter()
            .chain(seen.iter().map(|record| record.line.as_slice())),
    );
    let header = header_of(&warnings);
    let body = if form.format == RecordFormat::Json {
        let records = seen.iter().map(|seen| ray_record(seen, &form)).collect();
        json(&key, &found, records, warnings, cost)
    } else {
        form.page(seen.iter().map(|record| record.line.as_slice()))
    };
    let reply = Reply::new(200, form.format.media_type(), body).with_cost(&cost);
    let reply = if found.truncated { reply.with_header("raydex-truncated", "true") } else { reply };
    let reply = if let Some(header) = header { reply.with_header("raydex-warnings", header) } else { reply };
    Ok(reply.with_entity_tag(tag, request.header(IF_NONE_MATCH).as_deref()))
}

/// Looks up the ray, and keeps the records that the caller may see. If none remain, the problem is the same as for a
/// ray without records.
pub(crate) async fn find_ray(
    services: &impl Services,
    views: &DatasetViews,
    key: &RayKey,
    reservation: &Reservation,
) -> Result<(LookupResult, LookupCost), Problem> {
    let started = services.now_ms();
    let mut found = retry_while_out_of_memory(services, reservation, async || {
        Ok(lookup(services.batch_store(), services.shards(), &views.datasets(), key, reservation).await?)
    })
    .await?;
    let now = services.now_ms();
    let cost = LookupCost::new(&found.stats, now - started);
    found.records.retain(|record| views.is_visible(record));
    if found.records.is_empty() {
        // The cost of the lookup would reveal that there is something.
        return Err(if views.is_zone_restricted() {
            nothing(key, &LookupResult::default(), now)
        } else {
            nothing(key, &found, now).with_cost(cost)
        });
    }
    Ok((found, cost))
}

/// The problem with a hint that is derived from what is known of the ray's time, and of other datasets; for a caller who
/// is restricted to zones, the problem as it is.
async fn explain_absence(
    services: &impl Services,
    caller: &Caller,
    views: &DatasetViews,
    key: &RayKey,
    problem: Problem,
) -> Problem {
    let Some(ray) = key.ray().filter(|_| problem.status == 404 && !views.is_zone_restricted()) else {
        return problem;
    };
    let at_ms = ray.unix_ms();
    match find_absence(services, caller, views, key, at_ms).await {
        Ok(Some(hint)) => problem.with_hint(hint),
        Ok(None) | Err(_) => problem,
    }
}

/// What is known of a ray that no batch of these datasets holds.
async fn find_absence(
    services: &impl Services,
    caller: &Caller,
    views: &DatasetViews,
    key: &RayKey,
    at_ms: i64,
) -> Result<Option<String>, BackendError> {
    let asked = views.datasets();
    let others = Dataset::WITH_RAY.into_iter().filter(|other| caller.may_dataset(*other) && !asked.contains(other));
    let others: Vec<Dataset> = others.collect();
    if !others.is_empty() {
        let shard = ShardName::for_key(key).to_string();
        let found = rpc::call(services.shards(), &shard, &FindRay::new(key, &others)).await?;
        if let Some(candidate) = found.candidates.first() {
            return Ok(Some(format!("Records of it are in {}: omit dataset, or name that one.", candidate.dataset)));
        }
    }
    let mut missing = MissingLines::default();
    for dataset in asked {
        missing.add(find_missing(services, dataset, &(at_ms..at_ms.saturating_add(1))).await?.missing);
    }
    Ok(absence_hint(&missing))
}

/// The problem of a lookup without records.
fn nothing(key: &RayKey, found: &LookupResult, now_ms: i64) -> Problem {
    if found.stats.batches_gone + found.stats.batches_unreadable > 0 {
        return problems::batch_unreadable();
    }
    match key {
        RayKey::Ray(_) => problems::ray_not_found(key, now_ms),
        // Ids of other forms exist in logs; one that no log has is most likely a slip.
        RayKey::Nonstandard(_) => problems::not_a_ray(),
    }
}

/// A record as the caller sees it.
pub(crate) struct VisibleRecord<'a> {
    /// The stored record, with its object and offset.
    pub(crate) found: &'a FoundRecord,
    /// The line without the fields that the caller may not see.
    pub(crate) line: Vec<u8>,
}

/// The records that pass the filter, masked for the caller.
pub(crate) fn visible_records<'a>(found: &'a LookupResult, views: &DatasetViews) -> Vec<VisibleRecord<'a>> {
    let seen = |found: &'a FoundRecord| Some(VisibleRecord { found, line: views.view(found)?.into_owned() });
    found.records.iter().filter_map(seen).collect()
}

/// The warnings of a lookup that found these records, of which the caller sees `seen` through the filter.
///
/// A role that sees records masked judges by those alone that it sees: a name that looks like a token is masked too.
pub(crate) fn lookup_warnings(
    mut unseen: UnseenFields,
    views: &DatasetViews,
    found: &LookupResult,
    seen: &[VisibleRecord<'_>],
) -> Vec<FieldWarning> {
    if views.is_verbatim() {
        for record in &found.records {
            unseen.take(&record.line);
        }
    } else {
        for record in seen {
            unseen.take(&record.line);
        }
    }
    unseen.warnings()
}

#[derive(Serialize)]
struct RayResponse<'a> {
    ray: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    truncated: bool,
    batches_gone: u64,
    batches_unreadable: u64,
    records: Vec<RayRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldWarning>,
    cost: LookupCost,
}

/// One record and where it was found.
#[derive(Serialize)]
pub(crate) struct RayRecord<'a> {
    dataset: &'static str,
    batch: RecordBatch<'a>,
    /// The other places where the same record is stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    copies: Vec<RecordBatch<'a>>,
    record: Option<Box<RawValue>>,
}

/// The batch that holds a record.
#[derive(Serialize)]
struct RecordBatch<'a> {
    key: &'a str,
    etag: &'a str,
    /// The offset of the line, in inflated bytes.
    offset: u64,
}

/// The record with its batch, as JSON answers show it.
pub(crate) fn ray_record<'a>(seen: &VisibleRecord<'a>, form: &RecordWriter) -> RayRecord<'a> {
    let VisibleRecord { found, line } = seen;
    let mut object = Vec::new();
    let written = form.write_object(&mut object, line);
    let record = written.ok().and_then(|()| RawValue::from_string(line_text(&object).into_owned()).ok());
    let place = |object: &'a ObjectVersion, offset| RecordBatch { key: &object.key, etag: &object.etag, offset };
    let copies = found.copies.iter().map(|copy| place(&copy.object, copy.offset)).collect();
    RayRecord { dataset: found.dataset.name(), batch: place(&found.object, found.offset), copies, record }
}

fn json(
    key: &RayKey,
    found: &LookupResult,
    records: Vec<RayRecord<'_>>,
    warnings: Vec<FieldWarning>,
    cost: LookupCost,
) -> Vec<u8> {
    let answer = RayResponse {
        ray: key.to_string(),
        ray_time: key.ray().map(|ray| time::rfc3339(ray.unix_ms())),
        truncated: found.truncated,
        batches_gone: found.stats.batches_gone,
        batches_unreadable: found.stats.batches_unreadable,
        records,
        warnings,
        cost,
    };
    let mut body = serde_json::to_vec(&answer).unwrap_or_default();
    body.push(b'\n');
    body
}
