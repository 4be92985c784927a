//! The lists that masking goes by. `schemas/masking.toml` has the same lists, each with its source; a test compares them.
//!
//! # Invariants
//!
//! Everything is in lower case, except for [`TOKEN_PREFIXES`] and [`CREDENTIAL_FLAGS`], whose case counts. [`FOLLOWERS`] is sorted.

/// Parts that make a name that of a secret, wherever they are in it.
pub(super) const TELLING_PARTS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "passcode",
    "passkey",
    "pwd",
    "apikey",
    "credential",
    "bearer",
    "jwt",
    "authorization",
    "csrf",
    "xsrf",
    "mnemonic",
    "pincode",
    "privatekey",
    "cardn",
    "ccnum",
    "creditcard",
    "hdnea",
    "hdnts",
    "magiclink",
    "seedphrase",
];

/// Words that make a name that of a secret.
pub(super) const TELLING_WORDS: &[&str] = &[
    "otp",
    "totp",
    "hotp",
    "mfa",
    "tfa",
    "2fa",
    "ssn",
    "cvv",
    "cvc",
    "pw",
    "cred",
    "seed",
    "nonce",
    "hmac",
    "iban",
    "psk",
    "invite",
    "invitation",
    "magic",
    "activation",
    "reset",
    "recovery",
];

/// Parts of the names both of secrets and of other things.
pub(super) const AMBIGUOUS_PARTS: &[&str] = &["sessi", "signature", "cookie", "assertion", "saml", "authori"];

/// Words that are in the names of secrets and of other things.
pub(super) const AMBIGUOUS_WORDS: &[&str] = &[
    "key",
    "sig",
    "code",
    "pin",
    "sid",
    "pass",
    "ticket",
    "mac",
    "state",
    "sso",
    "tan",
    "auth",
    "oauth",
    "sess",
    "card",
    "private",
    "refresh",
    "verifier",
    "unlock",
    "activate",
    "confirm",
    "confirmation",
    "unsubscribe",
    "verification",
    "verify",
];

/// Words that follow the name of a secret, in a path or a sentence, and are none.
pub(super) const FOLLOWERS: &[&str] = &[
    "a",
    "access",
    "account",
    "all",
    "an",
    "and",
    "api",
    "app",
    "are",
    "as",
    "at",
    "authenticate",
    "authorize",
    "bucket",
    "callback",
    "change",
    "changed",
    "check",
    "clear",
    "complete",
    "completed",
    "confirm",
    "confirmation",
    "cookies",
    "create",
    "created",
    "delete",
    "deleted",
    "disable",
    "done",
    "edit",
    "email",
    "enable",
    "error",
    "exchange",
    "expired",
    "expires",
    "failed",
    "failure",
    "field",
    "finish",
    "for",
    "forgot",
    "forgotten",
    "found",
    "from",
    "generate",
    "has",
    "header",
    "help",
    "if",
    "in",
    "index",
    "info",
    "initiate",
    "introspect",
    "introspection",
    "invalid",
    "is",
    "issue",
    "issued",
    "json",
    "link",
    "list",
    "login",
    "logout",
    "manage",
    "me",
    "mismatch",
    "missing",
    "must",
    "name",
    "new",
    "no",
    "not",
    "of",
    "ok",
    "on",
    "or",
    "page",
    "parameter",
    "passwd",
    "password",
    "passwords",
    "phone",
    "policy",
    "present",
    "provided",
    "refresh",
    "rejected",
    "remove",
    "renew",
    "request",
    "requested",
    "required",
    "resend",
    "revocation",
    "revoke",
    "revoked",
    "rotate",
    "send",
    "sent",
    "session",
    "sessions",
    "set",
    "settings",
    "setup",
    "show",
    "signature",
    "signatures",
    "signin",
    "signup",
    "sms",
    "start",
    "status",
    "submit",
    "success",
    "the",
    "to",
    "type",
    "update",
    "updated",
    "used",
    "user",
    "users",
    "validate",
    "validation",
    "value",
    "verification",
    "verified",
    "verify",
    "was",
    "with",
    "without",
];

