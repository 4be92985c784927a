//! What a tool found, as the result of its call.
//!
//! # Invariants
//! What could not be found is an answer of the tool in plain words, from which an assistant can go on. Its words are those of a
//! [`Problem`], which repeats nothing of a request or of a log line.

use std::rc::Rc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::absence_tool::explain_absence;
use super::counts_tool::count_records;
use super::deliveries_tool::find_deliveries;
use super::exchange::ToolCall;
use super::message::RpcExchange;
use super::ray_tool::find_ray;
use super::search_tool::search_records;
use super::tool::ToolName;
use crate::access::Caller;
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::memory::{MemoryBudget, OutOfMemory, ReservedWriter};
use crate::services::Services;

/// What came of a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: [TextContent<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
}

/// The text form of it.
#[derive(Serialize)]
struct TextContent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> CallResult<'a> {
    const fn new(text: &'a str) -> Self {
        Self { content: [TextContent { kind: "text", text }], structured_content: None, is_error: false }
    }
}

/// Finds what a tool is asked, with the functions of the API; the reply is the JSON of an answer.
///
/// # Errors
/// The [`Problem`] of the API's answer.
pub(crate) async fn call_tool<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    (tool, request, argument): (ToolName, &HttpRequest<Vec<u8>>, &str),
) -> Result<Reply, Problem> {
    let json = match tool {
        ToolName::Ray => find_ray(config, services.as_ref(), caller, (request, argument)).await?,
        ToolName::WhyNotFound => explain_absence(config, services.as_ref(), caller, (request, argument)).await?,
        ToolName::Deliveries => find_deliveries(config, services.as_ref(), caller, (request, argument)).await?,
        ToolName::Search => search_records(config, services, caller, request).await?,
        ToolName::Counts => count_records(services, caller, request).await?,
    };
    let mut body = ReservedWriter::new(services.memory());
    body.push(json.as_bytes())?;
    Ok(Reply::new(200, JSON, body.finish()?))
}

impl ToolCall {
    /// The answer to the call, whatever came of it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if it does not fit.
    pub(crate) fn reply(&self, memory: &MemoryBudget, found: Result<Reply, Problem>) -> Result<Reply, OutOfMemory> {
        match found.map(|reply| reply.body) {
            Ok(ReplyBody::Whole(body)) => succeed(&self.exchange, memory, &body.to_vec()),
            Ok(ReplyBody::Stream(_)) => self.fail(memory, &problems::unavailable()),
            Err(problem) => self.fail(memory, &problem),
        }
    }

    fn fail(&self, memory: &MemoryBudget, problem: &Problem) -> Result<Reply, OutOfMemory> {
        let retry = problem.retry_after().map_or_else(String::new, |seconds| format!(" Retry after {seconds} s."));
        let next = match problem.code {
            "ray_not_found" => " The tool why_not_found says more.",
            "reason_required" | "bad_reason" => " The argument reason takes the place of the header.",
            _ => "",
        };
        let text = format!("{} ({}){retry}{next}", problem.words(), problem.code);
        self.exchange.succeed(memory, CallResult { is_error: true, ..CallResult::new(&text) })
    }
}

/// Answers with what was found, as an object and as its text.
fn succeed(exchange: &RpcExchange, memory: &MemoryBudget, json: &[u8]) -> Result<Reply, OutOfMemory> {
    let text = std::str::from_utf8(json).unwrap_or_default();
    let structured_content = serde_json::from_str(text).ok();
    exchange.succeed(memory, CallResult { structured_content, ..CallResult::new(text) })
}
