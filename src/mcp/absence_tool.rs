//! The tool `why_not_found`: the verdict on a ray without records, as `GET /v1/rays/{ray}` answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::outline::AnswerOutline;
use super::ray_tool::{ApiText, push_ray};
use super::search_tool::asked_of_api;
use crate::access::Caller;
use crate::api::rays;
use crate::config::Config;
use crate::http::{HttpRequest, Problem};
use crate::limits::MCP_GAPS;
use crate::services::Services;

/// What is said of a ray that has records.
const FOUND: &str = "It was found: the tool ray shows its records.";

/// What to do to see what is left out.
const HINT: &str = "The page shows the whole verdict.";

/// The records of an answer of the API.
#[derive(Deserialize)]
struct ApiFound {
    ray: String,
    ray_time: Option<String>,
    records: Vec<ApiFoundRecord>,
}

#[derive(Deserialize)]
struct ApiFoundRecord {
    dataset: String,
}

/// The problem of a ray without records.
#[derive(Deserialize)]
struct ApiAbsence<'a> {
    ray: String,
    ray_time: Option<String>,
    #[serde(borrow)]
    verdict: &'a RawValue,
}

/// Finds the verdict.
pub(super) async fn explain_absence(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    (request, argument): (&HttpRequest<Vec<u8>>, &str),
) -> Result<String, Problem> {
    let asked = asked_of_api(request, &[("format", "json"), ("parts", "records"), ("fields", "RayID")]);
    let mut outline = AnswerOutline::new();
    match Box::pin(rays::get_ray(config, services, caller, &asked, argument)).await {
        Ok(reply) => {
            let text = ApiText::read(services, reply)?;
            let ApiFound { ray, ray_time, records } = text.parse()?;
            push_ray(&mut outline, request, &ray, ray_time.as_deref());
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for record in &records {
                *counts.entry(record.dataset.as_str()).or_default() += 1;
            }
            outline.push("found", "true");
            outline.push_text("explanation", Some(FOUND));
            outline.push("records", &serde_json::to_string(&counts).unwrap_or_default());
        }
        Err(problem) => {
            let json = serde_json::to_string(&problem).unwrap_or_default();
            let absence = serde_json::from_str(&json).ok().filter(|_| problem.status == 404);
            let Some(ApiAbsence { ray, ray_time, verdict }) = absence else { return Err(problem) };
            push_ray(&mut outline, request, &ray, ray_time.as_deref());
            outline.push("found", "false");
            outline.push("explanation", &Value::from(problem.words()).to_string());
            let (verdict, gaps) = with_first_gaps(verdict.get());
            outline.push("verdict", &verdict);
            outline.left_out.gaps += gaps;
        }
    }
    Ok(outline.end(HINT))
}

/// The verdict with its first gaps, and how many others there are.
fn with_first_gaps(verdict: &str) -> (String, usize) {
    let Ok(mut value) = serde_json::from_str::<Value>(verdict) else { return (verdict.to_owned(), 0) };
    let Some(Value::Array(gaps)) = value.pointer_mut("/evidence/gaps") else { return (verdict.to_owned(), 0) };
    let others = gaps.len().saturating_sub(MCP_GAPS);
    gaps.truncate(MCP_GAPS);
    (value.to_string(), others)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::with_first_gaps;
    use crate::limits::MCP_GAPS;

    #[test]
    fn gaps_beyond_the_first_are_counted() {
        for (count, others) in [(0, 0), (MCP_GAPS, 0), (MCP_GAPS + 7, 7)] {
            let gaps = vec![json!({ "start": "a", "end": "b" }); count];
            let (shown, left_out) = with_first_gaps(&json!({ "code": "x", "evidence": { "gaps": gaps } }).to_string());
            let shown: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!((shown["evidence"]["gaps"].as_array().unwrap().len(), left_out), (count - others, others));
        }
        assert_eq!(with_first_gaps(r#"{"code":"x"}"#), (r#"{"code":"x"}"#.to_owned(), 0));
    }
}
