//! How much of ordinary records is masked without need, by field: `docs/security.md` has the table, which this test makes.

use std::collections::BTreeMap;

use raydex::mask::{FieldTreatment, Role, class_of};
use raydex::record::Dataset;
use raydex::sample::DATASETS;
use serde_json::Value;

use super::{masked, sample};

/// The values of a field: all that are not empty, those that are masked, and those of them that need not be.
#[derive(Default)]
struct FieldShare {
    values: usize,
    masked: usize,
    needless: usize,
}

/// Whether a value is altered though nothing in it is a secret, an address or a parameter. The sample has secrets in query
/// strings alone: what comes back from signing in, as `code`.
fn is_needless(role: Role, before: &str, after: &str) -> bool {
    let split = |text: &str| {
        text.split_once('?').map_or((text.to_owned(), None), |(path, query)| (path.to_owned(), Some(query.to_owned())))
    };
    let ((path, query), (shown, shown_query)) = (split(before), split(after));
    let is_of_query = role == Role::Viewer || before.contains("code=");
    path != shown || query != shown_query && !is_of_query
}

/// The shares of the fields whose values are masked by what they are, not by their field.
fn shares(role: Role, dataset: Dataset) -> BTreeMap<String, FieldShare> {
    let mut shares: BTreeMap<String, FieldShare> = BTreeMap::new();
    for line in sample(dataset) {
        let before: Value = serde_json::from_str(&line).unwrap();
        let after: Value = serde_json::from_str(&masked(role, dataset, &line)).unwrap();
        for (name, value) in before.as_object().unwrap() {
            let treatment = class_of(dataset, name).treatment(role);
            let is_judged = matches!(treatment, FieldTreatment::Checked | FieldTreatment::Scrubbed);
            let texts: Vec<(&Value, &Value)> = match (value, &after[name]) {
                (Value::Array(before), Value::Array(after)) => before.iter().zip(after).collect(),
                (before, after) => vec![(before, after)],
            };
            for (before, after) in texts.into_iter().filter(|(before, _)| is_judged && **before != "") {
                let share = shares.entry(name.clone()).or_default();
                share.values += 1;
                share.masked += usize::from(before != after);
                let [before, after] =
                    [before, after].map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                share.needless += usize::from(before != after && is_needless(role, &before, &after));
            }
        }
    }
    shares
}

#[test]
fn the_page_states_what_is_masked_without_need() {
    let mut rows = Vec::new();
    let (mut values, mut needless) = ([0; 2], [0; 2]);
    for dataset in DATASETS {
        for (place, role) in [Role::Viewer, Role::Support].into_iter().enumerate() {
            for (name, share) in shares(role, dataset) {
                values[place] += share.values;
                needless[place] += share.needless;
                if share.masked > 0 {
                    let counts = format!("{} | {} | {}", share.values, share.masked, share.needless);
                    rows.push(format!("| `{role}` | `{dataset}` | `{name}` | {counts} |"));
                }
            }
        }
    }
    let total = |role: usize| format!("{} of {} values", needless[role], values[role]);
    rows.push(format!("Masked without need: {} for `viewer`, {} for `support`.", total(0), total(1)));
    let page = include_str!("../../../docs/security.md");
    let missing = rows.iter().find(|row| !page.contains(row.as_str()));
    assert!(missing.is_none(), "docs/security.md has other figures; the right ones are:\n{}", rows.join("\n"));
    assert_eq!(page.matches("| `viewer` | `").count() + page.matches("| `support` | `").count() + 1, rows.len());
    // Of ten thousand values a viewer misses a few at most, and support none.
    assert!(needless[0] * 100 < values[0] && needless[1] == 0, "{needless:?} of {values:?}");
}
