//! Bytes whose memory is reserved, and the writer that makes them.
//!
//! The bytes are kept in chunks, since a buffer that doubles as it grows would exist twice for a moment. A chunk is
//! reserved before it exists.
//!
//! # Invariants
//! Apart from constants and bodies of at most [`SMALL_BODY`] bytes, there are no [`ReservedBytes`] without a reservation of
//! at least their capacity, which lasts as long as they do.

use std::io;

use super::{MemoryBudget, OutOfMemory, Reservation};
use crate::limits::{CHUNK_MAX, CHUNK_MIN, SMALL_BODY};

/// Bytes that are held only with their reservation.
#[derive(Debug, Default)]
pub struct ReservedBytes(ByteSource);

#[derive(Debug, Default)]
enum ByteSource {
    #[default]
    Empty,
    /// A constant, which takes no memory.
    Constant(&'static [u8]),
    /// At most [`SMALL_BODY`] bytes, which the base amount of a request covers.
    Small(Box<[u8]>),
    Reserved(ChunkList),
}

/// Chunks of bytes, all full but the last, with their reservation.
#[derive(Debug)]
struct ChunkList {
    chunks: Vec<Vec<u8>>,
    len: usize,
    reservation: Reservation,
}

impl ReservedBytes {
    /// The bytes of a constant.
    #[must_use]
    pub const fn from_constant(bytes: &'static [u8]) -> Self {
        Self(ByteSource::Constant(bytes))
    }

    /// A short text, such as a problem. One longer than [`SMALL_BODY`] is left out.
    #[must_use]
    pub fn small(bytes: &[u8]) -> Self {
        if bytes.len() > SMALL_BODY { Self::default() } else { Self(ByteSource::Small(bytes.into())) }
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            ByteSource::Reserved(list) => list.len,
            _ => self.chunks().map(<[u8]>::len).sum(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in their order, in pieces that are not empty.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let (one, many): (&[u8], &[Vec<u8>]) = match &self.0 {
            ByteSource::Empty => (&[], &[]),
            ByteSource::Constant(bytes) => (bytes, &[]),
            ByteSource::Small(bytes) => (bytes, &[]),
            ByteSource::Reserved(list) => (&[], &list.chunks),
        };
        std::iter::once(one).chain(many.iter().map(Vec::as_slice)).filter(|chunk| !chunk.is_empty())
    }

    /// A copy outside of the budget, for tests and for bytes known to be few.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks().collect::<Vec<_>>().concat()
    }
}

/// Writes bytes, each chunk of which is reserved first.
#[derive(Debug)]
pub struct ReservedWriter {
    list: ChunkList,
    out_of_memory: Option<OutOfMemory>,
}

impl ReservedWriter {
    /// Creates a writer that reserves in this budget.
    #[must_use]
    pub fn new(budget: &MemoryBudget) -> Self {
        let list = ChunkList { chunks: Vec::new(), len: 0, reservation: budget.reservation() };
        Self { list, out_of_memory: None }
    }

    /// The number of bytes written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.list.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if they do not fit; none of them is written then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        self.list.push(bytes)
    }

    /// Drops what was written beyond this number of bytes, also a value that was cut.
    pub fn cut_to(&mut self, len: usize) {
        self.list.cut_to(len);
        self.out_of_memory = None;
    }

    /// Writes bytes before all others, such as a length that is known when everything is written.
    ///
    /// # Errors
    /// [`OutOfMemory`] if they do not fit; none of them is written then.
    pub fn prepend(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        self.list.reservation.reserve(bytes.len())?;
        self.list.chunks.insert(0, bytes.to_vec());
        self.list.len += bytes.len();
        Ok(())
    }

    /// Appends a value as JSON.
    ///
    /// # Errors
    /// [`OutOfMemory`] if it does not fit; the writer can no longer be finished then, since a part of it is written.
    pub fn push_json(&mut self, value: &impl serde::Serialize) -> Result<(), OutOfMemory> {
        // A plain struct has no other error.
        serde_json::to_writer(&mut *self, value).map_err(|_| self.out_of_memory.unwrap_or(OutOfMemory::TooLarge))
    }

    /// Reserves the memory that rendering needs beside the bytes that it writes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if it is not available.
    pub fn working_memory(&self, bytes: usize) -> Result<Reservation, OutOfMemory> {
        self.list.reservation.budget().reserve(bytes)
    }

    /// Returns what was written.
    ///
    /// # Errors
    /// [`OutOfMemory`] if a value was cut.
    pub fn finish(self) -> Result<ReservedBytes, OutOfMemory> {
        let Self { list, out_of_memory } = self;
        out_of_memory.map_or_else(|| Ok(ReservedBytes(ByteSource::Reserved(list))), Err)
    }
}

