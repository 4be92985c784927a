//! The accounts and the state of deliveries, in words.

use std::collections::BTreeMap;

use super::documents::{FreshnessDocument, LinesDocument, StatsDocument};
use super::figures::{count, count_by_name, since};
use crate::page::code_words::plain_code;
use crate::page::figures::seconds_text;

/// A figure of the accounts, with what it means.
#[derive(Debug)]
pub(super) struct AccountTile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) why: String,
    /// The class of the tile: `is-ok`, `is-warn`, `is-error`, or nothing.
    pub(super) class: &'static str,
}

/// Further totals: what they count, and the counts.
#[derive(Debug)]
pub(super) struct AccountFact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// Returns the lines by what became of them.
pub(super) fn tiles(stats: &StatsDocument, now_ms: i64) -> Vec<AccountTile> {
    let StatsDocument { lines, freshness, .. } = stats;
    let LinesDocument { taken, delivered, confirmed, pending, parked, unaccounted, rejected, filtered } = lines;
    let warns = |is_some: bool| if is_some { "is-warn" } else { "" };
    let tile = |name, value: String, why: String, class| AccountTile { name, value, why, class };
    let (accounted, class) = match unaccounted {
        0 => ("every line has an outcome", "is-ok"),
        _ => ("see the ledgers of the batches below", "is-error"),
    };
    let confirmed =
        if *confirmed > 0 { format!("and {} confirmed by a person", count(*confirmed)) } else { String::new() };
    let oldest = freshness.oldest_pending_line_at.as_deref().map(|at| format!("oldest line {}", since(at, now_ms)));
    let to_decide = if *parked > 0 { "each payload needs a decision" } else { "" };
    vec![
        tile("unaccounted", count(*unaccounted), accounted.to_owned(), class),
        tile("lines in", count(*taken), String::new(), ""),
        tile("delivered", count(*delivered), confirmed, ""),
        tile("pending", count(*pending), oldest.unwrap_or_default(), ""),
        tile("parked", count(*parked), to_decide.to_owned(), warns(*parked > 0)),
        tile("rejected", count(total(rejected)), count_by_name(rejected), warns(total(rejected) > 0)),
        tile("not for the partner", count(total(filtered)), count_by_name(filtered), ""),
    ]
}

/// Returns the further totals that are not zero.
pub(super) fn facts(stats: &StatsDocument) -> Vec<AccountFact> {
    let counted = [
        ("Batches", &stats.batches),
        ("Payloads", &stats.payloads),
        ("POSTs", &stats.posts),
        ("Lines changed on the way", &stats.changed),
        ("Before the first start, indexed only", &stats.before_start),
        ("Ignored events", &stats.ignored_events),
    ];
    let counted = counted.into_iter().filter(|(_, counts)| total(counts) > 0);
    let mut found: Vec<_> = counted.map(|(name, counts)| AccountFact { name, value: count_by_name(counts) }).collect();
    if !stats.layout_doubts.is_empty() {
        let value = format!(
            "in doubt: {} times in which most rays have other times than their records",
            stats.layout_doubts.len()
        );
        found.push(AccountFact { name: "Layout of Ray IDs", value });
    }
    let (scanned, all) = (stats.ledgers.scanned, stats.ledgers.total);
    if scanned < all {
        let value = format!("{} of {} ledgers: these totals are not complete", count(scanned), count(all));
        found.push(AccountFact { name: "Counted", value });
    }
    found
}

