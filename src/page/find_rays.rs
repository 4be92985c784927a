//! The rays in whatever a person pastes: header lines, the text of an error page, URLs, a list.
//!
//! `web/rays.js` follows the same rules while a person types; the cases in `tests/fixtures/page/rays.json` hold for both.
//!
//! # Invariants
//! Each ray is found once, in the order of the text.

use crate::limits::PAGE_RAYS;
use crate::record::{RayId, RayKey};

/// Number of digits of a ray.
const DIGITS: usize = 16;

/// The rays of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundRays {
    /// The rays, at most [`PAGE_RAYS`].
    pub rays: Vec<RayKey>,
    /// Whether the text has more of them.
    pub has_more: bool,
}

/// Finds the rays of a text: runs of 16 hexadecimal digits that stand alone, in any case. An id of another form is not found: a
/// token or a password that is pasted by mistake looks like one, and what is found is in an address.
#[must_use]
pub fn find_rays(text: &str) -> FoundRays {
    let mut found = FoundRays::default();
    let mut is_escaped = false;
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let run = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Some(ray) = ray_of_run(run, is_escaped).map(RayKey::Ray)
            && !found.rays.contains(&ray)
        {
            if found.rays.len() == PAGE_RAYS {
                found.has_more = true;
                return found;
            }
            found.rays.push(ray);
        }
        is_escaped = piece.ends_with('%');
    }
    found
}

/// The ray that a run of letters and digits is. In a URL, the two digits of an escaped character may come before it.
fn ray_of_run(run: &str, is_escaped: bool) -> Option<RayId> {
    let digits = run.as_bytes();
    let within = match digits.len().checked_sub(DIGITS) {
        Some(2) if is_escaped && digits.first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) => {
            2
        }
        _ => 0,
    };
    RayId::from_hex(digits.get(within..)?)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{PAGE_RAYS, find_rays};

    /// The cases that `web/rays.js` is tested with too.
    const CASES: &str = include_str!("../../tests/fixtures/page/rays.json");

    #[derive(Deserialize)]
    struct PasteCase {
        text: String,
        rays: Vec<String>,
    }

    #[test]
    fn rays_are_found_in_what_people_paste() {
        let cases: Vec<PasteCase> = serde_json::from_str(CASES).unwrap();
        assert!(cases.len() > 20);
        for PasteCase { text, rays } in cases {
            let found: Vec<String> = find_rays(&text).rays.iter().map(ToString::to_string).collect();
            assert_eq!(found, rays, "{text:?}");
        }
    }

    #[test]
    fn more_rays_than_fit_are_said() {
        let text = |count: usize| (0..count).map(|n| format!("764660d8ec5c{n:04x}\n")).collect::<Vec<_>>().concat();
        assert_eq!((find_rays(&text(PAGE_RAYS)).rays.len(), find_rays(&text(PAGE_RAYS)).has_more), (PAGE_RAYS, false));
        let more = find_rays(&(text(PAGE_RAYS) + &text(PAGE_RAYS + 1)));
        assert_eq!((more.rays.len(), more.has_more), (PAGE_RAYS, true));
    }

    proptest::proptest! {
        #[test]
        fn rays_in_any_noise_are_found(before in "[^0-9A-Za-z%]{0,20}", after in "[^0-9A-Za-z]{0,20}") {
            let found = find_rays(&format!("{before}764660D8EC5C2AB1{after}"));
            proptest::prop_assert_eq!(found.rays.first().map(ToString::to_string), Some("764660d8ec5c2ab1".to_owned()));
        }
    }
}
