//! The body of an exporter's request, inflated, within its bounds.
//!
//! # Invariants
//! What is held was reserved before. A body that is longer than it may be is refused before it is held.

use std::ops::ControlFlow;

use crate::backend::ByteStream;
use crate::batch::{GZIP_MAGIC, Inflater};
use crate::http::{Problem, problems};
use crate::limits::{READER_BYTES, TRACES_BODY_BYTES, TRACES_STEP};
use crate::memory::{OutOfMemory, Reservation};

/// Reads a body to its end, and inflates it where it is gzip.
///
/// # Errors
/// The [`Problem`] of a body that is too long, broken or no gzip, or for which there is no memory.
pub(super) async fn read_export(
    room: &Reservation,
    stream: &mut impl ByteStream,
    is_gzip: bool,
) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    let mut received = 0;
    let mut inflater = if is_gzip {
        room.reserve(READER_BYTES)?;
        Some(Inflater::new())
    } else {
        None
    };
    while let Some(piece) = stream.next().await.map_err(|_| problems::body_broken())? {
        let is_first = received == 0;
        received += piece.len();
        if received > TRACES_BODY_BYTES {
            return Err(problems::export_too_large());
        }
        match &mut inflater {
            None => append(room, &mut body, &piece)?,
            // The inflater passes text that is no gzip through.
            Some(_) if is_first && piece.first().is_some_and(|byte| *byte != GZIP_MAGIC) => {
                return Err(problems::unreadable_body());
            }
            Some(inflater) => inflate(room, &mut body, inflater, &piece)?,
        }
    }
    if let Some(inflater) = &inflater
        && received > 0
    {
        inflater.finish().map_err(|_| problems::unreadable_body())?;
    }
    if is_gzip {
        room.release(READER_BYTES);
    }
    Ok(body)
}

fn inflate(room: &Reservation, body: &mut Vec<u8>, inflater: &mut Inflater, piece: &[u8]) -> Result<(), Problem> {
    let mut failure = None;
    let flow = inflater.push(piece, |bytes, _| {
        failure = append(room, body, bytes).err();
        if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match (failure, flow) {
        (Some(problem), _) => Err(problem),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) => Err(problems::unreadable_body()),
    }
}

fn append(room: &Reservation, body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Problem> {
    if body.len() + bytes.len() > TRACES_BODY_BYTES {
        return Err(problems::export_too_large());
    }
    grow(room, body, bytes.len(), TRACES_BODY_BYTES)?;
    body.extend_from_slice(bytes);
    Ok(())
}

/// Gives a buffer room for more bytes, by half of what it has and at most to `most`. For a moment it exists twice.
///
/// # Errors
/// [`OutOfMemory`] if they cannot be reserved.
pub(super) fn grow(room: &Reservation, buffer: &mut Vec<u8>, bytes: usize, most: usize) -> Result<(), OutOfMemory> {
    let (old, needed) = (buffer.capacity(), buffer.len() + bytes);
    if needed > old {
        let capacity = (old + old / 2).max(TRACES_STEP).min(most).max(needed);
        room.reserve(capacity)?;
        buffer.reserve_exact(capacity - buffer.len());
        room.release(old);
    }
    Ok(())
}
