//! The messages of assistants: a call of a tool becomes the request of the API that it makes, and goes the way of that.
//!
//! # Invariants
//! What a tool shows is recorded, counted, masked and bounded as what its route of the API shows. A message that asks for no log
//! line is counted, and leaves no entry.

use ::http::HeaderValue;
use ::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::authenticate::AuthenticatedCaller;
use super::request_services::RequestServices;
use super::routes::{Route, RouteSpec};
use super::same_origin::check_media_type;
use super::tool_routes::TOOL_ROUTES;
use crate::backend::ByteStream;
use crate::http::{HttpRequest, Problem, REASON, problems, read_body};
use crate::mcp::{McpRequest, ToolArguments, ToolCall};
use crate::services::Services;

/// Reads the message that an assistant posted.
///
/// # Errors
/// The [`Problem`] of a body that cannot be read.
pub(super) async fn read_message<D: Services>(
    services: &RequestServices<D>,
    spec: &RouteSpec,
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<McpRequest, Problem> {
    head.check_parameters(spec.parameters)?;
    let body = read_body(head, body, services.base()).await?;
    check_media_type(spec, head, true)?;
    Ok(McpRequest::read(head, &body))
}

/// What a tool asks of the API.
pub(super) struct ToolRequest {
    pub(super) spec: &'static RouteSpec,
    /// Who asks, and sees what assistants see of them.
    pub(super) caller: AuthenticatedCaller,
    /// The head of the request, and the arguments of its path; the problem of arguments that cannot be read.
    pub(super) asked: Result<(HttpRequest<()>, Vec<String>), Problem>,
}

impl ToolRequest {
    /// Makes the request of a call.
    ///
    /// # Errors
    /// The [`Problem`] of a tool without a row.
    pub(super) fn new(caller: &AuthenticatedCaller, head: &HttpRequest<()>, call: &ToolCall) -> Result<Self, Problem> {
        let spec = TOOL_ROUTES.iter().find(|spec| spec.route == Route::Tool(call.tool));
        let spec = spec.ok_or_else(problems::no_such_path)?;
        let asked = match &call.arguments {
            Ok(arguments) => request_of(spec, head, arguments),
            Err(problem) => Err(problem.clone()),
        };
        Ok(Self {
            spec,
            caller: AuthenticatedCaller { caller: caller.caller.by_assistant(), token: caller.token },
            asked,
        })
    }
}

/// The request of the API that a tool makes, and the arguments of its path.
fn request_of(
    spec: &RouteSpec,
    head: &HttpRequest<()>,
    ToolArguments { ray, query, reason }: &ToolArguments,
) -> Result<(HttpRequest<()>, Vec<String>), Problem> {
    let mut headers = head.headers.clone();
    // What the message accepts and what it is are not what the tool asks for.
    for name in [ACCEPT, CONTENT_TYPE, CONTENT_LENGTH, IF_NONE_MATCH] {
        headers.remove(name);
    }
    if let Some(reason) = reason {
        headers.insert(REASON, HeaderValue::from_bytes(reason.as_bytes()).map_err(|_| problems::bad_reason())?);
    }
    let arguments: Vec<String> = ray.iter().cloned().collect();
    let argument = ray.as_deref().unwrap_or_default();
    let path = spec.path.replace("{ray}", &utf8_percent_encode(argument, NON_ALPHANUMERIC).to_string());
    let (method, query) = (spec.method.to_owned(), query.clone());
    Ok((HttpRequest { method, path, query, headers, body: () }, arguments))
}
