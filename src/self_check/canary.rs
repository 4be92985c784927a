//! The canary: looks up rays of the newest batch of each dataset as a support desk does, and compares the answer with the
//! batch, byte for byte.
//!
//! The records are chosen while the batch is read in full: some by chance, and one of each shard, since each shard holds an
//! entry of its own.
//!
//! # Invariants
//! A canary changes nothing and records no key, ray or line. An isolate reads one batch at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::backend::{BackendError, Bucket, ByteStream, WholeBody};
use crate::batch::{BatchLine, BatchReader};
use crate::erasure::{ErasedLines, JudgedLine};
use crate::index::{ObjectVersion, ShardName};
use crate::ledger::erasures::ensure_fresh;
use crate::ledger::newest_batches::{FindNewestBatches, NewestBatch};
use crate::ledger::self_check::{CanaryOutcome, CanaryResult};
use crate::limits::{CANARY_AGE_MS, CANARY_BYTES, CANARY_LINE, CANARY_RECORDS, CANARY_SHARDS};
use crate::lookup::{FoundRecord, LookupError, LookupResult, lookup};
use crate::pipeline::{HeartbeatBody, acquire_read_permit};
use crate::record::{Dataset, KeyNames, RayKey, mix, read_key_by};
use crate::rpc;
use crate::services::Services;

/// Tries the newest batch of each dataset that these ledgers know.
///
/// # Errors
/// [`BackendError`] if a ledger failed. What fails afterwards is an outcome.
pub(super) async fn try_canaries(
    services: &impl Services,
    ledgers: impl Iterator<Item = &String>,
) -> Result<Vec<CanaryResult>, BackendError> {
    let since_ms = services.now_ms() - CANARY_AGE_MS;
    let mut newest: BTreeMap<Dataset, NewestBatch> = BTreeMap::new();
    for ledger in ledgers {
        for batch in rpc::call(services.ledgers(), ledger, &FindNewestBatches { since_ms }).await?.batches {
            let Some(dataset) = Dataset::from_name(&batch.dataset) else { continue };
            if newest.get(&dataset).is_none_or(|known| known.sealed_ms < batch.sealed_ms) {
                newest.insert(dataset, batch);
            }
        }
    }
    let mut results = Vec::new();
    for (dataset, batch) in newest {
        results.push(Canary { services, dataset, batch: &batch }.sing().await);
    }
    Ok(results)
}

/// The canary of a dataset.
struct Canary<'a, S> {
    services: &'a S,
    dataset: Dataset,
    batch: &'a NewestBatch,
}

impl<S: Services> Canary<'_, S> {
    /// Chooses records of the batch, and looks each of them up.
    async fn sing(&self) -> CanaryResult {
        let NewestBatch { object, sealed_ms, .. } = self.batch;
        let mut result = CanaryResult {
            dataset: self.dataset,
            outcome: CanaryOutcome::NothingToTry,
            rays: 0,
            slowest_ms: 0,
            uploaded_ms: object.uploaded_ms,
            sealed_ms: *sealed_ms,
        };
        let Ok(_held) = self.services.memory().reserve(CANARY_BYTES) else {
            return CanaryResult { outcome: CanaryOutcome::Failed, ..result };
        };
        let chosen = match self.choose().await {
            Ok(chosen) => chosen,
            Err(outcome) => return CanaryResult { outcome, ..result },
        };
        for record in chosen {
            let began_ms = self.services.now_ms();
            let outcome = self.try_lookup(&record).await;
            result.rays += 1;
            result.slowest_ms = result.slowest_ms.max(self.services.now_ms() - began_ms);
            result.outcome = result.outcome.max(outcome);
        }
        result
    }

    /// Reads the batch to its end, and chooses records of it.
    async fn choose(&self) -> Result<Vec<ChosenRecord>, CanaryOutcome> {
        let failed = |_: BackendError| CanaryOutcome::Failed;
        let ObjectVersion { key, etag, .. } = &self.batch.object;
        let permit = acquire_read_permit(self.services).await.map_err(failed)?;
        let found = self.services.bucket().get(key).await.map_err(failed)?;
        let Some((head, body)) = found.filter(|(head, _)| head.etag == *etag && !self.batch.gone) else {
            return Err(CanaryOutcome::BatchGone);
        };
        let names = self.services.log_prefixes().key_names(key, self.dataset);
        let known = &self.services.isolate().erasures;
        let erased = ensure_fresh(self.services.ledgers(), known, self.services.now_ms()).await.map_err(failed)?;
        let default_ms = self.batch.object.default_ms();
        let mut chooser = RecordChooser::new(names, (erased, default_ms), self.services.random_bits());
        let body = WholeBody::new(body, head.size);
        let mut body = HeartbeatBody { permit: &permit, now_ms: || self.services.now_ms(), body };
        let mut reader = BatchReader::default();
        while let Some(piece) = body.next().await.map_err(failed)? {
            let _flow = reader.push(&piece, |line| chooser.line(&line)).map_err(|_| CanaryOutcome::BatchUnreadable)?;
        }
        reader.finish(|line| chooser.line(&line)).map_err(|_| CanaryOutcome::BatchUnreadable)?;
        Ok(chooser.chosen())
    }

    async fn try_lookup(&self, record: &ChosenRecord) -> CanaryOutcome {
        let Self { services, dataset, batch } = self;
        let reservation = services.memory().reservation();
        let found = lookup(services.batch_store(), services.shards(), &[*dataset], &record.ray, &reservation).await;
        match found {
            Ok(found) => judge(&found, &batch.object, record),
            Err(LookupError::OutOfMemory(_) | LookupError::Backend(_)) => CanaryOutcome::Failed,
        }
    }
}

