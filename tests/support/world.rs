//! All fakes together, and the questions that tests ask of them.

use std::collections::BTreeMap;

use raydex::backend::{BackendError, ObjectHead};
use raydex::batch::{BatchError, source_record_key};
use raydex::config::Config;
use raydex::index::{Outcome, ingest};
use raydex::lookup::{Lookup, lookup};
use raydex::pipeline::{ParseVerdict, parse_message};
use raydex::record::{Dataset, RayKey};
use sha2::{Digest, Sha256};

use super::{Faults, MemoryBucket, MemoryQueue, MemoryShards, NOW_MS, run};

/// The token that the tests' deployment takes.
pub(crate) const TOKEN: &str = "t0ken-of-the-tests";

/// The settings of the tests' deployment.
pub(crate) fn config() -> Config {
    let hash = hex::encode(Sha256::digest(TOKEN));
    Config::read(|name| (name == "API_TOKEN_SHA256").then(|| hash.clone())).ok().unwrap()
}

/// A world in memory.
#[derive(Debug, Clone)]
pub(crate) struct Fakes {
    pub(crate) faults: Faults,
    pub(crate) bucket: MemoryBucket,
    pub(crate) shards: MemoryShards,
    pub(crate) queue: MemoryQueue,
}

/// All that a world holds: objects of the bucket, rows of the shards, messages.
pub(crate) type Everything = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<String>>, Vec<String>);

impl Fakes {
    pub(crate) fn new() -> Self {
        let faults = Faults::default();
        let (bucket, shards) = (MemoryBucket::new(&faults), MemoryShards::new(&faults));
        Self { queue: MemoryQueue::new(&faults), faults, bucket, shards }
    }

    /// A world with one object.
    pub(crate) fn with(key: &str, stored: &[u8]) -> Self {
        let fakes = Self::new();
        fakes.bucket.store(key, stored);
        fakes
    }

    /// Writes the object and indexes it.
    pub(crate) fn index(&self, key: &str, dataset: Dataset, stored: &[u8]) -> (ObjectHead, Outcome) {
        let head = self.bucket.store(key, stored);
        (head, self.ingest(key, dataset).unwrap())
    }

    /// Indexes the object at `key`.
    pub(crate) fn ingest(&self, key: &str, dataset: Dataset) -> Result<Outcome, BackendError> {
        run(ingest(&self.bucket, &self.shards, key, dataset, NOW_MS))
    }

    /// Looks for an id as a log line spells it.
    pub(crate) fn find(&self, dataset: Dataset, id: &str) -> Lookup {
        self.try_find(dataset, id).unwrap()
    }

    /// Looks for an id; the world may fail.
    pub(crate) fn try_find(&self, dataset: Dataset, id: &str) -> Result<Lookup, BackendError> {
        run(lookup(&self.bucket, &self.shards, dataset, &RayKey::from_logged(id).unwrap()))
    }

    /// The lines found for an id in `http_requests`.
    pub(crate) fn lines(&self, id: &str) -> Vec<String> {
        let records = self.find(Dataset::HttpRequests, id).records;
        records.into_iter().map(|record| String::from_utf8(record.line).unwrap()).collect()
    }

    /// What a queue message with this body comes to.
    pub(crate) fn parse(&self, body: &str, attempt: u32) -> ParseVerdict {
        run(parse_message(&self.bucket, &self.shards, &config(), body, attempt, NOW_MS))
    }

    /// The record of the object at `key`, as JSON.
    pub(crate) fn source_record(&self, key: &str) -> Option<serde_json::Value> {
        let stored = self.bucket.object(&source_record_key(key))?;
        Some(serde_json::from_slice(&stored.bytes).unwrap())
    }

    /// All there is.
    pub(crate) fn everything(&self) -> Everything {
        (self.bucket.contents(), self.shards.rows(), self.queue.sent())
    }
}

/// Why the object was set aside.
pub(crate) fn set_aside(outcome: Outcome) -> BatchError {
    match outcome {
        Outcome::SetAside(why) => why,
        other => panic!("not set aside: {other:?}"),
    }
}
