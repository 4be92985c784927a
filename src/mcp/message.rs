//! Messages of JSON-RPC 2.0: what a client posts, and what it is answered.
//!
//! # Invariants
//! A message is one object, whose members are each there once. An answer has the id of its request and is at most
//! [`MCP_ANSWER`](crate::limits::MCP_ANSWER) bytes long; an error repeats nothing else that the client sent, but for
//! the version that it asks for.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::revision::Revision;
use crate::http::media_type::JSON;
use crate::http::{Reply, parse_members};
use crate::limits::MCP_ID_BYTES;
use crate::memory::{MemoryBudget, OutOfMemory, ReservedWriter};

/// What a client posts.
#[derive(Debug, PartialEq)]
pub(super) enum RpcMessage {
    /// Something that is not answered.
    Notification,
    /// Something that is.
    Request(RpcRequest),
}

/// A request of a client.
#[derive(Debug, PartialEq)]
pub(super) struct RpcRequest {
    /// A string or a number.
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Map<String, Value>,
}

/// An error of the protocol. What went wrong in a tool is an answer of that tool.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum RpcError {
    /// The body is not JSON.
    #[error("The body is not JSON.")]
    Parse,
    /// The body is JSON, and not a message.
    #[error("The body must be one JSON-RPC 2.0 request or notification: an object with jsonrpc, method and id.")]
    InvalidRequest,
    /// There is no such method.
    #[error("This server has no such method.")]
    NoSuchMethod,
    /// There is no such tool.
    #[error("This server has no such tool: tools/list lists those that it has.")]
    NoSuchTool,
    /// The parameters lack something, or something of them has another type.
    #[error("The parameters of the method are not valid: {0}.")]
    InvalidParams(&'static str),
    /// A header does not match what the body says.
    #[error("The header {0} does not match the body.")]
    HeaderMismatch(&'static str),
    /// The client speaks a revision that this server does not.
    #[error("This server does not speak that revision of the protocol.")]
    UnsupportedVersion(Box<str>),
}

impl RpcError {
    /// The code of JSON-RPC and of MCP.
    const fn code(&self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::InvalidRequest => -32_600,
            Self::NoSuchMethod => -32_601,
            Self::NoSuchTool | Self::InvalidParams(_) => -32_602,
            Self::HeaderMismatch(_) => -32_020,
            Self::UnsupportedVersion(_) => -32_022,
        }
    }

    /// The status of HTTP. Clients of the handshake read the bodies of successful answers alone.
    const fn status(&self, revision: Revision) -> u16 {
        match (self, revision) {
            (Self::NoSuchMethod | Self::NoSuchTool | Self::InvalidParams(_), Revision::Handshake) => 200,
            (Self::NoSuchMethod, Revision::Stateless) => 404,
            _ => 400,
        }
    }
}

impl RpcMessage {
    /// Reads the body of a POST.
    pub(super) fn parse(body: &[u8]) -> Result<Self, (Value, RpcError)> {
        let invalid = |id: &Value| (id.clone(), RpcError::InvalidRequest);
        let Some(members) = parse_members(body) else {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
            return Err((Value::Null, if is_json { RpcError::InvalidRequest } else { RpcError::Parse }));
        };
        let count = members.len();
        let mut members: Map<String, Value> = members.into_iter().collect();
        let is_unambiguous = members.len() == count;
        let id = members.remove("id");
        let known = id.clone().filter(is_id).unwrap_or_default();
        let is_message = is_unambiguous && members.get("jsonrpc").and_then(Value::as_str) == Some("2.0");
        let method = members.remove("method").and_then(|method| method.as_str().map(str::to_owned));
        let method = method.filter(|_| is_message).ok_or_else(|| invalid(&known))?;
        let params = match members.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return Err(invalid(&known)),
        };
        match id {
            None => Ok(Self::Notification),
            Some(id) if is_id(&id) => Ok(Self::Request(RpcRequest { id, method, params })),
            Some(_) => Err(invalid(&Value::Null)),
        }
    }
}

/// Whether a value identifies a request.
fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() <= MCP_ID_BYTES,
        Value::Number(_) => true,
        _ => false,
    }
}

