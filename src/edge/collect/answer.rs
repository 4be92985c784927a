//! The origin's answer to a window, or to a question about a key.

use super::buffer::ForwardResult;
use crate::limits::COLLECT_RETRY_MS;
use crate::partner::retry_after_ms;

/// What the origin answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginAnswer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The header `Cache-Control`.
    pub cache_control: Option<String>,
}

impl OriginAnswer {
    /// Returns what the answer means for a window: 2xx took it, 4xx refused it but for 408 and 429, and after anything else it is
    /// sent again.
    #[must_use]
    pub fn forward_result(&self, now_ms: i64) -> ForwardResult {
        match self.status {
            200..=299 => ForwardResult::Taken,
            400..=407 | 409..=428 | 430..=499 => ForwardResult::Refused,
            _ => {
                let wait = retry_after_ms(self.retry_after.as_deref(), now_ms);
                ForwardResult::Failed(wait.and_then(|wait| i64::try_from(wait).ok()).unwrap_or(COLLECT_RETRY_MS.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ForwardResult, OriginAnswer};

    #[test]
    fn statuses_decide_what_becomes_of_a_window() {
        for (status, retry_after, result) in [
            (200, None, ForwardResult::Taken),
            (204, Some("9"), ForwardResult::Taken),
            (302, None, ForwardResult::Failed(1_000)),
            (400, Some("9"), ForwardResult::Refused),
            (408, None, ForwardResult::Failed(1_000)),
            (413, None, ForwardResult::Refused),
            (429, Some("9"), ForwardResult::Failed(9_000)),
            (500, None, ForwardResult::Failed(1_000)),
            (503, Some("soon"), ForwardResult::Failed(1_000)),
        ] {
            let answer = OriginAnswer { status, retry_after: retry_after.map(str::to_owned), cache_control: None };
            assert_eq!(answer.forward_result(0), result, "{status}");
        }
    }
}
