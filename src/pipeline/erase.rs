//! Erases the lines of one object: takes them out of the payloads that wait, and notes what of them the partner has.
//!
//! The message is one of the erasure's backfill. Where the deployment says so, the object is rewritten without the lines then, and
//! indexed anew; in any case they are hidden where lines are read.
//!
//! # Invariants
//! An object is done only once no payload of it with such a line can be sent. Repeating the work changes nothing.

use std::ops::ControlFlow;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::dataset_choice::{DatasetChoice, choose_dataset};
use super::erase_payloads::{ErasedFromPayloads, ErasedLine, erase_from_payloads};
use super::head::peek_batch;
use super::process::{BatchRequest, process_batch};
use super::read_permit::{HeartbeatBody, acquire_read_permit};
use super::rewrite::rewrite_object;
use super::small_object::ObjectBody;
use crate::access::ChainNumber;
use crate::audit::calls::NoteErasures;
use crate::audit::chains::chain_object;
use crate::backend::{BackendError, Bucket, ByteStream, WholeBody};
use crate::batch::{BatchLine, BatchReader};
use crate::erasure::{ErasedLines, ErasureMode, JudgedLine};
use crate::index::ObjectVersion;
use crate::ledger::books::BatchSummary;
use crate::ledger::calls::{GetBatch, PayloadSelection};
use crate::ledger::erased_lines::SentLines;
use crate::ledger::erasures::{ListErasures, NoteErased, ensure_fresh};
use crate::ledger::ids::REGISTRY;
use crate::ledger::{BatchId, BatchState};
use crate::limits::{AUDIT_CHAINS_MAX, CONCURRENT_CALLS, ERASED_AT_ONCE};
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

/// Looks for the lines of the erasure with this number in the object at `key`.
///
/// # Errors
/// [`BackendError`] if a backend failed; trying again continues.
pub(super) async fn erase_object(
    services: &impl Services,
    (key, request): (&str, &BatchRequest),
    erasure: u64,
    mode: ErasureMode,
) -> Result<ErasureOutcome, BackendError> {
    let erased = ensure_fresh(services.ledgers(), &services.isolate().erasures, services.now_ms()).await?;
    let mut found = FoundLines::default();
    let (mut sent, mut taken_out): (Vec<SentLines>, u64) = (Vec::new(), 0);
    let (etag, is_sealed) = loop {
        let read = find_lines(services, (key, request), (&erased, erasure), &mut found).await?;
        let Some(BatchToErase { id, etag, names }) = read else { return Ok(ErasureOutcome::Done { is_batch: false }) };
        if found.offsets.is_empty() {
            return Ok(ErasureOutcome::Done { is_batch: true });
        }
        let known = known_batch(services, &id).await?;
        if known.as_ref().is_some_and(|batch| batch.state == BatchState::Open || batch.replaying) {
            return Ok(ErasureOutcome::Waits);
        }
        // A batch that was rewritten before has the payloads of the version that it continues.
        let source = known.as_ref().and_then(|batch| batch.continues.clone()).unwrap_or(id.source);
        let id = BatchId { source, ..id };
        let lines = std::mem::take(&mut found.held);
        let ErasedFromPayloads { sent: listed, taken_out: removed, waits } =
            erase_from_payloads(services, &id, &names, &lines).await?;
        sent.extend(listed);
        taken_out += removed;
        found.waits |= waits;
        if found.next.is_none() {
            break (etag, known.is_none_or(|batch| batch.state == BatchState::Sealed));
        }
    };
    let (lines, sent) = (found.offsets.len() as u64, join_payloads(sent));
    let note = NoteErased { id: erasure, key: key.to_owned(), lines, taken_out, sent };
    rpc::call(services.ledgers(), REGISTRY, &note).await?;
    if found.waits {
        return Ok(ErasureOutcome::Waits);
    }
    if mode == ErasureMode::Rewrite && is_sealed {
        if !rewrite_object(services, (key, &etag), &found.offsets).await? {
            return Ok(ErasureOutcome::Waits);
        }
        // What is indexed is the version without the lines; their event may come late.
        process_batch(services, key, &BatchRequest { deliver: None, index: true, ..request.clone() }).await?;
    }
    Ok(ErasureOutcome::Done { is_batch: true })
}

