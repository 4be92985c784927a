//! What the messages and tools of assistants ask, as rows: the audit log records them by these, and no path leads to them.

use super::routes::{READ, Route, RouteSpec};
use crate::mcp::ToolName;

/// The row by which a message is counted that asks for no log line: a handshake, or the list of the tools.
pub(super) const MCP_SIMPLE: RouteSpec = RouteSpec::new("POST", "/mcp", Route::Mcp, READ);

/// What each tool asks of the API, as the audit log records it. No path leads to these rows.
pub const TOOL_ROUTES: &[RouteSpec] = &[
    tool("/v1/rays/{ray}", ToolName::Ray).taking(&["dataset", "fields", "subrequests", "depth", "limit", "cursor"]),
    tool("/v1/rays/{ray}", ToolName::WhyNotFound).taking(&["dataset"]),
    tool("/v1/rays/{ray}/deliveries", ToolName::Deliveries),
    tool("/v1/logs", ToolName::Search).taking(&["start", "end", "dataset", "filter", "fields", "limit", "cursor"]),
    tool("/v1/counts", ToolName::Counts).taking(&["start", "end", "dataset", "filter", "by", "step", "top"]),
];

/// The row of what a tool asks.
const fn tool(path: &'static str, tool: ToolName) -> RouteSpec {
    RouteSpec::new("GET", path, Route::Tool(tool), READ).audited()
}
