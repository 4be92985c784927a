//! How a request says which revision of the protocol is its own.
//!
//! # Invariants
//! What a request of the stateless revision says in headers is what its body says: a reader of the headers alone, such as a
//! proxy, reads no other request.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::message::{RpcError, RpcRequest};
use super::revision::{Revision, STATELESS};
use crate::http::HttpRequest;

/// The headers of a request that repeat what its body says.
const VERSION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";

/// The members of `_meta` that each request of the stateless revision has.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// Maximum length of the name of a version, in bytes.
const VERSION_BYTES: usize = 32;

/// What a header with other characters than those of ASCII begins and ends with.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

impl Revision {
    /// Reads which revision a request is of, as far as the headers say.
    ///
    /// # Errors
    /// [`RpcError`] of a version that this server does not speak.
    pub(super) fn of_headers<B>(head: &HttpRequest<B>) -> Result<Self, RpcError> {
        match head.header(VERSION_HEADER).as_deref() {
            Some(STATELESS) => Ok(Self::Stateless),
            None => Ok(Self::Handshake),
            Some(version) if Self::SPOKEN.contains(&version) || version == "2025-03-26" => Ok(Self::Handshake),
            Some(version) => Err(unsupported(version)),
        }
    }

    /// Reads which revision a request is of, and holds its headers against its body.
    ///
    /// # Errors
    /// [`RpcError`] of a request that is of neither.
    pub(super) fn of_request<B>(head: &HttpRequest<B>, request: &RpcRequest) -> Result<Self, RpcError> {
        let meta = request.params.get("_meta").and_then(Value::as_object);
        let names_version = meta.is_some_and(|meta| meta.contains_key(VERSION_KEY));
        match Self::of_headers(head) {
            Ok(Self::Handshake) if !names_version => Ok(Self::Handshake),
            Err(error) if !names_version => Err(error),
            _ => check_stateless(head, request, meta).map(|()| Self::Stateless),
        }
    }
}

/// Checks a request of the stateless revision: first that it is whole, then that its headers match, then its version.
fn check_stateless<B>(
    head: &HttpRequest<B>,
    request: &RpcRequest,
    meta: Option<&Map<String, Value>>,
) -> Result<(), RpcError> {
    let incomplete = RpcError::InvalidParams("_meta must have the protocol's version and the client's capabilities");
    let version = meta.and_then(|meta| meta.get(VERSION_KEY)).ok_or_else(|| incomplete.clone())?;
    let capabilities = meta.and_then(|meta| meta.get(CAPABILITIES_KEY));
    if !capabilities.is_some_and(Value::is_object) {
        return Err(incomplete);
    }
    let name = if request.method == "tools/call" { request.params.get("name").and_then(Value::as_str) } else { None };
    let said = [
        (VERSION_HEADER, Some(version.as_str().unwrap_or_default())),
        (METHOD_HEADER, Some(request.method.as_str())),
        (NAME_HEADER, name),
    ];
    for (header, value) in said {
        let Some(value) = value else { continue };
        let is_once = head.headers.get_all(header).iter().count() == 1;
        if !is_once || head.header(header).and_then(decoded).as_deref() != Some(value) {
            return Err(RpcError::HeaderMismatch(header));
        }
    }
    match version.as_str() {
        Some(STATELESS) => Ok(()),
        other => Err(unsupported(other.unwrap_or_default())),
    }
}

/// The error of a version that this server does not speak. A client that compares it gets what it sent, if that is a version.
fn unsupported(version: &str) -> RpcError {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_version = version.len() <= VERSION_BYTES && version.bytes().all(is_sign);
    RpcError::UnsupportedVersion(if is_version { version.into() } else { Box::default() })
}

/// The value of a header whose characters may be encoded.
fn decoded(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let (start, end) = ENCODED;
    let Some(encoded) = value.strip_prefix(start).and_then(|value| value.strip_suffix(end)) else {
        return Some(value);
    };
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};

    use super::{CAPABILITIES_KEY, VERSION_KEY};
    use crate::http::HttpRequest;
    use crate::mcp::message::{RpcError, RpcRequest};
    use crate::mcp::revision::Revision;

    fn head(headers: &[(&'static str, &str)]) -> HttpRequest<()> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        HttpRequest { method: "POST".into(), path: "/mcp".into(), query: String::new(), headers: map, body: () }
    }

    fn request(method: &str, params: &Value) -> RpcRequest {
        RpcRequest { id: 1.into(), method: method.into(), params: params.as_object().cloned().unwrap() }
    }

    fn meta(version: &str) -> Value {
        json!({ VERSION_KEY: version, CAPABILITIES_KEY: {} })
    }

    #[test]
    fn request_without_version_is_of_the_handshake() {
        let ping = request("ping", &json!({}));
        for headers in [&[][..], &[("mcp-protocol-version", "2025-11-25")], &[("mcp-protocol-version", "2025-03-26")]] {
            assert_eq!(Revision::of_request(&head(headers), &ping), Ok(Revision::Handshake));
        }
        let odd = head(&[("mcp-protocol-version", "1999-01-01")]);
        assert_eq!(Revision::of_request(&odd, &ping), Err(RpcError::UnsupportedVersion("1999-01-01".into())));
    }

    #[test]
    fn stateless_headers_must_match_the_body() {
        let call = request("tools/call", &json!({ "name": "ray", "_meta": meta("2026-07-28") }));
        let version = ("mcp-protocol-version", "2026-07-28");
        let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "ray"));
        for (headers, found) in [
            (&[version, method, name][..], Ok(Revision::Stateless)),
            (&[version, method, ("mcp-name", "=?base64?cmF5?=")], Ok(Revision::Stateless)),
            (&[version, method, ("mcp-name", "=?base64?c?=")], Err(RpcError::HeaderMismatch("mcp-name"))),
            (&[version, method, ("mcp-name", "Ray")], Err(RpcError::HeaderMismatch("mcp-name"))),
            (&[version, method], Err(RpcError::HeaderMismatch("mcp-name"))),
            (&[version, method, name, name], Err(RpcError::HeaderMismatch("mcp-name"))),
            (&[version, ("mcp-method", "tools/list"), name], Err(RpcError::HeaderMismatch("mcp-method"))),
            (&[version, name], Err(RpcError::HeaderMismatch("mcp-method"))),
            (&[method, name], Err(RpcError::HeaderMismatch("mcp-protocol-version"))),
            (
                &[("mcp-protocol-version", "2025-11-25"), method, name],
                Err(RpcError::HeaderMismatch("mcp-protocol-version")),
            ),
        ] {
            assert_eq!(Revision::of_request(&head(headers), &call), found, "{headers:?}");
        }
    }

    #[test]
    fn stateless_request_says_version_and_capabilities() {
        let headers = |version| head(&[("mcp-protocol-version", version), ("mcp-method", "tools/list")]);
        let list = |meta: &Value| request("tools/list", &json!({ "_meta": meta }));
        for meta in [json!({}), json!({ VERSION_KEY: "2026-07-28" }), json!({ CAPABILITIES_KEY: {} }), json!(7)] {
            let found = Revision::of_request(&headers("2026-07-28"), &list(&meta));
            assert!(matches!(found, Err(RpcError::InvalidParams(_))), "{meta}");
        }
        let found = Revision::of_request(&headers("2027-01-01"), &list(&meta("2027-01-01")));
        assert_eq!(found, Err(RpcError::UnsupportedVersion("2027-01-01".into())));
        assert_eq!(Revision::of_request(&headers("2026-07-28"), &list(&meta("2026-07-28"))), Ok(Revision::Stateless));
    }
}
