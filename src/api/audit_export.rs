//! `GET /v1/audit?format=ndjson`: the entries as a stream of lines, as segments have them.
//!
//! # Invariants
//! The stream ends with a trailer, `{"raydex":…}`, which says whether it is complete and where it continues; one without
//! its end marker is incomplete. At any time one piece is held, whose memory is reserved.

use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::audit_read::collect_entries;
use super::end_marker::EndMarker;
use super::retry::retry_while_out_of_memory;
use super::scan::acquire_scan;
use crate::access::Caller;
use crate::audit::calls::{ChainHead, ReadEntries};
use crate::audit::search::EntryScan;
use crate::audit::segment::write_segment_line;
use crate::http::media_type::NDJSON;
use crate::http::{Problem, Reply};
use crate::limits::{AUDIT_EXPORT, AUDIT_EXPORT_PIECES, AUDIT_EXPORT_SCAN};
use crate::memory::{OutOfMemory, Reservation, ReservedBytes, ReservedWriter, ScanPermit};
use crate::services::Services;

/// The last line of an export.
#[derive(Serialize)]
struct ExportTrailer {
    /// Every entry that was asked for was returned.
    complete: bool,
    /// Whether each hash follows from the one before it, of entries that were not asked for too.
    chain_valid: bool,
    /// The last entry that was looked at.
    last: Option<ChainHead>,
    /// The newest entry of the whole log.
    head: Option<ChainHead>,
    /// The parameter `after` of the export that continues; null where there is no more.
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// An export between two pieces.
struct EntryExport<D: Services> {
    services: Rc<D>,
    /// What is still to come.
    ask: ReadEntries,
    pieces: u64,
    /// Number of entries that were looked at.
    scanned: u64,
    last: Option<ChainHead>,
    chain_valid: bool,
    is_over: bool,
    /// Of the piece that the client reads.
    reservation: Reservation,
    marker: EndMarker,
    _permit: ScanPermit,
}

/// Answers with a stream of the entries that are asked for.
pub(super) async fn export_entries<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    ask: ReadEntries,
) -> Result<Reply, Problem> {
    let permit = acquire_scan(services.as_ref(), caller).await?;
    let marker = EndMarker::draw(services.as_ref());
    let reservation = services.memory().reservation();
    let export = EntryExport {
        services: services.clone(),
        ask,
        pieces: 0,
        scanned: 0,
        last: None,
        chain_valid: true,
        is_over: false,
        reservation,
        marker: marker.clone(),
        _permit: permit,
    };
    let pieces = stream::unfold(export, async |mut export| {
        let piece = if export.is_over { None } else { Some(export.next_piece().await) };
        piece.map(|piece| (Ok(piece), export))
    });
    Ok(marker.announce(Reply::streaming(NDJSON, pieces.boxed_local())))
}

impl<D: Services> EntryExport<D> {
    /// The lines of the next entries, with the trailer after the last one.
    async fn next_piece(&mut self) -> ReservedBytes {
        self.reservation.release_all();
        self.pieces += 1;
        let ask = ReadEntries { limit: self.ask.limit.min(AUDIT_EXPORT), ..self.ask.clone() };
        let (services, reservation) = (self.services.as_ref(), &self.reservation);
        let found = retry_while_out_of_memory(services, reservation, async || {
            collect_entries(services, &ask, reservation).await
        });
        let written = match found.await {
            Ok((scan, head)) => self.write_entries(scan, head),
            Err(problem) => return self.end(Some(problem)),
        };
        written.unwrap_or_else(|error| self.end(Some(error.into())))
    }

    /// The trailer alone.
    fn end(&mut self, error: Option<Problem>) -> ReservedBytes {
        ReservedBytes::small(&self.write_trailer(None, error))
    }

    fn write_entries(&mut self, scan: EntryScan, head: ChainHead) -> Result<ReservedBytes, OutOfMemory> {
        let mut out = ReservedWriter::new(self.reservation.budget());
        for kept in &scan.entries {
            let mut line = Vec::new();
            write_segment_line(&mut line, kept);
            out.push(&line)?;
        }
        let follows = self.last.as_ref().is_none_or(|last| last.hash == scan.before);
        self.chain_valid &= scan.chain_valid && follows;
        self.scanned += scan.last.seq.saturating_sub(self.ask.after);
        self.ask.after = scan.last.seq;
        self.ask.limit = self.ask.limit.saturating_sub(scan.entries.len() as u64);
        let is_end = scan.last.seq >= head.seq || scan.is_over;
        self.last = Some(scan.last);
        let is_spent = self.pieces >= AUDIT_EXPORT_PIECES || self.scanned >= AUDIT_EXPORT_SCAN;
        if is_end || self.ask.limit == 0 || is_spent {
            self.is_over = is_end;
            out.push(&self.write_trailer(Some(head), None))?;
        }
        out.finish()
    }

    /// The trailer. The stream is complete where it came to the end.
    fn write_trailer(&mut self, head: Option<ChainHead>, error: Option<Problem>) -> Vec<u8> {
        let complete = self.is_over;
        let after = (!complete).then_some(self.ask.after);
        self.is_over = true;
        let (chain_valid, last) = (self.chain_valid, self.last.clone());
        let trailer = ExportTrailer { complete, chain_valid, last, head, after, error };
        self.marker.json_line(&trailer).into_bytes()
    }
}
