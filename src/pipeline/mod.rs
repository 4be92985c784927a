//! The stages of a batch after the queues: *parse* (index and transform in one pass), *deliver*, and the sweep for
//! whatever the queues lost.
//!
//! Reading order: [`payload`] and [`transform`] build bodies, [`head`] reads the start of a batch ahead,
//! [`dataset_choice`] chooses its dataset, [`scan`] reads it once, [`mod@process`] processes it by the ledger's
//! protocol, [`message`] is a message of either queue, `parse` and [`send`] handle one
//! (the latter by what [`partner_watch`] knows of the partner; `attempt` is that of one payload), [`mod@sweep`] finds whatever
//! they lost, `delivery_status` finds the payload of one record, [`erase_payloads`] takes erased lines out of payloads.
//!
//! # Invariants
//!
//! Each message has its own verdict, which alone decides whether it is acknowledged or retried. A message is
//! acknowledged only once the ledger has recorded its effect.

mod attempt;
pub mod backfill;
mod backfill_counts;
mod backfill_objects;
mod batch_figures;
mod begin;
mod bodies;
pub mod dataset_choice;
mod delivery_status;
mod duplicates;
mod edge_label;
mod erase;
pub mod erase_payloads;
mod erased_bodies;
mod erasures_made;
mod first_start;
pub mod head;
mod known_lines;
pub mod message;
mod pace;
pub mod pack;
mod parse;
pub mod partner_watch;
pub mod payload;
pub mod plan_rules;
mod post_slots;
pub mod process;
mod read_permit;
mod refusal;
mod remake;
mod retry_delay;
mod rewrite;
pub mod scan;
pub mod send;
mod sender;
mod small_object;
pub mod sweep;
pub mod transform;
mod verdict;

pub use backfill::{BackfillProgress, drive_backfills, start_backfill, switch_backfill};
pub use dataset_choice::{DatasetChoice, choose_dataset};
pub use delivery_status::{DeliveryStatus, PlacedLine, find_delivery_status, find_repetitions};
pub(crate) use erasures_made::{made_erasures, note_erasures, note_latest_erasure};
pub use first_start::delivered_from;
pub use head::{BatchHead, HeadRecord, PeekedBody, peek_batch};
pub use message::{MessageBody, ReceivedMessage, count_ignored, predecessor_key};
pub use parse::{BatchWarning, ParseOutcome, ParseVerdict, options_of, parse_message};
pub use partner_watch::{PartnerWatch, tell_ledgers};
pub use post_slots::{MessageLoad, PostSlots, run_messages};
pub use process::{BatchOutcome, BatchRequest, process_batch};
pub(crate) use read_permit::{HeartbeatBody, acquire_read_permit};
pub use send::{hand_on, hold_message, send_message};
pub use sender::PayloadSender;
pub use sweep::{SweepReport, run_sweep};
pub use verdict::{SendOutcome, SendVerdict};
