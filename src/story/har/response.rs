//! The response of an entry.

use std::borrow::Cow;

use ::http::StatusCode;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::headers::NameValueList;
use super::reader::HarRecord;
use super::request::{bytes_or_unknown, http_version};
use crate::record::FieldValue;
use crate::render::first_header;

/// The media type of a response whose record has none: a private one, as viewers of archives use it.
const NO_MEDIA_TYPE: &str = "x-unknown";

/// The response of a record.
pub(super) struct HarResponse<'a> {
    pub(super) record: &'a HarRecord<'a>,
}

/// What is known of the body, which is in no log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HarContent<'a> {
    size: u64,
    mime_type: Cow<'a, str>,
}

impl HarResponse<'_> {
    /// Returns the status that the client got; `None` if there was none.
    fn status(&self) -> Option<StatusCode> {
        let status = self.record.whole("EdgeResponseStatus")?;
        StatusCode::from_u16(u16::try_from(status).ok()?).ok()
    }
}

impl Serialize for HarResponse<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (record, status) = (self.record, self.status());
        let [all, body] = ["EdgeResponseBytes", "EdgeResponseBodyBytes"].map(|name| record.whole(name));
        let location = first_header(&record.response_headers(), "location");
        let mime_type = record.text("EdgeResponseContentType").unwrap_or(Cow::Borrowed(NO_MEDIA_TYPE));
        let headers = NameValueList { first: Vec::new(), object: record.response_headers() };
        let mut response = serializer.serialize_struct("HarResponse", 9)?;
        response.serialize_field("status", &status.map_or(0, |status| status.as_u16()))?;
        response.serialize_field("statusText", status.and_then(|status| status.canonical_reason()).unwrap_or(""))?;
        response.serialize_field("httpVersion", &http_version(record))?;
        // The text of a Set-Cookie header is masked as a whole, with the names in it.
        response.serialize_field("cookies", &NameValueList { first: Vec::new(), object: FieldValue::Absent })?;
        response.serialize_field("headers", &headers)?;
        response.serialize_field("content", &HarContent { size: body.unwrap_or_default(), mime_type })?;
        response.serialize_field("redirectURL", location.text().unwrap_or_default())?;
        response.serialize_field(
            "headersSize",
            &bytes_or_unknown(all.zip(body).and_then(|(all, body)| all.checked_sub(body))),
        )?;
        response.serialize_field("bodySize", &bytes_or_unknown(body))?;
        response.end()
    }
}
