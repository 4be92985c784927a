//! Numbers in LEB128: seven bits a byte, the lowest first; the high bit says that more follow.

/// Appends a number.
pub(crate) fn write_leb128(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

/// Takes a number from the beginning of the bytes; `None` where they end too early or it has more than 64 bits.
pub(crate) fn read_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{read_leb128, write_leb128};

    fn packed(number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_leb128(&mut bytes, number);
        bytes
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (number, length) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX, 10)] {
            assert_eq!(packed(number).len(), length, "{number}");
        }
    }

    #[test]
    fn number_of_more_than_64_bits_is_refused() {
        let mut bytes = packed(u64::MAX);
        assert_eq!(read_leb128(&mut bytes.as_slice()), Some(u64::MAX));
        *bytes.last_mut().unwrap() = 2;
        assert_eq!(read_leb128(&mut bytes.as_slice()), None);
        assert_eq!(read_leb128(&mut [0x80; 11].as_slice()), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back_and_cuts_are_refused(number in any::<u64>(), shift in 0_u32..64) {
            let bytes = packed(number >> shift);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read_leb128(&mut rest), Some(number >> shift));
            prop_assert_eq!(rest, &[] as &[u8]);
            prop_assert_eq!(read_leb128(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
