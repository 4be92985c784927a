//! The names of attributes, and the values that they have in a time range: what Grafana offers for a search.
//!
//! # Invariants
//! A name is listed only if the caller may search for it. Values are those that the caller sees. An unknown name has no values, and
//! is no error: Grafana asks for any that it knows from elsewhere.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::TempoVersion;
use super::attributes::{
    INTRINSICS, Intrinsic, PROTOCOL, PROTOCOL_NAME, SERVICE, TagSource, source_of, span_attributes,
};
use super::query::TraceQuery;
use super::request_scan::{RequestSearch, scan_requests, search_range};
use super::search::bounded;
use crate::access::Caller;
use crate::filter::Filter;
use crate::http::{HttpRequest, Problem, Reply, percent_decoded, problems};
use crate::limits::{TEMPO_VALUE_BYTES, TEMPO_VALUES, TEMPO_VALUES_MS};
use crate::mask::{Disclosure, shown};
use crate::memory::MemoryBudget;
use crate::record::{Dataset, FieldValue, RecordMembers};
use crate::render::first_header;
use crate::services::Services;
use crate::story::request_summary;

/// The fields that the name of a span is made of.
const NAME_FIELDS: [&str; 4] = ["RayID", "ClientRequestMethod", "ClientRequestURI", "ClientRequestPath"];

/// Names of one scope.
#[derive(Serialize)]
struct TagScope {
    name: &'static str,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct TagScopes {
    scopes: Vec<TagScope>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagNames {
    tag_names: Vec<String>,
}

/// A value with its type.
#[derive(Serialize)]
struct TagValue {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagValues<T> {
    tag_values: Vec<T>,
}

/// Answers with the names of attributes, of one scope if the request names it.
pub(crate) fn list_tags<B>(
    memory: &MemoryBudget,
    caller: &Caller,
    request: &HttpRequest<B>,
    version: TempoVersion,
) -> Result<Reply, Problem> {
    let wanted = request.parameter("scope").filter(|scope| !matches!(scope.as_str(), "" | "none" | "all"));
    let intrinsics = INTRINSICS.into_iter().map(|(name, _)| name.to_owned()).collect();
    let mut scopes = vec![
        TagScope { name: "resource", tags: vec![SERVICE.to_owned()] },
        TagScope { name: "span", tags: span_attributes(caller.role) },
        TagScope { name: "intrinsic", tags: intrinsics },
    ];
    if wanted.as_ref().is_some_and(|wanted| scopes.iter().all(|scope| scope.name != wanted)) {
        return Err(problems::bad_parameter("scope", "resource, span, intrinsic or none"));
    }
    scopes.retain(|scope| wanted.as_deref().is_none_or(|wanted| wanted == scope.name));
    Ok(match version {
        TempoVersion::V2 => Reply::json(memory, &TagScopes { scopes })?,
        TempoVersion::V1 => {
            let tag_names = scopes.into_iter().flat_map(|scope| scope.tags).collect();
            Reply::json(memory, &TagNames { tag_names })?
        }
    })
}

/// Answers with the values of an attribute in a time range.
pub(crate) async fn list_tag_values<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    (name, version): (&str, TempoVersion),
) -> Result<Reply, Problem> {
    let most = bounded(request, "limit", (TEMPO_VALUES, TEMPO_VALUES))?;
    let (values, is_whole) = match source_of(&percent_decoded(name)) {
        Some(TagSource::Intrinsic(Intrinsic::Status)) => {
            (["error", "unset"].map(|word| (word.to_owned(), "keyword")).into(), true)
        }
        Some(source) if is_shown(caller, &source) => find_values(services, caller, request, (&source, most)).await?,
        _ => (BTreeMap::new(), true),
    };
    let reply = match version {
        TempoVersion::V2 => {
            let tag_values = values.into_iter().map(|(value, kind)| TagValue { kind, value }).collect();
            Reply::json(services.memory(), &TagValues { tag_values })?
        }
        TempoVersion::V1 => Reply::json(services.memory(), &TagValues { tag_values: values.into_keys().collect() })?,
    };
    Ok(if is_whole { reply } else { reply.with_header("raydex-truncated", "true") })
}

/// Whether the caller sees values of an attribute.
fn is_shown(caller: &Caller, source: &TagSource) -> bool {
    match source {
        TagSource::Field(field) => {
            let field = field.split('.').next().unwrap_or_default();
            shown(caller.role, Dataset::HttpRequests, field) != Disclosure::Hidden
        }
        TagSource::Intrinsic(intrinsic) => *intrinsic == Intrinsic::Name,
    }
}

/// Finds values, each with its type, and whether the whole range was searched for them.
async fn find_values<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    (source, most): (&TagSource, usize),
) -> Result<(BTreeMap<String, &'static str>, bool), Problem> {
    let range = search_range(request, services.now_ms())?;
    // Grafana sends the query that a person is writing, whose end may be missing: then all values are offered.
    let query = request.parameter("q").and_then(|text| TraceQuery::parse(&text).ok()).unwrap_or_default();
    let filter =
        query.filter.as_deref().map(Filter::parse).transpose().map_err(|error| problems::bad_filter(&error))?;
    let field = match source {
        TagSource::Field(field) => field.split('.').next().unwrap_or_default(),
        TagSource::Intrinsic(_) => "",
    };
    let fields: Vec<&str> = if field.is_empty() { NAME_FIELDS.to_vec() } else { vec![field] };
    let mut values = BTreeMap::new();
    let search = RequestSearch { filter, range, fields: &fields, ms: TEMPO_VALUES_MS };
    let mut take = |text: &str| {
        if let Some((value, kind)) = value_in(text, source).filter(|(value, _)| value.len() <= TEMPO_VALUE_BYTES) {
            values.entry(value).or_insert(kind);
        }
        values.len() < most
    };
    let is_whole = scan_requests(services, caller, search, &mut take).await?;
    Ok((values, is_whole))
}

/// Returns the value of an attribute in a record, with its type.
fn value_in(text: &str, source: &TagSource) -> Option<(String, &'static str)> {
    let TagSource::Field(field) = source else { return Some((request_summary(text)?.name, "string")) };
    let members = RecordMembers::parse(text).ok()?;
    let (name, header) = field.split_once('.').map_or((field.as_str(), None), |(name, header)| (name, Some(header)));
    let value = FieldValue::from_json(members.get(name)?);
    let value = header.map_or_else(|| value.clone(), |header| first_header(&value, header));
    match value {
        FieldValue::Text(text) if text.is_empty() => None,
        FieldValue::Text(text) if name == PROTOCOL => Some((text.strip_prefix(PROTOCOL_NAME)?.to_owned(), "string")),
        FieldValue::Text(text) => Some((text.into_owned(), "string")),
        FieldValue::Number(digits) => Some((digits.to_owned(), if digits.contains('.') { "float" } else { "int" })),
        FieldValue::Bool(value) => Some((value.to_string(), "bool")),
        FieldValue::Absent | FieldValue::Nested(_) => None,
    }
}
