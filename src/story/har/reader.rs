//! The values of a record that an archive is made of, by the names of their fields.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::TIMINGS;
use crate::limits::HAR_BYTES_MAX;
use crate::record::decimal::Decimal;
use crate::record::{FieldValue, NamePlaces, NamedValues};

/// The members of raydex's own that are a field as the record has it.
pub(super) const OWN_MEMBERS: [(&str, &str); 17] = [
    ("_ray", "RayID"),
    ("_parentRay", "ParentRayID"),
    ("_zone", "ZoneName"),
    ("_requestSource", "ClientRequestSource"),
    ("_clientIPAddress", "ClientIP"),
    ("_clientCountry", "ClientCountry"),
    ("_dataCenter", "EdgeColoCode"),
    ("_edgeIPAddress", "EdgeServerIP"),
    ("_cacheStatus", "CacheCacheStatus"),
    ("_originStatus", "OriginResponseStatus"),
    ("_botScore", "BotScore"),
    ("_securityAction", "SecurityAction"),
    ("_securityRule", "SecurityRuleID"),
    ("_workerScript", "WorkerScriptName"),
    ("_workerOutcome", "WorkerStatus"),
    ("_workerCpuUs", "WorkerCPUTime"),
    ("_workerWallUs", "WorkerWallTimeUs"),
];

/// The fields that an archive reads beside those of its own members and those with times.
const FIELDS: [&str; 17] = [
    "ClientRequestBytes",
    "ClientRequestHost",
    "ClientRequestMethod",
    "ClientRequestProtocol",
    "ClientRequestReferer",
    "ClientRequestScheme",
    "ClientRequestURI",
    "ClientRequestUserAgent",
    "ClientSSLProtocol",
    "ClientSrcPort",
    "Cookies",
    "EdgeResponseBodyBytes",
    "EdgeResponseBytes",
    "EdgeResponseContentType",
    "EdgeResponseStatus",
    "OriginIP",
    "RequestHeaders",
];

/// The fields with the headers of the response: that of today, and that of older jobs.
pub(super) const RESPONSE_HEADERS: [&str; 2] = ["ResponseHeaders", "ResponseFields"];

/// Reads records for an archive.
pub(crate) struct HarReader {
    places: NamePlaces,
}

impl HarReader {
    /// Creates a reader.
    pub(crate) fn new() -> Self {
        let own = OWN_MEMBERS.into_iter().map(|(_, field)| field);
        let timings = TIMINGS.into_iter().map(|(field, _)| field);
        let names = FIELDS.into_iter().chain(RESPONSE_HEADERS).chain(own).chain(timings);
        let mut places = NamePlaces::new();
        for name in names {
            let next = places.len();
            places.entry(name.into()).or_insert(next);
        }
        Self { places }
    }

    /// Reads the values of a record; `None` if the text is no record.
    pub(crate) fn read<'a>(&'a self, text: &'a str) -> Option<HarRecord<'a>> {
        let values = NamedValues::read(text, &self.places).ok()?;
        Some(HarRecord { places: &self.places, values })
    }
}

/// The values of one record.
pub(crate) struct HarRecord<'a> {
    places: &'a NamePlaces,
    values: NamedValues<'a>,
}

impl<'a> HarRecord<'a> {
    /// Returns the JSON of a field, to be written as it is.
    pub(super) fn json(&self, name: &str) -> Option<&'a RawValue> {
        self.values.json(*self.places.get(name)?)
    }

    /// Returns the JSON text of a field.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.json(name).map(RawValue::get)
    }

    /// Returns the value of a field.
    pub(super) fn value(&self, name: &str) -> FieldValue<'a> {
        self.raw(name).map_or(FieldValue::Absent, FieldValue::from_json)
    }

    /// Returns the text of a field, if it has one that is not empty; a number is its digits.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.value(name) {
            FieldValue::Text(text) => Some(text).filter(|text| !text.is_empty()),
            FieldValue::Number(digits) => Some(Cow::Borrowed(digits)),
            FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
        }
    }

    /// Returns the whole number in a field, if a reader of JSON has it exactly.
    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        whole_of(&self.text(name)?)
    }

    /// Returns the object of the response's headers.
    pub(super) fn response_headers(&self) -> FieldValue<'a> {
        let is_object = |value: &FieldValue<'_>| matches!(value, FieldValue::Nested(_));
        RESPONSE_HEADERS.into_iter().map(|name| self.value(name)).find(is_object).unwrap_or(FieldValue::Absent)
    }
}

/// Returns the whole number that a text spells.
pub(super) fn whole_of(text: &str) -> Option<u64> {
    Decimal::parse(text)?.whole(0).filter(|number| *number <= HAR_BYTES_MAX)
}
