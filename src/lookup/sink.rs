//! Selects the lines of the rays among those that are read.
//!
//! The records stay within the limits of a lookup and within its memory.

use std::ops::ControlFlow;
use std::rc::Rc;

use super::record_room::RecordRoom;
use super::target::LookupTarget;
use super::{FoundRecord, MergedOrigin};
use crate::access::{inner_zone, sender_zone_of};
use crate::batch::BatchLine;
use crate::index::ObjectVersion;
use crate::limits::FOUND_BYTES;
use crate::memory::OutOfMemory;
use crate::record::{Dataset, RecordKey};
use crate::span_reader::SpanLineSink;

/// Which lines a sink examines.
#[derive(Debug, Clone, Copy)]
pub(super) enum ScanMode {
    /// Every line, parsed as a record.
    Full,
    /// Lines until `lines` of them match. With `by_spelling`, only lines that spell a ray in a usual way are parsed;
    /// lines with escapes or mixed case require `false`.
    Expect { lines: usize, by_spelling: bool },
}

/// The records of the rays in one object.
#[derive(Debug)]
pub(super) struct LookupSink<'a> {
    target: &'a LookupTarget<'a>,
    mode: ScanMode,
    object: Rc<ObjectVersion>,
    /// Number of the rays' records so far, hidden ones too.
    matched: usize,
    pub(super) records: Vec<FoundRecord>,
    /// What of it is taken, and what more there is than a lookup may return.
    pub(super) room: RecordRoom,
    /// A matching line did not fit in memory, which ended the read.
    out_of_memory: Option<OutOfMemory>,
}

impl<'a> LookupSink<'a> {
    pub(super) fn new(target: &'a LookupTarget<'a>, mode: ScanMode, object: Rc<ObjectVersion>) -> Self {
        let room = RecordRoom::new(target.most());
        Self { target, mode, object, matched: 0, records: Vec::new(), room, out_of_memory: None }
    }

    /// Whether nothing that follows has room. Among spans there may be those of other senders.
    fn is_full(&self) -> bool {
        self.room.cut.truncated && self.target.dataset() != Dataset::Traces
    }

    /// Returns whether all expected lines are found, or as many as a lookup may return.
    pub(super) fn is_complete(&self) -> bool {
        match self.mode {
            ScanMode::Full => false,
            ScanMode::Expect { lines, .. } => self.is_full() || self.matched >= lines,
        }
    }

    /// Checks that every matching line fitted in memory.
    pub(super) fn check_memory(&self) -> Result<(), OutOfMemory> {
        self.out_of_memory.map_or(Ok(()), Err)
    }

    /// Returns the key of a line that is a record of the rays, or has one inside of it.
    fn matching_key(&self, line: &[u8]) -> Option<RecordKey> {
        let by_spelling = matches!(self.mode, ScanMode::Expect { by_spelling: true, .. });
        if by_spelling && !self.target.is_spelled_in(line) {
            return None;
        }
        self.target.key_of(line)
    }
}

impl LookupSink<'_> {
    /// Keeps the records of the rays in a line: itself, and those inside of it.
    fn take(&mut self, offset: u64, line: &[u8], key: &RecordKey) -> ControlFlow<()> {
        let target = self.target;
        if target.is_erased(key, self.object.default_ms(), line) {
            self.matched += key.ids().filter(|id| target.has(id)).count().min(1);
            self.matched += key.children().iter().filter(|child| target.has(&child.ray)).count();
            return ControlFlow::Continue(());
        }
        let is_seen = target.is_visible(target.zone, line);
        if key.ids().any(|id| target.has(id)) {
            self.matched += 1;
            if is_seen {
                self.keep_seen(offset, (target.zone, line), None)?;
            }
        }
        let mut children = key.children().iter().filter(|child| target.has(&child.ray)).peekable();
        if children.peek().is_none() {
            return ControlFlow::Continue(());
        }
        let origin = MergedOrigin { ray: key.ray.clone().filter(|_| is_seen), zone: inner_zone(target.zone, line) };
        for child in children {
            self.matched += 1;
            let (record, zone) = (child.record(line), origin.zone.as_deref());
            if target.is_visible(zone, record) {
                self.keep_seen(offset, (zone, record), Some(&origin))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Keeps what the caller sees of a record of this zone.
    fn keep_seen(
        &mut self,
        offset: u64,
        (zone, record): (Option<&str>, &[u8]),
        merged: Option<&MergedOrigin>,
    ) -> ControlFlow<()> {
        let target = self.target;
        let room = target.cutting_room(record);
        if let Err(error) = target.reserve_line(room) {
            return self.refuse(error, self.sender_of(record).as_deref());
        }
        let kept = self.keep(offset, &target.cut(zone, record), merged);
        target.release_line(room);
        kept
    }

    /// Keeps a record, as far as the limits and the memory allow.
    fn keep(&mut self, offset: u64, bytes: &[u8], merged: Option<&MergedOrigin>) -> ControlFlow<()> {
        let (dataset, object, sender) = (self.target.dataset(), Rc::clone(&self.object), self.sender_of(bytes));
        if !self.room.take(sender.as_deref(), bytes.len()) {
            return self.go_on();
        }
        if let Err(error) = self.target.reserve_line(bytes.len() + FOUND_BYTES) {
            return self.refuse(error, sender.as_deref());
        }
        let (line, zone, merged) = (bytes.to_vec(), self.target.zone.map(str::to_owned), merged.cloned());
        self.records.push(FoundRecord { dataset, object, offset, line, copies: Vec::new(), zone, merged });
        ControlFlow::Continue(())
    }
}

impl LookupSink<'_> {
    /// Returns the zone of the sender of a span, if it says one.
    fn sender_of(&self, record: &[u8]) -> Option<String> {
        if self.target.dataset() == Dataset::Traces { sender_zone_of(record) } else { None }
    }

    /// Leaves out a record that the memory has no room for, and what follows of its sender, or ends the read.
    fn refuse(&mut self, error: OutOfMemory, sender: Option<&str>) -> ControlFlow<()> {
        if error == OutOfMemory::TooLarge && self.target.cuts() {
            self.room.close(sender);
            return self.go_on();
        }
        self.out_of_memory = Some(error);
        ControlFlow::Break(())
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl SpanLineSink for LookupSink<'_> {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        if self.is_complete() {
            return ControlFlow::Break(());
        }
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        if let Some(key) = self.matching_key(bytes) {
            self.take(offset, bytes, &key)?;
        }
        if self.is_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
