//! An authenticated caller, with the operations and the records that they may access.
//!
//! A record belongs to the zone in `ZoneName`. Without one it belongs to every zone that its host is in: the first host
//! or URL that `schemas/datasets.toml` names as a zone field of its dataset. Records inside of a record (`Subrequests`) are
//! judged like records of their own; those that do not say their zone belong to that which the record names.
//!
//! # Invariants
//! A caller without a list of zones sees every record. A caller with a list sees a record only if it provably belongs
//! to one of these zones. The lists are private: what follows from them is decided by [`Visibility`].

use super::record_zone::{AmbiguousText, RecordZone, SENDER_ZONE, ZONE_NAME, text_at};
use super::{Dollars, Grant, Scope, Scopes, Visibility};
use crate::mask::Role;
use crate::record::fields::line_text;
use crate::record::{Dataset, RecordMembers};

/// An authenticated caller and what they may access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The id of the token, the address of the person or the id of the service, for the audit log.
    pub name: String,
    /// The operations that they may use.
    pub scopes: Scopes,
    /// The role, which decides how records are masked.
    pub role: Role,
    /// The zones whose records they see, in lower case; `None` for all.
    pub(super) zones: Option<Vec<String>>,
    /// The datasets that they see; `None` for all.
    pub(super) datasets: Option<Vec<Dataset>>,
    /// Searches that an isolate runs for them at a time.
    pub scans: u32,
    /// What they may cost in a day; `None` for the budget of the settings.
    pub daily_budget: Option<Dollars>,
    /// When their token ends, in Unix milliseconds; `None` for one without an end, and for people.
    pub ends_ms: Option<i64>,
    /// The zone that this request asks for, in lower case; `None` for all that they see.
    asked_zone: Option<String>,
}

impl Caller {
    /// The caller with this name and the rights of the grant.
    #[must_use]
    pub fn new(name: &str, grant: &Grant) -> Self {
        let Grant { scopes, role, zones, datasets, scans, daily_budget } = grant.clone();
        let name = name.to_owned();
        Self { name, scopes, role, zones, datasets, scans, daily_budget, ends_ms: None, asked_zone: None }
    }

    /// The caller with a token that ends then.
    #[must_use]
    pub fn until(self, ends_ms: Option<i64>) -> Self {
        Self { ends_ms, ..self }
    }

    /// The same caller, who asks for records of one zone alone. What they may see stays the same.
    #[must_use]
    pub fn asking_for(&self, zone: &str) -> Self {
        Self { asked_zone: Some(zone.to_ascii_lowercase()), ..self.clone() }
    }

    /// What exists for them.
    #[must_use]
    pub const fn visibility(&self) -> Visibility {
        match (&self.zones, &self.datasets) {
            (Some(_), _) => Visibility::Zones,
            (None, Some(_)) => Visibility::Datasets,
            (None, None) => Visibility::Everything,
        }
    }

    /// The datasets that they see; `None` for all.
    #[must_use]
    pub fn datasets(&self) -> Option<&[Dataset]> {
        self.datasets.as_deref()
    }

    /// Whether the caller has the scope.
    #[must_use]
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }

    /// Whether the caller sees records of the dataset.
    #[must_use]
    pub fn may_dataset(&self, dataset: Dataset) -> bool {
        self.datasets.as_ref().is_none_or(|datasets| datasets.contains(&dataset))
    }

    /// Whether the caller sees records of the zone.
    #[must_use]
    pub fn sees_zone(&self, zone: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|known| known.eq_ignore_ascii_case(zone)))
    }

    /// Whether the caller sees the record `line`, by the zone that it belongs to: `of_batch`, where it does not say.
    #[must_use]
    pub fn sees(&self, dataset: Dataset, of_batch: Option<&str>, line: &[u8]) -> bool {
        let asked = self.asked_zone.as_ref().map(std::slice::from_ref);
        let lists = [self.zones.as_deref(), asked].into_iter().flatten();
        self.may_dataset(dataset)
            && lists.into_iter().all(|zones| {
                let text = line_text(line);
                RecordMembers::parse(&text).is_ok_and(|members| is_of(dataset, of_batch, &members, zones))
            })
    }

    /// Returns the first of their zones that a record which they bring is of; `None` for a caller without a list of zones.
    #[must_use]
    pub fn sender_zone(&self, dataset: Dataset, of_batch: Option<&str>, line: &[u8]) -> Option<&str> {
        let zones = self.zones.as_ref()?;
        let said = RecordZone::of(dataset, of_batch, line)?;
        zones.iter().map(String::as_str).find(|zone| said.is(zone))
    }

    /// Whether a span says that they sent it, as it must if they have a list of zones.
    #[must_use]
    pub fn is_named_sender(&self, line: &[u8]) -> bool {
        let Some(zones) = &self.zones else { return true };
        let text = line_text(line);
        let named = RecordMembers::parse(&text).ok().and_then(|members| text_at(&members, SENDER_ZONE).ok().flatten());
        named.is_some_and(|named| zones.contains(&named))
    }

    /// Whether the zone of a record decides whether it is in an answer.
    #[must_use]
    pub const fn is_limited_to_zones(&self) -> bool {
        self.zones.is_some() || self.asked_zone.is_some()
    }
}

