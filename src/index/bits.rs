//! A bit stream, least significant bit first, for packed rays and links.
//!
//! Reading past the end returns `None`, whatever the bytes are.

use crate::record::RayId;

/// Appends bits to a byte buffer.
#[derive(Debug, Default)]
pub(super) struct PackedBitWriter {
    bytes: Vec<u8>,
    /// Bits that are not yet in `bytes`; fewer than 32 between calls.
    pending: u64,
    count: u32,
}

impl PackedBitWriter {
    /// Returns the number of bits written so far.
    pub(super) fn position(&self) -> u64 {
        self.bytes.len() as u64 * 8 + u64::from(self.count)
    }

    /// Writes the `width` low bits of `value`; `width` is at most 64.
    pub(super) fn write(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.write(value, 32);
            return self.write(value >> 32, width - 32);
        }
        self.pending |= (value & ((1 << width) - 1)) << self.count;
        self.count += width;
        if self.count >= 32 {
            let [low @ .., _, _, _, _] = self.pending.to_le_bytes();
            self.bytes.extend_from_slice(&low);
            self.pending >>= 32;
            self.count -= 32;
        }
    }

    /// Writes `count` zeros and a one.
    pub(super) fn write_unary(&mut self, mut count: u64) {
        while count >= 32 {
            self.write(0, 32);
            count -= 32;
        }
        self.write(1 << count, u32::try_from(count).unwrap_or_default() + 1);
    }

    /// Writes a distance as Rice code: ⌊d/2^k⌋ zeros, a one, and the k low bits.
    pub(super) fn write_rice(&mut self, distance: u64, k: u32) {
        self.write_unary(distance >> k);
        self.write(distance, k);
    }

    /// Writes a number above 0 as Elias gamma code: a zero for each bit below its highest one, a one, and these bits.
    pub(super) fn write_gamma(&mut self, number: u64) {
        let width = number.max(1).ilog2();
        self.write_unary(width.into());
        self.write(number, width);
    }

    /// Returns the bytes; the last one is padded with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let bytes = self.pending.to_le_bytes();
        self.bytes.extend(bytes.iter().take(self.count.div_ceil(8) as usize));
        self.bytes
    }
}

/// Reads bits from a byte slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedBitReader<'a> {
    bytes: &'a [u8],
    position: u64,
}

impl<'a> PackedBitReader<'a> {
    /// Creates a reader of `bytes` that starts at the bit `position`.
    pub(super) const fn at(bytes: &'a [u8], position: u64) -> Self {
        Self { bytes, position }
    }

    /// Returns the next `width` bits; `width` is at most 56. A read of 0 bits succeeds anywhere, even at the end.
    pub(super) fn read(&mut self, width: u32) -> Option<u64> {
        if width == 0 {
            return Some(0);
        }
        let window = self.window()?;
        let end = self.position + u64::from(width);
        if end > self.bytes.len() as u64 * 8 {
            return None;
        }
        self.position = end;
        Some(window & ((1 << width) - 1))
    }

    /// Returns the number of zeros before the next one, and consumes both.
    pub(super) fn read_unary(&mut self) -> Option<u64> {
        let mut zeros = 0;
        loop {
            let window = self.window()?;
            let run = u64::from(window.trailing_zeros());
            // A window has at least 56 valid bits.
            if run < 56 {
                self.position += run + 1;
                let inside = self.position <= self.bytes.len() as u64 * 8;
                return inside.then_some(zeros + run);
            }
            zeros += 56;
            self.position += 56;
        }
    }

    /// Returns the distance of a Rice code.
    pub(super) fn read_rice(&mut self, k: u32) -> Option<u64> {
        let quotient = self.read_unary()?;
        let high = quotient.checked_mul(1_u64.checked_shl(k)?)?;
        Some(high | self.read(k)?)
    }

    /// Returns the number of an Elias gamma code.
    pub(super) fn read_gamma(&mut self) -> Option<u64> {
        let width = u32::try_from(self.read_unary()?).ok().filter(|width| *width <= 56)?;
        Some(1 << width | self.read(width)?)
    }

    /// Returns at least 56 bits from the position on, padded with zeros after the end; `None` past the end.
    fn window(&self) -> Option<u64> {
        let first = usize::try_from(self.position / 8).ok()?;
        let rest = self.bytes.get(first..)?;
        let word = if let Some(word) = rest.first_chunk::<8>() {
            u64::from_le_bytes(*word)
        } else if rest.is_empty() {
            return None;
        } else {
            rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
        };
        Some(word >> (self.position % 8))
    }
}

/// Returns the k of the Rice code that packs these `count` distances best, among those near their mean.
pub(super) fn best_k<D: Iterator<Item = u64>>(distances: impl Fn() -> D, count: usize) -> u32 {
    let mean = distances().sum::<u64>() / count.max(1) as u64;
    let near = (u64::BITS - mean.leading_zeros()).min(RayId::SUFFIX_BITS);
    let cost = |k: u32| distances().map(|distance| (distance >> k) + 1 + u64::from(k)).sum::<u64>();
    (near.saturating_sub(4)..=near).min_by_key(|&k| cost(k)).unwrap_or(near)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{PackedBitReader, PackedBitWriter};

    #[test]
    fn reading_past_the_end_is_none() {
        assert_eq!(PackedBitReader::at(&[], 0).read(1), None);
        assert_eq!(PackedBitReader::at(&[], 0).read_unary(), None);
        assert_eq!(PackedBitReader::at(&[0, 0], 0).read_unary(), None);
        assert_eq!(PackedBitReader::at(&[1, 0], 9).read(8), None);
        assert_eq!(PackedBitReader::at(&[1], u64::MAX).read(8), None);
    }

    #[test]
    fn no_bits_can_be_read_at_the_end() {
        assert_eq!(PackedBitReader::at(&[], 0).read(0), Some(0));
        assert_eq!(PackedBitReader::at(&[7], 8).read(0), Some(0));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(values in prop::collection::vec((0_u64..1 << 44, 0_u64..300, 0_u32..=44), 0..60)) {
            let mut writer = PackedBitWriter::default();
            for &(value, unary, width) in &values {
                writer.write_unary(unary);
                writer.write(value, width);
                writer.write_rice(value, width.max(30));
                writer.write_gamma(value + 1);
            }
            let bytes = writer.finish();
            let mut reader = PackedBitReader::at(&bytes, 0);
            for (value, unary, width) in values {
                prop_assert_eq!(reader.read_unary(), Some(unary));
                prop_assert_eq!(reader.read(width), Some(value & ((1 << width) - 1)));
                prop_assert_eq!(reader.read_rice(width.max(30)), Some(value));
                prop_assert_eq!(reader.read_gamma(), Some(value + 1));
            }
        }
    }
}
