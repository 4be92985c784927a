//! The names of members seen so far, and which name followed which.
//!
//! A job writes its fields in one order, so names are kept in the order in which they are learned, and a line is
//! walked along them: a name that comes in its turn costs one comparison, with the byte that separates it from the
//! member before. Where two jobs' lines alternate, or a line omits some fields, the name is one of the last two that
//! followed the previous name; any other is looked up, and learned.
//!
//! # Invariants
//!
//! What was learned decides how fast a name is read, never what it is. The name that begins an object is distinct from
//! the same name further on. Names that are long, or not ASCII, are read and not learned. [`SCAN_NAMES`] and
//! [`SCAN_NAME_BYTES`] bound the memory.

use std::collections::BTreeMap;

use super::literal::LiteralText;
use super::text::plain_string_end;
use crate::limits::{SCAN_NAME_BYTES, SCAN_NAMES};
use crate::record::Field;
use crate::record::indexed_fields::indexed_field_position;
use crate::record::key::{KeyNames, KeyPart};

/// What a name is to its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NameRole {
    pub(super) field: Option<Field>,
    /// What it is of the record's key.
    pub(super) part: Option<KeyPart>,
    /// Its place among the names that summaries cover.
    pub(super) indexed_fields: Option<u8>,
}

/// A name that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameStep {
    pub(super) mark: NameRole,
    pub(super) end: usize,
    /// Its place among the names; where it has none, the place that was asked for.
    pub(super) place: u16,
}

/// The place of no name.
const NOWHERE: u16 = u16::MAX;

/// A name that is known.
#[derive(Debug)]
pub(super) struct KnownName {
    /// Its form in a line: `,"RayID":`, or `{"RayID":`.
    pub(super) literal: LiteralText,
    pub(super) mark: NameRole,
    /// Whether it is of more than its field.
    pub(super) tells: bool,
    /// The places of the names that followed it: the last one first.
    next: [u16; 2],
}

/// The names that are known.
#[derive(Debug)]
pub(super) struct KnownNames {
    parts: KeyNames,
    known: Vec<KnownName>,
    /// The places of those that begin an object, ascending.
    firsts: Vec<u16>,
    places: BTreeMap<Box<[u8]>, u16>,
    /// Names that were not foreseen.
    missed: u64,
}

impl KnownNames {
    /// The place before the first name of a line.
    pub(super) const START: u16 = 0;

    /// No names; `parts` are the ones that a record's key is made of.
    pub(super) fn new(parts: KeyNames) -> Self {
        let mut names = Self { parts, known: Vec::new(), firsts: Vec::new(), places: BTreeMap::new(), missed: 0 };
        names.forget();
        names
    }

    /// How many names were not foreseen.
    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// The names that may be at `at`, and those after it, in the order in which they were learned: which is mostly
    /// their order in the line.
    #[inline(always)]
    pub(super) fn behind(&self, last: u16, at: usize) -> &[KnownName] {
        let start = last.saturating_add(1);
        let next = self.firsts.partition_point(|&first| first < start);
        let mut firsts = self.firsts.iter().skip(next).peekable();
        if firsts.next_if_eq(&&start).is_some() != (at == 0) {
            return &[];
        }
        let end = firsts.next().map_or(self.known.len(), |&first| usize::from(first));
        self.known.get(usize::from(start)..end).unwrap_or_default()
    }

    /// Reads a name at `at` that does not come in that order. `None` where no name without escapes is there.
    #[inline(never)]
    pub(super) fn other(&mut self, last: u16, line: &[u8], at: usize) -> Option<NameStep> {
        let next = self.known.get(usize::from(last))?.next;
        if let Some(step) = self.try_step(next[0], line, at) {
            return Some(step);
        }
        if let Some(step) = self.try_step(next[1], line, at) {
            self.follow(last, next[1]);
            return Some(step);
        }
        self.look_up(last, line, at)
    }

    /// The step over the name of `place`, if it is at `at`.
    fn try_step(&self, place: u16, line: &[u8], at: usize) -> Option<NameStep> {
        let known = self.known.get(usize::from(place))?;
        if self.firsts.binary_search(&place).is_ok() != (at == 0) {
            return None;
        }
        let value = known.literal.surely_behind(line.get(at..)?)?;
        Some(NameStep { mark: known.mark, end: line.len() - value.len(), place })
    }

    /// The same for a name that was not foreseen.
    #[cold]
    #[inline(never)]
    fn look_up(&mut self, last: u16, line: &[u8], at: usize) -> Option<NameStep> {
        let before = if at == 0 { b'{' } else { b',' };
        if line.get(at..at + 2) != Some(&[before, b'"']) {
            return None;
        }
        self.missed += 1;
        let close = plain_string_end(line, at + 2)?;
        if line.get(close) != Some(&b':') {
            return None;
        }
        let end = close + 1;
        let literal = line.get(at..end)?;
        let place = match self.places.get(literal) {
            Some(place) => *place,
            None if literal.len() > SCAN_NAME_BYTES || !literal.is_ascii() => {
                return Some(NameStep { mark: self.mark_of(literal), end, place: last });
            }
            None => self.learn(literal),
        };
        self.follow(last, place);
        let mark = self.known.get(usize::from(place)).map(|known| known.mark)?;
        Some(NameStep { mark, end, place })
    }

    /// Adds a name; where there are too many, those before it are forgotten.
    fn learn(&mut self, literal: &[u8]) -> u16 {
        if self.known.len() >= SCAN_NAMES {
            self.forget();
        }
        let place = u16::try_from(self.known.len()).unwrap_or(Self::START);
        let mark = self.mark_of(literal);
        let tells = mark.part.is_some() || mark.indexed_fields.is_some();
        self.known.push(KnownName { literal: LiteralText::of(literal), mark, tells, next: [NOWHERE; 2] });
        if literal.first() == Some(&b'{') {
            self.firsts.push(place);
        }
        self.places.insert(literal.into(), place);
        place
    }

    fn forget(&mut self) {
        self.places.clear();
        self.known.clear();
        self.firsts.clear();
        self.known.push(KnownName {
            literal: LiteralText::of(&[]),
            mark: NameRole::default(),
            tells: false,
            next: [NOWHERE; 2],
        });
    }

    /// Remembers that the name of `place` followed the one of `last`.
    fn follow(&mut self, last: u16, place: u16) {
        if let Some(known) = self.known.get_mut(usize::from(last))
            && known.next[0] != place
        {
            known.next = [place, known.next[0]];
        }
    }

    /// What a name is, in quotes and between what parts it from others.
    fn mark_of(&self, literal: &[u8]) -> NameRole {
        let name = literal.get(2..).and_then(|rest| rest.strip_suffix(b"\":"));
        let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) else { return NameRole::default() };
        let indexed_fields = indexed_field_position(name).and_then(|place| u8::try_from(place).ok());
        NameRole { field: Field::from_name(name), part: self.parts.part_of(name), indexed_fields }
    }
}
