//! The ends of streamed bodies: the header that announces a marker, and the line that a broken body ends with.
//!
//! A streamed body ends well only where it is whole. One that is not ends with [`broken_line`] and breaks the connection:
//! there are servers that turn a broken body into an ordinary end (workerd without Cloudflare's edge is one), and the line
//! passes them too.
//!
//! # Invariants
//! No record is such a line, and none looks like a marker: both have a token that was drawn when the response began.

use super::reply::Reply;

/// The header of a stream with its token.
pub(crate) const END: &str = "raydex-end";

/// The last line of a body that is not whole, in Logpull's words.
const BROKEN: &str = "Error streaming data";

/// Returns the last line of this reply's body, if it cannot be continued.
#[must_use]
pub fn broken_line(reply: &Reply) -> String {
    match reply.headers.iter().find(|(name, _)| *name == END) {
        Some((_, token)) => format!("{BROKEN}: {token}\n"),
        None => format!("{BROKEN}.\n"),
    }
}
