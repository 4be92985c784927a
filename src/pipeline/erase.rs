//! Erases the lines of one object: takes them out of the payloads that wait, and notes what of them the partner has.
//!
//! The message is one of the erasure's backfill. Where the deployment says so, the object is rewritten without the lines then, and
//! indexed anew; in any case they are hidden where lines are read.
//!
//! # Invariants
//! An object is done only once no payload of it with such a line can be sent. Repeating the work changes nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use itertools::Itertools;

use super::dataset_choice::{DatasetChoice, choose_dataset_of};
use super::erase_payloads::{ErasedFromPayloads, ErasedLine, SentPayload, erase_from_payloads};
use super::head::peek_batch;
use super::process::{BatchOutcome, BatchRequest, process_batch};
use super::read_permit::{HeartbeatBody, acquire_read_permit};
use super::rewrite::rewrite_object;
use super::small_object::ObjectBody;
use crate::backend::{BackendError, Bucket, ByteStream, ObjectHead, WholeBody};
use crate::batch::{BatchLine, BatchReader};
use crate::erasure::{ErasedLines, ErasureMode, JudgedLine};
use crate::index::ObjectVersion;
use crate::ledger::books::BatchSummary;
use crate::ledger::calls::{GetBatch, PayloadSelection};
use crate::ledger::erased_lines::SentLines;
use crate::ledger::erasures::{NoteErased, ensure_fresh};
use crate::ledger::ids::REGISTRY;
use crate::ledger::{BatchId, BatchState};
use crate::limits::ERASED_AT_ONCE;
use crate::record::{KeyNames, LineScanner};
use crate::rpc;
use crate::services::Services;

/// What became of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErasureOutcome {
    /// Nothing of it is left to do.
    Done {
        /// Whether it is no valid batch, so that no answer shows anything of it.
        is_batch: bool,
    },
    /// It is being read by rules that may be older, or a payload of it is being sent: it is to be tried again.
    Waits,
}

/// Looks for erased lines in the object at `key`: those of every erasure, so that each lists what of its lines was sent, whichever
/// of them comes first.
///
/// # Errors
/// [`BackendError`] if a backend failed; trying again continues.
pub(super) async fn erase_object(
    services: &impl Services,
    (key, request): (&str, &BatchRequest),
    mode: ErasureMode,
) -> Result<ErasureOutcome, BackendError> {
    let erased = ensure_fresh(services.ledgers(), &services.isolate().erasures, services.now_ms()).await?;
    let (mut found, mut sums) = (FoundLines::default(), ErasureSums::default());
    let (batch, known) = loop {
        let read = find_lines(services, (key, request), &erased, &mut found).await?;
        let Some(batch) = read else { return Ok(ErasureOutcome::Done { is_batch: false }) };
        if found.by_erasure.is_empty() {
            // An attempt that rewrote the object may have ended before it was indexed.
            let is_indexed = batch.head.rewrite.is_none() || index_again(services, key, request).await?;
            return Ok(if is_indexed { ErasureOutcome::Done { is_batch: true } } else { ErasureOutcome::Waits });
        }
        let known = known_batch(services, &batch.id).await?;
        if known.as_ref().is_some_and(|batch| batch.state == BatchState::Open || batch.replaying) {
            return Ok(ErasureOutcome::Waits);
        }
        let lines = std::mem::take(&mut found.held);
        sums.add(erase_from_payloads(services, &batch.id, &batch.names, &lines).await?);
        if found.next.is_none() {
            break (batch, known);
        }
    };
    for (id, offsets) in &found.by_erasure {
        let note = sums.note(*id, key, offsets, known.is_none());
        rpc::call(services.ledgers(), REGISTRY, &note).await?;
    }
    if sums.waits {
        return Ok(ErasureOutcome::Waits);
    }
    if mode == ErasureMode::Rewrite && known.is_none_or(|batch| batch.state == BatchState::Sealed) {
        let offsets: Vec<u64> = found.by_erasure.values().kmerge().dedup().copied().collect();
        let version = (key, batch.head.etag.as_str(), batch.names.dataset());
        if !rewrite_object(services, version, &offsets).await? || !index_again(services, key, request).await? {
            return Ok(ErasureOutcome::Waits);
        }
    }
    Ok(ErasureOutcome::Done { is_batch: true })
}

/// Has the index know the version without the lines: its event may come late. Returns whether it does.
async fn index_again(services: &impl Services, key: &str, request: &BatchRequest) -> Result<bool, BackendError> {
    let request = BatchRequest { deliver: None, index: true, ..request.clone() };
    let outcome = process_batch(services, key, &request).await?;
    Ok(!matches!(outcome, BatchOutcome::Quarantined(_)))
}

/// What became of the erased lines of one batch.
#[derive(Default)]
struct ErasureSums {
    sent: BTreeMap<String, SentPayload>,
    /// Offsets of the lines that were taken out of payloads.
    taken_out: Vec<u64>,
    /// Whether a payload was being sent.
    waits: bool,
}

