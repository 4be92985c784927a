//! One symbol at a time, where input or room may end: what the fast loop leaves.
//!
//! # Invariants
//!
//! No byte is taken that the symbol does not need, so fewer than 8 bits are held after it. A symbol is taken whole or
//! not at all.

use super::InvalidDeflate;
use super::fast::BlockCodes;
use super::input::DeflateInput;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecodedSymbol {
    Literal(u8),
    /// Text from so far back.
    Match {
        length: usize,
        distance: usize,
    },
    /// The end of the block.
    End,
}

/// The next symbol, and the input after it; `None` where the input ends before it does.
pub(super) fn next<'i>(
    codes: &BlockCodes,
    input: &mut DeflateInput<'i>,
) -> Result<Option<(DecodedSymbol, DeflateInput<'i>)>, InvalidDeflate> {
    loop {
        if let Some(found) = peek(codes, *input)? {
            return Ok(Some(found));
        }
        if !input.pull() {
            return Ok(None);
        }
    }
}

/// The symbol that the held bits begin with; `None` where they are too few.
fn peek<'i>(
    codes: &BlockCodes,
    mut input: DeflateInput<'i>,
) -> Result<Option<(DecodedSymbol, DeflateInput<'i>)>, InvalidDeflate> {
    let mut entry = codes.literals.look(input.held());
    if !entry.is_literal() && entry.is_link() {
        if entry.bits() > input.count() {
            return Ok(None);
        }
        input.skip(entry.bits());
        entry = codes.literals.follow(entry, input.held());
    }
    if entry.is_literal() {
        // Of a pair the first alone: there may be no room, or no bits, for both.
        let [byte, _] = entry.literals();
        return Ok(skip(input, entry.first_bits()).map(|after| (DecodedSymbol::Literal(byte), after)));
    }
    if entry.bits() > input.count() {
        return Ok(None);
    }
    if entry.is_odd() {
        let after = skip(input, entry.bits()).filter(|_| entry.is_end()).ok_or(InvalidDeflate)?;
        return Ok(Some((DecodedSymbol::End, after)));
    }
    let length = input.number(entry);
    let mut far = codes.distances.look(input.held());
    if far.is_link() {
        if far.bits() > input.count() {
            return Ok(None);
        }
        input.skip(far.bits());
        far = codes.distances.follow(far, input.held());
    }
    if far.bits() > input.count() {
        return Ok(None);
    }
    if far.is_odd() {
        return Err(InvalidDeflate);
    }
    let distance = input.number(far);
    Ok(Some((DecodedSymbol::Match { length, distance }, input)))
}

/// The input after `bits` bits, if it has them.
fn skip(mut input: DeflateInput<'_>, bits: u32) -> Option<DeflateInput<'_>> {
    (bits <= input.count()).then(|| {
        input.skip(bits);
        input
    })
}
