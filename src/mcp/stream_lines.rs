//! The lines of a streamed answer of the API, one after the other, and its trailer.

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;

use crate::http::{END, Problem, Reply, ReplyBody, problems};
use crate::limits::PAGE_ROOM;
use crate::record::fields::line_text;
use crate::services::Services;

/// What a stream says at its end.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StreamEnd {
    pub(super) complete: bool,
    pub(super) truncated: bool,
    pub(super) cursor: Option<String>,
    pub(super) missing: Vec<Value>,
    pub(super) warnings: Vec<Value>,
    pub(super) error: Option<StreamError>,
}

/// The problem that ended a stream early.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StreamError {
    pub(super) detail: String,
}

/// The last line of a stream.
#[derive(Deserialize)]
struct MarkedEnd {
    raydex: StreamEnd,
}

/// Reads a stream of lines to its end: hands out each line but the last, which is its trailer.
///
/// # Errors
/// The [`Problem`] of a stream that breaks off, or of memory.
pub(super) async fn read_lines(
    services: &impl Services,
    reply: Reply,
    mut on_line: impl FnMut(&str),
) -> Result<StreamEnd, Problem> {
    let token = reply.headers.iter().find(|(name, _)| *name == END).map(|(_, token)| token.clone());
    let mark = format!("{{\"raydex\":{{\"end\":\"{}\"", token.unwrap_or_default());
    let ReplyBody::Stream(mut pieces) = reply.body else { return Err(problems::unavailable()) };
    let reservation = services.memory().reservation();
    let (mut rest, mut end) = (Vec::new(), None);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| problems::unavailable())?;
        for part in piece.chunks().flat_map(|chunk| chunk.split_inclusive(|byte| *byte == b'\n')) {
            reservation.reserve(PAGE_ROOM * part.len())?;
            rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = line_text(&rest);
                if line.starts_with(&mark) {
                    end = serde_json::from_str(&line).ok().map(|MarkedEnd { raydex }| raydex);
                } else {
                    on_line(&line);
                }
                drop(line);
                rest.clear();
                reservation.shrink_to(0);
            }
        }
    }
    end.ok_or_else(problems::unavailable)
}
