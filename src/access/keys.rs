//! A cache of the issuer's keys.
//!
//! Keys are fresh for an hour. An unknown key causes a fetch, at most one a minute, so that tokens with invented keys
//! do not flood the issuer; without any keys, as in a new isolate, a few fetches are allowed. If a fetch fails, the old
//! keys stay in use for up to a day.
//!
//! # Invariants
//! Keys that are not RSA, not for signatures or too short are ignored. No borrow of the cache is held across a fetch.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::AuthFailure;
use crate::backend::{AssertionKeys, Jwk};
use crate::limits::{
    JWKS_FETCHES, JWKS_FRESH_MS, JWKS_KEPT_MS, JWKS_KEYS, JWKS_MAX, JWKS_WINDOW_MS, RSA_MAX_BYTES, RSA_MIN_BYTES,
};

/// The reason to refuse a JWKS document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// It is longer than [`JWKS_MAX`].
    #[error("the key set is longer than {JWKS_MAX} bytes")]
    TooLong,
    /// It is not a JWKS document.
    #[error("the key set is not a valid JWKS document")]
    Form,
    /// It has too many keys.
    #[error("the key set has more than {JWKS_KEYS} keys")]
    TooMany,
    /// None of its keys can be used.
    #[error("the key set has no usable key")]
    None,
}

/// The usable keys of an issuer, and when they were fetched.
#[derive(Debug, Default)]
pub struct JwksCache {
    keys: Vec<Jwk>,
    /// The time of the last successful fetch, in Unix milliseconds.
    fetched_ms: Option<i64>,
    /// The start of the window in which fetches are counted, in Unix milliseconds.
    window_ms: Option<i64>,
    fetches: u32,
}

#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct JwkFields {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
}

/// Parses a JWKS document, and returns its RSA keys for RS256 signatures with at least 2048 bits.
///
/// # Errors
/// [`KeysFault`] where it is not such a document, or has no such key.
pub fn parse_keys(document: &[u8]) -> Result<Vec<Jwk>, KeysFault> {
    if document.len() > JWKS_MAX {
        return Err(KeysFault::TooLong);
    }
    let JwksDocument { keys } = serde_json::from_slice(document).map_err(|_| KeysFault::Form)?;
    if keys.len() > JWKS_KEYS {
        return Err(KeysFault::TooMany);
    }
    // A key of another kind lacks what ours have: it is stepped over.
    let usable: Vec<Jwk> = keys.into_iter().filter_map(|key| usable(JwkFields::deserialize(key).ok()?)).collect();
    if usable.is_empty() { Err(KeysFault::None) } else { Ok(usable) }
}

fn usable(key: JwkFields) -> Option<Jwk> {
    let modulus = URL_SAFE_NO_PAD.decode(&key.n).ok()?;
    let exponent = URL_SAFE_NO_PAD.decode(&key.e).ok()?;
    let bytes = modulus.len() - modulus.iter().take_while(|byte| **byte == 0).count();
    let is_long = (RSA_MIN_BYTES..=RSA_MAX_BYTES).contains(&bytes)
        && modulus.iter().find(|byte| **byte != 0).is_some_and(|first| bytes > RSA_MIN_BYTES || first & 0x80 != 0);
    // An exponent of 1 signs nothing: every signature would be its own message.
    let exponent =
        exponent.iter().try_fold(0_u32, |value, byte| value.checked_mul(256)?.checked_add((*byte).into()))?;
    let is_exponent = exponent >= 3 && exponent % 2 == 1;
    let is_ours = key.kty == "RSA"
        && key.purpose.is_none_or(|purpose| purpose == "sig")
        && key.alg.is_none_or(|alg| alg == "RS256")
        && !key.kid.is_empty();
    (is_ours && is_long && is_exponent).then_some(Jwk { kid: key.kid, n: key.n, e: key.e })
}

impl JwksCache {
    /// The cached key with this id, if the cache is not too old.
    fn key(&self, kid: &str, now_ms: i64) -> Option<Jwk> {
        let key = self.keys.iter().find(|key| key.kid == kid);
        key.filter(|_| self.is_younger(JWKS_KEPT_MS, now_ms)).cloned()
    }

    /// Whether the keys are younger than `ms`; `false` if the clock went back.
    fn is_younger(&self, ms: i64, now_ms: i64) -> bool {
        self.fetched_ms.is_some_and(|at| (0..ms).contains(&now_ms.saturating_sub(at)))
    }

    /// Whether a fetch is allowed now; if so it is counted.
    fn may_fetch(&mut self, now_ms: i64) -> bool {
        if !self.window_ms.is_some_and(|at| (0..JWKS_WINDOW_MS).contains(&now_ms.saturating_sub(at))) {
            (self.window_ms, self.fetches) = (Some(now_ms), 0);
        }
        let most = if self.is_younger(JWKS_KEPT_MS, now_ms) { 1 } else { JWKS_FETCHES };
        let may = self.fetches < most;
        self.fetches = self.fetches.saturating_add(u32::from(may));
        may
    }
}

/// The key with this id from the cache, or after a fetch.
pub(super) async fn find_key(
    cache: &RefCell<JwksCache>,
    keys: &impl AssertionKeys,
    kid: &str,
    now_ms: i64,
) -> Result<Jwk, AuthFailure> {
    let known = cache.borrow().key(kid, now_ms).filter(|_| cache.borrow().is_younger(JWKS_FRESH_MS, now_ms));
    if let Some(key) = known {
        return Ok(key);
    }
    let may_fetch = cache.borrow_mut().may_fetch(now_ms);
    if may_fetch {
        let fetched = keys.fetch().await.ok().and_then(|document| parse_keys(&document).ok());
        if let Some(fetched) = fetched {
            let mut cache = cache.borrow_mut();
            (cache.keys, cache.fetched_ms) = (fetched, Some(now_ms));
        }
    }
    let cache = cache.borrow();
    let is_known = cache.is_younger(JWKS_KEPT_MS, now_ms);
    cache.key(kid, now_ms).ok_or(if is_known { AuthFailure::UnknownKey } else { AuthFailure::NoKeys })
}
