//! The answer that a query has to give, found by reading everything.

use std::collections::HashMap;

use raydex::bucket_keys::batch_times;
use raydex::filter::Filter;
use raydex::record::{RayId, RayKey, Timestamp};
use serde_json::Value;
use serde_json::value::RawValue;

use super::generate::Store;
use super::support::lines::naive;

/// When a record was, in nanoseconds; `None` where the line is not a record.
fn time(line: &[u8], default_ms: i64) -> Option<i64> {
    let record: HashMap<String, &RawValue> = serde_json::from_slice(line).ok()?;
    let text = |name: &str| match serde_json::from_str(record.get(name)?.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let start = text("EdgeStartTimestamp").and_then(|start| Timestamp::parse(&start)).map(Timestamp::unix_ns);
    let ray = text("RayID").and_then(|id| RayKey::from_logged(&id)).and_then(|key| key.ray());
    Some(start.or_else(|| ray.map(|ray| ray.unix_ms() * 1_000_000)).unwrap_or(default_ms * 1_000_000))
}

/// The lines of a range, in the order in which they are returned.
pub(crate) fn lines(store: &Store, start_ns: i64, end_ns: i64, filter: Option<&Filter>) -> Vec<String> {
    let found = timed_lines(store, start_ns, end_ns).into_iter();
    found
        .map(|(_, line)| line)
        .filter(|line| filter.is_none_or(|filter| filter.accepts(line.as_bytes()) == Ok(true)))
        .collect()
}

/// The lines of a range with their instants, in the order in which they are returned.
pub(crate) fn timed_lines(store: &Store, start_ns: i64, end_ns: i64) -> Vec<(i64, String)> {
    let mut found: Vec<(u32, usize, i64, String)> = Vec::new();
    for (number, (key, text)) in store.batches.iter().enumerate() {
        let uploaded_ms = store.fakes.bucket.object(key).unwrap().head.uploaded_ms;
        let default_ms = batch_times(key).map_or(uploaded_ms, |(start, _)| start);
        for (_, line) in naive(text) {
            let Some(line) = line else { continue };
            let Some(ns) = time(line, default_ms).filter(|ns| (start_ns..end_ns).contains(ns)) else { continue };
            found.push((RayId::prefix_at(ns), number, ns, String::from_utf8(line.to_vec()).unwrap()));
        }
    }
    // Stable: lines of a batch stay as they stand.
    found.sort_by_key(|(prefix, number, ..)| (*prefix, *number));
    found.into_iter().map(|(_, _, ns, line)| (ns, line)).collect()
}
