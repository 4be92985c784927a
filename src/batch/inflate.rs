//! Stored bytes to inflated bytes, pushed in as they come.
//!
//! One gzip stream as a rule; several members, empty ones and zero padding after the last occur, and so does
//! plain text under a `.gz` name, which passes through. The first byte tells: no text begins with 0x1f.
//!
//! What always holds: the checksum and length of every member are verified before [`Inflater::finish`] says
//! so; work and output are bounded by the budget in `limits.rs`; memory is one window and one buffer.

use std::ops::ControlFlow;

use flate2::{Decompress, FlushDecompress, Status};

use super::BatchError;
use crate::limits::{INFLATE_CHUNK, MAX_INFLATED, MAX_RATIO, RATIO_FREE};

/// First byte of a gzip member; no text begins with it.
pub const GZIP_MAGIC: u8 = 0x1f;
/// The largest window that deflate has, as a power of two.
const WINDOW_BITS: u8 = 15;

/// What was read of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Bytes as stored.
    pub stored: u64,
    /// Bytes inflated.
    pub inflated: u64,
    /// Gzip members; 0 for plain text.
    pub members: u32,
}

/// Where in the object the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    InMember,
    BetweenMembers,
    Padding,
}

/// Inflates one object.
#[derive(Debug)]
pub struct Inflater {
    state: State,
    inflate: Decompress,
    buffer: Box<[u8]>,
    totals: Totals,
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
            state: State::Start,
            inflate: Decompress::new_gzip(WINDOW_BITS),
            buffer: vec![0; INFLATE_CHUNK].into_boxed_slice(),
            totals: Totals::default(),
        }
    }

    /// Takes the next stored bytes and hands what they inflate to on to `sink`, which may end the reading.
    ///
    /// # Errors
    /// [`BatchError`] where the bytes are damaged or pass the budget; the inflater is of no use after that.
    pub fn push(
        &mut self,
        stored: &[u8],
        mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        let mut rest = stored;
        while let Some(&first) = rest.first() {
            match (self.state, first) {
                (State::Start | State::BetweenMembers, GZIP_MAGIC) => self.start_member(),
                (State::Start, _) => self.state = State::Plain,
                (State::BetweenMembers | State::Padding, 0) => {
                    self.state = State::Padding;
                    self.totals.stored += 1;
                    rest = rest.get(1..).unwrap_or_default();
                }
                (State::BetweenMembers | State::Padding, _) => {
                    return Err(BatchError::TrailingGarbage { stored: self.totals.stored });
                }
                (State::Plain, _) => return self.pass(rest, sink),
                (State::InMember, _) => {
                    let (used, flow) = self.inflate_some(rest, &mut sink)?;
                    rest = rest.get(used..).unwrap_or_default();
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The end of the object.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] inside a member, [`BatchError::Empty`] where there was nothing.
    pub fn finish(&self) -> Result<Totals, BatchError> {
        match self.state {
            State::Start => Err(BatchError::Empty),
            State::InMember => Err(BatchError::Truncated { stored: self.totals.stored }),
            State::Plain | State::BetweenMembers | State::Padding => Ok(self.totals),
        }
    }

    /// What was read so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    fn start_member(&mut self) {
        if self.totals.members > 0 {
            self.inflate.reset(true);
        }
        self.totals.members = self.totals.members.saturating_add(1);
        self.state = State::InMember;
    }

    /// Plain text goes on as it is.
    fn pass(
        &mut self,
        text: &[u8],
        mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        self.totals.stored += text.len() as u64;
        self.grow(text.len())?;
        Ok(sink(text))
    }

    /// Inflates until the input or the output buffer is used up once; says how much input that took.
    fn inflate_some(
        &mut self,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), BatchError> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, &mut self.buffer, FlushDecompress::None);
        let used = usize::try_from(self.inflate.total_in() - before_in).unwrap_or(input.len());
        let made = usize::try_from(self.inflate.total_out() - before_out).unwrap_or_default();
        self.totals.stored += used as u64;
        let status = status.map_err(|_| BatchError::Damaged { stored: self.totals.stored })?;
        self.grow(made)?;
        if status == Status::StreamEnd {
            self.state = State::BetweenMembers;
        } else if used == 0 && made == 0 {
            return Err(BatchError::Damaged { stored: self.totals.stored });
        }
        let flow = self.buffer.get(..made).map_or(ControlFlow::Continue(()), sink);
        Ok((used, flow))
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
