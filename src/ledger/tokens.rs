//! The tokens that the API makes, in the registry: beside those of the settings, whose number a setting's size bounds.
//!
//! Table `token_v1` has a row for each: its id, the SHA-256 of its text, when it ends or ended, and the rest as JSON. A token
//! that ended stays for [`TOKEN_KEPT_MS`], so that the list says who had rights until when, and gives way to new ones then.
//!
//! # Invariants
//! No text of a token is stored, and no hash leaves the deployment. An id belongs to one token for as long as its row stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::access::GrantNames;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::{TOKEN_KEPT_MS, TOKEN_LISTED_DIGITS, TOKENS_KEPT};
use crate::rpc::{Dispatcher, calls};

/// The table: one row for each token.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS token_v1 (
        id TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, ended_ms INTEGER NOT NULL, token TEXT NOT NULL) WITHOUT ROWID";

calls! {
    "v1/make-token": MakeToken => MakeTokenAnswer,
    "v1/find-token": FindToken => FoundToken,
    "v1/get-token": GetToken => FoundToken,
    "v1/list-token-hashes": ListTokenHashes => TokenHashes,
    "v1/tokens": ListTokens => TokenList,
    "v1/revoke-token": RevokeToken => RevokedToken,
}

/// A token as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// The name of the token in the audit log.
    pub id: String,
    /// Its rights.
    #[serde(flatten)]
    pub grant: GrantNames,
    /// Unix milliseconds at which it was made.
    pub created_ms: i64,
    /// The caller who made it.
    pub created_by: String,
    /// Unix milliseconds at which it expires.
    pub expires_ms: i64,
    /// Who revoked it, if a person did.
    pub revoked: Option<TokenRevocation>,
}

/// The end of a token before it expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevocation {
    /// Unix milliseconds of the first revocation.
    pub at_ms: i64,
    /// The caller who revoked it.
    pub by: String,
    /// The reason that the caller gave.
    pub reason: String,
}

/// A request to keep a new token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeToken {
    /// The SHA-256 of its text, in hexadecimal digits.
    pub sha256: String,
    /// Its name.
    pub id: String,
    /// Its rights.
    pub grant: GrantNames,
    /// The caller who makes it.
    pub by: String,
    /// Unix milliseconds at which it expires.
    pub expires_ms: i64,
}

/// The registry's answer to [`MakeToken`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum MakeTokenAnswer {
    /// The token is kept.
    Made {
        /// The token as it is kept.
        token: Box<StoredToken>,
    },
    /// Another token has the id.
    IdTaken {},
    /// The registry keeps [`TOKENS_KEPT`] tokens, and none of them ended long enough ago.
    Full {},
}

/// A request for the token with this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindToken {
    /// The SHA-256 of its text, in hexadecimal digits.
    pub sha256: String,
}

/// A request for the token with this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetToken {
    /// The name of the token.
    pub id: String,
}

/// A token, if the registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundToken {
    /// The token; `None` if it is unknown.
    pub token: Option<StoredToken>,
}

/// A request for the hashes of all tokens that did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTokenHashes {}

/// The hashes of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHashes {
    /// The first [`TOKEN_LISTED_DIGITS`] digits of each.
    pub hashes: Vec<String>,
}

/// A request for a page of the tokens, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTokens {
    /// The id before the first one of the page; empty for the first page.
    pub after: String,
    /// Maximum number of tokens.
    pub limit: u64,
}

/// The registry's answer to [`ListTokens`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenList {
    /// The tokens, ordered by id.
    pub tokens: Vec<StoredToken>,
}

/// A request to end a token now. Repeating it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeToken {
    /// The name of the token.
    pub id: String,
    /// The caller who revokes it.
    pub by: String,
    /// The reason that the caller gave.
    pub reason: String,
    /// Whether to end the tokens that it made, directly or not, as well.
    pub with_made: bool,
}

/// The registry's answer to [`RevokeToken`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// The token; `None` if it is unknown.
    pub token: Option<StoredToken>,
    /// The names of the tokens that it made, directly or not, and that are still valid; ordered.
    pub made: Vec<String>,
}

/// Registers the calls about tokens.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls
        .on(|call| make(sql, call, now_ms))
        .on(|call: &FindToken| Ok(FoundToken { token: token(sql, "sha256 = ?", &call.sha256)? }))
        .on(|call: &GetToken| Ok(FoundToken { token: token(sql, "id = ?", &call.id)? }))
        .on(|call: &ListTokenHashes| list_hashes(sql, *call, now_ms))
        .on(|call| list(sql, call))
        .on(|call| revoke(sql, call, now_ms))
}

fn token(sql: &impl SqlDatabase, condition: &str, value: &str) -> Result<Option<StoredToken>, BackendError> {
    let found = sql.run(&format!("SELECT token FROM token_v1 WHERE {condition}"), &[SqlValue::text(value)])?;
    found.rows.first().map(|row| LedgerRow(row).json(0)).transpose()
}

