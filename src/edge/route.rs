//! The rules of a deployment by route: which requests are recorded, and what of their payload.
//!
//! A setting has them as a JSON array; the first one whose route matches holds. Without one, every request is recorded, without
//! its payload.

use serde::Deserialize;
use serde_json::Value;

use super::quota::{KeyQuota, QuotaEntry};
use crate::filter::{Filter, FilterError};
use crate::limits::{EDGE_PAYLOAD_BYTES, EDGE_ROUTES_MAX, QUOTA_PER_MINUTE_MAX};
use crate::record::RayId;

/// Why rules are not valid. No text contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteFault {
    /// The setting is not an array of rules.
    #[error(
        "must be a JSON array of rules, each with route and any of sample, filter, quota, payload_types and payload_bytes"
    )]
    NotRules,
    /// There are too many.
    #[error("has more than {EDGE_ROUTES_MAX} rules")]
    TooMany,
    /// The route of the rule with this number is not one.
    #[error("has no route in rule {0}: a host and a path with * for any characters, such as api.example.com/v1/*")]
    NotARoute(usize),
    /// The filter of the rule with this number is not valid.
    #[error("has a filter in rule {0} that is not valid: {1}")]
    Filter(usize, FilterError),
    /// The quota of the rule with this number is not valid.
    #[error(
        "has a quota in rule {0} that is not valid: key is query:NAME, header:NAME or path:N, per_minute from 1 to {QUOTA_PER_MINUTE_MAX}"
    )]
    Quota(usize),
    /// The payload of the rule with this number is not valid.
    #[error(
        "has a payload in rule {0} that is not valid: payload_types are media types, payload_bytes is from 1 to {EDGE_PAYLOAD_BYTES}"
    )]
    Payload(usize),
}

/// A rule as the setting has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    route: String,
    #[serde(default = "every")]
    sample: u32,
    filter: Option<Value>,
    quota: Option<QuotaEntry>,
    #[serde(default)]
    payload_types: Vec<String>,
    payload_bytes: Option<usize>,
}

const fn every() -> u32 {
    1
}

/// The rule of the requests of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteRule {
    /// The host and the path, with `*` for any characters; host in lower case.
    pattern: String,
    /// One of this many requests is recorded; 0 for none.
    pub sample: u32,
    /// The filter that a record must match.
    pub filter: Option<Filter>,
    /// Number of records of each key that are taken in a minute.
    pub quota: Option<KeyQuota>,
    /// The media types of payloads that are kept, in lower case.
    payload_types: Vec<String>,
    /// Maximum number of bytes of a payload that are kept.
    payload_bytes: usize,
}

impl Default for RouteRule {
    fn default() -> Self {
        Self { pattern: "*".into(), sample: 1, filter: None, quota: None, payload_types: Vec::new(), payload_bytes: 0 }
    }
}

impl RouteRule {
    /// Returns whether the rule is that of an address: its host and path, without scheme and query.
    #[must_use]
    pub fn matches(&self, address: &str) -> bool {
        matches_pattern(self.pattern.as_bytes(), address.as_bytes())
    }

    /// Returns its route.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns whether the sample has the request: a function of its ray alone, so that all records of a ray are kept or none.
    #[must_use]
    pub fn samples(&self, ray: RayId) -> bool {
        ray.below_clock().checked_rem(self.sample.into()) == Some(0)
    }

    /// Returns how many bytes are kept of a payload of this content type.
    #[must_use]
    pub fn payload_bytes(&self, content_type: &str) -> usize {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_kept = self.payload_types.iter().any(|kept| kept.eq_ignore_ascii_case(media_type));
        if is_kept { self.payload_bytes } else { 0 }
    }
}

