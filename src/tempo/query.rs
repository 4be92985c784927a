//! Reads the part of `TraceQL` that a filter can say: one set of spans, whose attributes are compared with values; comparisons are
//! joined by `&&` and `||`. `tags`, the older form, is a list of equal values.
//!
//! # Invariants
//! What a filter cannot say is refused by its name, never passed over. Reading goes no deeper than a filter may be.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::attributes::{INTRINSICS, Intrinsic, PROTOCOL, PROTOCOL_NAME, TagSource, source_of};
use super::tokens::{QueryToken, tokens_of};
use crate::limits::{FILTER_BYTES, FILTER_DEPTH};

/// Why a query is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryFault {
    #[error("it is longer than 4,096 bytes")]
    TooLong,
    #[error("it is not TraceQL that raydex reads: write {{ attribute = value && … }}")]
    Malformed,
    #[error("functions after a pipe (|), such as count, rate and select, are not supported")]
    Pipe,
    #[error("several sets of spans, {{…}} && {{…}}, are not supported: join the comparisons inside of one")]
    Sets,
    #[error("relations between spans (>, >>, <, <<, ~) are not supported")]
    Structure,
    #[error("calculations (+, -, *, /) are not supported")]
    Calculation,
    #[error("! before a comparison is not supported: use != or !~")]
    Negation,
    #[error("nil is not supported")]
    Nil,
    #[error("an attribute without a comparison is not supported")]
    Alone,
    #[error("the scopes parent, event, link and instrumentation are not supported")]
    Scope,
    #[error("of what is known of every span only name, status and duration can be compared")]
    Intrinsic,
    #[error("it names an attribute that these traces do not have")]
    Attribute,
    #[error("comparing two attributes is not supported")]
    TwoAttributes,
    #[error("name can be compared by = with a method and a path alone, such as \"GET /cart\"")]
    Name,
    #[error("status can be compared by = and != with error, ok and unset alone")]
    Status,
    #[error("duration can be compared by <, <=, > and >= with a time such as 100ms alone, and not beside ||")]
    Duration,
    #[error("of regular expressions only words joined by |, and those that begin or end with .*, are supported")]
    Regex,
    #[error("<, <=, > and >= compare with whole numbers alone")]
    Number,
    #[error("it has more brackets inside of each other than a filter may have")]
    TooDeep,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TraceQuery {
    /// The filter of requests, in Logpush's language.
    pub(super) filter: Option<String>,
    /// The shortest and the longest duration, in nanoseconds.
    pub(super) least_ns: Option<i64>,
    pub(super) most_ns: Option<i64>,
}

/// A condition in the making; `None` holds for everything.
type Condition = Option<Value>;

impl TraceQuery {
    /// Reads a query in `TraceQL`.
    pub(super) fn parse(text: &str) -> Result<Self, QueryFault> {
        if text.len() > FILTER_BYTES {
            return Err(QueryFault::TooLong);
        }
        let tokens = tokens_of(text).ok_or(QueryFault::Malformed)?;
        let mut parser = QueryParser { tokens: &tokens, query: Self::default() };
        let condition = parser.spans()?;
        Ok(Self { filter: document(condition), ..parser.query })
    }

    /// Reads a list of equal values: `service.name=a http.status_code="500"`.
    pub(super) fn parse_tags(text: &str) -> Result<Self, QueryFault> {
        if text.len() > FILTER_BYTES {
            return Err(QueryFault::TooLong);
        }
        let tokens = tokens_of(text).ok_or(QueryFault::Malformed)?;
        let mut conditions = Vec::new();
        for tag in tokens.chunks(3) {
            let [QueryToken::Word(name), QueryToken::Operator("="), value] = tag else {
                return Err(QueryFault::Malformed);
            };
            let text = match value {
                QueryToken::Text(text) => text.as_ref(),
                QueryToken::Word(text) | QueryToken::Number(text) => text,
                QueryToken::Bracket(_) | QueryToken::Operator(_) => return Err(QueryFault::Malformed),
            };
            conditions.push(match source_of(name) {
                Some(TagSource::Field(field)) => field_condition(&field, "=", &QueryToken::Text(text.into()))?,
                Some(TagSource::Intrinsic(Intrinsic::Name)) => name_condition("=", &QueryToken::Text(text.into()))?,
                Some(TagSource::Intrinsic(Intrinsic::Status)) => status_condition("=", &QueryToken::Word(text))?,
                Some(TagSource::Intrinsic(Intrinsic::Duration)) => return Err(QueryFault::Duration),
                None => return Err(QueryFault::Attribute),
            });
        }
        Ok(Self { filter: document(joined("and", conditions)), ..Self::default() })
    }

