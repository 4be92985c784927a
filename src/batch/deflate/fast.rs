//! The loop that decodes nearly all symbols: while there is enough input and room, it checks neither for each bit.
//!
//! A turn takes up to six literals, or literals and a match. It looks up the next symbol before it copies a match, so
//! that the processor does both at once. Input and output are locals, which the compiler keeps in registers.
//!
//! # Invariants
//!
//! Decoding stops between two symbols, where the next one may not have room. It gives unused bytes back.

use super::entry::TableEntry;
use super::input::DeflateInput;
use super::output::{OutputBuffer, TooFar, copy};
use super::table::{DistanceTable, LiteralTable};
use super::{BackrefObserver, InvalidDeflate};

/// The literals that a turn may add before its match: three times two, up to the next power of two.
const LITERALS: usize = 8;
/// Bytes of one copy. Most matches of log lines have 16 to 100 bytes, so one copy suffices for most of them, and no
/// branch depends on their length.
const STEP: usize = 128;
/// The room that a turn needs: its literals, and a match of 258 bytes, copied in steps.
const MARGIN: usize = LITERALS + 3 * STEP;

/// The codes of a block.
#[derive(Debug)]
pub(super) struct BlockCodes {
    pub(super) literals: LiteralTable,
    pub(super) distances: DistanceTable,
}

/// The output of one turn: literals, and a match after them.
struct LiteralsAndMatch<'t> {
    before: &'t [u8],
    room: &'t mut [u8; MARGIN],
    /// How many literals there are.
    made: usize,
}

impl<'t> LiteralsAndMatch<'t> {
    /// A turn after this much text, if there is room for it.
    #[inline]
    fn new(text: &'t mut [u8], written: usize) -> Option<Self> {
        let (before, room) = text.split_at_mut_checked(written)?;
        Some(Self { before, room: room.first_chunk_mut()?, made: 0 })
    }

    /// Adds the literals of an entry.
    #[inline]
    fn literals(&mut self, entry: TableEntry) {
        if let Some(room) = self.room.get_mut(self.made % LITERALS..).and_then(<[u8]>::first_chunk_mut) {
            *room = entry.literals();
        }
        self.made += entry.count();
    }

    /// Copies a match from this offset of the text, as far as its source is text before the turn; returns how far.
    #[inline]
    fn copy_far(&mut self, from: usize, length: usize) -> usize {
        let mut done = 0;
        while done < length {
            let source = self.before.get(from + done..).and_then(<[u8]>::first_chunk::<STEP>);
            let target = self.room.get_mut(self.made % LITERALS + done..).and_then(<[u8]>::first_chunk_mut::<STEP>);
            let (Some(source), Some(target)) = (source, target) else { break };
            copy_part(source, target, 0);
            copy_part(source, target, 32);
            copy_part(source, target, 64);
            copy_part(source, target, 96);
            done += STEP;
        }
        done
    }
}

/// Copies 32 bytes, which are two vectors.
#[inline]
fn copy_part(source: &[u8; STEP], target: &mut [u8; STEP], at: usize) {
    if let Some(source) = source.get(at..).and_then(<[u8]>::first_chunk::<32>)
        && let Some(target) = target.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
    {
        *target = *source;
    }
}

/// The distance whose code and extra bits the input holds.
#[inline]
fn distance(distances: &DistanceTable, from: &mut DeflateInput<'_>) -> Result<usize, InvalidDeflate> {
    let mut far = distances.look(from.held());
    if far.is_link() {
        from.skip(far.bits());
        far = distances.follow(far, from.held());
    }
    if far.is_odd() { Err(InvalidDeflate) } else { Ok(from.number(far)) }
}

/// Decodes symbols; fewer than 8 bits are held before and after. Returns whether the block ended.
pub(super) fn decode(
    codes: &BlockCodes,
    input: &mut DeflateInput<'_>,
    output: &mut OutputBuffer<'_>,
    watch: &mut impl BackrefObserver,
) -> Result<bool, InvalidDeflate> {
    let (mut from, mut written) = (*input, output.written());
    let text = output.text();
    let BlockCodes { literals, distances } = codes;
    let Some(ahead) = from.ahead() else { return Ok(false) };
    from.refill(ahead);
    let mut entry = literals.look(from.held());
    let has_ended = loop {
        let Some(ahead) = from.ahead() else { break false };
        let Some(mut turn) = LiteralsAndMatch::new(text, written) else { break false };
        // 56 bits are held here. A literal takes 10, so two of them leave enough for the lookup of a third; a match
        // takes 48.
        if entry.is_literal() {
            turn.literals(entry);
            from.skip(entry.bits());
            entry = literals.look(from.held());
            if entry.is_literal() {
                turn.literals(entry);
                from.skip(entry.bits());
                entry = literals.look(from.held());
                from.refill(ahead);
                if entry.is_literal() {
                    turn.literals(entry);
                    from.skip(entry.bits());
                    entry = literals.look(from.held());
                    from.refill(ahead);
                    written += turn.made;
                    continue;
                }
            } else {
                from.refill(ahead);
            }
        }
        if entry.is_odd() {
            if entry.is_link() {
                from.skip(entry.bits());
                entry = literals.follow(entry, from.held());
                if entry.is_literal() {
                    turn.literals(entry);
                    from.skip(entry.bits());
                    from.refill(ahead);
                    entry = literals.look(from.held());
                    written += turn.made;
                    continue;
                }
            }
            if entry.is_odd() {
                from.skip(entry.bits());
                written += turn.made;
                if !entry.is_end() {
                    return Err(InvalidDeflate);
                }
                break true;
            }
        }
        let length = from.number(entry);
        let distance = distance(distances, &mut from)?;
        from.refill(ahead);
        entry = literals.look(from.held());
        written += turn.made;
        let place = written.checked_sub(distance).ok_or(TooFar)?;
        watch.refers(place, length);
        let done = turn.copy_far(place, length);
        if done < length {
            copy(text, (place + done, written + done), length - done);
        }
        written += length;
    };
    from.give_back();
    *input = from;
    output.made(written);
    Ok(has_ended)
}
