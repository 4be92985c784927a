//! What a caller may do.
//!
//! What always holds: a scope grants itself alone; a set without scopes grants nothing.

/// One thing that a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look up records and read what became of batches.
    Read,
    /// Put batches in.
    Ingest,
    /// Decide about payloads and dead letters.
    Deliver,
    /// Backfill, erase, look after the deployment.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Ingest, Self::Deliver, Self::Admin];

    /// Its name in settings and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Them, in the order of [`Scope::ALL`].
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
