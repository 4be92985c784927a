//! Stored bytes to inflated bytes, pushed in as they come: from the start of an object, or from an access point.
//!
//! One gzip stream as a rule; several members, empty ones and zero padding after the last occur, and so does plain
//! text under a `.gz` name, which passes through. The first byte distinguishes them: no text begins with 0x1f.
//!
//! # Invariants
//!
//! [`Inflater::finish`] succeeds only after the checksum and length of every member that was read from its start are
//! verified. The budget in `limits.rs` bounds work and output. Memory is a window and a buffer. Finding access points
//! changes nothing of what is read.

use std::ops::ControlFlow;

use serde::Serialize;

use super::checksum::Checksum;
use super::deflate::{DeflateDecoder, InflateStep, InvalidDeflate};
use super::gzip::{COMPRESS_MAGIC_BEHIND, GZIP_MAGIC, GzipHeader, NoHeader};
use super::points::{AccessPoint, BlockBoundary, PointFinder, PointForm};
use super::window::WINDOW;
use super::{BatchError, BatchForm, Compression};
use crate::limits::{INFLATE_CHUNK, MAX_INFLATED, MAX_RATIO, RATIO_FREE};

/// Bytes after the deflate stream of a member: checksum and length.
const TRAILER: usize = 8;

/// The totals of the bytes read of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ReadTotals {
    /// Bytes read from the bucket.
    #[serde(rename = "stored_bytes")]
    pub stored: u64,
    /// Bytes of text that they inflate to.
    #[serde(rename = "inflated_bytes")]
    pub inflated: u64,
    /// Gzip members; 0 for plain text.
    pub members: u32,
}

/// The position of the next byte in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberPosition {
    Start,
    Plain,
    InHeader,
    /// In the deflate stream of a member.
    InMember,
    /// In the member's trailer, with this number of its bytes left.
    InTrailer(usize),
    BetweenMembers,
    Padding,
}

