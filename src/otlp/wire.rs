//! The fields of a protobuf message, one after the other.
//!
//! # Invariants
//! No bytes make it panic. What is no message ends with an error: a length beyond the end, a varint of more than 64 bits, a field of
//! number 0, a group (which no message of OTLP has).

/// The bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a message of OTLP")]
pub struct MalformedExport;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireValue<'b> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'b [u8]),
    Fixed32(u32),
}

/// The fields of a message, by number.
pub(super) struct WireFields<'b> {
    rest: &'b [u8],
}

impl<'b> WireFields<'b> {
    pub(super) const fn new(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], MalformedExport> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(MalformedExport)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn varint(&mut self) -> Result<u64, MalformedExport> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has the last bit.
            if shift == 63 && bits > 1 {
                return Err(MalformedExport);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(MalformedExport)
    }

    fn field(&mut self) -> Result<(u32, WireValue<'b>), MalformedExport> {
        let tag = u32::try_from(self.varint()?).map_err(|_| MalformedExport)?;
        let value = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(u64::from_le_bytes(self.take()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| MalformedExport)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(MalformedExport)?;
                self.rest = rest;
                WireValue::Bytes(bytes)
            }
            5 => WireValue::Fixed32(u32::from_le_bytes(self.take()?)),
            _ => return Err(MalformedExport),
        };
        if tag >> 3 == 0 { Err(MalformedExport) } else { Ok((tag >> 3, value)) }
    }
}

impl<'b> Iterator for WireFields<'b> {
    type Item = Result<(u32, WireValue<'b>), MalformedExport>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::{MalformedExport, WireFields, WireValue};

    #[test]
    fn every_kind_of_field_is_read() {
        let bytes = [8, 0xff, 1, 17, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'a', b'b', 0x25, 2, 0, 0, 0];
        let fields: Result<Vec<_>, _> = WireFields::new(&bytes).collect();
        let expected = [
            (1, WireValue::Varint(255)),
            (2, WireValue::Fixed64(1)),
            (3, WireValue::Bytes(b"ab")),
            (4, WireValue::Fixed32(2)),
        ];
        assert_eq!(fields, Ok(expected.to_vec()));
        for end in [1, 2, 5, 13, 15, 18] {
            assert!(WireFields::new(&bytes[..end]).any(|field| field == Err(MalformedExport)), "{end}");
        }
    }

    #[test]
    fn what_is_no_field_is_refused() {
        let longest = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(WireFields::new(&longest).eq([Ok((1, WireValue::Varint(u64::MAX)))]));
        for bytes in [
            &[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..],
            &[8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
            &[0, 1],
            &[0x0b, 0x0c],
            &[0x0e],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 1, 0],
        ] {
            assert!(WireFields::new(bytes).eq([Err(MalformedExport)]), "{bytes:?}");
        }
    }
}
