//! One Logpush object from outside: every form it comes in, every cut, every flipped bit.
//!
//! The oracle is a naive splitter over the whole inflated text.

#![cfg(test)]

mod support;

#[path = "batch/damage.rs"]
mod damage;
#[path = "batch/forms.rs"]
mod forms;
#[path = "batch/pieces.rs"]
mod pieces;
#[path = "batch/spans.rs"]
mod spans;

use std::ops::ControlFlow;

use raydex::batch::{BatchError, BatchReader, Line, Totals};
use raydex::limits::MAX_LINE;

/// A line as it was handed on: where it begins, and its text unless it was too long.
type Handed = (u64, Option<Vec<u8>>);

/// The lines of an object that comes in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Handed>, Totals), BatchError> {
    let mut lines = Vec::new();
    let mut reader = BatchReader::default();
    let mut sink = |line: Line<'_>| {
        lines.push(match line {
            Line::Text { offset, bytes, .. } => (offset, Some(bytes.to_vec())),
            Line::TooLong { offset, .. } => (offset, None),
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
    let mut offset = 0;
    let mut found = Vec::new();
    for raw in text.split(|&byte| byte == b'\n') {
        let start = offset;
        offset += raw.len() as u64 + 1;
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        let marked = if start == 0 { line.strip_prefix(b"\xef\xbb\xbf") } else { None };
        let line = marked.unwrap_or(line);
        if raw.len() > MAX_LINE {
            found.push((start, None));
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            found.push((start, Some(line.to_vec())));
        }
    }
    found
}
