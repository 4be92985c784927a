//! The problems of requests that make, list or end tokens, of those with a token of the registry, and of changes that
//! another site may have caused.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;
use crate::limits::TOKENS_KEPT;

/// The registry did not say whether it has the token.
#[must_use]
pub fn no_tokens() -> Problem {
    Problem::new(503, "no_tokens", "The registry did not respond, so the token cannot be verified.")
        .with_hint("Retry later. Tokens of the settings are not affected.")
}

/// The body does not describe a token: the rule that it breaks, to follow "The token".
#[must_use]
pub fn not_a_token(rule: &'static str) -> Problem {
    Problem::new(400, "not_a_token", format!("The token {rule}.")).with_hint(
        r#"Send JSON: {"id":"support-desk","scopes":["read"],"role":"support","zones":["a.example"],"days":90}."#,
    )
}

/// The token would grant more than its maker has.
#[must_use]
pub fn exceeds_own_rights() -> Problem {
    Problem::new(403, "exceeds_own_rights", "The token would grant more than you have.")
        .with_hint("Leave out scopes, zones and datasets that you do not have, and ask for your role or a lower one.")
}

/// Another token has the id.
#[must_use]
pub fn token_exists() -> Problem {
    Problem::new(409, "token_exists", "Another token has this id.")
        .with_hint("Choose another id, such as one with the year. An id stays taken after its token ended.")
}

/// The token is one of the settings.
#[must_use]
pub fn token_of_settings() -> Problem {
    Problem::new(409, "token_of_settings", "This token is in the settings, which the API cannot change.")
        .with_hint("Remove it from API_TOKENS or API_TOKEN_SHA256; scripts/token revoke says how.")
}

/// The registry keeps as many tokens as it can.
#[must_use]
pub fn too_many_tokens() -> Problem {
    Problem::new(409, "too_many_tokens", format!("The deployment has {TOKENS_KEPT} tokens."))
        .with_hint("Revoke some. A token that ended gives way after 90 days.")
}

/// No token of the registry has the id.
#[must_use]
pub fn no_such_token() -> Problem {
    Problem::new(404, "no_such_token", "No token has this id.").with_hint("GET /v1/tokens lists the ids.")
}

/// A person's change may have been caused by a page of another site.
#[must_use]
pub fn cross_site() -> Problem {
    Problem::new(403, "cross_site", "A change by a signed-in person must come from this origin, with a body in JSON.")
        .with_hint(
            "Send Content-Type: application/json, and Origin or Sec-Fetch-Site as a browser does; or use a bearer token.",
        )
}

/// A page of another site asks for something with the cookie or the assertion of a person, other than by a link.
#[must_use]
pub fn cross_site_read() -> Problem {
    Problem::new(403, "cross_site", "A page of another site may not read what a signed-in person can.")
        .with_hint("Open the address itself, or use a bearer token.")
}
