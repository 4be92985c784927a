//! The code of the spans of a block of rays.
//!
//! # Invariants
//!
//! A code takes no more bits than all spans with the width of the largest. No byte and no bits make reading panic.

use super::bits::{PackedBitReader, PackedBitWriter};
use crate::limits::SPAN_BITS;

/// Set in the byte of a code whose spans may be escaped.
const ESCAPED: u8 = 0x80;

/// How the spans of a block are written, each less the smallest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanCode {
    /// Number of bits of a span that is not escaped.
    width: u32,
    /// Whether the highest number of these bits announces a span of this number or more.
    has_escapes: bool,
}

impl SpanCode {
    /// Returns the code that takes the fewest bits for these spans.
    pub(super) fn best<S: Iterator<Item = u32>>(spans: impl Fn() -> S) -> Self {
        let largest = spans().max().unwrap_or_default();
        let plain = Self { width: u32::BITS - largest.leading_zeros(), has_escapes: false };
        let codes = (1..plain.width).map(|width| Self { width, has_escapes: true });
        let size = |code: &Self| spans().map(|span| u64::from(code.size(span))).sum::<u64>();
        // Of equal ones the plain one, which is read faster.
        std::iter::once(plain).chain(codes).min_by_key(size).unwrap_or(plain)
    }

    /// Returns the number of bits of a span.
    const fn size(self, span: u32) -> u32 {
        match self.beyond(span) {
            Some(beyond) => self.width + 2 * (beyond + 1).ilog2() + 1,
            None => self.width,
        }
    }

    /// Returns by how much a span is more than the number that announces it; `None` if it is not escaped.
    const fn beyond(self, span: u32) -> Option<u32> {
        if self.has_escapes { span.checked_sub(self.escape()) } else { None }
    }

    /// The number that announces an escaped span.
    const fn escape(self) -> u32 {
        (1 << self.width) - 1
    }

    /// Writes a span.
    pub(super) fn write(self, stream: &mut PackedBitWriter, span: u32) {
        match self.beyond(span) {
            Some(beyond) => {
                stream.write(u64::from(self.escape()), self.width);
                stream.write_gamma(u64::from(beyond) + 1);
            }
            None => stream.write(u64::from(span), self.width),
        }
    }

    /// Reads a span; `None` if the bits are not one.
    pub(super) fn read(self, stream: &mut PackedBitReader<'_>) -> Option<u64> {
        let span = stream.read(self.width)?;
        if self.has_escapes && span == u64::from(self.escape()) {
            return stream.read_gamma().map(|beyond| span + beyond - 1);
        }
        Some(span)
    }

    /// Returns the byte that stands for the code.
    pub(super) fn to_byte(self) -> u8 {
        // A width is at most `SPAN_BITS`.
        let width = u8::try_from(self.width).unwrap_or(u8::MAX);
        if self.has_escapes { width | ESCAPED } else { width }
    }

    /// Returns the code of a byte; `None` if it has none.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let (width, has_escapes) = (u32::from(byte & !ESCAPED), byte & ESCAPED != 0);
        let is_known = width <= SPAN_BITS && (width > 0 || !has_escapes);
        is_known.then_some(Self { width, has_escapes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::super::bits::{PackedBitReader, PackedBitWriter};
    use super::SpanCode;
    use crate::limits::SPAN_BITS;

    /// The bits that these spans take in a code.
    fn size(code: SpanCode, spans: &[u32]) -> u32 {
        spans.iter().map(|span| code.size(*span)).sum()
    }

    #[test]
    fn straggler_does_not_widen_the_others() {
        let spans: Vec<u32> = (0..255).map(|number| number % 7).chain([1000]).collect();
        let code = SpanCode::best(|| spans.iter().copied());
        assert_eq!(code, SpanCode { width: 3, has_escapes: true });
        // 255 of three bits and one of three and 19, where each would have ten.
        assert_eq!(size(code, &spans), 255 * 3 + 22);
    }

    #[test]
    fn equal_spans_take_nothing() {
        let code = SpanCode::best(|| [0, 0, 0].into_iter());
        assert_eq!((code.to_byte(), size(code, &[0, 0, 0])), (0, 0));
    }

    #[test]
    fn byte_without_a_code_is_refused() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|byte| SpanCode::from_byte(*byte).is_some()).collect();
        let width = u8::try_from(SPAN_BITS).unwrap();
        assert_eq!(known, (0..=width).chain(0x81..=0x80 + width).collect::<Vec<_>>());
        assert!(known.iter().all(|byte| SpanCode::from_byte(*byte).unwrap().to_byte() == *byte));
    }

    #[test]
    fn escape_of_any_size_panics_nowhere() {
        let code = SpanCode { width: 1, has_escapes: true };
        for zeros in 0..80 {
            let mut stream = PackedBitWriter::default();
            stream.write(1, 1);
            stream.write_unary(zeros);
            stream.write(u64::MAX, 64);
            let bytes = stream.finish();
            assert_eq!(code.read(&mut PackedBitReader::at(&bytes, 0)).is_some(), zeros <= 56, "{zeros}");
        }
    }

    proptest! {
        #[test]
        fn spans_are_read_back_and_never_wider(
            dense in prop::collection::vec(0_u32..40, 1..200),
            stragglers in prop::collection::vec(0_u32..1 << SPAN_BITS, 0..8),
        ) {
            let spans: Vec<u32> = dense.into_iter().chain(stragglers).collect();
            let code = SpanCode::best(|| spans.iter().copied());
            let largest = spans.iter().max().copied().unwrap_or_default();
            prop_assert!(size(code, &spans) as usize <= (u32::BITS - largest.leading_zeros()) as usize * spans.len());
            let mut stream = PackedBitWriter::default();
            for span in &spans {
                code.write(&mut stream, *span);
            }
            let bytes = stream.finish();
            prop_assert_eq!(bytes.len(), size(code, &spans).div_ceil(8) as usize);
            let mut stream = PackedBitReader::at(&bytes, 0);
            for span in spans {
                prop_assert_eq!(code.read(&mut stream), Some(u64::from(span)));
            }
        }
    }
}
