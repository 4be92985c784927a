//! The request of an entry.

use std::borrow::Cow;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::headers::NameValueList;
use super::reader::{HarRecord, whole_of};
use super::url::HarUrl;
use crate::record::FieldValue;
use crate::render::first_header;

/// The headers of a request that are fields of their own.
const OWN_HEADERS: [(&str, &str); 3] =
    [("host", "ClientRequestHost"), ("user-agent", "ClientRequestUserAgent"), ("referer", "ClientRequestReferer")];

/// The request of a record.
pub(super) struct HarRequest<'a> {
    pub(super) record: &'a HarRecord<'a>,
}

/// Returns the version of HTTP that the client spoke.
pub(super) fn http_version<'a>(record: &HarRecord<'a>) -> Cow<'a, str> {
    record.text("ClientRequestProtocol").unwrap_or(Cow::Borrowed("unknown"))
}

/// A number of bytes; -1 where it is not known.
pub(super) fn bytes_or_unknown(bytes: Option<u64>) -> i64 {
    bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1)
}

impl HarRequest<'_> {
    /// Returns the bytes of the body, as the client announced it.
    fn body_bytes(&self) -> Option<u64> {
        match first_header(&self.record.value("RequestHeaders"), "content-length") {
            FieldValue::Text(text) => whole_of(&text),
            FieldValue::Number(digits) => whole_of(digits),
            FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
        }
    }
}

impl Serialize for HarRequest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let (url, body) = (HarUrl::new(record), self.body_bytes());
        let own = OWN_HEADERS.into_iter().filter_map(|(header, field)| Some((header, record.text(field)?)));
        let headers = NameValueList { first: own.collect(), object: record.value("RequestHeaders") };
        let cookies = NameValueList { first: Vec::new(), object: record.value("Cookies") };
        let all = record.whole("ClientRequestBytes");
        let mut request = serializer.serialize_struct("HarRequest", 8)?;
        request.serialize_field("method", &record.text("ClientRequestMethod").unwrap_or_default())?;
        request.serialize_field("url", &url)?;
        request.serialize_field("httpVersion", &http_version(record))?;
        request.serialize_field("cookies", &cookies)?;
        request.serialize_field("headers", &headers)?;
        request.serialize_field("queryString", &url.query())?;
        request.serialize_field(
            "headersSize",
            &bytes_or_unknown(all.zip(body).and_then(|(all, body)| all.checked_sub(body))),
        )?;
        request.serialize_field("bodySize", &bytes_or_unknown(body))?;
        request.end()
    }
}
