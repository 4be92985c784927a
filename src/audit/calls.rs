//! The calls to the audit log ([`crate::rpc`]): their names, bodies and answers, all JSON.
//! `tests/fixtures/v0.1/calls/audit.txt` has each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::search::{EntryFilter, EntryScan};
use crate::access::{CostReport, RefusedRequests};
use crate::rpc::{calls, is_default};

pub use super::entry::{ChainEntry, ChainHead};

calls! {
    "v1/append": AppendEvent => AppendAnswer,
    "v1/append-all": AppendEvents => Vec<AppendAnswer>,
    "v1/read": ReadEntries => EntryPage,
    "v1/forget-tokens": ForgetTokens => TokenGeneration,
    "v1/count-written": CountWritten => WrittenCounts,
    "v1/raise-chains": RaiseChains => ChainCount,
    "v1/report-costs": ReportCosts => KnownCost,
    "v1/list-costs": ListCosts => CostPage,
    "v1/note-erasures": NoteErasures => ErasureGeneration,
}

/// Counts a request against the caller's rate, and appends what its [`AuditMode`] asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppendEvent {
    /// The caller's name: a token's, or the address of a person; empty for unknown callers.
    pub actor: String,
    /// Requests per minute that this caller may send; 0 for no limit.
    pub per_minute: u32,
    /// The action of the caller.
    pub event: AuditEvent,
    /// Whether the event was admitted, counted or denied.
    pub mode: AuditMode,
    /// The generation in which the isolate looked up the caller's token; `None` for a caller without one of the registry's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_generation: Option<u64>,
    /// The generation of the erasures that the isolate knows; `None` for a request that shows no records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasures: Option<u64>,
    /// The requests that the isolate refused since its last call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRequests>,
    /// Nano-dollars that the request costs in any case; 0 for one that is not counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cost: u64,
    /// The caller's budget of a day, in nano-dollars; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// Whether it is let in although its budget is spent: what it asks for shows no records.
    #[serde(default, skip_serializing_if = "is_default")]
    pub over_budget: bool,
    /// What callers cost beyond that, since the isolate's last call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostReport>,
}

/// Several events, each of which is handled as if it came alone, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppendEvents(pub Vec<AppendEvent>);

/// The handling of an event by the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditMode {
    /// It is appended, since the request is about to be answered.
    Admit,
    /// It is only counted. Where the caller is over its rate, it is appended as denied.
    Count,
    /// It is appended as denied, or counted as a repeat of an equal denial.
    Deny(Denial),
}

/// Why a request was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The code of the problem.
    pub code: String,
    /// Number of requests.
    pub count: u64,
    /// The number of the entry that recorded the request before it was denied, or of the first of equal denials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<u64>,
}

/// A caller's action, as its entry records it. No text of it holds a secret that [`super::redact`] recognises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// How the caller authenticated: `token`, `access`, or `none`.
    pub auth_method: String,
    /// The name of the role that the caller has; empty for unknown callers.
    pub role: String,
    /// The address that the request came from; empty where the platform does not say it.
    pub address: String,
    /// The method and the route, such as `GET /v1/rays/{ray}`.
    pub action: String,
    /// A ray in its canonical digits, a handle, or the key of an uploaded object; empty where the route names none.
    pub resource: String,
    /// The values that the request was read as, by name.
    pub request: BTreeMap<String, Value>,
    /// The reason that the caller gave in the header `raydex-reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to [`AppendEvent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AppendAnswer {
    /// The entry was appended under this number.
    Written {
        /// The number of the entry.
        seq: u64,
    },
    /// The caller is within its rate, and there was nothing to append.
    Passed {},
    /// The caller is over its rate. Nothing was appended.
    Limited {
        /// Milliseconds until the next request is allowed.
        wait_ms: i64,
    },
    /// As `Written`, or as `Passed` where there is no number, for a caller with a daily budget.
    Budgeted {
        /// The number of the entry, if one was appended.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// Nano-dollars that the caller has cost today, this request included.
        spent: u64,
    },
    /// The caller's daily budget is spent. Nothing was appended but the denial.
    Spent {
        /// Milliseconds until the day ends.
        wait_ms: i64,
        /// Nano-dollars that the caller has cost today.
        spent: u64,
    },
    /// There are erasures that the isolate does not know: it reads them before it shows anything.
    Erased {
        /// The generation that it must know.
        generation: u64,
        /// The answer apart from that.
        answer: Box<Self>,
    },
    /// Tokens were revoked since the isolate looked up the caller's. Nothing was counted or appended: the token is to be
    /// looked up again.
    Stale {
        /// The generation of tokens that is current.
        generation: u64,
    },
}

