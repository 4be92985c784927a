//! The distinct values of a field in one batch, numbered, as long as they are few.
//!
//! # Invariants
//!
//! A number denotes the same bytes for the lifetime of the dictionary. It holds at most [`SUMMARY_TOKENS`] values and
//! [`SUMMARY_TOKEN_BYTES`].

use crate::limits::{SUMMARY_TOKEN_BYTES, SUMMARY_TOKENS};
use crate::record::FieldToken;
use crate::record::lanes::{LANES, TextHead};

/// Number of slots in the hash table: a power of two, and twice the number of tokens, so that few collide.
const SLOTS: usize = 2 * SUMMARY_TOKENS;

/// A slot of the hash table.
#[derive(Debug, Clone, Copy)]
struct TableSlot {
    head: TextHead,
    length: usize,
    number: u16,
}

/// A free slot: no token has its length.
const FREE: TableSlot = TableSlot { head: TextHead::NONE, length: usize::MAX, number: u16::MAX };

/// The values with their numbers.
#[derive(Debug)]
pub(super) struct Dictionary {
    tokens: Vec<Box<[u8]>>,
    slots: Box<[TableSlot; SLOTS]>,
    bytes: usize,
    is_full: bool,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Self { tokens: Vec::new(), slots: Box::new([FREE; SLOTS]), bytes: 0, is_full: false }
    }

    /// Returns the tokens in the order of their numbers.
    pub(super) fn tokens(&self) -> &[Box<[u8]>] {
        &self.tokens
    }

    /// Returns whether a token did not fit; no further token is added after that.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the number of a token, if it has one.
    #[inline]
    pub(super) fn number(&self, token: &FieldToken<'_>) -> Option<usize> {
        let mut position = first_slot(token);
        loop {
            let slot = self.slots.get(position % SLOTS)?;
            if slot.length == token.text.len() && slot.head.is(token.head) && self.has_rest(slot, token) {
                return Some(slot.number.into());
            }
            if slot.length == FREE.length {
                return None;
            }
            position += 1;
        }
    }

    /// Returns whether a token equals that of a slot with the same head and length.
    #[inline]
    fn has_rest(&self, slot: &TableSlot, token: &FieldToken<'_>) -> bool {
        let Some(rest) = token.text.get(LANES..).filter(|rest| !rest.is_empty()) else { return true };
        let known = self.tokens.get(usize::from(slot.number)).and_then(|known| known.get(LANES..));
        known == Some(rest)
    }

    /// Adds a token, and returns its number; `None` if the dictionary is full.
    pub(super) fn enter(&mut self, token: &FieldToken<'_>) -> Option<usize> {
        let FieldToken { text, head } = *token;
        let bytes = self.bytes + text.len();
        self.is_full |= self.tokens.len() >= SUMMARY_TOKENS || bytes > SUMMARY_TOKEN_BYTES;
        if self.is_full {
            return None;
        }
        let number = self.tokens.len();
        let mut positions = (0..SLOTS).map(|step| (first_slot(token) + step) % SLOTS);
        let free =
            positions.find(|position| self.slots.get(*position).is_some_and(|slot| slot.length == FREE.length))?;
        *self.slots.get_mut(free)? = TableSlot { head, length: text.len(), number: u16::try_from(number).ok()? };
        self.bytes = bytes;
        self.tokens.push(text.into());
        Some(number)
    }
}

/// Returns the first slot to probe for a token: a hash of its head, its length, and its last bytes.
#[inline]
fn first_slot(token: &FieldToken<'_>) -> usize {
    /// Odd, and as irregular as the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let [low, high] = token.head.words();
    let last = if token.text.len() > LANES { token.text.last_chunk().copied().unwrap_or_default() } else { [0; 8] };
    let words = low ^ high.rotate_left(29) ^ u64::from_le_bytes(last).rotate_left(43) ^ token.text.len() as u64;
    // The highest bits depend on all others.
    usize::try_from(words.wrapping_mul(FACTOR) >> (u64::BITS - SLOTS.ilog2())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Dictionary;
    use crate::limits::{SUMMARY_TOKEN_BYTES, SUMMARY_TOKENS};
    use crate::record::FieldToken;

    fn enter(dictionary: &mut Dictionary, text: &[u8]) -> Option<usize> {
        let token = FieldToken::at(text, 0, text);
        let number = dictionary.number(&token).or_else(|| dictionary.enter(&token));
        assert_eq!(dictionary.number(&token), number);
        number
    }

    #[test]
    fn tokens_keep_their_numbers_and_have_a_bound() {
        let short = |number: usize| number.to_string();
        // The worst case for the table: tokens of equal length that all hash to one slot.
        let alike = |number: usize| format!("{:>17}{number:>4}{:>9}", "", "");
        for text in [short, alike] {
            let mut dictionary = Dictionary::new();
            for _ in 0..2 {
                for number in 0..SUMMARY_TOKENS {
                    assert_eq!(enter(&mut dictionary, text(number).as_bytes()), Some(number));
                }
            }
            assert!(!dictionary.is_full());
            assert_eq!(enter(&mut dictionary, b"one more"), None);
            assert!(dictionary.is_full());
            assert_eq!(enter(&mut dictionary, text(7).as_bytes()), Some(7));
            assert_eq!(dictionary.tokens().len(), SUMMARY_TOKENS);
        }
    }

    #[test]
    fn long_tokens_fill_it_early() {
        let mut dictionary = Dictionary::new();
        assert_eq!(enter(&mut dictionary, &vec![b'x'; SUMMARY_TOKEN_BYTES]), Some(0));
        assert_eq!(enter(&mut dictionary, b""), Some(1));
        assert_eq!(enter(&mut dictionary, b"y"), None);
        assert_eq!(enter(&mut dictionary, b""), Some(1));
    }

    #[test]
    fn tokens_that_differ_anywhere_are_others() {
        let mut dictionary = Dictionary::new();
        let mut texts = vec![Vec::new()];
        for length in [1, 15, 16, 17, 31, 33] {
            texts.push(vec![0; length]);
            for place in 0..length {
                texts.push((0..length).map(|at| u8::from(at == place)).collect());
            }
        }
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(enter(&mut dictionary, text), Some(number), "{text:?}");
        }
    }
}
