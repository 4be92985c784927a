//! Raw deflate (RFC 1951) to text: the crate's own inflater, since inflating is half of what reading a batch costs.
//!
//! Log lines are mostly matches of 16 to 300 bytes and runs of hexadecimal digits. Under V8, the batch that is measured
//! (132 MB of text: 4.4 million literals, 2.5 million matches) takes zlib-rs 70 ms, and this 40: it decodes two
//! literals with one lookup, copies 128 bytes at once, and writes into the buffer that its own window is in. It also says
//! what access points need and zlib's interface does not say without `unsafe`: the very bit at which a block begins, and
//! (to a [`BackrefObserver`]) what matches refer to.
//!
//! # Invariants
//!
//! Bytes of any kind end in an [`InflateStep`] or in [`InvalidDeflate`]. Nothing is read or written out of bounds.
//! A stream that zlib refuses is refused, at the same byte of text at the latest. The pieces that a stream comes in
//! change nothing.

mod careful;
mod entry;
mod fast;
mod header;
mod input;
mod output;
mod table;

use self::careful::DecodedSymbol;
use self::fast::BlockCodes;
use self::header::BlockHeader;
use self::input::{BitBuffer, DeflateInput};
use self::output::{OutputBuffer, TooFar};
use self::table::{DistanceTable, LiteralTable};

/// The bytes are not a deflate stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidDeflate;

impl From<TooFar> for InvalidDeflate {
    fn from(_: TooFar) -> Self {
        Self
    }
}

/// Receives the back-references of matches.
pub(super) trait BackrefObserver {
    /// A match of this length begins at this place of the buffer.
    fn refers(&mut self, from: usize, length: usize);
}

impl BackrefObserver for () {
    #[inline]
    fn refers(&mut self, _from: usize, _length: usize) {}
}

