//! `POST /v1/tokens`, `GET /v1/tokens`, `POST /v1/tokens/{token}/revoke`: makes tokens, lists them, and ends them at once.
//!
//! # Invariants
//! The text of a token is in one answer, the one that made it. No token grants what its maker does not have, nor longer. A
//! caller sees and ends only tokens that they could make. Once a revocation is answered with 200, the audit log admits no
//! request with the token, nor, if that was asked for, with one that it made.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::ledgers::{ask_ledger, call_ledger};
use super::operation_reason::parse_reason;
use crate::access::{Caller, ChainNumber, GrantNames, TokenRule, TokenSecret, is_token_id};
use crate::audit::calls::ForgetTokens;
use crate::audit::chains::chain_object;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::ids::REGISTRY;
use crate::ledger::tokens::{
    GetToken, ListTokens, MakeToken, MakeTokenAnswer, RevokeToken, RevokedToken, StoredToken, TokenList,
};
use crate::limits::{TOKEN_BYTES, TOKEN_DAYS, TOKEN_DAYS_MAX, TOKENS_LISTED};
use crate::rpc;
use crate::services::Services;
use crate::time::rfc3339;

/// Length of a day in milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

/// The body of `POST /v1/tokens`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTokenBody {
    id: String,
    scopes: Vec<String>,
    role: String,
    zones: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
    scans: Option<u32>,
    daily_budget: Option<String>,
    days: Option<u32>,
    expires: Option<String>,
}

/// A token of the registry.
#[derive(Serialize)]
struct TokenResponse {
    id: String,
    #[serde(flatten)]
    grant: GrantNames,
    created_at: String,
    created_by: String,
    updated_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    revoked_by: Option<String>,
    reason: Option<String>,
}

/// A token with its text.
#[derive(Serialize)]
struct NewTokenResponse<'s> {
    token: &'s str,
    #[serde(flatten)]
    made: TokenResponse,
}

/// A token that was ended.
#[derive(Serialize)]
struct RevokedTokenResponse {
    #[serde(flatten)]
    token: TokenResponse,
    /// The ids of the tokens that it made, directly or not, and that are still valid.
    made: Vec<String>,
}

