//! One Logpush object from outside: every form it comes in, every cut, every flipped bit.
//!
//! The oracle is a naive splitter over the whole inflated text.

use crate::support;

mod damage;
mod encodings;
mod pieces;
mod spans;

use std::ops::ControlFlow;

use raydex::batch::{BatchError, BatchLine, BatchReader, ReadTotals};

/// A line as it was handed on: where it begins, and its text unless it was too long.
type Handed = (u64, Option<Vec<u8>>);

/// The lines of an object that comes in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Handed>, ReadTotals), BatchError> {
    let mut lines = Vec::new();
    let mut reader = BatchReader::default();
    let mut sink = |line: BatchLine<'_>| {
        lines.push(match line {
            BatchLine::Text { offset, bytes, .. } => (offset, Some(bytes.to_vec())),
            BatchLine::TooLong { offset, .. } => (offset, None),
        });
        ControlFlow::Continue(())
    };
    for piece in pieces {
        assert!(reader.push(piece, &mut sink)?.is_continue());
    }
    let totals = reader.finish(&mut sink)?;
    Ok((lines, totals))
}

/// The lines of an object that comes in one piece.
fn lines(stored: &[u8]) -> Result<Vec<Handed>, BatchError> {
    read([stored]).map(|(lines, _)| lines)
}

/// The oracle: the text as a whole, split.
fn naive(text: &[u8]) -> Vec<Handed> {
    let lines = support::lines::naive(text).into_iter();
    lines.map(|(offset, bytes)| (offset, bytes.map(<[u8]>::to_vec))).collect()
}
