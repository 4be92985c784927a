//! Which logs of Cloudflare a record of `http_requests` belongs to.

use serde::Serialize;

use crate::record::fields::line_text;
use crate::record::members::RecordMembers;

/// A kind of request; a visitor's request that went on to the origin is of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    /// A visitor sent it.
    Visitor,
    /// It was forwarded to the origin.
    Origin,
    /// A Worker sent it.
    WorkerSubrequest,
}

impl LogType {
    /// Returns the kinds of the request in a record of `http_requests`, as far as its fields tell.
    #[must_use]
    pub fn of_record(line: &[u8]) -> Vec<Self> {
        let text = line_text(line);
        let Ok(members) = RecordMembers::parse(&text) else { return Vec::new() };
        let is = |name, values: &[&str]| members.get(name).is_some_and(|value| values.contains(&value));
        let is_set = |name, empty: &[&str]| members.get(name).is_some_and(|value| !empty.contains(&value));
        let mut types = Vec::new();
        if is("ClientRequestSource", &["\"eyeball\""]) {
            types.push(Self::Visitor);
        }
        if is_set("OriginIP", &["\"\"", "null"]) || is_set("OriginResponseStatus", &["0", "\"0\"", "\"\"", "null"]) {
            types.push(Self::Origin);
        }
        let is_subrequest = is("WorkerSubrequest", &["true", "\"true\"", "1"]);
        if is_subrequest && is("ClientRequestSource", &["\"edgeWorkerFetch\""]) {
            types.push(Self::WorkerSubrequest);
        }
        types
    }
}

#[cfg(test)]
mod tests {
    use super::LogType;

    #[test]
    fn fields_tell_the_types_of_a_request() {
        let types = |line: &str| LogType::of_record(line.as_bytes());
        assert_eq!(
            types(r#"{"ClientRequestSource":"eyeball","OriginIP":"","OriginResponseStatus":0}"#),
            [LogType::Visitor]
        );
        assert_eq!(
            types(r#"{"ClientRequestSource":"eyeball","OriginIP":"192.0.2.1"}"#),
            [LogType::Visitor, LogType::Origin]
        );
        assert_eq!(
            types(r#"{"ClientRequestSource":"edgeWorkerFetch","WorkerSubrequest":true,"OriginResponseStatus":503}"#),
            [LogType::Origin, LogType::WorkerSubrequest]
        );
        assert_eq!(types(r#"{"WorkerSubrequest":true}"#), []);
        assert_eq!(types("not a record"), []);
    }
}
