//! The edge logger: a record of each request that passed it, in batches beside those of Logpush.
//!
//! Reading order: `settings` is what a deployment wants; `exchange` is what the platform saw of a request, `route` which rule
//! holds for it, `record` writes it as a line, by `redaction` and `fingerprint`; `counts` has the equation of what was seen,
//! `buffer` collects lines, `batch` closes them, `quota` counts those of a key, `logger` does all of this for one isolate, and
//! `store` brings batches to the sinks of `sink`, each with its `sink_queue`: to the bucket, to a `collector`, or by a `handover`
//! to the durable buffer, of which `queue_message` is the consumer of the queue. `collect` is the mode that takes reports instead
//! of passing requests on.
//!
//! # Invariants
//!
//! Every request that was seen is recorded, sampled out or dropped for one reason: [`EdgeCounts`] adds up at any time, and
//! travels with each batch. A closed batch never changes, so that storing it again stores the same object. No record contains a
//! bearer token, a cookie, or the value of a parameter whose name is that of a secret. What is held is bounded.

mod batch;
mod buffer;
mod collect;
mod collector;
mod counts;
mod exchange;
mod fingerprint;
pub mod handover;
mod logger;
mod queue_message;
mod quota;
mod record;
mod redaction;
mod route;
mod settings;
mod sink;
mod sink_queue;
mod store;

pub use batch::{BatchLabel, EdgeBatch, ISOLATE_DIGITS, inflated};
pub use buffer::{EdgeBuffer, FlushBounds, OutletTarget, StoreResult};
pub use collect::{
    CollectHost, CollectRule, CollectRuleFault, CollectSettings, ForwardReport, ForwardResult, OriginAnswer, OriginUrl,
    QuotaQuestion, QuotaUrl, ReportBody, ReportIntake, ReportRequest, ReportSchema, ReportWindow, SchemaFault,
    StoredReport, WindowBuffer, WindowForm, WindowHeaders, ask_quota, forward_due, keep_window_timer,
    read_collect_rules,
};
pub use collector::{CollectorAnswer, CollectorClient, CollectorPost, post_batch};
pub use counts::{DropReason, DroppedCounts, EdgeCounts, SinkCounts};
pub use exchange::{EdgeExchange, PassOutcome};
pub use fingerprint::FingerprintKey;
pub use handover::{HandOver, HandOverAnswer, HandedBatch, spool_of};
pub use logger::EdgeLogger;
pub use queue_message::{MessageVerdict, store_message};
pub use quota::{KeyDigest, KeyPlace, KeyQuota};
pub use record::RecordStamp;
pub use redaction::{PathPattern, REDACTED, RedactionRules};
pub use route::{RouteFault, RouteRule, read_routes};
pub use settings::{EdgeMode, EdgeSettings};
pub use sink::{
    CollectorPreset, CollectorSpec, SinkFault, SinkHeadersFault, SinkPath, SinkSettings, SinkSpec, SinkTarget,
    add_headers, read_sinks,
};
pub use store::{DurableBuffer, EdgeHost, StoreReport, bring_batches, store, store_due};
