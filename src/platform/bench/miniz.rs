//! The alternative to the crate's own inflater: `miniz_oxide`, stopped at each block as access points require
//! (docs/adr/0001-own-inflater.md). Like the crate's inflater it writes to one buffer after its window, in pieces of
//! the same size.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use wasm_bindgen::prelude::JsError;

use crate::limits::{INFLATE_CHUNK, KIB};

/// Maximum distance of a deflate reference, in bytes.
const WINDOW: usize = 32 * KIB;
/// Size of a gzip header without optional fields, in bytes.
const HEADER: usize = 10;
/// Allows more input, keeps the window at the front of the buffer, and stops at each block.
const FLAGS: u32 =
    TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;

/// Inflates a gzip file of one member without optional header fields.
pub(super) struct MinizInflater {
    state: Box<DecompressorOxide>,
    buffer: Vec<u8>,
    position: usize,
    header: usize,
    is_done: bool,
    /// Number of block boundaries at which it stopped, each with a state from which inflating can begin.
    pub(super) blocks: u64,
}

impl Default for MinizInflater {
    fn default() -> Self {
        let buffer = vec![0; WINDOW + INFLATE_CHUNK];
        Self { state: Box::default(), buffer, position: 0, header: HEADER, is_done: false, blocks: 0 }
    }
}

impl MinizInflater {
    /// Inflates the next bytes of the file, and passes the text to `sink`.
    ///
    /// # Errors
    /// An error if the stream is damaged.
    pub(super) fn push(&mut self, piece: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), JsError> {
        let skipped = self.header.min(piece.len());
        self.header -= skipped;
        let mut input = piece.get(skipped..).unwrap_or_default();
        while !self.is_done {
            if self.position == self.buffer.len() {
                self.buffer.copy_within(self.position - WINDOW.., 0);
                self.position = WINDOW;
            }
            let (status, read, written) = decompress(&mut self.state, input, &mut self.buffer, self.position, FLAGS);
            input = input.get(read..).unwrap_or_default();
            let end = self.position + written;
            sink(self.buffer.get(self.position..end).unwrap_or_default());
            self.position = end;
            match status {
                TINFLStatus::BlockBoundary => self.blocks += u64::from(self.state.block_boundary_state().is_some()),
                TINFLStatus::Done => self.is_done = true,
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => break,
                status => return Err(JsError::new(&format!("miniz_oxide: {status:?}"))),
            }
        }
        Ok(())
    }

    /// Returns whether the stream is complete.
    pub(super) const fn is_done(&self) -> bool {
        self.is_done
    }
}