/// Judges the answer of a lookup by the record that must be in it.
fn judge(found: &LookupResult, object: &ObjectVersion, record: &ChosenRecord) -> CanaryOutcome {
    let is_here = |object_found: &ObjectVersion, offset: u64| {
        object_found.key == object.key && object_found.etag == object.etag && offset == record.offset
    };
    let has_copy =
        |one: &FoundRecord| one.copies.iter().any(|copy| is_here(&copy.object, copy.offset) && copy.merged.is_none());
    let is_it = |one: &&FoundRecord| is_here(&one.object, one.offset) && one.merged.is_none();
    let outcome = match found.records.iter().find(is_it) {
        Some(one) if one.line == record.line => CanaryOutcome::Found,
        Some(_) => CanaryOutcome::Differs,
        // Equal records of several batches are shown once, with the bytes of one of them.
        None if found.records.iter().any(has_copy) => CanaryOutcome::Found,
        // One ray may have more records than an answer shows.
        None if found.cut.is_any() => CanaryOutcome::NothingToTry,
        None => CanaryOutcome::NotFound,
    };
    if found.stats.full_scans > 0 { outcome.max(CanaryOutcome::ReadInFull) } else { outcome }
}

/// A record that the lookup of its ray must find.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ChosenRecord {
    ray: RayKey,
    /// Offset of its line in the text of the batch, in bytes.
    offset: u64,
    line: Vec<u8>,
}

/// Chooses records of a batch: [`CANARY_RECORDS`] by chance, each line with the same, and the first of each shard.
struct RecordChooser {
    names: KeyNames,
    /// The lines that no lookup finds, and the instant of records without a time.
    erased: (Rc<ErasedLines>, i64),
    seed: u64,
    /// The chosen records with the smallest lots, by their lot.
    drawn: BTreeMap<(u64, u64), ChosenRecord>,
    by_shard: BTreeMap<ShardName, ChosenRecord>,
}

impl RecordChooser {
    const fn new(names: KeyNames, erased: (Rc<ErasedLines>, i64), random: u32) -> Self {
        Self { names, erased, seed: random as u64, drawn: BTreeMap::new(), by_shard: BTreeMap::new() }
    }

