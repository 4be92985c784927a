//! Cloudflare Access: whose assertions count, and what they grant.
//!
//! What always holds: an assertion counts only once its signature does; what is granted is said by the first entry that
//! names the bearer; who is named by none is not let in; the issuer's address is https, but for tests on one machine.

use std::cell::RefCell;

use serde::Deserialize;
use url::{Host, Url};

use super::grant::{Granted, entries};
use super::keys::find_key;
use super::{Caller, Claims, Denied, Grant, GrantFault, JwksCache, Jwt};
use crate::backend::Keys;

/// The Cloudflare Access of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOn {
    /// Who makes its assertions.
    pub issuer: Issuer,
    /// The tag of the application that they are for.
    pub audience: String,
    /// What they grant, the first that fits.
    pub grants: Vec<GrantRule>,
}

/// Who makes assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

/// A text is no team and no issuer's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value must be a team name, or an address that begins with https:// and has no path")]
pub struct IssuerFault;

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The person with this address, in small letters.
    Email(String),
    /// Every person with an address of this domain, in small letters.
    EmailDomain(String),
    /// The service token with this id.
    Service(String),
}

/// What someone is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRule {
    /// Whom.
    pub who: Who,
    /// What.
    pub grant: Grant,
}

/// An entry of the setting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    email: Option<String>,
    email_domain: Option<String>,
    service: Option<String>,
    scopes: Vec<String>,
    role: String,
    zones: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
}

impl Issuer {
    /// The issuer that a setting names: a team (`acme`) or an address. Plain HTTP is for this machine alone, and only
    /// where it is allowed.
    ///
    /// # Errors
    /// [`IssuerFault`] for anything else.
    pub fn read(text: &str, allow_http: bool) -> Result<Self, IssuerFault> {
        let is_team = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_team(text) && (1..=63).contains(&text.len()) {
            return Ok(Self(format!("https://{}.cloudflareaccess.com", text.to_ascii_lowercase())));
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        let url = Url::parse(text).map_err(|_| IssuerFault)?;
        let is_local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(_)) | None => false,
        };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_bare = is_bare && url.username().is_empty() && url.password().is_none();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && allow_http && is_local;
        if is_bare && is_safe { Ok(Self(text.to_owned())) } else { Err(IssuerFault) }
    }

    /// The claim `iss` of its assertions.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Where its keys are.
    #[must_use]
    pub fn certs(&self) -> String {
        format!("{}/cdn-cgi/access/certs", self.0)
    }
}

/// The grants that the JSON of a setting spells.
///
/// # Errors
/// [`GrantFault`] says which entry is wrong, and repeats nothing of it.
pub fn read_grants(text: &str) -> Result<Vec<GrantRule>, GrantFault> {
    let words = "must have scopes, role and one of email, email_domain and service; optional members are zones and \
                 datasets";
    entries(text, words, |entry: Entry| {
        let Entry { email, email_domain, service, scopes, role, zones, datasets } = entry;
        let small = |text: String| text.to_ascii_lowercase();
        let who = match (email, email_domain, service) {
            (Some(email), None, None) if email.contains('@') => Who::Email(small(email)),
            (None, Some(domain), None) if !domain.is_empty() && !domain.contains('@') => {
                Who::EmailDomain(small(domain))
            }
            (None, None, Some(id)) if !id.is_empty() => Who::Service(id),
            _ => return Err("must have exactly one of email, email_domain and service"),
        };
        Ok(GrantRule { who, grant: Granted { scopes, role, zones, datasets }.read()? })
    })
}

impl Who {
    /// Whether the claims are of someone meant here; returns the name they go by.
    fn is<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        // A service token has an empty address, and a person no common name.
        let email = claims.email.as_deref().filter(|email| !email.is_empty());
        match self {
            Self::Email(known) => email.filter(|email| email.eq_ignore_ascii_case(known)),
            Self::EmailDomain(known) => {
                let is_of = |email: &&str| email.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(known));
                email.filter(is_of)
            }
            Self::Service(id) => claims.common_name.as_deref().filter(|name| *name == id && email.is_none()),
        }
    }
}

/// Who sent an assertion: the header `Cf-Access-Jwt-Assertion`. Two of them, which arrive as one with a comma, are none.
///
/// # Errors
/// [`Denied`] where it is wrong, or grants nothing here.
pub async fn admit_assertion(
    sign_on: &SignOn,
    assertion: &str,
    keys: &impl Keys,
    cache: &RefCell<JwksCache>,
    now_ms: i64,
) -> Result<Caller, Denied> {
    let jwt = Jwt::parse(assertion)?;
    jwt.claims.check(sign_on.issuer.name(), &sign_on.audience, now_ms)?;
    let key = find_key(cache, keys, &jwt.kid, now_ms).await?;
    let is_signed = keys.verify(&key, jwt.signed, &jwt.signature).await.map_err(|_| Denied::Signature)?;
    if !is_signed {
        return Err(Denied::Signature);
    }
    let granted = sign_on.grants.iter().find_map(|rule| Some((rule.who.is(&jwt.claims)?, &rule.grant)));
    granted.map(|(name, grant)| Caller::new(name, grant)).ok_or(Denied::NoGrant)
}
