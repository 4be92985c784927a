//! What a deployment sets of the partner format.
//!
//! # Invariants
//!
//! Options made by [`PartnerOptions::new`] print as they were given. Others are cleaned like any value, so that even
//! they cannot break a line.

/// What a deployment sets of the partner format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerOptions {
    /// Column 58: what the partner calls this customer, 32 hexadecimal digits where it issues one.
    pub tenant: Box<str>,
    /// Column 45 where the data centre is unknown: ISO 3166-1 alpha-2.
    pub unknown_country: Box<str>,
}

/// Why the options of the partner's format are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The tenant is empty or holds a control character, or one that ends a line.
    #[error("the tenant must not be empty or contain control characters; use - for no tenant")]
    Tenant,
    /// The country is not two capital letters.
    #[error("the country must be two uppercase letters, such as CN")]
    Country,
}

impl PartnerOptions {
    /// The options of these values.
    ///
    /// # Errors
    /// [`OptionsError`] names the one that is not valid.
    pub fn new(tenant: &str, unknown_country: &str) -> Result<Self, OptionsError> {
        if tenant.is_empty() || tenant.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(OptionsError::Tenant);
        }
        if unknown_country.len() != 2 || !unknown_country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(OptionsError::Country);
        }
        Ok(Self { tenant: tenant.into(), unknown_country: unknown_country.into() })
    }
}

impl Default for PartnerOptions {
    fn default() -> Self {
        Self { tenant: "-".into(), unknown_country: "CN".into() }
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