/// Begins another generation of tokens, after some were revoked: what isolates keep of tokens is of no use from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetTokens {}

/// What the audit log answers to [`ForgetTokens`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGeneration {
    /// The generation that began.
    pub generation: u64,
    /// How many chains there ever were, as the object of the first one knows.
    #[serde(default = "one_chain", skip_serializing_if = "is_one_chain")]
    pub chains: u8,
}

/// Notes that there are erasures of this generation: no request is admitted from now on whose isolate does not know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteErasures {
    /// The generation.
    pub generation: u64,
}

/// What the audit log answers to [`NoteErasures`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureGeneration {
    /// The latest generation that it knows.
    pub generation: u64,
}

/// Says to the object of the first chain to how many chains entries are to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaiseChains {
    /// Number of chains.
    pub chains: u8,
}

/// What the object of the first chain answers to [`RaiseChains`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainCount {
    /// How many chains there ever were.
    pub chains: u8,
}

/// Counts what a search costs while it runs, and what else the isolate has counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportCosts {
    /// The caller whose search it is.
    pub actor: String,
    /// What callers cost since the isolate's last call.
    pub costs: Vec<CostReport>,
}

/// The answer to [`ReportCosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCost {
    /// Nano-dollars that the caller has cost today.
    pub spent: u64,
}

/// Asks what callers cost today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCosts {
    /// Maximum number of callers that are listed.
    pub limit: usize,
}

/// The answer to [`ListCosts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostPage {
    /// The day, counted from 1970-01-01 in UTC.
    pub day: i64,
    /// The callers who cost most, the first of them most.
    pub callers: Vec<CallerCost>,
    /// The sum of the others.
    pub others: OtherCosts,
}

/// What one caller cost on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerCost {
    /// The caller's name.
    pub actor: String,
    /// Number of requests that were admitted.
    pub requests: u64,
    /// Nano-dollars.
    pub cost: u64,
    /// The budget of a day in nano-dollars, as its last request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
}

/// What several callers cost on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherCosts {
    /// Number of callers.
    pub callers: u64,
    /// Number of their requests that were admitted.
    pub requests: u64,
    /// Nano-dollars.
    pub cost: u64,
}

const fn one_chain() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_one_chain(chains: &u8) -> bool {
    *chains == 1
}

/// Asks what the object wrote since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountWritten {}

/// What the object wrote since it was started; none of it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenCounts {
    /// Calls that appended entries, or counted requests.
    pub calls: u64,
    /// Commits that wrote what these calls asked for.
    pub commits: u64,
    /// Rows that are billed as written by them.
    pub rows: u64,
    /// Entries.
    pub entries: u64,
}

/// Asks for a page of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadEntries {
    /// The number of the entry before the first one of the page.
    pub after: u64,
    /// Maximum number of entries, [`crate::limits::AUDIT_PAGE`] at most.
    pub limit: u64,
    /// Which entries.
    pub filter: EntryFilter,
}

/// The answer to [`ReadEntries`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// The entries that were looked at.
    pub scan: EntryScan,
    /// The end of the chain.
    pub head: ChainHead,
    /// The segment that has the entries asked for, where they are in the bucket; then nothing was looked at, and the scan
    /// begins where the segment does.
    pub segment: Option<AuditSegment>,
    /// The number of the first entry that the object has itself.
    pub kept_from: u64,
    /// How many chains there ever were, as the object of the first one knows.
    #[serde(default = "one_chain", skip_serializing_if = "is_one_chain")]
    pub chains: u8,
}

/// A run of entries that moved to the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSegment {
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The hash before its first entry.
    pub before: String,
    /// The hash of its last entry.
    pub hash: String,
    /// The time of its last entry.
    pub last_time: String,
    /// The key of the object.
    pub key: String,
}