impl ChunkList {
    /// Appends all of the bytes or none: the rest that the last chunk has no room for begins a new one.
    fn push(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        let Self { chunks, len, reservation } = self;
        let room = chunks.last().map_or(0, |chunk| chunk.capacity() - chunk.len());
        let (now, later) = bytes.split_at(bytes.len().min(room));
        let next = (!later.is_empty()).then(|| later.len().max((*len).clamp(CHUNK_MIN, CHUNK_MAX)));
        reservation.reserve(next.unwrap_or_default())?;
        if let Some(last) = chunks.last_mut() {
            last.extend_from_slice(now);
        }
        if let Some(capacity) = next {
            let mut chunk = Vec::new();
            chunk.reserve_exact(capacity);
            chunk.extend_from_slice(later);
            chunks.push(chunk);
        }
        *len += bytes.len();
        Ok(())
    }

    /// Drops what is beyond this number of bytes, and returns the memory of its chunks.
    fn cut_to(&mut self, len: usize) {
        while let Some(over) = self.len.checked_sub(len).filter(|over| *over > 0)
            && let Some(last) = self.chunks.last_mut()
        {
            if let Some(kept) = last.len().checked_sub(over).filter(|kept| *kept > 0) {
                last.truncate(kept);
                self.len = len;
            } else {
                self.len -= last.len();
                self.reservation.release(last.capacity());
                self.chunks.pop();
            }
        }
    }
}

impl io::Write for ReservedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.list.push(bytes).map_err(|error| {
            self.out_of_memory = Some(error);
            io::ErrorKind::OutOfMemory.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ReservedBytes, ReservedWriter};
    use crate::limits::{CHUNK_MAX, CHUNK_MIN, SMALL_BODY};
    use crate::memory::{MemoryBudget, OutOfMemory};

    #[test]
    fn chunks_are_reserved_before_they_exist() {
        let budget = MemoryBudget::new(64 * CHUNK_MAX);
        let mut writer = ReservedWriter::new(&budget);
        let mut expected = Vec::new();
        for number in 0..5_000_u32 {
            let bytes = vec![number.to_le_bytes()[0]; usize::try_from(number % 700).unwrap()];
            expected.extend_from_slice(&bytes);
            writer.push(&bytes).unwrap();
            let held = 64 * CHUNK_MAX - budget.available();
            assert!(held >= writer.len() && held <= 2 * writer.len().max(CHUNK_MIN), "{held} of {}", writer.len());
        }
        let mut none = ReservedWriter::new(&budget);
        none.push(&expected).unwrap();
        none.cut_to(0);
        assert!(none.is_empty() && none.finish().unwrap().is_empty());
        for len in [expected.len() - 1, CHUNK_MAX + 1] {
            let (before, whole) = (64 * CHUNK_MAX - budget.available(), writer.len());
            let rest = expected[len..].to_vec();
            writer.cut_to(len);
            let held = 64 * CHUNK_MAX - budget.available();
            assert!(writer.len() == len && held <= before && held <= len + CHUNK_MAX, "{held} of {len}");
            writer.push(&rest).unwrap();
            assert_eq!(writer.len(), whole);
        }
        let bytes = writer.finish().unwrap();
        assert_eq!((bytes.len(), bytes.to_vec() == expected), (expected.len(), true));
        assert!(bytes.chunks().count() > 1);
        drop(bytes);
        assert_eq!(budget.available(), 64 * CHUNK_MAX);
    }

    #[test]
    fn exhausted_budget_is_a_typed_error() {
        let budget = MemoryBudget::new(3 * 2 * CHUNK_MIN);
        let text = "x".repeat(2 * CHUNK_MIN + 1);
        let mut writer = ReservedWriter::new(&budget);
        assert_eq!(writer.push(text.as_bytes()), Ok(()));
        assert_eq!(writer.push(&vec![0; 6 * CHUNK_MIN]), Err(OutOfMemory::Busy));
        assert_eq!(writer.len(), text.len(), "all or nothing");
        assert_eq!(writer.push_json(&"y".repeat(6 * CHUNK_MIN)), Err(OutOfMemory::Busy));
        assert_eq!(writer.finish().err(), Some(OutOfMemory::Busy), "nothing that is cut is finished");
        let mut writer = ReservedWriter::new(&budget.for_request_of("ann"));
        assert_eq!(writer.push_json(&text), Err(OutOfMemory::TooLarge));
    }

    #[test]
    fn small_and_constant_bytes_need_no_reservation() {
        assert_eq!(ReservedBytes::from_constant(b"{}").to_vec(), b"{}");
        assert_eq!(ReservedBytes::small(&[7; SMALL_BODY]).len(), SMALL_BODY);
        assert!(ReservedBytes::small(&vec![7; SMALL_BODY + 1]).is_empty());
        assert_eq!(ReservedBytes::default().chunks().count(), 0);
    }
}
