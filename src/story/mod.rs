//! What is known of one request beyond its own records: the tree of requests that it belongs to, how it differs from
//! another one, or why there are no records.
//!
//! # Invariants
//! A story is a function of records that its reader sees. Whatever the records say, it ends.

mod diff;
mod facts;
mod family;
mod family_read;
mod family_search;
mod foreign_spans;
mod har;
mod log_type;
mod merge;
mod otlp;
mod phases;
mod place;
mod reads;
mod timings;
mod tree;
mod verdict;
mod walk;

pub use diff::{FieldPair, RecordDiff};
pub(crate) use facts::remove_spans;
pub use facts::{KinRecord, LinkKind};
pub use family::{FamilyPage, FamilyPageStart, FamilyQuery, find_family};
pub(crate) use foreign_spans::{BoundSpans, ray_of};
pub(crate) use har::{HarEntry, HarReader, started_ns};
pub use log_type::LogType;
pub use merge::{MergedRecord, merge_subrequests};
pub use otlp::{AttributeType, FIELD_PREFIX, HEADER_ATTRIBUTES, RAY_ATTRIBUTE, SEMANTIC_ATTRIBUTES, TRACE_PARENT};
pub(crate) use otlp::{NO_RAY, RaySpanParts, RequestSummary, SpanIds, SpanRecords, request_summary, trace_id_of};
pub use phases::{Phase, PhaseSpan, Phases};
pub use place::{FamilyCursor, FamilyPlace};
pub use timings::{TIMINGS, TimingUnit, milliseconds};
pub use tree::{FamilyTree, TreeNode};
pub use verdict::{AbsenceFacts, BatchFacts, Verdict, VerdictCode};
