//! From a request to its reply: the table of routes, and the way every request takes.
//!
//! Reading order: `routes` is the table; `dispatch` finds the row, then asks `authenticate` for the caller, has
//! `canonical` read the values of the request and `audit_trail` record them, and calls the function of the resource.
//! `admission_gate` holds back what waits for that and has `cost_meter` count what it costs, and `admission_watch` ends the streams of callers whose token ends
//! meanwhile.
//! `registry_tokens` knows the callers whose tokens the API made, `same_origin` the changes that another site may have caused.
//! `proof` says what proves who a caller is; `page_forms` answers what a browser sends from the page, and
//! `page_operations` makes requests of the API of the forms of its operators.
//! `audience` says what form a problem has, and gives every answer the budget of its caller.
//! `path_families` tells whose clients a path is for. `tool_call` makes such requests of what assistants ask.
//! `upload` does so for uploads, whose entry is written once the body was read.

mod admission_gate;
mod admission_watch;
mod audience;
mod audit_trail;
mod authenticate;
mod canonical;
mod cost_meter;
mod dispatch;
mod foreign_routes;
mod health;
mod page_forms;
mod page_operations;
mod path_families;
mod proof;
mod registry_tokens;
mod request_services;
mod route_inputs;
mod routes;
mod same_origin;
mod tool_call;
mod tool_routes;
mod upload;

pub use crate::mcp::ToolName;
pub use crate::tempo::TempoVersion;
pub use crate::web::{OperationTarget, PageRoute};
pub use dispatch::answer_request;
pub use foreign_routes::{CloudflareRoute, TempoRoute};
pub use routes::{PAGES, ROUTES, Route, RouteSpec, find_route};
pub use tool_routes::TOOL_ROUTES;
