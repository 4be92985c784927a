//! What Grafana's data source of Tempo asks, answered from log lines: traces by ID, tags, and searches of a time range.
//!
//! `query` reads the part of `TraceQL` that a filter can say, `attributes` is how attributes and fields correspond, `search` runs
//! over the records of requests like any search, and `trace` looks up the tree of a ray.
//!
//! # Invariants
//! A caller sees here what a lookup or a search shows the same caller. Whatever is not supported is refused by its name; an error
//! is a sentence in plain text, since Grafana shows it as it is.

mod attributes;
mod partial;
mod query;
mod request_scan;
mod search;
mod service;
mod tags;
mod tokens;
mod trace;
mod trace_id;

pub(crate) use query::canonical_query;
pub(crate) use search::search_traces;
pub(crate) use service::{answer_echo, build_info, problem_reply};
pub(crate) use tags::{list_tag_values, list_tags};
pub(crate) use trace::get_trace;
pub(crate) use trace_id::parse_trace_id;

/// A version of Tempo's API that an answer is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempoVersion {
    /// Flat answers.
    V1,
    /// Answers with a status, and tags by scope.
    V2,
}
