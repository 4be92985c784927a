//! Reads what the answer of a collector means for the records of a batch.
//!
//! # Invariants
//! Records are given up (refused) only where the collector says that a repetition would not help. Whatever is not understood is
//! tried again.

use serde::Deserialize;
use serde_json::Value;

use super::CollectorAnswer;
use crate::edge::buffer::StoreResult;
use crate::edge::sink::CollectorPreset;
use crate::limits::COLLECTOR_PAUSE_MS;
use crate::partner::retry_after_ms;

/// Returns the result of a post of this number of records; without an answer it failed.
pub(super) fn verdict(
    preset: CollectorPreset,
    answer: Option<&CollectorAnswer>,
    lines: u64,
    now_ms: i64,
) -> StoreResult {
    let Some(answer) = answer else { return StoreResult::Failed };
    match answer.status {
        200..=299 => accepted(preset, &answer.body, lines),
        status if is_retried(preset, status) => {
            let pause = retry_after_ms(answer.retry_after.as_deref(), now_ms).and_then(|ms| i64::try_from(ms).ok());
            pause.map_or(StoreResult::Failed, |ms| StoreResult::Later(ms.clamp(0, COLLECTOR_PAUSE_MS)))
        }
        _ => StoreResult::Refused(lines),
    }
}

/// Returns whether a repetition of the same request may be accepted. OTLP lists the statuses; the others are repeated for any
/// fault of the server.
const fn is_retried(preset: CollectorPreset, status: u16) -> bool {
    match preset {
        CollectorPreset::Otlp => matches!(status, 429 | 502..=504),
        _ => matches!(status, 408 | 425 | 429 | 500..=599),
    }
}

/// Reads the body of a 2xx, where the form has one that matters.
fn accepted(preset: CollectorPreset, body: &[u8], lines: u64) -> StoreResult {
    match preset {
        CollectorPreset::Ndjson | CollectorPreset::Loki => StoreResult::Stored,
        CollectorPreset::Elastic => bulk(body, lines),
        CollectorPreset::Splunk => splunk(body),
        CollectorPreset::Otlp => partial_success(body, lines),
    }
}

/// The answer of Elasticsearch's bulk API.
#[derive(Deserialize)]
struct BulkAnswer {
    errors: bool,
    #[serde(default)]
    items: Vec<BulkItem>,
}

#[derive(Deserialize)]
struct BulkItem {
    create: BulkStatus,
}

#[derive(Deserialize)]
struct BulkStatus {
    status: u16,
}

/// The statuses are those of the items. 409 is a repetition, which is there already. As long as one may be accepted later, all
/// are repeated.
fn bulk(body: &[u8], lines: u64) -> StoreResult {
    let Ok(answer) = serde_json::from_slice::<BulkAnswer>(body) else { return StoreResult::Failed };
    if !answer.errors {
        return StoreResult::Stored;
    }
    if answer.items.len() as u64 != lines {
        return StoreResult::Failed;
    }
    let statuses = || answer.items.iter().map(|item| item.create.status);
    if statuses().any(|status| is_retried(CollectorPreset::Elastic, status)) {
        return StoreResult::Failed;
    }
    match statuses().filter(|status| !matches!(status, 200..=299 | 409)).count() as u64 {
        0 => StoreResult::Stored,
        refused => StoreResult::Refused(refused),
    }
}

/// Code 0 is success; a 2xx without one is not an answer of Splunk's.
fn splunk(body: &[u8]) -> StoreResult {
    let code = serde_json::from_slice::<Value>(body).ok().and_then(|answer| answer.get("code")?.as_u64());
    if code == Some(0) { StoreResult::Stored } else { StoreResult::Failed }
}

/// Rejected records of a partial success must not be repeated. The number is a text in JSON, or a number.
fn partial_success(body: &[u8], lines: u64) -> StoreResult {
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let rejected = answer.pointer("/partialSuccess/rejectedLogRecords");
    let rejected = rejected.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok()));
    match rejected.unwrap_or(0) {
        0 => StoreResult::Stored,
        rejected => StoreResult::Refused(rejected.min(lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::{CollectorAnswer, CollectorPreset, StoreResult, verdict};
    use CollectorPreset::{Elastic, Loki, Ndjson, Otlp, Splunk};
    use StoreResult::{Failed, Later, Refused, Stored};

    fn of(preset: CollectorPreset, status: u16, body: &str) -> StoreResult {
        let answer = CollectorAnswer { status, retry_after: None, body: body.into() };
        verdict(preset, Some(&answer), 3, 0)
    }

    fn items(statuses: [u16; 3]) -> String {
        let items = statuses.map(|status| format!(r#"{{"create":{{"status":{status}}}}}"#)).join(",");
        format!(r#"{{"errors":true,"items":[{items}]}}"#)
    }

    #[test]
    fn statuses_decide_what_is_repeated() {
        for preset in [Ndjson, Loki, Elastic, Splunk] {
            for (status, result) in [
                (302, Refused(3)),
                (400, Refused(3)),
                (401, Refused(3)),
                (413, Refused(3)),
                (408, Failed),
                (429, Failed),
                (500, Failed),
                (503, Failed),
            ] {
                assert_eq!(of(preset, status, ""), result, "{preset:?} {status}");
            }
        }
        for (status, result) in
            [(429, Failed), (502, Failed), (503, Failed), (504, Failed), (500, Refused(3)), (408, Refused(3))]
        {
            assert_eq!(of(Otlp, status, ""), result, "OTLP lists what is repeated: {status}");
        }
        assert_eq!((of(Loki, 204, ""), of(Ndjson, 200, "ok")), (Stored, Stored));
        assert_eq!(verdict(Loki, None, 3, 0), Failed);
    }

    #[test]
    fn retry_after_is_obeyed_within_bounds() {
        for (header, result) in [("7", Later(7_000)), ("86400", Later(300_000)), ("soon", Failed)] {
            let answer = CollectorAnswer { status: 429, retry_after: Some(header.into()), body: Vec::new() };
            assert_eq!(verdict(Loki, Some(&answer), 3, 0), result, "{header}");
        }
    }

    #[test]
    fn bulk_answer_is_read_item_by_item() {
        for (body, result) in [
            (r#"{"errors":false,"items":[]}"#.to_owned(), Stored),
            (items([201, 409, 201]), Stored),
            (items([201, 400, 409]), Refused(1)),
            (items([201, 400, 429]), Failed),
            (items([503, 201, 201]), Failed),
            (items([400, 403, 404]), Refused(3)),
            (r#"{"errors":true,"items":[]}"#.into(), Failed),
            ("<html>".into(), Failed),
        ] {
            assert_eq!(of(Elastic, 200, &body), result, "{body}");
        }
    }

    #[test]
    fn splunk_and_otlp_answers_are_read() {
        assert_eq!(of(Splunk, 200, r#"{"text":"Success","code":0}"#), Stored);
        assert_eq!((of(Splunk, 200, r#"{"code":9}"#), of(Splunk, 200, "")), (Failed, Failed));
        for (body, result) in [
            ("{}", Stored),
            ("", Stored),
            (r#"{"partialSuccess":{}}"#, Stored),
            (r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"x"}}"#, Refused(2)),
            (r#"{"partialSuccess":{"rejectedLogRecords":9}}"#, Refused(3)),
        ] {
            assert_eq!(of(Otlp, 200, body), result, "{body}");
        }
    }
}
