//! What an isolate remembers of ledgers, to ask less.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Facts that stay true, by what they are about; its clones are the same one. All are forgotten once there are too many.
#[derive(Debug, Clone)]
pub struct KnownFacts<K, V>(Rc<RefCell<BTreeMap<K, V>>>);

impl<K, V> Default for KnownFacts<K, V> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<K: Ord, V: Copy> KnownFacts<K, V> {
    /// Returns the fact about this, if it is known.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, about: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.borrow().get(about).copied()
    }

    /// Notes a fact, one of at most `most`.
    pub(crate) fn insert(&self, about: K, fact: V, most: usize) {
        let mut facts = self.0.borrow_mut();
        if facts.len() >= most {
            facts.clear();
        }
        facts.insert(about, fact);
    }
}
