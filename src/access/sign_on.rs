//! Cloudflare Access: the issuer whose assertions are accepted, and the rights that they grant.
//!
//! # Invariants
//! An assertion counts only after its signature is verified. The first grant that names the bearer applies; without one
//! the bearer is refused. The issuer's address is HTTPS, except in local tests.

use std::cell::RefCell;

use serde::Deserialize;
use url::{Host, Url};

use super::grant::{GrantFields, entries};
use super::keys::find_key;
use super::{AuthFailure, Caller, Grant, GrantFault, JwksCache, Jwt, JwtClaims};
use crate::backend::AssertionKeys;

/// The settings of Cloudflare Access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOn {
    /// The team that issues the assertions.
    pub issuer: TokenIssuer,
    /// The audience tag (`aud`) of the Access application.
    pub audience: String,
    /// The grants in order; the first that names the bearer applies.
    pub grants: Vec<GrantRule>,
    /// Maximum age of an assertion in seconds: how long a session of the application lasts.
    pub session_s: i64,
}

/// The origin of an issuer, such as `https://acme.cloudflareaccess.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssuer(String);

/// The text is neither a team name nor the address of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value must be a team name, or an address that begins with https:// and has no path")]
pub struct IssuerFault;

/// The bearer or bearers that a grant names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantSubject {
    /// The person with this email address, in lower case.
    Email(String),
    /// Every person with an email address of this domain, in lower case.
    EmailDomain(String),
    /// Every person in this group of the identity provider, by its name or id as the assertion has it.
    Group(String),
    /// The service token with this id.
    Service(String),
}

/// An entry of the setting: rights, and the bearer that has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRule {
    /// The person, domain or service that the entry names.
    pub who: GrantSubject,
    /// The rights that the bearer gets.
    pub grant: Grant,
}

/// An entry of the setting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantEntry {
    email: Option<String>,
    email_domain: Option<String>,
    group: Option<String>,
    service: Option<String>,
    scopes: Vec<String>,
    role: String,
    zones: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
    scans: Option<u32>,
    daily_budget: Option<String>,
}

impl TokenIssuer {
    /// Parses a setting: the name of a team (`acme`) or an address. Plain HTTP is accepted only for the local host, and
    /// only if `allow_http` is set.
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

    /// The claim `iss` of the issuer's assertions.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The URL of the JWKS document.
    #[must_use]
    pub fn certs(&self) -> String {
        format!("{}/cdn-cgi/access/certs", self.0)
    }
}

/// Parses the setting: a JSON array of grants.
///
/// # Errors
/// [`GrantFault`] says which entry is wrong, and repeats nothing of it.
pub fn read_grants(text: &str) -> Result<Vec<GrantRule>, GrantFault> {
    let words = "must have scopes, role and one of email, email_domain, group and service; optional members are zones, \
                 datasets, scans and daily_budget";
    entries(text, words, |entry: GrantEntry| {
        let GrantEntry { email, email_domain, group, service, scopes, role, zones, datasets, scans, daily_budget } =
            entry;
        let small = |text: String| text.to_ascii_lowercase();
        let who = match (email, email_domain, group, service) {
            (Some(email), None, None, None) if email.contains('@') => GrantSubject::Email(small(email)),
            (None, Some(domain), None, None) if !domain.is_empty() && !domain.contains('@') => {
                GrantSubject::EmailDomain(small(domain))
            }
            (None, None, Some(group), None) if !group.is_empty() => GrantSubject::Group(group),
            (None, None, None, Some(id)) if !id.is_empty() => GrantSubject::Service(id),
            _ => return Err("must have exactly one of email, email_domain, group and service"),
        };
        let grant = GrantFields { scopes, role, zones, datasets, scans, daily_budget };
        Ok(GrantRule { who, grant: grant.read()? })
    })
}

impl GrantSubject {
    /// The name of the bearer if the entry names them: the email address or the id of the service token.
    fn is<'c>(&self, claims: &'c JwtClaims) -> Option<&'c str> {
        // A service token has an empty address, and a person no common name.
        let email = claims.person();
        match self {
            Self::Email(known) => email.filter(|email| email.eq_ignore_ascii_case(known)),
            Self::EmailDomain(known) => {
                let is_of = |email: &&str| email.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(known));
                email.filter(is_of)
            }
            Self::Group(group) => email.filter(|_| claims.is_in_group(group)),
            Self::Service(id) => claims.common_name.as_deref().filter(|name| *name == id && email.is_none()),
        }
    }
}

/// Identifies the bearer of the header `Cf-Access-Jwt-Assertion`. Two headers arrive as one value with a comma, which
/// is invalid.
///
/// # Errors
/// [`AuthFailure`] where it is wrong, or grants nothing here.
pub async fn admit_assertion(
    sign_on: &SignOn,
    assertion: &str,
    keys: &impl AssertionKeys,
    cache: &RefCell<JwksCache>,
    now_ms: i64,
) -> Result<Caller, AuthFailure> {
    let jwt = Jwt::parse(assertion)?;
    jwt.claims.check(sign_on.issuer.name(), &sign_on.audience, sign_on.session_s, now_ms)?;
    let key = find_key(cache, keys, &jwt.kid, now_ms).await?;
    let is_signed = keys.verify(&key, jwt.signed, &jwt.signature).await.map_err(|_| AuthFailure::Signature)?;
    if !is_signed {
        return Err(AuthFailure::Signature);
    }
    let granted = sign_on.grants.iter().find_map(|rule| Some((rule.who.is(&jwt.claims)?, &rule.grant)));
    let bearer = jwt.claims.person().or(jwt.claims.common_name.as_deref());
    let granted = granted.map(|(name, grant)| Caller::new(name, grant));
    granted.ok_or_else(|| AuthFailure::NoGrant(bearer.unwrap_or_default().into()))
}

/// Whether an assertion is a person's, whose browser may add it to requests of other sites. To be asked of one that was
/// admitted.
#[must_use]
pub fn is_of_person(assertion: &str) -> bool {
    Jwt::parse(assertion).is_ok_and(|jwt| jwt.claims.person().is_some())
}
