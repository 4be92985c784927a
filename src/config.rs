//! What a deployment sets, read once and checked whole.
//!
//! The list of settings is `schemas/config.json`, held against this file by a test.
//!
//! What always holds: a setting that is missing or nonsense is named, all of them at once; no secret is ever
//! part of a message.

use crate::render::PartnerOptions;
use crate::render::partner::OptionsError;

/// The SHA-256 of the token that callers must send, in 64 hexadecimal digits.
pub const TOKEN_SETTING: &str = "API_TOKEN_SHA256";
/// The prefix of the bucket that Logpush writes under.
pub const PREFIX_SETTING: &str = "LOG_PREFIX";
/// Column 58 of the partner's lines.
pub const TENANT_SETTING: &str = "PARTNER_TENANT";
/// Column 45 of the partner's lines where the airport is unknown.
pub const COUNTRY_SETTING: &str = "PARTNER_UNKNOWN_COUNTRY";

/// A setting of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Whether its value is a secret.
    pub secret: bool,
    /// What holds where it is not set; `None` where it must be.
    pub default: Option<&'static str>,
}

/// Every setting.
pub const SETTINGS: [Setting; 4] = [
    Setting { name: TOKEN_SETTING, secret: true, default: None },
    Setting { name: PREFIX_SETTING, secret: false, default: Some("logs/") },
    Setting { name: TENANT_SETTING, secret: false, default: Some("-") },
    Setting { name: COUNTRY_SETTING, secret: false, default: Some("CN") },
];

/// A deployment's settings, checked.
#[derive(Clone)]
pub struct Config {
    /// The SHA-256 of the token that callers must send.
    pub token_sha256: [u8; 32],
    /// The prefix of the bucket that Logpush writes under.
    pub log_prefix: String,
    /// What the partner's lines take from the deployment.
    pub partner: PartnerOptions,
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// It is not set, and has no default.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// Its value cannot be.
    #[error("{0} {1}")]
    Invalid(&'static str, &'static str),
}

impl ConfigFault {
    /// All faults in one line.
    #[must_use]
    pub fn words(faults: &[Self]) -> String {
        itertools::join(faults, ", ")
    }
}

impl Config {
    /// Reads the settings from the deployment.
    ///
    /// # Errors
    /// Every [`ConfigFault`] there is.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let token_sha256 = value(&get, TOKEN_SETTING).and_then(|value| token_hash(&value)).unwrap_or_else(|fault| {
            faults.push(fault);
            [0; 32]
        });
        let log_prefix = value(&get, PREFIX_SETTING).and_then(prefix).unwrap_or_else(|fault| {
            faults.push(fault);
            String::new()
        });
        let partner = partner(&get).unwrap_or_else(|fault| {
            faults.push(fault);
            PartnerOptions::default()
        });
        if faults.is_empty() { Ok(Self { token_sha256, log_prefix, partner }) } else { Err(faults) }
    }
}

/// The value of a setting, or its default. A value that is empty counts as not set.
fn value(get: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<String, ConfigFault> {
    let default = SETTINGS.iter().find(|setting| setting.name == name).and_then(|setting| setting.default);
    let set = get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    set.or_else(|| default.map(str::to_owned)).ok_or(ConfigFault::Missing(name))
}

fn token_hash(value: &str) -> Result<[u8; 32], ConfigFault> {
    let mut hash = [0; 32];
    hex::decode_to_slice(value, &mut hash)
        .map_err(|_| ConfigFault::Invalid(TOKEN_SETTING, "is not a SHA-256 in 64 hexadecimal digits"))?;
    Ok(hash)
}

fn prefix(value: String) -> Result<String, ConfigFault> {
    let fits = value.len() <= 512 && value.ends_with('/') && !value.starts_with('/');
    if fits { Ok(value) } else { Err(ConfigFault::Invalid(PREFIX_SETTING, "is no folder: it must end with a slash")) }
}

fn partner(get: &impl Fn(&str) -> Option<String>) -> Result<PartnerOptions, ConfigFault> {
    let (tenant, country) = (value(get, TENANT_SETTING)?, value(get, COUNTRY_SETTING)?);
    PartnerOptions::new(&tenant, &country).map_err(|error| match error {
        OptionsError::Tenant => ConfigFault::Invalid(TENANT_SETTING, "has control characters"),
        OptionsError::Country => ConfigFault::Invalid(COUNTRY_SETTING, "is no code of two capital letters"),
    })
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigFault};

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn the_token_is_all_that_must_be_set() {
        let config = Config::read(|name| (name == "API_TOKEN_SHA256").then(|| HASH.to_owned())).ok().unwrap();
        assert_eq!(config.log_prefix, "logs/");
        assert_eq!(hex::encode(config.token_sha256), HASH);
    }

    #[test]
    fn everything_wrong_is_named_at_once_and_no_value_is_shown() {
        let faults = Config::read(|name| match name {
            "API_TOKEN_SHA256" => Some("hunter2".into()),
            "LOG_PREFIX" => Some("logs".into()),
            _ => Some(" \u{1} ".into()),
        });
        let faults = faults.err().unwrap();
        assert_eq!(faults.len(), 3);
        let words: String = faults.iter().map(ToString::to_string).collect();
        assert!(words.contains("API_TOKEN_SHA256") && words.contains("LOG_PREFIX") && words.contains("PARTNER_TENANT"));
        assert!(!words.contains("hunter2"));
        assert_eq!(Config::read(|_| None).err(), Some(vec![ConfigFault::Missing("API_TOKEN_SHA256")]));
    }
}
