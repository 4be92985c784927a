//! The door: who may ask.
//!
//! What always holds: only the token's hash is known here; it is compared in constant time; nothing of the world
//! is asked before.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Config;

/// Whether the header `Authorization` carries the deployment's token.
pub(super) fn is_allowed(config: &Config, authorization: Option<&str>) -> bool {
    let Some((scheme, token)) = authorization.and_then(|header| header.trim().split_once(' ')) else { return false };
    let hash: [u8; 32] = Sha256::digest(token.trim()).into();
    scheme.eq_ignore_ascii_case("bearer") && bool::from(hash.ct_eq(&config.token_sha256))
}
