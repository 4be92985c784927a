//! An authenticated caller, with the operations and the records that they may access.
//!
//! A record belongs to the zone in `ZoneName`. Without one it belongs to every zone that its host is in: the host of
//! `ClientRequestHost`, or of a Worker's `Event.Request.URL`. Records inside of a record belong to its zone.
//!
//! # Invariants
//! A caller without a list of zones sees every record. A caller with a list sees a record only if it provably belongs
//! to one of these zones.

use serde::Deserialize;

use super::{Grant, Scope, Scopes};
use crate::mask::Role;
use crate::record::Dataset;
use crate::record::fields::line_text;

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
    pub zones: Option<Vec<String>>,
    /// The datasets that they see; `None` for all.
    pub datasets: Option<Vec<Dataset>>,
}

/// The fields of a record that determine its zone.
#[derive(Deserialize)]
struct ZoneFields {
    #[serde(rename = "ZoneName")]
    zone: Option<String>,
    #[serde(rename = "ClientRequestHost")]
    host: Option<String>,
    #[serde(rename = "Event")]
    event: Option<TraceEvent>,
}

#[derive(Deserialize)]
struct TraceEvent {
    #[serde(rename = "Request")]
    request: Option<TraceRequest>,
}

#[derive(Deserialize)]
struct TraceRequest {
    #[serde(rename = "URL")]
    url: Option<String>,
}

impl Caller {
    /// The caller with this name and the rights of the grant.
    #[must_use]
    pub fn new(name: &str, grant: &Grant) -> Self {
        let Grant { scopes, role, zones, datasets } = grant.clone();
        Self { name: name.to_owned(), scopes, role, zones, datasets }
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

    /// Whether the caller has every scope and sees every record unmasked.
    #[must_use]
    pub fn may_everything(&self) -> bool {
        self.scopes == Scopes::all() && self.role == Role::Forensics && self.zones.is_none() && self.datasets.is_none()
    }

    /// Whether the caller sees records of the zone.
    #[must_use]
    pub fn sees_zone(&self, zone: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|known| known.eq_ignore_ascii_case(zone)))
    }

    /// Whether the caller sees the record `line`, by the zone that it belongs to.
    #[must_use]
    pub fn sees(&self, dataset: Dataset, line: &[u8]) -> bool {
        self.may_dataset(dataset)
            && self.zones.as_ref().is_none_or(|zones| {
                // serde refuses a repeated member, whose value would be ambiguous.
                let whose = serde_json::from_str(&line_text(line)).ok();
                whose.is_some_and(|whose| is_of(dataset, &whose, zones))
            })
    }
}

/// Whether the record belongs to one of the zones.
fn is_of(dataset: Dataset, whose: &ZoneFields, zones: &[String]) -> bool {
    if let Some(name) = whose.zone.as_deref().filter(|name| !name.is_empty()) {
        return zones.iter().any(|zone| zone.eq_ignore_ascii_case(name));
    }
    let host = match dataset {
        Dataset::HttpRequests | Dataset::FirewallEvents => whose.host.clone(),
        Dataset::WorkersTraceEvents => whose.event.as_ref().and_then(host_of),
    };
    host.is_some_and(|host| zones.iter().any(|zone| is_in_zone(&host, zone)))
}

/// The host in the URL of the request to a Worker.
fn host_of(event: &TraceEvent) -> Option<String> {
    let url = url::Url::parse(event.request.as_ref()?.url.as_deref()?).ok()?;
    url.host_str().map(str::to_owned)
}

/// Whether a host, with or without a port, is the zone's name or a subdomain of it.
fn is_in_zone(host: &str, zone: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(name, _)| name);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.strip_suffix(zone).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{Caller, Dataset, Grant, Scope};

    fn caller(zones: Option<&[&str]>, datasets: Option<Vec<Dataset>>) -> Caller {
        let zones = zones.map(|zones| zones.iter().map(|zone| (*zone).to_owned()).collect());
        Caller::new("x", &Grant { zones, datasets, ..Grant::everything() })
    }

    #[test]
    fn record_is_visible_if_any_zone_matches() {
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
        ] {
            assert_eq!(caller.sees(dataset, line.as_bytes()), seen, "{dataset} {line}");
        }
        assert!(caller.sees_zone("A.example") && !caller.sees_zone("c.example"));
    }

    #[test]
    fn without_lists_everything_is_seen() {
        let caller = caller(None, None);
        assert!(caller.sees(Dataset::HttpRequests, b"no record") && caller.sees_zone("x") && caller.may_everything());
        assert!(Scope::ALL.iter().all(|scope| caller.may(*scope)));
    }

    #[test]
    fn unlisted_dataset_is_not_visible() {
        let caller = caller(None, Some(vec![Dataset::FirewallEvents]));
        assert!(caller.sees(Dataset::FirewallEvents, b"{}") && !caller.sees(Dataset::HttpRequests, b"{}"));
        assert!(!caller.may_everything());
    }
}