/// What a record says of its zone by [`ZONE_NAME`].
pub(super) enum ZoneClaim {
    /// Its name.
    Named(String),
    /// Nothing.
    None,
    /// No text, or two.
    Ambiguous,
}

/// What the record says of its zone by name.
pub(super) fn zone_claim(members: &RecordMembers<'_>) -> ZoneClaim {
    match text_at(members, ZONE_NAME) {
        Ok(Some(name)) => ZoneClaim::Named(name),
        Ok(None) => ZoneClaim::None,
        Err(AmbiguousText) => ZoneClaim::Ambiguous,
    }
}

/// Whether the record belongs to one of the zones.
fn is_of(dataset: Dataset, of_batch: Option<&str>, members: &RecordMembers<'_>, zones: &[String]) -> bool {
    let said = RecordZone::of_members(dataset, of_batch, members);
    said.is_some_and(|said| zones.iter().any(|zone| said.is(zone)))
}

#[cfg(test)]
mod tests {
    use super::{Caller, Dataset, Grant, Scope, Visibility};

    fn caller(zones: Option<&[&str]>, datasets: Option<Vec<Dataset>>) -> Caller {
        let zones = zones.map(|zones| zones.iter().map(|zone| (*zone).to_owned()).collect());
        Caller::new("x", &Grant { zones, datasets, ..Grant::everything() })
    }