    /// Takes what another query asks for, too.
    pub(super) fn and(self, other: Self) -> Self {
        let filter = match (self.filter, other.filter) {
            (Some(one), Some(other)) => {
                let inner = |text: &str| serde_json::from_str::<Value>(text).ok()?.get_mut("where").map(Value::take);
                document(joined("and", vec![inner(&one), inner(&other)]))
            }
            (one, other) => one.or(other),
        };
        Self { filter, least_ns: self.least_ns.max(other.least_ns), most_ns: least(self.most_ns, other.most_ns) }
    }
}

/// Returns the lesser bound, if there is one.
fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Returns what the audit log keeps of a query: its filter, and its durations in words; `None` if it does not parse.
pub(crate) fn canonical_query(text: &str) -> Option<(Option<String>, String)> {
    let TraceQuery { filter, least_ns, most_ns } = TraceQuery::parse(text).ok()?;
    let bound = |sign: &str, ns: Option<i64>| ns.map(|ns| format!(" duration{sign}{ns}ns")).unwrap_or_default();
    Some((filter, bound(">=", least_ns) + &bound("<=", most_ns)))
}

fn document(condition: Condition) -> Option<String> {
    condition.map(|condition| json!({ "where": condition }).to_string())
}

/// Joins conditions; one that holds for everything says nothing beside others, and everything instead of others.
fn joined(by: &str, conditions: Vec<Condition>) -> Condition {
    let count = conditions.len();
    let mut known: Vec<Value> = conditions.into_iter().flatten().collect();
    match (by, known.len()) {
        ("or", len) if len < count => None,
        (_, 0) => None,
        (_, 1) => known.pop(),
        (by, _) => Some(json!({ by: known })),
    }
}

/// Reads the signs of a query.
struct QueryParser<'q> {
    tokens: &'q [QueryToken<'q>],
    query: TraceQuery,
}

