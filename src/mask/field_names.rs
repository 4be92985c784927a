//! Names of fields as people write them, held against the lists of the datasets.

use crate::limits::FIELD_NAME_BYTES;
use crate::record::Dataset;

/// Whether one of the datasets lists the field.
#[must_use]
pub fn is_listed(datasets: &[Dataset], name: &str) -> bool {
    datasets.iter().any(|dataset| dataset.spec().fields.binary_search(&name).is_ok())
}

/// The listed field that `name` is most likely a slip of: one that differs in case and punctuation alone, or in few
/// characters. `None` if nothing is near.
#[must_use]
pub fn nearest_field(datasets: &[Dataset], name: &str) -> Option<&'static str> {
    if name.len() > FIELD_NAME_BYTES || is_listed(datasets, name) {
        return None;
    }
    let name = folded(name);
    let listed = datasets.iter().flat_map(|dataset| dataset.spec().fields).copied();
    let nearest = listed.map(|known| (distance(&name, &folded(known)), known)).min_by_key(|(distance, _)| *distance);
    // One slip in five characters, and three at most.
    nearest.filter(|(distance, _)| *distance <= (name.len() / 5).min(3)).map(|(_, known)| known)
}

/// The letters and digits of a name, in lower case.
fn folded(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many characters must be added, dropped or changed to make one of the other (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, one) in a.iter().enumerate() {
        let (mut diagonal, mut left) = (above, above + 1);
        for (cell, other) in row.iter_mut().skip(1).zip(b) {
            left = (diagonal + usize::from(one != other)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, left);
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{distance, folded, is_listed, nearest_field};
    use crate::record::Dataset;

    #[test]
    fn slips_are_led_back_to_the_listed_field() {
        for (name, nearest) in [
            ("clientip", Some("ClientIP")),
            ("client_ip", Some("ClientIP")),
            ("ClientIp", Some("ClientIP")),
            ("EdgeResponseStatuss", Some("EdgeResponseStatus")),
            ("EdgeResponceStatus", Some("EdgeResponseStatus")),
            ("ray_id", Some("RayID")),
            ("RayId ", Some("RayID")),
            ("ClientIP", None),
            ("Ray", None),
            ("Status", None),
            ("MyCustomField", None),
            ("", None),
        ] {
            assert_eq!(nearest_field(&[Dataset::HttpRequests], name), nearest, "{name:?}");
        }
        assert_eq!(nearest_field(&[Dataset::HttpRequests], &"ClientIP".repeat(20)), None);
        assert_eq!(nearest_field(&[Dataset::FirewallEvents], "ruleid"), Some("RuleID"));
        assert_eq!(nearest_field(&[], "ruleid"), None);
    }

    #[test]
    fn a_field_is_listed_by_its_dataset() {
        assert!(is_listed(&Dataset::ALL, "Action") && is_listed(&[Dataset::FirewallEvents], "Action"));
        assert!(!is_listed(&[Dataset::HttpRequests], "Action") && !is_listed(&[], "RayID"));
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_counts_slips(a in "[a-c]{0,8}", b in "[a-c]{0,8}", at in 0_usize..8, c in "[d-f]") {
            let [one, other] = [&a, &b].map(|name| folded(name));
            prop_assert_eq!(distance(&one, &other), distance(&other, &one));
            prop_assert_eq!(distance(&one, &one), 0);
            prop_assert_eq!(distance(&one, &[]), one.len());
            let mut longer = one.clone();
            longer.splice(at.min(one.len())..at.min(one.len()), c.chars());
            prop_assert_eq!(distance(&one, &longer), 1);
        }
    }
}
