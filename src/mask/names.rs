//! Names of parameters, headers and members that carry a secret.
//!
//! # Invariants
//!
//! A name is judged in any case and spelling. An ambiguous name counts as that of a secret: a value too many is masked
//! rather than one too few.

/// Whether a parameter or header of this name carries a secret.
pub(super) fn names_secret(name: &str) -> bool {
    const INSIDE: [&str; 16] = [
        "token",
        "secret",
        "passw",
        "passphrase",
        "pwd",
        "sessi",
        "signature",
        "apikey",
        "credential",
        "cookie",
        "csrf",
        "xsrf",
        "bearer",
        "assertion",
        "saml",
        "jwt",
    ];
    const WHOLE: [&str; 24] = [
        "key", "keys", "sig", "code", "otp", "totp", "pin", "sid", "pass", "cvv", "cvc", "ticket", "nonce", "hmac",
        "mac", "state", "sso", "tan", "auth", "oauth", "pw", "sess", "card", "iban",
    ];
    let lower = name.to_ascii_lowercase();
    // `author` is not such a name, `authorization` and `x-auth-user` are.
    let authorizes = lower.contains("authori") || lower.replace("author", "").contains("auth");
    authorizes || INSIDE.iter().any(|part| lower.contains(part)) || parts(name).any(|part| WHOLE.contains(&&*part))
}

/// The words that a name is put together of: `accessKey` and `access_key` are two.
fn parts(name: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for c in name.chars() {
        if before.is_ascii_lowercase() && c.is_ascii_uppercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
        before = c;
    }
    let words: Vec<String> = spaced.split(' ').map(str::to_owned).collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::names_secret;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "token",
            "access_token",
            "accessKey",
            "X-Api-Key",
            "apikey",
            "Authorization",
            "x-auth-user",
            "PHPSESSID",
            "jsessionid",
            "sig",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "code",
            "otp",
            "Set-Cookie",
            "client-secret",
            "CF-Access-Jwt-Assertion",
            "password",
            "user[password]",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["page", "q", "author", "keyword", "monkey", "postcode", "utm_source", "accept-language", "lang"] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
