//! The levels of the log. They are ordered by severity: a line is written if its level is at or above the setting.

/// The severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Details for finding the cause of an error.
    Debug,
    /// Work that succeeded, such as an indexed batch.
    #[default]
    Info,
    /// Work that failed and will be retried, or is degraded.
    Warn,
    /// Failures that an operator must handle.
    Error,
}

impl LogLevel {
    /// Every level, least severe first.
    pub const ALL: &'static [Self] = &[Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The name in settings and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level with this name; `None` for an unknown one.
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
