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

/// Parses a number from 1 to `most`.
pub(super) fn count(value: &str, most: u8) -> Result<u8, String> {
    let count = value.parse().ok().filter(|count| (1..=most).contains(count));
    count.ok_or_else(|| format!("must be a whole number from 1 to {most}"))
}