impl<'q> QueryParser<'q> {
    fn next(&mut self) -> Option<&'q QueryToken<'q>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn takes(&mut self, token: &QueryToken<'_>) -> bool {
        let is_next = self.tokens.first() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    /// Reads the set of spans, after which nothing may come.
    fn spans(&mut self) -> Result<Condition, QueryFault> {
        match self.next() {
            Some(QueryToken::Bracket('{')) => {}
            Some(QueryToken::Bracket('(')) => return Err(QueryFault::Sets),
            _ => return Err(QueryFault::Malformed),
        }
        let is_empty = self.tokens.first() == Some(&QueryToken::Bracket('}'));
        let condition = if is_empty { None } else { self.any_of(0, false)? };
        if !self.takes(&QueryToken::Bracket('}')) {
            return Err(QueryFault::Malformed);
        }
        match self.next() {
            None => Ok(condition),
            Some(QueryToken::Operator("|")) => Err(QueryFault::Pipe),
            Some(QueryToken::Operator("&&" | "||")) => Err(QueryFault::Sets),
            Some(QueryToken::Operator(_)) => Err(QueryFault::Structure),
            Some(_) => Err(QueryFault::Malformed),
        }
    }

    /// Reads comparisons joined by `||`; `is_beside` if the whole is beside another `||`.
    fn any_of(&mut self, depth: usize, is_beside: bool) -> Result<Condition, QueryFault> {
        let (tokens, before) = (self.tokens, self.query.clone());
        let first = self.all_of(depth, is_beside)?;
        if !is_beside && self.tokens.first() == Some(&QueryToken::Operator("||")) {
            // A duration would hold for the first part alone.
            (self.tokens, self.query) = (tokens, before);
            return self.any_of(depth, true);
        }
        let mut conditions = vec![first];
        while self.takes(&QueryToken::Operator("||")) {
            conditions.push(self.all_of(depth, true)?);
        }
        Ok(joined("or", conditions))
    }

    /// Reads comparisons joined by `&&`.
    fn all_of(&mut self, depth: usize, is_beside: bool) -> Result<Condition, QueryFault> {
        let mut conditions = vec![self.one(depth, is_beside)?];
        while self.takes(&QueryToken::Operator("&&")) {
            conditions.push(self.one(depth, is_beside)?);
        }
        Ok(joined("and", conditions))
    }

    /// Reads a comparison, or several in brackets.
    fn one(&mut self, depth: usize, is_beside: bool) -> Result<Condition, QueryFault> {
        // Each level of brackets may be one of `and` and one of `or`.
        if 2 * depth + 2 > FILTER_DEPTH {
            return Err(QueryFault::TooDeep);
        }
        match self.next() {
            Some(QueryToken::Bracket('(')) => {
                let condition = self.any_of(depth + 1, is_beside)?;
                if self.takes(&QueryToken::Bracket(')')) { Ok(condition) } else { Err(QueryFault::Malformed) }
            }
            Some(QueryToken::Word("true")) => Ok(None),
            Some(QueryToken::Word(name)) => self.comparison(name, is_beside),
            Some(QueryToken::Operator("!")) => Err(QueryFault::Negation),
            _ => Err(QueryFault::Malformed),
        }
    }

    fn comparison(&mut self, name: &str, is_beside: bool) -> Result<Condition, QueryFault> {
        let source = find_source(name)?;
        let operator = match self.next() {
            Some(QueryToken::Operator(operator @ ("=" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~"))) => *operator,
            Some(QueryToken::Operator("+" | "*" | "/")) => return Err(QueryFault::Calculation),
            Some(QueryToken::Operator("&&" | "||") | QueryToken::Bracket('}' | ')')) => return Err(QueryFault::Alone),
            Some(QueryToken::Number(number)) if number.starts_with('-') => return Err(QueryFault::Calculation),
            _ => return Err(QueryFault::Malformed),
        };
        let value = self.next().ok_or(QueryFault::Malformed)?;
        if let Some(QueryToken::Operator("+" | "*" | "/")) = self.tokens.first() {
            return Err(QueryFault::Calculation);
        }
        match source {
            TagSource::Field(field) => field_condition(&field, operator, value),
            TagSource::Intrinsic(Intrinsic::Name) => name_condition(operator, value),
            TagSource::Intrinsic(Intrinsic::Status) => status_condition(operator, value),
            TagSource::Intrinsic(Intrinsic::Duration) if is_beside => Err(QueryFault::Duration),
            TagSource::Intrinsic(Intrinsic::Duration) => self.duration(operator, value).map(|()| None),
        }
    }

    fn duration(&mut self, operator: &str, value: &QueryToken<'_>) -> Result<(), QueryFault> {
        let QueryToken::Number(text) = value else { return Err(QueryFault::Duration) };
        let ns = parse_duration(text).ok_or(QueryFault::Duration)?;
        let TraceQuery { least_ns, most_ns, .. } = &mut self.query;
        match operator {
            ">" => *least_ns = (*least_ns).max(Some(ns.saturating_add(1))),
            ">=" => *least_ns = (*least_ns).max(Some(ns)),
            "<" => *most_ns = least(*most_ns, Some(ns.saturating_sub(1))),
            "<=" => *most_ns = least(*most_ns, Some(ns)),
            _ => return Err(QueryFault::Duration),
        }
        Ok(())
    }
}

/// Finds what a name stands for.
fn find_source(name: &str) -> Result<TagSource, QueryFault> {
    if let Some(source) = source_of(name) {
        return Ok(source);
    }
    let has_scope = |scopes: &[&str]| scopes.iter().any(|scope| name.starts_with(scope));
    if has_scope(&["parent.", "event.", "link.", "instrumentation.", "event:", "link:", "instrumentation:"]) {
        return Err(QueryFault::Scope);
    }
    let is_attribute = has_scope(&["span.", "resource.", "."]);
    debug_assert!(INTRINSICS.iter().all(|(known, _)| *known != name), "it was found");
    Err(if is_attribute { QueryFault::Attribute } else { QueryFault::Intrinsic })
}

/// Parses a time such as `100ms` or `1.5s`; returns nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let split = text.find(|sign: char| !sign.is_ascii_digit() && sign != '.')?;
    let (number, unit) = text.split_at_checked(split)?;
    let (_, unit_ns) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit_ns)?;
    let decimals = decimals.get(..decimals.len().min(9))?;
    let rest = if decimals.is_empty() { 0 } else { decimals.parse::<i64>().ok()? };
    let scale = 10_i64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let rest = i64::try_from(i128::from(rest) * i128::from(unit_ns) / i128::from(scale)).ok()?;
    whole.checked_add(rest)
}

fn leaf(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({ "key": field, "operator": operator, "value": value.into() })
}

/// Returns the condition on a field.
fn field_condition(field: &str, operator: &str, value: &QueryToken<'_>) -> Result<Condition, QueryFault> {
    let named = |text: &str| if field == PROTOCOL { format!("{PROTOCOL_NAME}{text}") } else { text.to_owned() };
    let value = match value {
        QueryToken::Text(text) => Value::from(named(text)),
        QueryToken::Number(digits) if field == PROTOCOL => Value::from(named(digits)),
        QueryToken::Number(digits) => digits.parse::<i64>().map_or_else(|_| Value::from(*digits), Value::from),
        QueryToken::Word("true") => Value::from(true),
        QueryToken::Word("false") => Value::from(false),
        QueryToken::Word("nil") => return Err(QueryFault::Nil),
        QueryToken::Word(_) => return Err(QueryFault::TwoAttributes),
        QueryToken::Bracket(_) | QueryToken::Operator(_) => return Err(QueryFault::Malformed),
    };
    let order =
        |operator| if value.is_i64() { Ok(leaf(field, operator, value.clone())) } else { Err(QueryFault::Number) };
    match operator {
        "=" => Ok(Some(leaf(field, "eq", value))),
        "!=" => Ok(Some(leaf(field, "!eq", value))),
        "<" => order("lt").map(Some),
        "<=" => order("leq").map(Some),
        ">" => order("gt").map(Some),
        ">=" => order("geq").map(Some),
        _ => regex_condition(field, operator == "!~", value.as_str().ok_or(QueryFault::Regex)?),
    }
}

/// Returns the condition of a regular expression that is one of a few forms.
fn regex_condition(field: &str, is_negated: bool, pattern: &str) -> Result<Condition, QueryFault> {
    let signed = |operator: &str| if is_negated { format!("!{operator}") } else { operator.to_owned() };
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(pattern);
    let inner = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(pattern);
    if let Some(words) = inner.split('|').map(literal).collect::<Option<Vec<_>>>() {
        return Ok(Some(leaf(field, &signed("in"), words.iter().map(AsRef::as_ref).collect::<Vec<&str>>())));
    }
    let (begin, end) = (pattern.strip_prefix(".*"), pattern.strip_suffix(".*"));
    let both = begin.and_then(|rest| rest.strip_suffix(".*"));
    let (operator, word) = match (begin, end, both) {
        (_, _, Some(word)) => ("contains", word),
        (Some(""), _, _) if !is_negated => return Ok(None),
        (Some(word), _, _) => ("endsWith", word),
        (_, Some(word), _) => ("startsWith", word),
        _ => return Err(QueryFault::Regex),
    };
    let word = literal(word).ok_or(QueryFault::Regex)?;
    Ok(Some(leaf(field, &signed(operator), word.as_ref())))
}

/// Returns the text that a regular expression matches alone, if it is one; a backslash takes a sign as it is.
fn literal(pattern: &str) -> Option<Cow<'_, str>> {
    let is_special = |sign: char| r".*+?()[]{}^$|".contains(sign);
    if pattern.is_empty() || pattern.contains('\\') {
        let mut text = String::new();
        let mut signs = pattern.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '\\' => text.push(signs.next().filter(|sign| !sign.is_ascii_alphanumeric())?),
                sign if is_special(sign) => return None,
                sign => text.push(sign),
            }
        }
        return (!text.is_empty()).then_some(Cow::Owned(text));
    }
    (!pattern.contains(is_special)).then_some(Cow::Borrowed(pattern))
}

/// Returns the condition of a span's name: method and path.
fn name_condition(operator: &str, value: &QueryToken<'_>) -> Result<Condition, QueryFault> {
    let (QueryToken::Text(name), "=") = (value, operator) else { return Err(QueryFault::Name) };
    let (method, path) = name.split_once(' ').ok_or(QueryFault::Name)?;
    let parts = vec![Some(leaf("ClientRequestMethod", "eq", method)), Some(leaf("ClientRequestPath", "eq", path))];
    Ok(joined("and", parts))
}

/// Returns the condition of a span's status: of an answer of 500 and above it is that of an error.
fn status_condition(operator: &str, value: &QueryToken<'_>) -> Result<Condition, QueryFault> {
    let is_error = match value {
        QueryToken::Word("error") => true,
        QueryToken::Word("ok" | "unset") => false,
        _ => return Err(QueryFault::Status),
    };
    let is_error = match operator {
        "=" => is_error,
        "!=" => !is_error,
        _ => return Err(QueryFault::Status),
    };
    Ok(Some(leaf("EdgeResponseStatus", if is_error { "geq" } else { "lt" }, 500)))
}

#[cfg(test)]
mod tests;
