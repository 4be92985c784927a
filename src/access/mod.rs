//! Authentication and authorization: identifies the caller of a request, and what they may do and see.
//!
//! Reading order: `scope` is what one may do, `caller` is who was let in, `grant` reads what an entry of a setting
//! grants, `tokens` lets in by bearer tokens; `sign_on` by Cloudflare Access, whose assertion `jwt` reads and whose
//! keys `keys` keeps. [`admit_any`] is the one door over both; `unknown` counts who is not let in. `secret`, `token_grant`
//! and `token_cache` are for the tokens that the registry keeps; `refusals` is what an isolate refuses by itself.
//! `chain_number` is which chain of the audit log has the entries of a caller, `costs` what an isolate counts of what a caller's
//! requests cost, in `dollars`.
//! `visibility` decides what exists for a caller; `cursor_key` seals the cursors that they are given.
//!
//! A request with `Authorization` is authenticated by that header only: a valid assertion does not make up for an
//! unknown token.
//!
//! # Invariants
//! Only hashes of tokens are stored. Every hash is compared, each in constant time. No error contains the value of a
//! setting.

mod caller;
mod chain_number;
mod costs;
mod cursor_key;
mod dollars;
mod grant;
mod inner;
mod jwt;
mod keys;
mod record_zone;
mod refusals;
mod scope;
mod secret;
mod sign_on;
mod token_cache;
mod token_grant;
mod tokens;
mod unknown;
mod visibility;

pub use caller::Caller;
pub use chain_number::ChainNumber;
pub use costs::{CostReport, IsolateCosts};
pub use cursor_key::{CursorKey, CursorKeys, VersionedKey, is_sealed_form};
pub use dollars::Dollars;
pub use grant::{Grant, GrantFault};
pub use inner::inner_zone;
pub use jwt::{Jwt, JwtClaims, JwtFault};
pub use keys::{JwksCache, KeysFault, parse_keys};
pub use record_zone::{RecordZone, SENDER_ZONE, sender_zone_of};
pub use refusals::{IsolateRefusals, RefusalReason, RefusedRequests, SpentDailyBudget};
pub use scope::{Scope, Scopes};
pub use secret::{TokenSecret, hash_of_secret};
pub use sign_on::{
    GrantRule, GrantSubject, IssuerFault, SignOn, TokenIssuer, admit_assertion, is_of_person, read_grants,
};
pub use token_cache::{TokenCache, TokenGenerations, TokenState};
pub use token_grant::GrantNames;
pub use tokens::{MAIN, TokenRule, admit, bearer_token, is_token_id, main_rule, read_tokens};
pub use unknown::{UnknownCallers, UnknownReport, UnknownRequest};
pub use visibility::Visibility;

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

/// Why a request is not let in. To the one who asks, those with the same status are the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The request has no credentials.
    #[error("the request has no token")]
    NoToken,
    /// No known token has this hash.
    #[error("the token is unknown")]
    Unknown,
    /// The token of this name was valid until it expired.
    #[error("the token has expired")]
    Expired(Box<str>),
    /// The token of this name was revoked.
    #[error("the token was revoked")]
    Revoked(Box<str>),
    /// The registry, which knows the token, is unavailable, or is asked for too many unknown tokens.
    #[error("the tokens of the registry are unavailable")]
    NoTokens,
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
            Self::NoKeys | Self::NoTokens => 503,
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
