//! A short text that is compared at many positions: the name of a member, with the punctuation around it.
//!
//! It is held as a few words of 16 bytes, so that a comparison takes two or three loads without a loop: measured in
//! wasm, names are a third of the cost of walking a line, and twice that when compared as slices.
//!
//! A literal matches exactly its own bytes.

use crate::record::lanes::{ByteLanes, LANES};

/// Number of vectors to compare: longer texts are compared slowly.
const WORDS: usize = 3;
/// Number of bytes that a fast comparison loads.
pub(super) const ROOM: usize = WORDS * LANES;

#[derive(Debug, Clone)]
pub(super) struct LiteralText {
    words: [ByteLanes; WORDS],
    /// Its length, or [`NEVER`] if the words do not hold all of it.
    length: u32,
    text: Box<[u8]>,
}

/// A length that exceeds every text compared in words.
const NEVER: u32 = u32::MAX;

impl LiteralText {
    /// Creates the literal of this text.
    pub(super) fn of(text: &[u8]) -> Self {
        let word = |number: usize| {
            let mut bytes = [0; LANES];
            bytes.iter_mut().zip(text.iter().skip(number * LANES)).for_each(|(byte, from)| *byte = *from);
            ByteLanes::of(bytes)
        };
        let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= ROOM).unwrap_or(NEVER);
        Self { words: std::array::from_fn(word), length, text: text.into() }
    }

    /// Returns the text after the literal, if `line` begins with it. Decides only for literals of at most [`ROOM`]
    /// bytes, in a line with at least that many left; if it returns `None`, [`Self::surely_after`] decides.
    #[inline(always)]
    pub(super) fn after<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        if self.stands_in(line.first_chunk()?) { line.get(self.length as usize..) } else { None }
    }

    /// Returns whether these bytes begin with it.
    #[inline(always)]
    fn stands_in(&self, room: &[u8; ROOM]) -> bool {
        let (words, _) = room.as_chunks();
        let [first, second, third] = words else { return false };
        let [one, two, three] = self.words;
        let both = ByteLanes::of(*first).same(one) | ByteLanes::of(*second).same(two) << LANES;
        if self.length <= u32::BITS {
            return both.trailing_ones() >= self.length;
        }
        both == u32::MAX && ByteLanes::of(*third).same(three).trailing_ones() >= self.length - u32::BITS
    }

    /// Returns the text after the literal, for any length of literal and line.
    #[inline(never)]
    pub(super) fn surely_after<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        line.strip_prefix(&*self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{LiteralText, ROOM};

    proptest! {
        #[test]
        fn a_literal_stands_where_its_bytes_stand(
            text in prop::collection::vec(any::<u8>(), 0..70),
            before in prop::collection::vec(any::<u8>(), 0..3),
            after in prop::collection::vec(any::<u8>(), 0..40),
            change in prop::option::of((any::<prop::sample::Index>(), 0..8_u32)),
        ) {
            let literal = LiteralText::of(&text);
            let mut line = [before.as_slice(), &text, &after].concat();
            if let Some((place, bit)) = change && !line.is_empty() {
                let place = place.index(line.len());
                line[place] ^= 1 << bit;
            }
            for at in 0..line.len() + 2 {
                let rest = line.get(at..).unwrap_or_default();
                let after = rest.strip_prefix(&text[..]);
                prop_assert_eq!(literal.surely_after(rest), after, "at {} of {:?}", at, line);
                let is_short = text.len() <= ROOM && rest.len() >= ROOM;
                prop_assert_eq!(literal.after(rest), after.filter(|_| is_short), "at {} of {:?}", at, line);
            }
        }
    }
}