/// The result of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InflateStep {
    /// Bytes taken of the input.
    pub(super) used: usize,
    /// Bytes of text that the call produced.
    pub(super) made: usize,
    /// The stream has come to its end, with the last byte taken.
    pub(super) end: bool,
    /// The call stopped at the end of a block that is not the last one; this number of high bits of the last byte
    /// taken, fewer than 8, belong to the next.
    pub(super) block: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InflateState {
    Block,
    /// The length of a block that is not compressed.
    StoredLength,
    /// This number of its bytes is left.
    Stored(usize),
    /// The codes of a block.
    BlockHeader,
    Symbols,
    /// So much of a match, for which there was no room.
    Match {
        length: usize,
        distance: usize,
    },
    End,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InflateFlow {
    On,
    /// Not without more input or more room.
    Wait,
    Block,
}

/// A deflate decoder that reports where blocks begin and what matches refer to.
#[derive(Debug)]
pub(super) struct DeflateDecoder {
    state: InflateState,
    is_last: bool,
    bits: BitBuffer,
    /// The codes are those of blocks that have none of their own.
    is_fixed: bool,
    codes: Box<BlockCodes>,
    header: Box<BlockHeader>,
}

impl DeflateDecoder {
    /// An inflater before the first byte.
    pub(super) fn new() -> Self {
        Self {
            state: InflateState::Block,
            is_last: false,
            bits: BitBuffer::default(),
            is_fixed: false,
            codes: Box::new(BlockCodes { literals: LiteralTable::new(), distances: DistanceTable::new() }),
            header: Box::new(BlockHeader::new()),
        }
    }

    /// Begins with a block, with the `bits` high bits of `byte`.
    pub(super) fn begin(&mut self, bits: u8, byte: u8) {
        (self.state, self.is_last) = (InflateState::Block, false);
        self.bits = BitBuffer::of_byte(byte, bits);
        *self.header = BlockHeader::new();
    }

    /// Inflates until the input or the room is used up or a block ends. `text` is the buffer, of which the first `at`
    /// bytes are what the stream may refer to.
    pub(super) fn step(
        &mut self,
        input: &[u8],
        text: &mut [u8],
        at: usize,
        watch: &mut impl BackrefObserver,
    ) -> Result<InflateStep, InvalidDeflate> {
        let (mut input, mut output) = (DeflateInput::new(self.bits, input), OutputBuffer::new(text, at));
        let flow = loop {
            match self.go_on(&mut input, &mut output, watch)? {
                InflateFlow::On => {}
                flow => break flow,
            }
        };
        self.bits = input.bits();
        let end = self.state == InflateState::End;
        let held = u8::try_from(input.count()).unwrap_or(u8::MAX);
        let block = (flow == InflateFlow::Block && !end).then_some(held);
        Ok(InflateStep { used: input.read(), made: output.written() - at, end, block })
    }

    fn go_on(
        &mut self,
        input: &mut DeflateInput<'_>,
        output: &mut OutputBuffer<'_>,
        watch: &mut impl BackrefObserver,
    ) -> Result<InflateFlow, InvalidDeflate> {
        match self.state {
            InflateState::Block => self.begin_block(input),
            InflateState::StoredLength => self.read_stored_length(input),
            InflateState::Stored(left) => Ok(self.copy_stored(left, input, output)),
            InflateState::BlockHeader if self.header.read(input, &mut self.codes)? => {
                self.state = InflateState::Symbols;
                Ok(InflateFlow::On)
            }
            InflateState::Symbols => self.decode(input, output, watch),
            InflateState::Match { length, distance } => {
                let left = length - output.copy(distance, length)?;
                self.state =
                    if left == 0 { InflateState::Symbols } else { InflateState::Match { length: left, distance } };
                Ok(if left == 0 { InflateFlow::On } else { InflateFlow::Wait })
            }
            InflateState::BlockHeader | InflateState::End => Ok(InflateFlow::Wait),
        }
    }

    fn begin_block(&mut self, input: &mut DeflateInput<'_>) -> Result<InflateFlow, InvalidDeflate> {
        if !input.need(3) {
            return Ok(InflateFlow::Wait);
        }
        self.is_last = input.take(1) == 1;
        self.state = match input.take(2) {
            0 => {
                input.align();
                InflateState::StoredLength
            }
            1 => {
                if !self.is_fixed {
                    self.codes.build_fixed()?;
                    self.is_fixed = true;
                }
                InflateState::Symbols
            }
            2 => {
                self.is_fixed = false;
                InflateState::BlockHeader
            }
            _ => return Err(InvalidDeflate),
        };
        Ok(InflateFlow::On)
    }

    fn read_stored_length(&mut self, input: &mut DeflateInput<'_>) -> Result<InflateFlow, InvalidDeflate> {
        if !input.need(32) {
            return Ok(InflateFlow::Wait);
        }
        let (length, complement) = (input.take(16), input.take(16));
        self.state = InflateState::Stored(length.into());
        if length == !complement { Ok(InflateFlow::On) } else { Err(InvalidDeflate) }
    }

    fn copy_stored(&mut self, left: usize, input: &mut DeflateInput<'_>, output: &mut OutputBuffer<'_>) -> InflateFlow {
        let bytes = input.bytes(left.min(output.room()));
        output.extend(bytes);
        if bytes.len() == left {
            return self.end_block();
        }
        self.state = InflateState::Stored(left - bytes.len());
        InflateFlow::Wait
    }

    fn decode(
        &mut self,
        input: &mut DeflateInput<'_>,
        output: &mut OutputBuffer<'_>,
        watch: &mut impl BackrefObserver,
    ) -> Result<InflateFlow, InvalidDeflate> {
        if input.count() < 8 && fast::decode(&self.codes, input, output, watch)? {
            return Ok(self.end_block());
        }
        let Some((symbol, after)) = careful::next(&self.codes, input)? else { return Ok(InflateFlow::Wait) };
        match symbol {
            DecodedSymbol::Literal(_) if output.room() == 0 => return Ok(InflateFlow::Wait),
            DecodedSymbol::Literal(byte) => output.extend(&[byte]),
            DecodedSymbol::Match { length, distance } => {
                watch.refers(output.from(distance)?, length);
                self.state = InflateState::Match { length, distance };
            }
            DecodedSymbol::End => {
                *input = after;
                return Ok(self.end_block());
            }
        }
        *input = after;
        Ok(InflateFlow::On)
    }

    /// A block has ended, and the stream with the last one.
    fn end_block(&mut self) -> InflateFlow {
        self.state = if self.is_last { InflateState::End } else { InflateState::Block };
        InflateFlow::Block
    }
}

#[cfg(test)]
mod tests;
