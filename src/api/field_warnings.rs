//! Warnings about fields that exist nowhere (not listed for any dataset, and absent from every record that an answer
//! read), and about values that no record has as the caller sees it.
//!
//! An unlisted name may still be right, since Transformers rename fields and Cloudflare adds new ones. So it is neither
//! refused nor ignored: the records decide.
//!
//! # Invariants
//! A warning repeats nothing of the request; its hint names a listed field. There is no warning about a field in a
//! record that the caller sees.

use memchr::{memchr, memmem};
use serde::Serialize;

use super::record_view::RecordView;
use crate::filter::{Filter, IpNetwork};
use crate::mask::{Role, is_listed, mask_line, nearest_field};
use crate::record::fields::line_text;
use crate::record::{Dataset, RecordMembers};

/// What of the request finds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldWarning {
    code: &'static str,
    /// The parameter that names the field.
    parameter: &'static str,
    /// The position in the parameter: `fields[1]`, `where.and[0]`.
    at: String,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl FieldWarning {
    /// The answer counts more values than the parameter `top` says.
    pub(crate) fn top_ignored() -> Self {
        Self {
            code: "top_ignored",
            parameter: "top",
            at: "top".to_owned(),
            detail: "This answer does not have the whole range, so its rows are of all values.",
            hint: Some("Add up the rows of all answers, then take the most frequent values.".to_owned()),
        }
    }
}

/// An unlisted field that no record has had so far.
#[derive(Debug, Clone)]
struct UnseenField {
    parameter: &'static str,
    at: String,
    name: String,
    nearest: Option<&'static str>,
}

/// The unlisted fields of a request that no record has had so far, and the values that the caller never sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnseenFields {
    fields: Vec<UnseenField>,
    /// The positions in the filter of fields whose values are masked for the caller.
    masked: Vec<String>,
}

impl UnseenFields {
    /// Collects the fields of a filter and of a selection that none of the datasets lists, and the values of the filter that
    /// `role` never sees.
    pub(crate) fn new(role: Role, datasets: &[Dataset], filter: Option<&Filter>, fields: Option<&[String]>) -> Self {
        let of_filter = filter.into_iter().flat_map(Filter::fields_with_places);
        let of_filter = of_filter.map(|(name, at)| ("filter", at.to_owned(), name));
        let masked = Self { fields: Vec::new(), masked: masked_places(role, datasets, filter) };
        masked.with(datasets, of_filter).with_names(datasets, "fields", fields.unwrap_or_default())
    }

    /// Adds the names in a list of a parameter that none of the datasets lists.
    pub(crate) fn with_names(self, datasets: &[Dataset], parameter: &'static str, names: &[String]) -> Self {
        let places = names.iter().enumerate();
        let places = places.map(|(index, name)| (parameter, format!("{parameter}[{index}]"), name.as_str()));
        self.with(datasets, places)
    }

