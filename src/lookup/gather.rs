//! The lines of one ray among the lines that are read.
//!
//! What always holds: a line is taken only if it carries the ray at the record's top level, by the same function that
//! indexed it; what is gathered stays within the limits of a lookup.

use std::ops::ControlFlow;

use memchr::memmem::Finder;

use super::FoundRecord;
use crate::batch::Line;
use crate::index::ObjectVersion;
use crate::limits::{LINE_COPIES, LOOKUP_BYTES, LOOKUP_RECORDS, READER_BYTES};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{Dataset, RayKey, read_key};

/// What is looked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    dataset: Dataset,
    key: &'a RayKey,
    /// What the lines that are found are held in.
    reservation: &'a Reservation,
    /// How the ray is spelled in a line, as a rule: in small letters, or in capital ones.
    spellings: Vec<Finder<'static>>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(dataset: Dataset, key: &'a RayKey, reservation: &'a Reservation) -> Self {
        let id = key.to_string();
        let mut spellings = vec![id.clone()];
        if key.ray().is_some() {
            spellings.push(id.to_ascii_uppercase());
            spellings.dedup();
        }
        let spellings = spellings.iter().map(|id| Finder::new(id.as_bytes()).into_owned()).collect();
        Self { dataset, key, reservation, spellings }
    }

    /// Reserves the memory of a reader.
    pub(super) fn reserve_reader(&self) -> Result<(), OutOfMemory> {
        self.reservation.reserve(READER_BYTES)
    }

    /// Returns the memory of a reader.
    pub(super) fn release_reader(&self) {
        self.reservation.release(READER_BYTES);
    }

    /// Whether the ray is spelled in the line as rays are.
    fn is_spelled_in(&self, line: &[u8]) -> bool {
        self.spellings.iter().any(|spelling| spelling.find(line).is_some())
    }

    /// Whether the line is a record of the ray.
    fn is_of_key(&self, line: &[u8]) -> bool {
        read_key(self.dataset, line).is_ok_and(|found| found.ray.as_ref() == Some(self.key))
    }
}

/// Which lines are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// All, each as a record.
    Through,
    /// Those that begin before this place, until so many were found. Where they are not `spelled` as usual (with
    /// escapes, in letters of both sizes), each line is read as a record.
    For { lines: usize, text_end: u64, spelled: bool },
}

/// The lines found so far.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    wanted: &'a Wanted<'a>,
    look: Look,
    object: ObjectVersion,
    pub(super) records: Vec<FoundRecord>,
    bytes: usize,
    /// There are more than the limits of a lookup allow.
    pub(super) truncated: bool,
    /// A line was found that there was no memory for.
    out_of_memory: Option<OutOfMemory>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(wanted: &'a Wanted<'a>, look: Look, object: ObjectVersion) -> Self {
        Self { wanted, look, object, records: Vec::new(), bytes: 0, truncated: false, out_of_memory: None }
    }

    /// Whether all lines were found that there are, or that a lookup returns.
    pub(super) const fn is_complete(&self) -> bool {
        match self.look {
            Look::Through => false,
            Look::For { lines, .. } => self.truncated || self.records.len() == lines,
        }
    }

    /// Whether every line that was found fitted into memory.
    pub(super) fn check_memory(&self) -> Result<(), OutOfMemory> {
        self.out_of_memory.map_or(Ok(()), Err)
    }

    /// Takes the line if it is wanted.
    pub(super) fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        let is_behind = matches!(self.look, Look::For { text_end, .. } if line.offset() >= text_end);
        if is_behind || self.is_complete() {
            return ControlFlow::Break(());
        }
        let Line::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        let by_spelling = matches!(self.look, Look::For { spelled: true, .. });
        let may_be = !by_spelling || self.wanted.is_spelled_in(bytes);
        if may_be && self.wanted.is_of_key(bytes) {
            self.bytes += bytes.len();
            let reserved = self.wanted.reservation.reserve(LINE_COPIES * bytes.len() + self.object.key.len());
            self.out_of_memory = reserved.err();
            if reserved.is_err() {
                return ControlFlow::Break(());
            }
            if self.records.len() >= LOOKUP_RECORDS || self.bytes > LOOKUP_BYTES {
                self.truncated = true;
                return ControlFlow::Break(());
            }
            let (dataset, object) = (self.wanted.dataset, self.object.clone());
            self.records.push(FoundRecord { dataset, object, offset, line: bytes.to_vec() });
        }
        if self.is_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
