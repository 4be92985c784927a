//! The roles of callers.
//!
//! # Invariants
//!
//! Roles are in the order of what they see, the one that sees least first.

use std::fmt;

/// The part of a record that a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Values that are known to be harmless.
    Viewer,
    /// Whole addresses; secrets masked, in URLs and referrers too.
    Support,
    /// The stored line, byte for byte.
    Forensics,
}

impl Role {
    /// All of them, the one who sees least first.
    pub const ALL: &'static [Self] = &[Self::Viewer, Self::Support, Self::Forensics];

    /// The role whose view may be passed on: an archive, a text for a ticket and a command leave the company.
    pub const SHARED: Self = Self::Support;

    /// The role by which what leaves the company is masked for a caller of this one.
    #[must_use]
    pub fn for_sharing(self) -> Self {
        self.min(Self::SHARED)
    }

    /// Its name in settings and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Support => "support",
            Self::Forensics => "forensics",
        }
    }

    /// The role of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn roles_are_found_by_name_and_ordered() {
        for &role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("Viewer"), None);
        assert!(Role::ALL.is_sorted());
    }

    #[test]
    fn nothing_beyond_support_is_passed_on() {
        assert_eq!(
            Role::ALL.iter().map(|role| role.for_sharing()).collect::<Vec<_>>(),
            [Role::Viewer, Role::Support, Role::Support]
        );
    }
}
