//! The tools, and what each reads of its arguments: as the parameters of the route of the API that it asks.
//!
//! # Invariants
//! `schemas/mcp_tools.json` describes the same arguments, and a test compares the two. An argument that a tool does not have is
//! refused: it may be a switch that the assistant relies on.

use serde_json::{Map, Value};

use crate::http::{Problem, problems};

/// A tool that assistants can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolName {
    /// What is known of a request.
    Ray,
    /// Why nothing is known of one.
    WhyNotFound,
    /// Whether a request was delivered to the partner.
    Deliveries,
    /// The records of a time range.
    Search,
    /// The number of records of a time range.
    Counts,
}

/// What the value of an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArgumentKind {
    /// A string.
    Text,
    /// A whole number, or its digits.
    Number,
    /// Names: a list of strings.
    Names,
    /// A condition in Logpush's filter language: an object, or its JSON.
    Filter,
}

/// An argument of a tool.
#[derive(Debug)]
struct ToolArgument {
    name: &'static str,
    kind: ArgumentKind,
}

const fn argument(name: &'static str, kind: ArgumentKind) -> ToolArgument {
    ToolArgument { name, kind }
}

/// The argument with the Ray ID, which becomes the path.
const RAY: &str = "ray";

/// The argument with the reason, which becomes a header.
const REASON: &str = "reason";

const RAY_ARGUMENTS: [ToolArgument; 8] = [
    argument(RAY, ArgumentKind::Text),
    argument("dataset", ArgumentKind::Text),
    argument("fields", ArgumentKind::Names),
    argument("subrequests", ArgumentKind::Text),
    argument("depth", ArgumentKind::Number),
    argument("limit", ArgumentKind::Number),
    argument("cursor", ArgumentKind::Text),
    argument(REASON, ArgumentKind::Text),
];

const WHY_NOT_FOUND_ARGUMENTS: [ToolArgument; 3] =
    [argument(RAY, ArgumentKind::Text), argument("dataset", ArgumentKind::Text), argument(REASON, ArgumentKind::Text)];

const DELIVERIES_ARGUMENTS: [ToolArgument; 2] =
    [argument(RAY, ArgumentKind::Text), argument(REASON, ArgumentKind::Text)];

const SEARCH_ARGUMENTS: [ToolArgument; 8] = [
    argument("start", ArgumentKind::Text),
    argument("end", ArgumentKind::Text),
    argument("dataset", ArgumentKind::Text),
    argument("filter", ArgumentKind::Filter),
    argument("fields", ArgumentKind::Names),
    argument("limit", ArgumentKind::Number),
    argument("cursor", ArgumentKind::Text),
    argument(REASON, ArgumentKind::Text),
];

const COUNTS_ARGUMENTS: [ToolArgument; 8] = [
    argument("start", ArgumentKind::Text),
    argument("end", ArgumentKind::Text),
    argument("dataset", ArgumentKind::Text),
    argument("filter", ArgumentKind::Filter),
    argument("by", ArgumentKind::Names),
    argument("step", ArgumentKind::Text),
    argument("top", ArgumentKind::Number),
    argument(REASON, ArgumentKind::Text),
];

impl ToolName {
    /// All of them, in the order of the list.
    pub const ALL: [Self; 5] = [Self::Ray, Self::WhyNotFound, Self::Deliveries, Self::Search, Self::Counts];

    /// The name by which it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ray => "ray",
            Self::WhyNotFound => "why_not_found",
            Self::Deliveries => "deliveries",
            Self::Search => "search",
            Self::Counts => "counts",
        }
    }

    /// The tool of that name, if there is one.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    const fn table(self) -> &'static [ToolArgument] {
        match self {
            Self::Ray => &RAY_ARGUMENTS,
            Self::WhyNotFound => &WHY_NOT_FOUND_ARGUMENTS,
            Self::Deliveries => &DELIVERIES_ARGUMENTS,
            Self::Search => &SEARCH_ARGUMENTS,
            Self::Counts => &COUNTS_ARGUMENTS,
        }
    }

    /// The names of its arguments.
    pub fn arguments(self) -> impl Iterator<Item = &'static str> {
        self.table().iter().map(|argument| argument.name)
    }

    /// The names as an error lists them.
    fn takes(self) -> String {
        self.arguments().collect::<Vec<_>>().join(", ")
    }
}

/// What a tool reads of its arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolArguments {
    /// The Ray ID, for the path.
    pub(crate) ray: Option<String>,
    /// The query of the request to the API.
    pub(crate) query: String,
    /// Why the assistant asks.
    pub(crate) reason: Option<String>,
}

