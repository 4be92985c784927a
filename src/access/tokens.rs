//! Bearer tokens: parses the setting, and identifies the caller of a header.
//!
//! Two tokens may share an id, so that one can replace the other without a gap.
//!
//! # Invariants
//! An expired token is refused like an unknown one. The time of an answer does not depend on which token matches, or on
//! how much of a hash does.

use chrono::DateTime;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::grant::{GrantFields, entries};
use super::{AuthFailure, Caller, Grant, GrantFault};
use crate::limits::TOKENS_OF_ONE;
use crate::mask::Role;

/// The id of the token that `API_TOKEN_SHA256` is the hash of.
pub const MAIN: &str = "main";

/// A bearer token that the deployment accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRule {
    /// The name of the token in the audit log.
    pub id: String,
    /// The SHA-256 of the token's text.
    pub sha256: [u8; 32],
    /// The rights of the caller with this token.
    pub grant: Grant,
    /// The expiry in Unix milliseconds; `None` for never.
    pub expires_ms: Option<i64>,
}

/// An entry of the setting.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    id: String,
    sha256: String,
    scopes: Vec<String>,
    role: String,
    zones: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
    scans: Option<u32>,
    daily_budget: Option<String>,
    expires: Option<String>,
}

/// The rule of the main token, which has every right.
#[must_use]
pub fn main_rule(sha256: [u8; 32]) -> TokenRule {
    TokenRule { id: MAIN.to_owned(), sha256, grant: Grant::everything(), expires_ms: None }
}

/// Parses the setting: a JSON array of tokens.
///
/// # Errors
/// [`GrantFault`] says which entry is wrong, and repeats nothing of it.
pub fn read_tokens(text: &str) -> Result<Vec<TokenRule>, GrantFault> {
    let words = "must have id, sha256, scopes and role; optional members are zones, datasets, scans, daily_budget \
        and expires";
    let rules = entries(text, words, rule)?;
    for (place, rule) in rules.iter().enumerate() {
        let before = || rules.iter().take(place);
        if before().any(|other| other.sha256 == rule.sha256) {
            return Err(GrantFault::Entry(place + 1, "has the same hash as another entry"));
        }
        if before().filter(|other| other.id == rule.id).count() >= TOKENS_OF_ONE {
            return Err(GrantFault::Entry(place + 1, "is the third with its ID; at most two can share an ID"));
        }
    }
    Ok(rules)
}

fn rule(entry: TokenEntry) -> Result<TokenRule, &'static str> {
    let TokenEntry { id, sha256: hex, scopes, role, zones, datasets, scans, daily_budget, expires } = entry;
    if !is_token_id(&id) {
        return Err("must have an id of 1 to 64 letters, digits, dots, hyphens and underscores");
    }
    let mut sha256 = [0; 32];
    hex::decode_to_slice(hex, &mut sha256).map_err(|_| "must have a sha256 of 64 hexadecimal digits")?;
    let grant = GrantFields { scopes, role, zones, datasets, scans, daily_budget }.read()?;
    let expires = expires.map(|at| DateTime::parse_from_rfc3339(&at)).transpose();
    let expires = expires.map_err(|_| "has an expires that is not a time such as 2027-01-01T00:00:00Z")?;
    Ok(TokenRule { id, sha256, grant, expires_ms: expires.map(|at| at.timestamp_millis()) })
}

/// Whether a text can be the id of a token.
#[must_use]
pub fn is_token_id(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(sign)
}

/// The token in the header `Authorization`, if its scheme is that of bearer tokens.
#[must_use]
pub fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Identifies the caller of the header `Authorization`.
///
/// # Errors
/// [`AuthFailure`] where it carries no token that is let in.
pub fn admit(rules: &[TokenRule], authorization: Option<&str>, now_ms: i64) -> Result<Caller, AuthFailure> {
    let (scheme, token) = authorization.and_then(|header| header.trim().split_once(' ')).ok_or(AuthFailure::NoToken)?;
    let sent: [u8; 32] = Sha256::digest(token.trim()).into();
    // Every rule is compared, and the place of the one that fits is chosen without a branch.
    let (mut found, mut place) = (Choice::from(0), 0_u32);
    for (number, rule) in (0_u32..).zip(rules) {
        let fits = sent.ct_eq(&rule.sha256);
        place.conditional_assign(&number, fits);
        found |= fits;
    }
    if !bool::from(found) || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthFailure::Unknown);
    }
    let rule = rules.get(place as usize).ok_or(AuthFailure::Unknown)?;
    if rule.expires_ms.is_some_and(|end| end <= now_ms) {
        return Err(AuthFailure::Expired(rule.id.as_str().into()));
    }
    Ok(Caller::new(&rule.id, &rule.grant).until(rule.expires_ms))
}

