//! The edge logger: a record of each request that passed it, in batches beside those of Logpush.
//!
//! Reading order: `settings` is what a deployment wants; `exchange` is what the platform saw of a request, `route` which rule
//! holds for it, `record` writes it as a line, by `redaction` and `fingerprint`; `counts` has the equation of what was seen,
//! `buffer` collects lines, `batch` closes them, `quota` counts those of a key, `logger` does all of this for one isolate, and
//! `store` brings batches to the bucket. `collect` is the mode that takes reports instead of passing requests on.
//!
//! # Invariants
//!
//! Every request that was seen is recorded, sampled out or dropped for one reason: [`EdgeCounts`] adds up at any time, and
//! travels with each batch. A closed batch never changes, so that storing it again stores the same object. No record contains a
//! bearer token, a cookie, or the value of a parameter whose name is that of a secret. What is held is bounded.

mod batch;
mod buffer;
mod collect;
mod counts;
mod exchange;
mod fingerprint;
mod logger;
mod quota;
mod record;
mod redaction;
mod route;
mod settings;
mod store;

pub use batch::{BatchLabel, EdgeBatch, ISOLATE_DIGITS};
pub use buffer::{EdgeBuffer, FlushBounds, StoreResult};
pub use collect::{
    CollectHost, CollectRule, CollectRuleFault, CollectSettings, ForwardReport, ForwardResult, OriginAnswer, OriginUrl,
    QuotaQuestion, QuotaUrl, ReportBody, ReportCollector, ReportRequest, ReportSchema, ReportWindow, SchemaFault,
    WindowBuffer, WindowForm, WindowHeaders, ask_quota, forward_due, keep_window_timer, read_collect_rules,
};
pub use counts::{DropReason, DroppedCounts, EdgeCounts};
pub use exchange::{EdgeExchange, PassOutcome};
pub use fingerprint::FingerprintKey;
pub use logger::EdgeLogger;
pub use quota::{KeyDigest, KeyPlace, KeyQuota};
pub use record::RecordStamp;
pub use redaction::{PathPattern, REDACTED, RedactionRules};
pub use route::{RouteFault, RouteRule, read_routes};
pub use settings::{EdgeMode, EdgeSettings};
pub use store::{EdgeHost, StoreReport, keep_timer, store_due};
