//! The rays to look up, and how their lines are recognised.
//!
//! A line matches only if it carries one of the rays, at the record's top level or at that of a record inside of it, by the
//! same function that indexed it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use memchr::memmem::Finder;

use super::selection::RecordSelection;
use crate::access::Caller;
use crate::erasure::{ErasedLines, JudgedLine};
use crate::limits::{CUTTING_ROOM, LOOKUP_RECORDS, READER_BYTES};
use crate::memory::{MemoryBudget, OutOfMemory, Reservation};
use crate::record::{Dataset, KeyNames, RayKey, RecordKey, read_key_by};

/// Most rays that are searched for by their spelling: beyond, parsing each line takes no longer.
const SPELLED_RAYS: usize = 8;

/// The rays to look up.
#[derive(Debug)]
pub(super) struct LookupTarget<'a> {
    /// The name of the member with the ray in records of the batch.
    names: KeyNames,
    /// The zone of records that do not name it themselves.
    pub(super) zone: Option<&'a str>,
    keys: &'a BTreeSet<RayKey>,
    selection: RecordSelection<'a>,
    /// The memory of what is found.
    reservation: Reservation,
    /// Whether what has no room in memory is left out, rather than an error.
    cuts: bool,
    /// The usual spellings of the rays: lower case and upper case. `None` for too many rays.
    spellings: Option<Vec<Finder<'static>>>,
    /// The lines that are erased.
    erased: Rc<ErasedLines>,
}

impl<'a> LookupTarget<'a> {
    pub(super) fn new(
        (names, zone): (KeyNames, Option<&'a str>),
        (keys, selection): (&'a BTreeSet<RayKey>, RecordSelection<'a>),
        (reservation, cuts): (Reservation, bool),
        erased: Rc<ErasedLines>,
    ) -> Self {
        let spellings = (keys.len() <= SPELLED_RAYS).then(|| keys.iter().flat_map(spellings_of).collect());
        Self { names, zone, keys, selection, reservation, cuts, spellings, erased }
    }

    /// Whether what has no room in memory is left out, rather than an error.
    pub(super) const fn cuts(&self) -> bool {
        self.cuts
    }

    /// Returns the memory of what was found, and of what was found in vain.
    pub(super) fn into_reservation(self) -> Reservation {
        self.reservation
    }

    pub(super) const fn dataset(&self) -> Dataset {
        self.names.dataset()
    }

    /// Returns the budget of the lookup's memory.
    pub(super) const fn memory(&self) -> &MemoryBudget {
        self.reservation.budget()
    }

    /// Reserves the memory of one reader, which [`Self::release_reader`] returns.
    pub(super) fn reserve_reader(&self) -> Result<(), OutOfMemory> {
        self.reservation.reserve(READER_BYTES)
    }

    pub(super) fn release_reader(&self) {
        self.reservation.release(READER_BYTES);
    }

    /// Reserves the memory of a line that is returned.
    pub(super) fn reserve_line(&self, bytes: usize) -> Result<(), OutOfMemory> {
        self.reservation.reserve(bytes)
    }

    /// Returns whether the line spells one of the rays in a usual way, or may do so.
    pub(super) fn is_spelled_in(&self, line: &[u8]) -> bool {
        let Some(spellings) = &self.spellings else { return true };
        spellings.iter().any(|spelling| spelling.find(line).is_some())
    }

    /// Returns whether the line is erased; `default_ms` is the instant of records without a time.
    pub(super) fn is_erased(&self, key: &RecordKey, default_ms: i64, line: &[u8]) -> bool {
        self.erased.has(&JudgedLine { dataset: self.dataset(), key, default_ms, line })
    }

    /// Returns whether the caller sees the record; `zone` is that of one that does not say it.
    pub(super) fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.selection.caller.is_none_or(|caller| caller.sees(self.dataset(), zone, line))
    }

    /// Returns the memory of [`Self::cut`], in bytes.
    pub(super) fn cutting_room(&self, line: &[u8]) -> usize {
        if self.selection.caller.is_some_and(Caller::is_limited_to_zones) { CUTTING_ROOM * line.len() } else { 0 }
    }

    /// Returns the maximum number of records. More than a list has are for the spans of exporters: a ray has few others, and each
    /// becomes several spans.
    pub(super) fn most(&self) -> usize {
        if self.dataset() == Dataset::Traces { self.selection.most } else { self.selection.most.min(LOOKUP_RECORDS) }
    }

    /// Returns the memory of a line that is no longer needed.
    pub(super) fn release_line(&self, bytes: usize) {
        self.reservation.release(bytes);
    }

    /// Returns what the caller sees of a visible record.
    pub(super) fn cut<'l>(&self, zone: Option<&str>, line: &'l [u8]) -> Cow<'l, [u8]> {
        self.selection.caller.map_or(Cow::Borrowed(line), |caller| caller.cut(self.dataset(), zone, line))
    }

    /// Returns whether a ray is one of those to look up.
    pub(super) fn has(&self, ray: &RayKey) -> bool {
        self.keys.contains(ray)
    }

    /// Returns the key of a line that is a record of one of the rays, or has one inside of it.
    pub(super) fn key_of(&self, line: &[u8]) -> Option<RecordKey> {
        let key = read_key_by(&self.names, line).ok()?;
        let is_of = key.ids().chain(key.children().iter().map(|child| &child.ray)).any(|id| self.has(id));
        is_of.then_some(key)
    }
}

/// Returns what finds the usual spellings of a ray or a trace ID.
fn spellings_of(key: &RayKey) -> Vec<Finder<'static>> {
    let id = key.to_string();
    let mut spellings = vec![id.clone()];
    if key.ray().is_some() || key.is_trace_id() {
        spellings.push(id.to_ascii_uppercase());
        spellings.dedup();
    }
    spellings.iter().map(|id| Finder::new(id.as_bytes()).into_owned()).collect()
}
