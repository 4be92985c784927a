//! The header of a gzip member (RFC 1952), which is stepped over.
//!
//! # Invariants
//!
//! Every header that zlib refuses is refused: another method than deflate, reserved flags, a wrong checksum of the
//! header. No byte after the header is taken.

use flate2::Crc;

/// First byte of a gzip member; no text begins with it.
pub const GZIP_MAGIC: u8 = 0x1f;
const MAGIC_BEHIND: u8 = 0x8b;
/// The second byte of a file of `compress`, whose first one is gzip's.
pub(super) const COMPRESS_MAGIC_BEHIND: u8 = 0x9d;
/// The only method there is: deflate.
const METHOD: u8 = 8;
/// Flags, in the order in which what they announce follows.
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const CHECKSUM: u8 = 2;
const RESERVED: u8 = 0xe0;

/// These bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoHeader;

/// The part of a gzip member that the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GzipPart {
    /// The fixed part, after this number of its bytes: magic, method, flags, time (4), further flags, system.
    Fixed(u8),
    ExtraLength,
    /// The high byte of that length; the value is the low one.
    ExtraLengthHigh(u8),
    Extra(u16),
    /// A text that a zero ends.
    Name,
    Comment,
    /// The low one of the two bytes of the checksum of all bytes before it.
    Checksum,
    /// The high byte, with the value that it must have.
    ChecksumHigh(u8),
    End,
}

/// A header, as it comes in.
#[derive(Debug)]
pub(super) struct GzipHeader {
    part: GzipPart,
    flags: u8,
    sum: Crc,
}

impl GzipHeader {
    /// A header before its first byte.
    pub(super) fn new() -> Self {
        Self { part: GzipPart::Fixed(0), flags: 0, sum: Crc::new() }
    }

