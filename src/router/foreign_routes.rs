//! The routes of other systems' APIs that raydex answers, for the clients of these.

use crate::tempo::TempoVersion;

/// A route of Tempo's API that raydex answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempoRoute {
    /// Whether anyone is there.
    Echo,
    /// The version of the API.
    BuildInfo,
    /// A trace by its ID.
    GetTrace(TempoVersion),
    /// The traces of a time range.
    Search,
    /// The names of attributes.
    ListTags(TempoVersion),
    /// The values of an attribute.
    ListTagValues(TempoVersion),
}

/// A route of Cloudflare's API that raydex answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudflareRoute {
    /// Logpull: the records of a time range.
    ReceivedLogs,
    /// Logpull: the names of the fields.
    ListFields,
    /// Logpull: the records of a ray.
    ZoneRay,
    /// Logpull: whether logs are kept.
    GetRetention,
    /// Logpull: asks for logs to be kept.
    SetRetention,
    /// Logs Engine: the objects of a time range.
    ListObjects,
    /// Logs Engine: the records of a time range.
    RetrieveLogs,
    /// Logs Engine: asks for an index of a time range.
    IndexRays,
    /// Logs Engine: the records of a ray.
    AccountRay,
}
