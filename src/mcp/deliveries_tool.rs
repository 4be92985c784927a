//! The tool `deliveries`: what became of each record of a ray on its way to the partner, as `GET /v1/rays/{ray}/deliveries`
//! answers.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::outline::AnswerOutline;
use super::ray_tool::{ApiText, push_ray};
use super::untrusted::visible;
use crate::access::Caller;
use crate::api::deliveries;
use crate::config::Config;
use crate::http::{HttpRequest, Problem};
use crate::limits::{MCP_PAYLOADS, RENDERING_ROOM};
use crate::services::Services;

/// What to do to see what is left out.
const HINT: &str = "The page shows every record with all its payloads.";

/// The answer of the API.
#[derive(Deserialize)]
struct ApiDeliveries {
    ray: String,
    ray_time: Option<String>,
    #[serde(default)]
    truncated: bool,
    records: Vec<Map<String, Value>>,
}

/// Finds the deliveries, and shows those that fit.
pub(super) async fn find_deliveries(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    (request, argument): (&HttpRequest<Vec<u8>>, &str),
) -> Result<String, Problem> {
    let text = ApiText::read(services, deliveries::get_deliveries(config, services, caller, argument).await?)?;
    let _room = services.memory().reserve(2 * RENDERING_ROOM * text.text.len())?;
    let ApiDeliveries { ray, ray_time, truncated, records } = text.parse()?;
    let mut outline = AnswerOutline::new();
    push_ray(&mut outline, request, &ray, ray_time.as_deref());
    if truncated {
        outline.push("truncated", "true");
    }
    let mut shown: Vec<String> = Vec::new();
    for mut record in records {
        let all_payloads = list_of(&record, "payloads").len();
        let kept = cut_payloads(&mut record);
        let json = Value::Object(record.into_iter().map(|(name, value)| (name, plain(value))).collect()).to_string();
        if outline.budget.take(&json) && outline.budget.take(",") {
            outline.left_out.payloads += all_payloads - kept;
            shown.push(json);
        } else {
            outline.left_out.records += 1;
        }
    }
    outline.push_taken("records", &format!("[{}]", shown.join(",")));
    Ok(outline.end(HINT))
}

fn list_of<'a>(record: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    record.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Keeps the first payloads of a record and of its repetitions; returns how many those of the record itself are.
fn cut_payloads(record: &mut Map<String, Value>) -> usize {
    if let Some(Value::Array(again)) = record.get_mut("again") {
        again.truncate(MCP_PAYLOADS);
        for repetition in again.iter_mut().filter_map(Value::as_object_mut) {
            cut_payloads(repetition);
        }
    }
    match record.get_mut("payloads") {
        Some(Value::Array(payloads)) => {
            payloads.truncate(MCP_PAYLOADS);
            payloads.len()
        }
        _ => 0,
    }
}

/// A value of an account of ours, whose texts are as short and as visible as those of others.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => visible(&text).into(),
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        other => other,
    }
}
