//! The member names seen so far, and the names that followed each.
//!
//! A job writes its fields in one order, so names are kept in the order in which they are learned, and a line is walked
//! along them: an expected name costs one comparison, which includes the byte that separates it from the previous
//! member. If the lines of two jobs alternate, or a line omits some fields, the name is one of the last two that
//! followed the previous name; any other is looked up, and learned.
//!
//! # Invariants
//!
//! Learned names affect how fast a name is read, never the result. The name that begins an object is distinct from the
//! same name further on. Names that are long, or not ASCII, are read but not learned. [`SCAN_NAMES`] and
//! [`SCAN_NAME_BYTES`] bound the memory.

use std::collections::BTreeMap;

use super::literal::LiteralText;
use super::text::plain_string_end;
use crate::limits::{SCAN_NAME_BYTES, SCAN_NAMES};
use crate::record::indexed_fields::indexed_field_position;
use crate::record::key::{KeyNames, KeyPart};
use crate::record::{DatasetEvidence, Field};

/// The role of a name for its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NameRole {
    pub(super) field: Option<Field>,
    /// The part of the record's key that it names.
    pub(super) part: Option<KeyPart>,
    /// Its position among the names that summaries cover.
    pub(super) indexed_fields: Option<u8>,
}

/// The step over one name.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameStep {
    pub(super) mark: NameRole,
    /// The evidence of the name about the record's dataset.
    pub(super) evidence: DatasetEvidence,
    pub(super) end: usize,
    /// Its position among the known names; for an unknown name, the position that was tried.
    pub(super) place: u16,
}

/// The position of no name.
const NOWHERE: u16 = u16::MAX;

/// A name that was learned.
#[derive(Debug)]
pub(super) struct KnownName {
    /// Its form in a line: `,"RayID":`, or `{"RayID":`.
    pub(super) literal: LiteralText,
    pub(super) mark: NameRole,
    /// Whether it has a role beyond its field.
    pub(super) tells: bool,
    /// The positions of the last two names that followed it, the latest first.
    next: [u16; 2],
}

/// The evidence of a known name about its record's dataset.
#[derive(Debug, Clone, Copy, Default)]
struct NameEvidence {
    own: DatasetEvidence,
    /// The combined evidence of all names since the one that begins the object, in the order in which they were
    /// learned.
    all: DatasetEvidence,
}

/// The names that were learned.
#[derive(Debug)]
pub(super) struct KnownNames {
    parts: KeyNames,
    known: Vec<KnownName>,
    /// The evidence of each name; kept apart, since a line in the expected order needs only the last one.
    evidence: Vec<NameEvidence>,
    /// The positions of the names that begin an object, ascending.
    firsts: Vec<u16>,
    places: BTreeMap<Box<[u8]>, u16>,
    /// Number of names that were not predicted.
    missed: u64,
}

impl KnownNames {
    /// The position before the first name of a line.
    pub(super) const START: u16 = 0;

    /// Creates an empty list; `parts` are the names of the members with a record's key.
    pub(super) fn new(parts: KeyNames) -> Self {
        let (known, evidence, firsts) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = Self { parts, known, evidence, firsts, places: BTreeMap::new(), missed: 0 };
        names.forget();
        names
    }

    /// Returns the names of the members with a record's key.
    pub(super) const fn parts(&self) -> &KeyNames {
        &self.parts
    }

    /// Returns the combined evidence of the names from the one that begins the object up to the name at `last`.
    #[inline(always)]
    pub(super) fn evidence_to(&self, last: u16) -> DatasetEvidence {
        self.evidence.get(usize::from(last)).map_or_else(DatasetEvidence::default, |names| names.all)
    }

    /// Returns the combined evidence of the names after the one at `before`, up to the one at `last`.
    #[inline(never)]
    pub(super) fn evidence_between(&self, before: u16, last: u16) -> DatasetEvidence {
        let names = self.evidence.get(usize::from(before) + 1..=usize::from(last)).unwrap_or_default();
        names.iter().fold(DatasetEvidence::default(), |sum, name| sum.and(name.own))
    }

    /// Returns the number of names that were not predicted.
    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Returns the names that may be at `at` and those after it, in the order in which they were learned, which is
    /// usually their order in the line.
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

    /// Reads a name at `at` that is out of order. `None` if there is no name without escapes.
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

    /// Steps over the name at `place`, if it is at `at`.
    fn try_step(&self, place: u16, line: &[u8], at: usize) -> Option<NameStep> {
        let known = self.known.get(usize::from(place))?;
        if self.firsts.binary_search(&place).is_ok() != (at == 0) {
            return None;
        }
        let value = known.literal.surely_after(line.get(at..)?)?;
        let evidence = self.evidence.get(usize::from(place)).copied().unwrap_or_default().own;
        Some(NameStep { mark: known.mark, evidence, end: line.len() - value.len(), place })
    }

    /// Reads a name that was not predicted.
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

    /// Adds a name; if there are too many, the earlier ones are forgotten.
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

    /// Records that the name at `place` followed the one at `last`.
    fn follow(&mut self, last: u16, place: u16) {
        if let Some(known) = self.known.get_mut(usize::from(last))
            && known.next[0] != place
        {
            known.next = [place, known.next[0]];
        }
    }

    /// Returns the role of a name, given in quotes with the punctuation around it.
    fn mark_of(&self, literal: &[u8]) -> NameRole {
        let Some(name) = name_in(literal) else { return NameRole::default() };
        let indexed_fields = indexed_field_position(name).and_then(|place| u8::try_from(place).ok());
        NameRole { field: self.parts.field_of(name), part: self.parts.part_of(name), indexed_fields }
    }
}

/// Returns the name in a literal as it occurs in a line.
fn name_in(literal: &[u8]) -> Option<&str> {
    let name = literal.get(2..)?.strip_suffix(b"\":")?;
    std::str::from_utf8(name).ok()
}

/// Returns the evidence of a name about its record's dataset.
fn evidence_of(literal: &[u8]) -> DatasetEvidence {
    name_in(literal).map(DatasetEvidence::of_name).unwrap_or_default()
}