/// Has every chain of the audit log admit no request whose isolate does not know the erasures up to this one. Chains without an
/// entry are among them: they may have some later.
///
/// # Errors
/// [`BackendError`] if a chain does not respond; repeating it is harmless.
pub(crate) async fn note_erasures(services: &impl Services, generation: u64) -> Result<(), BackendError> {
    let note = NoteErasures { generation };
    let chains = stream::iter(ChainNumber::first(AUDIT_CHAINS_MAX));
    let noted = chains.map(async |chain| rpc::call(services.audit_log(), &chain_object(chain), &note).await.map(drop));
    noted.buffer_unordered(CONCURRENT_CALLS).try_collect().await
}

/// Notes the latest erasure in every chain of the audit log once more: an object of one may have been lost since.
///
/// # Errors
/// [`BackendError`] if the registry or a chain does not respond.
pub(crate) async fn note_latest_erasure(services: &impl Services) -> Result<(), BackendError> {
    let list = rpc::call(services.ledgers(), REGISTRY, &ListErasures { id: None, limit: 1 }).await?;
    match list.erasures.first() {
        Some(latest) => note_erasures(services, latest.id).await,
        None => Ok(()),
    }
}

/// Returns what the ledger knows of the batch. One that is open is being read: by rules that may be older, and into payloads that
/// no ledger has yet.
async fn known_batch(services: &impl Services, id: &BatchId) -> Result<Option<BatchSummary>, BackendError> {
    let payloads = PayloadSelection::Page { after: None, limit: 0 };
    let call = GetBatch { source: id.source.clone(), payloads };
    Ok(rpc::call(services.ledgers(), &id.ledger, &call).await?.batch)
}

/// Returns the payloads with each named once.
fn join_payloads(sent: Vec<SentLines>) -> Vec<SentLines> {
    let mut joined: Vec<SentLines> = Vec::new();
    for lines in sent {
        match joined.iter_mut().find(|known| known.payload == lines.payload) {
            Some(known) => known.lines += lines.lines,
            None => joined.push(lines),
        }
    }
    joined
}

/// A batch whose lines were read.
struct BatchToErase {
    id: BatchId,
    /// The tag of the version that was read.
    etag: String,
    names: KeyNames,
}

/// The erased lines of a batch, as far as it was read.
#[derive(Default)]
struct FoundLines {
    /// Where they begin in the text, ascending.
    offsets: Vec<u64>,
    /// Those that no payload was looked through for yet.
    held: Vec<ErasedLine>,
    held_bytes: usize,
    /// Offset of the line at which to go on, if what is held is all that may be.
    next: Option<u64>,
    /// Whether a payload was being sent.
    waits: bool,
}

/// Finds the next lines of the erasure in the object, as many as are held at once. `None` if it is no batch that answers show.
async fn find_lines(
    services: &impl Services,
    (key, request): (&str, &BatchRequest),
    (erased, erasure): (&ErasedLines, u64),
    found: &mut FoundLines,
) -> Result<Option<BatchToErase>, BackendError> {
    let permit = acquire_read_permit(services).await?;
    let Some((head, body)) = services.bucket().get(key).await? else { return Ok(None) };
    let Some(body) = ObjectBody::unless_test(body, head.size).await? else { return Ok(None) };
    let (beginning, body) = peek_batch(body).await?;
    let DatasetChoice::Read(dataset) = choose_dataset(request.claim, &beginning.records) else { return Ok(None) };
    let names = request.key_names(dataset);
    let id = services.batch_id(key, &head.etag).await?;
    let etag = head.etag.clone();
    let object = ObjectVersion { key: key.into(), etag: head.etag, uploaded_ms: head.uploaded_ms, size: head.size };
    let mut finder = LineFinder {
        scanner: LineScanner::by_names(names.clone()),
        erased,
        erasure,
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
            Ok(ControlFlow::Break(())) => return Ok(Some(BatchToErase { id, etag, names })),
            Err(_) => return Ok(None),
        }
    }
    let is_whole = reader.finish(|line| finder.line(&line)).is_ok();
    Ok(is_whole.then_some(BatchToErase { id, etag, names }))
}

/// Finds the lines of an erasure among those of a batch.
struct LineFinder<'a> {
    scanner: LineScanner,
    erased: &'a ErasedLines,
    erasure: u64,
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
        if !self.erased.has_by(self.erasure, &judged) {
            return ControlFlow::Continue(());
        }
        let FoundLines { offsets, held, held_bytes, next, .. } = &mut *self.found;
        if *held_bytes > 0 && *held_bytes + bytes.len() > ERASED_AT_ONCE {
            (*next, *held_bytes) = (Some(*offset), 0);
            return ControlFlow::Break(());
        }
        offsets.push(*offset);
        *held_bytes += bytes.len();
        held.push(ErasedLine { offset: *offset, line: bytes.to_vec() });
        ControlFlow::Continue(())
    }
}
