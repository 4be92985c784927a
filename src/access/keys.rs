//! The issuer's keys, kept for a while.
//!
//! Keys are fresh for an hour. A key that is not among them is asked for, at most once a minute, so that tokens with
//! made-up keys cause no flood; while there are no keys at all, as in a new isolate, a few times. What cannot be fetched
//! leaves the old keys in use for a day, and no longer.
//!
//! What always holds: a key that cannot be believed (not RSA, not for signatures, short) is none; no borrow is held
//! while the issuer is asked.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Denied;
use crate::backend::{Jwk, Keys};
use crate::limits::{
    JWKS_FETCHES, JWKS_FRESH_MS, JWKS_KEPT_MS, JWKS_KEYS, JWKS_MAX, JWKS_WINDOW_MS, RSA_MAX_BYTES, RSA_MIN_BYTES,
};

/// Why a document is none of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// It is longer than [`JWKS_MAX`].
    #[error("the key set is longer than {JWKS_MAX} bytes")]
    TooLong,
    /// It is no JWKS document.
    #[error("the key set is not a valid JWKS document")]
    Form,
    /// It has too many keys.
    #[error("the key set has more than {JWKS_KEYS} keys")]
    TooMany,
    /// None of its keys can be used.
    #[error("the key set has no usable key")]
    None,
}

/// The keys of an issuer, as far as they are known.
#[derive(Debug, Default)]
pub struct JwksCache {
    keys: Vec<Jwk>,
    /// When they were fetched.
    fetched_ms: Option<i64>,
    /// When the window began in which fetches are counted, and how many there were.
    window_ms: Option<i64>,
    fetches: u32,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Spelled {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
}

/// The keys of a JWKS document that can be used: RSA, for signatures by RS256, 2048 bits or more.
///
/// # Errors
/// [`KeysFault`] where it is no such document, or has no such key.
pub fn parse_keys(document: &[u8]) -> Result<Vec<Jwk>, KeysFault> {
    if document.len() > JWKS_MAX {
        return Err(KeysFault::TooLong);
    }
    let Document { keys } = serde_json::from_slice(document).map_err(|_| KeysFault::Form)?;
    if keys.len() > JWKS_KEYS {
        return Err(KeysFault::TooMany);
    }
    // A key of another kind lacks what ours have: it is stepped over.
    let usable: Vec<Jwk> = keys.into_iter().filter_map(|key| usable(Spelled::deserialize(key).ok()?)).collect();
    if usable.is_empty() { Err(KeysFault::None) } else { Ok(usable) }
}

fn usable(key: Spelled) -> Option<Jwk> {
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
    /// The key of that id.
    fn key(&self, kid: &str, now_ms: i64) -> Option<Jwk> {
        let key = self.keys.iter().find(|key| key.kid == kid);
        key.filter(|_| self.is_younger(JWKS_KEPT_MS, now_ms)).cloned()
    }

    /// Whether the keys were fetched within so many milliseconds. A clock that went back says no.
    fn is_younger(&self, ms: i64, now_ms: i64) -> bool {
        self.fetched_ms.is_some_and(|at| (0..ms).contains(&now_ms.saturating_sub(at)))
    }

    /// Whether the issuer may be asked now; it counts as asked then.
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

/// The key of that id, of the cache or of the issuer.
pub(super) async fn find_key(
    cache: &RefCell<JwksCache>,
    keys: &impl Keys,
    kid: &str,
    now_ms: i64,
) -> Result<Jwk, Denied> {
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
    cache.key(kid, now_ms).ok_or(if is_known { Denied::UnknownKey } else { Denied::NoKeys })
}
