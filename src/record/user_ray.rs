//! A ray as users enter it: copied from a header, a URL, an error page or a chat.
//!
//! # Invariants
//!
//! A text that contains a ray of 16 digits in any of these ways yields that ray. The text itself is never part of an
//! answer.

use super::{RayId, RayKey};
use crate::limits::MAX_NONSTANDARD_ID;

/// Longest accepted text in bytes: in practice, a URL that contains a ray has at most 2 KB.
const MAX_TEXT: usize = 4096;

/// The text contains no ray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not a Ray ID. A Ray ID has 16 hexadecimal digits, such as 764660d8ec5c2ab1 or 764660d8ec5c2ab1-SJC.")]
pub struct NotARay;

/// Parses a user's text: any case, a data centre after the ray, a whole `CF-RAY: …` line, spaces, a URL that contains
/// it. A text in none of these forms may still be a nonstandard id, if it could be one in a log.
///
/// # Errors
/// [`NotARay`] if the text cannot be an id.
pub fn ray_from_user(text: &str) -> Result<RayKey, NotARay> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(NotARay);
    }
    let key = RayKey::from_logged(text);
    if let Some(RayKey::Ray(_)) = key {
        return key.ok_or(NotARay);
    }
    // Sixteen digits that stand alone.
    let within =
        text.split(|sign: char| !sign.is_ascii_alphanumeric()).find_map(|word| RayId::from_hex(word.as_bytes()));
    if let Some(ray) = within {
        return Ok(RayKey::Ray(ray));
    }
    let odd = text.len() <= MAX_NONSTANDARD_ID
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    key.filter(|_| odd).ok_or(NotARay)
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, NotARay, ray_from_user};
    use crate::record::RayKey;

    #[test]
    fn a_ray_is_accepted_as_people_have_it() {
        let ray = RayKey::from_logged("764660d8ec5c2ab1").unwrap();
        for text in [
            "764660d8ec5c2ab1",
            "764660D8EC5C2AB1",
            "764660d8ec5c2ab1-SJC",
            "  764660d8ec5c2ab1-sjc\n",
            "CF-RAY: 764660d8ec5c2ab1-SJC",
            "cf-ray:764660d8ec5c2ab1",
            "Cloudflare Ray ID: 764660d8ec5c2ab1 • Your IP",
            "https://example.com/?ray=764660d8ec5c2ab1&x=1",
            "https://example.com/cdn-cgi/trace/764660D8EC5C2AB1",
            "\"764660d8ec5c2ab1\",",
        ] {
            assert_eq!(ray_from_user(text), Ok(ray.clone()), "{text:?}");
        }
    }

    #[test]
    fn id_of_another_form_is_taken_unchanged() {
        for text in ["test-ray-001", "764660d8ec5c2ab", "00", "req_1:2.3"] {
            assert_eq!(ray_from_user(text), Ok(RayKey::Nonstandard(text.into())));
        }
    }

    #[test]
    fn what_can_be_no_id_is_refused() {
        let long = "764660d8ec5c2ab1 ".repeat(MAX_TEXT);
        for text in ["", " ", "a b", "<script>", "ray?", "é", "' OR 1=1", &"7".repeat(129), &long] {
            assert_eq!(ray_from_user(text), Err(NotARay), "{text:?}");
        }
    }

    #[test]
    fn digits_inside_a_longer_word_are_no_ray() {
        assert_eq!(ray_from_user("x764660d8ec5c2ab1 y"), Err(NotARay));
    }
}