/// Words between the name of a secret and what it is.
pub(super) const COPULAS: &[&str] = &["is", "was", "are", "value", "equals", "to", "-"];

/// Headers of which all that follows on their line is a secret.
pub(super) const LINE_NAMES: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Schemes that precede credentials in a header.
pub(super) const AUTH_SCHEMES: &[&str] =
    &["basic", "bearer", "digest", "dpop", "hawk", "negotiate", "ntlm", "privatetoken", "vapid", "aws4-hmac-sha256"];

/// Options of programs whose argument is a credential and whose name does not say so.
pub(super) const CREDENTIAL_FLAGS: &[&str] = &["-u", "--user", "-U", "--proxy-user", "-p", "-a", "-b"];

/// Members that name what another member of the same object holds.
pub(super) const NAME_MEMBERS: &[&str] =
    &["name", "key", "header", "field", "param", "parameter", "property", "label", "cookie", "k", "n"];

/// Members that hold what another member of the same object names.
pub(super) const VALUE_MEMBERS: &[&str] =
    &["value", "val", "v", "values", "content", "contents", "data", "text", "current", "default", "old", "previous"];

/// Beginnings that makers of tokens give to theirs.
pub(super) const TOKEN_PREFIXES: &[&str] = &[
    "eyJ",
    "sk_",
    "sk-",
    "pk_",
    "rk_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gloas-",
    "gldt-",
    "glrt-",
    "glptt-",
    "glcbt-",
    "xox",
    "xapp-",
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "AIza",
    "ya29",
    "GOCSPX-",
    "npm_",
    "pypi-AgE",
    "rubygems_",
    "dckr_pat_",
    "dckr_oat_",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "sq0atp-",
    "sq0csp-",
    "hf_",
    "sbp_",
    "figd_",
    "lin_api_",
    "ntn_",
    "PMAK-",
    "glsa_",
    "glc_",
    "NRAK-",
    "sntrys_",
    "sntryu_",
    "HRKU-",
    "ATATT",
    "ATCTT",
    "ATBB",
    "CCIPAT_",
    "pscale_",
    "fo1_",
    "dapi",
    "nvapi-",
    "gsk_",
    "tskey-",
    "xkeysib-",
    "AGE-SECRET-KEY-",
    "rdx_",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Each list by its place in the file.
    const LISTS: [(&str, &str, &[&str]); 12] = [
        ("names", "telling_parts", TELLING_PARTS),
        ("names", "telling_words", TELLING_WORDS),
        ("names", "ambiguous_parts", AMBIGUOUS_PARTS),
        ("names", "ambiguous_words", AMBIGUOUS_WORDS),
        ("followers", "words", FOLLOWERS),
        ("followers", "copulas", COPULAS),
        ("headers", "lines", LINE_NAMES),
        ("auth_schemes", "names", AUTH_SCHEMES),
        ("flags", "names", CREDENTIAL_FLAGS),
        ("pairs", "name_members", NAME_MEMBERS),
        ("pairs", "value_members", VALUE_MEMBERS),
        ("token_prefixes", "prefixes", TOKEN_PREFIXES),
    ];

    #[test]
    fn the_published_lists_are_the_ones_that_mask() {
        let published: toml::Table = include_str!("../../schemas/masking.toml").parse().unwrap();
        let listed: usize = published.values().map(|list| list.as_table().unwrap().len() - 2).sum();
        assert_eq!(listed, LISTS.len());
        for (table, name, list) in LISTS {
            let texts = published[table][name].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
            assert_eq!(texts.collect::<Vec<_>>(), list, "{table}.{name}");
        }
        assert!(FOLLOWERS.is_sorted());
    }
}
