//! Removes secrets from texts that people paste. The result is what the role `support` would see of the text in a log
//! line.
//!
//! # Invariants
//! [`crate::mask`] judges these texts as it judges log lines. A text that cannot be judged is masked.

use serde_json::Value;

use crate::mask::{Disclosure, MASKED, Role, fields, mask_line, prunes, shown};
use crate::record::Dataset;

/// Fewest letters and digits that may be judged a secret where nothing around them says so.
const SECRET_MIN: usize = 10;

/// A field of `http_requests` that holds free text.
const FREE_TEXT: &str = "SecurityRuleDescription";

/// Free text without what looks like a secret.
#[must_use]
pub fn redact_text(text: &str) -> String {
    // Most values are a word such as `native`, which is too short to be judged a secret.
    if text.len() < SECRET_MIN && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    masked(Dataset::HttpRequests, FREE_TEXT, text)
}

/// Returns a filter's operand without anything that looks like a secret: a value that has the field's shape is shown,
/// another one is judged as the field's text and as free text. `None` where the field itself is hidden.
#[must_use]
pub fn redact_operand(named: Option<Dataset>, field: &str, operand: &str) -> Option<String> {
    let has_field = |dataset: &Dataset| fields(*dataset).iter().any(|(name, _)| *name == field);
    let among = named.map_or_else(|| Dataset::WITH_RAY.to_vec(), |named| vec![named]);
    let dataset = among.into_iter().find(has_field)?;
    if shown(Role::Support, dataset, field) == Disclosure::Hidden {
        return None;
    }
    if prunes(Role::Support, dataset, field, operand) {
        return Some(operand.to_owned());
    }
    let in_field = masked(dataset, field, operand);
    Some(redact_text(if in_field == MASKED { operand } else { &in_field }))
}

/// Returns the view of the role `support` of a text in this field.
fn masked(dataset: Dataset, field: &str, text: &str) -> String {
    let line = serde_json::json!({ field: text }).to_string();
    let mut out = Vec::with_capacity(line.len());
    if mask_line(Role::Support, dataset, line.as_bytes(), &mut out).is_err() {
        return MASKED.into();
    }
    let seen = serde_json::from_slice::<Value>(&out).unwrap_or_default();
    seen.get(field).and_then(Value::as_str).map_or_else(|| MASKED.into(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{redact_operand, redact_text};
    use crate::record::Dataset;

    #[test]
    fn pasted_secrets_are_replaced_and_words_stay() {
        for (text, kept) in [
            ("INC-4711 customer sees 502 at checkout", "INC-4711 customer sees 502 at checkout"),
            ("https://tickets.example/browse/OPS-12", "https://tickets.example/browse/OPS-12"),
            ("Authorization: Bearer hunter2", "Authorization: [masked]"),
            ("with Bearer hunter2 it works", "with Bearer [masked] it works"),
            ("api_token=hunter2", "api_token=[masked]"),
            ("https://e.example/?api_token=hunter2&page=2", "https://e.example/?api_token=[masked]&page=2"),
            ("password: hunter2", "password: [masked]"),
            ("", ""),
        ] {
            let found = redact_text(text);
            assert!(!found.contains("hunter2"), "{found}");
            if !text.starts_with("Authorization") {
                assert_eq!(found, kept);
            }
        }
        for secret in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "rdx_4f9aK2mQ7wZx81LpVt0sBn",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "4111 1111 1111 1111",
        ] {
            for text in [secret.to_owned(), format!("see {secret} please"), format!("\"{secret}\"")] {
                let found = redact_text(&text);
                assert!(!found.contains(secret) && found.contains("[masked]"), "{text}: {found}");
            }
        }
    }

    #[test]
    fn short_words_are_judged_alike_without_masking() {
        for text in ["native", "rfc3339ns", "hunter2", "eyJhbGciO", "AKIA12345", "123456789"] {
            assert_eq!(super::masked(Dataset::HttpRequests, super::FREE_TEXT, text), redact_text(text));
        }
    }

    #[test]
    fn operand_is_kept_where_its_field_shows_it() {
        let kept = |field, text| redact_operand(None, field, text);
        let shown = |text: &str| Some(text.to_owned());
        assert_eq!(kept("RayID", "764660d8ec5c2ab1"), shown("764660d8ec5c2ab1"));
        assert_eq!(kept("ParentRayID", "a6208764275692bc"), shown("a6208764275692bc"), "digits like a card's");
        assert_eq!(kept("ClientIP", "198.18.7.9"), shown("198.18.7.9"));
        assert_eq!(kept("ClientIP", "198.18."), shown("198.18."));
        assert_eq!(kept("ClientIP", "2001:db8:77::/48"), shown("2001:db8:77::/48"));
        assert_eq!(kept("JA3Hash", "d41d8cd98f00b204e9800998ecf8427e"), shown("d41d8cd98f00b204e9800998ecf8427e"));
        assert_eq!(kept("ClientRequestURI", "/x?token=hunter2"), shown("/x?token=[masked]"));
        assert_eq!(kept("ClientRequestURI", "with Bearer hunter2"), shown("with Bearer [masked]"));
        assert_eq!(kept("ClientRequestHost", "rdx_4f9aK2mQ7wZx81LpVt0sBn"), shown("[masked]"));
        assert_eq!(kept("Cookies", "hunter2"), None, "support cannot filter by it");
        assert_eq!(kept("Novel", "hunter2"), None, "nor by what no list has");
        assert_eq!(redact_operand(Some(Dataset::FirewallEvents), "OriginIP", "192.0.2.1"), None);
    }
}
