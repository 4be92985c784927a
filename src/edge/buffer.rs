//! The lines of one isolate on their way to its sinks: open batches, and closed ones that wait or are being stored.
//!
//! Sinks that are reached by the same way share their batches, each with a queue of its own ([`super::sink_queue`]), so that one
//! that hangs delays no other.
//!
//! # Invariants
//! The numbers add up after every call ([`EdgeCounts::is_balanced`]); they are those of the first sink, the bucket if it is one.
//! Beside the open batches at most [`crate::limits::EDGE_WAITING_BYTES`] are held for each sink, and what is being stored. A batch
//! leaves when it is stored, or as the oldest when there is no more memory: then its lines count as dropped.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::batch::{BatchLabel, EdgeBatch};
use super::counts::{DropReason, EdgeCounts, SinkCounts};
use super::sink::{CollectorSpec, SinkPath, SinkSettings, SinkTarget};
use super::sink_queue::{DroppedLines, SinkQueue};
use crate::limits::{EDGE_FLUSH_BYTES, EDGE_MESSAGE_BYTES, EDGE_MESSAGE_TEXT};

pub use super::sink_queue::StoreResult;

/// When a batch is closed: after a number of lines, or a time after its first one, or after [`EDGE_FLUSH_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushBounds {
    /// Number of lines.
    pub lines: usize,
    /// Milliseconds.
    pub age_ms: i64,
}

/// Lines that are being collected.
#[derive(Debug, Default)]
struct CollectedLines {
    text: Vec<u8>,
    lines: u64,
    opened_ms: i64,
}

/// The open batch of the sinks that are reached by one way.
#[derive(Debug)]
struct OpenEdgeBatch {
    path: SinkPath,
    bounds: FlushBounds,
    collected: CollectedLines,
    closed: u64,
    /// The numbers that its closed batches carry, apart from those that the first sink dropped.
    carried: EdgeCounts,
}

impl OpenEdgeBatch {
    fn new(path: SinkPath, bounds: FlushBounds, sinks: &SinkSettings) -> Self {
        let age_ms = if path == SinkPath::Object { sinks.handover_ms.min(bounds.age_ms) } else { bounds.age_ms };
        let bounds = FlushBounds { age_ms, ..bounds };
        Self { path, bounds, collected: CollectedLines::default(), closed: 0, carried: EdgeCounts::default() }
    }

    /// Returns whether another line needs a batch of its own.
    fn is_filled_by(&self, line: &[u8]) -> bool {
        let most = if self.path == SinkPath::Queue { EDGE_MESSAGE_TEXT } else { EDGE_FLUSH_BYTES };
        self.collected.lines > 0 && self.collected.text.len() + line.len() >= most
    }

    /// Returns whether it has its lines or its age.
    fn is_due(&self, now_ms: i64) -> bool {
        let CollectedLines { lines, opened_ms, .. } = self.collected;
        let is_full = usize::try_from(lines).is_ok_and(|lines| lines >= self.bounds.lines);
        lines > 0 && (is_full || now_ms - opened_ms >= self.bounds.age_ms)
    }

    fn add(&mut self, line: &[u8], now_ms: i64) {
        if self.collected.lines == 0 {
            self.collected.opened_ms = now_ms;
        }
        self.collected.text.extend_from_slice(line);
        self.collected.text.push(b'\n');
        self.collected.lines += 1;
    }
}

/// Where the batches of an outlet go.
#[derive(Debug, Clone)]
pub enum OutletTarget {
    /// To the bucket.
    Bucket,
    /// To a collector.
    Collector(Rc<CollectorSpec>),
    /// To an object of the durable buffer, which brings them to the sinks of these names.
    Object(Rc<[String]>),
    /// To `edge-queue`.
    Queue,
}

/// A sink that the isolate reaches itself, or the durable buffer for those that it does not.
#[derive(Debug)]
struct SinkOutlet {
    name: String,
    path: SinkPath,
    target: OutletTarget,
    queue: SinkQueue,
}