/// Returns the facts of deliveries.
pub(super) fn delivery_facts(stats: &StatsDocument, now_ms: i64) -> Vec<AccountFact> {
    let mut facts = Vec::new();
    if let Some(value) = lag(&stats.freshness) {
        facts.push(AccountFact { name: "From request to delivery", value });
    }
    if stats.delivery.paced_payloads > 0 {
        let value = format!("{} payloads, by the rate that is set", count(stats.delivery.paced_payloads));
        facts.push(AccountFact { name: "Waiting for their turn", value });
    }
    if stats.delivery.stopped_payloads > 0 {
        let value = format!("{} payloads, until their backfill is resumed", count(stats.delivery.stopped_payloads));
        facts.push(AccountFact { name: "Stopped", value });
    }
    let refusal = stats.delivery.last_refusal.as_ref().map(|refusal| {
        let answered = refusal.status.map(|code| code.to_string());
        let at = refusal.at.as_deref().map(|at| since(at, now_ms));
        itertools::join([answered, refusal.code.as_deref().map(plain_code), at].into_iter().flatten(), ", ")
    });
    facts.push(AccountFact { name: "Last refusal", value: refusal.unwrap_or_else(|| "none".to_owned()) });
    facts
}

/// Returns the sentence on the breaker, and its class.
pub(super) fn breaker_words(stats: &StatsDocument, now_ms: i64) -> (String, &'static str) {
    let breaker = &stats.delivery.breaker;
    if breaker.state == "closed" {
        return ("The breaker is closed: payloads go out.".to_owned(), "is-ok");
    }
    let mut words = format!("The breaker is {}", plain_code(&breaker.state));
    let mut add = |before: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            words.push_str(before);
            words.push_str(&value);
        }
    };
    add(" since ", breaker.since.as_deref().map(|at| since(at, now_ms)));
    add(", because of ", breaker.reason.as_deref().map(plain_code));
    add(", status ", breaker.status.map(|status| status.to_string()));
    add("; next attempt ", breaker.until.as_deref().map(|at| since(at, now_ms)));
    words.push('.');
    (words, "is-error")
}

fn lag(freshness: &FreshnessDocument) -> Option<String> {
    let half = freshness.lag.p50_s.map(|seconds| format!("half of the lines in at most {}", seconds_text(seconds)));
    let most = freshness.lag.p99_s.map(|seconds| format!("99 % in at most {}", seconds_text(seconds)));
    let words = itertools::join([half, most].into_iter().flatten(), ", ");
    (!words.is_empty()).then(|| format!("{words}, counted from the first record of their batch"))
}

fn total(by_code: &BTreeMap<String, u64>) -> u64 {
    by_code.values().sum()
}

#[cfg(test)]
mod tests {
    use super::{breaker_words, facts, tiles};
    use crate::page::ops::documents::StatsDocument;

    fn stats(json: &serde_json::Value) -> StatsDocument {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn unaccounted_line_is_an_error() {
        let class = |unaccounted: i64| {
            let stats = stats(&serde_json::json!({ "lines": { "unaccounted": unaccounted } }));
            tiles(&stats, 0).first().map(|tile| tile.class)
        };
        assert_eq!([0, 1, -1].map(class), [Some("is-ok"), Some("is-error"), Some("is-error")]);
    }

    #[test]
    fn open_breaker_says_why_and_until_when() {
        let stats =
            stats(&serde_json::json!({ "delivery": { "enabled": true, "breaker": { "state": "open", "status": 503,
            "since": "2026-03-28T08:00:00Z", "until": "2026-03-28T08:02:00Z", "reason": "server_error" } } }));
        let now_ms = 1_774_684_860_000;
        let words = "The breaker is open since 60 s ago, because of server error, status 503; next attempt in 60 s.";
        assert_eq!(breaker_words(&stats, now_ms), (words.to_owned(), "is-error"));
    }

    #[test]
    fn totals_that_are_not_complete_say_so() {
        let stats = stats(&serde_json::json!({ "ledgers": { "scanned": 100, "total": 1_200 } }));
        let facts = facts(&stats);
        assert_eq!(facts.iter().map(|fact| fact.name).collect::<Vec<_>>(), ["Counted"]);
        assert_eq!(facts[0].value, "100 of 1,200 ledgers: these totals are not complete");
    }
}