impl ToolArguments {
    /// Reads the arguments of a call. One that is null is as good as absent.
    ///
    /// # Errors
    /// The [`Problem`] of an argument that the tool does not have, that is missing or of another type.
    pub(super) fn read(tool: ToolName, given: &Map<String, Value>) -> Result<Self, Problem> {
        if !given.keys().all(|name| tool.arguments().any(|known| known == name)) {
            return Err(problems::unknown_argument(&tool.takes()));
        }
        let (mut ray, mut reason) = (None, None);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for ToolArgument { name, kind } in tool.table() {
            let Some(value) = given.get(*name).filter(|value| !value.is_null()) else { continue };
            let text = kind.text(value).ok_or_else(|| problems::bad_argument(name, kind.words()))?;
            match *name {
                RAY => ray = Some(text),
                REASON => reason = Some(text),
                name => {
                    query.append_pair(name, &text);
                }
            }
        }
        if ray.is_none() && tool.arguments().any(|name| name == RAY) {
            return Err(problems::missing_argument(RAY, &tool.takes()));
        }
        Ok(Self { ray, query: query.finish(), reason })
    }
}

impl ArgumentKind {
    /// What a value of this kind is, as an error says it.
    const fn words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a whole number",
            Self::Names => "a list of names of fields",
            Self::Filter => r#"an object such as {"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}"#,
        }
    }

    /// The value as a parameter of the API has it; `None` for one of another kind.
    fn text(self, value: &Value) -> Option<String> {
        match (self, value) {
            (_, Value::String(text)) => Some(text.clone()),
            // A time in Unix seconds, or a step.
            (Self::Text, Value::Number(number)) => Some(number.to_string()),
            // To JSON, 5.0 is a whole number.
            (Self::Number, Value::Number(number)) => {
                number.as_f64().filter(|number| number.fract() == 0.0).map(|number| format!("{number:.0}"))
            }
            (Self::Names, Value::Array(names)) => {
                let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
                names.filter(|names| names.iter().all(|name| !name.contains(','))).map(|names| names.join(","))
            }
            (Self::Filter, Value::Object(_)) => Some(value.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ToolArguments, ToolName};

    fn read(tool: ToolName, given: &Value) -> Result<ToolArguments, String> {
        ToolArguments::read(tool, given.as_object().unwrap()).map_err(|problem| problem.words())
    }

    #[test]
    fn arguments_become_parameters_of_the_api() {
        let given = json!({
            "ray": "9E3556d8c2ab1c05", "fields": ["RayID", "ClientIP"], "depth": 2, "cursor": null, "reason": "INC-1",
        });
        let found = read(ToolName::Ray, &given).unwrap();
        assert_eq!(found.ray.as_deref(), Some("9E3556d8c2ab1c05"));
        assert_eq!((found.query.as_str(), found.reason.as_deref()), ("fields=RayID%2CClientIP&depth=2", Some("INC-1")));
        let filter = json!({ "where": { "key": "a", "operator": "eq", "value": 1 } });
        for filter in [filter.clone(), filter.to_string().into()] {
            let found = read(ToolName::Search, &json!({ "start": 1_774_680_145, "filter": filter })).unwrap();
            let parsed: Vec<(String, String)> = form_urlencoded::parse(found.query.as_bytes()).into_owned().collect();
            assert_eq!(parsed[0], ("start".to_owned(), "1774680145".to_owned()));
            assert_eq!(serde_json::from_str::<Value>(&parsed[1].1).unwrap()["where"]["value"], 1);
        }
    }

    #[test]
    fn faulty_arguments_are_named_without_repeating_values() {
        for (tool, given, words) in [
            (ToolName::Ray, json!({}), "The argument ray is missing. The tool takes ray, dataset,"),
            (ToolName::Ray, json!({ "ray": null }), "The argument ray is missing."),
            (ToolName::Ray, json!({ "ray": {} }), "The argument ray takes a string."),
            (ToolName::Ray, json!({ "ray": "a", "depth": 1.5 }), "The argument depth takes a whole number."),
            (ToolName::Ray, json!({ "ray": "a", "hunter2": 1 }), "The tool has no argument of one of these names. It"),
            (ToolName::Search, json!({ "fields": [1] }), "The argument fields takes a list of names"),
            (ToolName::Search, json!({ "fields": ["a,hunter2"] }), "The argument fields takes a list of names"),
            (ToolName::Search, json!({ "filter": ["hunter2"] }), "The argument filter takes an object such as {"),
            (ToolName::Deliveries, json!({ "ray": "a", "dataset": "hunter2" }), "The tool has no argument"),
        ] {
            let said = read(tool, &given).unwrap_err();
            assert!(said.starts_with(words) && !said.contains("hunter2"), "{given}: {said}");
        }
    }
}
