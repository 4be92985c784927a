//! The runtime is killed again and again while it delivers, to a partner that fails, hangs, and keeps its own ledger.
//!
//! Each life brings a batch, announced twice, and ends by SIGKILL at a moment that the seed decides. The queues of the
//! local runtime are in memory, so a kill loses what they hold, which those of the platform would bring again. The
//! sweep would announce what was lost, but looks at nothing younger than ten minutes (`SWEEP_AGE_MS`); so the next life
//! announces again what is not sealed, as R2's own events may. Lost messages of payloads are the ledger's: its alarm
//! sends them a minute after the seal.
//!
//! A POST that was killed in mid-air comes to rest when its lease is over, after two minutes. The long form
//! (`scripts/chaos`) waits for that. The slice that is always run does not: it ends when the kills have left nothing but
//! such payloads, holds them against the books as they are, and hands the lost messages over itself.
//!
//! Of each line the partner has as many copies as the ledger's word on its payload allows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::{BatchId, DeliveryId, LedgerHour, SourceId};
use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};

/// Lines of a batch; ten payloads.
const LINES: u32 = 1_000;
/// A life ends within this time of its batch's arrival; undisturbed, a batch needs about that.
const LIFE_MS: u64 = 800;
/// How long everything may take to come to rest: two leases, and the pauses between attempts.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often it is asked whether it has.
const STEP: Duration = Duration::from_millis(250);

/// One batch of the test, as the bucket has it.
struct Arrived {
    batch: SampleBatch,
    object: Value,
    handle: String,
}

/// What the ledger says of a payload.
#[derive(Debug, Deserialize)]
struct Payload {
    id: String,
    partner_batch_id: String,
    state: String,
    attempts: u64,
    unknown_outcomes: u64,
    first_offset: usize,
    last_offset: usize,
}

impl Payload {
    /// How often the partner may have each of its lines.
    fn copies(&self) -> std::ops::RangeInclusive<u64> {
        match self.state.as_str() {
            "delivered" => 1..=1 + self.unknown_outcomes,
            // The attempt that is under way may have reached the partner.
            "sending" => 0..=1 + self.unknown_outcomes,
            _ => 0..=self.unknown_outcomes,
        }
    }
}

/// A runtime that is killed, and all that was put into its bucket.
struct Chaos {
    seed: u64,
    harness: Harness,
    arrived: Vec<Arrived>,
    /// Payloads whose claimant was killed, by their handles.
    caught: BTreeSet<String>,
}

