//! A deployment whose hours have several ledgers answers as one whose hours have one, and may change to it at any time.

use std::collections::BTreeSet;

use raydex::config::{Config, DEFAULT_BUCKET_NAME as BUCKET_NAME};
use raydex::ledger::LedgerHour;
use raydex::pipeline::{PartnerWatch, run_sweep};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::Value;

use super::Ask;
use super::support::gzip::gzip;
use super::support::partner::{Reply, Seen, delivering};
use super::support::{Consumers, run};

/// 2026-03-28T06:00:00Z.
const START_MS: i64 = 1_774_677_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Each hour has so many.
const BATCHES: u32 = 6;

fn config() -> Config {
    delivering(&[("BATCH_SIZE", "20"), ("PARTNER_ON_UNKNOWN", "park")])
}

/// The partner takes most payloads, refuses some and leaves some in doubt, whatever their order.
fn mind(seen: &Seen, _: usize) -> Reply {
    match seen.lines.first().map_or(0, |line| line.len() % 7) {
        0 => Reply::Status(400),
        1 => Reply::Silence,
        _ => Reply::Status(200),
    }
}

/// The batches of an hour.
fn batches(hour: i64) -> impl Iterator<Item = SampleBatch> {
    let plan = SamplePlan {
        batches: BATCHES,
        records: 300,
        seed: 7 + hour.unsigned_abs(),
        start_ms: START_MS + hour * HOUR_MS,
        window_ms: HOUR_MS,
        ..SamplePlan::default()
    };
    (0..BATCHES).map(move |number| plan.batch(Dataset::HttpRequests, number))
}

/// A deployment with three hours of batches, of which one is damaged and one is gone; `partitions` says how many ledgers each
/// hour gets.
fn deployment(partitions: [u8; 3]) -> Consumers {
    let world = Consumers::new(config(), mind);
    for (hour, partitions) in (0..).zip(partitions) {
        world.fakes.partitions.set(partitions);
        world.fakes.clock_ms.set(START_MS + (hour + 1) * HOUR_MS);
        for (nth, batch) in batches(hour).enumerate() {
            let gone = (hour, nth) == (1, 3);
            let bytes = if (hour, nth) == (1, 2) { gzip(b"not, lines\n") } else { batch.gzip };
            let head = world.fakes.bucket.store(&batch.key, &bytes);
            let event = R2Event::put_object(BUCKET_NAME, &batch.key, head.size, &head.etag, world.now());
            world.parse(&serde_json::to_string(&event).unwrap(), 1);
            if gone {
                world.fakes.bucket.delete(&batch.key);
            }
        }
        for message in world.fakes.sends.take() {
            world.send_each(&PartnerWatch::default(), &message, 1);
        }
    }
    world
}

/// A document without what says in which ledger something is: handles have the names of hours, and lists are sorted.
fn unpartitioned(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(
            text.split_once('.')
                .and_then(|(ledger, rest)| Some((ledger.split_once('-')?.0, rest)))
                .filter(|(hour, _)| hour.len() == 11 && hour.as_bytes().get(8) == Some(&b'T'))
                .map_or_else(|| text.clone(), |(hour, rest)| format!("{hour}.{rest}")),
        ),
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(unpartitioned).collect();
            values.sort_by_key(Value::to_string);
            Value::Array(values)
        }
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| !["ledgers", "cost"].contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name, unpartitioned(value))).collect())
        }
        other => other,
    }
}

/// What the deployment says of itself and of some rays, by path.
fn answers(world: &Consumers) -> Vec<(String, Value)> {
    world.fakes.clock_ms.set(START_MS + 5 * HOUR_MS);
    run(run_sweep(&world.fakes, &world.config)).unwrap();
    let range = "start=2026-03-28T05:30:00Z&end=2026-03-28T09:30:00Z";
    let mut paths: Vec<String> = vec![
        "/v1/stats".into(),
        "/v1/batches?limit=1000".into(),
        "/v1/batches?state=quarantined".into(),
        "/v1/payloads?limit=1000".into(),
        "/v1/payloads?state=parked&limit=1000".into(),
        format!("/v1/coverage?{range}"),
        format!("/v1/counts?{range}&by=status"),
        "/v1/partner".into(),
    ];
    for hour in 0..3 {
        for batch in batches(hour) {
            let line: Value = serde_json::from_slice(batch.line(&batch.lines[0])).unwrap();
            let ray = line["RayID"].as_str().unwrap().to_owned();
            paths.extend([format!("/v1/rays/{ray}"), format!("/v1/rays/{ray}/deliveries")]);
        }
    }
    let answer = |path: String| {
        let reply = Ask::get(&path).of_deployment(&world.fakes, &Ok(world.config.clone()));
        // Some are lines.
        let lines = reply.body.split(|byte| *byte == b'\n');
        let values = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let whole = serde_json::from_slice::<Value>(&reply.body);
        (path, unpartitioned(whole.unwrap_or_else(|_| Value::Array(values.collect()))))
    };
    paths.into_iter().map(answer).collect()
}

#[test]
fn partitions_change_no_answer() {
    let plain = answers(&deployment([1, 1, 1]));
    for partitions in [[8, 8, 8], [1, 4, 8], [8, 3, 1]] {
        let world = deployment(partitions);
        for (answer, expected) in answers(&world).into_iter().zip(&plain) {
            assert_eq!(&answer, expected, "{partitions:?}");
        }
        let ledgers: BTreeSet<String> = world.fakes.ledgers.names().into_iter().collect();
        let most = |hour: i64| LedgerHour::of_time(START_MS + hour * HOUR_MS).ledgers(8).collect::<BTreeSet<_>>();
        for (hour, partitions) in (0..).zip(partitions) {
            let used = most(hour).intersection(&ledgers).count();
            assert!(used > usize::from(partitions > 1) && used <= partitions.into(), "{hour} {used} {partitions}");
        }
    }
}
