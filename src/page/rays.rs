//! Several rays at once, as a page: what each is, in a line.

use serde::Deserialize;
use serde_json::Value;

use super::ago::words_of_age;
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
    words: String,
    is_found: bool,
}

/// A line of the answer to `POST /v1/rays`.
#[derive(Debug, Deserialize)]
struct RayLineDocument {
    index: Option<usize>,
    #[serde(default)]
    found: bool,
    #[serde(default)]
    records: Vec<LineRecord>,
    problem: Option<LineProblem>,
}

#[derive(Debug, Deserialize)]
struct LineRecord {
    dataset: String,
    record: Option<LineFields>,
}

/// The fields of a record that say in a line what happened.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LineFields {
    edge_response_status: Value,
    client_request_method: Value,
    client_request_host: Value,
    #[serde(rename = "ClientRequestURI")]
    client_request_uri: Value,
}

#[derive(Debug, Deserialize)]
struct LineProblem {
    status: u16,
    detail: String,
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
        Self { ray, path, time, age, words: "Not looked up".into(), is_found: false }
    }

    /// Adds what a line of the answer to `POST /v1/rays` says of one of these rays.
    pub fn take_line(rays: &mut [Self], line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<RayLineDocument>(line) else { return };
        if let Some(ray) = line.index.and_then(|index| rays.get_mut(index)) {
            ray.is_found = line.found;
            ray.words = line.words();
        }
    }
}

impl RayLineDocument {
    fn words(&self) -> String {
        match (&self.problem, self.found) {
            // An id that no log has is most likely a slip, which the API says by 400.
            (Some(problem), _) if !matches!(problem.status, 400 | 404) => problem.detail.clone(),
            (_, false) => "Not found".to_owned(),
            (_, true) => words_of(&self.records),
        }
    }
}

/// What the records of a ray say: of its request where there is one, else how many of which dataset.
fn words_of(records: &[LineRecord]) -> String {
    let request = records.iter().find(|record| record.dataset == "http_requests");
    if let Some(fields) = request.and_then(|record| record.record.as_ref()) {
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let url = text(&fields.client_request_host) + &text(&fields.client_request_uri);
        let url: String = if url.chars().count() > 120 { url.chars().take(119).chain(['…']).collect() } else { url };
        let parts = [text(&fields.edge_response_status), text(&fields.client_request_method), url];
        return parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    }
    let dataset = records.first().map_or("records", |record| record.dataset.as_str());
    match records.len() {
        0 => "Found, but nothing that you may see".to_owned(),
        1 => format!("A record of {dataset}"),
        count => format!("{count} records, the first of {dataset}"),
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
            r#"{"index":0,"found":true,"records":[{"dataset":"http_requests","record":{"EdgeResponseStatus":502,"ClientRequestMethod":"GET","ClientRequestHost":"a.example","ClientRequestURI":"/x"}}]}"#,
            r#"{"index":9,"found":true}"#,
            r#"{"raydex":{"end":"x"}}"#,
            "no JSON",
            r#"{"index":2,"found":true,"records":[{"dataset":"firewall_events","record":{}},{"dataset":"x","record":null}]}"#,
        ] {
            RaySummary::take_line(&mut rays, line.as_bytes());
        }
        let words: Vec<&str> = rays.iter().map(|ray| ray.words.as_str()).collect();
        assert_eq!(words, ["502 GET a.example/x", "Not found", "2 records, the first of firewall_events"]);
        assert_eq!(rays[0].time.as_deref(), Some("2026-03-28T08:37:57.260Z"));
        assert_eq!(rays[2].path, "test%20ray");
    }
}