impl Chaos {
    fn new(name: &str, seed: u64, plan: &Value) -> Self {
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _none = std::fs::remove_dir_all(&state);
        let settings = json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "BATCH_SIZE": "100", "API_RATE_PER_MINUTE": "0" });
        let harness = Harness::with(json!({ "state": state, "partner": true, "settings": settings }));
        harness.behave(plan);
        Self { seed, harness, arrived: Vec::new(), caught: BTreeSet::new() }
    }

    /// A number below `bound` that the seed decides.
    fn random(&self, what: usize, bound: u64) -> u64 {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(format!("{}/{what}", self.seed)).into();
        u64::from(u32::from_le_bytes([a, b, c, d])) % bound
    }

    /// As many lives as there are batches, each of which ends by a kill.
    fn live_and_die(&mut self, batches: Vec<SampleBatch>) {
        for (life, batch) in batches.into_iter().enumerate() {
            let object = self.harness.put(&batch.key, &batch.gzip);
            let source = SourceId::for_object(BUCKET_NAME, &batch.key, object["etag"].as_str().unwrap());
            let ledger = LedgerHour::of_key(&batch.key).first_ledger().to_owned();
            let handle = BatchId { ledger, source }.handle();
            self.arrived.push(Arrived { batch, object, handle });
            self.announce_unsealed();
            let life_ms = self.random(life, LIFE_MS);
            sleep(Duration::from_millis(life_ms));
            self.harness.kill();
            let books = self.books();
            let [made, caught, delivered] = ["", "sending", "delivered"].map(|state| count(&books, state));
            println!("life {life}: {life_ms} ms; {made} payloads, {delivered} delivered, {caught} being sent");
            let caught = books.into_iter().flatten().filter(|payload| payload.state == "sending");
            self.caught.extend(caught.map(|payload| payload.id));
        }
    }

    /// Announces what nobody has read to its end, twice.
    fn announce_unsealed(&self) {
        for Arrived { handle, object, .. } in &self.arrived {
            let known = self.harness.get(&format!("/v1/batches/{handle}"));
            if known.status == 404 || known.json()["batch"]["state"] != "sealed" {
                self.harness.announce(object);
                self.harness.announce(object);
            }
        }
    }

    /// What the ledger says of each batch's payloads.
    fn books(&self) -> Vec<Vec<Payload>> {
        let of = |arrived: &Arrived| {
            let known = self.harness.get(&format!("/v1/batches/{}", arrived.handle));
            // The ledger may not have heard of it.
            if known.status == 404 {
                Vec::new()
            } else {
                serde_json::from_value(known.json()["payloads"].take()).unwrap()
            }
        };
        self.arrived.iter().map(of).collect()
    }

    fn stats(&self) -> Value {
        self.harness.read("/v1/stats")
    }

    fn lines(&self) -> u64 {
        self.arrived.iter().map(|arrived| arrived.batch.written.records).sum()
    }

    /// No more kills, and a partner that is well: reads what is not read yet.
    fn peace(&self) {
        self.harness.behave(&json!([]));
        self.announce_unsealed();
        assert_eq!(self.harness.scheduled()["outcome"], "ok");
        self.wait("every batch", || self.stats()["lines"]["in"] == self.lines());
    }

    /// Hands over the messages that were lost with the queue; the ledger would, after a minute.
    fn hand_over_lost_messages(&self) {
        let lost =
            self.books().into_iter().flatten().filter(|payload| payload.state == "prepared" && payload.attempts == 0);
        let lost: Vec<Value> = lost.map(|payload| json!(DeliveryId::from_handle(&payload.id).unwrap())).collect();
        if !lost.is_empty() {
            self.harness.dispatch("send-queue", &lost);
        }
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        self.harness.wait_within(PATIENCE, STEP, what, || is_so().then_some(()));
    }

    /// Holds the partner's ledger against the Worker's.
    fn judge(&self) {
        let (stats, partner) = (self.stats(), self.harness.partner());
        let lines = &stats["lines"];
        let [delivered, pending] = ["delivered", "pending"].map(|figure| lines[figure].as_u64().unwrap());
        assert_eq!((&lines["in"], delivered + pending), (&self.lines().into(), self.lines()), "{stats}");
        for zero in [&lines["unaccounted"], &lines["parked"], &stats["batches"]["quarantined"], &stats["dead_letters"]]
        {
            assert_eq!(*zero, 0, "{stats}");
        }
        assert!(stats["alarm"].is_null(), "{stats}");
        for (figure, expected) in [("changed_batches", json!(0)), ("bad_lines", json!(0)), ("refused", json!({}))] {
            assert_eq!(partner[figure], expected, "{figure}: {partner}");
        }
        // The books come first: what moves on after they were read could only look like a fault.
        let books = self.books();
        let counted = self.harness.partner_lines();
        self.judge_lines(&books, &counted["request_ids"]);
        judge_duplicates(books, &counted["duplicates"]);
    }

    /// Each line is there as often as its payload allows, and no other line is.
    fn judge_lines(&self, books: &[Vec<Payload>], request_ids: &Value) {
        let mut allowed: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (arrived, payloads) in self.arrived.iter().zip(books) {
            for place in &arrived.batch.lines {
                let carries =
                    |payload: &&Payload| (payload.first_offset..=payload.last_offset).contains(&place.range.start);
                let mut carrying = payloads.iter().filter(carries);
                let payload = carrying.next().unwrap_or_else(|| panic!("no payload carries {}", place.ray));
                assert!(carrying.next().is_none(), "two payloads carry {}", place.ray);
                let (least, most) = payload.copies().into_inner();
                let copies = allowed.entry(place.ray.to_string()).or_default();
                *copies = (copies.0 + least, copies.1 + most);
            }
        }
        let counted: BTreeMap<String, u64> = serde_json::from_value(request_ids.clone()).unwrap();
        for (ray, (least, most)) in &allowed {
            let copies = counted.get(ray).copied().unwrap_or_default();
            assert!((*least..=*most).contains(&copies), "{ray}: {copies} copies, allowed are {least} to {most}");
        }
        assert!(counted.keys().all(|ray| allowed.contains_key(ray)), "the partner has a line that nobody sent");
    }

    /// Says what happened.
    fn tell(&self, took: Duration) {
        let (stats, partner) = (self.stats(), self.harness.partner());
        println!(
            "seed {}: {} kills, {} payloads caught in mid-air; {} posts came, {} of them met a partner that misbehaved; \
             {} lines, {} more came as duplicates; {} posts in doubt; {} lines pending; {took:.0?}",
            self.seed,
            self.arrived.len(),
            self.caught.len(),
            partner["posts"],
            partner["misbehaved"],
            partner["distinct_lines"],
            partner["duplicate_lines"],
            stats["posts"]["unknown_outcomes"],
            stats["lines"]["pending"],
        );
    }
}

