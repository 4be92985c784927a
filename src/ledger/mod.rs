//! The ledger: which batches were seen, what became of every line of them, and who sends what when.
//!
//! One Durable Object for each hour of batch time ([`ids`]), a state machine over its SQLite database. A
//! *source* is one version of one object; a *plan* is what of it goes to the partner, pinned by the first attempt;
//! a *delivery* is one payload of a plan. Reading order: [`ids`], [`plan`], [`calls`] (the wire), [`delivery`] and
//! [`breaker`] (the machines, without SQL), then the calls over SQL: `sources`, `deliveries`, `packs`,
//! `wake`, `views`.
//!
//! What always holds: a call is one transaction, and asking for it again changes nothing; the only clock is the
//! object's own; the books balance, or the call that would unbalance them is refused.

mod answer;
pub mod backfills;
pub mod books;
pub mod breaker;
pub mod calendar;
pub mod calls;
mod deliveries;
pub mod delivery;
pub mod ids;
mod packs;
pub mod plan;
pub mod registry;
mod sources;
mod tables;
mod views;
mod wake;

pub use answer::{answer, name_of, open};
pub use delivery::{Delivery, Outcome, State};
pub use ids::{BatchId, DeliveryId, SourceId, ledger_of};
pub use plan::{Plan, PlanForm, Window};
pub use sources::{OPEN, SEALED, SET_ASIDE};
pub use wake::{Alarm, Woken, alarm};
