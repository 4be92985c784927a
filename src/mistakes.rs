//! Mistakes that this protocol could make, each behind a switch: they show that the simulator can fail.
//!
//! A test sets one of them for its thread; the code asks [`made`] where the mistake would be. Without the feature
//! `mistakes`, which no build of the Worker has, the question is a constant `false` and leaves nothing behind.
//!
//! What always holds: without the feature no mistake can be made; with it, none is until a test says so.

macro_rules! mistakes {
    ($(#[$which:meta])* $all:ident: $($(#[$doc:meta])* $name:ident,)* ;
     $(#[$which_audit:meta])* $audit:ident: $($(#[$doc_audit:meta])* $name_audit:ident,)*) => {
        /// A mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mistake { $($(#[$doc])* $name,)* $($(#[$doc_audit])* $name_audit,)* }

        impl Mistake {
            $(#[$which])*
            pub const $all: &'static [Self] = &[$(Self::$name),*];
            $(#[$which_audit])*
            pub const $audit: &'static [Self] = &[$(Self::$name_audit),*];
        }
    };
}

mistakes! {
    /// Those that the simulator must see.
    ALL:
    /// A claim looks whether someone sends already, and sends all the same.
    CheckThenSend,
    /// The lease ends before a POST can.
    ShortLease,
    /// A commit counts whatever its token.
    NoFence,
    /// A payload that nobody knows of is sent again although it was to be parked.
    ResendInDoubt,
    /// A POST begins however long ago its claim was.
    NoTimeCheck,
    /// The message is acked, and the delivery committed, before the POST.
    CommitBeforePost,
    /// A redirect is taken for success.
    RedirectIsSuccess,
    /// A 5xx is taken for success.
    ServerErrorIsSuccess,
    /// A time-out is taken for success.
    TimeoutIsSuccess,
    /// A time-out is taken for "not stored".
    TimeoutIsNotStored,
    /// The body is removed as soon as it was sent, before the commit.
    DeleteWhenSent,
    /// Each attempt has a header `X-Batch-Id` of its own.
    NewBatchId,
    /// The ledger does not send again what the queue lost.
    NoOutbox,
    /// The ledger does not end leases.
    NoLeaseEnd,
    /// A put that failed is passed over.
    SwallowPut,
    /// A seal that failed is passed over.
    SwallowSeal,
    /// A body that breaks off is taken for the end of the object.
    BrokenIsEnd,
    /// A second seal puts its deliveries in once more.
    SealTwice,
    /// The calendar is told of a batch's entries behind them.
    EntriesFirst,
    /// Whoever began a source is taken to have finished it.
    MarkerFirst,
    /// What no event announced is not looked for.
    NoSweep,
    /// The end of a window belongs to it.
    ClosedWindow,
    /// Windows that earlier plans covered are covered again.
    ForgetCoverage,
    /// The halves of a payload go out, and the payload too.
    SplitKeepsWhole,
    /// A half of a payload begins one line late.
    SplitLosesLine,
    /// A pack is removed once its first payload is at rest.
    PackGoesWithFirst,
    /// A body is read from where its pack begins.
    ReadFromPackStart,
    /// A transaction that fails leaves what it did so far.
    TornTransaction,
    ;
    /// Those of the audit log, which `tests/it/api/archive.rs` must see.
    AUDIT:
    /// Entries are removed whether or not the bucket took them.
    RemoveBeforePut,
    /// A segment is put, and nobody notes that.
    DropSegmentRow,
    /// The first entry of a table does not stand behind the last one of the table before.
    BreakChainAtBorder,
}

#[cfg(feature = "mistakes")]
mod switch {
    use std::cell::Cell;

    use super::Mistake;

    thread_local! {
        static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    /// Whether this thread makes this mistake.
    #[must_use]
    pub fn made(mistake: Mistake) -> bool {
        MADE.get() == Some(mistake)
    }

    /// From now on this thread makes this mistake, or none.
    pub fn make(mistake: Option<Mistake>) {
        MADE.set(mistake);
    }
}

#[cfg(feature = "mistakes")]
pub use switch::{made, make};

/// Whether this thread makes this mistake: never.
#[cfg(not(feature = "mistakes"))]
#[must_use]
pub const fn made(_mistake: Mistake) -> bool {
    false
}
