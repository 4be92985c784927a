//! Lines that come again: in batches that were moved, written anew, reordered or posted twice, and within one batch.

use crate::support;

mod moves;
mod overlaps;

use std::collections::BTreeMap;

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::calls::BatchDetails;
use raydex::r2_event::R2Event;
use support::gzip::gzip;
use support::partner::{Seen, delivering};
use support::{Consumers, NOW_MS, Reply};

/// The key of a batch of the tests' hour.
fn key(name: &str) -> String {
    format!("logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_{name}.log.gz")
}

/// A deployment that delivers to a partner who takes everything.
fn deployment(settings: &[(&str, &str)]) -> Consumers {
    let settings = [&[("BATCH_SIZE", "3")], settings].concat();
    Consumers::new(delivering(&settings), |_: &Seen, _| Reply::Status(200))
}

/// Writes an object, and returns the message that announces it.
fn write(consumers: &Consumers, key: &str, text: &[u8]) -> String {
    let head = consumers.fakes.bucket.store(key, &gzip(text));
    serde_json::to_string(&R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS)).unwrap()
}

/// The message that an object was deleted, which it is.
fn delete(consumers: &Consumers, key: &str) -> String {
    consumers.fakes.bucket.delete(key);
    format!(r#"{{"action":"DeleteObject","bucket":"{BUCKET_NAME}","object":{{"key":"{key}"}}}}"#)
}

/// Handles a message until it is acked, and returns its verdict.
fn take(consumers: &Consumers, message: &str) -> String {
    for attempt in 1..9 {
        let verdict = consumers.parse(message, attempt);
        if verdict.retry_s.is_none() {
            return verdict.verdict.name().to_owned();
        }
    }
    panic!("{message} is never acked");
}

/// Writes and handles an object.
fn put(consumers: &Consumers, key: &str, text: &[u8]) -> String {
    let message = write(consumers, key, text);
    take(consumers, &message)
}

/// Number of copies of each ray that the partner has.
fn at_partner(consumers: &Consumers) -> BTreeMap<String, usize> {
    consumers.settle(3_600_000);
    let mut copies = BTreeMap::new();
    for ray in consumers.partner.seen().iter().flat_map(Seen::rays) {
        *copies.entry(ray).or_default() += 1;
    }
    copies
}

/// What the ledger keeps of the object that is at `key` now.
fn kept(consumers: &Consumers, key: &str) -> BatchDetails {
    consumers.fakes.kept(key)
}

/// The lines that the plans of the object hold, and whether the books of the deployment balance.
fn held(consumers: &Consumers, key: &str) -> u64 {
    assert_eq!(consumers.fakes.ledgers.totals().lines.unaccounted, 0);
    kept(consumers, key).totals.lines.filtered.get("duplicate").copied().unwrap_or_default()
}
