//! A cache of the issuer's keys.
//!
//! Keys are fresh for an hour; then a request fetches them anew, at most one a minute, and the old ones stay in use for up
//! to a day if that fails. An unknown key causes a fetch, too, at most one a minute, and none if it was absent from keys
//! that were fetched within the hour. Without any keys, as in a new isolate, one request fetches them and the others wait
//! for it; if that fails, a few more fetches are allowed at a time, and then one each few seconds.
//!
//! # Invariants
//! Keys that are not RSA, not for signatures or too short are ignored. No borrow of the cache is held across a fetch. An
//! assertion with a kept key is never refused because of others, whatever they name: the fetches for unknown keys and
//! those that renew kept ones are counted apart.

use std::cell::RefCell;
use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::AuthFailure;
use crate::backend::{AssertionKeys, Jwk};
use crate::limits::{
    JWKS_ABSENT, JWKS_FETCH_MS, JWKS_FETCHES, JWKS_FRESH_MS, JWKS_KEPT_MS, JWKS_KEYS, JWKS_MAX, JWKS_RETRY_MS,
    JWKS_WINDOW_MS, RSA_MAX_BYTES, RSA_MIN_BYTES,
};
use crate::memory::Backoff;
use crate::time::is_within;

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
    /// The time of the last fetch that was to renew the keys.
    renewed_ms: Option<i64>,
    /// The time of the last fetch for an unknown key.
    searched_ms: Option<i64>,
    /// The fetches without usable keys that are spent, in milliseconds until the last of them is allowed again, from this
    /// instant.
    spent: (i64, i64),
    /// When the fetch began that others wait for while there are no keys.
    fetching_ms: Option<i64>,
    /// The hashes of ids that the keys lacked when they were fetched, and when that was; the latest last.
    absent: VecDeque<([u8; 32], i64)>,
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
        is_within(self.fetched_ms, ms, now_ms)
    }

    /// Whether a fetch for this key id is allowed now; if so it is counted.
    fn may_fetch(&mut self, kid: &str, now_ms: i64) -> bool {
        if !self.is_younger(JWKS_KEPT_MS, now_ms) {
            return self.may_fetch_first(now_ms);
        }
        let is_kept = self.keys.iter().any(|key| key.kid == kid);
        if !is_kept && self.is_absent(kid, now_ms) {
            return false;
        }
        let last_ms = if is_kept { &mut self.renewed_ms } else { &mut self.searched_ms };
        let may = !is_within(*last_ms, JWKS_WINDOW_MS, now_ms);
        if may {
            *last_ms = Some(now_ms);
        }
        may
    }

    /// Whether a fetch is allowed while there are no keys.
    fn may_fetch_first(&mut self, now_ms: i64) -> bool {
        let (spent_ms, at_ms) = self.spent;
        let gained_ms = now_ms.saturating_sub(at_ms).max(0);
        let spent_ms = spent_ms.saturating_sub(gained_ms).max(0);
        let may = spent_ms <= (JWKS_FETCHES - 1) * JWKS_RETRY_MS;
        self.spent = (if may { spent_ms + JWKS_RETRY_MS } else { spent_ms }, now_ms);
        may
    }

    /// Whether keys that are still fresh lacked the id when they were fetched for it.
    fn is_absent(&self, kid: &str, now_ms: i64) -> bool {
        let hash: [u8; 32] = Sha256::digest(kid).into();
        self.absent.iter().any(|(known, at_ms)| *known == hash && is_within(Some(*at_ms), JWKS_FRESH_MS, now_ms))
    }

    /// Keeps the keys that a fetch for this id brought.
    fn keep(&mut self, keys: Vec<Jwk>, kid: &str, now_ms: i64) {
        (self.keys, self.fetched_ms) = (keys, Some(now_ms));
        if self.keys.iter().all(|key| key.kid != kid) {
            if self.absent.len() >= JWKS_ABSENT {
                self.absent.pop_front();
            }
            self.absent.push_back((Sha256::digest(kid).into(), now_ms));
        }
    }
}

/// The key with this id from the cache, or after a fetch.
pub(super) async fn find_key(
    cache: &RefCell<JwksCache>,
    keys: &impl AssertionKeys,
    kid: &str,
    now_ms: i64,
) -> Result<Jwk, AuthFailure> {
    let now_ms = wait_for_keys(cache, keys, now_ms).await;
    if let Some(key) = cache.borrow().key(kid, now_ms).filter(|_| cache.borrow().is_younger(JWKS_FRESH_MS, now_ms)) {
        return Ok(key);
    }
    let may_fetch = cache.borrow_mut().may_fetch(kid, now_ms);
    if may_fetch {
        cache.borrow_mut().fetching_ms = Some(now_ms);
        let fetched = keys.fetch().await.ok().and_then(|document| parse_keys(&document).ok());
        cache.borrow_mut().fetching_ms = None;
        if let Some(fetched) = fetched {
            cache.borrow_mut().keep(fetched, kid, now_ms);
        }
    }
    let cache = cache.borrow();
    let is_known = cache.is_younger(JWKS_KEPT_MS, now_ms);
    cache.key(kid, now_ms).ok_or(if is_known { AuthFailure::UnknownKey } else { AuthFailure::NoKeys })
}

/// Waits while another request fetches the first keys; returns the time of the keys that it brought, or `now_ms`.
///
/// A fetch that takes longer than it may is that of a request which ended: no other waits for it.
async fn wait_for_keys(cache: &RefCell<JwksCache>, keys: &impl AssertionKeys, now_ms: i64) -> i64 {
    let mut has_waited = false;
    for pause_ms in Backoff::new(JWKS_FETCH_MS.cast_signed()) {
        let is_missing = !cache.borrow().is_younger(JWKS_KEPT_MS, now_ms);
        if !is_missing || !is_within(cache.borrow().fetching_ms, JWKS_FETCH_MS.cast_signed(), now_ms) {
            break;
        }
        has_waited = true;
        keys.pause(pause_ms).await;
    }
    let fetched_ms = cache.borrow().fetched_ms.filter(|_| has_waited);
    fetched_ms.map_or(now_ms, |fetched_ms| fetched_ms.max(now_ms))
}
