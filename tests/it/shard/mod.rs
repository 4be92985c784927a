//! One object of the index over SQLite: its calls, its failures, and a model of it.

use crate::support;

mod calls;
mod claims;
mod datasets;
mod expiry;
mod failures;
mod model;
mod within;

use raydex::backend::BackendError;
use raydex::batch::ObjectSpans;
use raydex::index::calls::{
    Candidate, FindRay, ForgetEntry, ObjectVersion, PutAnswer, PutEntry, PutOutcome, VersionAge,
};
use raydex::index::entry::{EntryPart, RayLocation, pack};
use raydex::index::{nonstandard, shard};
use raydex::record::{Dataset, RayId};
use raydex::rpc::Call;

use support::records::ray;
use support::{Faults, SqliteSql};

/// The dataset of entries, where it does not matter.
const DATASET: Dataset = Dataset::FirewallEvents;

/// One shard.
struct Shard {
    sql: SqliteSql,
    faults: Faults,
}

impl Shard {
    fn new() -> Self {
        let faults = Faults::default();
        let sql = SqliteSql::new(&faults);
        shard::open(&sql).unwrap();
        Self { sql, faults }
    }

    fn call<C: Call>(&self, call: &C) -> Result<C::Answer, BackendError> {
        let answer = shard::answer(&self.sql, C::NAME, &call.to_body())?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn put(&self, put: &PutEntry) -> PutAnswer {
        self.call(put).unwrap()
    }

    fn forget(&self, key: &str, before_ms: i64) -> u64 {
        self.call(&ForgetEntry { key: key.into(), until: VersionAge::until(before_ms - 1) }).unwrap().entries
    }

    fn candidates(&self, id: &str) -> Vec<Candidate> {
        self.candidates_in(&Dataset::WITH_RAY, id)
    }

    fn candidates_in(&self, datasets: &[Dataset], id: &str) -> Vec<Candidate> {
        self.call(&FindRay { id: id.into(), datasets: datasets.to_vec() }).unwrap().candidates
    }

    /// The key and the spans of every candidate.
    fn find(&self, id: &str) -> Vec<(String, Vec<u32>)> {
        self.candidates(id).into_iter().map(|candidate| (candidate.object.key, candidate.spans)).collect()
    }
}

/// A version of an object.
fn version(key: &str, etag: &str, uploaded_ms: i64) -> ObjectVersion {
    ObjectVersion { key: key.into(), etag: etag.into(), uploaded_ms, size: 1000, origin: None }
}

/// The entry of these (suffix, span) pairs.
fn entry(object: ObjectVersion, places: &[(u64, u32)]) -> PutEntry {
    let mut time_slots: Vec<u8> = places.iter().map(|&(suffix, _)| raydex::index::time_slot_of(suffix)).collect();
    time_slots.sort_unstable();
    time_slots.dedup();
    let places = places.iter().map(|&(suffix, span)| RayLocation::new(ray(suffix), span.into())).collect();
    PutEntry {
        dataset: DATASET,
        object,
        time_slots,
        parts: pack(places, &ObjectSpans::default()),
        link_slots: Vec::new(),
        links: Vec::new(),
        summary: Vec::new(),
        rewrites: false,
    }
}

/// The entry of these (nonstandard id, span) pairs.
fn nonstandard_entry(object: ObjectVersion, ids: &[(&str, u32)]) -> PutEntry {
    let time_slots = ids.iter().map(|(id, _)| nonstandard::time_slot_of(id)).collect();
    let bytes = nonstandard::pack(ids.iter().copied(), &ObjectSpans::default());
    PutEntry {
        dataset: DATASET,
        object,
        time_slots,
        parts: vec![EntryPart { first_suffix: 0, last_suffix: 0, bytes }],
        link_slots: Vec::new(),
        links: Vec::new(),
        summary: Vec::new(),
        rewrites: false,
    }
}

/// The digits of the ray with this suffix.
fn id(suffix: u64) -> String {
    RayId::to_string(&ray(suffix))
}

/// What a put came to.
fn outcome_of(answer: PutAnswer) -> PutOutcome {
    answer.outcome
}
