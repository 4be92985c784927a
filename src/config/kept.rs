//! The settings of what is kept: for how long, and what becomes of erased lines.

use super::reader::{SettingsReader, one_of, whole};
use super::settings;
use crate::bucket_keys::{LogPrefixes, UNREAD_FOLDERS};
use crate::erasure::ErasureMode;
use crate::limits::RETENTION_DAYS_MAX;
use crate::time::DAY_MS;

/// What a deployment keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptLogs {
    /// Number of days that the bucket's lifecycle rules keep logs; `None` if not set.
    pub retention_days: Option<u32>,
    /// Number of days that ledgers keep the accounts of a batch; `None` for ever.
    pub accounts_days: Option<u32>,
    /// What becomes of the batches that hold erased lines.
    pub erasures: ErasureMode,
}

impl KeptLogs {
    /// Returns how long the bucket keeps the batch with this key, in milliseconds; `None` for ever.
    #[must_use]
    pub fn batch_ms(&self, prefixes: &LogPrefixes, key: &str) -> Option<i64> {
        // The bucket deletes an object by the shortest of its rules.
        let of_key = prefixes.rules().iter().filter(|rule| key.starts_with(&rule.prefix));
        of_key.filter_map(|rule| rule.retention_days).chain(self.retention_days).min().map(milliseconds)
    }

    /// Returns how long ledgers keep the accounts of a batch, in milliseconds; `None` for ever.
    #[must_use]
    pub fn accounts_ms(&self) -> Option<i64> {
        self.accounts_days.map(milliseconds)
    }
}

fn milliseconds(days: u32) -> i64 {
    i64::from(days).saturating_mul(DAY_MS)
}

/// Reads the settings.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>, prefixes: &LogPrefixes) -> KeptLogs {
    let retention_days = reader.read(&settings::RETENTION, days);
    let accounts_days = reader.read(&settings::ACCOUNTS_RETENTION, days);
    let erasures = reader.read(&settings::ERASURES, |name| one_of(name, ErasureMode::ALL, ErasureMode::name));
    let kept = KeptLogs { retention_days, accounts_days, erasures: erasures.unwrap_or_default() };
    check(reader, &kept, prefixes);
    kept
}

/// Checks numbers of days that are each right.
fn check<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>, kept: &KeptLogs, prefixes: &LogPrefixes) {
    let with_days = || prefixes.rules().iter().filter_map(|rule| Some((rule.prefix.as_str(), rule.retention_days?)));
    if with_days().any(|(_, days)| kept.retention_days.is_some_and(|all| days > all)) {
        let words = "has more retention_days than LOG_RETENTION_DAYS, which holds for every prefix";
        reader.invalid(&settings::DATASETS, words.into());
    }
    let is_cut =
        |(prefix, days): (&str, u32)| with_days().any(|(outer, least)| prefix.starts_with(outer) && least < days);
    if with_days().any(is_cut) {
        let words = "has more retention_days for a prefix than for one that it is part of";
        reader.invalid(&settings::DATASETS, words.into());
    }
    if with_days().any(|(prefix, _)| UNREAD_FOLDERS.into_iter().any(|folder| prefix.starts_with(folder))) {
        let words = "has retention_days for a folder that is never read as logs";
        reader.invalid(&settings::DATASETS, words.into());
    }
    // A batch that is there when its accounts are not would be accounted for anew.
    if kept.accounts_days.is_some_and(|accounts| kept.retention_days.is_none_or(|logs| accounts <= logs)) {
        reader.invalid(
            &settings::ACCOUNTS_RETENTION,
            "must be more days than LOG_RETENTION_DAYS, which must be set".into(),
        );
    }
}

fn days(value: &str) -> Result<u32, String> {
    let days = whole(value).filter(|days| (1..=RETENTION_DAYS_MAX).contains(days));
    days.ok_or_else(|| format!("must be a whole number of days from 1 to {RETENTION_DAYS_MAX}"))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigFault};
    use crate::time::DAY_MS;

    /// Reads a deployment with a token and these settings.
    fn read(set: &[(&str, &str)]) -> Result<Config, Vec<ConfigFault>> {
        Config::read(|name| {
            let found = set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            found.or_else(|| (name == "API_TOKEN_SHA256").then(|| "0".repeat(64)))
        })
    }

    #[test]
    fn logs_are_kept_a_day_to_a_century() {
        for (value, days) in [("1", Some(1)), ("36500", Some(36_500)), ("0", None), ("36501", None), ("30d", None)] {
            let read = read(&[("LOG_RETENTION_DAYS", value)]).ok().map(|config| config.kept.retention_days);
            assert_eq!(read, days.map(Some), "{value}");
        }
        assert_eq!(read(&[]).ok().unwrap().kept.retention_days, None);
    }

    #[test]
    fn shortest_retention_counts_and_accounts_outlast_it() {
        let short = r#"{"logs/dns/":{"retention_days":7}}"#;
        let config =
            read(&[("LOG_RETENTION_DAYS", "30"), ("DATASETS", short), ("ACCOUNTS_RETENTION_DAYS", "31")]).ok().unwrap();
        let kept_ms = |key| config.kept.batch_ms(&config.log_prefix, key);
        assert_eq!((kept_ms("logs/dns/a"), kept_ms("logs/a")), (Some(7 * DAY_MS), Some(30 * DAY_MS)));
        assert_eq!(config.kept.accounts_ms(), Some(31 * DAY_MS));
        let alone = read(&[("DATASETS", short)]).ok().unwrap();
        assert_eq!((alone.kept.batch_ms(&alone.log_prefix, "logs/a"), alone.kept.accounts_ms()), (None, None));
        let accounts = "ACCOUNTS_RETENTION_DAYS must be more days than LOG_RETENTION_DAYS, which must be set";
        let datasets = "DATASETS has more retention_days than LOG_RETENTION_DAYS, which holds for every prefix";
        for (set, expected) in [
            (vec![("ACCOUNTS_RETENTION_DAYS", "30")], accounts),
            (vec![("ACCOUNTS_RETENTION_DAYS", "30"), ("LOG_RETENTION_DAYS", "30")], accounts),
            (vec![("DATASETS", short), ("LOG_RETENTION_DAYS", "6")], datasets),
        ] {
            assert_eq!(read(&set).err().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
    }
}
