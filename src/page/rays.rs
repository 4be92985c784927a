//! Several rays at once, as a page: what each is, in a line.

use super::ago::words_of_age;
use super::answer::{RayLineDocument, RecordsSummary, summarise_records};
use super::frame::PageFrame;
use super::numbers::unix_ms;
use crate::record::{RayKey, ray_from_user};
use crate::time::rfc3339;

/// Several rays, as a page.
#[derive(Debug, askama::Template)]
#[template(path = "rays.html")]
pub struct RaysPage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    /// The rays in their order.
    pub rays: &'a [RaySummary],
    /// Whether the paste had more.
    pub has_more: bool,
}

/// One of several rays.
#[derive(Debug, Default)]
pub struct RaySummary {
    ray: String,
    path: String,
    time: Option<String>,
    age: String,
    summary: RecordsSummary,
    is_found: bool,
}

impl RaySummary {
    /// What the text of a ray says by itself.
    #[must_use]
    pub fn new(text: &str, now_ms: i64) -> Self {
        let key = ray_from_user(text).ok();
        let time = key.as_ref().and_then(RayKey::ray).map(|ray| rfc3339(ray.unix_ms()));
        let age = time.as_deref().and_then(unix_ms).map(|at_ms| words_of_age(now_ms - at_ms)).unwrap_or_default();
        let ray = key.map_or_else(|| text.to_owned(), |key| key.to_string());
        let path = percent_encoding::utf8_percent_encode(&ray, percent_encoding::NON_ALPHANUMERIC).to_string();
        let summary = RecordsSummary { sentence: "Not looked up".to_owned(), ..RecordsSummary::default() };
        Self { ray, path, time, age, summary, is_found: false }
    }

    /// Adds what a line of the answer to `POST /v1/rays` says of one of these rays.
    pub fn take_line(rays: &mut [Self], line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<RayLineDocument>(line) else { return };
        if let Some(ray) = line.index.and_then(|index| rays.get_mut(index)) {
            ray.is_found = line.found;
            ray.summary = summary_of(line);
        }
    }
}

/// What a line of the answer says.
fn summary_of(line: RayLineDocument) -> RecordsSummary {
    let words = |sentence: &str| RecordsSummary { sentence: sentence.to_owned(), ..RecordsSummary::default() };
    match line.problem {
        // An id that no log has is most likely a slip, which the API says by 400.
        Some(problem) if !matches!(problem.status, 400 | 404) => words(&problem.detail),
        _ if !line.found => words("Not found"),
        _ if line.records.is_empty() => words("Found, but nothing that you may see"),
        _ => summarise_records(&line.ray.unwrap_or_default(), line.records),
    }
}

#[cfg(test)]
mod tests {
    use super::RaySummary;

    #[test]
    fn lines_say_what_happened() {
        let mut rays: Vec<RaySummary> =
            ["9e3550d8ec5c2ab1", "9e3550d8ec5c2ab2", "test ray"].map(|ray| RaySummary::new(ray, 0)).into();
        for line in [
            r#"{"index":1,"found":false,"problem":{"status":404,"detail":"x"}}"#,
            r#"{"index":0,"ray":"9e3550d8ec5c2ab1","found":true,"records":[{"dataset":"http_requests","batch":{"key":"k"},"record":{"RayID":"9e3550d8ec5c2ab1","EdgeStartTimestamp":1774687345,"EdgeResponseStatus":502,"ClientRequestMethod":"GET","ClientRequestHost":"a.example","ClientRequestURI":"/x","ParentRayID":"9e3550d8ec5c2ab0","OriginResponseStatus":502}}]}"#,
            r#"{"index":9,"found":true}"#,
            r#"{"raydex":{"end":"x"}}"#,
            "no JSON",
            r#"{"index":2,"ray":"test ray","found":true,"records":[{"dataset":"firewall_events","batch":{"key":"k"},"record":{"RayID":"test ray","Datetime":1774687345,"Action":"block","EdgeResponseStatus":403}},{"dataset":"x","batch":{"key":"k"},"record":null}]}"#,
        ] {
            RaySummary::take_line(&mut rays, line.as_bytes());
        }
        let words: Vec<&str> = rays.iter().map(|ray| ray.summary.sentence.as_str()).collect();
        assert_eq!(words, ["502 from the origin, subrequest of 9e3550d8ec5c2ab0.", "Not found", "403, blocked."]);
        assert_eq!(
            (rays[0].summary.status.as_str(), rays[0].summary.request.as_str()),
            ("502", "GET https://a.example/x")
        );
        assert_eq!(rays[0].time.as_deref(), Some("2026-03-28T08:37:57.260Z"));
        assert_eq!(rays[2].path, "test%20ray");
    }
}
