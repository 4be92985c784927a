//! Authentication and authorization: identifies the caller of a request, and what they may do and see.
//!
//! Reading order: `scope` is what one may do, `caller` is who was let in, `grant` reads what an entry of a setting
//! grants, `tokens` lets in by bearer tokens; `sign_on` by Cloudflare Access, whose assertion `jwt` reads and whose
//! keys `keys` keeps. [`admit_any`] is the one door over both; `unknown` counts who is not let in.
//!
//! A request with `Authorization` is authenticated by that header only: a valid assertion does not make up for an
//! unknown token.
//!
//! # Invariants
//! Only hashes of tokens are stored. Every hash is compared, each in constant time. No error contains the value of a
//! setting.

mod caller;
mod grant;
mod jwt;
mod keys;
mod scope;
mod sign_on;
mod tokens;
mod unknown;

pub use caller::Caller;
pub use grant::{Grant, GrantFault};
pub use jwt::{Jwt, JwtClaims, JwtFault};
pub use keys::{JwksCache, KeysFault, parse_keys};
pub use scope::{Scope, Scopes};
pub use sign_on::{GrantRule, GrantSubject, IssuerFault, SignOn, TokenIssuer, admit_assertion, read_grants};
pub use tokens::{MAIN, TokenRule, admit, main_rule, read_tokens};
pub use unknown::{UnknownCallers, UnknownReport, UnknownRequest};

use std::cell::RefCell;

use crate::backend::AssertionKeys;

/// The tokens and the Cloudflare Access settings of a deployment.
#[derive(Debug, Clone, Default)]
pub struct AccessRules {
    /// The bearer tokens, each with its grant.
    pub tokens: Vec<TokenRule>,
    /// The settings of Cloudflare Access; `None` without it.
    pub sign_on: Option<SignOn>,
}

/// The credentials in the headers of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'r> {
    /// The value of the header `Authorization`.
    pub authorization: Option<&'r str>,
    /// The value of the header `Cf-Access-Jwt-Assertion`.
    pub assertion: Option<&'r str>,
}

/// Why a request is not let in. To the one who asks, all but [`AuthFailure::NoGrant`] and [`AuthFailure::NoKeys`] are the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The request has no credentials.
    #[error("the request has no token")]
    NoToken,
    /// No configured token has this hash.
    #[error("the token is unknown")]
    Unknown,
    /// The token of this name was valid until it expired.
    #[error("the token has expired")]
    Expired(Box<str>),
    /// The assertion is malformed, expired or for another application.
    #[error("the assertion is not valid: {0}")]
    Assertion(#[from] JwtFault),
    /// The assertion names a key that the issuer does not have.
    #[error("the key of the assertion is unknown")]
    UnknownKey,
    /// The signature of the assertion is invalid.
    #[error("the signature of the assertion is not valid")]
    Signature,
    /// The assertion of this bearer is valid, but no grant names them.
    #[error("no grant matches the identity")]
    NoGrant(Box<str>),
    /// The keys of the issuer are unavailable, so the assertion cannot be verified.
    #[error("the keys of the issuer are unavailable")]
    NoKeys,
}

impl AuthFailure {
    /// The HTTP status, which does not reveal why credentials are invalid.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoGrant(_) => 403,
            Self::NoKeys => 503,
            _ => 401,
        }
    }
}

/// Identifies the caller by a bearer token or an assertion.
///
/// # Errors
/// [`AuthFailure`] if the credentials are missing or not accepted.
pub async fn admit_any(
    rules: &AccessRules,
    presented: Credentials<'_>,
    keys: &impl AssertionKeys,
    cache: &RefCell<JwksCache>,
    now_ms: i64,
) -> Result<Caller, AuthFailure> {
    match (presented, &rules.sign_on) {
        (Credentials { authorization: None, assertion: Some(assertion) }, Some(sign_on)) => {
            admit_assertion(sign_on, assertion, keys, cache, now_ms).await
        }
        _ => admit(&rules.tokens, presented.authorization, now_ms),
    }
}
