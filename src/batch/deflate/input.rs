//! The stream's bits, lowest first, out of bytes that come in pieces.
//!
//! # Invariants
//!
//! Bytes that were taken of a piece and whose bits were not used can be given back to it, as long as no other piece
//! came between. Bits that are held above those that are counted are the stream's next ones, or zeros.

use super::entry::TableEntry;

/// The bits that were taken of bytes and not yet used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BitBuffer {
    held: u64,
    count: u32,
}

impl BitBuffer {
    /// The `bits` high bits of a byte.
    pub(super) fn of_byte(byte: u8, bits: u8) -> Self {
        let count = u32::from(bits.min(8));
        Self { held: u64::from(byte) >> (8 - count), count }
    }
}

/// How many bytes of input a turn of the fast loop needs: two refills take 14 at most, and read 8 at once.
const AHEAD: usize = 24;

/// The bytes that one turn may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct FastInput<'i> {
    bytes: &'i [u8; AHEAD],
    /// How many bytes of the piece were taken before.
    start: usize,
}

/// A piece of the stream, and the bits before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeflateInput<'i> {
    bits: BitBuffer,
    bytes: &'i [u8],
    read: usize,
}

impl<'i> DeflateInput<'i> {
    /// The next piece, after these bits.
    pub(super) const fn new(bits: BitBuffer, bytes: &'i [u8]) -> Self {
        Self { bits, bytes, read: 0 }
    }

    /// The bits that wait for the next piece.
    pub(super) const fn bits(&self) -> BitBuffer {
        self.bits
    }

    /// Bytes taken of the piece.
    pub(super) const fn read(&self) -> usize {
        self.read
    }

    /// How many bits are held.
    pub(super) const fn count(&self) -> u32 {
        self.bits.count
    }

    /// The bits that are held, the next one lowest.
    #[inline]
    pub(super) const fn held(&self) -> u64 {
        self.bits.held
    }

    /// Takes a byte, if there is one.
    pub(super) fn pull(&mut self) -> bool {
        let Some(byte) = self.bytes.get(self.read) else { return false };
        self.bits.held |= u64::from(*byte) << self.bits.count;
        self.bits.count += 8;
        self.read += 1;
        true
    }

    /// Whether `bits` bits are held, 32 at most, or could be taken: no byte more than is needed.
    pub(super) fn need(&mut self, bits: u32) -> bool {
        while self.bits.count < bits {
            if !self.pull() {
                return false;
            }
        }
        true
    }

    /// Takes `bits` bits, which are held; 16 at most.
    pub(super) fn take(&mut self, bits: u32) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "16 bits at most are left")]
        let taken = (self.bits.held & ((1 << bits) - 1)) as u16;
        self.skip(bits);
        taken
    }

    /// Skips `bits` bits, which are held.
    #[inline]
    pub(super) fn skip(&mut self, bits: u32) {
        self.bits.held >>= bits;
        self.bits.count = self.bits.count.wrapping_sub(bits);
    }

    /// The number that begins here, whose code and extra bits are held.
    #[inline]
    pub(super) fn number(&mut self, entry: TableEntry) -> usize {
        let both = self.bits.held & ((1 << entry.bits()) - 1);
        self.skip(entry.bits());
        #[expect(clippy::cast_possible_truncation, reason = "13 extra bits at most")]
        let extra = (both >> entry.code_bits()) as usize;
        entry.base() + extra
    }

    /// Passes over the rest of a byte that was begun.
    pub(super) fn align(&mut self) {
        self.skip(self.bits.count % 8);
    }

    /// Up to `most` bytes as they are, where no bits are held.
    pub(super) fn bytes(&mut self, most: usize) -> &'i [u8] {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let taken = rest.get(..most).unwrap_or(rest);
        self.read += taken.len();
        taken
    }

    /// The bytes that one turn of the fast loop may take, if there are as many.
    #[inline]
    pub(super) fn ahead(&self) -> Option<FastInput<'i>> {
        let bytes = self.bytes.get(self.read..)?.first_chunk()?;
        Some(FastInput { bytes, start: self.read })
    }

    /// Takes bytes until at least 56 bits are held.
    #[inline]
    pub(super) fn refill(&mut self, ahead: FastInput<'i>) {
        // No more than 15 were taken since: the mask says so to the compiler.
        let place = self.read.wrapping_sub(ahead.start) & 15;
        let word = ahead.bytes.get(place..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word));
        // Bits above 63 are lost, and are those of bytes that are not counted as read: they come again.
        self.bits.held |= word << self.bits.count;
        self.read += ((63 - self.bits.count) >> 3) as usize;
        self.bits.count |= 0b11_1000;
    }

    /// Gives whole bytes back that were taken of this piece by [`Self::refill`].
    pub(super) fn give_back(&mut self) {
        self.read = self.read.saturating_sub((self.bits.count >> 3) as usize);
        self.bits.count &= 7;
        self.bits.held &= (1 << self.bits.count) - 1;
    }
}
