//! The stages of a batch's life behind the queues: *parse* (index and transform in one pass), *deliver*, and what
//! finds what the queues lost.
//!
//! Reading order: [`payload`] and [`transform`] make bodies, [`mod@pass`] reads an object once, [`mod@process`] does it by
//! the ledger's protocol, `parse` and [`send`] are the two queues' messages,
//! [`mod@sweep`] looks for what they lost, `whereabouts` finds one record in the books.
//!
//! What always holds: each message is judged on its own, and by its verdict alone is it acked or tried again; a
//! message is acked only when the ledger holds what it stood for.

pub mod backfill;
mod later;
pub mod pack;
mod parse;
pub mod pass;
pub mod payload;
pub mod process;
pub mod send;
pub mod sweep;
pub mod transform;
mod turn;
mod verdict;
mod whereabouts;

pub use backfill::{Driven, drive_backfills, start_backfill};
pub use parse::{ParseVerdict, options_of, parse_message};
pub use process::{Outcome, Work, process};
pub use send::{Sender, send_message};
pub use sweep::{Swept, sweep};
pub use verdict::SendVerdict;
pub use whereabouts::{Whereabouts, whereabouts};
