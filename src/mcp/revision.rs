//! The revisions of the protocol that this server speaks.

/// The revision without handshake.
pub(super) const STATELESS: &str = "2026-07-28";

/// The two ways in which clients begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revision {
    /// Each request says its version: 2026-07-28.
    Stateless,
    /// The first request agrees on a version: 2025-11-25 and before.
    Handshake,
}

impl Revision {
    /// The versions that this server speaks, the newest first.
    pub(super) const SPOKEN: [&str; 3] = [STATELESS, "2025-11-25", "2025-06-18"];

    /// The version that a handshake agrees on: what the client asks for, or the newest one.
    pub(super) fn agree(asked: &str) -> &'static str {
        let [_, newest, ..] = Self::SPOKEN;
        Self::SPOKEN.into_iter().skip(1).find(|spoken| *spoken == asked).unwrap_or(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::Revision;

    #[test]
    fn handshake_agrees_on_a_version_of_its_kind() {
        for (asked, agreed) in [
            ("2025-11-25", "2025-11-25"),
            ("2025-06-18", "2025-06-18"),
            ("2026-07-28", "2025-11-25"),
            ("1999-01-01", "2025-11-25"),
        ] {
            assert_eq!(Revision::agree(asked), agreed);
        }
    }
}
