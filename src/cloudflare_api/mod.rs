//! Cloudflare's own retrieval APIs over one's own bucket: Logpull under `/client/v4/zones/{zone}/logs`, the Logs Engine
//! under `/client/v4/accounts/{account}/logs`. A client needs another base URL and one of our tokens, nothing else.
//!
//! What always holds: parameters, defaults, status codes and the form of errors are those that Cloudflare documents;
//! the limits of 7 days, 1 hour and 15 requests a minute are not; the account and the R2 keys that clients send are not
//! looked at, since the Worker reads its own bucket alone.

mod client_request;
mod envelope;
pub(crate) mod logpull;
pub(crate) mod logs_engine;

pub(crate) use client_request::ClientRequest;
pub(crate) use envelope::problem_reply;