fn make(sql: &impl SqlDatabase, call: &MakeToken, now_ms: i64) -> Result<MakeTokenAnswer, BackendError> {
    if token(sql, "id = ?", &call.id)?.is_some() {
        return Ok(MakeTokenAnswer::IdTaken {});
    }
    let is_full = || -> Result<bool, BackendError> {
        let counted = sql.run("SELECT count(*) FROM token_v1", &[])?;
        let count = counted.rows.first().map_or(Ok(0), |row| LedgerRow(row).number::<usize>(0))?;
        Ok(count >= TOKENS_KEPT)
    };
    if is_full()? {
        let before = SqlValue::Integer(now_ms.saturating_sub(TOKEN_KEPT_MS));
        sql.run("DELETE FROM token_v1 WHERE ended_ms < ?", &[before])?;
        if is_full()? {
            return Ok(MakeTokenAnswer::Full {});
        }
    }
    let MakeToken { sha256, id, grant, by, expires_ms } = call.clone();
    let token = StoredToken { id, grant, created_ms: now_ms, created_by: by, expires_ms, revoked: None };
    let row = [SqlValue::text(&*token.id), SqlValue::text(sha256), SqlValue::Integer(expires_ms), json(&token)];
    sql.run("INSERT INTO token_v1 (id, sha256, ended_ms, token) VALUES (?, ?, ?, ?)", &row)?;
    Ok(MakeTokenAnswer::Made { token: Box::new(token) })
}

fn list_hashes(sql: &impl SqlDatabase, _call: ListTokenHashes, now_ms: i64) -> Result<TokenHashes, BackendError> {
    let parameters = [SqlValue::number(TOKEN_LISTED_DIGITS), SqlValue::Integer(now_ms)];
    let rows = sql.run("SELECT substr(sha256, 1, ?) FROM token_v1 WHERE ended_ms > ?", &parameters)?.rows;
    Ok(TokenHashes { hashes: rows.iter().map(|row| LedgerRow(row).text(0)).collect::<Result<_, _>>()? })
}

fn list(sql: &impl SqlDatabase, call: &ListTokens) -> Result<TokenList, BackendError> {
    let parameters = [SqlValue::text(&*call.after), SqlValue::number(call.limit)];
    let rows = sql.run("SELECT token FROM token_v1 WHERE id > ? ORDER BY id LIMIT ?", &parameters)?.rows;
    Ok(TokenList { tokens: rows.iter().map(|row| LedgerRow(row).json(0)).collect::<Result<_, _>>()? })
}

fn revoke(sql: &impl SqlDatabase, call: &RevokeToken, now_ms: i64) -> Result<RevokedToken, BackendError> {
    let Some(known) = token(sql, "id = ?", &call.id)? else {
        return Ok(RevokedToken { token: None, made: Vec::new() });
    };
    let mut made = made_by(sql, &known.id, now_ms)?;
    if call.with_made {
        made.drain(..).try_for_each(|token| end(sql, call, token, now_ms).map(drop))?;
    }
    let made = made.into_iter().map(|token| token.id).collect();
    Ok(RevokedToken { token: Some(end(sql, call, known, now_ms)?), made })
}

/// Returns the valid tokens that this one made, directly or through others of any state, by id.
fn made_by(sql: &impl SqlDatabase, id: &str, now_ms: i64) -> Result<Vec<StoredToken>, BackendError> {
    let (mut makers, mut seen) = (vec![id.to_owned()], BTreeMap::new());
    while let Some(maker) = makers.pop() {
        let by = [SqlValue::text(maker)];
        let rows = sql.run("SELECT token FROM token_v1 WHERE json_extract(token, '$.created_by') = ?", &by)?.rows;
        for row in &rows {
            let token: StoredToken = LedgerRow(row).json(0)?;
            if token.id != id && !seen.contains_key(&token.id) {
                makers.push(token.id.clone());
                seen.insert(token.id.clone(), token);
            }
        }
    }
    let is_valid = |token: &StoredToken| token.revoked.is_none() && token.expires_ms > now_ms;
    Ok(seen.into_values().filter(is_valid).collect())
}

/// Ends a token; one that was revoked before stays as it is.
fn end(
    sql: &impl SqlDatabase,
    call: &RevokeToken,
    known: StoredToken,
    now_ms: i64,
) -> Result<StoredToken, BackendError> {
    if known.revoked.is_some() {
        return Ok(known);
    }
    let RevokeToken { by, reason, .. } = call.clone();
    let ended_ms = known.expires_ms.min(now_ms);
    let token = StoredToken { revoked: Some(TokenRevocation { at_ms: now_ms, by, reason }), ..known };
    let parameters = [SqlValue::Integer(ended_ms), json(&token), SqlValue::text(&*token.id)];
    sql.run("UPDATE token_v1 SET ended_ms = ?, token = ? WHERE id = ?", &parameters)?;
    Ok(token)
}
