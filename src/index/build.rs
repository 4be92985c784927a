//! Gathers the rays of one batch and their parents, line by line, and packs them into one entry per shard.
//!
//! A batch is also in the shards of its records' own times, where a query of a range looks for them, and in those of their
//! parents: mostly those are the shards of its rays; where not (clocks that differ, records without a ray, children that
//! come late), the entry there holds no rays. Records inside of lines (`children`) are found by their rays too, and
//! change no count of the lines.
//!
//! # Invariants
//!
//! Memory is 8 bytes a ray (16 while a list grows), and 16 for each link that is not packed yet, at most
//! [`crate::limits::LINK_PART`] of the batch. A line that is not a record is counted by its reason and affects
//! no other line, unless it shows that the object is not NDJSON at all ([`FormJudge`]). Nothing leaves the builder before the object is read to its end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::children::{ChildRays, LinesHeld, NonstandardIds};
use super::entry::{self, EntryPart, RayLocation};
use super::links::{LinkGatherer, ParentLink};
use super::record_times::RecordTimes;
use super::time_slot::time_slot_of;
use super::{RaySkew, RejectedLines, ShardName, is_skewed, nonstandard};
use crate::batch::{BatchError, BatchLine, FormJudge, ObjectSpans};
use crate::limits::{
    BATCH_CHILDREN, LINK_PART, MAX_LINES, MAX_LINKS_BYTES, MAX_NONSTANDARD_BYTES, MAX_RAY_SKEW_MS, MAX_SHARDS,
};
use crate::record::{Dataset, IndexedFields, RayId, RayKey, RecordError, RecordKey};
use crate::summary::{PackedSummaries, SummaryBuilder};

/// The counts of a batch's lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineCounts {
    /// Lines, blank ones not counted.
    pub lines: u64,
    /// Lines that are records.
    pub records: u64,
    /// Records with a ray, nonstandard ids included.
    pub rays: u64,
    /// Records whose id is not 16 hexadecimal digits.
    pub nonstandard_ids: u64,
    /// Records without an id.
    pub no_ray: u64,
    /// Records with a ray and a start time, which can be compared.
    #[serde(default)]
    pub timed_rays: u64,
    /// Those of them whose ray and start time differ by more than 5 s: the alarm for a change of the Ray ID's layout.
    pub clock_skewed: u64,
    /// Where these are, and by how much they differ; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skew: Option<RaySkew>,
    /// Lines that are not records, by the reason's code.
    pub rejected: BTreeMap<String, u64>,
    /// The stretches of time that the records cover, in Unix milliseconds, where holes of eleven minutes part them; empty if
    /// there is only one.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stretches: Vec<(i64, i64)>,
    /// Records inside of others (`Subrequests`) that are not found by their own rays, because they are too many.
    #[serde(default, skip_serializing_if = "crate::rpc::is_default")]
    pub unindexed_children: u64,
}

impl LineCounts {
    /// How many lines are not records.
    #[must_use]
    pub fn rejected_lines(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// How many records have a ray and a start time. Rows of before this was counted do not say, but all rays have a time as a
    /// rule.
    #[must_use]
    pub const fn compared_rays(&self) -> u64 {
        let is_counted = self.timed_rays >= self.clock_skewed;
        if is_counted { self.timed_rays } else { self.rays.saturating_sub(self.nonstandard_ids) }
    }

    /// Whether most rays have other times than their records.
    #[must_use]
    pub const fn is_skewed(&self) -> bool {
        is_skewed(self.clock_skewed, self.compared_rays())
    }

    /// Compares the times of a ray and of its record.
    fn compare(&mut self, ray: RayId, record_ms: i64) {
        let ray_ms = ray.unix_ms();
        self.timed_rays += 1;
        if (record_ms - ray_ms).abs() > MAX_RAY_SKEW_MS {
            let one = RaySkew::of(ray_ms, record_ms);
            self.clock_skewed += 1;
            self.skew = Some(self.skew.map_or(one, |skew| skew.with(one)));
        }
    }

    /// How many rejected lines may be records of the batch's own dataset, or else of another one.
    #[must_use]
    pub fn rejected_lines_for(&self, own: bool) -> u64 {
        let strays = self.rejected.get(RecordError::OtherDataset.code()).copied().unwrap_or_default();
        if own { self.rejected_lines() - strays } else { strays }
    }
}

/// The entry of a batch for one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardEntry {
    /// The shard that keeps the entry.
    pub shard: ShardName,
    /// The time slots that have rays, ascending.
    pub time_slots: Vec<u8>,
    /// The packed rays; none where only records' times are of this shard.
    pub parts: Vec<EntryPart>,
    /// The time slots that have parents, ascending.
    pub link_slots: Vec<u8>,
    /// The packed links to parents of this shard.
    pub links: Vec<EntryPart>,
}

