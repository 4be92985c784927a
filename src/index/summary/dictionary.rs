//! The different values of a field in one batch, each with a number, while they are few.
//!
//! What always holds: a number stands for the same bytes as long as the dictionary lives; it holds no more than
//! [`SUMMARY_TOKENS`] and [`SUMMARY_TOKEN_BYTES`].

use crate::limits::{SUMMARY_TOKEN_BYTES, SUMMARY_TOKENS};
use crate::record::scan::same;

/// Places of the table; twice as many as tokens, so that few meet.
const SLOTS: usize = 2 * SUMMARY_TOKENS;
/// The number of no token.
const FREE: u16 = u16::MAX;

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It has this number.
    Number(usize),
    /// It is new, and there is no room.
    NoRoom,
}

/// The values.
#[derive(Debug)]
pub(super) struct Dictionary {
    tokens: Vec<Box<[u8]>>,
    slots: Box<[u16]>,
    bytes: usize,
    is_full: bool,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Self { tokens: Vec::new(), slots: vec![FREE; SLOTS].into_boxed_slice(), bytes: 0, is_full: false }
    }

    /// The tokens, by number.
    pub(super) fn tokens(&self) -> &[Box<[u8]>] {
        &self.tokens
    }

    /// Whether there was a token for which there was no room; there is none for any other from then on.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Looks a token up by its hash, and enters it where it is new.
    #[inline]
    pub(super) fn enter(&mut self, token: &[u8], hash: u64) -> Entered {
        let mut slot = usize::try_from(hash % SLOTS as u64).unwrap_or_default();
        loop {
            let number = self.slots.get(slot).copied().unwrap_or(FREE);
            match self.tokens.get(usize::from(number)) {
                None => return self.add(token, slot),
                Some(known) if same(known, token) => return Entered::Number(usize::from(number)),
                Some(_) => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// Adds a token in a free slot.
    fn add(&mut self, token: &[u8], slot: usize) -> Entered {
        let bytes = self.bytes + token.len();
        self.is_full |= self.tokens.len() >= SUMMARY_TOKENS || bytes > SUMMARY_TOKEN_BYTES;
        let number = u16::try_from(self.tokens.len()).unwrap_or(FREE);
        match self.slots.get_mut(slot).filter(|_| !self.is_full) {
            Some(free) => *free = number,
            None => return Entered::NoRoom,
        }
        self.bytes = bytes;
        self.tokens.push(token.into());
        Entered::Number(usize::from(number))
    }
}

#[cfg(test)]
mod tests {
    use super::{Dictionary, Entered};
    use crate::limits::{SUMMARY_TOKEN_BYTES, SUMMARY_TOKENS};

    #[test]
    fn tokens_keep_their_numbers_and_there_is_an_end_of_them() {
        // Worst case for the table: all begin at one slot.
        for hash in [|_: usize| 3, |number: usize| number as u64] {
            let mut dictionary = Dictionary::new();
            for _ in 0..2 {
                for number in 0..SUMMARY_TOKENS {
                    let token = number.to_string();
                    assert_eq!(dictionary.enter(token.as_bytes(), hash(number)), Entered::Number(number));
                }
            }
            assert!(!dictionary.is_full());
            assert_eq!(dictionary.enter(b"one more", 3), Entered::NoRoom);
            assert!(dictionary.is_full());
            assert_eq!(dictionary.enter(b"7", hash(7)), Entered::Number(7));
            assert_eq!(dictionary.tokens().len(), SUMMARY_TOKENS);
        }
    }

    #[test]
    fn long_tokens_fill_it_early() {
        let mut dictionary = Dictionary::new();
        assert_eq!(dictionary.enter(&vec![b'x'; SUMMARY_TOKEN_BYTES], 0), Entered::Number(0));
        assert_eq!(dictionary.enter(b"", 1), Entered::Number(1));
        assert_eq!(dictionary.enter(b"y", 2), Entered::NoRoom);
        assert_eq!(dictionary.enter(b"", 1), Entered::Number(1));
    }
}
