//! Erased lines: which lines no answer shows any more, and the partner does not get.
//!
//! An [`ErasureRule`] names values of records: rays, addresses, or what a field holds. It keeps digests of them alone, under a
//! key of the deployment, so that the list of what was erased says nothing of the people it was erased for. Reading order:
//! [`digest`] has the digests, `values` finds what a line holds, [`rule`] judges a line, [`known`] is what an isolate knows.
//!
//! # Invariants
//! A line is erased as a whole, with the records inside of it. Whether it is depends on the line, the instant that stands for
//! records without a time, and the rules alone.

pub mod digest;
pub mod known;
pub mod mode;
pub mod rule;
mod values;

pub use digest::{DigestSet, ErasureKey, ValueDigest};
pub use known::{ErasedLines, KnownErasures};
pub use mode::ErasureMode;
pub use rule::{ErasureKind, ErasureRange, ErasureRule, ErasureScope, JudgedLine};
pub use values::{address_text, field_text};
