//! Scopes: the kinds of operations that a caller may use. No scope includes another.

/// A kind of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look up and search records, and read totals and states.
    Read,
    /// Upload batches to the ingest route.
    Ingest,
    /// Decide about payloads, replay batches, redrive or dismiss dead letters, run backfills.
    Deliver,
    /// Read the audit log; set the retention flag of Logpull.
    Admin,
}

impl Scope {
    /// Every scope, in the order of answers.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Ingest, Self::Deliver, Self::Admin];

    /// The name in settings and answers, such as `read`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
            Self::Admin => "admin",
        }
    }

    /// The scope with this name; `None` for an unknown one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

/// A set of scopes, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The set with every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Whether the set contains `scope`.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether the set has no scope.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | 1 << scope as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::{Scope, Scopes};

    #[test]
    fn set_holds_exactly_what_it_was_made_of() {
        for &scope in Scope::ALL {
            let set: Scopes = [scope].into_iter().collect();
            assert!(set.iter().eq([scope]) && !set.is_empty() && Scopes::all().has(scope));
            assert!(!Scopes::default().has(scope));
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
        }
        assert!(Scopes::default().is_empty());
        assert_eq!(Scope::from_name("Read"), None);
    }
}
