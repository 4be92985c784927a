//! `GET /v1/audit?format=ndjson`: the entries as a stream of lines, as segments have them.
//!
//! # Invariants
//! The stream ends with a trailer, `{"raydex":…}`, which says whether it is complete and where it continues; one without
//! its end marker is incomplete. At any time one piece is held, whose memory is reserved.

use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::audit_merge::{AfterResponse, ChainMerge, ChainReader, MergedEntry};
use super::end_marker::EndMarker;
use super::scan::acquire_scan;
use crate::access::{Caller, ChainNumber};
use crate::audit::calls::ChainHead;
use crate::audit::positions::ChainPositions;
use crate::audit::search::EntryFilter;
use crate::audit::segment::write_export_line;
use crate::http::media_type::NDJSON;
use crate::http::{Problem, Reply};
use crate::limits::{AUDIT_EXPORT, AUDIT_EXPORT_PIECES, AUDIT_EXPORT_SCAN};
use crate::memory::{OutOfMemory, ReservedBytes, ReservedWriter, ScanPermit};
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
    /// The chains, where there are several; `last` and `head` are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chains: Vec<ChainTrailer>,
    /// The parameter `after` of the export that continues; null where there is no more.
    after: Option<AfterResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// A chain of several in an export.
#[derive(Serialize)]
struct ChainTrailer {
    chain: u8,
    chain_valid: bool,
    last: Option<ChainHead>,
    head: Option<ChainHead>,
}

/// An export between two pieces.
struct EntryExport<D: Services> {
    services: Rc<D>,
    /// What is still to come.
    merge: ChainMerge,
    /// Number of entries that are still to come, at most.
    limit: u64,
    is_over: bool,
    marker: EndMarker,
    _permit: ScanPermit,
}

/// Answers with a stream of the entries that are asked for.
pub(super) async fn export_entries<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    (after, filter): (ChainPositions, EntryFilter),
    limit: u64,
) -> Result<Reply, Problem> {
    let permit = acquire_scan(services.as_ref(), caller).await?;
    let marker = EndMarker::draw(services.as_ref());
    let merge = ChainMerge::new(services.as_ref(), after, filter);
    let export = EntryExport {
        services: services.clone(),
        merge,
        limit,
        is_over: false,
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
        let limit = self.limit.min(AUDIT_EXPORT);
        let written = match self.merge.next_entries(self.services.as_ref(), limit).await {
            Ok(entries) => self.write_entries(&entries),
            Err(problem) => return self.end(Some(problem)),
        };
        written.unwrap_or_else(|error| self.end(Some(error.into())))
    }

    /// The trailer alone.
    fn end(&mut self, error: Option<Problem>) -> ReservedBytes {
        ReservedBytes::small(&self.write_trailer(error))
    }

    fn write_entries(&mut self, entries: &[MergedEntry]) -> Result<ReservedBytes, OutOfMemory> {
        let mut out = ReservedWriter::new(self.services.memory());
        let has_several = self.merge.readers().len() > 1;
        for MergedEntry { chain, kept } in entries {
            let mut line = Vec::new();
            write_export_line(&mut line, has_several.then_some(*chain), kept);
            out.push(&line)?;
        }
        self.limit = self.limit.saturating_sub(entries.len() as u64);
        let is_spent = self.merge.reads >= AUDIT_EXPORT_PIECES || self.merge.scanned >= AUDIT_EXPORT_SCAN;
        if self.merge.is_at_end() || self.limit == 0 || is_spent {
            out.push(&self.write_trailer(None))?;
        }
        out.finish()
    }

    /// The trailer, after which nothing comes. The stream is complete where it came to the end.
    fn write_trailer(&mut self, error: Option<Problem>) -> Vec<u8> {
        let complete = error.is_none() && self.merge.is_at_end();
        self.is_over = true;
        let readers = self.merge.readers();
        let first = readers.iter().find(|reader| reader.chain == ChainNumber::FIRST);
        let last = first.and_then(|first| first.last.clone());
        let head = first.and_then(|first| first.head.clone()).filter(|_| error.is_none());
        let trailer = ExportTrailer {
            complete,
            chain_valid: self.merge.is_valid(),
            last,
            head,
            chains: if readers.len() > 1 { readers.iter().map(ChainTrailer::from).collect() } else { Vec::new() },
            after: (!complete).then(|| self.merge.positions().into()),
            error,
        };
        self.marker.json_line(&trailer).into_bytes()
    }
}

impl From<&ChainReader> for ChainTrailer {
    fn from(reader: &ChainReader) -> Self {
        let (last, head) = (reader.last.clone(), reader.head.clone());
        Self { chain: reader.chain.number(), chain_valid: reader.chain_valid, last, head }
    }
}
