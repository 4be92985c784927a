//! A data bucket of its own: the log bucket is only read, but for uploads.

use std::collections::BTreeSet;

use raydex::bucket_keys::FOLDER;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::limits::BODIES_KEPT_MS;
use raydex::pipeline::run_sweep;
use raydex::r2_event::R2Event;
use serde_json::json;

use super::support::gzip::gzip;
use super::support::partner::{Seen, delivering};
use super::support::records::{http, ndjson, noise, ray};
use super::support::{Consumers, Fakes, Reply, run};
use super::{Ask, json as body};

/// The key of the batch.
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";
/// A day, in milliseconds.
const DAY: i64 = 86_400_000;
/// Records of the batch: several spans of text, so that it has windows and summaries.
const RECORDS: u64 = 2_500;

/// A deployment with a data bucket and a read-only log bucket, whose partner refuses the first payload as too large.
fn deployment() -> Consumers {
    let split_first = |_: &Seen, nth: usize| Reply::Status(if nth == 0 { 413 } else { 200 });
    let mut consumers = Consumers::new(delivering(&[("BATCH_SIZE", "1000")]), split_first);
    consumers.fakes.separate();
    consumers.fakes.bucket.refuse_writes();
    consumers
}

/// The folders of raydex's own objects in the data bucket.
fn folders(fakes: &Fakes) -> BTreeSet<String> {
    let keys = fakes.data.contents().into_keys();
    keys.map(|key| key.strip_prefix(FOLDER).unwrap().split('/').next().unwrap().to_owned()).collect()
}

#[test]
fn the_log_bucket_is_only_read() {
    let consumers = deployment();
    let fakes = &consumers.fakes;
    // Text that does not compress well has several spans with a window each.
    let line = |n: u64| {
        format!(
            r#"{{"RayID":"{}","EdgeColoID":4,"f":"{}"}}"#,
            ray(n),
            hex::encode(noise(u32::try_from(n % 50).unwrap(), 600))
        )
    };
    let head = fakes.bucket.store(KEY, &gzip(&ndjson((0..RECORDS).map(line))));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, consumers.now());
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
    consumers.settle(DAY);
    assert_eq!(fakes.ledgers.totals().lines.delivered, RECORDS);

    let found = Ask::get(&format!("/v1/rays/{}", ray(RECORDS - 1))).of(fakes);
    let cost = &body(&found)["cost"];
    assert_eq!((found.status, &cost["objects_read"], &cost["full_scans"]), (200, &json!(2), &json!(0)), "{cost}");
    fakes.audits.set_bounds(1, u64::MAX);
    (0..3).for_each(|_| assert_eq!(Ask::get("/v1/audit").of(fakes).status, 200));
    assert!(!fakes.audits.settle(&fakes.data).is_empty());
    assert_eq!(body(&Ask::get("/v1/audit?after=0&limit=1").of(fakes))["entries"].as_array().unwrap().len(), 1);
    let all = ["audit", "payloads", "summaries", "windows"].map(str::to_owned);
    assert_eq!(folders(fakes), all.clone().into());

    consumers.pass(BODIES_KEPT_MS + DAY);
    assert!(run(run_sweep(fakes, &consumers.config)).unwrap().packs_removed > 0);
    assert_eq!(folders(fakes), ["audit", "summaries", "windows"].map(str::to_owned).into());
    assert!(fakes.bucket.contents().into_keys().eq([KEY]));

    fakes.bucket.delete(KEY);
    let removal = json!({ "action": "DeleteObject", "bucket": BUCKET_NAME, "object": { "key": KEY } });
    assert_eq!(consumers.parse(&removal.to_string(), 1).verdict.name(), "removed");
    assert_eq!(folders(fakes), ["audit".to_owned()].into());
}

#[test]
fn uploads_go_to_the_log_bucket() {
    let mut fakes = Fakes::new();
    fakes.separate();
    fakes.data.refuse_writes();
    let reply = Ask::upload(http(&ray(1).to_string(), 0).as_bytes()).of(&fakes);
    let key = body(&reply)["key"].as_str().unwrap().to_owned();
    assert!(fakes.bucket.contents().into_keys().eq([key]));
}
