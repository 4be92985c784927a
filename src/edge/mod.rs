//! The edge logger: a record of each request that passed it, in batches beside those of Logpush.
//!
//! Reading order: `settings` is what a deployment wants; `exchange` is what the platform saw of a request, `route` which rule
//! holds for it, `record` writes it as a line, by `redaction` and `fingerprint`; `counts` has the equation of what was seen,
//! `buffer` collects lines, `batch` closes them, `logger` does all of this for one isolate, and `store` brings batches to the
//! bucket.
//!
//! # Invariants
//!
//! Every request that was seen is recorded, sampled out or dropped for one reason: [`EdgeCounts`] adds up at any time, and
//! travels with each batch. A closed batch never changes, so that storing it again stores the same object. No record contains a
//! bearer token, a cookie, or the value of a parameter whose name is that of a secret. What is held is bounded.

mod batch;
mod buffer;
mod counts;
mod exchange;
mod fingerprint;
mod logger;
mod record;
mod redaction;
mod route;
mod settings;
mod store;

pub use batch::{BatchLabel, EdgeBatch, ISOLATE_DIGITS};
pub use buffer::{EdgeBuffer, FlushBounds, StoreResult};
pub use counts::{DropReason, DroppedCounts, EdgeCounts};
pub use exchange::{EdgeExchange, PassOutcome};
pub use fingerprint::FingerprintKey;
pub use logger::EdgeLogger;
pub use record::RecordStamp;
pub use redaction::{PathPattern, REDACTED, RedactionRules};
pub use route::{RouteFault, RouteRule, read_routes};
pub use settings::{EdgeMode, EdgeSettings};
pub use store::{EdgeHost, StoreReport, keep_timer, store_due};