impl Caller {
    /// The same caller, as an assistant asks for them. The main token names no role, and what an assistant reads leaves the
    /// company: with that token it sees what `viewer` sees. Every other token or grant names its role.
    #[must_use]
    pub fn by_assistant(&self) -> Self {
        let mut caller = self.clone();
        if caller.name == MAIN {
            caller.role = Role::Viewer;
        }
        caller
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{AuthFailure, Caller, TokenRule, admit, main_rule, read_tokens};
    use crate::access::{Scope, Visibility};
    use crate::mask::Role;

    const NOW_MS: i64 = 1_774_687_345_000;

    fn entry(id: &str, token: &str, more: &str) -> String {
        let hash = hex::encode(Sha256::digest(token));
        format!(r#"{{"id":"{id}","sha256":"{hash}","scopes":["read"],"role":"support"{more}}}"#)
    }

    fn rules() -> Vec<TokenRule> {
        let entries = [
            entry("desk", "old", r#","expires":"2026-03-28T08:42:25Z""#),
            entry(
                "desk",
                "new",
                r#","expires":"2026-03-28T08:42:25.001Z","zones":["A.Example"],"datasets":["http_requests"]"#,
            ),
            entry("other", "more", ""),
        ];
        let mut rules = read_tokens(&format!("[{}]", entries.join(","))).unwrap();
        rules.push(main_rule(Sha256::digest("main").into()));
        rules
    }

    fn ask(header: &str) -> Result<Caller, AuthFailure> {
        admit(&rules(), Some(header), NOW_MS)
    }

    #[test]
    fn each_token_lets_in_whose_it_is() {
        let caller = ask("Bearer new").unwrap();
        assert_eq!((caller.name.as_str(), caller.role), ("desk", Role::Support));
        assert!(caller.may(Scope::Read) && !caller.may(Scope::Admin) && caller.sees_zone("a.example"));
        assert_eq!(ask(" bearer   more ").unwrap().name, "other");
        let shares = read_tokens(&format!("[{}]", entry("a", "x", r#","scans":64"#))).unwrap();
        assert_eq!((shares[0].grant.scans, caller.scans), (64, 2), "two unless the entry says more");
        let main = ask("Bearer main").unwrap();
        assert!(Scope::ALL.iter().all(|scope| main.may(*scope)) && main.role == Role::Forensics);
        assert_eq!(main.visibility(), Visibility::Everything);
    }

    #[test]
    fn main_token_lets_assistants_see_little() {
        assert_eq!(ask("Bearer main").unwrap().by_assistant().role, Role::Viewer);
        assert_eq!(ask("Bearer new").unwrap().by_assistant(), ask("Bearer new").unwrap());
    }

    #[test]
    fn other_tokens_are_refused() {
        for (header, denied) in [
            ("Bearer old", AuthFailure::Expired("desk".into())),
            ("Bearer newer", AuthFailure::Unknown),
            ("Bearer ", AuthFailure::NoToken),
            ("Bearer", AuthFailure::NoToken),
            ("", AuthFailure::NoToken),
            ("Basic new", AuthFailure::Unknown),
            ("new", AuthFailure::NoToken),
            ("Bearer new more", AuthFailure::Unknown),
        ] {
            assert_eq!(ask(header), Err(denied.clone()), "{header}");
            assert_eq!(denied.status(), 401);
        }
        let hash = hex::encode(Sha256::digest("new"));
        assert_eq!(ask(&format!("Bearer {hash}")), Err(AuthFailure::Unknown), "a hash is no token");
        assert_eq!(admit(&rules(), None, NOW_MS), Err(AuthFailure::NoToken));
        assert_eq!(admit(&[], Some("Bearer new"), NOW_MS), Err(AuthFailure::Unknown));
    }

    #[test]
    fn entry_faults_are_named_without_repeating_values() {
        let good = entry("a", "hunter2", "");
        let hash = hex::encode(Sha256::digest("hunter2"));
        for (text, words) in [
            ("hunter2".to_owned(), "the value must be a JSON array"),
            ("{}".to_owned(), "the value must be a JSON array"),
            ("[]".to_owned(), "the array must have 1 to 100 entries"),
            (format!("[{}]", vec!["{}"; 101].join(",")), "the array must have 1 to 100 entries"),
            (format!("[{good},7]"), "entry 2 must have id, "),
            (format!("[{}]", good.replace("\"id\"", "\"hunter2\"")), "entry 1 must have id, "),
            (format!("[{}]", entry("a", "x", ",\"hunter2\":1")), "entry 1 must have id, "),
            (format!("[{}]", entry("hunter 2", "x", "")), "entry 1 must have an id of"),
            (format!("[{}]", good.replace(&hash, "hunter2")), "entry 1 must have a sha256"),
            (format!("[{}]", good.replace("\"read\"", "\"hunter2\"")), "entry 1 must have at least one of the scopes"),
            (format!("[{}]", good.replace("\"read\"", "")), "entry 1 must have at least one of the scopes"),
            (format!("[{}]", good.replace("support", "hunter2")), "entry 1 must have one of the roles"),
            (format!("[{}]", entry("a", "x", ",\"zones\":[]")), "entry 1 has zones"),
            (format!("[{}]", entry("a", "x", ",\"zones\":[\"hunter2 \"]")), "entry 1 has zones"),
            (format!("[{}]", entry("a", "x", ",\"datasets\":[\"hunter2\"]")), "entry 1 has datasets"),
            (format!("[{}]", entry("a", "x", ",\"expires\":\"hunter2\"")), "entry 1 has an expires"),
            (format!("[{}]", entry("a", "x", ",\"scans\":0")), "entry 1 has scans"),
            (format!("[{}]", entry("a", "x", ",\"scans\":65")), "entry 1 has scans"),
            (format!("[{}]", entry("a", "x", ",\"scans\":\"hunter2\"")), "entry 1 must have id, "),
            (format!("[{good},{}]", entry("b", "hunter2", "")), "entry 2 has the same hash"),
            (format!("[{good},{},{}]", entry("a", "2", ""), entry("a", "3", "")), "entry 3 is the third"),
        ] {
            let said = read_tokens(&text).unwrap_err().to_string();
            assert!(said.starts_with(words) && !said.contains("hunter2"), "{text}: {said}");
        }
        assert!(read_tokens(&format!("[{good}]")).is_ok());
    }
}
