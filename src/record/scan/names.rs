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
use crate::record::indexed_fields::indexed_field_position;
use crate::record::key::{KeyNames, KeyPart};
use crate::record::{DatasetEvidence, Field};

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
    /// What it says of the record's dataset.
    pub(super) evidence: DatasetEvidence,
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

/// What a known name says of its record's dataset.
#[derive(Debug, Clone, Copy, Default)]
struct NameEvidence {
    own: DatasetEvidence,
    /// The same of all names from the one that begins the object, in the order in which they were learned.
    all: DatasetEvidence,
}

/// The names that are known.
#[derive(Debug)]
pub(super) struct KnownNames {
    parts: KeyNames,
    known: Vec<KnownName>,
    /// For each, what it says of the dataset; apart from them, since lines that follow their order need the last alone.
    evidence: Vec<NameEvidence>,
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
        let (known, evidence, firsts) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = Self { parts, known, evidence, firsts, places: BTreeMap::new(), missed: 0 };
        names.forget();
        names
    }

    /// The names that a record's key is made of.
    pub(super) const fn parts(&self) -> &KeyNames {
        &self.parts
    }

    /// What the names from the one that begins an object to the one of `last` say of the record's dataset.
    #[inline(always)]
    pub(super) fn evidence_to(&self, last: u16) -> DatasetEvidence {
        self.evidence.get(usize::from(last)).map_or_else(DatasetEvidence::default, |names| names.all)
    }

    /// What the names after the one of `before`, to the one of `last`, say of the record's dataset.
    #[inline(never)]
    pub(super) fn evidence_between(&self, before: u16, last: u16) -> DatasetEvidence {
        let names = self.evidence.get(usize::from(before) + 1..=usize::from(last)).unwrap_or_default();
        names.iter().fold(DatasetEvidence::default(), |sum, name| sum.and(name.own))
    }

    /// How many names were not foreseen.
    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// The names that may be at `at`, and those after it, in the order in which they were learned: which is mostly
    /// their order in the line.
    #[inline(always)]
    pub(super) fn expected_after(&self, last: u16, at: usize) -> &[KnownName] {
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
        let value = known.literal.surely_after(line.get(at..)?)?;
        let evidence = self.evidence.get(usize::from(place)).copied().unwrap_or_default().own;
        Some(NameStep { mark: known.mark, evidence, end: line.len() - value.len(), place })
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
                return Some(NameStep {
                    mark: self.mark_of(literal),
                    evidence: evidence_of(literal),
                    end,
                    place: last,
                });
            }
            None => self.learn(literal),
        };
        self.follow(last, place);
        let mark = self.known.get(usize::from(place)).map(|known| known.mark)?;
        Some(NameStep { mark, evidence: evidence_of(literal), end, place })
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
        let (own, begins) = (evidence_of(literal), literal.first() == Some(&b'{'));
        let all = if begins { own } else { self.evidence_to(place.saturating_sub(1)).and(own) };
        self.evidence.push(NameEvidence { own, all });
        if begins {
            self.firsts.push(place);
        }
        self.places.insert(literal.into(), place);
        place
    }

    fn forget(&mut self) {
        self.places.clear();
        self.known.clear();
        self.firsts.clear();
        self.evidence.clear();
        self.evidence.push(NameEvidence::default());
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
        let Some(name) = name_in(literal) else { return NameRole::default() };
        let indexed_fields = indexed_field_position(name).and_then(|place| u8::try_from(place).ok());
        NameRole { field: self.parts.field_of(name), part: self.parts.part_of(name), indexed_fields }
    }
}

/// The name in its form in a line.
fn name_in(literal: &[u8]) -> Option<&str> {
    let name = literal.get(2..)?.strip_suffix(b"\":")?;
    std::str::from_utf8(name).ok()
}

/// What a name says of its record's dataset.
fn evidence_of(literal: &[u8]) -> DatasetEvidence {
    name_in(literal).map(DatasetEvidence::of_name).unwrap_or_default()
}
