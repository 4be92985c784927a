//! The objects that keep the chains, and how many chains there are.
//!
//! The setting says among how many chains the entries of callers are spread; the object of the first chain keeps the greatest
//! number that any isolate had, so that every chain with entries is read. An isolate says its number once, before its first
//! entry in another chain than the first.
//!
//! # Invariants
//! No entry is in a chain that the object of the first chain does not know of.

use std::cell::Cell;
use std::rc::Rc;

use super::AUDIT;
use super::calls::{ChainCount, RaiseChains};
use crate::access::ChainNumber;
use crate::backend::{BackendError, DurableObjects};
use crate::rpc;

/// The name of the object that keeps a chain: that of the first is the name of the log, as long as it has one chain.
#[must_use]
pub fn chain_object(chain: ChainNumber) -> String {
    if chain == ChainNumber::FIRST { AUDIT.to_owned() } else { format!("{AUDIT}-{chain}") }
}

/// The chain that the object of this name keeps; `None` if no chain's object is called so.
#[must_use]
pub fn chain_of_object(name: &str) -> Option<ChainNumber> {
    let number = match name.strip_prefix(AUDIT)? {
        "" => 0,
        rest => rest.strip_prefix('-')?.parse().ok()?,
    };
    ChainNumber::new(number).filter(|chain| chain_object(*chain) == name)
}

/// How many chains an isolate knows to be known; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct KnownChains(Rc<Cell<u8>>);

impl KnownChains {
    /// Has the object of the first chain know of this chain, one of `count`, before anything is appended to it.
    ///
    /// # Errors
    /// [`BackendError`] where the call failed: nothing may be appended then.
    pub async fn ensure(&self, log: &impl DurableObjects, chain: ChainNumber, count: u8) -> Result<(), BackendError> {
        if chain == ChainNumber::FIRST || self.0.get() >= count {
            return Ok(());
        }
        // On the heap, since it is a part of each request, and one of few in fact.
        let ChainCount { chains } = Box::pin(rpc::call(log, AUDIT, &RaiseChains { chains: count })).await?;
        self.0.set(self.0.get().max(chains));
        if chains >= count { Ok(()) } else { Err(BackendError::new("raising the number of chains", "it is too large")) }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainNumber, chain_object, chain_of_object};
    use crate::limits::AUDIT_CHAINS_MAX;

    #[test]
    fn names_of_objects_are_read_back() {
        for chain in ChainNumber::first(AUDIT_CHAINS_MAX) {
            assert_eq!(chain_of_object(&chain_object(chain)), Some(chain));
        }
        for name in ["", "audi", "audit-", "audit-0", "audit-01", "audit-16", "audit-x", "audit-1 ", "xaudit-1"] {
            assert_eq!(chain_of_object(name), None, "{name}");
        }
    }
}