    /// Adds the names that none of the datasets lists, each with its parameter and its position.
    fn with<'n>(mut self, datasets: &[Dataset], names: impl Iterator<Item = (&'static str, String, &'n str)>) -> Self {
        let unlisted = names.filter(|(_, _, name)| !is_listed(datasets, name));
        self.fields.extend(unlisted.map(|(parameter, at, name)| UnseenField {
            parameter,
            at,
            name: name.to_owned(),
            nearest: nearest_field(datasets, name),
        }));
        self
    }

    /// Removes the fields that a stored record has which the caller sees as it is.
    pub(crate) fn take_stored(&mut self, view: &RecordView, zone: Option<&str>, line: &[u8]) {
        if !self.is_empty() && view.is_verbatim() && view.is_visible(zone, line) {
            self.take(line);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Removes the fields that the record has.
    pub(crate) fn take(&mut self, line: &[u8]) {
        // A name is in the line verbatim, or spelled with escapes.
        let has_escapes = || memchr(b'\\', line).is_some();
        let may_have = |field: &UnseenField| memmem::find(line, field.name.as_bytes()).is_some() || has_escapes();
        if !self.fields.iter().any(may_have) {
            return;
        }
        let text = line_text(line);
        let Ok(members) = RecordMembers::parse(&text) else { return };
        self.fields.retain(|field| members.get(&field.name).is_none());
    }

    /// Returns a warning for each remaining field.
    pub(crate) fn warnings(&self) -> Vec<FieldWarning> {
        let warning = |field: &UnseenField| FieldWarning {
            code: "unknown_field",
            parameter: field.parameter,
            at: field.at.clone(),
            detail: "No list has this field, and no record that this answer read has it.",
            hint: field.nearest.map(|name| format!("Did you mean {name}?")),
        };
        let masked = |at: &String| FieldWarning {
            code: "masked_value",
            parameter: "filter",
            at: at.clone(),
            detail: "Your role sees this value as another one, so no record equals it.",
            hint: Some("Ask for the value as your answers show it, or for a network that holds it.".to_owned()),
        };
        self.fields.iter().map(warning).chain(self.masked.iter().map(masked)).collect()
    }
}

/// Returns the positions of the fields that a filter compares with values alone that `role` sees as other ones in each dataset.
fn masked_places(role: Role, datasets: &[Dataset], filter: Option<&Filter>) -> Vec<String> {
    let Some(filter) = filter else { return Vec::new() };
    let is_masked = |name: &str| {
        let operands = filter.exact_operands(name).unwrap_or_default();
        let masks = |operand: &&str| datasets.iter().all(|dataset| masks(role, *dataset, name, operand));
        !operands.is_empty() && operands.iter().all(masks)
    };
    let masked = filter.fields_with_places().filter(|(name, _)| is_masked(name));
    masked.map(|(_, at)| at.to_owned()).collect()
}

/// Returns whether a field with this value does not equal it as `role` sees it, whether it is a text or a number.
fn masks(role: Role, dataset: Dataset, field: &str, operand: &str) -> bool {
    let condition = serde_json::json!({ "where": { "key": field, "operator": "eq", "value": operand } });
    let Ok(filter) = Filter::parse(&condition.to_string()) else { return false };
    let value = IpNetwork::parse(operand).map_or_else(|_| operand.to_owned(), |network| network.first().to_string());
    let number = serde_json::from_str(&value).ok().filter(serde_json::Value::is_number);
    [Some(value.into()), number].into_iter().flatten().all(|value: serde_json::Value| {
        let (line, mut masked) = (serde_json::json!({ field: value }).to_string(), Vec::new());
        mask_line(role, dataset, line.as_bytes(), &mut masked).is_ok() && filter.accepts(&masked) == Ok(false)
    })
}

/// Returns the value of the header `raydex-warnings` with the positions: `unknown_field at fields[1], …`.
pub(crate) fn header_of(warnings: &[FieldWarning]) -> Option<String> {
    let texts = warnings.iter().map(|FieldWarning { code, at, .. }| format!("{code} at {at}"));
    (!warnings.is_empty()).then(|| itertools::join(texts, ", "))
}

#[cfg(test)]
mod tests {
    use super::{UnseenFields, header_of};
    use crate::filter::Filter;
    use crate::mask::Role;
    use crate::record::Dataset;

    fn unseen(fields: &[&str]) -> UnseenFields {
        let fields: Vec<String> = fields.iter().map(|name| (*name).to_owned()).collect();
        UnseenFields::new(Role::Forensics, &[Dataset::HttpRequests], None, Some(&fields))
    }

    fn places(unseen: &UnseenFields) -> Vec<String> {
        unseen.warnings().into_iter().map(|warning| warning.at).collect()
    }

    #[test]
    fn listed_fields_are_never_warned_of() {
        assert!(unseen(&["RayID", "ClientIP", "OriginResponseTime", "Subrequests"]).is_empty());
        assert_eq!(places(&unseen(&["RayID", "clientip", "Action"])), ["fields[1]", "fields[2]"]);
        let both = [Dataset::HttpRequests, Dataset::FirewallEvents];
        assert!(UnseenFields::new(Role::Forensics, &both, None, Some(&["Action".to_owned()])).is_empty());
    }

    #[test]
    fn values_that_are_masked_are_warned_of() {
        let datasets = [Dataset::HttpRequests];
        let warned = |role, key: &str, operator: &str, value: &str| {
            let filter = format!(r#"{{"where":{{"key":"{key}","operator":"{operator}","value":{value}}}}}"#);
            let filter = Filter::parse(&filter).unwrap();
            let unseen = UnseenFields::new(role, &datasets, Some(&filter), None);
            unseen.warnings().iter().map(|warning| format!("{} {}", warning.code, warning.at)).collect::<Vec<_>>()
        };
        for (key, operator, value, is_warned) in [
            ("ClientIP", "eq", r#""192.0.2.77""#, true),
            ("ClientIP", "in", r#"["192.0.2.77","192.0.2.78"]"#, true),
            ("ClientIP", "in", r#"["192.0.2.77","192.0.2.0"]"#, false),
            ("ClientIP", "eq", r#""192.0.2.0/24""#, false),
            ("ClientIP", "eq", r#""192.0.2.64/26""#, true),
            ("ClientIP", "eq", r#""2001:db8::1""#, true),
            ("ClientIP", "startsWith", r#""192.0.2.7""#, false),
            ("EdgeResponseStatus", "geq", "500", false),
            ("EdgeResponseStatus", "eq", "500", false),
            ("ClientRequestMethod", "eq", r#""GET""#, false),
            ("ClientRequestURI", "eq", r#""/x?token=hunter2""#, true),
        ] {
            let wanted = if is_warned { vec!["masked_value where".to_owned()] } else { vec![] };
            assert_eq!(warned(Role::Viewer, key, operator, value), wanted, "{key} {operator} {value}");
            assert!(warned(Role::Forensics, key, operator, value).is_empty());
        }
    }

    #[test]
    fn fields_of_a_record_are_seen() {
        let line = |text: &str| {
            let mut fields = unseen(&["My_Field", "Other", "a\"b"]);
            fields.take(text.as_bytes());
            places(&fields)
        };
        assert_eq!(line(r#"{"My_Field":null}"#), ["fields[1]", "fields[2]"]);
        assert!(line(r#"{"\u004dy_Field":1,"Other":2,"a\"b":3}"#).is_empty());
        assert_eq!(line(r#"{"\u004dy_Field":1,"a\u0022b":3}"#), ["fields[1]"]);
        for text in [r#"{"x":{"My_Field":1}}"#, r#"{"x":"My_Field"}"#, r#"{"My_Field2":1}"#, "[]", "My_Field"] {
            assert_eq!(line(text).len(), 3, "{text}");
        }
    }

    #[test]
    fn warning_repeats_nothing_of_the_request() {
        let filter = r#"{"where":{"and":[{"key":"RayID","operator":"eq","value":"hunter2"},{"or":[
            {"key":"hunter2","operator":"eq","value":1},{"key":"edgeresponsestatus","operator":"eq","value":1}]}]}}"#;
        let filter = Filter::parse(filter).unwrap();
        let unseen = UnseenFields::new(Role::Forensics, &[Dataset::HttpRequests], Some(&filter), None);
        let warnings = unseen.warnings();
        let json = serde_json::to_string(&warnings).unwrap();
        assert!(!json.contains("hunter2") && !json.contains("edgeresponsestatus"), "{json}");
        assert!(json.contains("Did you mean EdgeResponseStatus?"), "{json}");
        let places = "unknown_field at where.and[1].or[1], unknown_field at where.and[1].or[0]";
        assert_eq!(header_of(&warnings).as_deref(), Some(places));
        assert_eq!(header_of(&[]), None);
    }
}
