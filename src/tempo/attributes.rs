//! How the attributes of spans and the fields of `http_requests` correspond: for conditions on attributes, and for the lists of
//! tags and of their values.
//!
//! # Invariants
//! An attribute that can be searched for is one that traces have, or an older name of one.

use crate::mask::{Disclosure, Role, fields, shown};
use crate::record::Dataset;
use crate::story::{FIELD_PREFIX, HEADER_ATTRIBUTES, SEMANTIC_ATTRIBUTES, TRACE_PARENT};

/// The attribute that names a service.
pub(super) const SERVICE: &str = "service.name";

/// The names of other attributes for fields: those that are taken apart in traces, and older ones.
const OTHER_NAMES: [(&str, &str); 10] = [
    (SERVICE, "ClientRequestHost"),
    ("server.address", "ClientRequestHost"),
    ("url.path", "ClientRequestPath"),
    ("http.host", "ClientRequestHost"),
    ("http.method", "ClientRequestMethod"),
    ("http.scheme", "ClientRequestScheme"),
    ("http.status_code", "EdgeResponseStatus"),
    ("http.user_agent", "ClientRequestUserAgent"),
    ("http.target", "ClientRequestURI"),
    ("network.protocol.version", PROTOCOL),
];

/// The field with the version of HTTP, which an attribute has without its name.
pub(super) const PROTOCOL: &str = "ClientRequestProtocol";

/// What precedes that version in the field.
pub(super) const PROTOCOL_NAME: &str = "HTTP/";

/// Scopes that may precede the name of an attribute.
const SCOPES: [&str; 3] = ["span.", "resource.", "."];

/// What is known of a span beside its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intrinsic {
    Duration,
    Name,
    Status,
}

/// Their names.
pub(super) const INTRINSICS: [(&str, Intrinsic); 3] =
    [("duration", Intrinsic::Duration), ("name", Intrinsic::Name), ("status", Intrinsic::Status)];

/// What a name in a query is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TagSource {
    /// A field, or one header of it.
    Field(String),
    Intrinsic(Intrinsic),
}

/// Finds what a name stands for, with or without its scope; `None` if traces have no such attribute.
pub(super) fn source_of(name: &str) -> Option<TagSource> {
    let intrinsic = |name: &str| INTRINSICS.into_iter().find(|(known, _)| *known == name).map(|(_, found)| found);
    let own = name.strip_prefix("span:").unwrap_or(name);
    if let Some(found) = intrinsic(own) {
        return Some(TagSource::Intrinsic(found));
    }
    let name = SCOPES.into_iter().find_map(|scope| name.strip_prefix(scope)).unwrap_or(name);
    let semantic = SEMANTIC_ATTRIBUTES.into_iter().find(|(_, key, _)| *key == name).map(|(field, ..)| field);
    let other = || OTHER_NAMES.into_iter().find(|(key, _)| *key == name).map(|(_, field)| field);
    let field = semantic.or_else(other).map(str::to_owned);
    let header = || {
        let of = HEADER_ATTRIBUTES.into_iter().find_map(|(field, prefix)| Some((field, name.strip_prefix(prefix)?)));
        of.filter(|(_, header)| !header.is_empty()).map(|(field, header)| format!("{field}.{header}"))
    };
    let own = || name.strip_prefix(FIELD_PREFIX).filter(|field| is_field(field)).map(str::to_owned);
    field.or_else(header).or_else(own).map(TagSource::Field)
}

/// Whether a text may be the name of a field.
fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the names of all attributes of spans that a role may search for: those of the conventions, then fields under their
/// own names.
pub(super) fn span_attributes(role: Role) -> Vec<String> {
    let is_shown = |field: &str| shown(role, Dataset::HttpRequests, field) != Disclosure::Hidden;
    let semantic = SEMANTIC_ATTRIBUTES.into_iter().map(|(field, key, _)| (key, field));
    let taken_apart = OTHER_NAMES.into_iter().filter(|(key, _)| ["server.address", "url.path"].contains(key));
    let mut names: Vec<String> =
        semantic.chain(taken_apart).filter(|(_, field)| is_shown(field)).map(|(key, _)| key.to_owned()).collect();
    let [(headers, prefix), _] = HEADER_ATTRIBUTES;
    names.extend(is_shown(headers).then(|| format!("{prefix}{TRACE_PARENT}")));
    names.push("network.protocol.version".to_owned());
    let is_semantic = |field: &str| SEMANTIC_ATTRIBUTES.iter().any(|(known, ..)| *known == field);
    let own = fields(Dataset::HttpRequests).iter().map(|(field, _)| *field);
    let own = own.filter(|field| is_shown(field) && !is_semantic(field));
    names.extend(own.map(|field| format!("{FIELD_PREFIX}{field}")));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::{Intrinsic, TagSource, source_of, span_attributes};
    use crate::mask::Role;

    #[test]
    fn names_stand_for_fields_in_every_scope() {
        for (name, field) in [
            ("resource.service.name", "ClientRequestHost"),
            (".service.name", "ClientRequestHost"),
            ("service.name", "ClientRequestHost"),
            ("span.http.response.status_code", "EdgeResponseStatus"),
            ("span.http.status_code", "EdgeResponseStatus"),
            ("span.cloudflare.ray_id", "RayID"),
            ("span.cloudflare.BotScore", "BotScore"),
            ("span.http.request.header.traceparent", "RequestHeaders.traceparent"),
        ] {
            assert_eq!(source_of(name), Some(TagSource::Field(field.into())), "{name}");
        }
        for name in ["duration", "span:duration"] {
            assert_eq!(source_of(name), Some(TagSource::Intrinsic(Intrinsic::Duration)));
        }
        for name in ["span.foo", "rootName", "cloudflare.", "span.http.request.header.", "cloudflare.a b"] {
            assert_eq!(source_of(name), None, "{name}");
        }
    }

    #[test]
    fn every_listed_attribute_can_be_searched() {
        for role in Role::ALL {
            let names = span_attributes(*role);
            assert!(names.len() > 80, "{}", names.len());
            assert!(names.is_sorted_by(|a, b| a < b), "each once");
            assert!(names.iter().all(|name| source_of(name).is_some()));
        }
        assert!(!span_attributes(Role::Support).iter().any(|name| name.ends_with("Cookies")));
    }
}