impl ShardEntry {
    /// An entry of this shard that holds nothing.
    const fn empty(shard: ShardName) -> Self {
        Self { shard, time_slots: Vec::new(), parts: Vec::new(), link_slots: Vec::new(), links: Vec::new() }
    }
}

/// The index of a whole batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchIndex {
    /// Its entries.
    pub entries: Vec<ShardEntry>,
    /// The counts of its lines.
    pub counts: LineCounts,
    /// Where its rejected lines are.
    pub rejected: RejectedLines,
    /// The summaries of its values.
    pub summaries: PackedSummaries,
}

/// Gathers the rays of one batch.
#[derive(Debug)]
pub struct IndexBuilder {
    /// The instant of records that have none.
    default_ns: i64,
    counts: LineCounts,
    rejected: RejectedLines,
    summaries: SummaryBuilder,
    times: RecordTimes,
    shards: BTreeMap<u32, Vec<RayLocation>>,
    links: BTreeMap<u32, LinkGatherer>,
    /// Number of links that are not packed yet, and size of those that are.
    open_links: usize,
    links_bytes: usize,
    nonstandard: NonstandardIds,
    nonstandard_bytes: usize,
    /// The rays of records inside of the lines.
    children: ChildRays,
    /// Judges whether the object is a batch; `None` where that is known.
    judge: Option<FormJudge>,
}

impl IndexBuilder {
    /// A builder for a batch of this dataset; `default_ms` is the instant of records that have none.
    #[must_use]
    pub fn new(dataset: Dataset, default_ms: i64) -> Self {
        Self {
            default_ns: default_ms.saturating_mul(1_000_000),
            counts: LineCounts::default(),
            rejected: RejectedLines::default(),
            summaries: SummaryBuilder::default(),
            times: RecordTimes::default(),
            shards: BTreeMap::new(),
            links: BTreeMap::new(),
            open_links: 0,
            links_bytes: 0,
            nonstandard: Vec::new(),
            nonstandard_bytes: 0,
            children: ChildRays::default(),
            judge: Some(FormJudge::of(dataset)),
        }
    }

    /// Takes the object for a batch whatever its lines are: it was judged before lines of it were erased.
    #[must_use]
    pub fn judged(self) -> Self {
        Self { judge: None, ..self }
    }

    /// Takes the next line, and what was read in it.
    ///
    /// # Errors
    /// [`BatchError`] where the object turns out to be no batch, or too large a one.
    pub fn take(
        &mut self,
        line: BatchLine<'_>,
        read: Result<(RecordKey, &IndexedFields), RecordError>,
    ) -> Result<(), BatchError> {
        self.counts.lines += 1;
        if self.counts.lines > MAX_LINES {
            return Err(BatchError::TooManyLines);
        }
        if self.counts.lines > MAX_LINES - BATCH_CHILDREN {
            self.children.make_room(self.lines_held());
        }
        match (read, line) {
            (Ok((key, indexed_fields)), BatchLine::Text { span, bytes, .. }) => {
                self.judge.as_mut().map_or(Ok(()), |judge| judge.take_record(&key, bytes))?;
                self.summarise(&key, span, bytes, indexed_fields);
                self.record(key, span.into())
            }
            (Ok(_), line @ BatchLine::TooLong { .. }) => self.reject(RecordError::TooLong, &line),
            (Err(why), line) => self.reject(why, &line),
        }
    }

    /// The index of the whole batch, whose spans are `spans`.
    ///
    /// # Errors
    /// [`BatchError`] where it holds nothing to find, or too much.
    pub fn finish(mut self, spans: &ObjectSpans) -> Result<BatchIndex, BatchError> {
        self.pack_links()?;
        self.children.make_room(self.lines_held());
        let Self { mut counts, rejected, summaries, shards: mut locations, mut links, times, judge, .. } = self;
        judge.map_or(Ok(()), |judge| judge.finish())?;
        let (times, stretches) = times.finish();
        counts.stretches = if stretches.len() > 1 { stretches } else { Vec::new() };
        let mut nonstandard = self.nonstandard;
        let of_lines = (&mut locations, &mut links, &mut nonstandard);
        counts.unindexed_children = self.children.join(of_lines, (&times, self.nonstandard_bytes));
        let prefixes: BTreeSet<u32> = locations.keys().chain(&times).chain(links.keys()).copied().collect();
        let shards = prefixes.len() + usize::from(!nonstandard.is_empty());
        if shards > MAX_SHARDS {
            return Err(BatchError::TooManyShards { shards });
        }
        let mut entries: Vec<ShardEntry> = Vec::with_capacity(shards);
        for prefix in prefixes {
            let mut entry = ShardEntry::empty(ShardName::for_prefix(prefix));
            if let Some(locations) = locations.remove(&prefix) {
                entry.time_slots = ascending(locations.iter().map(|location| time_slot_of(location.suffix())));
                entry.parts = entry::pack(locations, spans);
            }
            if let Some(links) = links.remove(&prefix) {
                (entry.link_slots, entry.links) = links.finish();
            }
            entries.push(entry);
        }
        if !nonstandard.is_empty() {
            entries.push(nonstandard_entry(&nonstandard, spans));
        }
        Ok(BatchIndex { entries, counts, rejected, summaries: summaries.finish(spans) })
    }