/// Returns whether the text matches the pattern, in which `*` stands for any characters. Linear but for the last `*`.
pub(super) fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen, mut star) = (0, 0, None);
    while let Some(byte) = text.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(wanted) if wanted == byte => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                (at, seen) = (after, from + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Parses the rules of a setting.
///
/// # Errors
/// [`RouteFault`] names the rule, counted from 1.
pub fn read_routes(setting: &str) -> Result<Vec<RouteRule>, RouteFault> {
    let entries: Vec<RouteEntry> = serde_json::from_str(setting).map_err(|_| RouteFault::NotRules)?;
    if entries.len() > EDGE_ROUTES_MAX {
        return Err(RouteFault::TooMany);
    }
    entries.into_iter().enumerate().map(|(place, entry)| read_route(place + 1, entry)).collect()
}

fn read_route(number: usize, entry: RouteEntry) -> Result<RouteRule, RouteFault> {
    let pattern = read_pattern(&entry.route).ok_or(RouteFault::NotARoute(number))?;
    let quota = entry.quota.map(|quota| quota.read().filter(|quota| quota.per_minute.is_some()));
    let quota = quota.map(|quota| quota.ok_or(RouteFault::Quota(number))).transpose()?;
    let filter = entry.filter.map(|filter| Filter::parse(&filter.to_string()));
    let filter = filter.transpose().map_err(|error| RouteFault::Filter(number, error))?;
    let is_type = |text: &String| text.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
    let payload_bytes = entry.payload_bytes.unwrap_or(EDGE_PAYLOAD_BYTES);
    let fits = (1..=EDGE_PAYLOAD_BYTES).contains(&payload_bytes) && entry.payload_types.iter().all(is_type);
    if !fits || (entry.payload_bytes.is_some() && entry.payload_types.is_empty()) {
        return Err(RouteFault::Payload(number));
    }
    Ok(RouteRule { pattern, sample: entry.sample, filter, quota, payload_types: entry.payload_types, payload_bytes })
}

/// Reads a route: a host, in lower case then, and a path, with `*` for any characters.
pub(super) fn read_pattern(route: &str) -> Option<String> {
    let (host, path) = route.split_once('/')?;
    let is_route = !host.is_empty() && !route.contains(['?', '#', ' ']) && !route.contains("://");
    is_route.then(|| format!("{}/{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::{RouteFault, matches_pattern, read_routes};
    use crate::edge::exchange::route_of;
    use crate::record::RayId;

    #[test]
    fn routes_match_as_patterns_of_routes_do() {
        for (pattern, text, matches) in [
            ("a.example/*", "a.example/", true),
            ("a.example/*", "a.example/v1/x", true),
            ("a.example/v1/*", "a.example/v2/x", false),
            ("*.example/v1*", "b.a.example/v1x", true),
            ("*/health", "a.example/health", true),
            ("*/health", "a.example/healthz", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a.example/", "a.example/", true),
            ("*", "", true),
        ] {
            assert_eq!(matches_pattern(pattern.as_bytes(), text.as_bytes()), matches, "{pattern} {text}");
        }
        assert_eq!(route_of("https://a.example/v1/x?y=/z#f"), "a.example/v1/x");
    }

    #[test]
    fn rules_say_what_is_kept() {
        let rules = read_routes(
            r#"[{"route":"A.example/v1/*","sample":4,"filter":{"where":{"key":"EdgeResponseStatus","operator":"geq",
            "value":500}},"payload_types":["application/json"],"payload_bytes":100},{"route":"*/*","sample":0}]"#,
        );
        let [first, second] = rules.unwrap().try_into().unwrap();
        assert!(first.matches("a.example/v1/x") && !first.matches("a.example/v2"));
        assert_eq!(first.payload_bytes("Application/JSON; charset=utf-8"), 100);
        assert_eq!((first.payload_bytes("text/plain"), second.payload_bytes("application/json")), (0, 0));
        let sampled = (0..1_000).filter(|low| first.samples(RayId::from_bits(7 << 28 | low))).count();
        assert_eq!((sampled, second.samples(RayId::from_bits(0))), (250, false));
    }

    #[test]
    fn faults_name_their_rule() {
        for (setting, fault) in [
            ("{}", RouteFault::NotRules),
            (r#"[{"route":"a/*","paylod_types":[]}]"#, RouteFault::NotRules),
            (r#"[{"route":"a.example"}]"#, RouteFault::NotARoute(1)),
            (r#"[{"route":"a/*"},{"route":"https://a/*"}]"#, RouteFault::NotARoute(2)),
            (r#"[{"route":"a/*","payload_types":["json"]}]"#, RouteFault::Payload(1)),
            (r#"[{"route":"a/*","payload_bytes":10}]"#, RouteFault::Payload(1)),
            (r#"[{"route":"a/*","quota":{"key":"header:x-api-key"}}]"#, RouteFault::Quota(1)),
            (r#"[{"route":"a/*","quota":{"key":"cookie:sid","per_minute":1}}]"#, RouteFault::Quota(1)),
            (r#"[{"route":"a/*","payload_types":["a/b"],"payload_bytes":32769}]"#, RouteFault::Payload(1)),
        ] {
            assert_eq!(read_routes(setting), Err(fault), "{setting}");
        }
        let filter = read_routes(r#"[{"route":"a/*","filter":{"where":7}}]"#);
        assert!(matches!(filter, Err(RouteFault::Filter(1, _))), "{filter:?}");
        let many = format!("[{}]", vec![r#"{"route":"a/*"}"#; 101].join(","));
        assert_eq!(read_routes(&many), Err(RouteFault::TooMany));
    }
}
