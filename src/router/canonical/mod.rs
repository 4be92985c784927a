//! A request in canonical form: the values that it is read as, each once, for the function that answers it and for the
//! audit log.
//!
//! Reading order: `value` says what each value is read as and what is kept of it, `filter` does so for filters, `cut`
//! bounds what an entry keeps.
//!
//! # Invariants
//! The query, the body and the arguments that an answer is made from are written from the values that the audit log gets.
//! What is not among them is refused by raydex's own API, and cannot be read by the routes of Cloudflare's.

mod cut;
mod filter;
mod value;

use std::collections::BTreeMap;

use ::http::HeaderValue;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use self::cut::{cut_longest, cut_names};
use self::value::{CanonicalValue, ValueReader, read_argument};
use super::routes::{Route, RouteSpec};
use crate::audit::redact::redact_text;
use crate::bucket_keys::LogPrefixes;
use crate::cloudflare_api::is_cve_switch;
use crate::http::{HttpRequest, Problem, REASON, check_members, parse_members, problems};
use crate::limits::REASON_CHARS;
use crate::mask::is_invisible;
use crate::record::Dataset;

/// What takes the place of an argument of a path that is nothing of what the route names.
const INVALID: &str = "invalid";

/// What the audit log keeps of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestRecord {
    /// A ray in its canonical digits, or a handle.
    pub(super) resource: String,
    /// The values that the request was read as, by name.
    pub(super) values: BTreeMap<String, Value>,
    /// The reason that the caller gave.
    pub(super) reason: Option<String>,
}

/// A request as it is answered, and as it is recorded.
#[derive(Debug)]
pub(super) struct CanonicalRequest {
    /// The request, made of the values that were read and its headers.
    pub(super) request: HttpRequest<Vec<u8>>,
    /// The arguments of the path.
    pub(super) arguments: Vec<String>,
    /// What the audit log keeps.
    pub(super) record: RequestRecord,
}

impl CanonicalRequest {
    /// Reads a request whose query was checked.
    ///
    /// # Errors
    /// The [`Problem`] of a member that the route does not read or that is repeated, or of a reason that cannot be kept.
    pub(super) fn read(
        spec: &RouteSpec,
        log_prefix: &LogPrefixes,
        arguments: &[String],
        head: &HttpRequest<()>,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let members = parse_members::<BodyValue>(body);
        if !spec.is_client() {
            check_members(members.as_deref().unwrap_or_default(), spec.members)?;
        }
        let reason = parse_reason(spec, head)?;
        let mut writer = CanonicalWriter::new(log_prefix, head);
        let arguments = writer.arguments(spec, arguments);
        let query = writer.query(spec, head);
        let body = members.map_or_else(Vec::new, |members| writer.body(spec, members));
        if let (Route::CreateToken, Some(id)) = (spec.route, writer.values.get("id").and_then(Value::as_str)) {
            id.clone_into(&mut writer.resource);
        }
        let HttpRequest { method, path, headers, .. } = head;
        let (method, path, mut headers) = (method.clone(), path.clone(), headers.clone());
        // A page repeats it in its links.
        if let Some(reason) = reason.as_ref().and_then(|reason| HeaderValue::from_bytes(reason.as_bytes()).ok()) {
            headers.insert(REASON, reason);
        }
        Ok(Self {
            request: HttpRequest { method, path, query, headers, body },
            arguments,
            record: writer.finish(reason),
        })
    }
}

impl RequestRecord {
    /// What is kept of a request that is denied before its body is read.
    pub(super) fn of_head(
        spec: &RouteSpec,
        log_prefix: &LogPrefixes,
        arguments: &[String],
        head: &HttpRequest<()>,
    ) -> Self {
        let mut writer = CanonicalWriter::new(log_prefix, head);
        writer.arguments(spec, arguments);
        writer.query(spec, head);
        writer.finish(parse_reason(spec, head).ok().flatten())
    }
}

