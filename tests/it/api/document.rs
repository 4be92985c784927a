//! `schemas/openapi.json`, and the replies held against it.
//!
//! A reply fits if its status is listed for its route, its media type for that status, its body fits
//! the schema of that media type (each line of it, where it is lines of JSON), and its headers are those listed.

use std::cell::RefCell;

use boon::{Compiler, Schemas};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::http::{SECURITY_HEADERS, problems};
use raydex::router::find_route;
use serde_json::Value;

use super::{Reply, header};

/// The document as it is served.
pub(crate) const TEXT: &str = include_str!("../../../schemas/openapi.json");
/// The header of every reply to a caller with a budget.
const BUDGET: &str = "raydex-budget";
/// Where the validator knows the document to be.
const PLACE: &str = "file:///openapi.json";

/// The document, with what judges by its schemas.
pub(crate) struct Document {
    pub(crate) root: Value,
    compiler: Compiler,
    schemas: Schemas,
}

thread_local! {
    /// Read once by each test.
    static DOCUMENT: RefCell<Document> = RefCell::new(Document::read());
}

/// Does something with the document.
pub(crate) fn with<T>(work: impl FnOnce(&mut Document) -> T) -> T {
    DOCUMENT.with_borrow_mut(work)
}

impl Document {
    fn read() -> Self {
        let root: Value = serde_json::from_str(TEXT).unwrap();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(PLACE, root.clone()).unwrap();
        Self { root, compiler, schemas: Schemas::new() }
    }

    /// What stands at this JSON pointer, and where that is: references are followed to what they name.
    pub(crate) fn at(&self, pointer: &str) -> Option<(&Value, String)> {
        let value = self.root.pointer(pointer)?;
        match value["$ref"].as_str() {
            Some(reference) => self.at(reference.strip_prefix('#')?),
            None => Some((value, pointer.to_owned())),
        }
    }

    /// Whether the value fits the schema at this JSON pointer.
    pub(crate) fn fits(&mut self, pointer: &str, value: &Value) -> Result<(), String> {
        let fragment = utf8_percent_encode(pointer, NON_ALPHANUMERIC);
        let index = self.compiler.compile(&format!("{PLACE}#{fragment}"), &mut self.schemas);
        let index = index.map_err(|error| format!("{pointer}: {error:#}"))?;
        self.schemas.validate(value, index).map_err(|error| format!("{pointer}: {error:#}"))
    }

    /// Whether the body fits the media type at this JSON pointer.
    pub(crate) fn fits_body(&mut self, pointer: &str, media_type: &str, body: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(body);
        let parsed = |text: &str| serde_json::from_str(text).map_err(|error| format!("{pointer}: {error}: {text}"));
        if is_beyond_the_schema(&text) {
            return Ok(());
        }
        let is_json = media_type == "application/json" || media_type.ends_with("+json");
        let value = if is_json { parsed(&text)? } else { Value::from(text.as_ref()) };
        self.fits(&format!("{pointer}/schema"), &value)?;
        if self.root.pointer(pointer).is_some_and(|body| body.get("x-raydex-line").is_some()) {
            for line in text.lines().filter(|line| !is_beyond_the_schema(line)) {
                self.fits(&format!("{pointer}/x-raydex-line"), &parsed(line)?)?;
            }
        }
        Ok(())
    }

    /// Whether the reply fits the response at this JSON pointer.
    fn fits_response(&mut self, pointer: &str, reply: &Reply) -> Result<(), String> {
        let (response, pointer) = self.at(pointer).ok_or_else(|| format!("{pointer} is not there"))?;
        let described = response["headers"].as_object().cloned().unwrap_or_default();
        let has_content = response.get("content").is_some();
        for (name, _) in &reply.headers {
            // What every reply has, the document does not say of each.
            let is_everywhere = *name == "content-type" || SECURITY_HEADERS.iter().any(|(known, _)| known == name);
            if !is_everywhere && *name != BUDGET && !described.contains_key(*name) {
                return Err(format!("{pointer} has no header {name}"));
            }
        }
        if let Some(value) = header(reply, BUDGET) {
            self.fits(&format!("/components/headers/{BUDGET}/schema"), &value.into())?;
        }
        for name in described.keys() {
            let (described, _) = self.at(&format!("{pointer}/headers/{name}")).unwrap();
            let value = header(reply, name);
            if described["required"] == true && value.is_none() {
                return Err(format!("{pointer} has the header {name}"));
            }
            if let Some(value) = value {
                self.fits(&format!("/components/headers/{name}/schema"), &value.into())?;
            }
        }
        let Some(media_type) = header(reply, "content-type") else {
            let is_empty = reply.body.is_empty() && !has_content;
            return if is_empty { Ok(()) } else { Err(format!("{pointer} has a media type")) };
        };
        let media_type = media_type.split(';').next().unwrap_or_default();
        let content = format!("{pointer}/content/{}", escaped(media_type));
        if self.root.pointer(&content).is_none() {
            return Err(format!("{pointer} does not list {media_type}"));
        }
        self.fits_body(&content, media_type, &reply.body)
    }
}

/// A name as a part of a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Holds a reply to this request against the document: what is wrong with one of them.
pub(crate) fn check_against_openapi(method: &str, path: &str, reply: &Reply) -> Result<(), String> {
    let pointer = match find_route(method, path) {
        Ok((row, _)) => {
            let (path, method) = (escaped(row.path), row.method.to_lowercase());
            format!("/paths/{path}/{method}/responses/{}", reply.status)
        }
        Err(problem) => {
            let is_path = problem.code == problems::no_such_path().code;
            let name = match (path.starts_with("/client/"), path.starts_with("/tempo/"), is_path) {
                (false, false, true) => "NoSuchPath",
                (false, false, false) => "NoSuchMethod",
                (true, _, true) => "ClientNotFound",
                (true, _, false) => "ClientNoSuchMethod",
                (_, true, true) => "TempoNotFound",
                (_, true, false) => "TempoNoSuchMethod",
            };
            if problem.status != reply.status {
                return Err(format!("{name} has the status {}", problem.status));
            }
            format!("/components/responses/{name}")
        }
    };
    with(|document| document.fits_response(&pointer, reply))
}

/// Whether a line, or a document, cannot be held against a schema: what Logpull ends with where a stream breaks off, and a stored record
/// with half of a surrogate pair, which is JSON, but no text of Rust's.
fn is_beyond_the_schema(line: &str) -> bool {
    let is_json = || serde_json::from_str::<&serde_json::value::RawValue>(line).is_ok();
    line.starts_with("Error streaming data") || (line.contains("\\ud") && is_json())
}
