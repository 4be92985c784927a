//! Reads settings one by one, by their names, and collects every error.
//!
//! # Invariants
//! No error contains a value. An empty value counts as not set.

use super::settings::SettingSpec;

/// An error in one setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// The setting with this name is not set, and others need it.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The value is invalid: the name, and the rule that it breaks.
    #[error("{0} {1}")]
    Invalid(&'static str, String),
}

impl ConfigFault {
    /// Joins all errors into one line, separated by commas.
    #[must_use]
    pub fn words(faults: &[Self]) -> String {
        itertools::join(faults, ", ")
    }
}

/// The settings of a deployment while they are being read.
pub(super) struct SettingsReader<G> {
    get: G,
    faults: Vec<ConfigFault>,
}

impl<G: Fn(&str) -> Option<String>> SettingsReader<G> {
    pub(super) const fn new(get: G) -> Self {
        Self { get, faults: Vec::new() }
    }

    /// Returns the value, if it is not empty.
    pub(super) fn given(&self, setting: &SettingSpec) -> Option<String> {
        self.value(setting).filter(|value| !value.is_empty())
    }

    /// Returns the value under the name that the deployment has it under; its own name comes first.
    fn value(&self, setting: &SettingSpec) -> Option<String> {
        (self.get)(self.spelling(setting)).map(|value| value.trim().to_owned())
    }

    /// Returns the name by which the deployment has a setting.
    fn spelling(&self, setting: &SettingSpec) -> &'static str {
        let is_set = |name: &str| (self.get)(name).is_some_and(|value| !value.trim().is_empty());
        setting.other_name.filter(|other| !is_set(setting.name) && is_set(other)).unwrap_or(setting.name)
    }

    /// Parses the value or the default with `read`, whose error text follows the name of the setting. `None` after an
    /// error, or if an optional setting is not set.
    pub(super) fn read<T>(&mut self, setting: &SettingSpec, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.given(setting).or_else(|| setting.default().map(str::to_owned))?;
        read(&value).map_err(|words| self.invalid(setting, words)).ok()
    }

    /// Parses the value, even an empty one, or the default if it is not set.
    pub(super) fn read_even_empty<T>(
        &mut self,
        setting: &SettingSpec,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(setting).or_else(|| setting.default().map(str::to_owned))?;
        read(&value).map_err(|words| self.invalid(setting, words)).ok()
    }

    /// Records that a setting is invalid, by the name that the deployment has for it.
    pub(super) fn invalid(&mut self, setting: &SettingSpec, words: String) {
        let name = self.spelling(setting);
        self.faults.push(ConfigFault::Invalid(name, words));
    }

    /// Records that a setting is missing, by the kind of name that the deployment has for those set with it.
    pub(super) fn missing(&mut self, setting: &SettingSpec, together: &[SettingSpec]) {
        let is_other = together.iter().any(|other| self.given(other).is_some() && self.spelling(other) != other.name);
        let name = setting.other_name.filter(|_| is_other).unwrap_or(setting.name);
        self.faults.push(ConfigFault::Missing(name));
    }

    /// Returns the errors collected since the last call, in the order of reading.
    pub(super) fn take_faults(&mut self) -> Vec<ConfigFault> {
        std::mem::take(&mut self.faults)
    }
}

/// Returns the element of `all` with the name `text`; the error lists the names.
pub(super) fn one_of<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|&choice| name(choice) == text);
    found.ok_or_else(|| format!("must be one of {}", itertools::join(all.iter().map(|&choice| name(choice)), ", ")))
}

/// Formats another module's error to follow the name of the setting.
pub(super) fn not_valid(error: impl std::fmt::Display) -> String {
    format!("is not valid: {error}")
}

/// Parses a whole number: decimal digits alone, of which the first is a zero only if there is no other.
pub(super) fn whole<N: std::str::FromStr>(text: &str) -> Option<N> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Parses a number from 1 to `most`.
pub(super) fn count(value: &str, most: u8) -> Result<u8, String> {
    let count = whole(value).filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| format!("must be a whole number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::super::settings::{AUDIT_CHAINS, BATCH_SIZE, PARTITIONS, RATE};
    use super::super::{Config, ConfigFault};
    use super::whole;

    #[test]
    fn whole_number_has_one_spelling() {
        for (text, number) in [("0", Some(0)), ("4", Some(4)), ("40", Some(40)), ("255", Some(255))] {
            assert_eq!(whole::<u8>(text), number, "{text}");
        }
        for text in ["", "+4", "-0", "04", "00", "4.0", "4e1", "0x4", "1_0", " 4", "\u{0664}", "256"] {
            assert_eq!(whole::<u8>(text), None, "{text}");
        }
    }

    #[test]
    fn settings_take_whole_numbers_alone() {
        let faults = |name: &str, value: &str| {
            let read = Config::read(|asked| match asked {
                "API_TOKEN_SHA256" => {
                    Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned())
                }
                asked => (asked == name).then(|| value.to_owned()),
            });
            read.map_or_else(|faults| faults, |config| config.delivery_faults)
                .iter()
                .map(ConfigFault::to_string)
                .collect::<Vec<_>>()
        };
        for setting in [&PARTITIONS, &AUDIT_CHAINS, &RATE, &BATCH_SIZE] {
            assert!(faults(setting.name, "4").is_empty() && faults(setting.name, " 4 ").is_empty());
            for value in ["+4", "04", "4.0"] {
                let faults = faults(setting.name, value);
                assert!(faults.len() == 1 && faults[0].contains("must be a whole number"), "{value}: {faults:?}");
            }
        }
    }
}
