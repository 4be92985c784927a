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
        (self.get)(setting.name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Parses the value or the default with `read`, whose error text follows the name of the setting. `None` after an
    /// error, or if an optional setting is not set.
    pub(super) fn read<T>(&mut self, setting: &SettingSpec, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.given(setting).or_else(|| setting.default().map(str::to_owned))?;
        read(&value).map_err(|words| self.faults.push(ConfigFault::Invalid(setting.name, words))).ok()
    }

    /// Parses the value, even an empty one, or the default if it is not set.
    pub(super) fn read_even_empty<T>(
        &mut self,
        setting: &SettingSpec,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = (self.get)(setting.name).map(|value| value.trim().to_owned());
        let value = value.or_else(|| setting.default().map(str::to_owned))?;
        read(&value).map_err(|words| self.faults.push(ConfigFault::Invalid(setting.name, words))).ok()
    }

    /// Records that a setting is missing.
    pub(super) fn missing(&mut self, setting: &SettingSpec) {
        self.faults.push(ConfigFault::Missing(setting.name));
    }

    /// Returns the collected errors in the order of reading.
    pub(super) fn faults(self) -> Vec<ConfigFault> {
        self.faults
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
