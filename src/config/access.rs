//! The settings of authentication: tokens and Cloudflare Access.
//!
//! # Invariants
//! A deployment without a token and without Access counts as not configured. Team, audience and grants of Access are
//! set together or not at all. No error contains a value.

use super::reader::{SettingsReader, not_valid, one_of, whole};
use super::settings::{ACCESS_AUD, ACCESS_GRANTS, ACCESS_PLAIN_HTTP, ACCESS_SESSION, ACCESS_TEAM, TOKEN, TOKENS};
use crate::access::{AccessRules, SignOn, TokenIssuer, TokenRule, main_rule, read_grants, read_tokens};
use crate::limits::SESSION_HOURS_MAX;
use crate::mask::Role;

/// Reads all settings of authentication, so that every error is reported. The result is meaningful only if the reader
/// has no error.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> AccessRules {
    let main = reader.read(&TOKEN, token_hash);
    let tokens = reader.read(&TOKENS, |text| tokens(text, main));
    let has_no_method = [TOKEN, TOKENS, ACCESS_TEAM].iter().all(|setting| reader.given(setting).is_none());
    if has_no_method {
        reader.missing(&TOKEN, &[]);
    }
    let sign_on = sign_on(reader);
    let tokens = tokens.into_iter().flatten().chain(main.map(main_rule)).collect();
    AccessRules { tokens, sign_on }
}

fn token_hash(value: &str) -> Result<[u8; 32], String> {
    let mut hash = [0; 32];
    let decoded = hex::decode_to_slice(value, &mut hash);
    decoded.map(|()| hash).map_err(|_| "must be a SHA-256 in 64 hexadecimal digits".into())
}

/// Parses the listed tokens; none may be the main token.
fn tokens(text: &str, main: Option<[u8; 32]>) -> Result<Vec<TokenRule>, String> {
    let rules = read_tokens(text).map_err(not_valid)?;
    let is_main = main.is_some_and(|main| rules.iter().any(|rule| rule.sha256 == main));
    if is_main { Err(format!("is not valid: an entry has the same hash as {}", TOKEN.name)) } else { Ok(rules) }
}

fn sign_on<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<SignOn> {
    let allow = |allow| if allow { "allow" } else { "refuse" };
    let allow_http = reader.read(&ACCESS_PLAIN_HTTP, |name| one_of(name, &[false, true], allow)) != Some(false);
    let together = [ACCESS_TEAM, ACCESS_AUD, ACCESS_GRANTS];
    let (given, missing): (Vec<_>, Vec<_>) = together.iter().partition(|setting| reader.given(setting).is_some());
    if !given.is_empty() {
        for setting in missing {
            reader.missing(setting, &[]);
        }
    }
    let issuer = reader.read(&ACCESS_TEAM, |text| TokenIssuer::read(text, allow_http).map_err(not_valid));
    let audience = reader.read(&ACCESS_AUD, |text| Ok(text.to_owned()));
    let grants = reader.read(&ACCESS_GRANTS, |text| read_grants(text).map_err(not_valid));
    let session_s = reader.read(&ACCESS_SESSION, session_s);
    Some(SignOn { issuer: issuer?, audience: audience?, grants: grants?, session_s: session_s? })
}

fn session_s(hours: &str) -> Result<i64, String> {
    let hours = whole(hours).filter(|hours| (1..=SESSION_HOURS_MAX).contains(hours));
    let seconds = hours.map(|hours| hours * 3_600);
    seconds.ok_or_else(|| format!("must be a whole number of hours from 1 to {SESSION_HOURS_MAX}"))
}

/// Parses names of roles with commas between them.
pub(super) fn roles(value: &str) -> Result<Vec<Role>, String> {
    let roles: Option<Vec<Role>> = value.split(',').map(|name| Role::from_name(name.trim())).collect();
    roles.ok_or_else(|| "must be roles separated by commas: viewer, support or forensics".into())
}
