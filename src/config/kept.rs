//! The settings of what is kept: for how long, and what becomes of erased lines.

use super::reader::{SettingsReader, one_of, whole};
use super::settings;
use crate::erasure::ErasureMode;
use crate::limits::RETENTION_DAYS_MAX;

/// What a deployment keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptLogs {
    /// Number of days that the bucket's lifecycle rules keep logs; `None` if not set.
    pub retention_days: Option<u32>,
    /// What becomes of the batches that hold erased lines.
    pub erasures: ErasureMode,
}

/// Reads the settings.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> KeptLogs {
    let retention_days = reader.read(&settings::RETENTION, retention_days);
    let erasures = reader.read(&settings::ERASURES, |name| one_of(name, ErasureMode::ALL, ErasureMode::name));
    KeptLogs { retention_days, erasures: erasures.unwrap_or_default() }
}

fn retention_days(value: &str) -> Result<u32, String> {
    let days = whole(value).filter(|days| (1..=RETENTION_DAYS_MAX).contains(days));
    days.ok_or_else(|| format!("must be a whole number of days from 1 to {RETENTION_DAYS_MAX}"))
}
