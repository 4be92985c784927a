//! The rules of a deployment by route: which reports are taken, and what makes two of them equal.
//!
//! A setting has them as a JSON array; the first one whose route matches holds. Without one, every report of a known media type
//! is taken.

use serde::Deserialize;
use serde_json::Value;

use super::body::{ANY_JSON, CSP_REPORT, NDJSON, REPORTS_JSON};
use super::report::ReportValue;
use super::schema::{ReportSchema, SchemaFault};
use crate::edge::quota::{KeyQuota, QuotaEntry};
use crate::edge::route::{matches_pattern, read_pattern};
use crate::filter::{Filter, FilterError};
use crate::limits::{COLLECT_BODY_BYTES, EDGE_NAMES_MAX, EDGE_ROUTES_MAX};
use crate::record::RayId;

/// The members that do not count where a rule does not say which: the Reporting API's age of a report.
const IGNORED: &[&str] = &["age"];

/// Why rules are not valid. No text contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectRuleFault {
    /// The setting is not an array of rules.
    #[error(
        "must be a JSON array of rules, each with route and any of types, max_bytes, schema, ignore, filter, sample and quota"
    )]
    NotRules,
    /// There are too many.
    #[error("has more than {EDGE_ROUTES_MAX} rules")]
    TooMany,
    /// The route of the rule with this number is not one.
    #[error("has no route in rule {0}: a host and a path with * for any characters, such as reports.example.com/csp*")]
    NotARoute(usize),
    /// The media types of the rule with this number are none.
    #[error("has types in rule {0} that are not valid: a list of media types, such as application/reports+json")]
    Types(usize),
    /// The size of the rule with this number is not valid.
    #[error("has max_bytes in rule {0} that is not valid: from 1 to {most}", most = COLLECT_BODY_BYTES.1)]
    Size(usize),
    /// The schema of the rule with this number is not valid.
    #[error("has a schema in rule {0} that is not valid: {1}")]
    Schema(usize, SchemaFault),
    /// A member to ignore of the rule with this number has no name.
    #[error(
        "has ignore in rule {0} that is not valid: at most {EDGE_NAMES_MAX} members, such as age or body.originalPolicy"
    )]
    Ignore(usize),
    /// The filter of the rule with this number is not valid.
    #[error("has a filter in rule {0} that is not valid: {1}")]
    Filter(usize, FilterError),
    /// The quota of the rule with this number is not valid.
    #[error(
        "has a quota in rule {0} that is not valid: key is query:NAME, header:NAME or path:N, per_minute a number from 1"
    )]
    Quota(usize),
}

/// A rule as the setting has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CollectEntry {
    route: String,
    types: Option<Vec<String>>,
    max_bytes: Option<usize>,
    schema: Option<Value>,
    ignore: Option<Vec<String>>,
    filter: Option<Value>,
    sample: Option<u32>,
    quota: Option<QuotaEntry>,
}

/// The rule of the reports of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectRule {
    /// The host and the path, with `*` for any characters; host in lower case.
    pub(super) pattern: String,
    /// The media types that are taken, in lower case.
    types: Vec<String>,
    /// Maximum number of bytes of a body.
    pub max_bytes: usize,
    /// The shape of a report.
    schema: ReportSchema,
    /// The paths of members that do not count and are left out; `None` for those of the media type.
    ignore: Option<Vec<Vec<String>>>,
    /// The filter that a report must match.
    pub(super) filter: Option<Filter>,
    /// One of this many requests is taken; 0 for none.
    pub(super) sample: u32,
    /// The quota of each key.
    pub(super) quota: Option<KeyQuota>,
}

impl Default for CollectRule {
    fn default() -> Self {
        Self {
            pattern: "*".into(),
            types: [REPORTS_JSON, CSP_REPORT, ANY_JSON, NDJSON].map(str::to_owned).into(),
            max_bytes: COLLECT_BODY_BYTES.0,
            schema: ReportSchema::default(),
            ignore: None,
            filter: None,
            sample: 1,
            quota: None,
        }
    }
}

