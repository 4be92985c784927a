//! How often each caller may ask: a bucket of permits for each, filled evenly.
//!
//! It is held in the memory of the one object that all requests pass, so that it counts exactly; where that object is
//! started anew, every bucket is full.
//!
//! # Invariants
//! In any minute a caller gets at most twice its rate (a full bucket, and what fills it meanwhile). The memory is bounded,
//! however many callers there are.

use std::collections::HashMap;

use crate::limits::RATED_CALLERS;

/// Length of a minute in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// The buckets of all callers.
#[derive(Debug, Default)]
pub struct RateLimiter {
    callers: HashMap<String, PermitBucket>,
}

/// The permits that a caller has left, in thousandths of a permit times 60, so that a millisecond adds a whole number.
#[derive(Debug, Clone, Copy)]
struct PermitBucket {
    left: i64,
    at_ms: i64,
}

impl RateLimiter {
    /// Takes one permit of `who`, who has `per_minute` of them (0: no bound).
    ///
    /// # Errors
    /// How long to wait for the next one, in milliseconds.
    pub fn take(&mut self, who: &str, per_minute: u32, now_ms: i64) -> Result<(), i64> {
        if per_minute == 0 {
            return Ok(());
        }
        let rate = i64::from(per_minute);
        let full = rate * MINUTE_MS;
        if self.callers.len() >= RATED_CALLERS && !self.callers.contains_key(who) {
            // A caller without a request for a minute has a full bucket again, as if it were new.
            self.callers.retain(|_, bucket| now_ms - bucket.at_ms < MINUTE_MS);
            if self.callers.len() >= RATED_CALLERS {
                return Err(MINUTE_MS);
            }
        }
        let bucket = self.callers.entry(who.to_owned()).or_insert(PermitBucket { left: full, at_ms: now_ms });
        let gained = (now_ms - bucket.at_ms).clamp(0, MINUTE_MS) * rate;
        bucket.left = (bucket.left + gained).min(full);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        if bucket.left < MINUTE_MS {
            return Err((MINUTE_MS - bucket.left + rate - 1) / rate);
        }
        bucket.left -= MINUTE_MS;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MINUTE_MS, RateLimiter};
    use crate::limits::RATED_CALLERS;

    #[test]
    fn caller_gets_a_burst_then_one_per_interval() {
        let mut rates = RateLimiter::default();
        for _ in 0..30 {
            assert_eq!(rates.take("a", 30, 1_000), Ok(()));
        }
        assert_eq!(rates.take("a", 30, 1_000), Err(2_000));
        assert_eq!(rates.take("b", 30, 1_000), Ok(()), "another caller has permits of its own");
        assert_eq!(rates.take("a", 30, 2_999), Err(1));
        assert_eq!(rates.take("a", 30, 3_000), Ok(()));
        assert_eq!(rates.take("a", 30, 3_000), Err(2_000));
        assert_eq!(rates.take("c", 0, 0), Ok(()), "no bound");
    }

    #[test]
    fn waiting_caller_passes_and_clock_setback_gives_nothing() {
        for per_minute in [1, 7, 59, 1_000, u32::MAX] {
            let mut rates = RateLimiter::default();
            let mut now = 5;
            for _ in 0..3_000 {
                if let Err(wait) = rates.take("a", per_minute, now) {
                    assert!((1..=MINUTE_MS).contains(&wait), "{wait}");
                    assert_eq!(rates.take("a", per_minute, now - 10_000), Err(wait));
                    assert_eq!(rates.take("a", per_minute, now + wait - 1), Err(1));
                    now += wait;
                    assert_eq!(rates.take("a", per_minute, now), Ok(()));
                }
            }
        }
    }

    #[test]
    fn callers_beyond_the_table_wait_until_entries_expire() {
        let mut rates = RateLimiter::default();
        for number in 0..RATED_CALLERS {
            assert_eq!(rates.take(&number.to_string(), 1, 0), Ok(()));
        }
        assert_eq!(rates.take("new", 1, 30_000), Err(MINUTE_MS));
        assert_eq!(rates.take("0", 1, 30_000), Err(30_000));
        assert_eq!(rates.take("new", 1, MINUTE_MS), Ok(()));
        assert_eq!(rates.callers.len(), 2, "the one who asked again is kept");
    }
}
