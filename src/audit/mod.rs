//! The audit log: chains of entries that cannot be changed unnoticed, and a rate limit for each caller.
//!
//! Reading order: [`calls`] has the wire forms, [`redact`] takes secrets out of what people paste, `entry` and [`chain`]
//! have the entries and their hashes, `tables` and `frame` their storage, [`search`] what a reader asks for, [`segment`] the form
//! in which they move to the bucket, [`archive`] what moves them, [`rate`] the limiter, `costs` the daily budgets, `denials` what repeats; `commit` writes
//! what calls append, and [`object`] combines them inside the object that keeps a chain. A log has one chain, or several, each
//! with the entries of some callers: [`chains`] has their objects, `facts` what these know of it, [`positions`] where reading
//! goes on in each. In the isolates, [`waiting`] joins
//! the events that wait to one call. [`verify`] holds exported entries against the chain, without the object.
//!
//! # Invariants
//! Entries are only appended, and the hash of each covers the hash of the one before it in its chain. An object keeps the newest
//! entries of its chain, and of all others the hashes at the borders of their segments. A request that is audited has its entry before
//! anything is served. A caller over its rate leaves an entry for the first request of each minute that is denied.

pub mod archive;
pub mod calls;
pub mod chain;
pub mod chains;
mod commit;
mod costs;
mod denials;
mod entry;
mod facts;
mod frame;
pub mod object;
pub mod positions;
pub mod rate;
pub mod redact;
pub mod search;
pub mod segment;
mod tables;
pub mod verify;
pub mod waiting;

use self::archive::AlarmWatch;
use self::calls::WrittenCounts;
use self::chain::TableBounds;
use self::commit::AppendGroup;
use self::costs::CostTable;
use self::denials::DenialWindows;
use self::rate::RateLimiter;

pub use archive::{alarm, set_alarm};
pub use entry::before_all;
pub(crate) use entry::time_of;
pub use tables::{OBJECT, open};

/// The object that keeps the first chain; [`chains`] names those of others.
pub const AUDIT: &str = "audit";

/// The state that the object keeps only in memory.
#[derive(Debug, Default)]
pub struct AuditMemory {
    rates: RateLimiter,
    costs: CostTable,
    denials: DenialWindows,
    watch: AlarmWatch,
    bounds: TableBounds,
    /// What was written.
    written: WrittenCounts,
    /// The calls that wait for the next commit.
    group: AppendGroup,
    /// The generation of the registry's tokens; `None` until the object is asked for it.
    tokens: Option<u64>,
    /// The generation of erasures as it is stored; `None` until it was read.
    erasures: Option<u64>,
}

impl AuditMemory {
    /// With tables of another size than the usual one.
    #[must_use]
    pub fn with_bounds(bounds: TableBounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How much one table may hold.
    #[must_use]
    pub const fn bounds(&self) -> TableBounds {
        self.bounds
    }

    /// The generation of the registry's tokens. It begins with the clock, so that none of an earlier life of the object is
    /// met again, and grows by one with each [`calls::ForgetTokens`].
    fn token_generation(&mut self, now_ms: i64) -> u64 {
        *self.tokens.get_or_insert_with(|| u64::try_from(now_ms).unwrap_or_default().saturating_mul(1_000))
    }

    /// Forgets costs that may be in no row, after a transaction that failed: they are read again.
    fn forget_costs(&mut self) {
        self.costs = CostTable::default();
    }

    /// Begins another generation of tokens.
    fn forget_tokens(&mut self, now_ms: i64) -> u64 {
        let generation = self.token_generation(now_ms).saturating_add(1);
        self.tokens = Some(generation);
        generation
    }
}
