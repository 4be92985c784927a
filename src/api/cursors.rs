//! Cursors as clients get them: sealed for one caller by the deployment's key.
//!
//! The registry makes the key when the first cursor is given out: there are records then, and so there is a registry. A
//! cursor that comes before there is a key opens nothing, and makes none.

use super::ledgers::ask_ledger;
use crate::access::{Caller, CursorKey, VersionedKey, is_sealed_form};
use crate::http::{Problem, problems};
use crate::ledger::cursor_keys::{GetCursorKeys, MakeCursorKey};
use crate::ledger::ids::REGISTRY;
use crate::query::QueryCursor;
use crate::services::Services;

/// Seals a cursor of a query for the caller.
///
/// # Errors
/// The [`Problem`] of a registry that has to be asked for the key, and cannot be reached.
pub(super) async fn seal_cursor(
    services: &impl Services,
    caller: &Caller,
    cursor: &QueryCursor,
) -> Result<String, Problem> {
    seal_place(services, caller, &cursor.to_bytes()).await
}

/// Seals the bytes of a place for the caller.
///
/// # Errors
/// Those of [`seal_cursor`].
pub(super) async fn seal_place(services: &impl Services, caller: &Caller, place: &[u8]) -> Result<String, Problem> {
    let key = match services.isolate().cursor_keys.latest() {
        Some(key) => key,
        None => make_key(services).await?,
    };
    let [first, last] = [(), ()].map(|()| services.random_bits().to_le_bytes());
    let mut nonce = [0; 8];
    nonce.iter_mut().zip(first.into_iter().chain(last)).for_each(|(byte, random)| *byte = random);
    Ok(key.seal(&caller.name, nonce, place))
}

/// Opens a cursor of a query that the caller was given. Whatever is wrong with it, the answer is the same.
///
/// # Errors
/// The [`Problem`] of any other text, or of a registry that cannot be reached.
pub(super) async fn open_cursor(services: &impl Services, caller: &Caller, text: &str) -> Result<QueryCursor, Problem> {
    let place = open_place(services, caller, text, [QueryCursor::BYTES].into_iter()).await?;
    QueryCursor::from_bytes(&place).ok_or_else(problems::bad_cursor)
}

/// Opens the bytes of a place that were sealed for the caller, of one of these sizes.
///
/// # Errors
/// Those of [`open_cursor`].
pub(super) async fn open_place(
    services: &impl Services,
    caller: &Caller,
    text: &str,
    mut sizes: impl Iterator<Item = usize>,
) -> Result<Vec<u8>, Problem> {
    if !sizes.any(|bytes| is_sealed_form(text, bytes)) {
        return Err(problems::bad_cursor());
    }
    let keys = &services.isolate().cursor_keys;
    if keys.latest().is_none() {
        keys.keep(ask_ledger(services, REGISTRY, &GetCursorKeys {}).await?.keys);
    }
    keys.open(&caller.name, text).ok_or_else(problems::bad_cursor)
}

/// Asks the registry for the key; it keeps the candidate if it has none.
async fn make_key(services: &impl Services) -> Result<VersionedKey, Problem> {
    let candidate = CursorKey::draw(|| services.random_bits());
    let found = ask_ledger(services, REGISTRY, &MakeCursorKey { candidate }).await?;
    let keys = &services.isolate().cursor_keys;
    keys.keep(found.keys);
    keys.latest().ok_or_else(problems::unavailable)
}
