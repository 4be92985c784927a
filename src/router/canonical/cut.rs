//! Bounds what an entry of the audit log keeps of a request.
//!
//! # Invariants
//! What is cut has its length and its SHA-256 beside it, by which the whole can be recognised.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::audit::redact::redact_text;
use crate::limits::{AUDIT_IGNORED, AUDIT_REQUEST, AUDIT_START, FIELD_NAME_BYTES};

/// The values, whose longest ones are cut until all together have at most [`AUDIT_REQUEST`] bytes or each is cut.
pub(super) fn cut_longest(mut values: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut sizes: Vec<(usize, String)> =
        values.iter().map(|(name, value)| (value.to_string().len(), name.clone())).collect();
    sizes.sort();
    let mut total: usize = sizes.iter().map(|(size, _)| size).sum();
    while let Some((size, name)) = sizes.pop().filter(|(size, _)| total > AUDIT_REQUEST && *size > AUDIT_START) {
        if let Some(value) = values.get_mut(&name) {
            *value = cut(value);
            total = total.saturating_sub(size) + value.to_string().len();
        }
    }
    values
}

/// The beginning of a value, with the length and the hash of the whole.
fn cut(value: &Value) -> Value {
    let whole = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let start: String = whole.chars().take(AUDIT_START).collect();
    json!({ "bytes": whole.len(), "sha256": hex::encode(Sha256::digest(&whole)), "start": start })
}

/// The first of the names that were ignored, and how many there were; `None` where there were none.
pub(super) fn cut_names(names: &[String]) -> Option<Value> {
    let shown = |name: &String| redact_text(&name.chars().take(FIELD_NAME_BYTES).collect::<String>());
    let first: Vec<String> = names.iter().take(AUDIT_IGNORED).map(shown).collect();
    (!first.is_empty()).then(|| json!({ "count": names.len(), "names": first }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    use super::{cut_longest, cut_names};
    use crate::limits::{AUDIT_REQUEST, AUDIT_START};

    #[test]
    fn longest_values_are_cut_with_their_hash() {
        let long = |letter: &str, size: usize| Value::from(letter.repeat(size));
        let values = |sizes: [usize; 3]| -> BTreeMap<String, Value> {
            ["a", "b", "c"].into_iter().zip(sizes).map(|(name, size)| (name.to_owned(), long(name, size))).collect()
        };
        let whole = values([AUDIT_REQUEST / 4, AUDIT_REQUEST / 4, AUDIT_REQUEST / 4]);
        assert_eq!(cut_longest(whole.clone()), whole);
        let found = cut_longest(values([100, AUDIT_REQUEST, 2_000]));
        assert_eq!((&found["a"], &found["c"]), (&long("a", 100), &long("c", 2_000)));
        let hash = hex::encode(Sha256::digest("b".repeat(AUDIT_REQUEST)));
        assert_eq!(found["b"], json!({ "bytes": AUDIT_REQUEST, "sha256": hash, "start": "b".repeat(AUDIT_START) }));
        let all = cut_longest(values([AUDIT_REQUEST; 3]));
        assert!(all.values().all(|value| value["bytes"] == AUDIT_REQUEST), "{all:?}");
    }

    #[test]
    fn ignored_names_are_counted() {
        let names: Vec<String> = (0..300).map(|number| format!("pad{number}")).collect();
        let found = cut_names(&names).unwrap();
        assert_eq!((&found["count"], found["names"].as_array().unwrap().len()), (&300.into(), 8));
        assert_eq!(cut_names(&[]), None);
    }
}
