//! The tool `search`: the first records of a time range, as `GET /v1/logs` answers.

use std::rc::Rc;

use serde_json::Value;

use super::outline::{AnswerOutline, page_address};
use super::record_outline::{RecordOutline, write_records};
use super::stream_lines::{StreamEnd, read_lines};
use crate::access::Caller;
use crate::api::logs;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, parse_instant, problems};
use crate::limits::{MCP_ROWS, MCP_ROWS_DEFAULT, MCP_SEARCH_MS};
use crate::page::search::search_columns;
use crate::record::Dataset;
use crate::services::Services;

/// What to do to see what is left out.
const HINT: &str = "Name fields, lower limit or narrow the filter; the page shows every record of the range.";

const NS_PER_MS: i64 = 1_000_000;

/// Finds the records, and shows what fits of each.
pub(super) async fn search_records<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<String, Problem> {
    check_range(request, services.now_ms(), MCP_SEARCH_MS)?;
    let limit = request.number_parameter("limit", MCP_ROWS_DEFAULT, MCP_ROWS)?.to_string();
    let named = request.parameter("dataset").and_then(|name| Dataset::from_name(&name));
    let dataset = named.unwrap_or(Dataset::HttpRequests);
    let fields = request.parameter("fields").unwrap_or_else(|| search_columns(dataset).join(","));
    let order: Vec<String> = fields.split(',').map(|name| name.trim().to_owned()).collect();
    let more =
        [("fields", fields.as_str()), ("limit", limit.as_str()), ("format", "native"), ("timestamps", "rfc3339ms")];
    let asked = asked_of_api(request, &more);
    let reply = logs::search_logs(config, services, caller, &asked).await?;
    let mut records = Vec::new();
    let on_line = |line: &str| records.push(RecordOutline::read(String::new(), dataset, line, &order));
    let end = read_lines(services.as_ref(), reply, on_line).await?;
    let mut outline = AnswerOutline::new();
    outline.push_text("page", Some(&page_address(&request.headers, &search_path(request))));
    push_end(&mut outline, &end);
    let AnswerOutline { budget, left_out, .. } = &mut outline;
    let json = write_records(records, budget, left_out);
    outline.push_taken("records", &json);
    Ok(outline.end(HINT))
}

/// The request to the API with these parameters beside, or in the place of, those of the tool.
pub(super) fn asked_of_api(request: &HttpRequest<Vec<u8>>, more: &[(&str, &str)]) -> HttpRequest<Vec<u8>> {
    let kept = request.parameters().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).extend_pairs(more).finish();
    HttpRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query,
        headers: request.headers.clone(),
        body: Vec::new(),
    }
}

/// Checks that a range is not longer than an answer for an assistant may be of. What else is wrong with it, the API says.
pub(super) fn check_range<B>(request: &HttpRequest<B>, now_ms: i64, most_ms: i64) -> Result<(), Problem> {
    let instant = |name: &str| request.parameter(name).and_then(|text| parse_instant(&text).ok());
    let Some(start_ns) = instant("start") else { return Ok(()) };
    let end_ns = instant("end").unwrap_or_else(|| now_ms.saturating_mul(NS_PER_MS));
    let is_short = end_ns.saturating_sub(start_ns) <= most_ms.saturating_mul(NS_PER_MS);
    if is_short { Ok(()) } else { Err(problems::range_too_long(most_ms)) }
}

/// Adds what a stream says at its end.
pub(super) fn push_end(outline: &mut AnswerOutline, end: &StreamEnd) {
    let StreamEnd { complete, truncated, cursor, missing, warnings, error } = end;
    outline.push("complete", if *complete { "true" } else { "false" });
    if *truncated {
        outline.push("truncated", "true");
    }
    if !missing.is_empty() {
        outline.push("missing", &Value::from(missing.clone()).to_string());
    }
    outline.push_text("error", error.as_ref().map(|error| error.detail.as_str()));
    outline.push_text("cursor", cursor.as_deref());
    outline.push_warnings(warnings);
}

/// The path of the page with the same search.
pub(super) fn search_path<B>(request: &HttpRequest<B>) -> String {
    let kept = ["start", "end", "dataset"].into_iter().filter_map(|name| Some((name, request.parameter(name)?)));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    format!("/search?{query}")
}
