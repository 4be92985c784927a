//! Reads stored batches for lookups and queries: an object as a whole, or a range of its spans from an access point.
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
//! Spans are read only from the version that was indexed. Memory is one piece of one object, and what the sink keeps.

mod range;
mod reader;
mod stats;

pub use range::SpanRange;
pub use reader::{ReadError, ReadProgress, ReadStart, SpanLineSink, SpanReader};
pub use stats::ReadStats;
