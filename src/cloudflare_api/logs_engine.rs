//! The Logs Engine: objects and records of a time range, and the records of a ray, by bucket and prefix.
//!
//! What always holds: the bucket is the Worker's own, and a prefix lies inside the folder that Logpush writes under; no
//! other object is listed or read.

use serde::{Deserialize, Serialize};

use super::client_request::Client;
use super::envelope::{INVALID, NO_BUCKET, TOO_MANY, failure, success};
use crate::api::form::Form;
use crate::api::range::{self, RangeRequest, StreamFormat};
use crate::api::sight::Sight;
use crate::api::times::{Range, with_plus};
use crate::backend::{Bucket, List};
use crate::bucket_keys::{KeyClass, batch_times, classify};
use crate::http::media_type::TEXT;
use crate::http::{Problem, Reply, problems};
use crate::limits::{ENGINE_DAYS, ENGINE_LISTED};
use crate::record::Dataset;
use crate::render::Projection;
use crate::services::Services;
use crate::time::{day, rfc3339};

/// What stands in a prefix for the day.
const DATE: &str = "{DATE}";
/// One day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Where a client looks.
struct Place {
    range: Range,
    prefix: Option<String>,
    dataset: Dataset,
}

/// The body of `POST …/rayids/index`.
#[derive(Deserialize)]
struct Wanted {
    start: String,
    end: String,
    bucket: String,
    prefix: Option<String>,
}

/// One object.
#[derive(Serialize)]
struct ObjectShown {
    key: String,
    size: u64,
    uploaded_at: String,
}

/// `GET …/list`: the objects whose names say that they hold records of the range.
pub(crate) async fn list<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    let place = match place_of(client) {
        Ok(place) => place,
        Err(reply) => return Ok(*reply),
    };
    if client.caller.zones.is_some() {
        return Err(problems::forbidden());
    }
    let limit = client.request.number("limit", ENGINE_LISTED, ENGINE_LISTED)?;
    let mut shown = Vec::new();
    for prefix in folders(client, &place) {
        let mut ask = List { prefix, ..List::default() };
        loop {
            let listed = client.desk.bucket().list(&ask).await.map_err(|_| problems::unavailable())?;
            for (key, head) in listed.objects {
                if !is_within(client, &key, &place.range) {
                    continue;
                }
                if shown.len() as u64 == limit {
                    return Ok(if client.request.parameter("limit").is_some() { success(shown) } else { too_many() });
                }
                shown.push(ObjectShown { key, size: head.size, uploaded_at: rfc3339(head.uploaded_ms) });
            }
            ask.cursor = listed.cursor;
            if ask.cursor.is_none() {
                break;
            }
        }
    }
    Ok(success(shown))
}

/// `GET …/retrieve`: the records of the range.
pub(crate) async fn retrieve<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    let Place { range, prefix, dataset } = match place_of(client) {
        Ok(place) => place,
        Err(reply) => return Ok(*reply),
    };
    let sight = Sight::new(client.caller, dataset, None)?;
    let request = RangeRequest { sight, range, sample: None, limit: None, cursor: None, key_prefix: prefix };
    let form = Form::of_lines(client.config, Projection::default());
    range::stream(client.desk, request, form, StreamFormat::Logpull, TEXT).await
}

/// `POST …/rayids/index`: there is nothing to do, since every batch is indexed as it comes.
pub(crate) fn index<D: Services>(client: &Client<'_, D>) -> Reply {
    let Ok(Wanted { start, end, bucket, prefix }) = serde_json::from_slice(&client.request.body) else {
        return failure(400, INVALID, "The body must be JSON with start, end, bucket and prefix.");
    };
    match place(client, Some(&start), Some(&end), Some(&bucket), prefix) {
        Err(reply) => *reply,
        Ok(_) => success(serde_json::json!({ "indexed": true })),
    }
}

/// `GET …/rayids/{ray}`: the records of a ray.
pub(crate) async fn ray<D: Services + 'static>(client: &Client<'_, D>) -> Result<Reply, Problem> {
    let parameter = |name| client.request.parameter(name);
    match bucket_of(client, parameter("bucket").as_deref(), parameter("prefix").as_deref()) {
        Ok(dataset) => client.lines_of_ray(client.caller, dataset, Projection::default()).await,
        Err(reply) => Ok(*reply),
    }
}

/// Where the query looks.
fn place_of<D: Services>(client: &Client<'_, D>) -> Result<Place, Box<Reply>> {
    let parameter = |name| client.request.parameter(name);
    place(
        client,
        parameter("start").as_deref(),
        parameter("end").as_deref(),
        parameter("bucket").as_deref(),
        parameter("prefix"),
    )
}

fn place<D: Services>(
    client: &Client<'_, D>,
    start: Option<&str>,
    end: Option<&str>,
    bucket: Option<&str>,
    prefix: Option<String>,
) -> Result<Place, Box<Reply>> {
    let dataset = bucket_of(client, bucket, prefix.as_deref())?;
    let (Some(start_ns), Some(end_ns)) = (start.and_then(with_plus), end.and_then(with_plus)) else {
        return Err(Box::new(failure(400, INVALID, "start and end must be times in RFC 3339.")));
    };
    if start_ns >= end_ns {
        return Err(Box::new(failure(400, INVALID, "start must be before end.")));
    }
    Ok(Place { range: Range { start_ns, end_ns }, prefix, dataset })
}

/// The dataset that bucket and prefix name, if they are ours.
fn bucket_of<D: Services>(
    client: &Client<'_, D>,
    bucket: Option<&str>,
    prefix: Option<&str>,
) -> Result<Dataset, Box<Reply>> {
    if bucket != Some(client.desk.bucket_name()) {
        return Err(Box::new(failure(404, NO_BUCKET, "This deployment does not read that bucket.")));
    }
    let known = &client.config.log_prefix;
    let prefix = prefix.unwrap_or(known);
    if !(prefix.starts_with(known.as_str()) || known.starts_with(prefix)) {
        return Err(Box::new(failure(404, NO_BUCKET, "This deployment does not read logs under that prefix.")));
    }
    Ok(prefix.split('/').find_map(Dataset::from_name).unwrap_or(Dataset::HttpRequests))
}

/// The prefixes to list: one for each day where the prefix has a place for it.
fn folders<D>(client: &Client<'_, D>, place: &Place) -> Vec<String> {
    let known = &client.config.log_prefix;
    let prefix =
        place.prefix.clone().filter(|prefix| prefix.starts_with(known.as_str())).unwrap_or_else(|| known.clone());
    if !prefix.contains(DATE) {
        return vec![prefix];
    }
    let days =
        (place.range.start_ms().div_euclid(DAY_MS)..=(place.range.end_ms() - 1).div_euclid(DAY_MS)).take(ENGINE_DAYS);
    days.map(|number| prefix.replace(DATE, &day(number * DAY_MS))).collect()
}

/// Whether the object is a batch whose name says that it may hold records of the range.
fn is_within<D>(client: &Client<'_, D>, key: &str, range: &Range) -> bool {
    let is_batch = matches!(classify(key, &client.config.log_prefix), KeyClass::Batch(_));
    is_batch && batch_times(key).is_none_or(|(start, end)| start < range.end_ms() && end >= range.start_ms())
}

/// The range holds more objects than are listed.
fn too_many() -> Reply {
    failure(422, TOO_MANY, "Time range returned too many results. Try reducing the time range and try again.")
}
