//! The beginning of a block with codes of its own: how long each code is, which is itself written in a code.
//!
//! # Invariants
//!
//! A header may come in any pieces. What zlib refuses is refused, as soon as it shows.

use super::InvalidDeflate;
use super::entry::{CODE_LENGTHS, DISTANCES, LITERALS};
use super::fast::BlockCodes;
use super::input::DeflateInput;
use super::table::{CodeLengths, NoCode};

/// The order in which the lengths of the code of code lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Most literals and lengths, and most distances, that a block may have a code for.
const MOST: (usize, usize) = (286, 30);
/// The symbol that ends a block.
const END: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderStage {
    CodeLengthCounts,
    /// The length of the code with this place in [`ORDER`].
    CodeLength(usize),
    /// The length of the code of this symbol, distances after literals.
    Length(usize),
}

/// The header of a block, as it comes in.
#[derive(Debug)]
pub(super) struct BlockHeader {
    stage: HeaderStage,
    literals: usize,
    distances: usize,
    code_lengths: usize,
    of_code_lengths: [u8; 19],
    table: CodeLengths,
    lengths: [u8; 320],
}

impl From<NoCode> for InvalidDeflate {
    fn from(_: NoCode) -> Self {
        Self
    }
}

impl BlockHeader {
    /// A header before its first bit.
    pub(super) const fn new() -> Self {
        Self {
            stage: HeaderStage::CodeLengthCounts,
            literals: 0,
            distances: 0,
            code_lengths: 0,
            of_code_lengths: [0; 19],
            table: CodeLengths::new(),
            lengths: [0; 320],
        }
    }

    /// Reads on; whether that was all, and `codes` are those of the block.
    pub(super) fn read(
        &mut self,
        input: &mut DeflateInput<'_>,
        codes: &mut BlockCodes,
    ) -> Result<bool, InvalidDeflate> {
        loop {
            let goes_on = match self.stage {
                HeaderStage::CodeLengthCounts => self.read_counts(input)?,
                HeaderStage::CodeLength(place) => self.read_code_length(place, input)?,
                HeaderStage::Length(symbol) if symbol < self.literals + self.distances => {
                    self.read_length(symbol, input)?
                }
                HeaderStage::Length(_) => {
                    self.stage = HeaderStage::CodeLengthCounts;
                    return self.build(codes).map(|()| true);
                }
            };
            if !goes_on {
                return Ok(false);
            }
        }
    }

    fn read_counts(&mut self, input: &mut DeflateInput<'_>) -> Result<bool, InvalidDeflate> {
        if !input.need(14) {
            return Ok(false);
        }
        self.literals = usize::from(input.take(5)) + 257;
        self.distances = usize::from(input.take(5)) + 1;
        self.code_lengths = usize::from(input.take(4)) + 4;
        self.of_code_lengths = [0; 19];
        self.stage = HeaderStage::CodeLength(0);
        let (literals, distances) = MOST;
        if self.literals > literals || self.distances > distances { Err(InvalidDeflate) } else { Ok(true) }
    }

    fn read_code_length(&mut self, place: usize, input: &mut DeflateInput<'_>) -> Result<bool, InvalidDeflate> {
        let slot = ORDER.get(place).filter(|_| place < self.code_lengths);
        let Some(slot) = slot.and_then(|symbol| self.of_code_lengths.get_mut(*symbol)) else {
            self.table.build(&self.of_code_lengths, &CODE_LENGTHS, false)?;
            self.stage = HeaderStage::Length(0);
            return Ok(true);
        };
        if !input.need(3) {
            return Ok(false);
        }
        let [length, _] = input.take(3).to_le_bytes();
        *slot = length;
        self.stage = HeaderStage::CodeLength(place + 1);
        Ok(true)
    }

    /// Reads the length of this symbol's code, or of several from this one on.
    fn read_length(&mut self, symbol: usize, input: &mut DeflateInput<'_>) -> Result<bool, InvalidDeflate> {
        let (code, extra) = loop {
            let entry = self.table.look(input.held());
            let extra = match entry.base() {
                16 => 2,
                17 => 3,
                18 => 7,
                _ => 0,
            };
            if entry.bits() + extra <= input.count() {
                input.skip(entry.bits());
                break (entry.base(), extra);
            }
            if !input.pull() {
                return Ok(false);
            }
        };
        let more = usize::from(input.take(extra));
        let last = symbol.checked_sub(1).and_then(|last| self.lengths.get(last)).copied();
        let (length, count) = match code {
            16 => (last.ok_or(InvalidDeflate)?, 3 + more),
            17 => (0, 3 + more),
            18 => (0, 11 + more),
            length => (u8::try_from(length).unwrap_or_default(), 1),
        };
        let after = symbol + count;
        let slots = self.lengths.get_mut(symbol..after).filter(|_| after <= self.literals + self.distances);
        slots.ok_or(InvalidDeflate)?.fill(length);
        self.stage = HeaderStage::Length(after);
        Ok(true)
    }

    fn build(&self, codes: &mut BlockCodes) -> Result<(), InvalidDeflate> {
        let (literals, after) = self.lengths.split_at_checked(self.literals).ok_or(InvalidDeflate)?;
        let distances = after.get(..self.distances).ok_or(InvalidDeflate)?;
        if literals.get(END).is_none_or(|length| *length == 0) {
            return Err(InvalidDeflate);
        }
        codes.build(literals, distances)
    }
}

impl BlockCodes {
    /// The codes of these lengths.
    fn build(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), InvalidDeflate> {
        self.literals.build(literals, &LITERALS, true)?;
        self.distances.build(distances, &DISTANCES, true)?;
        self.literals.pair();
        Ok(())
    }

    /// The codes of blocks that have none of their own.
    pub(super) fn build_fixed(&mut self) -> Result<(), InvalidDeflate> {
        let mut literals = [8; 288];
        let nines = literals.iter_mut().skip(144).take(112);
        nines.for_each(|length| *length = 9);
        literals.iter_mut().skip(END).take(24).for_each(|length| *length = 7);
        self.build(&literals, &[5; 32])
    }
}
