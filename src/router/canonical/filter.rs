//! What the audit log keeps of a filter: the filter without spaces, each text spelled in one way and without its secrets.
//!
//! # Invariants
//! Numbers keep their digits. A text that is no filter is kept as free text.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::audit::redact::{redact_operand, redact_text};
use crate::filter::Filter;
use crate::mask::MASKED;
use crate::record::Dataset;

/// A node of a filter that was parsed: a group, or a condition.
#[derive(Deserialize)]
struct FilterShape<'a> {
    #[serde(borrow, rename = "where")]
    root: Option<&'a RawValue>,
    #[serde(borrow)]
    and: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    or: Option<Vec<&'a RawValue>>,
    key: Option<String>,
    operator: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// The filter in canonical form; a filter that does not parse is refused, and kept as free text.
pub(super) fn canonical_filter(dataset: Option<Dataset>, text: &str) -> String {
    let parsed = Filter::parse(text).ok().and_then(|_| canonical_node(dataset, text));
    parsed.unwrap_or_else(|| redact_text(text))
}

/// A part of a filter. It is as deep as [`crate::limits::FILTER_DEPTH`] at most.
fn canonical_node(dataset: Option<Dataset>, text: &str) -> Option<String> {
    let FilterShape { root, and, or, key, operator, value } = serde_json::from_str(text).ok()?;
    if let Some(root) = root {
        return Some(format!(r#"{{"where":{}}}"#, canonical_node(dataset, root.get())?));
    }
    if let Some((name, nodes)) = and.map(|nodes| ("and", nodes)).or(or.map(|nodes| ("or", nodes))) {
        let nodes: Option<Vec<String>> = nodes.iter().map(|node| canonical_node(dataset, node.get())).collect();
        return Some(format!(r#"{{"{name}":[{}]}}"#, nodes?.join(",")));
    }
    let (key, operator, value) = (key?, operator?, value?);
    let value = canonical_operand(dataset, &key, &operator, value.get())?;
    let (key, operator) = (Value::from(redacted_name(&key)), Value::from(operator));
    Some(format!(r#"{{"key":{key},"operator":{operator},"value":{value}}}"#))
}

/// The name of a field; one that no list has may be anything.
fn redacted_name(name: &str) -> String {
    let is_listed = crate::mask::is_listed(&Dataset::ALL, name);
    if is_listed { name.to_owned() } else { redact_text(name) }
}

/// What a field is held against.
fn canonical_operand(dataset: Option<Dataset>, key: &str, operator: &str, raw: &str) -> Option<String> {
    let redacted = |text: &str| redact_operand(dataset, key, text).unwrap_or_else(|| MASKED.to_owned());
    Some(match serde_json::from_str(raw).ok()? {
        Value::String(text) if operator.trim_start_matches('!') == "in" => {
            let parts: Vec<String> = text.split(',').map(redacted).collect();
            Value::from(parts.join(",")).to_string()
        }
        Value::String(text) => Value::from(redacted(&text)).to_string(),
        Value::Array(_) => {
            let parts: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            let parts: Option<Vec<String>> =
                parts.iter().map(|part| canonical_operand(dataset, key, "eq", part.get())).collect();
            format!("[{}]", parts?.join(","))
        }
        // A number or a truth value, as it is spelled.
        _ if redact_operand(dataset, key, "1").is_none() => Value::from(MASKED).to_string(),
        _ => raw.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::canonical_filter;

    #[test]
    fn filter_is_kept_in_one_spelling_without_secrets() {
        for (text, kept) in [
            (
                " { \"where\" : {\"key\":\"ClientRequest\\u0048ost\", \"operator\":\"eq\",\"value\":\"\\u0061.example\"} } ",
                r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"a.example"}}"#,
            ),
            (
                r#"{"where":{"or":[{"key":"EdgeResponseStatus","operator":"geq","value":12345678901234567890},
                {"and":[{"value":true,"key":"WorkerSubrequest","operator":"!eq"}]}]}}"#,
                r#"{"where":{"or":[{"key":"EdgeResponseStatus","operator":"geq","value":12345678901234567890},{"and":[{"key":"WorkerSubrequest","operator":"!eq","value":true}]}]}}"#,
            ),
            (
                r#"{"where":{"key":"RayID","operator":"in","value":["764660d8ec5c2ab1",7]}}"#,
                r#"{"where":{"key":"RayID","operator":"in","value":["764660d8ec5c2ab1",7]}}"#,
            ),
            (
                r#"{"where":{"key":"EdgeResponseStatus","operator":"in","value":"200,201"}}"#,
                r#"{"where":{"key":"EdgeResponseStatus","operator":"in","value":"200,201"}}"#,
            ),
            (
                r#"{"where":{"key":"Cookies","operator":"contains","value":"hunter2"}}"#,
                r#"{"where":{"key":"Cookies","operator":"contains","value":"[masked]"}}"#,
            ),
            (
                r#"{"where":{"key":"Novel","operator":"eq","value":4711}}"#,
                r#"{"where":{"key":"Novel","operator":"eq","value":"[masked]"}}"#,
            ),
            (
                r#"{"where":{"key":"ClientRequestURI","operator":"contains","value":"api_token=hunter2"}}"#,
                r#"{"where":{"key":"ClientRequestURI","operator":"contains","value":"api_token=[masked]"}}"#,
            ),
        ] {
            assert_eq!(canonical_filter(None, text), kept);
        }
        assert_eq!(canonical_filter(None, "password: hunter2"), "password: [masked]");
    }
}