    fn line(&mut self, line: &BatchLine<'_>) -> ControlFlow<()> {
        if let BatchLine::Text { offset, bytes, .. } = line
            && bytes.len() <= CANARY_LINE
        {
            self.take(*offset, bytes);
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, offset: u64, line: &[u8]) {
        let lot = (lot(self.seed, offset), offset);
        let is_drawn =
            self.drawn.len() < CANARY_RECORDS || self.drawn.last_key_value().is_some_and(|(last, _)| lot < *last);
        if !is_drawn && self.by_shard.len() >= CANARY_SHARDS {
            return;
        }
        let Ok(key) = read_key_by(&self.names, line) else { return };
        let (erased, default_ms) = &self.erased;
        let judged = JudgedLine { dataset: self.names.dataset(), key: &key, default_ms: *default_ms, line };
        if erased.has(&judged) {
            return;
        }
        // A span is found by its trace as well as by its ray.
        let (count, turn) = (key.ids().count(), usize::try_from(lot.0 % 2).unwrap_or_default());
        for (nth, id) in key.ids().enumerate() {
            let shard = ShardName::for_key(id);
            let is_first = self.by_shard.len() < CANARY_SHARDS && !self.by_shard.contains_key(&shard);
            let is_its_turn = is_drawn && nth == turn % count;
            if !is_its_turn && !is_first {
                continue;
            }
            let record = ChosenRecord { ray: id.clone(), offset, line: line.to_vec() };
            if is_first {
                self.by_shard.insert(shard, record.clone());
            }
            if is_its_turn {
                self.drawn.insert(lot, record);
            }
        }
        if self.drawn.len() > CANARY_RECORDS {
            self.drawn.pop_last();
        }
    }

    /// Returns the chosen records in the order of the batch.
    fn chosen(self) -> Vec<ChosenRecord> {
        let all = self.drawn.into_values().chain(self.by_shard.into_values());
        all.map(|record| ((record.offset, record.ray.clone()), record))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }
}

/// Returns the lot of a line: a number by chance that depends on its place alone, so that the smallest ones of a batch are
/// a fair choice.
const fn lot(seed: u64, offset: u64) -> u64 {
    mix(seed.rotate_left(32).wrapping_add(offset).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ChosenRecord, RecordChooser, ShardName};
    use crate::batch::BatchLine;
    use crate::limits::{CANARY_LINE, CANARY_RECORDS, CANARY_SHARDS};
    use crate::record::{Dataset, KeyNames};

    fn choose(lines: &[Vec<u8>], seed: u32) -> Vec<ChosenRecord> {
        let mut chooser = RecordChooser::new(KeyNames::of(Dataset::HttpRequests), Default::default(), seed);
        let mut offset = 0;
        for bytes in lines {
            let _flow = chooser.line(&BatchLine::Text { offset, span: 0, bytes });
            offset += bytes.len() as u64 + 1;
        }
        chooser.chosen()
    }

    fn line(prefix: u64, number: u64) -> Vec<u8> {
        format!("{{\"ClientIP\":\"192.0.2.1\",\"RayID\":\"{prefix:05x}{number:011x}\"}}").into_bytes()
    }

    #[test]
    fn each_line_has_its_turn() {
        let lines: Vec<_> = (0..100).map(|number| line(0x9_e355, number)).collect();
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let chosen = choose(&lines, seed);
            assert!((CANARY_RECORDS..=CANARY_RECORDS + 1).contains(&chosen.len()), "{}", chosen.len());
            assert!(chosen.iter().all(|record| lines.contains(&record.line)));
            seen.extend(chosen.into_iter().map(|record| record.offset));
        }
        assert_eq!(seen.len(), 100, "some line is never chosen");
    }

    #[test]
    fn each_shard_has_a_record() {
        let mut lines: Vec<_> = (0..5_000).map(|number| line(0x9_e355, number)).collect();
        lines.extend((0..CANARY_SHARDS as u64 + 9).map(|shard| line(0x9_e356 + shard, 7)));
        let rays: BTreeSet<_> = choose(&lines, 1).iter().map(|record| ShardName::for_key(&record.ray)).collect();
        assert!(rays.len() >= CANARY_SHARDS, "{rays:?}");
    }

    #[test]
    fn span_is_chosen_by_its_trace_too() {
        let mut chooser = RecordChooser::new(KeyNames::of(Dataset::Traces), Default::default(), 1);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for number in 0..20_u64 {
            let line = format!(r#"{{"RayID":"9e355{number:011x}","TraceID":"{trace}","SpanID":"{number:016x}"}}"#);
            chooser.take(number * 100, line.as_bytes());
        }
        let ids: BTreeSet<_> = chooser.chosen().iter().map(|record| record.ray.to_string()).collect();
        assert!(ids.contains(trace) && ids.iter().any(|id| id.starts_with("9e355")), "{ids:?}");
    }

    #[test]
    fn lines_without_use_are_passed_over() {
        let long = format!("{{\"RayID\":\"9e35500000000001\",\"x\":\"{}\"}}", "x".repeat(CANARY_LINE));
        let lines = [b"no record".to_vec(), b"{\"ClientIP\":\"192.0.2.1\"}".to_vec(), long.into_bytes()];
        assert_eq!(choose(&lines, 0), []);
    }
}
