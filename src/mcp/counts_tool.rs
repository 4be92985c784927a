//! The tool `counts`: the number of records of a time range, as `GET /v1/counts` answers.

use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::outline::{AnswerOutline, page_address};
use super::search_tool::{asked_of_api, check_range, push_end, search_path};
use super::stream_lines::read_lines;
use super::untrusted::{UntrustedValue, untrusted_name};
use crate::access::Caller;
use crate::api::counts;
use crate::http::{HttpRequest, Problem};
use crate::limits::{MCP_COUNTS_MS, MCP_TOP};
use crate::record::RecordMembers;
use crate::services::Services;

/// What to do to see what is left out.
const HINT: &str = "Lower top, take a longer step or a narrower filter; the rows left out count counted_records.";

/// A row of counts, as the API has it.
#[derive(Deserialize)]
struct ApiCountRow<'a> {
    time: Option<String>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
    #[serde(default)]
    other: bool,
    count: usize,
}

impl ApiCountRow<'_> {
    /// The row as an assistant gets it.
    fn json(&self) -> String {
        let time = self.time.as_ref().map(|time| format!("\"time\":{}", Value::from(time.as_str())));
        let values = self.values.and_then(|values| RecordMembers::parse(values.get()).ok()).map(|values| {
            let value = |json: &str| UntrustedValue::read(json).map_or_else(|| short(json), |value| value.json);
            let members: Vec<String> =
                values.iter().map(|(name, json)| format!("{}:{}", untrusted_name(name), value(json))).collect();
            format!("\"untrusted_values\":{{{}}}", members.join(","))
        });
        let other = self.other.then(|| "\"other\":true".to_owned());
        let count = Some(format!("\"count\":{}", self.count));
        let members: Vec<String> = [time, values, other, count].into_iter().flatten().collect();
        format!("{{{}}}", members.join(","))
    }
}

/// A value that says nothing, such as null or an empty list.
fn short(json: &str) -> String {
    if json.len() > 4 { "null".to_owned() } else { json.to_owned() }
}

/// Counts the records, and shows the rows that fit.
pub(super) async fn count_records<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<String, Problem> {
    check_range(request, services.now_ms(), MCP_COUNTS_MS)?;
    let (top, mut more) = (MCP_TOP.to_string(), vec![("format", "ndjson")]);
    if request.parameter("by").is_some() && request.parameter("top").is_none() {
        more.push(("top", top.as_str()));
    }
    let reply = counts::count_records(services, caller, &asked_of_api(request, &more)).await?;
    let mut outline = AnswerOutline::new();
    outline.push_text("page", Some(&page_address(&request.headers, &search_path(request))));
    // What the end says comes after the rows, and takes as much as this at most.
    let mut of_end = outline.budget.split(25);
    let (mut rows, mut is_full) = (Vec::new(), false);
    let AnswerOutline { budget, left_out, .. } = &mut outline;
    let on_line = |line: &str| {
        let Ok(row) = serde_json::from_str::<ApiCountRow<'_>>(line) else { return };
        let json = row.json();
        is_full |= !(budget.take(&json) && budget.take(","));
        if is_full {
            left_out.rows += 1;
            left_out.counted_records += row.count;
        } else {
            rows.push(json);
        }
    };
    let end = read_lines(services.as_ref(), reply, on_line).await?;
    std::mem::swap(&mut outline.budget, &mut of_end);
    push_end(&mut outline, &end);
    outline.push_taken("counts", &format!("[{}]", rows.join(",")));
    Ok(outline.end(HINT))
}
