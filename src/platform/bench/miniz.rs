//! The alternative to the crate's own inflater: `miniz_oxide`, stopped at each block as access points need it
//! (docs/adr/0001-own-inflater.md). Like the crate's own it inflates into one buffer after its window, in the same
//! pieces.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use wasm_bindgen::prelude::JsError;

use crate::limits::{INFLATE_CHUNK, KIB};

/// How far back a deflate stream refers, in bytes.
const WINDOW: usize = 32 * KIB;
/// Bytes of a gzip header without optional members.
const HEADER: usize = 10;
/// More input may come, the buffer holds the window in its front, and each block is an end.
const FLAGS: u32 =
    TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;

/// Inflates a gzip file of one member whose header has no optional members.
pub(super) struct MinizInflater {
    state: Box<DecompressorOxide>,
    buffer: Vec<u8>,
    position: usize,
    header: usize,
    is_done: bool,
    /// Block boundaries that were stopped at, each with a state that inflating can begin from.
    pub(super) blocks: u64,
}

impl Default for MinizInflater {
    fn default() -> Self {
        let buffer = vec![0; WINDOW + INFLATE_CHUNK];
        Self { state: Box::default(), buffer, position: 0, header: HEADER, is_done: false, blocks: 0 }
    }
}

impl MinizInflater {
    /// Inflates the next bytes of the file, and hands the text to `sink`.
    ///
    /// # Errors
    /// Where the stream is damaged.
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

    /// Whether the stream came to its end.
    pub(super) const fn is_done(&self) -> bool {
        self.is_done
    }
}