    /// Whether the header has come to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.part == GzipPart::End
    }

    pub(super) fn push(&mut self, byte: u8) -> Result<(), NoHeader> {
        let part = match (self.part, byte) {
            (GzipPart::Fixed(0), GZIP_MAGIC)
            | (GzipPart::Fixed(1), MAGIC_BEHIND)
            | (GzipPart::Fixed(2), METHOD)
            | (GzipPart::Fixed(4..=8), _) => self.advance(),
            (GzipPart::Fixed(0..=2), _) => return Err(NoHeader),
            (GzipPart::Fixed(3), flags) => {
                self.flags = flags;
                if flags & RESERVED == 0 { self.advance() } else { return Err(NoHeader) }
            }
            (GzipPart::Fixed(_), _) => self.after(0),
            (GzipPart::ExtraLength, low) => GzipPart::ExtraLengthHigh(low),
            (GzipPart::ExtraLengthHigh(low), high) => match u16::from_le_bytes([low, high]) {
                0 => self.after(EXTRA),
                length => GzipPart::Extra(length),
            },
            (GzipPart::Extra(left), _) if left > 1 => GzipPart::Extra(left - 1),
            (GzipPart::Extra(_), _) => self.after(EXTRA),
            (GzipPart::Name, 0) => self.after(NAME),
            (GzipPart::Comment, 0) => self.after(COMMENT),
            (GzipPart::Checksum, low) => {
                let [own, high, ..] = self.sum.sum().to_le_bytes();
                if low == own { GzipPart::ChecksumHigh(high) } else { return Err(NoHeader) }
            }
            (GzipPart::ChecksumHigh(own), high) => {
                if high == own {
                    GzipPart::End
                } else {
                    return Err(NoHeader);
                }
            }
            (part @ (GzipPart::Name | GzipPart::Comment | GzipPart::End), _) => part,
        };
        self.sum.update(&[byte]);
        self.part = part;
        Ok(())
    }

    /// The next byte of the fixed part.
    const fn advance(&self) -> GzipPart {
        match self.part {
            GzipPart::Fixed(place) => GzipPart::Fixed(place + 1),
            part => part,
        }
    }

    /// Returns the part after the one that this flag announced, or after the fixed part.
    fn after(&self, flag: u8) -> GzipPart {
        let parts = [
            (EXTRA, GzipPart::ExtraLength),
            (NAME, GzipPart::Name),
            (COMMENT, GzipPart::Comment),
            (CHECKSUM, GzipPart::Checksum),
        ];
        let after =
            parts.into_iter().skip(parts.iter().position(|(known, _)| *known == flag).map_or(0, |place| place + 1));
        after.into_iter().find(|(known, _)| self.flags & known != 0).map_or(GzipPart::End, |(_, part)| part)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, Crc, Decompress, FlushDecompress, GzBuilder};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{CHECKSUM, GZIP_MAGIC, GzipHeader};

    /// How long the header at the beginning is; `None` where it does not end.
    fn length(bytes: &[u8]) -> Result<Option<usize>, super::NoHeader> {
        let mut header = GzipHeader::new();
        for (place, byte) in bytes.iter().enumerate() {
            if header.has_ended() {
                return Ok(Some(place));
            }
            header.push(*byte)?;
        }
        Ok(header.has_ended().then_some(bytes.len()))
    }

    /// A header of these parts, with a checksum where it is asked for.
    fn header(extra: Option<&[u8]>, name: Option<&str>, comment: Option<&str>, has_sum: bool) -> Vec<u8> {
        let mut builder = GzBuilder::new().mtime(0x0102_0304);
        builder = if let Some(extra) = extra { builder.extra(extra) } else { builder };
        builder = if let Some(name) = name { builder.filename(name) } else { builder };
        builder = if let Some(comment) = comment { builder.comment(comment) } else { builder };
        let mut writer = builder.write(Vec::new(), Compression::none());
        writer.flush().unwrap();
        let mut stored = writer.get_ref().clone();
        // An empty block follows the header, and its length says nothing.
        let end = stored.len() - stored.windows(5).rev().position(|tail| tail == [0, 0, 0, 0xff, 0xff]).unwrap() - 5;
        stored.truncate(end);
        if has_sum {
            stored[3] |= CHECKSUM;
            let mut sum = Crc::new();
            sum.update(&stored);
            let [low, high, ..] = sum.sum().to_le_bytes();
            stored.extend([low, high]);
        }
        stored
    }

    proptest! {
        #[test]
        fn header_ends_where_it_ends_whatever_it_holds(
            extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..600)),
            name in prop::option::of("[a-z]{0,9}"),
            comment in prop::option::of("[a-z]{0,9}"),
            has_sum: bool,
            after: [u8; 3],
        ) {
            let own = header(extra.as_deref(), name.as_deref(), comment.as_deref(), has_sum);
            let whole = [own.as_slice(), &after].concat();
            prop_assert_eq!(length(&whole), Ok(Some(own.len())));
            prop_assert_eq!(length(&own[..own.len() - 1]), Ok(None));
        }

        #[test]
        fn header_with_a_checksum_detects_flipped_bits(name in "[a-z]{1,9}", bit in 0_u8..8) {
            let own = header(Some(b"extra"), Some(&name), None, true);
            for place in 0..own.len() {
                let mut flipped = own.clone();
                flipped[place] ^= 1 << bit;
                prop_assert!(length(&flipped) != Ok(Some(own.len())), "byte {}", place);
            }
        }
    }

    /// Whether zlib refuses these bytes for what they are, and not for that they end.
    fn zlib_refuses(bytes: &[u8]) -> bool {
        let mut zlib = Decompress::new_gzip(15);
        zlib.decompress(bytes, &mut [0; 64], FlushDecompress::None).is_err()
    }

    proptest! {
        #[test]
        fn noise_after_the_magic_is_refused_like_zlib(
            noise in prop::collection::vec(any::<u8>(), 1..60),
            flags in 0_u8..40,
            is_right in any::<[bool; 3]>(),
        ) {
            let mut bytes = noise;
            for (place, right) in [GZIP_MAGIC, 0x8b, 8].into_iter().enumerate().filter(|(place, _)| is_right[*place]) {
                bytes.insert(place.min(bytes.len()), right);
            }
            if let Some(slot) = bytes.get_mut(3) {
                *slot = flags;
            }
            let mut header = GzipHeader::new();
            for end in 1..=bytes.len() {
                if header.push(bytes[end - 1]).is_err() {
                    // zlib reads two bytes before it judges either.
                    let after = bytes.get(..=end).unwrap_or(&bytes);
                    prop_assert!(zlib_refuses(after) || end == bytes.len(), "{:?}", bytes);
                    break;
                }
                prop_assert!(!zlib_refuses(&bytes[..end]), "{:?}", bytes);
                if header.has_ended() {
                    break;
                }
            }
        }
    }

    #[test]
    fn other_methods_flags_and_second_bytes_are_refused() {
        let own = header(None, None, None, false);
        assert_eq!((own.len(), length(&own)), (10, Ok(Some(10))));
        for (place, wrong) in [(0, 0x1e), (1, 0x8c), (2, 7), (3, 0x20), (3, 0x40), (3, 0x80)] {
            let mut bytes = own.clone();
            bytes[place] = wrong;
            assert!(length(&bytes).is_err(), "{wrong:#x}");
        }
    }
}
