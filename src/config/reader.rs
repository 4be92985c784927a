//! Settings one by one: found under a name or an older one, read, and every fault kept.
//!
//! What always holds: a value never gets into a fault, only our own words about it; a value that is empty counts
//! as not set.

use super::settings::{Need, Setting};

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// It is not set, and has no default.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// Its value cannot be.
    #[error("{0} {1}")]
    Invalid(&'static str, String),
}

impl ConfigFault {
    /// All faults in one line.
    #[must_use]
    pub fn words(faults: &[Self]) -> String {
        itertools::join(faults, ", ")
    }
}

/// The settings of a deployment while they are being read.
pub(super) struct Reader<G> {
    get: G,
    faults: Vec<ConfigFault>,
}

impl<G: Fn(&str) -> Option<String>> Reader<G> {
    pub(super) const fn new(get: G) -> Self {
        Self { get, faults: Vec::new() }
    }

    /// What was set.
    pub(super) fn given(&self, setting: &Setting) -> Option<String> {
        let names = std::iter::once(&setting.name).chain(setting.aliases);
        let mut values = names.filter_map(|name| (self.get)(name)).map(|value| value.trim().to_owned());
        values.find(|value| !value.is_empty())
    }

    /// The value of a setting or of its default, through `read`, whose error goes on the setting's name. `None`
    /// where there is a fault, or where an optional one is not set.
    pub(super) fn read<T>(&mut self, setting: &Setting, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Some(value) = self.given(setting).or_else(|| setting.default().map(str::to_owned)) else {
            if setting.need == Need::Required {
                self.missing(setting);
            }
            return None;
        };
        read(&value).map_err(|words| self.faults.push(ConfigFault::Invalid(setting.name, words))).ok()
    }

    /// Notes that a setting had to be set.
    pub(super) fn missing(&mut self, setting: &Setting) {
        self.faults.push(ConfigFault::Missing(setting.name));
    }

    /// Every fault found.
    pub(super) fn faults(self) -> Vec<ConfigFault> {
        self.faults
    }
}

/// The one of `all` that `text` names.
pub(super) fn one_of<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|&choice| name(choice) == text);
    found.ok_or_else(|| format!("must be one of {}", itertools::join(all.iter().map(|&choice| name(choice)), ", ")))
}

/// The words for an error of another room, which goes on a setting's name.
pub(super) fn not_valid(error: impl std::fmt::Display) -> String {
    format!("is not valid: {error}")
}