impl CollectRule {
    /// Returns whether the rule is that of an address: its host and path, without scheme and query.
    #[must_use]
    pub fn matches(&self, address: &str) -> bool {
        matches_pattern(self.pattern.as_bytes(), address.as_bytes())
    }

    /// Returns whether reports of this media type are taken.
    pub(super) fn takes(&self, media_type: &str) -> bool {
        self.types.iter().any(|taken| taken == media_type)
    }

    /// Returns whether the sample has the reports of a request: a function of its ray alone.
    pub(super) fn samples(&self, ray: RayId) -> bool {
        ray.below_clock().checked_rem(self.sample.into()) == Some(0)
    }

    /// Returns whether a report is an object of the rule's shape.
    pub(super) fn accepts_shape(&self, report: &ReportValue) -> bool {
        matches!(report, ReportValue::Object(_)) && self.schema.accepts(report)
    }

    /// Returns whether the filter has a report; `None` if that cannot be said.
    pub(super) fn passes(&self, report: &ReportValue) -> Option<bool> {
        let Some(filter) = &self.filter else { return Some(true) };
        filter.accepts(report.flat_record().as_bytes()).ok()
    }

    /// Removes what does not count of a report that came in this media type.
    pub(super) fn strip(&self, report: &mut ReportValue, media_type: &str) {
        match &self.ignore {
            Some(paths) => paths.iter().for_each(|path| report.remove(path)),
            None if media_type == REPORTS_JSON => {
                for name in IGNORED {
                    report.remove(&[(*name).to_owned()]);
                }
            }
            None => {}
        }
    }
}

/// Parses the rules of a setting.
///
/// # Errors
/// [`CollectRuleFault`] names the rule, counted from 1.
pub fn read_collect_rules(setting: &str) -> Result<Vec<CollectRule>, CollectRuleFault> {
    let entries: Vec<CollectEntry> = serde_json::from_str(setting).map_err(|_| CollectRuleFault::NotRules)?;
    if entries.len() > EDGE_ROUTES_MAX {
        return Err(CollectRuleFault::TooMany);
    }
    entries.into_iter().enumerate().map(|(place, entry)| read_rule(place + 1, entry)).collect()
}

fn read_rule(number: usize, entry: CollectEntry) -> Result<CollectRule, CollectRuleFault> {
    let CollectEntry { route, types, max_bytes, schema, ignore, filter, sample, quota } = entry;
    let usual = CollectRule::default();
    let is_type = |text: &String| text.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
    let lower = |types: Vec<String>| types.into_iter().map(|text| text.to_ascii_lowercase()).collect::<Vec<_>>();
    let types = types.map_or(usual.types, lower);
    let max_bytes = max_bytes.unwrap_or(usual.max_bytes);
    let filter = filter.map(|filter| Filter::parse(&filter.to_string()));
    let quota = quota.map(|quota| quota.read().ok_or(CollectRuleFault::Quota(number))).transpose()?;
    if types.is_empty() || types.len() > EDGE_NAMES_MAX || !types.iter().all(is_type) {
        return Err(CollectRuleFault::Types(number));
    }
    if !(1..=COLLECT_BODY_BYTES.1).contains(&max_bytes) {
        return Err(CollectRuleFault::Size(number));
    }
    let schema = schema.map(|schema| ReportSchema::parse(&schema)).transpose();
    Ok(CollectRule {
        pattern: read_pattern(&route).ok_or(CollectRuleFault::NotARoute(number))?,
        types,
        max_bytes,
        schema: schema.map_err(|fault| CollectRuleFault::Schema(number, fault))?.unwrap_or_default(),
        ignore: ignore.map(|paths| read_paths(&paths).ok_or(CollectRuleFault::Ignore(number))).transpose()?,
        filter: filter.transpose().map_err(|error| CollectRuleFault::Filter(number, error))?,
        sample: sample.unwrap_or(usual.sample),
        quota,
    })
}

