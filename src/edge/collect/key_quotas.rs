//! What the origin said of keys: whether one is over its quota, and for how long that holds.
//!
//! # Invariants
//! A key is asked about by one request at a time, and not more than [`QUOTA_ASKS_PER_SECOND`] are asked about in a second. Without
//! an answer a key is within its quota.

use super::answer::OriginAnswer;
use crate::edge::quota::{KeyDigest, RecentKeys};
use crate::limits::{EDGE_STORE_MS, QUOTA_ASKS_PER_SECOND, QUOTA_LIFE_BOUNDS_MS, QUOTA_LIFE_MS, QUOTA_RETRY_MS};
use crate::partner::retry_after_ms;

/// The status of an answer about a key that is over its quota.
const OVER_QUOTA: u16 = 429;

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
struct KeyState {
    is_over: bool,
    /// Until when that holds, in Unix milliseconds.
    until_ms: i64,
    /// Since when an answer is awaited.
    asked_ms: Option<i64>,
}

/// What is known of keys.
#[derive(Debug, Default)]
pub(super) struct KeyQuotas {
    keys: RecentKeys<KeyState>,
    /// The second in which the last keys were asked about, and their number.
    asked: (i64, u32),
}

/// What to do with the reports of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyVerdict {
    /// Whether the key is over its quota.
    pub(super) is_over: bool,
    /// Whether the origin is to be asked about it now.
    pub(super) is_asked: bool,
}

impl KeyQuotas {
    /// Returns what to do with the reports of a key. If the origin is to be asked, the caller does so, and notes the answer
    /// ([`Self::answer`]).
    pub(super) fn judge(&mut self, key: KeyDigest, now_ms: i64) -> KeyVerdict {
        let state = self.keys.used(key, KeyState::default);
        if now_ms < state.until_ms {
            return KeyVerdict { is_over: state.is_over, is_asked: false };
        }
        let is_awaited = state.asked_ms.is_some_and(|asked_ms| now_ms < asked_ms + EDGE_STORE_MS);
        let second = now_ms.div_euclid(1_000);
        let asked = if self.asked.0 == second { self.asked.1 } else { 0 };
        let is_asked = !is_awaited && asked < QUOTA_ASKS_PER_SECOND;
        if is_asked {
            self.asked = (second, asked + 1);
            state.asked_ms = Some(now_ms);
        }
        KeyVerdict { is_over: false, is_asked }
    }

    /// Notes the origin's answer about a key; `None` if there was none.
    pub(super) fn answer(&mut self, key: KeyDigest, answer: Option<&OriginAnswer>, now_ms: i64) {
        let Some(state) = self.keys.known(key) else { return };
        let (least, most) = QUOTA_LIFE_BOUNDS_MS;
        let bounded = |life: Option<i64>| life.unwrap_or(QUOTA_LIFE_MS).clamp(least, most);
        let (is_over, life_ms) = match answer {
            Some(answer) if answer.status == OVER_QUOTA => {
                let wait = retry_after_ms(answer.retry_after.as_deref(), now_ms);
                (true, bounded(wait.and_then(|wait| i64::try_from(wait).ok())))
            }
            Some(answer) if (200..=299).contains(&answer.status) => {
                (false, bounded(answer.cache_control.as_deref().and_then(max_age_ms)))
            }
            _ => (false, QUOTA_RETRY_MS),
        };
        *state = KeyState { is_over, until_ms: now_ms + life_ms, asked_ms: None };
    }
}

/// Returns the `max-age` of a `Cache-Control` header in milliseconds.
fn max_age_ms(cache_control: &str) -> Option<i64> {
    let mut directives = cache_control.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse::<i64>().ok())?
    })?;
    seconds.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::{KeyQuotas, KeyVerdict, OriginAnswer};
    use crate::edge::quota::KeyDigest;

    const TAKES: KeyVerdict = KeyVerdict { is_over: false, is_asked: false };
    const ASKS: KeyVerdict = KeyVerdict { is_over: false, is_asked: true };
    const OVER: KeyVerdict = KeyVerdict { is_over: true, is_asked: false };

    fn answer(status: u16, retry_after: Option<&str>, cache_control: Option<&str>) -> OriginAnswer {
        OriginAnswer {
            status,
            retry_after: retry_after.map(str::to_owned),
            cache_control: cache_control.map(str::to_owned),
        }
    }

    #[test]
    fn answer_about_a_key_holds_for_its_life() {
        let key = KeyDigest::new("", "k");
        for (said, verdict, until_ms) in [
            (Some(answer(204, None, None)), TAKES, 60_000),
            (Some(answer(200, None, Some("private, Max-Age=5"))), TAKES, 5_000),
            (Some(answer(200, None, Some("max-age=99999"))), TAKES, 3_600_000),
            (Some(answer(200, None, Some("max-age=0"))), TAKES, 1_000),
            (Some(answer(429, Some("7"), Some("max-age=1"))), OVER, 7_000),
            (Some(answer(429, None, None)), OVER, 60_000),
            (Some(answer(429, Some("86400"), None)), OVER, 3_600_000),
            (Some(answer(503, Some("7"), None)), TAKES, 10_000),
            (Some(answer(404, None, None)), TAKES, 10_000),
            (None, TAKES, 10_000),
        ] {
            let mut quotas = KeyQuotas::default();
            assert_eq!((quotas.judge(key, 0), quotas.judge(key, 0)), (ASKS, TAKES), "the answer is awaited");
            quotas.answer(key, said.as_ref(), 0);
            assert_eq!(quotas.judge(key, until_ms - 1), verdict, "{said:?}");
            assert_eq!(quotas.judge(key, until_ms), ASKS, "{said:?}");
        }
    }

    #[test]
    fn question_that_died_is_put_again() {
        let (mut quotas, key) = (KeyQuotas::default(), KeyDigest::new("", "k"));
        assert_eq!((quotas.judge(key, 0), quotas.judge(key, 34_999), quotas.judge(key, 35_000)), (ASKS, TAKES, ASKS));
    }

    #[test]
    fn made_up_keys_cost_few_questions() {
        let mut quotas = KeyQuotas::default();
        let asked = |quotas: &mut KeyQuotas, from: u32, now_ms| {
            let keys = (from..from + 1_000).map(|number| KeyDigest::new("", &number.to_string()));
            keys.filter(|key| quotas.judge(*key, now_ms).is_asked).count()
        };
        assert_eq!(
            (asked(&mut quotas, 0, 999), asked(&mut quotas, 1_000, 999), asked(&mut quotas, 0, 1_000)),
            (10, 0, 10)
        );
    }
}
