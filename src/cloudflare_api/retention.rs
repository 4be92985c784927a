//! The start of the available logs, in Logpull's words for a client with an older position.
//!
//! It follows from two facts: the configured retention of the bucket, and the first prefix in which anything was
//! indexed. For a caller for whom batches do not exist the setting alone decides, since the first log may be another zone's.

use crate::access::Visibility;
use crate::api::absence::first_indexed_ms;
use crate::backend::BackendError;
use crate::config::Config;
use crate::limits::LOGPULL_EARLY_MS;
use crate::record::Dataset;
use crate::services::Services;

const NS_PER_MS: i64 = 1_000_000;
const DAY_S: i64 = 86_400;

/// Returns Logpull's message for a range that starts before the first logs, if it does.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub(super) async fn too_early(
    config: &Config,
    services: &impl Services,
    start_ns: i64,
    visibility: Visibility,
) -> Result<Option<String>, BackendError> {
    let (now_ms, start) = (services.now_ms(), start_ns.div_euclid(NS_PER_MS));
    let kept_s = config.kept.retention_days.map(|days| i64::from(days) * DAY_S);
    if let Some(kept_s) = kept_s.filter(|kept_s| start < now_ms - kept_s * 1_000) {
        return Ok(Some(words(kept_s)));
    }
    if !visibility.has_batches() || start >= now_ms - LOGPULL_EARLY_MS {
        return Ok(None);
    }
    let first_ms = first_indexed_ms(services, Dataset::HttpRequests, now_ms)
        .await?
        .filter(|first| start < first - LOGPULL_EARLY_MS);
    Ok(first_ms.map(|first_ms| words((now_ms - first_ms).div_euclid(1_000))))
}

fn words(age_s: i64) -> String {
    let age = duration(age_s);
    format!("error parsing time: invalid time range: too early: logs older than {age} are not available")
}

/// Formats a duration in seconds like Logpull: `168h0m0s`.
fn duration(seconds: i64) -> String {
    let (minutes, s) = (seconds.div_euclid(60), seconds.rem_euclid(60));
    format!("{}h{}m{s}s", minutes.div_euclid(60), minutes.rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_spelled_as_logpulls() {
        for (seconds, text) in [(604_800, "168h0m0s"), (3_661, "1h1m1s"), (59, "0h0m59s"), (90_000, "25h0m0s")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
