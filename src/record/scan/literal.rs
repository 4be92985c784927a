//! A short text that is looked for at many places: the name of a member, with what stands around it.
//!
//! It is held as a few words of 16 bytes, so that a comparison is two or three loads without a loop: measured in wasm,
//! names are a third of what walking a line costs, and half of that as slices.
//!
//! What always holds: a literal stands where its very bytes stand, and nowhere else.

/// How many bytes are compared together.
const WORD: usize = 16;

/// The text.
#[derive(Debug, Clone)]
pub(super) struct Literal {
    text: Box<[u8]>,
    /// Its first, second and last word; where it is shorter than one, the bits of `mask` alone count.
    first: u128,
    second: u128,
    last: u128,
    mask: u128,
    /// Where the last word begins.
    last_at: usize,
}

impl Literal {
    /// The literal of this text.
    pub(super) fn of(text: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes = text.iter().copied().skip(at).take(WORD);
            bytes.rev().fold((0, 0), |(word, length), byte| (word << u8::BITS | u128::from(byte), length + u8::BITS))
        };
        let ((first, bits), last_at) = (word(0), text.len().saturating_sub(WORD));
        let mask = u128::MAX.checked_shr(u128::BITS - bits).unwrap_or_default();
        Self { text: text.into(), first, second: word(WORD).0, last: word(last_at).0, mask, last_at }
    }

    /// Its length, in bytes.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether it stands at this place of a line.
    #[inline(always)]
    pub(super) fn stands_at(&self, line: &[u8], at: usize) -> bool {
        let (Some(first), Some(last)) = (word_at(line, at), word_at(line, at + self.last_at)) else {
            return self.is_at(line, at);
        };
        let differ = ((first ^ self.first) | (last ^ self.last)) & self.mask;
        differ == 0 && (self.last_at <= WORD || self.middle_is_at(line, at))
    }

    /// Whether what lies between the first and the last word stands there.
    #[inline(always)]
    fn middle_is_at(&self, line: &[u8], at: usize) -> bool {
        if self.last_at > 2 * WORD {
            return self.is_at(line, at);
        }
        word_at(line, at + WORD).is_some_and(|second| second == self.second)
    }

    /// The same for a literal that is long, or near the end of a line.
    #[cold]
    #[inline(never)]
    fn is_at(&self, line: &[u8], at: usize) -> bool {
        line.get(at..).is_some_and(|rest| rest.starts_with(&self.text))
    }
}

/// The word at a place, if there is as much.
#[inline(always)]
fn word_at(line: &[u8], at: usize) -> Option<u128> {
    line.get(at..)?.first_chunk().copied().map(u128::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::Literal;

    proptest! {
        #[test]
        fn a_literal_stands_where_its_bytes_stand(
            text in prop::collection::vec(any::<u8>(), 0..70),
            before in prop::collection::vec(any::<u8>(), 0..3),
            behind in prop::collection::vec(any::<u8>(), 0..40),
            change in prop::option::of((any::<prop::sample::Index>(), 0..8_u32)),
        ) {
            let literal = Literal::of(&text);
            let mut line = [before.as_slice(), &text, &behind].concat();
            if let Some((place, bit)) = change && !line.is_empty() {
                let place = place.index(line.len());
                line[place] ^= 1 << bit;
            }
            prop_assert_eq!(literal.len(), text.len());
            for at in 0..line.len() + 2 {
                let stands = line.get(at..).is_some_and(|rest| rest.starts_with(&text));
                prop_assert_eq!(literal.stands_at(&line, at), stands, "at {} of {:?}", at, line);
            }
        }
    }
}
