//! From a request to its reply: the table of routes, and the way every request takes.
//!
//! Reading order: `routes` is the table; `dispatch` finds the row, then asks `authenticate` for the caller and
//! `audit_and_rate_limit` whether it may proceed, and calls the function of the resource.

mod audit_and_rate_limit;
mod authenticate;
mod dispatch;
mod routes;

pub use dispatch::answer_request;
pub use routes::{CloudflareRoute, ROUTES, Route, RouteSpec, find_route};
