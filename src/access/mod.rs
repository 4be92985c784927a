//! Who asks, and what they may do and see.
//!
//! Reading order: `scope` is what one may do, `caller` is who was let in, `grant` reads what an entry of a setting
//! grants, `tokens` lets in by bearer tokens; `sign_on` by Cloudflare Access, whose assertion `jwt` reads and whose
//! keys `keys` keeps. [`admit_any`] is the one door over both.
//!
//! A request that carries `Authorization` is judged by that alone: a token that is unknown is not made good by an
//! assertion beside it.
//!
//! What always holds: who is not known is not let in; no token is kept, only its hash; every hash is compared, each in
//! constant time; no value of a setting is part of an error.

mod caller;
mod grant;
mod jwt;
mod keys;
mod scope;
mod sign_on;
mod tokens;

pub use caller::Caller;
pub use grant::{Grant, GrantFault};
pub use jwt::{Claims, Jwt, JwtFault};
pub use keys::{JwksCache, KeysFault, parse_keys};
pub use scope::{Scope, Scopes};
pub use sign_on::{GrantRule, Issuer, IssuerFault, SignOn, Who, admit_assertion, read_grants};
pub use tokens::{MAIN, TokenRule, admit, main_rule, read_tokens};

use std::cell::RefCell;

use crate::backend::Keys;

/// Who a deployment lets in.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Its tokens.
    pub tokens: Vec<TokenRule>,
    /// Its Cloudflare Access, where it has one.
    pub sign_on: Option<SignOn>,
}

/// What a request brings to say who sent it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'r> {
    /// The header `Authorization`.
    pub authorization: Option<&'r str>,
    /// The header `Cf-Access-Jwt-Assertion`.
    pub assertion: Option<&'r str>,
}

/// Why a request is not let in. To the one who asks, all but [`Denied::NoGrant`] and [`Denied::NoKeys`] are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It says nothing of who sent it.
    #[error("the request has no token")]
    NoToken,
    /// Nobody has that token.
    #[error("the token is unknown")]
    Unknown,
    /// The token has been one.
    #[error("the token has expired")]
    Expired,
    /// The assertion is none, or none for this deployment.
    #[error("the assertion is not valid: {0}")]
    Assertion(#[from] JwtFault),
    /// The assertion names a key that the issuer does not have.
    #[error("the key of the assertion is unknown")]
    UnknownKey,
    /// The assertion was not signed by that key.
    #[error("the signature of the assertion is not valid")]
    Signature,
    /// The assertion is right, and grants its bearer nothing here.
    #[error("no grant matches the identity")]
    NoGrant,
    /// The issuer's keys cannot be had, so that nobody can say whether the assertion is right.
    #[error("the keys of the issuer are unavailable")]
    NoKeys,
}

impl Denied {
    /// The status of HTTP that tells as much as may be told.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoGrant => 403,
            Self::NoKeys => 503,
            _ => 401,
        }
    }
}

/// Who sent a request.
///
/// # Errors
/// [`Denied`] where nobody did who may.
pub async fn admit_any(
    rules: &Rules,
    presented: Presented<'_>,
    keys: &impl Keys,
    cache: &RefCell<JwksCache>,
    now_ms: i64,
) -> Result<Caller, Denied> {
    match (presented, &rules.sign_on) {
        (Presented { authorization: None, assertion: Some(assertion) }, Some(sign_on)) => {
            admit_assertion(sign_on, assertion, keys, cache, now_ms).await
        }
        _ => admit(&rules.tokens, presented.authorization, now_ms),
    }
}
