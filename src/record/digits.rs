//! Reads eight digits at a time, in one word: those of Ray IDs and timestamps, of which every line of a batch has
//! several.
//!
//! The result equals that of reading digit by digit; any byte that is not a digit gives `None`.

/// A word with 1 in every byte.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of every byte.
const HIGH: u64 = ONES * 0x80;

/// Parses eight decimal digits.
pub(super) const fn decimal(digits: [u8; 8]) -> Option<u64> {
    let values = u64::from_le_bytes(digits) ^ (ONES * b'0' as u64);
    // Digits become 0 to 9, all other bytes something larger.
    if (values | up_to(values & !HIGH, 10)) & HIGH != 0 {
        return None;
    }
    Some(join(values, 10))
}

/// Parses eight hexadecimal digits of any case.
pub(super) const fn hexadecimal(digits: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(digits);
    if word & HIGH != 0 {
        return None;
    }
    let decimal = !up_to(word ^ (ONES * b'0' as u64), 10);
    let small = word | (ONES * 0x20);
    let letters = up_to(small, b'a') & !up_to(small, b'g') & HIGH;
    if (decimal & HIGH) | letters != HIGH {
        return None;
    }
    // The low bits of a letter have the values 1 to 6.
    Some(join((word & (ONES * 15)) + (letters >> 7) * 9, 16))
}

/// Returns the high bit of each byte that is not below `bound`; all bytes must be below 128.
const fn up_to(bytes: u64, bound: u8) -> u64 {
    bytes + ONES * (0x80 - bound as u64)
}

/// Combines bytes into the number with these digits in the base, first digit in the lowest byte: joins pairs, then
/// fours, then both fours.
const fn join(digits: u64, base: u64) -> u64 {
    let pairs = (digits.wrapping_mul(1 + (base << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(1 + (base.pow(2) << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(1 + (base.pow(4) << 32)) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{decimal, hexadecimal};

    /// Parses digit by digit.
    fn naive(digits: [u8; 8], base: u32) -> Option<u64> {
        digits.iter().try_fold(0, |sum, digit| {
            let value = char::from(*digit).to_digit(base)?;
            Some(sum * u64::from(base) + u64::from(value))
        })
    }

    #[test]
    fn every_byte_is_a_digit_or_none() {
        for (place, byte) in (0..8).flat_map(|place| (0..=u8::MAX).map(move |byte| (place, byte))) {
            for digit in [b'0', b'7', b'9'] {
                let mut digits = [digit; 8];
                digits[place] = byte;
                assert_eq!(decimal(digits), naive(digits, 10), "{digits:?}");
                assert_eq!(hexadecimal(digits), naive(digits, 16), "{digits:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_digit_by_digit(digits in prop::collection::vec(prop::sample::select(b"0123456789abcdefABCDEF".to_vec()), 8)) {
            let digits = <[u8; 8]>::try_from(digits).unwrap();
            prop_assert_eq!(hexadecimal(digits), naive(digits, 16));
            let digits = digits.map(|digit| b'0' + digit % 10);
            prop_assert_eq!(decimal(digits), naive(digits, 10));
        }
    }
}
