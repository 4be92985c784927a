//! The Model Context Protocol at `/mcp`, by which assistants ask what the API answers.
//!
//! A client posts one message of JSON-RPC and gets one answer as JSON. Revision 2026-07-28 is stateless: each request says its
//! version. Clients of 2025-11-25 begin with `initialize`, which is answered without a session.
//!
//! Reading order: `revision`, `message` and `request_head` are the protocol, `exchange` says what a message asks for, [`ToolName`] which tools
//! there are and what they take. `answer` turns what a tool found into a result. `ray_tool`, `absence_tool`, `deliveries_tool`,
//! `search_tool` and `counts_tool` make of an answer of the API what fits: `budget` says how much is left, `record_outline` chooses
//! fields, `untrusted` shows values, `left_out` says what is missing.
//!
//! # Invariants
//! A tool shows what the route of the API that it asks answers the same caller, and no more. An answer is at most
//! [`MCP_ANSWER`](crate::limits::MCP_ANSWER) bytes long. Text of log lines is in members alone whose names begin with
//! `untrusted_`: never in a description, an instruction or an error.

mod absence_tool;
mod answer;
mod budget;
mod counts_tool;
mod deliveries_tool;
mod exchange;
mod left_out;
mod message;
mod outline;
mod ray_tool;
mod record_outline;
mod request_head;
mod revision;
mod search_tool;
mod stream_lines;
mod tool;
mod untrusted;

pub(crate) use answer::call_tool;
pub(crate) use exchange::{McpRequest, ToolCall};
pub(crate) use tool::ToolArguments;
pub use tool::ToolName;