impl ErasureSums {
    fn add(&mut self, ErasedFromPayloads { sent, taken_out, waits }: ErasedFromPayloads) {
        for payload in sent {
            match self.sent.entry(payload.sent.payload.clone()) {
                Entry::Occupied(mut known) => known.get_mut().offsets.extend(payload.offsets),
                Entry::Vacant(unknown) => drop(unknown.insert(payload)),
            }
        }
        self.taken_out.extend(taken_out);
        self.waits |= waits;
    }

    /// Returns the note of one erasure, whose lines are at these offsets, ascending.
    fn note(&self, id: u64, key: &str, offsets: &[u64], is_unknown: bool) -> NoteErased {
        let of = |lines: &[u64]| lines.iter().filter(|line| offsets.binary_search(line).is_ok()).count() as u64;
        let sent = self.sent.values().map(|payload| SentLines { lines: of(&payload.offsets), ..payload.sent.clone() });
        NoteErased {
            id,
            key: key.to_owned(),
            lines: offsets.len() as u64,
            taken_out: of(&self.taken_out),
            sent: sent.filter(|sent| sent.lines > 0).collect(),
            is_unknown,
        }
    }
}

/// Returns what the ledger knows of the batch. One that is open is being read: by rules that may be older, and into payloads that
/// no ledger has yet.
async fn known_batch(services: &impl Services, id: &BatchId) -> Result<Option<BatchSummary>, BackendError> {
    let payloads = PayloadSelection::Page { after: None, limit: 0 };
    let call = GetBatch { source: id.source.clone(), payloads };
    Ok(rpc::call(services.ledgers(), &id.ledger, &call).await?.batch)
}

/// A batch whose lines were read.
struct BatchToErase {
    id: BatchId,
    /// The version that was read.
    head: ObjectHead,
    names: KeyNames,
}

/// The erased lines of a batch, as far as it was read.
#[derive(Default)]
struct FoundLines {
    /// Where they begin in the text, ascending, by the number of the erasure.
    by_erasure: BTreeMap<u64, Vec<u64>>,
    /// Those that no payload was looked through for yet.
    held: Vec<ErasedLine>,
    held_bytes: usize,
    /// Offset of the line at which to go on, if what is held is all that may be.
    next: Option<u64>,
}

/// Finds the next erased lines in the object, as many as are held at once. `None` if it is no batch that answers show.
async fn find_lines(
    services: &impl Services,
    (key, request): (&str, &BatchRequest),
    erased: &ErasedLines,
    found: &mut FoundLines,
) -> Result<Option<BatchToErase>, BackendError> {
    let permit = acquire_read_permit(services).await?;
    let Some((head, body)) = services.bucket().get(key).await? else { return Ok(None) };
    let Some(body) = ObjectBody::unless_test(body, head.size).await? else { return Ok(None) };
    let (beginning, body) = peek_batch(body).await?;
    let choice = choose_dataset_of(&head, request.claim, &beginning.records);
    let DatasetChoice::Read(dataset) = choice else { return Ok(None) };
    let names = request.key_names(dataset);
    let object = ObjectVersion::new(key, &head);
    let id = services.batch_id(key, object.batch_etag()).await?;
    let mut finder = LineFinder {
        scanner: LineScanner::by_names(names.clone()),
        erased,
        default_ms: object.default_ms(),
        from: found.next.take().unwrap_or(0),
        found,
    };
    let body = WholeBody::new(body, object.size);
    let mut body = HeartbeatBody { permit: &permit, now_ms: || services.now_ms(), body };
    let mut reader = BatchReader::default();
    while let Some(piece) = body.next().await? {
        match reader.push(&piece, |line| finder.line(&line)) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(Some(BatchToErase { id, head, names })),
            Err(_) => return Ok(None),
        }
    }
    let is_whole = reader.finish(|line| finder.line(&line)).is_ok();
    Ok(is_whole.then_some(BatchToErase { id, head, names }))
}

/// Finds the erased lines among those of a batch.
struct LineFinder<'a> {
    scanner: LineScanner,
    erased: &'a ErasedLines,
    /// The instant of records without a time, in Unix milliseconds.
    default_ms: i64,
    /// Offset of the first line that was not looked at before.
    from: u64,
    found: &'a mut FoundLines,
}

impl LineFinder<'_> {
    fn line(&mut self, line: &BatchLine<'_>) -> ControlFlow<()> {
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        if *offset < self.from {
            return ControlFlow::Continue(());
        }
        let Ok(key) = self.scanner.key(bytes) else { return ControlFlow::Continue(()) };
        let dataset = self.scanner.key_names().dataset();
        let judged = JudgedLine { dataset, key: &key, default_ms: self.default_ms, line: bytes };
        let mut erasures = self.erased.erasures_of(&judged).peekable();
        if erasures.peek().is_none() {
            return ControlFlow::Continue(());
        }
        let FoundLines { by_erasure, held, held_bytes, next } = &mut *self.found;
        if *held_bytes > 0 && *held_bytes + bytes.len() > ERASED_AT_ONCE {
            (*next, *held_bytes) = (Some(*offset), 0);
            return ControlFlow::Break(());
        }
        for erasure in erasures {
            by_erasure.entry(erasure).or_default().push(*offset);
        }
        *held_bytes += bytes.len();
        held.push(ErasedLine { offset: *offset, line: bytes.to_vec() });
        ControlFlow::Continue(())
    }
}
