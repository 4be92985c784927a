//! HTTP requests and replies, independent of routes and of the platform.
//!
//! Reading order: `request` and `reply` are the two ends; `negotiation` reads what the client accepts;
//! `problem` is the form of an error, `problems` the list of all errors.

mod body;
pub(crate) mod entity_tag;
pub(crate) mod media_type;
mod negotiation;
mod problem;
pub mod problems;
mod reply;
mod request;

pub(crate) use body::read_body;
pub use negotiation::accepts_gzip;
pub(crate) use negotiation::preferred;
pub use problem::Problem;
pub use reply::{LookupCost, Reply, ReplyBody};
pub use request::HttpRequest;
pub(crate) use request::{ACCESS_ASSERTION, percent_decoded};
