//! The values that a deployment sets in the partner format.
//!
//! # Invariants
//!
//! Options created by [`PartnerOptions::new`] print as given. Any others are cleaned like all values, so that even they
//! cannot break a line.

use super::FORMAT;

/// Maximum length of a version, in bytes.
const MOST: usize = 64;

/// The values that a deployment sets in the partner format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerOptions {
    /// Column 1: the version of the format, [`super::FORMAT`] unless the partner expects another name.
    pub version: Box<str>,
    /// Column 58: the partner's name for this customer; 32 hexadecimal digits if the partner issues one.
    pub tenant: Box<str>,
    /// Column 45 if the data centre is unknown: ISO 3166-1 alpha-2.
    pub unknown_country: Box<str>,
}

/// The reason why options of the partner's format are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The version is empty, too long, or contains something other than visible ASCII characters.
    #[error("the version must have 1 to {MOST} visible ASCII characters, such as {FORMAT}")]
    Version,
    /// The tenant is empty or contains a control character or a line end.
    #[error("the tenant must not be empty or contain control characters; use - for no tenant")]
    Tenant,
    /// The country is not two capital letters.
    #[error("the country must be two uppercase letters, such as CN")]
    Country,
}

impl PartnerOptions {
    /// Creates options from these values.
    ///
    /// # Errors
    /// [`OptionsError`] names the invalid one.
    pub fn new(tenant: &str, unknown_country: &str) -> Result<Self, OptionsError> {
        if tenant.is_empty() || tenant.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(OptionsError::Tenant);
        }
        if unknown_country.len() != 2 || !unknown_country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(OptionsError::Country);
        }
        Ok(Self { version: FORMAT.into(), tenant: tenant.into(), unknown_country: unknown_country.into() })
    }

    /// Returns the same options with this version of the format.
    ///
    /// # Errors
    /// [`OptionsError::Version`] if it is none.
    pub fn with_version(self, version: &str) -> Result<Self, OptionsError> {
        let fits = (1..=MOST).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self { version: version.into(), ..self }) } else { Err(OptionsError::Version) }
    }
}

impl Default for PartnerOptions {
    fn default() -> Self {
        Self { version: FORMAT.into(), tenant: "-".into(), unknown_country: "CN".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::{OptionsError, PartnerOptions};

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(PartnerOptions::new("-", "CN"), Ok(PartnerOptions::default()));
    }

    #[test]
    fn a_version_is_a_word_of_ascii() {
        for version in ["cf_vod_v3.0", "x", &"v".repeat(64)] {
            let options = PartnerOptions::default().with_version(version).unwrap();
            assert_eq!(options, PartnerOptions { version: version.into(), ..PartnerOptions::default() });
        }
        for version in ["", "a b", "a\u{1}", "é", "\n", &"v".repeat(65)] {
            assert_eq!(PartnerOptions::default().with_version(version), Err(OptionsError::Version), "{version:?}");
        }
    }

    #[test]
    fn a_tenant_is_any_text_on_one_line() {
        let options = PartnerOptions::new("0123456789abcdef0123456789abcdef", "SG").unwrap();
        assert_eq!((&*options.tenant, &*options.unknown_country), ("0123456789abcdef0123456789abcdef", "SG"));
        for tenant in ["", "a\u{1}b", "a\n", "\u{7f}", "\u{85}", "a\u{2028}"] {
            assert_eq!(PartnerOptions::new(tenant, "CN"), Err(OptionsError::Tenant), "{tenant:?}");
        }
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        for country in ["", "C", "cn", "CHN", "C1", "é", "-"] {
            assert_eq!(PartnerOptions::new("-", country), Err(OptionsError::Country), "{country:?}");
        }
    }
}
