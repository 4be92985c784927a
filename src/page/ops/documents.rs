//! What the page of operations reads of the API's answers.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What the page reads of `GET /v1/stats`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatsDocument {
    pub(super) lines: LinesDocument,
    pub(super) batches: BTreeMap<String, u64>,
    pub(super) payloads: BTreeMap<String, u64>,
    pub(super) posts: BTreeMap<String, u64>,
    pub(super) changed: BTreeMap<String, u64>,
    pub(super) before_start: BTreeMap<String, u64>,
    pub(super) ignored_events: BTreeMap<String, u64>,
    pub(super) delivery: DeliveryDocument,
    pub(super) freshness: FreshnessDocument,
    pub(super) layout_doubts: Vec<serde::de::IgnoredAny>,
    pub(super) dead_letters: u64,
    pub(super) ledgers: LedgersDocument,
}

/// The lines of all ledgers, by what became of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LinesDocument {
    #[serde(rename = "in")]
    pub(super) taken: u64,
    pub(super) delivered: u64,
    pub(super) confirmed: u64,
    pub(super) pending: u64,
    pub(super) parked: u64,
    pub(super) unaccounted: i64,
    pub(super) rejected: BTreeMap<String, u64>,
    pub(super) filtered: BTreeMap<String, u64>,
}

/// The state of the deliveries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeliveryDocument {
    pub(super) enabled: bool,
    pub(super) breaker: BreakerDocument,
    pub(super) paced_payloads: u64,
    pub(super) stopped_payloads: u64,
    pub(super) last_refusal: Option<RefusalDocument>,
}

/// The state of the breaker.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BreakerDocument {
    pub(super) state: String,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) status: Option<u16>,
}

/// The partner's last refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RefusalDocument {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) at: Option<String>,
}

/// How far deliveries are behind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FreshnessDocument {
    pub(super) oldest_pending_line_at: Option<String>,
    pub(super) lag: LagDocument,
}

/// The time from requests to their deliveries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LagDocument {
    pub(super) p50_s: Option<i64>,
    pub(super) p99_s: Option<i64>,
}

/// How many ledgers an answer counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LedgersDocument {
    pub(super) scanned: u64,
    pub(super) total: u64,
}

/// What the page reads of `GET /v1/batches`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BatchesDocument {
    pub(super) batches: Vec<BatchDocument>,
    pub(super) truncated: bool,
}

/// A batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BatchDocument {
    pub(super) id: String,
    pub(super) object: ObjectDocument,
    pub(super) dataset: Option<String>,
    pub(super) state: String,
    pub(super) code: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) last_record_at: Option<String>,
    pub(super) counts: CountsDocument,
}

/// The object of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ObjectDocument {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) uploaded_at: String,
}

/// The lines of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CountsDocument {
    pub(super) lines: u64,
    pub(super) rejected: BTreeMap<String, u64>,
}

/// What the page reads of `GET /v1/payloads`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PayloadsDocument {
    pub(super) payloads: Vec<PayloadDocument>,
    pub(super) truncated: bool,
}

/// A payload.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PayloadDocument {
    pub(super) id: String,
    pub(super) partner_batch_id: String,
    pub(super) lines: u64,
    pub(super) state: String,
    pub(super) attempts: u64,
    pub(super) unknown_outcomes: u64,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) last_attempt_at: Option<String>,
}

/// What the page reads of `GET /v1/dead-letters`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeadLettersDocument {
    pub(super) dead_letters: Vec<DeadLetterDocument>,
    pub(super) truncated: bool,
}

/// A dead letter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeadLetterDocument {
    pub(super) id: u64,
    pub(super) queue: String,
    pub(super) code: Option<String>,
    pub(super) event: Option<DeadEventDocument>,
    pub(super) payload: Option<String>,
    pub(super) attempts: u64,
    pub(super) given_up_at: String,
}

/// The event that a dead letter holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeadEventDocument {
    pub(super) object: ObjectDocument,
}

/// What the page reads of `GET /v1/backfills`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackfillsDocument {
    pub(super) backfills: Vec<BackfillDocument>,
}

/// A backfill.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BackfillDocument {
    pub(super) id: u64,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) index: bool,
    pub(super) deliver: bool,
    pub(super) again: bool,
    pub(super) state: String,
    pub(super) lines_per_second: u64,
    pub(super) objects: BTreeMap<String, u64>,
    pub(super) lines: Option<LinesDocument>,
}

/// What the page reads of `GET /v1/audit`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuditDocument {
    pub(super) entries: Vec<ChainedEntryDocument>,
    pub(super) chain_valid: bool,
    pub(super) head: AuditHeadDocument,
    /// The chains, where there are several.
    pub(super) chains: Vec<AuditChainDocument>,
}

impl AuditDocument {
    /// Returns the number of the last entry of each chain.
    #[must_use]
    pub fn last_entries(&self) -> Vec<u64> {
        let last = |chain: &AuditChainDocument| chain.head.as_ref().map_or(0, |head| head.seq);
        let heads: Vec<u64> = self.chains.iter().map(last).collect();
        if heads.is_empty() { vec![self.head.seq] } else { heads }
    }

    /// The number of entries of the log.
    pub(super) fn entry_count(&self) -> u64 {
        self.last_entries().iter().sum()
    }
}

/// What the page reads of `GET /v1/costs`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CostsDocument {
    pub(super) callers: Vec<CallerCostDocument>,
    pub(super) others: OtherCostsDocument,
}

/// What one caller cost today.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallerCostDocument {
    pub(super) actor: String,
    pub(super) requests: u64,
    pub(super) cost: String,
    pub(super) daily_budget: Option<String>,
}

/// What all other callers cost today.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OtherCostsDocument {
    pub(super) callers: u64,
    pub(super) requests: u64,
    pub(super) cost: String,
}

/// A chain of several.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditChainDocument {
    pub(super) head: Option<AuditHeadDocument>,
}

/// The end of the audit log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditHeadDocument {
    pub(super) seq: u64,
}

/// A link of the audit log's chain.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChainedEntryDocument {
    /// Its chain, where there are several.
    pub(super) chain: Option<u8>,
    pub(super) seq: u64,
    pub(super) entry: AuditEntryDocument,
}

/// An entry of the audit log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditEntryDocument {
    pub(super) time: String,
    pub(super) actor: Option<String>,
    pub(super) action: String,
    pub(super) resource: Option<String>,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
}