/// The reason in the header of the request, trimmed. A browser can give it in the parameter of a page alone.
fn parse_reason(spec: &RouteSpec, head: &HttpRequest<()>) -> Result<Option<String>, Problem> {
    let of_page = || spec.is_page().then(|| head.parameter("reason")).flatten();
    let given = head.header(REASON).map(std::borrow::Cow::into_owned).or_else(of_page);
    let Some(text) = given else { return Ok(None) };
    let text = text.trim();
    let is_unreadable = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    let fits = text.chars().count() <= REASON_CHARS
        && !text.contains(is_unreadable)
        && !text.chars().all(|c| c.is_whitespace() || is_invisible(c));
    if fits { Ok(Some(text.to_owned())) } else { Err(problems::bad_reason()) }
}

/// The value of a member, and the JSON that spells it: a number of many digits is another one as a [`Value`].
struct BodyValue {
    value: Value,
    spelled: String,
}

impl<'de> Deserialize<'de> for BodyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spelled = String::from(Box::<str>::from(Box::<RawValue>::deserialize(deserializer)?));
        Ok(Self { value: serde_json::from_str(&spelled).map_err(D::Error::custom)?, spelled })
    }
}

/// Reads values one by one: hands each on as it is read, and keeps what is recorded of it.
struct CanonicalWriter<'a> {
    reader: ValueReader<'a>,
    resource: String,
    values: BTreeMap<String, Value>,
    ignored: Vec<String>,
}

impl<'a> CanonicalWriter<'a> {
    fn new(log_prefix: &'a LogPrefixes, head: &HttpRequest<()>) -> Self {
        let dataset = head.parameter("dataset").and_then(|name| Dataset::from_name(&name));
        let (resource, values, ignored) = (String::new(), BTreeMap::new(), Vec::new());
        Self { reader: ValueReader { dataset, log_prefix }, resource, values, ignored }
    }

    /// Reads a value, and records it by its name.
    fn value(&mut self, name: &str, value: &Value) -> Value {
        let CanonicalValue { read, kept } = self.reader.read(name, value);
        self.values.insert(name.to_owned(), kept);
        read
    }

    /// The arguments of the path as they are read; the last one is the resource.
    fn arguments(&mut self, spec: &RouteSpec, arguments: &[String]) -> Vec<String> {
        let names = spec.path.split(['{', '}']).skip(1).step_by(2);
        let mut read = Vec::with_capacity(arguments.len());
        for (place, (name, argument)) in names.zip(arguments).enumerate() {
            let is_resource = place + 1 == arguments.len();
            if let Some(known) = read_argument(name, argument) {
                read.push(known.read);
                if is_resource {
                    self.resource = known.kept;
                } else {
                    self.values.insert(name.to_owned(), known.kept.into());
                }
            } else {
                read.push(argument.clone());
                INVALID.clone_into(&mut self.resource);
                self.values.insert(name.to_owned(), redact_text(argument).into());
            }
        }
        read
    }

    /// The query with the parameters that the route reads. The reason of a page is kept as such.
    fn query(&mut self, spec: &RouteSpec, head: &HttpRequest<()>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in head.parameters().filter(|(name, _)| !spec.is_page() || name != "reason") {
            if spec.parameters.iter().any(|known| *known == name || is_cve_switch(known) && is_cve_switch(&name)) {
                let read = self.value(&name, &Value::from(value));
                query.append_pair(&name, read.as_str().unwrap_or_default());
            } else {
                self.ignored.push(name);
            }
        }
        query.finish()
    }

    /// The body with the members that the route reads. One that is repeated stays, so that it is refused.
    fn body(&mut self, spec: &RouteSpec, members: Vec<(String, BodyValue)>) -> Vec<u8> {
        let mut body = String::from("{");
        for (name, BodyValue { value, spelled }) in members {
            if spec.members.contains(&name.as_str()) {
                let read = self.value(&name, &value);
                let spelled = if read == value { spelled } else { read.to_string() };
                let comma = if body.len() > 1 { "," } else { "" };
                body.extend([comma, &Value::from(name).to_string(), ":", &spelled]);
            } else {
                self.ignored.push(name);
            }
        }
        body.push('}');
        body.into_bytes()
    }

    fn finish(mut self, reason: Option<String>) -> RequestRecord {
        if let Some(names) = cut_names(&self.ignored) {
            self.values.insert("ignored".to_owned(), names);
        }
        let reason = reason.map(|reason| redact_text(&reason));
        RequestRecord { resource: self.resource, values: cut_longest(self.values), reason }
    }
}
