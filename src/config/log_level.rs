//! How much the log says.
//!
//! What always holds: levels stand in the order of their gravity, so that a line is written where its level is
//! not below the setting's.

/// A level of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What helps to find a fault.
    Debug,
    /// What was done.
    #[default]
    Info,
    /// What was done otherwise than hoped.
    Warn,
    /// What a person must look at.
    Error,
}

impl LogLevel {
    /// All of them, the least grave first.
    pub const ALL: &'static [Self] = &[Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Its name in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::LogLevel;

    #[test]
    fn levels_are_found_by_name_and_ordered() {
        for &level in LogLevel::ALL {
            assert_eq!(LogLevel::from_name(level.name()), Some(level));
        }
        assert_eq!(LogLevel::from_name("INFO"), None);
        assert!(LogLevel::ALL.is_sorted() && LogLevel::default() < LogLevel::Warn);
    }
}
