//! Authenticates by the tokens that the API made, which the registry keeps.
//!
//! # Invariants
//! The registry is asked about a text only if it has the form of a token. If the registry does not answer, what it did not
//! say is refused with 503. Made-up tokens keep no token of the registry out for longer than a second.

use crate::access::{AuthFailure, Caller, TokenRule, TokenState};
use crate::backend::CallError;
use crate::config::Config;
use crate::ledger::ids::REGISTRY;
use crate::ledger::tokens::{FindToken, FoundToken, ListTokenHashes, StoredToken};
use crate::rpc;
use crate::services::Services;

/// A token of the registry, and the generation of its chain in which it was looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegistryToken {
    pub(super) sha256: [u8; 32],
    pub(super) generation: u64,
}

/// Identifies the caller with the token of this hash.
///
/// # Errors
/// [`AuthFailure`] of a token that is unknown, ended, or cannot be looked up.
pub(super) async fn admit_registry_token(
    config: &Config,
    services: &impl Services,
    sha256: [u8; 32],
) -> Result<(Caller, RegistryToken), AuthFailure> {
    let (tokens, now_ms) = (&services.isolate().tokens, services.now_ms());
    // Read before the registry is: what is revoked in between begins another generation.
    let generations = tokens.generations();
    let state = match tokens.find(&sha256, config.audit_chains, now_ms) {
        Some(state) => state,
        None if !tokens.may_look_up(&sha256, now_ms) && !is_listed(services, &sha256, now_ms).await => {
            return Err(AuthFailure::NoTokens);
        }
        None => {
            let find = FindToken { sha256: hex::encode(sha256) };
            let found = rpc::call(services.ledgers(), REGISTRY, &find).await.map_err(|_| AuthFailure::NoTokens)?;
            let state = found.token.map_or(TokenState::Unknown, |token| state_of(token, sha256));
            tokens.keep(sha256, state.clone(), generations.clone(), now_ms);
            state
        }
    };
    let generation = generations.of(state.chain(config.audit_chains));
    match state {
        TokenState::Unknown => Err(AuthFailure::Unknown),
        TokenState::Revoked(id) => Err(AuthFailure::Revoked(id.into())),
        TokenState::Live(rule) if rule.expires_ms.is_some_and(|end| end <= now_ms) => {
            Err(AuthFailure::Expired(rule.id.into()))
        }
        TokenState::Live(rule) => {
            let caller = Caller::new(&rule.id, &rule.grant).until(rule.expires_ms);
            Ok((caller, RegistryToken { sha256, generation }))
        }
    }
}

/// Whether the registry has ended the token since it was looked up.
///
/// # Errors
/// [`CallError`] if the registry does not answer.
pub(super) async fn is_revoked(services: &impl Services, token: &RegistryToken) -> Result<bool, CallError> {
    let find = FindToken { sha256: hex::encode(token.sha256) };
    let FoundToken { token } = rpc::call(services.ledgers(), REGISTRY, &find).await?;
    Ok(token.is_none_or(|token| token.revoked.is_some()))
}

/// Whether the registry's list has a token with this hash. The list may be a second old.
async fn is_listed(services: &impl Services, sha256: &[u8; 32], now_ms: i64) -> bool {
    let tokens = &services.isolate().tokens;
    if !tokens.is_listed(sha256)
        && tokens.may_list(now_ms)
        && let Ok(list) = rpc::call(services.ledgers(), REGISTRY, &ListTokenHashes {}).await
    {
        tokens.keep_list(list.hashes);
    }
    tokens.is_listed(sha256)
}

/// A token that the registry has. One whose rights cannot be read grants none.
fn state_of(token: StoredToken, sha256: [u8; 32]) -> TokenState {
    let StoredToken { id, grant, expires_ms, revoked, .. } = token;
    match grant.read() {
        Ok(grant) if revoked.is_none() => {
            TokenState::Live(TokenRule { id, sha256, grant, expires_ms: Some(expires_ms) })
        }
        Ok(_) | Err(_) => TokenState::Revoked(id),
    }
}