/// The request that an answer belongs to.
#[derive(Debug)]
pub(crate) struct RpcExchange {
    pub(super) id: Value,
    pub(super) revision: Revision,
}

/// An answer with a result.
#[derive(Serialize)]
struct RpcSuccess<'a, T> {
    jsonrpc: &'static str,
    id: &'a Value,
    result: RpcResult<T>,
}

/// A result, with what the stateless revision says beside each.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RpcResult<T> {
    #[serde(flatten)]
    result: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<ResultMeta>,
}

/// What wrote a result.
#[derive(Serialize)]
struct ResultMeta {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: ServerInfo,
}

/// The name and the version of this server.
#[derive(Serialize)]
pub(super) struct ServerInfo {
    name: &'static str,
    version: &'static str,
}

/// What answers say of this server.
pub(super) const SERVER_INFO: ServerInfo = ServerInfo { name: "raydex", version: env!("CARGO_PKG_VERSION") };

/// An answer with an error.
#[derive(Serialize)]
struct RpcFailure<'a> {
    jsonrpc: &'static str,
    id: &'a Value,
    error: RpcErrorBody<'a>,
}

#[derive(Serialize)]
struct RpcErrorBody<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl RpcExchange {
    /// Answers with a result, which is an object.
    pub(super) fn succeed(&self, memory: &MemoryBudget, result: impl Serialize) -> Result<Reply, OutOfMemory> {
        let is_stateless = self.revision == Revision::Stateless;
        let result = RpcResult {
            result,
            result_type: is_stateless.then_some("complete"),
            meta: is_stateless.then_some(ResultMeta { server_info: SERVER_INFO }),
        };
        write(memory, 200, &RpcSuccess { jsonrpc: "2.0", id: &self.id, result })
    }

    /// Answers with an error.
    pub(super) fn fail(&self, memory: &MemoryBudget, error: &RpcError) -> Result<Reply, OutOfMemory> {
        let message = error.to_string();
        let data = match error {
            RpcError::UnsupportedVersion(requested) => {
                Some(json!({ "supported": Revision::SPOKEN, "requested": requested }))
            }
            _ => None,
        };
        let error_body = RpcErrorBody { code: error.code(), message: &message, data: data.as_ref() };
        let failure = RpcFailure { jsonrpc: "2.0", id: &self.id, error: error_body };
        write(memory, error.status(self.revision), &failure)
    }
}

fn write(memory: &MemoryBudget, status: u16, answer: &impl Serialize) -> Result<Reply, OutOfMemory> {
    let mut body = ReservedWriter::new(memory);
    body.push_json(answer)?;
    Ok(Reply::new(status, JSON, body.finish()?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{RpcError, RpcMessage, RpcRequest};

    #[test]
    fn request_and_notification_differ_by_id() {
        let request =
            |id: Value| Ok(RpcMessage::Request(RpcRequest { id, method: "ping".to_owned(), params: Map::new() }));
        for id in [json!(1), json!(-7), json!("a"), json!(""), json!(1.5)] {
            let body = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string();
            assert_eq!(RpcMessage::parse(body.as_bytes()), request(id));
        }
        let body = br#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}"#;
        assert_eq!(RpcMessage::parse(body), Ok(RpcMessage::Notification));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let long = json!({ "jsonrpc": "2.0", "id": "x".repeat(200), "method": "ping" }).to_string();
        for (body, id, error) in [
            ("", Value::Null, RpcError::Parse),
            ("{", Value::Null, RpcError::Parse),
            ("[]", Value::Null, RpcError::InvalidRequest),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null, RpcError::InvalidRequest),
            ("7", Value::Null, RpcError::InvalidRequest),
            ("{}", Value::Null, RpcError::InvalidRequest),
            (r#"{"id":1,"method":"ping"}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#, json!(1), RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, Value::Null, RpcError::InvalidRequest),
            (r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#, Value::Null, RpcError::InvalidRequest),
            (long.as_str(), Value::Null, RpcError::InvalidRequest),
        ] {
            assert_eq!(RpcMessage::parse(body.as_bytes()), Err((id, error)), "{body}");
        }
    }
}
