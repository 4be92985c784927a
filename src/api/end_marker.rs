//! The marker at the end of a stream: its last line, which says that nothing was cut off.
//!
//! # Invariants
//! A marker has the token of its response, which is drawn when the response begins: nothing that was stored before
//! has it, and no request can name it.

use serde::Serialize;

use crate::http::{END, Reply};
use crate::services::Services;

/// The marker of one response.
#[derive(Clone)]
pub(crate) struct EndMarker {
    /// 128 random bits in hexadecimal digits.
    token: String,
}

/// The trailer of a stream under its token.
#[derive(Serialize)]
struct MarkedTrailer<'a, T> {
    end: &'a str,
    #[serde(flatten)]
    trailer: &'a T,
}

impl EndMarker {
    /// Draws the token of a response.
    pub(crate) fn draw(services: &impl Services) -> Self {
        let token = std::iter::repeat_with(|| format!("{:08x}", services.random_bits())).take(4).collect();
        Self { token }
    }

    /// Announces the token in the head of the response.
    pub(crate) fn announce(&self, reply: Reply) -> Reply {
        reply.with_header(END, self.token.clone())
    }

    /// Returns the trailer with the token, as JSON.
    pub(crate) fn json(&self, trailer: &impl Serialize) -> String {
        serde_json::to_string(&MarkedTrailer { end: &self.token, trailer }).unwrap_or_default()
    }

    /// Returns the last line of lines of JSON.
    pub(crate) fn json_line(&self, trailer: &impl Serialize) -> String {
        format!("{{\"raydex\":{}}}\n", self.json(trailer))
    }

    /// Returns the last line of lines of text.
    pub(crate) fn text_line(&self, trailer: &impl Serialize) -> String {
        format!("# raydex {}\n", self.json(trailer))
    }
}