/// The payloads in this state; in any, where it is empty.
fn count(books: &[Vec<Payload>], state: &str) -> usize {
    books.iter().flatten().filter(|payload| state.is_empty() || payload.state == state).count()
}

/// A line came twice only in one and the same payload, and no oftener than its attempts were in doubt.
fn judge_duplicates(books: Vec<Vec<Payload>>, duplicates: &Value) {
    let in_doubt = books.into_iter().flatten().map(|payload| (payload.partner_batch_id, payload.unknown_outcomes));
    let in_doubt: BTreeMap<String, u64> = in_doubt.collect();
    for duplicate in duplicates.as_array().unwrap() {
        let payloads = duplicate["batches"].as_array().unwrap();
        assert!(payloads.iter().all(|payload| *payload == payloads[0]), "{duplicate}");
        let copies = duplicate["count"].as_u64().unwrap();
        assert!(copies - 1 <= in_doubt[payloads[0].as_str().unwrap()], "{duplicate}");
    }
}

/// Batches of ten payloads each.
fn batches(seed: u64, count: u32) -> Vec<SampleBatch> {
    let plan = SamplePlan { seed, batches: count, records: LINES * count, window_ms: 30_000, ..SamplePlan::default() };
    plan.batches(Dataset::HttpRequests).collect()
}

/// A partner that does not store one post of twenty, keeps one of a hundred without a word, and takes its time with
/// every fifth, so that a kill finds posts in mid-air.
fn partner(seed: u64) -> Value {
    json!({ "seed": seed, "rules": [
        { "share": 0.05, "do": { "status": 500 } },
        { "share": 0.01, "do": { "hang": null, "store": "before" } },
        { "share": 0.2, "do": { "delay": 200 } },
    ] })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tells how long it takes")]
fn three_kills_leave_only_payloads_in_flight() {
    let started = Instant::now();
    let mut chaos = Chaos::new("chaos-slice", 13, &partner(13));
    chaos.live_and_die(batches(13, 3));
    chaos.peace();
    chaos.hand_over_lost_messages();
    chaos.wait("what was not in the air", || {
        let rests = |payload: &Payload| payload.state == "delivered" || chaos.caught.contains(&payload.id);
        chaos.books().iter().flatten().all(rests)
    });
    chaos.tell(started.elapsed());
    chaos.judge();
}

#[test]
#[ignore = "takes minutes: scripts/chaos"]
#[expect(clippy::disallowed_methods, reason = "tells how long it takes, and is told a seed")]
fn twenty_kills_lose_nothing_and_double_only_doubt() {
    let seed = std::env::var("RAYDEX_SEED").map_or(1, |seed| seed.parse().unwrap());
    let started = Instant::now();
    let mut chaos = Chaos::new("chaos", seed, &partner(seed));
    chaos.live_and_die(batches(seed, 20));
    chaos.tell(started.elapsed());
    chaos.peace();
    chaos.wait("rest", || {
        let stats = chaos.stats();
        stats["lines"]["pending"] == 0 && stats["payloads"]["sending"] == 0
    });
    chaos.tell(started.elapsed());
    chaos.judge();
    assert_eq!(chaos.stats()["lines"]["delivered"], chaos.lines());
}
