//! The neighbours of a ray as the content of a stream.
//!
//! # Invariants
//! Neighbours are written once all of the window is searched, or as much of it as the budget allows, with the numbers of all
//! records that matched. The counts of an answer and of those that its cursors continue add up to the window.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Serialize;

use super::field_warnings::FieldWarning;
use super::nearest_records::NearestRecords;
use super::neighbour_sink::{NeighbourCounts, NeighbourSink};
use super::range_scan::{RangeScan, ScanEnd, ScanStep};
use super::response_stream::StreamContent;
use crate::http::Problem;
use crate::limits::STREAM_PIECE;
use crate::memory::{OutOfMemory, ReservedWriter};
use crate::query::QueryEnd;
use crate::services::Services;
use crate::span_reader::ReadStats;
use crate::time::rfc3339_ns;

/// The numbers of an answer.
#[derive(Serialize)]
struct NeighbourSummary<'a> {
    /// How many records of the window are neighbours.
    matched: u64,
    /// How many of them the answer has, the nearest ones.
    listed: u64,
    #[serde(flatten)]
    counts: &'a NeighbourCounts,
    /// Until when each record of the window was considered, where that is not its end. For callers for whom batches exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_until: Option<String>,
}

/// The neighbours of a stream, row by row.
pub(super) struct NeighbourRows {
    sink: NeighbourSink,
    /// The JSON of the ray and of what its neighbours have in common with it.
    moment: String,
    is_document: bool,
    /// The rows that are not written yet.
    rows: VecDeque<Vec<u8>>,
    listed: u64,
    /// The JSON of the numbers, once they are known.
    summary: String,
    /// The end, which comes after the rows.
    end: Option<ScanEnd>,
}

impl NeighbourRows {
    pub(super) const fn new(sink: NeighbourSink, moment: String, is_document: bool) -> Self {
        Self { sink, moment, is_document, rows: VecDeque::new(), listed: 0, summary: String::new(), end: None }
    }

    /// Makes the rows and the summary of a scan that ended.
    fn finish<D: Services>(&mut self, scan: &RangeScan<D>, end: ScanEnd) {
        let nearest = std::mem::replace(&mut self.sink.nearest, NearestRecords::new(0, 0));
        let row = |(nth, text)| if self.is_document { element(nth, text) } else { line(text) };
        self.rows = (0..).zip(nearest.into_texts()).map(row).collect();
        self.listed = self.rows.len() as u64;
        let is_whole = matches!(end, ScanEnd::Query(QueryEnd::Complete, _));
        let shows_progress = !is_whole && scan.view.visibility().has_batches();
        let summary = NeighbourSummary {
            matched: self.sink.counts.matched(),
            listed: self.listed,
            counts: &self.sink.counts,
            searched_until: shows_progress.then(|| rfc3339_ns(scan.run.searched_until_ns())),
        };
        self.summary = serde_json::to_string(&summary).unwrap_or_default();
        if !self.is_document {
            self.rows.push_back(line(format!("{{\"summary\":{}}}", self.summary).into_bytes()));
        }
        self.end = Some(end);
    }

    /// Writes the next rows, as many as a piece has room for.
    fn write_rows(&mut self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        while out.len() < STREAM_PIECE {
            let Some(row) = self.rows.front() else { return Ok(()) };
            out.push(row)?;
            self.rows.pop_front();
        }
        Ok(())
    }
}

/// Returns a row as the element of a list with this place.
fn element(nth: usize, mut text: Vec<u8>) -> Vec<u8> {
    let mark: &[u8] = if nth > 0 { b",\n" } else { b"\n" };
    text.splice(..0, mark.iter().copied());
    text
}

/// Returns a row as a line.
fn line(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}

impl<D: Services> StreamContent<D> for NeighbourRows {
    fn document_start(&self) -> Cow<'_, str> {
        format!("{{\"moment\":{},\"neighbours\":[", self.moment).into()
    }

    fn document_end(&self) -> Cow<'_, str> {
        format!("\n],\"summary\":{}", self.summary).into()
    }

    fn write_start(&self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        out.push(format!("{{\"moment\":{}}}\n", self.moment).as_bytes())
    }

    async fn write_more(
        &mut self,
        scan: &mut RangeScan<D>,
        out: &mut ReservedWriter,
    ) -> Result<Option<ScanEnd>, OutOfMemory> {
        self.write_rows(out)?;
        if !self.rows.is_empty() {
            return Ok(None);
        }
        if let Some(end) = self.end.take() {
            return Ok(Some(end));
        }
        match scan.step(&mut self.sink).await? {
            ScanStep::End(end) => self.finish(scan, end),
            // It shows no lines.
            ScanStep::Lines(_) | ScanStep::Pause => {}
        }
        Ok(None)
    }

    fn interrupt(&mut self, scan: &RangeScan<D>, problem: Problem) -> Option<ScanEnd> {
        // The end of the scan stays, if it is known.
        if self.end.is_none() {
            self.finish(scan, ScanEnd::broken(problem, scan.run.cursor()));
        }
        None
    }

    fn records_returned(&self, _stats: &ReadStats) -> u64 {
        self.listed
    }

    fn warnings(&self) -> Vec<FieldWarning> {
        self.sink.unseen.warnings()
    }
}