/// A token of the settings.
#[derive(Serialize)]
struct SettingTokenResponse {
    id: String,
    #[serde(flatten)]
    grant: GrantNames,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct TokenListResponse {
    tokens: Vec<TokenResponse>,
    /// Whether more tokens follow the last one.
    truncated: bool,
    /// The tokens of the settings, which a change of the settings ends.
    settings: Vec<SettingTokenResponse>,
}

impl From<StoredToken> for TokenResponse {
    fn from(token: StoredToken) -> Self {
        let StoredToken { id, grant, created_ms, created_by, expires_ms, revoked } = token;
        let updated_ms = revoked.as_ref().map_or(created_ms, |revoked| revoked.at_ms);
        let revoked_at = revoked.as_ref().map(|revoked| rfc3339(revoked.at_ms));
        let (revoked_by, reason) = revoked.map(|revoked| (revoked.by, revoked.reason)).unzip();
        Self {
            id,
            grant,
            created_at: rfc3339(created_ms),
            created_by,
            updated_at: rfc3339(updated_ms),
            expires_at: rfc3339(expires_ms),
            revoked_at,
            revoked_by,
            reason,
        }
    }
}

impl From<&TokenRule> for SettingTokenResponse {
    fn from(rule: &TokenRule) -> Self {
        Self { id: rule.id.clone(), grant: GrantNames::from(&rule.grant), expires_at: rule.expires_ms.map(rfc3339) }
    }
}

/// Makes a token, and answers 201 with its text.
pub(crate) async fn create_token(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    body: &[u8],
) -> Result<Reply, Problem> {
    let MakeToken { id, grant, by, expires_ms, .. } = read_body(caller, body, services.now_ms())?;
    if is_of_settings(config, &id) {
        return Err(problems::token_exists());
    }
    let secret = TokenSecret::from_words(std::array::from_fn(|_| services.random_bits()));
    let call = MakeToken { sha256: hex::encode(secret.sha256()), id, grant, by, expires_ms };
    let made = match ask_ledger(services, REGISTRY, &call).await? {
        MakeTokenAnswer::Made { token } => TokenResponse::from(*token),
        MakeTokenAnswer::IdTaken {} => return Err(problems::token_exists()),
        MakeTokenAnswer::Full {} => return Err(problems::too_many_tokens()),
    };
    Ok(Reply { status: 201, ..Reply::json(services.memory(), &NewTokenResponse { token: secret.text(), made })? })
}

/// The token that a body asks for, without its hash.
fn read_body(caller: &Caller, body: &[u8], now_ms: i64) -> Result<MakeToken, Problem> {
    let words = "must have id, scopes and role; optional members are zones, datasets, scans, daily_budget, \
        and days or expires";
    let body: NewTokenBody = serde_json::from_slice(body).map_err(|_| problems::not_a_token(words))?;
    let NewTokenBody { id, scopes, role, zones, datasets, scans, daily_budget, days, expires } = body;
    if !is_token_id(&id) {
        let words = "must have an id of 1 to 64 letters, digits, dots, hyphens and underscores";
        return Err(problems::not_a_token(words));
    }
    let grant = GrantNames { scopes, role, zones, datasets, scans, daily_budget };
    let grant = grant.read().map_err(problems::not_a_token)?;
    if let Some(own) = caller.exceeded_budget(&grant) {
        return Err(problems::exceeds_own_budget(own));
    }
    if !caller.covers(&grant) {
        return Err(problems::exceeds_own_rights());
    }
    let is_asked = days.is_some() || expires.is_some();
    let asked_ms = expires_ms(days, expires.as_deref(), now_ms)?;
    let expires_ms = caller.ends_ms.map_or(asked_ms, |ends_ms| ends_ms.min(asked_ms));
    if is_asked && expires_ms < asked_ms {
        return Err(problems::exceeds_own_rights());
    }
    let grant = GrantNames::from(&grant);
    let names = grant.zones.iter().chain(&grant.datasets).flatten();
    if names.map(String::len).sum::<usize>() > TOKEN_BYTES {
        return Err(problems::not_a_token("has more zones and datasets than a token can have"));
    }
    Ok(MakeToken { sha256: String::new(), id, grant, by: caller.name.clone(), expires_ms })
}

/// When a token expires that is to live for a number of days, or until an instant.
fn expires_ms(days: Option<u32>, expires: Option<&str>, now_ms: i64) -> Result<i64, Problem> {
    let last_ms = now_ms.saturating_add(i64::from(TOKEN_DAYS_MAX) * DAY_MS);
    let expires_ms = match (days, expires) {
        (Some(_), Some(_)) => None,
        (None, Some(at)) => DateTime::parse_from_rfc3339(at).ok().map(|at| at.timestamp_millis()),
        (days, None) => now_ms.checked_add(i64::from(days.unwrap_or(TOKEN_DAYS)).saturating_mul(DAY_MS)),
    };
    let is_valid = |at_ms: &i64| *at_ms > now_ms && *at_ms <= last_ms;
    let words = "must have days from 1 to 3650, or an expires within that time such as 2027-01-01T00:00:00Z";
    expires_ms.filter(is_valid).ok_or_else(|| problems::not_a_token(words))
}

/// Lists tokens, ordered by id.
pub(crate) async fn list_tokens<Y>(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    let limit = request.number_parameter("limit", TOKENS_LISTED, TOKENS_LISTED)?;
    let after = request.parameter("after").unwrap_or_default();
    if !after.is_empty() && !is_token_id(&after) {
        return Err(problems::bad_parameter("after", "the id of a token"));
    }
    // One extra token shows whether there are more.
    let list = call_ledger(services, REGISTRY, &ListTokens { after, limit: limit + 1 }).await?;
    let (TokenList { mut tokens }, _held) = list.into_parts();
    let truncated = tokens.len() as u64 > limit;
    tokens.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let settings = config.access.tokens.iter().filter(|rule| caller.covers(&rule.grant));
    let answer = TokenListResponse {
        tokens: tokens.into_iter().filter(|token| may_end(caller, token)).map(TokenResponse::from).collect(),
        truncated,
        settings: settings.map(SettingTokenResponse::from).collect(),
    };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// Ends a token, and with `made=revoke` those that it made, directly or not. The answer names those of them that go on. If
/// the audit log does not hear of it, the answer is 503, and sending the request again is harmless.
pub(crate) async fn revoke_token(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    (request, id): (&HttpRequest<Vec<u8>>, &str),
) -> Result<Reply, Problem> {
    if !is_token_id(id) {
        return Err(problems::no_such_token());
    }
    let with_made = match request.parameter("made").as_deref() {
        None | Some("keep") => false,
        Some("revoke") => true,
        Some(_) => return Err(problems::bad_parameter("made", "keep or revoke")),
    };
    let reason = parse_reason(&request.body)?;
    let known = ask_ledger(services, REGISTRY, &GetToken { id: id.to_owned() }).await?.token;
    if !known.is_some_and(|token| may_end(caller, &token)) {
        let is_of_settings = is_of_settings(config, id);
        return Err(if is_of_settings { problems::token_of_settings() } else { problems::no_such_token() });
    }
    let revoke = RevokeToken { id: id.to_owned(), by: caller.name.clone(), reason, with_made };
    let RevokedToken { token, made } = ask_ledger(services, REGISTRY, &revoke).await?;
    let token = token.ok_or_else(problems::no_such_token)?;
    // From here on isolates look up the token again, and find it revoked.
    Box::pin(forget_tokens(services)).await?;
    let answer = RevokedTokenResponse { token: TokenResponse::from(token), made };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// Begins another generation of tokens in each chain of the audit log. The first one says how many there are: a chain that no
/// isolate appended to before has no token's generation to know, so that its first request looks the token up again.
async fn forget_tokens(services: &impl Services) -> Result<(), Problem> {
    let forget = async |chain| {
        let name = chain_object(chain);
        let answer = rpc::call_held(services.audit_log(), services.memory(), &name, &ForgetTokens {}).await;
        answer.map(|held| held.into_parts().0.chains).map_err(|_| problems::unavailable())
    };
    let chains = forget(ChainNumber::FIRST).await?;
    for chain in ChainNumber::first(chains).skip(1) {
        forget(chain).await?;
    }
    Ok(())
}

/// Whether a caller has all rights of a token, so that they may see and end it. One whose rights cannot be read grants none.
fn may_end(caller: &Caller, token: &StoredToken) -> bool {
    token.grant.clone().read().map_or(true, |grant| caller.covers(&grant))
}

/// Whether a token of the settings has the id.
fn is_of_settings(config: &Config, id: &str) -> bool {
    config.access.tokens.iter().any(|rule| rule.id == id)
}
