//! Lines to payloads: collected, compressed as they arrive, closed when full.
//!
//! # Invariants
//!
//! The same lines in the same plan give the same bytes, hence the same hash and key. Memory is bounded by one
//! compressed payload and 64 KiB of text.

use flate2::{Compress, Compression, FlushCompress, Status};
use sha2::{Digest, Sha256};

use crate::batch::Checksum;
use crate::ledger::delivery::Payload;
use crate::ledger::ids::index_of;

/// The compression level. Measured in wasm, on 83,000 lines of the partner: level 1 takes 242 ms for 11.9 MB, 2 takes 357
/// for 9.0, 3 takes 434 for 8.0, 4 takes 515 for 7.2; the platform's own gzip, at level 6, takes 745 for 6.6. Each write is
/// billed, whatever its size, but the bytes cross the network.
const LEVEL: Compression = Compression::new(3);
/// Bytes of text that are buffered before compression.
const PENDING: usize = 64 * crate::limits::KIB;
/// The header of a body, the one that zlib writes: deflate, no name, no time, made on Unix.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// A payload with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPayload {
    /// The payload as the ledger stores it.
    pub payload: Payload,
    /// The compressed body to send.
    pub body: Vec<u8>,
}

/// Collects lines into payloads.
#[derive(Debug)]
pub struct PayloadPacker {
    compress: Compress,
    /// The checksum of the payload's text, by folding: faster than the library's own.
    checksum: Checksum,
    /// Text not yet compressed.
    pending: Vec<u8>,
    body: Vec<u8>,
    lines: u64,
    first_offset: u64,
    last_offset: u64,
    number: usize,
    most: u64,
}

impl PayloadPacker {
    /// Creates a packer of payloads of at most `lines` lines.
    #[must_use]
    pub fn new(lines: u32) -> Self {
        Self {
            compress: Compress::new(LEVEL, false),
            checksum: Checksum::default(),
            pending: Vec::new(),
            body: Vec::new(),
            lines: 0,
            first_offset: 0,
            last_offset: 0,
            number: 0,
            most: lines.max(1).into(),
        }
    }

    /// Returns the number of closed payloads.
    #[must_use]
    pub const fn closed(&self) -> usize {
        self.number
    }

    /// Returns the buffer to append the next line's text to; it starts with text that is not yet compressed.
    pub const fn text(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Ends the line whose text was appended; it begins at `at` in its object. Returns the payload if this fills it.
    pub fn end_line(&mut self, at: u64) -> Option<PackedPayload> {
        if self.lines == 0 {
            self.first_offset = at;
        }
        self.last_offset = at;
        self.lines += 1;
        if self.pending.len() >= PENDING {
            self.compress(FlushCompress::None);
        }
        (self.lines >= self.most).then(|| self.close())
    }

    /// Closes the last payload, if it has lines.
    pub fn finish(&mut self) -> Option<PackedPayload> {
        (self.lines > 0).then(|| self.close())
    }

    fn close(&mut self) -> PackedPayload {
        self.compress(FlushCompress::Finish);
        let [a, b, c, d, ..] = self.compress.total_in().to_le_bytes();
        self.body.extend_from_slice(&self.checksum.finish().to_le_bytes());
        self.body.extend_from_slice(&[a, b, c, d]);
        self.compress.reset();
        let body = std::mem::take(&mut self.body);
        let payload = Payload {
            index: index_of(self.number),
            sha256: hex::encode(Sha256::digest(&body)),
            lines: self.lines,
            bytes: body.len() as u64,
            first_offset: self.first_offset,
            last_offset: self.last_offset,
            pack: None,
        };
        self.lines = 0;
        self.number += 1;
        PackedPayload { payload, body }
    }

    /// Compresses the buffered text.
    fn compress(&mut self, flush: FlushCompress) {
        if self.body.is_empty() {
            self.body.extend_from_slice(&GZIP_HEADER);
        }
        self.checksum.update(&self.pending);
        let before = self.compress.total_in();
        loop {
            let used = usize::try_from(self.compress.total_in() - before).unwrap_or(usize::MAX);
            let rest = self.pending.get(used..).unwrap_or_default();
            let is_finishing = matches!(flush, FlushCompress::Finish);
            if rest.is_empty() && !is_finishing {
                break;
            }
            self.body.reserve(PENDING / 4);
            // Deflate does not fail while it has space for output.
            match self.compress.compress_vec(rest, &mut self.body, flush) {
                Ok(Status::StreamEnd) | Err(_) => break,
                Ok(Status::Ok | Status::BufError) => {}
            }
        }
        self.pending.clear();
    }
}

/// Splits a body that was too large into two with the same lines in the same order. `None` if it has only one line, or
/// is not a payload.
#[must_use]
pub fn halve(whole: &Payload, body: &[u8], indexes: [String; 2]) -> Option<[PackedPayload; 2]> {
    let text = inflated(body)?;
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    if lines.len() < 2 || lines.len() as u64 != whole.lines {
        return None;
    }
    let (first, second) = lines.split_at_checked(lines.len() / 2)?;
    let [first_index, second_index] = indexes;
    Some([repack(whole, first, first_index)?, repack(whole, second, second_index)?])
}

/// Makes a payload of some lines of another one, each with its line feed; `None` without any. Where they are in the source is
/// unknown here, so it covers the full range.
pub(super) fn repack(whole: &Payload, lines: &[&[u8]], index: String) -> Option<PackedPayload> {
    let mut packer = PayloadPacker::new(u32::MAX);
    let mut full = None;
    for line in lines {
        packer.text().extend_from_slice(line);
        full = packer.end_line(whole.first_offset).or(full);
    }
    let PackedPayload { payload, body } = packer.finish().or(full)?;
    let lines = lines.len() as u64;
    Some(PackedPayload { payload: Payload { index, lines, last_offset: whole.last_offset, ..payload }, body })
}

/// Inflates a body made by raydex, within the bounds of a payload.
pub(super) fn inflated(body: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut inflater = crate::batch::Inflater::new();
    let sink = |piece: &[u8], _: &[crate::batch::AccessPoint]| {
        text.extend_from_slice(piece);
        std::ops::ControlFlow::Continue(())
    };
    let _flow = inflater.push(body, sink).ok()?;
    inflater.finish().ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::{Compress, FlushCompress};

    use super::{LEVEL, PackedPayload, PayloadPacker, halve};

    fn gunzip(body: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::bufread::GzDecoder::new(body).read_to_end(&mut text).unwrap();
        text
    }

    fn packed(lines: &[Vec<u8>], most: u32) -> Vec<PackedPayload> {
        let mut packer = PayloadPacker::new(most);
        let mut all = Vec::new();
        for (line, at) in lines.iter().zip(0..) {
            packer.text().extend_from_slice(line);
            all.extend(packer.end_line(at));
        }
        all.extend(packer.finish());
        assert_eq!(packer.closed(), all.len());
        all
    }

    /// Returns lines of every length, some longer than the buffer.
    fn lines(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| format!("{n} {}\n", "x".repeat(n * n % 3001 + n % 7 * 20_000)).into_bytes()).collect()
    }