/// Parses paths of members, with points between the names.
fn read_paths(paths: &[String]) -> Option<Vec<Vec<String>>> {
    let is_listed = paths.len() <= EDGE_NAMES_MAX;
    let parsed = paths.iter().map(|path| path.split('.').map(str::to_owned).collect::<Vec<_>>());
    let parsed: Vec<Vec<String>> = parsed.collect();
    (is_listed && parsed.iter().flatten().all(|name| !name.is_empty())).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::super::body::{ANY_JSON, CSP_REPORT, REPORTS_JSON};
    use super::super::tests::value;
    use super::{CollectRule, CollectRuleFault, SchemaFault, read_collect_rules};

    #[test]
    fn rules_say_which_reports_are_taken() {
        let rules = read_collect_rules(
            r#"[{"route":"A.example/csp*","types":["Application/CSP-report"],"max_bytes":1000,"ignore":["csp-report.source-file"],
            "schema":{"required":["csp-report"]},"filter":{"where":{"key":"csp-report.disposition","operator":"eq","value":"enforce"}},
            "sample":4,"quota":{"key":"query:k","per_minute":5}}]"#,
        );
        let [rule] = rules.unwrap().try_into().unwrap();
        assert!(rule.matches("a.example/csp/1") && !rule.matches("a.example/nel"));
        assert!(rule.takes(CSP_REPORT) && !rule.takes(REPORTS_JSON) && rule.max_bytes == 1_000);
        let mut report = value(r#"{"csp-report":{"disposition":"enforce","source-file":"x"}}"#);
        assert_eq!((rule.accepts_shape(&report), rule.passes(&report)), (true, Some(true)));
        rule.strip(&mut report, CSP_REPORT);
        assert_eq!(report.canonical(), r#"{"csp-report":{"disposition":"enforce"}}"#);
        let other = value(r#"{"csp-report":{"disposition":"report"}}"#);
        assert_eq!((rule.passes(&other), rule.accepts_shape(&value("{}"))), (Some(false), false));
    }

    #[test]
    fn route_without_a_rule_takes_every_report() {
        let rule = CollectRule::default();
        assert!([REPORTS_JSON, CSP_REPORT, ANY_JSON].iter().all(|kind| rule.takes(kind)) && !rule.takes("text/plain"));
        for (media_type, stripped) in [(REPORTS_JSON, r#"{"type":"x"}"#), (ANY_JSON, r#"{"age":1,"type":"x"}"#)] {
            let mut report = value(r#"{"age":1,"type":"x"}"#);
            rule.strip(&mut report, media_type);
            assert_eq!(report.canonical(), stripped);
        }
        assert!(rule.accepts_shape(&value("{}")) && !rule.accepts_shape(&value("[]")), "a report is an object");
    }

    #[test]
    fn faults_name_their_rule() {
        for (setting, fault) in [
            ("{}", CollectRuleFault::NotRules),
            (r#"[{"route":"a/*","shema":{}}]"#, CollectRuleFault::NotRules),
            (r#"[{"route":"a"}]"#, CollectRuleFault::NotARoute(1)),
            (r#"[{"route":"a/*"},{"route":"a/*","types":[]}]"#, CollectRuleFault::Types(2)),
            (r#"[{"route":"a/*","types":["json"]}]"#, CollectRuleFault::Types(1)),
            (r#"[{"route":"a/*","max_bytes":262145}]"#, CollectRuleFault::Size(1)),
            (
                r#"[{"route":"a/*","schema":{"$ref":"x"}}]"#,
                CollectRuleFault::Schema(1, SchemaFault::Keyword("$ref".into())),
            ),
            (r#"[{"route":"a/*","ignore":["a..b"]}]"#, CollectRuleFault::Ignore(1)),
            (r#"[{"route":"a/*","quota":{"key":"cookie:a"}}]"#, CollectRuleFault::Quota(1)),
            (r#"[{"route":"a/*","quota":{"key":"path:1","per_minute":0}}]"#, CollectRuleFault::Quota(1)),
        ] {
            assert_eq!(read_collect_rules(setting), Err(fault), "{setting}");
        }
        let filter = read_collect_rules(r#"[{"route":"a/*","filter":{"where":7}}]"#);
        assert!(matches!(filter, Err(CollectRuleFault::Filter(1, _))), "{filter:?}");
        let many = format!("[{}]", vec![r#"{"route":"a/*"}"#; 101].join(","));
        assert_eq!(read_collect_rules(&many), Err(CollectRuleFault::TooMany));
    }
}
