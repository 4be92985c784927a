//! The ledger: the batches seen so far, the outcome of every line, and the schedule of every payload.
//!
//! One Durable Object per hour of batch time, or several ([`hours`], [`partitions`]), a state machine over its SQLite database. A *source* is one
//! version of one object; a *plan* selects the lines that are delivered, and is pinned by the first attempt; a
//! *delivery* is one payload of a plan. Reading order: [`ids`], [`plan`], [`calls`] (the wire forms), [`delivery`] and
//! [`breaker`] (the state machines, without SQL), [`partner`] (the object that has the breaker), [`pacer`] (in the same object), [`waiting`] and [`health`] (what users see of both), then the calls
//! over SQL: `sources`, `loss`, `plans`, `replays`, [`outage`], `deliveries`, [`payloads`], `packs`, `wake`,
//! `views`.
//!
//! # Invariants
//! A call is one transaction, and repeating it changes nothing. The only clock is the ledger's own. The accounts
//! balance: a call that would unbalance them is refused.

pub mod absence;
mod answer;
pub mod attempts;
pub mod backfill_ledgers;
pub mod backfill_sums;
pub mod backfills;
pub mod books;
pub mod breaker;
pub mod calls;
pub mod completeness;
pub mod cursor_keys;
pub mod decisions;
mod deliveries;
pub mod delivery;
mod delivery_rows;
mod directory;
pub mod duplicates;
pub mod edge_sums;
pub mod erased_lines;
pub mod erasure_scope;
pub mod erasures;
pub mod expiry;
pub mod first_start;
pub mod freshness;
pub mod health;
pub mod hours;
pub mod ids;
pub mod inflated_sizes;
pub mod known;
pub mod layout_doubts;
mod loss;
pub mod newest_batches;
pub mod occupancy;
pub mod outage;
pub mod pacer;
mod packs;
pub mod partitions;
pub mod partner;
pub mod payloads;
pub mod plan;
mod plans;
pub mod registry;
mod replays;
pub mod self_check;
pub mod source_id;
mod sources;
pub mod state;
pub mod sweep_round;
mod tables;
pub mod tokens;
pub mod unknown_folders;
mod views;
pub mod waiting;
mod wake;
pub mod windows;
mod woken;

pub use answer::{OBJECT, answer, name_of, open, serve};
pub use delivery::{AttemptFacts, AttemptOutcome, Delivery, DeliveryState};
pub use directory::RegistryDirectory;
pub use hours::LedgerHour;
pub use ids::{BatchId, DeliveryGroup, DeliveryId};
pub use plan::{DeliveryPlan, DeliveryWindow, PlanBackfill, PlanOptions, PlanRepair};
pub use source_id::SourceId;
pub use state::BatchState;
pub use wake::{Alarm, AlarmReport, alarm};
pub use woken::open_woken;
