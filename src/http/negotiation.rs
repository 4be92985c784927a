//! Content negotiation by `Accept` and `Accept-Encoding` (RFC 9110, 12.5).

/// Splits a header's element into its name and its weight; an invalid weight is 0.
fn weighted(element: &str) -> (&str, f32) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
    (name, weight)
}

/// Returns the offer whose media type has the highest weight in `Accept`; among equal weights, the first. Wildcards
/// match no offer.
pub(crate) fn preferred<T>(accept: &str, offers: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut best: Option<(f32, T)> = None;
    for (media_type, weight) in accept.split(',').map(weighted) {
        if let Some(offer) = offers(media_type).filter(|_| weight > best.as_ref().map_or(0.0, |(weight, _)| *weight)) {
            best = Some((weight, offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// Returns whether `Accept` prefers HTML to JSON, as a browser's does for an address that a person opens.
pub(crate) fn prefers_html(accept: &str) -> bool {
    let offers = |name: &str| match name {
        "text/html" => Some(true),
        "application/json" | "application/problem+json" => Some(false),
        _ => None,
    };
    preferred(accept, offers).unwrap_or(false)
}

/// Returns whether `Accept-Encoding` accepts gzip with a weight above 0.
#[must_use]
pub fn accepts_gzip(accept_encoding: &str) -> bool {
    let weight = |coding: &str| {
        let mut elements = accept_encoding.split(',').map(weighted);
        elements.find(|(name, _)| name.eq_ignore_ascii_case(coding)).map(|(_, weight)| weight)
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::{accepts_gzip, preferred, prefers_html};

    #[test]
    fn browsers_prefer_html() {
        for (accept, is_html) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html;q=0.9", false),
            ("application/problem+json", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(prefers_html(accept), is_html, "{accept}");
        }
    }

    #[test]
    fn gzip_is_accepted_where_named_and_not_refused() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, *", true),
            ("*;q=0.1", true),
            ("gzip;q=0, *", false),
            ("gzip;q=x", false),
            ("br, identity", false),
            ("x-gzip2", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(accepted), takes, "{accepted}");
        }
    }

    #[test]
    fn the_first_of_the_weightiest_offers_is_preferred() {
        let offers = |name: &str| ["a/a", "b/b"].into_iter().find(|offer| *offer == name);
        for (accept, offer) in [
            ("b/b, a/a", Some("b/b")),
            ("b/b;q=0.5, a/a;q=0.9", Some("a/a")),
            ("b/b;q=0, a/a;q=x", None),
            ("c/c, */*", None),
            ("", None),
        ] {
            assert_eq!(preferred(accept, offers), offer, "{accept}");
        }
    }
}
