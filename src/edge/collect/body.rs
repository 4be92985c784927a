//! A request with reports, and its body parted into them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::edge::exchange::{header_in, ray_in, route_of};
use crate::record::RayId;
use crate::record::fields::line_text;

/// The Reporting API's media type: an array of reports, those of NEL among them.
pub(super) const REPORTS_JSON: &str = "application/reports+json";
/// The media type of a CSP report before the Reporting API: one object.
pub(super) const CSP_REPORT: &str = "application/csp-report";
/// JSON of any shape.
pub(super) const ANY_JSON: &str = "application/json";
/// Lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// A request with reports, as the shell describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReportRequest {
    /// The URL of the request.
    pub url: String,
    /// Names and values of the request's headers, by turns, with line feeds between them.
    pub headers: String,
}

impl ReportRequest {
    /// Parses the shell's description; `None` if it is not in this form.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        serde_json::from_str(&line_text(description.as_bytes())).ok()
    }

    /// Returns the value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header_in(&self.headers, name)
    }

    /// Returns the media type in lower case, without parameters; empty if there is none.
    #[must_use]
    pub fn media_type(&self) -> String {
        let content_type = self.header("content-type").unwrap_or_default();
        content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Returns the host of the URL.
    pub(super) fn host(&self) -> &str {
        route_of(&self.url).split('/').next().unwrap_or_default()
    }

    /// Returns the ray that the platform gave the request.
    pub(super) fn ray(&self) -> Option<RayId> {
        ray_in(&self.headers)
    }
}

/// The body of a request, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportBody<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It is larger than its rule allows.
    TooLarge,
    /// It broke off.
    Broken,
}

/// Returns the text of a body, without a byte-order mark; `None` if it is not UTF-8, as JSON is: two reports that differ must
/// not become equal.
pub(super) fn body_text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    Some(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Parts a body into its reports: the elements of an array, the lines of NDJSON, or the one value. `None` if it is not JSON; in
/// place of a line that is not.
pub(super) fn part_body<'t>(media_type: &str, text: &'t str) -> Option<Vec<Option<&'t RawValue>>> {
    if media_type == NDJSON {
        let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
        return Some(lines.map(|line| serde_json::from_str(line).ok()).collect());
    }
    if text.trim_start().starts_with('[') {
        let reports: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        Some(reports.into_iter().map(Some).collect())
    } else {
        Some(vec![Some(serde_json::from_str(text).ok()?)])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{ANY_JSON, CSP_REPORT, NDJSON, REPORTS_JSON, ReportRequest, body_text, part_body};

    #[test]
    fn bodies_part_into_their_reports() {
        for (media_type, body, parts) in [
            (REPORTS_JSON, " [{\"a\":1}, {\"b\":[2]}]\n", Some(&["{\"a\":1}", "{\"b\":[2]}"][..])),
            (CSP_REPORT, "{\"csp-report\":{}}", Some(&["{\"csp-report\":{}}"])),
            (ANY_JSON, "\u{feff}[]", Some(&[])),
            (ANY_JSON, "7", Some(&["7"])),
            (NDJSON, "{\"a\":1}\r\n\n[2]\n", Some(&["{\"a\":1}", "[2]"])),
            (NDJSON, "{\"a\":1}\n{\n3", Some(&["{\"a\":1}", "not JSON", "3"])),
            (ANY_JSON, "{} {}", None),
            (ANY_JSON, "[{},]", None),
            (ANY_JSON, "", None),
        ] {
            let found = part_body(media_type, body_text(body.as_bytes()).unwrap());
            let text = |part: Option<&'static RawValue>| part.map_or("not JSON", RawValue::get);
            let found: Option<Vec<&str>> = found.map(|parts| parts.into_iter().map(text).collect());
            assert_eq!(found.as_deref(), parts, "{body}");
        }
        assert_eq!((body_text(b"[\"\xff\"]"), body_text(b"\xff\xfe[\0")), (None, None));
    }

    #[test]
    fn requests_are_read_from_their_description() {
        let request = ReportRequest::parse(
            r#"{"url":"https://A.example:8443/r?k=1","headers":"content-type\nApplication/Reports+JSON; charset=utf-8\ncf-ray\n9efa0d09391dabcb-HKG"}"#,
        );
        let request = request.unwrap();
        assert_eq!((request.media_type().as_str(), request.host()), (REPORTS_JSON, "A.example:8443"));
        assert_eq!(request.ray().unwrap().bits(), 0x9efa_0d09_391d_abcb);
        assert!(ReportRequest::parse("{}").is_none());
    }
}
