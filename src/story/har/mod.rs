//! A request as an entry of an HTTP archive (HAR 1.2), made from its record of `http_requests`.
//!
//! # Invariants
//! An entry has values of its record alone, none of which is kept while it is written. `timings` without those that are -1
//! add up to `time` exactly; `ssl` is a part of `connect`. What the record does not say is what the format has for that:
//! -1, 0, an empty text, or no member. Names with an underscore are raydex's own, as the format allows them.

mod headers;
mod reader;
mod request;
mod response;
mod timings;
mod url;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use self::reader::OWN_MEMBERS;
use self::request::HarRequest;
use self::response::HarResponse;
use self::timings::{HarMilliseconds, HarPhases, HarTimings};
use super::Phases;
use crate::record::{RayId, Timestamp};
use crate::time::rfc3339;

pub(crate) use self::reader::{HarReader, HarRecord};

/// The values that say that there is none: of a text, and of a parent.
const NO_VALUES: [&str; 3] = ["null", "\"\"", "\"00\""];

/// An entry of an archive.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HarEntry<'a> {
    pageref: &'a str,
    started_date_time: String,
    time: HarMilliseconds,
    request: HarRequest<'a>,
    response: HarResponse<'a>,
    cache: NoMembers,
    timings: HarTimings,
    #[serde(rename = "serverIPAddress", skip_serializing_if = "Option::is_none")]
    server_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(rename = "_phases")]
    phases: HarPhases,
    #[serde(rename = "_mergedIn", skip_serializing_if = "Option::is_none")]
    merged_in: Option<String>,
    #[serde(flatten)]
    own: OwnMembers<'a>,
}

impl<'a> HarEntry<'a> {
    /// Makes the entry of a record on a page; `merged_in` is the ray of the record that it came in.
    pub(crate) fn new(record: &'a HarRecord<'a>, pageref: &'a str, merged_in: Option<String>) -> Self {
        let phases = Phases::from_record(|name| record.raw(name));
        let timings = HarTimings::new(&phases);
        let is_address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
        Self {
            pageref,
            started_date_time: rfc3339(started_ns(record, |_, _| true).unwrap_or_default().div_euclid(1_000_000)),
            time: timings.time(),
            request: HarRequest { record },
            response: HarResponse { record },
            cache: NoMembers {},
            timings,
            server_ip_address: record.text("OriginIP").filter(|text| is_address(text)).map(Into::into),
            connection: record.whole("ClientSrcPort").filter(|port| *port > 0).map(|port| port.to_string()),
            phases: HarPhases(phases),
            merged_in,
            own: OwnMembers { record },
        }
    }

    /// Returns when the request began, in RFC 3339.
    pub(crate) fn started_date_time(&self) -> &str {
        &self.started_date_time
    }
}

/// Returns when a request began, in Unix nanoseconds: by its record, or else by its ray; of each, if `shows` says of the
/// field and its text that they are seen.
pub(crate) fn started_ns(record: &HarRecord<'_>, shows: impl Fn(&str, &str) -> bool) -> Option<i64> {
    let seen = |field: &str| record.text(field).filter(|text| shows(field, text));
    let logged = || Timestamp::parse_logged(&seen("EdgeStartTimestamp")?).map(Timestamp::unix_ns);
    let of_ray = || RayId::from_hex(seen("RayID")?.as_bytes()).map(|ray| ray.unix_ms() * 1_000_000);
    logged().or_else(of_ray)
}

/// An object without members: nothing is known of the browser's cache.
#[derive(Serialize)]
struct NoMembers {}

/// The members of raydex's own, each only if the record has a value.
struct OwnMembers<'a> {
    record: &'a HarRecord<'a>,
}

impl Serialize for OwnMembers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, field) in OWN_MEMBERS {
            if let Some(value) = self.record.json(field).filter(|value| !NO_VALUES.contains(&value.get())) {
                members.serialize_entry(name, value)?;
            }
        }
        members.end()
    }
}

#[cfg(test)]
mod tests;
