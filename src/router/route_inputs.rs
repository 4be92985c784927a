//! What routes read of a request: the longer lists of query parameters and of members of a body.
//!
//! # Invariants
//! A name that is on no list of its route is refused.

/// The query parameters of `GET /v1/rays/{ray}`.
pub(super) const GET_RAY: &[&str] =
    &["format", "dataset", "fields", "filter", "timestamps", "parts", "subrequests", "depth", "limit", "cursor"];

/// The query parameters of `GET /r/{ray}`.
pub(super) const SHOW_RAY: &[&str] = &["tab", "dataset", "by", "within", "cursor", "with", "tree", "records", "reason"];

/// The query parameters of `GET /v1/rays/{ray}/neighbours`.
pub(super) const NEIGHBOURS: &[&str] = &["by", "within", "dataset", "fields", "limit", "format", "cursor"];

/// The query parameters of `GET /v1/logs`.
pub(super) const LOGS: &[&str] =
    &["start", "end", "dataset", "filter", "fields", "timestamps", "format", "sample", "limit", "cursor", "summary"];

/// The query parameters of `GET /v1/counts`.
pub(super) const COUNTS: &[&str] = &["start", "end", "dataset", "filter", "step", "by", "top", "format", "cursor"];

/// The query parameters of `GET /v1/audit`.
pub(super) const AUDIT: &[&str] =
    &["after", "limit", "format", "actor", "resource", "address", "outcome", "start", "end"];

/// The members of an operation's body.
pub(super) const REASON: &[&str] = &["reason"];

/// The query parameters of `GET /v1/payloads`.
pub(super) const PAYLOADS: &[&str] = &["state", "code", "older_than", "after", "limit"];

/// The members of the body of a decision about several payloads.
pub(super) const DECISION: &[&str] =
    &["decision", "payloads", "state", "code", "older_than", "dry_run", "expected", "reason"];

/// The members of a backfill's body.
pub(super) const BACKFILL: &[&str] =
    &["start", "end", "index", "deliver", "lines_per_second", "again", "filter", "reason", "rebuild"];

/// The members of an erasure's body.
pub(super) const ERASURE: &[&str] = &["by", "field", "values", "dataset", "start", "end", "lines_per_second", "reason"];

/// The members of a new token's body.
pub(super) const TOKEN: &[&str] =
    &["id", "scopes", "role", "zones", "datasets", "scans", "daily_budget", "days", "expires"];

/// The query parameters of a trace of Tempo's API: the range in which its ID is searched for in headers.
pub(super) const TRACE_RANGE: &[&str] = &["start", "end"];

/// The query parameters of `GET /tempo/api/search`.
pub(super) const TRACE_SEARCH: &[&str] = &["q", "tags", "minDuration", "maxDuration", "limit", "spss", "start", "end"];

/// The query parameters of the values of an attribute.
pub(super) const TAG_VALUES: &[&str] = &["q", "limit", "start", "end"];
