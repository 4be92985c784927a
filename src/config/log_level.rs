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

    /// Returns the name in settings and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LogLevel;

    #[test]
    fn levels_are_ordered_by_severity() {
        assert!(LogLevel::ALL.is_sorted() && LogLevel::default() < LogLevel::Warn);
    }
}
