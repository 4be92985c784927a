//! Cloudflare's retrieval APIs over your own bucket: Logpull under `/client/v4/zones/{zone}/logs`, the Logs Engine
//! under `/client/v4/accounts/{account}/logs`. A client needs another base URL and a raydex token, and no other change.
//!
//! Parameters, defaults, status codes and errors are as documented by Cloudflare, without the limits of 7 days, 1 hour
//! and 15 requests a minute. The account and the R2 keys that clients send are ignored, since the Worker reads only its
//! own bucket. A parameter that Cloudflare documents is obeyed or refused; others are ignored, as Cloudflare does.

mod client_request;
mod cve_switch;
mod envelope;
pub(crate) mod logpull;
pub(crate) mod logs_engine;
mod retention;
mod seen_fields;

pub(crate) use client_request::{ClientRequest, repeated_parameter_reply};
pub(crate) use cve_switch::{CVE_SWITCH, is_cve_switch};
pub(crate) use envelope::problem_reply;