    /// Keeps when a record was, and what it holds.
    fn summarise(&mut self, key: &RecordKey, span: u32, line: &[u8], indexed_fields: &IndexedFields) {
        let ns = key.unix_ns().unwrap_or(self.default_ns);
        self.summaries.take(span, ns, line, indexed_fields);
        self.times.take(ns);
    }

    /// Counts a record and keeps its ray.
    fn record(&mut self, key: RecordKey, span: u64) -> Result<(), BatchError> {
        self.counts.records += 1;
        self.counts.rays += u64::from(key.ray.is_some());
        let has_trace = key.trace.is_some();
        if let Some(RayKey::Nonstandard(id)) = key.trace {
            self.keep_nonstandard(id, span)?;
        }
        if let Some(merged) = &key.merged {
            let span = u32::try_from(span).unwrap_or(u32::MAX);
            self.children.take((&merged.children, merged.beyond), span, self.lines_held());
        }
        match key.ray {
            Some(RayKey::Ray(ray)) => {
                // A span begins at any time of its request.
                if let Some(start) = key.start.filter(|_| !has_trace) {
                    self.counts.compare(ray, start.unix_ms());
                }
                self.shards.entry(ray.prefix()).or_default().push(RayLocation::new(ray, span));
                if let Some(parent) = key.parent.filter(|parent| *parent != ray) {
                    self.link(ParentLink { parent, child: ray })?;
                }
            }
            Some(RayKey::Nonstandard(id)) => {
                self.counts.nonstandard_ids += 1;
                self.keep_nonstandard(id, span)?;
            }
            None => self.counts.no_ray += 1,
        }
        Ok(())
    }

    /// Keeps an id that is found by exact match.
    fn keep_nonstandard(&mut self, id: Box<str>, span: u64) -> Result<(), BatchError> {
        self.nonstandard_bytes += id.len() + size_of::<(Box<str>, u32)>();
        if self.nonstandard_bytes > MAX_NONSTANDARD_BYTES {
            return Err(BatchError::TooManyNonstandardIds);
        }
        self.nonstandard.push((id, u32::try_from(span).unwrap_or(u32::MAX)));
        Ok(())
    }

    /// What the lines so far take of the memory that they share with the records inside of them.
    const fn lines_held(&self) -> LinesHeld {
        LinesHeld { lines: self.counts.lines, links_bytes: self.links_bytes }
    }

    /// Keeps the request that caused a record's request.
    fn link(&mut self, link: ParentLink) -> Result<(), BatchError> {
        self.links.entry(link.parent.prefix()).or_default().take(link);
        self.open_links += 1;
        if self.links.len() > MAX_SHARDS {
            return Err(BatchError::TooManyShards { shards: self.links.len() });
        }
        if self.open_links >= LINK_PART { self.pack_links() } else { Ok(()) }
    }

    /// Packs the links that are not packed yet.
    fn pack_links(&mut self) -> Result<(), BatchError> {
        self.open_links = 0;
        self.links_bytes += self.links.values_mut().map(LinkGatherer::pack).sum::<usize>();
        self.children.make_room(self.lines_held());
        if self.links_bytes > MAX_LINKS_BYTES { Err(BatchError::TooManyLinks) } else { Ok(()) }
    }

    /// Counts a line that is not a record.
    fn reject(&mut self, why: RecordError, line: &BatchLine<'_>) -> Result<(), BatchError> {
        *self.counts.rejected.entry(why.code().into()).or_default() += 1;
        self.rejected.push(why.code(), line.offset());
        match &mut self.judge {
            Some(judge) if why == RecordError::OtherDataset => judge.take_stray(line),
            Some(judge) => judge.take_rejected(line),
            None => Ok(()),
        }
    }
}

/// The entry of the nonstandard ids.
fn nonstandard_entry(ids: &[(Box<str>, u32)], spans: &ObjectSpans) -> ShardEntry {
    let bytes = nonstandard::pack(ids.iter().map(|(id, span)| (id.as_ref(), *span)), spans);
    let time_slots = ascending(ids.iter().map(|(id, _)| nonstandard::time_slot_of(id)));
    let parts = vec![EntryPart { first_suffix: 0, last_suffix: 0, bytes }];
    ShardEntry { time_slots, parts, ..ShardEntry::empty(ShardName::NONSTANDARD) }
}

/// Each time slot once, ascending.
fn ascending(time_slots: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut seen = [false; 256];
    for time_slot in time_slots {
        if let Some(seen) = seen.get_mut(usize::from(time_slot)) {
            *seen = true;
        }
    }
    (0..=u8::MAX).zip(seen).filter_map(|(time_slot, seen)| seen.then_some(time_slot)).collect()
}
