//! Interprets the partner's answer to a delivery: each status has a class, which decides the next step.
//!
//! # Invariants
//!
//! Every status has a class, and only a 2xx is a delivery. An answer that leaves open whether the body was stored is
//! never taken for a refusal.

use chrono::NaiveDateTime;

use super::policy::ServerErrors;
use crate::limits::RETRY_AFTER_MS;

/// The meaning of the status of the partner's answer for the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnswerClass {
    /// The partner has stored the payload.
    Delivered,
    /// The address redirects elsewhere; a redirect is never followed, since nothing vouches for the next host.
    Redirect,
    /// The partner refuses this delivery, and would again.
    Permanent,
    /// The partner refuses this delivery for its size.
    TooLarge,
    /// The partner refuses the signature or the key.
    Auth,
    /// The address does not accept deliveries.
    WrongAddress,
    /// The partner did not store the payload; it is to be retried later.
    Busy,
    /// The partner failed without storing anything.
    ServerError,
    /// It is unknown whether the payload was stored.
    Unknown,
}

impl AnswerClass {
    /// Returns the stable code for counts, logs and stored rows.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Redirect => "redirect",
            Self::Permanent => "permanent",
            Self::TooLarge => "too_large",
            Self::Auth => "auth",
            Self::WrongAddress => "wrong_address",
            Self::Busy => "busy",
            Self::ServerError => "server_error",
            Self::Unknown => "unknown",
        }
    }
}

/// Returns the class of an answer with this status.
#[must_use]
pub const fn classify(status: u16, server_errors: ServerErrors) -> AnswerClass {
    match status {
        200..=299 => AnswerClass::Delivered,
        300..=399 => AnswerClass::Redirect,
        401 | 403 => AnswerClass::Auth,
        404 | 405 | 410 => AnswerClass::WrongAddress,
        408 | 425 | 429 | 503 => AnswerClass::Busy,
        413 => AnswerClass::TooLarge,
        // 400, 415 and 422, and every refusal without a better class: it affects only its own delivery, since a breaker
        // opened by one poisoned delivery would stop all others.
        400..=499 => AnswerClass::Permanent,
        // Cloudflare's own statuses, if the partner uses it: the origin closed the connection (520) or timed out (524),
        // both after receiving the request. The body may be stored.
        520 | 524 => AnswerClass::Unknown,
        500..=599 => match server_errors {
            ServerErrors::NotStored => AnswerClass::ServerError,
            ServerErrors::Unknown => AnswerClass::Unknown,
        },
        _ => AnswerClass::Unknown,
    }
}

/// Returns the pause that a `Retry-After` header asks for in milliseconds, within [`RETRY_AFTER_MS`]; the header is a
/// count of seconds or an HTTP date. `None` if it is absent, or neither.
#[must_use]
pub fn retry_after_ms(header: Option<&str>, now_ms: i64) -> Option<u64> {
    let text = header?.trim();
    let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000)
    } else {
        let date = NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").ok()?;
        let wait = date.and_utc().timestamp_millis().saturating_sub(now_ms);
        u64::try_from(wait).unwrap_or(0)
    };
    let (least, most) = RETRY_AFTER_MS;
    Some(asked.clamp(least, most))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{AnswerClass, classify, retry_after_ms};
    use crate::partner::ServerErrors;

    /// The class of every status with its own, in order; a status has the class of the last row at or below it.
    const TABLE: [(u16, AnswerClass); 35] = [
        (200, AnswerClass::Delivered),
        (300, AnswerClass::Redirect),
        (400, AnswerClass::Permanent),
        (401, AnswerClass::Auth),
        (402, AnswerClass::Permanent),
        (403, AnswerClass::Auth),
        (404, AnswerClass::WrongAddress),
        (406, AnswerClass::Permanent),
        (408, AnswerClass::Busy),
        (409, AnswerClass::Permanent),
        (410, AnswerClass::WrongAddress),
        (411, AnswerClass::Permanent),
        (412, AnswerClass::Permanent),
        (413, AnswerClass::TooLarge),
        (414, AnswerClass::Permanent),
        (415, AnswerClass::Permanent),
        (416, AnswerClass::Permanent),
        (418, AnswerClass::Permanent),
        (421, AnswerClass::Permanent),
        (422, AnswerClass::Permanent),
        (423, AnswerClass::Permanent),
        (425, AnswerClass::Busy),
        (426, AnswerClass::Permanent),
        (429, AnswerClass::Busy),
        (430, AnswerClass::Permanent),
        (431, AnswerClass::Permanent),
        (451, AnswerClass::Permanent),
        (500, AnswerClass::ServerError),
        (503, AnswerClass::Busy),
        (504, AnswerClass::ServerError),
        (520, AnswerClass::Unknown),
        (521, AnswerClass::ServerError),
        (524, AnswerClass::Unknown),
        (525, AnswerClass::ServerError),
        (599, AnswerClass::ServerError),
    ];

    #[test]
    fn every_status_has_the_class_of_the_table() {
        for status in 200..=599 {
            let (_, class) = TABLE.iter().rfind(|(from, _)| *from <= status).unwrap();
            assert_eq!(classify(status, ServerErrors::NotStored), *class, "{status}");
            let doubted = if *class == AnswerClass::ServerError { AnswerClass::Unknown } else { *class };
            assert_eq!(classify(status, ServerErrors::Unknown), doubted, "{status}");
        }
    }

    #[test]
    fn what_is_no_status_of_http_tells_nothing() {
        for status in [0, 100, 199, 600, 999, u16::MAX] {
            assert_eq!(classify(status, ServerErrors::NotStored), AnswerClass::Unknown, "{status}");
        }
    }

    #[test]
    fn the_partner_says_when_to_come_back() {
        const DAY: u64 = 86_400_000;
        // 2015-10-21T07:28:00Z.
        let now = 1_445_412_480_000;
        for (header, wait) in [
            ("120", Some(120_000)),
            (" 5 ", Some(5_000)),
            ("0", Some(1_000)),
            ("86401", Some(DAY)),
            ("99999999999999999999999", Some(DAY)),
            ("Wed, 21 Oct 2015 07:29:30 GMT", Some(90_000)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(1_000)),
            ("Tue, 20 Oct 2015 07:28:00 GMT", Some(1_000)),
            ("Thu, 21 Oct 2055 07:28:00 GMT", Some(DAY)),
            ("Mon, 21 Oct 2015 07:29:30 GMT", None),
            ("Wed, 21 Oct 2015 07:29:30 +0100", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after_ms(Some(header), now), wait, "{header:?}");
        }
        assert_eq!(retry_after_ms(None, now), None);
    }

    proptest! {
        #[test]
        fn no_header_panics_or_leaves_the_bounds(header in ".*", now in any::<i64>()) {
            let wait = retry_after_ms(Some(&header), now);
            prop_assert!(wait.is_none_or(|wait| (1_000..=86_400_000).contains(&wait)));
        }
    }
}
