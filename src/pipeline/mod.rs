//! The stages of a batch's life behind the queues. Today one: *parse*, which indexes. (Transform and deliver
//! come with the ledger.)
//!
//! What always holds: each message is judged on its own, and by its verdict alone is it acked or tried again.

mod parse;

pub use parse::{ParseVerdict, parse_message};
