//! Ends the streams of callers who would no longer be let in.
//!
//! # Invariants
//! No piece of a stream leaves after the caller's token has expired, nor [`TOKEN_CHECK_MS`] after it was revoked. The stream
//! then breaks, as any that is not whole. A registry that does not answer ends none, and is asked again at the next piece.

use std::rc::Rc;

use futures_util::{StreamExt, stream};

use super::authenticate::AuthenticatedCaller;
use super::registry_tokens::is_revoked;
use crate::backend::BackendError;
use crate::http::{BodyPieces, Reply, ReplyBody};
use crate::limits::TOKEN_CHECK_MS;
use crate::memory::ReservedBytes;
use crate::services::Services;
use crate::time::is_within;

/// A stream, and the caller who reads it.
struct WatchedStream<D> {
    services: Rc<D>,
    pieces: BodyPieces,
    caller: AuthenticatedCaller,
    checked_ms: i64,
}

/// Returns the reply, whose stream, if it has one, ends with the caller's rights.
pub(super) fn watch_admission<D: Services + 'static>(
    services: &Rc<D>,
    caller: &AuthenticatedCaller,
    reply: Reply,
) -> Reply {
    let Reply { status, headers, body } = reply;
    let body = match body {
        ReplyBody::Stream(pieces) => {
            let (services, caller) = (Rc::clone(services), caller.clone());
            let checked_ms = services.now_ms();
            let watched = WatchedStream { services, pieces, caller, checked_ms };
            ReplyBody::Stream(stream::unfold(Some(watched), next_piece).boxed_local())
        }
        whole @ ReplyBody::Whole(_) => whole,
    };
    Reply { status, headers, body }
}

async fn next_piece<D: Services>(
    watched: Option<WatchedStream<D>>,
) -> Option<(Result<ReservedBytes, BackendError>, Option<WatchedStream<D>>)> {
    let mut watched = watched?;
    let piece = watched.pieces.next().await?;
    if watched.has_lost_access().await {
        return Some((Err(BackendError::new("streaming records", "the token has ended")), None));
    }
    Some((piece, Some(watched)))
}

impl<D: Services> WatchedStream<D> {
    /// Whether the token of the caller has expired, or was revoked as far as is known.
    async fn has_lost_access(&mut self) -> bool {
        let AuthenticatedCaller { caller, token } = &self.caller;
        let now_ms = self.services.now_ms();
        if caller.ends_ms.is_some_and(|end| end <= now_ms) {
            return true;
        }
        let Some(token) = token.filter(|_| !is_within(Some(self.checked_ms), TOKEN_CHECK_MS, now_ms)) else {
            return false;
        };
        match is_revoked(self.services.as_ref(), &token).await {
            Ok(revoked) => {
                self.checked_ms = now_ms;
                revoked
            }
            Err(_) => false,
        }
    }
}