    #[test]
    fn record_is_visible_if_any_zone_matches() {
        use Dataset::{AccessRequests, DnsLogs, GatewayHttp, WebsocketAnalytics, ZarazEvents};
        use Dataset::{FirewallEvents as Waf, HttpRequests as Http, WorkersTraceEvents as Trace};
        let caller = caller(Some(&["a.example", "b.example"]), None);
        for (dataset, line, seen) in [
            (Http, r#"{"ZoneName":"a.example","ClientRequestHost":"c.example"}"#, true),
            (Http, r#"{"ZoneName":"A.Example"}"#, true),
            (Http, r#"{"ZoneName":"c.example","ClientRequestHost":"a.example"}"#, false),
            (Http, r#"{"ZoneName":"x.a.example"}"#, false),
            (Http, r#"{"ZoneName":"","ClientRequestHost":"x.b.example:8443"}"#, true),
            (Http, r#"{"ClientRequestHost":"B.EXAMPLE."}"#, true),
            (Http, r#"{"ClientRequestHost":"xa.example"}"#, false),
            (Http, r#"{"ClientRequestHost":"a.example.c.example"}"#, false),
            (Http, r#"{"ZoneName":7,"ClientRequestHost":"a.example"}"#, false),
            (Http, r#"{"ZoneName":"a.example","ZoneName":"c.example"}"#, false),
            (Http, r#"{"Subrequests":[{"ZoneName":"a.example"}]}"#, false),
            (Http, "{}", false),
            (Http, "a.example", false),
            (Waf, r#"{"ClientRequestHost":"a.example"}"#, true),
            (Trace, r#"{"Event":{"Request":{"URL":"https://x.a.example:8443/?c.example"}}}"#, true),
            (Trace, r#"{"Event":{"Request":{"URL":"https://a.example@c.example/"}}}"#, false),
            (Trace, r#"{"Event":{"Request":{"URL":"a.example"}}}"#, false),
            (Trace, r#"{"Event":{"Cron":"* * * * *"}}"#, false),
            (Trace, r#"{"ClientRequestHost":"a.example"}"#, false),
            (Trace, r#"{"Event":{"Request":{"URL":"https://a.example/"}},"Event":{}}"#, false),
            (WebsocketAnalytics, r#"{"clientRequestHTTPHost":"a.example"}"#, true),
            (AccessRequests, r#"{"AppDomain":"x.a.example/path"}"#, true),
            (AccessRequests, r#"{"AppDomain":"c.example/a.example"}"#, false),
            (DnsLogs, r#"{"QueryName":"www.A.example."}"#, true),
            (ZarazEvents, r#"{"URL":"https://b.example/x"}"#, true),
            (GatewayHttp, r#"{"HTTPHost":"a.example","URL":"https://a.example/"}"#, false),
        ] {
            assert_eq!(caller.sees(dataset, None, line.as_bytes()), seen, "{dataset} {line}");
        }
        assert!(caller.sees_zone("A.example") && !caller.sees_zone("c.example"));
    }

    #[test]
    fn sender_is_named_by_one_of_its_zones() {
        let (bound, free) = (caller(Some(&["a.example", "b.example"]), None), caller(None, None));
        let line = br#"{"SpanHost":"x.b.example"}"#;
        assert_eq!(bound.sender_zone(Dataset::Traces, None, line), Some("b.example"));
        assert_eq!(free.sender_zone(Dataset::Traces, None, line), None);
        for (line, is_named) in [
            (&br#"{"SpanHost":"a.example","SpanSenderZone":"a.example"}"#[..], true),
            (br#"{"SpanHost":"a.example","SpanSenderZone":"c.example"}"#, false),
            (br#"{"SpanHost":"a.example","SpanSenderZone":"a.example","SpanSenderZone":"a.example"}"#, false),
            (line, false),
        ] {
            assert_eq!((bound.is_named_sender(line), free.is_named_sender(line)), (is_named, true));
        }
    }

    #[test]
    fn zone_of_the_batch_fills_in_for_records() {
        let caller = caller(Some(&["a.example"]), None);
        for (of_batch, line, seen) in [
            (Some("a.example"), r#"{"RayID":"1"}"#, true),
            (Some("b.example"), r#"{"RayID":"1"}"#, false),
            (Some("a.example"), r#"{"ClientRequestHost":"b.example"}"#, false),
            (Some("b.example"), r#"{"ZoneName":"a.example"}"#, true),
            (Some("a.example"), r#"{"ZoneName":7}"#, false),
            (Some("a.example"), "no record", false),
        ] {
            assert_eq!(caller.sees(Dataset::HttpRequests, of_batch, line.as_bytes()), seen, "{of_batch:?} {line}");
        }
    }

    #[test]
    fn asked_zone_narrows_and_never_widens() {
        let line = |zone: &str| format!(r#"{{"ZoneName":"{zone}"}}"#);
        let sees = |caller: &Caller, zone: &str| caller.sees(Dataset::HttpRequests, None, line(zone).as_bytes());
        let all = caller(None, None).asking_for("B.example");
        assert!(sees(&all, "b.example") && !sees(&all, "a.example"));
        let one = caller(Some(&["a.example"]), None).asking_for("b.example");
        assert!(!sees(&one, "a.example") && !sees(&one, "b.example"));
        assert_eq!((all.visibility(), one.visibility()), (Visibility::Everything, Visibility::Zones));
    }

    #[test]
    fn zones_hide_more_than_datasets() {
        let http = || Some(vec![Dataset::HttpRequests]);
        for (zones, datasets, visibility) in [
            (None, None, Visibility::Everything),
            (None, http(), Visibility::Datasets),
            (Some(&["a.example"][..]), None, Visibility::Zones),
            (Some(&["a.example"][..]), http(), Visibility::Zones),
        ] {
            assert_eq!(caller(zones, datasets).visibility(), visibility);
        }
    }

    #[test]
    fn without_lists_everything_is_seen() {
        let caller = caller(None, None);
        assert!(caller.sees(Dataset::HttpRequests, None, b"no record") && caller.sees_zone("x"));
        assert!(Scope::ALL.iter().all(|scope| caller.may(*scope)));
    }

    #[test]
    fn unlisted_dataset_is_not_visible() {
        let caller = caller(None, Some(vec![Dataset::FirewallEvents]));
        assert!(caller.sees(Dataset::FirewallEvents, None, b"{}") && !caller.sees(Dataset::HttpRequests, None, b"{}"));
    }
}
