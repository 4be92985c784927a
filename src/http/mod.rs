//! HTTP requests and replies, independent of routes and of the platform.
//!
//! Reading order: `request` and `reply` are the two ends; `negotiation` reads the client's preferences, `instant` its
//! times, `body_members` its JSON; `session_cookie` presents the token of a person; `timed_body` gives bodies an end in time, `stream_end` says how streams end; `problem` is the form of an error,
//! `problems` the list of all errors.

mod backfill_problems;
mod body;
mod body_members;
mod budget_problems;
mod delivery_problems;
pub(crate) mod entity_tag;
mod erasure_problems;
mod instant;
mod mcp_problems;
pub(crate) mod media_type;
mod negotiation;
mod neighbour_problems;
mod problem;
pub mod problems;
mod reply;
mod request;
mod session_cookie;
mod stream_end;
mod timed_body;
mod token_problems;
mod trace_problems;
mod upload_problems;

pub(crate) use body::read_body;
pub(crate) use body_members::{check_members, parse_members, parse_only_member};
pub use instant::InstantFault;
pub(crate) use instant::parse_instant;
pub use negotiation::accepts_gzip;
pub(crate) use negotiation::{preferred, prefers_html};
pub use problem::{Problem, RayArgument};
pub use reply::{BodyPieces, LookupCost, PAGE_POLICY, Reply, ReplyBody, SECURITY_HEADERS};
pub use request::HttpRequest;
pub(crate) use request::{ACCESS_ASSERTION, CLIENT_ADDRESS, CLOUDFLARE_KEY, REASON, percent_decoded};
pub(crate) use session_cookie::{begin_session, end_session, is_local_authority, session_token};
pub(crate) use stream_end::END;
pub use stream_end::broken_line;
pub(crate) use timed_body::TimedBody;
