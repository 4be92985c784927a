//! The loop that nearly all symbols go through: as long as there is enough input and room, nothing is asked per bit.
//!
//! A turn takes up to six literals, or literals and a match. The next symbol is looked up before a match is copied, so
//! that both happen at once. Input and output are locals, which the compiler keeps in registers.
//!
//! What always holds: it stops before a symbol that it has no room for, or behind one; bytes that were not used are
//! given back.

use super::input::Input;
use super::output::{MARGIN, Output};
use super::table::{Distances, Literals};
use super::{Damaged, Watch};

/// How many bytes of input a turn needs: two refills take 14 at most, and read 8 at once.
const AHEAD: usize = 24;

/// The codes of a block.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) literals: Literals,
    pub(super) distances: Distances,
}

/// Decodes symbols; fewer than 8 bits are held before and behind. Whether the block ended.
pub(super) fn decode(
    codes: &Codes,
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    watch: &mut impl Watch,
) -> Result<bool, Damaged> {
    let (mut from, mut to) = (*input, output.lend());
    let Codes { literals, distances } = codes;
    if !from.has(AHEAD) || !to.has(MARGIN) {
        return Ok(false);
    }
    from.refill();
    let mut entry = literals.look(from.held());
    let has_ended = loop {
        if !from.has(AHEAD) || !to.has(MARGIN) {
            break false;
        }
        // 56 bits are held here. Literals take 10, so two of these leave enough to look a third up; a match takes 48.
        if entry.is_literal() {
            to.literals(entry);
            from.skip(entry.bits());
            entry = literals.look(from.held());
            if entry.is_literal() {
                to.literals(entry);
                from.skip(entry.bits());
                entry = literals.look(from.held());
                from.refill();
                if entry.is_literal() {
                    to.literals(entry);
                    from.skip(entry.bits());
                    entry = literals.look(from.held());
                    from.refill();
                    continue;
                }
            } else {
                from.refill();
            }
        }
        if entry.is_odd() {
            if entry.is_link() {
                from.skip(entry.bits());
                entry = literals.follow(entry, from.held());
                if entry.is_literal() {
                    to.literals(entry);
                    from.skip(entry.bits());
                    from.refill();
                    entry = literals.look(from.held());
                    continue;
                }
            }
            if entry.is_odd() {
                from.skip(entry.bits());
                if !entry.is_end() {
                    return Err(Damaged);
                }
                break true;
            }
        }
        let length = from.number(entry);
        let mut far = distances.look(from.held());
        if far.is_link() {
            from.skip(far.bits());
            far = distances.follow(far, from.held());
        }
        if far.is_odd() {
            return Err(Damaged);
        }
        let distance = from.number(far);
        from.refill();
        entry = literals.look(from.held());
        to.copy_fast(distance, length, watch)?;
    };
    from.give_back();
    let written = to.written();
    *input = from;
    output.made(written);
    Ok(has_ended)
}
