//! Reads stored batches for lookups and queries: a complete object, or a range of its spans from an access point.
//!
//! ```text
//! SpanRange → range of the batch ──────────┐ at the same time
//!           → range of the batch's windows ┴→ SpanReader → lines → SpanLineSink
//! ```
//!
//! Reading order: `range` names the spans, `reader` reads them, `stats` counts the work.
//!
//! # Invariants
//!
//! Spans are read only from the version that was indexed. Memory is bounded by one piece of one object, plus what the
//! sink retains.

mod range;
mod reader;
mod stats;

pub use range::SpanRange;
pub use reader::{ReadError, ReadProgress, ReadStart, SpanLineSink, SpanReader};
pub use stats::ReadStats;
