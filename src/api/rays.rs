//! `GET /v1/rays/{ray}`: the records of one ray, in the form asked for.
//!
//! What always holds: the native form is the stored lines, byte for byte, each ended by a newline; every form says
//! what the lookup cost.

use serde::Serialize;
use serde_json::value::RawValue;

use super::reply::{JSON, NDJSON, Reply, Spent, TEXT};
use super::{Problem, Request, problems};
use crate::config::Config;
use crate::lookup::{FoundRecord, Lookup, lookup};
use crate::pipeline::World;
use crate::record::fields::line_text;
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::render::write_partner_line;
use crate::time;

/// The parameters that the path takes.
const PARAMETERS: [&str; 2] = ["format", "dataset"];

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Native,
    Partner,
}

/// Answers one lookup.
pub(super) async fn answer<Y>(
    config: &Config,
    world: &impl World,
    request: &Request<Y>,
    argument: &str,
) -> Result<Reply, Problem> {
    let started = world.now_ms();
    let (format, dataset) = parameters(request)?;
    let key = ray_from_user(argument).map_err(|_| problems::not_a_ray())?;
    let found = lookup(world.bucket(), world.shards(), dataset, &key).await;
    let found = found.map_err(|_| problems::unavailable())?;
    let now = world.now_ms();
    let spent = Spent { cost: found.cost, elapsed_ms: now - started };
    if found.records.is_empty() {
        return Err(nothing(&key, &found, now).costing(spent));
    }
    let body = match format {
        Format::Native => native(&found.records),
        Format::Partner => partner(config, &found.records),
        Format::Json => json(&key, dataset, &found, spent),
    };
    let media_type = match format {
        Format::Native => NDJSON,
        Format::Partner => TEXT,
        Format::Json => JSON,
    };
    let reply = Reply::new(200, media_type, body).costing(&spent);
    Ok(if found.truncated { reply.with("raydex-truncated", "true") } else { reply })
}

/// What the query asks for.
fn parameters<Y>(request: &Request<Y>) -> Result<(Format, Dataset), Problem> {
    request.takes_only(&PARAMETERS)?;
    let format = match request.parameter("format").as_deref() {
        None if request.accepts_ndjson() => Format::Native,
        None | Some("json") => Format::Json,
        Some("native") => Format::Native,
        Some("partner") => Format::Partner,
        Some(_) => return Err(problems::bad_parameter("format", "native, partner or json")),
    };
    let dataset = match request.parameter("dataset") {
        None => Dataset::HttpRequests,
        Some(name) => Dataset::from_name(&name).ok_or_else(problems::bad_dataset)?,
    };
    if format == Format::Partner && dataset != Dataset::HttpRequests {
        return Err(problems::bad_parameter(
            "format",
            "native or json for this dataset: the partner gets http_requests",
        ));
    }
    Ok((format, dataset))
}

/// Why nothing was found.
pub(super) fn nothing(key: &RayKey, found: &Lookup, now_ms: i64) -> Problem {
    if found.objects_gone + found.objects_unreadable > 0 {
        return problems::batch_unreadable();
    }
    match key {
        RayKey::Ray(_) => problems::ray_not_found(key, now_ms),
        // Ids of other forms exist in logs; one that no log has is most likely a slip.
        RayKey::Odd(_) => problems::not_a_ray(),
    }
}

/// The stored lines.
fn native(records: &[FoundRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        body.extend_from_slice(&record.line);
        body.push(b'\n');
    }
    body
}

/// The partner's lines. A stored record that the partner's form refuses does not exist: it was read when found.
fn partner(config: &Config, records: &[FoundRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        // Nothing is appended where it fails.
        let _outcome = write_partner_line(&mut body, &record.line, &config.partner);
    }
    body
}

/// The answer in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    ray: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    truncated: bool,
    objects_gone: u64,
    objects_unreadable: u64,
    records: Vec<AnswerRecord<'a>>,
    cost: Spent,
}

/// One record and where it was found.
#[derive(Serialize)]
struct AnswerRecord<'a> {
    dataset: &'static str,
    batch: AnswerBatch<'a>,
    record: Option<Box<RawValue>>,
}

/// The batch that holds a record.
#[derive(Serialize)]
struct AnswerBatch<'a> {
    key: &'a str,
    etag: &'a str,
    /// Where the line begins, in inflated bytes.
    offset: u64,
}

fn json(key: &RayKey, dataset: Dataset, found: &Lookup, cost: Spent) -> Vec<u8> {
    let records = found.records.iter().map(|found| AnswerRecord {
        dataset: dataset.name(),
        batch: AnswerBatch { key: &found.object.key, etag: &found.object.etag, offset: found.offset },
        record: RawValue::from_string(line_text(&found.line).into_owned()).ok(),
    });
    let answer = Answer {
        ray: key.to_string(),
        ray_time: key.ray().map(|ray| time::rfc3339(ray.unix_ms())),
        truncated: found.truncated,
        objects_gone: found.objects_gone,
        objects_unreadable: found.objects_unreadable,
        records: records.collect(),
        cost,
    };
    let mut body = serde_json::to_vec(&answer).unwrap_or_default();
    body.push(b'\n');
    body
}
