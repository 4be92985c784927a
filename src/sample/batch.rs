//! One batch as Logpush would store it: lines, gzipped in one or several members.
//!
//! # Invariants
//!
//! [`SamplePlan::write_batch`] holds one line at a time, so memory does not depend on the number of records. The
//! observer of a line gets exactly the bytes that are written, without the newline.

use std::io::{self, Write};
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::exchange::RequestExchange;
use super::firewall;
use super::http::{self, HttpRecord};
use super::json::JsonLine;
use super::plan::{SamplePlan, TimestampUnit};
use super::request::SampleRequest;
use super::trace;
use crate::record::{Dataset, RayId};

/// A batch in memory, together with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleBatch {
    /// The dataset of its records.
    pub dataset: Dataset,
    /// Its key in the bucket.
    pub key: String,
    /// The unit of its timestamps.
    pub unit: TimestampUnit,
    /// The gzip file as Logpush would write it.
    pub gzip: Vec<u8>,
    /// The NDJSON text inside the gzip file.
    pub ndjson: Vec<u8>,
    /// The position of each line in the text.
    pub lines: Vec<LinePosition>,
    /// Counts of its contents.
    pub written: BatchReport,
}

impl SampleBatch {
    /// Returns the bytes of the line at `place`, without its newline.
    #[must_use]
    pub fn line(&self, place: &LinePosition) -> &[u8] {
        self.ndjson.get(place.range.clone()).unwrap_or_default()
    }
}

/// The position of a line in the text of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePosition {
    /// The ray of its record.
    pub ray: RayId,
    /// The range of its bytes, without the newline.
    pub range: Range<usize>,
}

/// A line that was written.
#[derive(Debug)]
pub struct SampleLine<'l> {
    /// The request that it logs.
    pub request: &'l SampleRequest,
    /// Its bytes, without the newline.
    pub json: &'l [u8],
}

/// Counts of a batch's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchReport {
    /// Number of NDJSON lines, one record each.
    pub records: u64,
    /// Number of distinct rays among the records.
    pub rays: u64,
    /// Size of the gzip file in bytes.
    pub bytes: u64,
    /// Size of the inflated text in bytes.
    pub inflated: u64,
}

impl SamplePlan {
    /// Returns the batches of `dataset`, each generated on demand.
    pub fn batches(&self, dataset: Dataset) -> impl Iterator<Item = SampleBatch> {
        (0..self.batches).map(move |number| self.batch(dataset, number))
    }

    /// Returns batch `number` of `dataset`, in memory.
    #[must_use]
    pub fn batch(&self, dataset: Dataset, number: u32) -> SampleBatch {
        let (mut gzip, mut ndjson, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        let outcome = self.write_batch(dataset, number, &mut gzip, |line| {
            let start = ndjson.len();
            ndjson.extend_from_slice(line.json);
            lines.push(LinePosition { ray: line.request.ray, range: start..ndjson.len() });
            ndjson.push(b'\n');
        });
        // Writing to a vector cannot fail.
        let written = outcome.unwrap_or_default();
        SampleBatch { dataset, key: self.key(dataset, number), unit: self.unit(number), gzip, ndjson, lines, written }
    }

    /// Streams the object of batch `number` of `dataset` to `out`, and passes each line to `observe`. A batch without
    /// lines (no firewall rule matched) is an empty gzip stream, which Logpush would not store.
    /// not store.
    ///
    /// # Errors
    /// The error of writing to `out`.
    pub fn write_batch(
        &self,
        dataset: Dataset,
        number: u32,
        out: impl Write,
        mut observe: impl FnMut(SampleLine<'_>),
    ) -> io::Result<BatchReport> {
        let level = Compression::new(self.level.clamp(1, 9));
        let mut writer = MemberWriter::new(CountingWriter { out, bytes: 0 }, level);
        let mut written = BatchReport::default();
        let mut json = JsonLine::default();
        let (records, members) = (u64::from(self.records_of(number)), u64::from(self.members_of(number)));
        let (mut member, mut last_ray) = (0, None);
        for (position, request) in (0_u64..).zip(self.requests(number)) {
            let due = position * members / records.max(1);
            if due > member {
                member = due;
                writer.next_member()?;
            }
            self.write_lines(dataset, number, &request, &mut json, |line| {
                written.records += 1;
                written.inflated += line.json.len() as u64 + 1;
                // The lines of one ray are consecutive, except copies in http_requests, which are marked.
                let again = line.request.copy || last_ray.replace(line.request.ray) == Some(line.request.ray);
                written.rays += u64::from(!again);
                writer.write_line(line.json)?;
                observe(line);
                Ok(())
            })?;
        }
        written.bytes = writer.finish()?;
        Ok(written)
    }

    /// Writes the lines of `dataset` for `request`; `emit` receives each one.
    fn write_lines(
        &self,
        dataset: Dataset,
        number: u32,
        request: &SampleRequest,
        json: &mut JsonLine,
        mut emit: impl FnMut(SampleLine<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let unit = self.unit(number);
        match dataset {
            Dataset::HttpRequests => {
                json.clear();
                let children = self.merged.then_some(request.merged.as_slice());
                http::write(json, &HttpRecord::new(self, unit, request), children);
                emit(SampleLine { request, json: json.bytes() })
            }
            _ if request.copy => Ok(()),
            Dataset::FirewallEvents if request.matches == 0 => Ok(()),
            Dataset::FirewallEvents => {
                firewall::lines(json, &RequestExchange::new(request), unit, |json| emit(SampleLine { request, json }))
            }
            Dataset::WorkersTraceEvents => std::iter::once(request).chain(&request.merged).try_for_each(|request| {
                if !request.worker {
                    return Ok(());
                }
                json.clear();
                trace::write(json, &RequestExchange::new(request));
                emit(SampleLine { request, json: json.bytes() })
            }),
            _ => Ok(()),
        }
    }
}

/// Counts the bytes that pass through.
#[derive(Debug)]
struct CountingWriter<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes lines as a sequence of gzip members.
struct MemberWriter<W: Write> {
    /// The current member; `None` only after an error.
    encoder: Option<GzEncoder<W>>,
    level: Compression,
}

impl<W: Write> MemberWriter<CountingWriter<W>> {
    fn new(out: CountingWriter<W>, level: Compression) -> Self {
        Self { encoder: Some(GzEncoder::new(out, level)), level }
    }

    /// Returns the encoder of the current member.
    fn encoder(&mut self) -> io::Result<&mut GzEncoder<CountingWriter<W>>> {
        self.encoder.as_mut().ok_or_else(|| io::Error::other("an earlier write failed"))
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let encoder = self.encoder()?;
        encoder.write_all(line)?;
        encoder.write_all(b"\n")
    }

    /// Ends the current member and begins another.
    fn next_member(&mut self) -> io::Result<()> {
        if let Some(encoder) = self.encoder.take() {
            self.encoder = Some(GzEncoder::new(encoder.finish()?, self.level));
        }
        Ok(())
    }

    /// Ends the last member; returns the total size of all members in bytes.
    fn finish(mut self) -> io::Result<u64> {
        self.encoder()?.try_finish()?;
        let Some(encoder) = self.encoder else { return Ok(0) };
        let mut out = encoder.finish()?;
        out.flush()?;
        Ok(out.bytes)
    }
}