/// Returns the outlets of the sinks: those of the isolate, one for the objects, one for the queue. The first sink's is the first.
fn outlets(sinks: &SinkSettings) -> Vec<SinkOutlet> {
    let mut outlets: Vec<SinkOutlet> = Vec::new();
    for sink in &sinks.sinks {
        let (name, target) = match (sink.path, &sink.target) {
            (SinkPath::Isolate, SinkTarget::Bucket) => (sink.name.as_str(), OutletTarget::Bucket),
            (SinkPath::Isolate, SinkTarget::Collector(collector)) => {
                (sink.name.as_str(), OutletTarget::Collector(Rc::new(collector.clone())))
            }
            (SinkPath::Object, _) => {
                let names = sinks.by_path(SinkPath::Object).map(|sink| sink.name.clone()).collect();
                (sink.path.name(), OutletTarget::Object(names))
            }
            (SinkPath::Queue, _) => (sink.path.name(), OutletTarget::Queue),
        };
        if !outlets.iter().any(|outlet| outlet.name == name) {
            outlets.push(SinkOutlet { name: name.to_owned(), path: sink.path, target, queue: SinkQueue::default() });
        }
    }
    outlets
}

/// The lines and numbers of an isolate.
#[derive(Debug)]
pub struct EdgeBuffer {
    isolate: String,
    folder: String,
    counts: EdgeCounts,
    open: Vec<OpenEdgeBatch>,
    outlets: Vec<SinkOutlet>,
}

impl EdgeBuffer {
    /// Creates the buffer of an isolate, whose objects go to this folder.
    #[must_use]
    pub fn new(isolate: String, folder: String, bounds: FlushBounds, sinks: &SinkSettings) -> Self {
        let outlets = outlets(sinks);
        let mut open: Vec<OpenEdgeBatch> = Vec::new();
        for outlet in &outlets {
            if !open.iter().any(|open| open.path == outlet.path) {
                open.push(OpenEdgeBatch::new(outlet.path, bounds, sinks));
            }
        }
        Self { isolate, folder, counts: EdgeCounts::default(), open, outlets }
    }

    /// Returns the isolate's ID.
    #[must_use]
    pub fn isolate(&self) -> &str {
        &self.isolate
    }

    /// Returns the numbers of the isolate.
    #[must_use]
    pub const fn counts(&self) -> EdgeCounts {
        self.counts
    }

    /// Returns the numbers of each sink that the isolate brings batches to, by its name.
    #[must_use]
    pub fn sink_counts(&self) -> BTreeMap<String, SinkCounts> {
        let counts = |outlet: &SinkOutlet| {
            let mut counts = outlet.queue.counts();
            counts.waiting += self.open_lines(outlet.path);
            (outlet.name.clone(), counts)
        };
        self.outlets.iter().map(counts).collect()
    }

    fn open_lines(&self, path: SinkPath) -> u64 {
        self.open.iter().filter(|open| open.path == path).map(|open| open.collected.lines).sum()
    }

    /// Returns the number of lines that are not in the first sink yet, as far as is known.
    #[must_use]
    pub fn lines_held(&self) -> u64 {
        self.outlets.first().map_or(0, |outlet| self.open_lines(outlet.path) + outlet.queue.lines())
    }