    #[test]
    fn body_is_the_gzip_of_zlib() {
        for count in [1, 40, 3000] {
            let lines: Vec<Vec<u8>> = (0..count).map(|n| format!("{n} of {count}\n").into_bytes()).collect();
            let mut expected = Vec::with_capacity(100_000);
            let mut compress = Compress::new_gzip(LEVEL, 15);
            compress.compress_vec(&lines.concat(), &mut expected, FlushCompress::Finish).unwrap();
            assert!(packed(&lines, u32::MAX)[0].body == expected, "{count} lines");
        }
    }

    #[test]
    fn every_line_is_in_one_payload_in_order() {
        for (count, most) in [(0, 3), (1, 3), (3, 3), (7, 3), (50, 1), (50, 1000), (20, 0)] {
            let lines = lines(count);
            let all = packed(&lines, most);
            let text: Vec<u8> = all.iter().flat_map(|packed| gunzip(&packed.body)).collect();
            assert_eq!(text, lines.concat());
            assert_eq!(all.len(), count.div_ceil(most.max(1) as usize));
            assert_eq!(all.iter().map(|packed| packed.payload.lines).sum::<u64>(), count as u64);
            for (packed, number) in all.iter().zip(0_u64..) {
                assert_eq!(packed.payload.first_offset, number * u64::from(most.max(1)));
                assert_eq!(packed.payload.index, format!("{number:06}"));
                assert_eq!(packed.payload.bytes, packed.body.len() as u64);
            }
        }
    }

    #[test]
    fn same_lines_give_same_bytes_whatever_preceded() {
        let lines = lines(9);
        let (together, alone) = (packed(&lines, 3), packed(&lines[3..6], 3));
        assert_eq!(together[1].body, alone[0].body);
        assert_eq!(together, packed(&lines, 3));
    }

    #[test]
    fn halves_hold_the_same_lines_single_has_none() {
        let lines = lines(5);
        let whole = packed(&lines, 10).remove(0);
        let [first, second] = halve(&whole.payload, &whole.body, ["0.0".into(), "0.1".into()]).unwrap();
        assert_eq!([gunzip(&first.body), gunzip(&second.body)], [lines[..2].concat(), lines[2..].concat()]);
        assert_eq!([first.payload.lines, second.payload.lines], [2, 3]);
        assert_eq!([&*first.payload.index, &*second.payload.index], ["0.0", "0.1"]);
        let single = packed(&lines[..1], 10).remove(0);
        assert_eq!(halve(&single.payload, &single.body, [String::new(), String::new()]), None);
        assert_eq!(halve(&whole.payload, b"no gzip", [String::new(), String::new()]), None);
    }
}
