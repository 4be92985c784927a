//! The door: who may ask.
//!
//! What always holds: only the token's hash is known here; it is compared in constant time; nothing of the world
//! is asked before.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Problem, problems};
use crate::config::{Config, ConfigFault};

/// The settings, for a caller who may ask: no route that needs them can be answered to another.
///
/// # Errors
/// The [`Problem`] of a deployment without settings, or of a caller without the token.
pub(super) fn admit<'a>(
    config: &'a Result<Config, Vec<ConfigFault>>,
    authorization: Option<&str>,
) -> Result<&'a Config, Problem> {
    let config = config.as_ref().map_err(|_| problems::not_configured())?;
    if is_allowed(config, authorization) { Ok(config) } else { Err(problems::unauthorized()) }
}

/// Whether the header `Authorization` carries the deployment's token.
fn is_allowed(config: &Config, authorization: Option<&str>) -> bool {
    let Some((scheme, token)) = authorization.and_then(|header| header.trim().split_once(' ')) else { return false };
    let hash: [u8; 32] = Sha256::digest(token.trim()).into();
    scheme.eq_ignore_ascii_case("bearer") && bool::from(hash.ct_eq(&config.token_sha256))
}