    /// Returns the number of bytes of closed batches of the first sink.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        self.outlets.first().map_or(0, |outlet| outlet.queue.bytes())
    }

    /// Counts a request that the sample leaves out.
    pub const fn sample_out(&mut self) {
        self.counts.seen += 1;
        self.counts.sampled_out += 1;
    }

    /// Counts a request that has no record for this reason.
    pub const fn drop(&mut self, reason: DropReason) {
        self.counts.seen += 1;
        self.counts.drop(reason, 1);
    }

    /// Counts reports that a record stands for beside the first one.
    pub const fn merge(&mut self, reports: u64) {
        self.counts.seen += reports;
        self.counts.merged += reports;
    }

    /// Adds the record of a request. What was collected before is closed first if it is too old or would become too large.
    pub fn record(&mut self, line: &[u8], now_ms: i64) {
        self.close_if(now_ms, |open| open.is_filled_by(line));
        self.close_due(now_ms);
        self.counts.seen += 1;
        self.counts.recorded += 1;
        self.open.iter_mut().for_each(|open| open.add(line, now_ms));
        self.close_due(now_ms);
    }

    /// Closes the open batches that have their lines or their age.
    pub fn close_due(&mut self, now_ms: i64) {
        self.close_if(now_ms, |open| open.is_due(now_ms));
    }

    /// Closes the open batches that have lines.
    pub fn close(&mut self, now_ms: i64) {
        self.close_if(now_ms, |_| true);
    }

    /// Closes the open batch of an outlet, if it has lines.
    pub fn close_outlet(&mut self, outlet: usize, now_ms: i64) {
        let path = self.outlets.get(outlet).map(|outlet| outlet.path);
        self.close_if(now_ms, |open| Some(open.path) == path);
    }

    fn close_if(&mut self, now_ms: i64, closes: impl Fn(&OpenEdgeBatch) -> bool) {
        for place in 0..self.open.len() {
            let Some(open) = self.open.get_mut(place).filter(|open| open.collected.lines > 0 && closes(open)) else {
                continue;
            };
            let (path, collected) = (open.path, std::mem::take(&mut open.collected));
            self.close_lines(path, &collected.text, (collected.opened_ms, now_ms), collected.lines);
        }
    }

    /// Closes a batch of these lines; two if one would be too large for a message.
    fn close_lines(&mut self, path: SinkPath, text: &[u8], times: (i64, i64), lines: u64) {
        let Some(batch) = self.batch(path, text, times, lines) else {
            return self.lose_lines(path, DropReason::Unwritable, lines);
        };
        if path != SinkPath::Queue || batch.body.len() <= EDGE_MESSAGE_BYTES {
            return self.push(path, batch);
        }
        let middle = memchr::memchr(b'\n', text.get(text.len() / 2..).unwrap_or_default());
        let middle = middle.map_or(text.len(), |at| text.len() / 2 + at + 1);
        let (first, second) = text.split_at_checked(middle).unwrap_or((text, &[]));
        if second.is_empty() {
            // One line, or one that is longer than all others.
            let Some((before, last)) = first.strip_suffix(b"\n").and_then(|all| {
                let start = memchr::memrchr(b'\n', all)? + 1;
                first.split_at_checked(start)
            }) else {
                return self.lose_lines(path, DropReason::Unwritable, lines);
            };
            self.close_lines(path, before, times, lines - 1);
            return self.close_lines(path, last, times, 1);
        }
        let count = memchr::memchr_iter(b'\n', first).count() as u64;
        self.close_lines(path, first, times, count);
        self.close_lines(path, second, times, lines - count);
    }

    /// Makes the next batch of a way.
    fn batch(&self, path: SinkPath, text: &[u8], times: (i64, i64), lines: u64) -> Option<EdgeBatch> {
        let open = self.open.iter().find(|open| open.path == path)?;
        let mut sinks = BTreeMap::new();
        if self.outlets.len() > 1 {
            sinks = self.sink_counts();
            for outlet in self.outlets.iter().filter(|outlet| outlet.path == path) {
                sinks.entry(outlet.name.clone()).or_default().waiting += lines;
            }
        }
        let (isolate, sequence) = (self.isolate.clone(), open.closed + 1);
        let since = self.counts.less(&open.carried);
        let label = BatchLabel { isolate, sequence, lines, counts: self.counts, since, sinks };
        EdgeBatch::close(&self.folder, text, times, label)
    }

    /// Gives a closed batch to the sinks of a way.
    fn push(&mut self, path: SinkPath, batch: EdgeBatch) {
        let (now_ms, batch) = (batch.times.1, Rc::new(batch));
        if let Some(open) = self.open.iter_mut().find(|open| open.path == path) {
            open.closed = batch.label.sequence;
            open.carried.add(batch.label.since);
        }
        for place in 0..self.outlets.len() {
            let Some(outlet) = self.outlets.get_mut(place).filter(|outlet| outlet.path == path) else { continue };
            let lost = outlet.queue.push(Rc::clone(&batch), now_ms);
            self.lose(place, lost);
        }
    }

    /// Counts lines as dropped that never came to be a batch.
    fn lose_lines(&mut self, path: SinkPath, reason: DropReason, lines: u64) {
        for place in 0..self.outlets.len() {
            let Some(outlet) = self.outlets.get_mut(place).filter(|outlet| outlet.path == path) else { continue };
            outlet.queue.drop(reason, lines);
            self.lose(place, vec![DroppedLines { reason, lines, carried: EdgeCounts::default() }]);
        }
    }

    /// Counts recorded requests as dropped, if the sink is the first.
    fn lose(&mut self, outlet: usize, lost: Vec<DroppedLines>) {
        let path = self.outlets.first().map(|outlet| outlet.path);
        for DroppedLines { reason, lines, carried } in lost.into_iter().filter(|_| outlet == 0) {
            self.counts.lose(reason, lines);
            if let Some(open) = self.open.iter_mut().find(|open| Some(open.path) == path) {
                // The next batch carries them instead.
                open.carried = open.carried.less(&carried);
            }
        }
    }

    /// Returns the number of outlets: the sinks that the isolate brings batches to, numbered from 0.
    #[must_use]
    pub const fn outlet_count(&self) -> usize {
        self.outlets.len()
    }

    /// Returns the name of an outlet, and where its batches go.
    #[must_use]
    pub fn outlet(&self, outlet: usize) -> Option<(&str, OutletTarget)> {
        self.outlets.get(outlet).map(|outlet| (outlet.name.as_str(), outlet.target.clone()))
    }

    /// Returns the number of the oldest batch of an outlet.
    #[must_use]
    pub fn oldest(&self, outlet: usize) -> Option<u64> {
        self.outlets.get(outlet)?.queue.oldest()
    }

    /// Takes the oldest batch of an outlet that is due to be stored, with whether its object is in the bucket already. Its caller says
    /// what came of it ([`Self::settle`]); if it does not, the batch is due again after [`crate::limits::EDGE_STORE_MS`].
    pub fn take_due(&mut self, outlet: usize, now_ms: i64) -> Option<(Rc<EdgeBatch>, bool)> {
        self.outlets.get_mut(outlet)?.queue.take_due(now_ms)
    }

    /// Notes the result of an attempt to store a batch of an outlet. One that was dropped meanwhile stays dropped.
    pub fn settle(&mut self, outlet: usize, sequence: u64, result: StoreResult, now_ms: i64) {
        let Some(found) = self.outlets.get_mut(outlet) else { return };
        let lost = found.queue.settle(sequence, result, now_ms);
        self.lose(outlet, lost);
    }

    /// Returns when something of an outlet will be due that is not being stored, in Unix milliseconds; `None` if nothing is held.
    #[must_use]
    pub fn next_due_ms(&self, outlet: usize) -> Option<i64> {
        let outlet = self.outlets.get(outlet)?;
        let open = self.open.iter().find(|open| open.path == outlet.path && open.collected.lines > 0);
        outlet.queue.due_ms().into_iter().chain(open.map(|open| open.collected.opened_ms + open.bounds.age_ms)).min()
    }

    /// Returns when something of any outlet will be due, in Unix milliseconds; `None` if nothing is held.
    #[must_use]
    pub fn first_due_ms(&self) -> Option<i64> {
        (0..self.outlets.len()).filter_map(|outlet| self.next_due_ms(outlet)).min()
    }

    /// Starts a timer of an outlet that keeps until an instant, unless one runs; returns whether it does. One that ran beyond its
    /// instant was lost with its request.
    pub fn start_timer(&mut self, outlet: usize, now_ms: i64, until_ms: i64) -> bool {
        let is_wanted = self.next_due_ms(outlet).is_some();
        let Some(outlet) = self.outlets.get_mut(outlet) else { return false };
        let starts = is_wanted && !outlet.queue.has_timer(now_ms);
        if starts {
            outlet.queue.set_timer(Some(until_ms));
        }
        starts
    }

    /// Notes that the timer of an outlet has ended.
    pub fn end_timer(&mut self, outlet: usize) {
        if let Some(outlet) = self.outlets.get_mut(outlet) {
            outlet.queue.set_timer(None);
        }
    }
}

#[cfg(test)]
mod tests;