/// Inflates one object, which may have several gzip members or none.
#[derive(Debug)]
pub struct Inflater {
    state: MemberPosition,
    header: GzipHeader,
    inflate: DeflateDecoder,
    /// The last window of text, and after it the text inflated since.
    buffer: Box<[u8]>,
    /// How much of the buffer is in use.
    filled: usize,
    /// How much of it was handed on.
    handed: usize,
    /// How much of it is in the member's checksum, or before the member.
    summed: usize,
    /// Where the member's text begins in the buffer, or what is left of it: nothing before that is referred to.
    base: usize,
    /// The member was read from its start.
    is_whole: bool,
    checksum: Option<Checksum>,
    totals: ReadTotals,
    /// Bytes of text before the member.
    member_start: u64,
    /// The member's trailer, as far as it has come, at the end.
    trailer: [u8; TRAILER],
    points: Option<PointFinder>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: MemberPosition::Start,
            header: GzipHeader::new(),
            inflate: DeflateDecoder::new(),
            buffer: vec![0; WINDOW + INFLATE_CHUNK].into_boxed_slice(),
            filled: 0,
            handed: 0,
            summed: 0,
            base: 0,
            is_whole: false,
            checksum: None,
            totals: ReadTotals::default(),
            member_start: 0,
            trailer: [0; TRAILER],
            points: None,
        }
    }

    /// The same, finding access points on its way.
    #[must_use]
    pub(super) fn finding_points(points: PointFinder) -> Self {
        Self { points: Some(points), ..Self::new() }
    }

    /// An inflater at an access point. The next byte is the one that holds the `bit`; `byte` is that, where the bit is
    /// not its first, and it is not pushed again.
    #[must_use]
    pub fn at(form: PointForm, bit: u64, byte: u8, window: &[u8]) -> Self {
        let mut inflater = Self::new();
        match form {
            PointForm::Start => {}
            PointForm::Plain => inflater.state = MemberPosition::Plain,
            PointForm::Block => {
                let [into, ..] = (bit % 8).to_le_bytes();
                let bits = (8 - into) % 8;
                inflater.inflate.begin(bits, byte);
                inflater.remember(window);
                inflater.state = MemberPosition::InMember;
            }
        }
        inflater
    }

    /// Takes the next stored bytes and hands what they inflate to on to `sink`, which may end the reading.
    ///
    /// # Errors
    /// [`BatchError`] where the bytes are damaged or pass the budget; the inflater is of no use after that.
    pub fn push(
        &mut self,
        stored: &[u8],
        mut sink: impl FnMut(&[u8], &[AccessPoint]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        let mut rest = stored;
        while let Some((&first, after)) = rest.split_first() {
            match (self.state, first) {
                (MemberPosition::Start | MemberPosition::BetweenMembers, GZIP_MAGIC) => self.start_member(),
                (MemberPosition::Start, _) => self.state = MemberPosition::Plain,
                (MemberPosition::BetweenMembers | MemberPosition::Padding, 0) => {
                    self.state = MemberPosition::Padding;
                    self.totals.stored += 1;
                    rest = after;
                }
                (MemberPosition::BetweenMembers | MemberPosition::Padding, _) => {
                    return Err(BatchError::TrailingGarbage { stored: self.totals.stored });
                }
                (MemberPosition::InHeader, byte) => {
                    self.push_header(byte)?;
                    rest = after;
                }
                (MemberPosition::InTrailer(left), byte) => {
                    self.push_trailer(left, byte)?;
                    rest = after;
                }
                (MemberPosition::Plain, _) => return self.pass(rest, sink),
                (MemberPosition::InMember, _) => {
                    let (used, flow) = self.inflate_some(rest, &mut sink)?;
                    rest = rest.get(used..).unwrap_or_default();
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
        }
        Ok(self.hand_on(&mut sink))
    }

    /// The end of the object.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] inside a member, [`BatchError::Empty`] where there was nothing.
    pub fn finish(&self) -> Result<ReadTotals, BatchError> {
        match self.state {
            MemberPosition::Start => Err(BatchError::Empty),
            MemberPosition::InHeader | MemberPosition::InMember | MemberPosition::InTrailer(_) => {
                Err(BatchError::Truncated { stored: self.totals.stored })
            }
            MemberPosition::Plain | MemberPosition::BetweenMembers | MemberPosition::Padding => Ok(self.totals),
        }
    }

    /// Returns the totals of the bytes read so far.
    #[must_use]
    pub const fn totals(&self) -> ReadTotals {
        self.totals
    }

    /// The access points of the object, when it was read to its end; none where none were looked for.
    #[must_use]
    pub fn into_points(self) -> Vec<AccessPoint> {
        self.points.map(PointFinder::finish).unwrap_or_default()
    }

    /// Takes the text before the position at which reading begins; only its last window can be referred to.
    fn remember(&mut self, window: &[u8]) {
        let window = window.get(window.len().saturating_sub(WINDOW)..).unwrap_or_default();
        if let Some(room) = self.buffer.get_mut(..window.len()) {
            room.copy_from_slice(window);
        }
        (self.filled, self.handed, self.summed) = (window.len(), window.len(), window.len());
    }

    fn start_member(&mut self) {
        self.header = GzipHeader::new();
        self.totals.members = self.totals.members.saturating_add(1);
        self.member_start = self.totals.inflated;
        (self.summed, self.base, self.is_whole) = (self.filled, self.filled, true);
        self.state = MemberPosition::InHeader;
    }

    fn push_header(&mut self, byte: u8) -> Result<(), BatchError> {
        self.totals.stored += 1;
        self.header.push(byte).map_err(|NoHeader| match (self.totals.stored, byte) {
            (2, COMPRESS_MAGIC_BEHIND) => BatchError::Form(BatchForm::Compressed(Compression::Compress)),
            (stored, _) => BatchError::Damaged { stored },
        })?;
        if self.header.has_ended() {
            self.inflate.begin(0, 0);
            self.state = MemberPosition::InMember;
            self.note_block(0);
        }
        Ok(())
    }

    /// Whether the object is not compressed.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.state, MemberPosition::Plain)
    }

    /// Plain text goes on as it is.
    fn pass(
        &mut self,
        text: &[u8],
        mut sink: impl FnMut(&[u8], &[AccessPoint]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        if let Some(points) = &mut self.points {
            points.plain(self.totals.inflated, text);
        }
        self.totals.stored += text.len() as u64;
        self.grow(text.len())?;
        Ok(sink(text, self.found()))
    }

    /// Inflates until the input or the output buffer is used up once, or a block ends; says how much input that took.
    fn inflate_some(
        &mut self,
        input: &[u8],
        sink: &mut impl FnMut(&[u8], &[AccessPoint]) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), BatchError> {
        let InflateStep { used, made, end, block } = self.step(input)?;
        self.totals.stored += used as u64;
        if let Some(points) = &mut self.points {
            let text = self.buffer.get(self.filled..self.filled + made).unwrap_or_default();
            points.inflated(self.totals.inflated, text);
        }
        self.filled += made;
        self.grow(made)?;
        if end {
            self.sum_up();
            self.state = MemberPosition::InTrailer(TRAILER);
        } else if let Some(bits) = block {
            self.note_block(bits);
        } else if used == 0 && made == 0 {
            return Err(BatchError::Damaged { stored: self.totals.stored });
        }
        let is_full = self.filled == self.buffer.len();
        let flow = if is_full { self.hand_on(sink) } else { ControlFlow::Continue(()) };
        if is_full {
            self.sum_up();
            let window = self.filled.saturating_sub(WINDOW);
            self.buffer.copy_within(window.., 0);
            (self.filled, self.handed, self.summed) = (WINDOW, WINDOW, WINDOW);
            self.base = self.base.saturating_sub(window);
        }
        Ok((used, flow))
    }

    /// Inflates some of the member, and reports its back-references to the access points.
    fn step(&mut self, input: &[u8]) -> Result<InflateStep, BatchError> {
        let text = self.buffer.get_mut(self.base..).unwrap_or_default();
        let at = self.filled - self.base;
        let step = match self.points.as_mut().and_then(|points| points.trace(at)) {
            Some(mut tracing) => self.inflate.step(input, text, at, &mut tracing),
            None => self.inflate.step(input, text, at, &mut ()),
        };
        step.map_err(|InvalidDeflate| BatchError::Damaged { stored: self.totals.stored })
    }

    /// Adds to the member's checksum what was inflated of it.
    fn sum_up(&mut self) {
        if self.is_whole {
            let text = self.buffer.get(self.summed..self.filled).unwrap_or_default();
            self.checksum.get_or_insert_default().update(text);
            self.summed = self.filled;
        }
    }

    /// Takes a byte of the trailer, of which `left` are left.
    fn push_trailer(&mut self, left: usize, byte: u8) -> Result<(), BatchError> {
        self.totals.stored += 1;
        self.trailer.rotate_left(1);
        let [.., last] = &mut self.trailer;
        *last = byte;
        self.state = MemberPosition::InTrailer(left - 1);
        if left == 1 { self.end_member() } else { Ok(()) }
    }

    fn end_member(&mut self) -> Result<(), BatchError> {
        self.state = MemberPosition::BetweenMembers;
        if self.is_whole {
            let [checksum @ .., a, b, c, d] = self.trailer;
            let own = self.totals.inflated - self.member_start;
            let is_right = self.checksum.as_mut().map_or(0, Checksum::finish) == u32::from_le_bytes(checksum)
                && own % (1 << u32::BITS) == u64::from(u32::from_le_bytes([a, b, c, d]));
            if !is_right {
                return Err(BatchError::Damaged { stored: self.totals.stored });
            }
        }
        if let Some(points) = &mut self.points {
            points.end_member();
        }
        Ok(())
    }

    /// A block begins here, with this number of high bits of the last byte.
    fn note_block(&mut self, bits: u8) {
        let Some(points) = &mut self.points else { return };
        let ReadTotals { stored, inflated: offset, .. } = self.totals;
        let history = self.buffer.get(self.base..self.filled).unwrap_or_default();
        points.block(&BlockBoundary { stored, bits, offset, history });
    }

    /// Hands on what was inflated and was not handed on yet.
    fn hand_on(&mut self, sink: &mut impl FnMut(&[u8], &[AccessPoint]) -> ControlFlow<()>) -> ControlFlow<()> {
        let text = self.buffer.get(self.handed..self.filled).unwrap_or_default();
        self.handed = self.filled;
        if text.is_empty() { ControlFlow::Continue(()) } else { sink(text, self.found()) }
    }

    /// The access points found so far.
    fn found(&self) -> &[AccessPoint] {
        self.points.as_ref().map_or(&[], PointFinder::points)
    }

    /// Counts inflated bytes against the budget.
    fn grow(&mut self, bytes: usize) -> Result<(), BatchError> {
        self.totals.inflated += bytes as u64;
        if self.totals.inflated > MAX_INFLATED {
            return Err(BatchError::TooLarge);
        }
        let believed = self.totals.stored.saturating_mul(MAX_RATIO).max(RATIO_FREE);
        if self.totals.inflated > believed { Err(BatchError::Bomb) } else { Ok(()) }
    }
}
