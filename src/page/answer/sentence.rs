//! The sentence in plain words that an answer begins with.
//!
//! # Invariants
//! It says nothing that the fields of the records do not settle: what is masked, absent or unknown has no words. Quoted
//! values are cut, and stay text.

use std::borrow::Cow;

use super::facts::RecordFacts;
use super::ray_links::RayLinks;
use super::ray_records::RayRecords;
use super::sentence_words::{SecurityOutcome, cache_words, edge_error_words, security_words, worker_words};
use super::texts::{ShownText, counted, duration_text};
use super::worker_trace::TraceFacts;
use crate::record::Dataset;
use crate::story::{Phases, TimingUnit};

/// The most characters of a quoted value.
const QUOTED_CHARACTERS: usize = 120;

/// Returns the sentence on one ray.
pub(super) fn sentence(records: &RayRecords<'_>, links: RayLinks<'_>) -> String {
    let mut clauses = match records.request() {
        Some(request) => request_clauses(request, records),
        None => bare_clauses(records),
    };
    clauses.extend(link_clauses(records.request(), links));
    if let Some(colo) = records.all.iter().find_map(|facts| facts.text("EdgeColoCode")) {
        clauses.push(format!("edge {}", cut(&colo)));
    }
    if clauses.is_empty() {
        return "The fields that you see of this request say nothing of its outcome.".to_owned();
    }
    let text = clauses.join(", ");
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What a request's record says.
fn request_clauses(request: &RecordFacts<'_>, records: &RayRecords<'_>) -> Vec<String> {
    let security = security_clause(request, records);
    let outcome = security.as_ref().and_then(|(outcome, _)| *outcome);
    let cache = request.text("CacheCacheStatus");
    let cache_known = cache.as_deref().and_then(cache_words);
    let is_answered_before = matches!(outcome, Some(SecurityOutcome::Stopped | SecurityOutcome::Challenged));
    let answer = answer_clause(request, outcome, cache_known.is_some_and(|(served, _)| served));
    let cache = match (cache_known, &cache) {
        (Some((_, words)), _) => Some(words.to_owned()),
        (None, Some(other)) => Some(format!("cache status “{}”", cut(other))),
        (None, None) => None,
    };
    let cache = cache.filter(|_| !is_answered_before);
    let security = security.map(|(_, words)| words);
    [answer, cache, security, worker_clause(request, records)].into_iter().flatten().collect()
}

/// Who answered with which status, and after how long.
fn answer_clause(request: &RecordFacts<'_>, security: Option<SecurityOutcome>, is_cached: bool) -> Option<String> {
    let duration = request_duration(request).map(|ns| format!("after {}", duration_text(ns)));
    let Some(status) = request.positive("EdgeResponseStatus") else { return duration };
    let from = answerer(request, status, security, is_cached);
    Some([Some(status.to_string()), from, duration].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Who gave the response, as far as the fields settle it.
fn answerer(
    request: &RecordFacts<'_>,
    status: u64,
    security: Option<SecurityOutcome>,
    is_cached: bool,
) -> Option<String> {
    match security {
        Some(SecurityOutcome::Stopped | SecurityOutcome::Challenged) => return Some("from a security rule".to_owned()),
        Some(SecurityOutcome::Passed) | None => {}
    }
    if is_cached {
        return Some("from the cache".to_owned());
    }
    let origin = request.number("OriginResponseStatus");
    let failed = edge_error_words(status).filter(|_| origin.is_none_or(|origin| origin == 0 || origin == status));
    match (failed, origin) {
        (Some(words), Some(0)) => Some(format!("from the edge ({words})")),
        (Some(words), _) => Some(format!("({words})")),
        (None, Some(0)) if request.text("OriginIP").is_some() => {
            Some("from the edge (the origin gave no answer)".to_owned())
        }
        (None, Some(0)) => no_origin(request).map(str::to_owned),
        (None, Some(origin)) if origin == status => Some("from the origin".to_owned()),
        (None, Some(origin)) => Some(format!("to the client ({origin} from the origin)")),
        (None, None) => None,
    }
}

/// Who answered a request that did not go to the origin. With a Worker it may have been that, or the edge after it failed.
fn no_origin(request: &RecordFacts<'_>) -> Option<&'static str> {
    match request.text("WorkerStatus").as_deref() {
        Some("ok") => Some("from the Worker"),
        Some("unknown") => Some("from the edge"),
        None if request.word("WorkerScriptName").is_some_and(|name| name.is_empty()) => Some("from the edge"),
        Some(_) | None => None,
    }
}

/// How long the request took: as its timestamps say, or else its phases.
pub(super) fn request_duration(request: &RecordFacts<'_>) -> Option<i64> {
    let phases = Phases::from_record(|name| request.raw(name));
    phases.measured_ns.or_else(|| Some(phases.total_ns()).filter(|ns| *ns > 0))
}

/// What security did, with the rule that did it.
fn security_clause(request: &RecordFacts<'_>, records: &RayRecords<'_>) -> Option<(Option<SecurityOutcome>, String)> {
    let Some(action) = request.word("SecurityAction") else {
        let of_event = |event: &RecordFacts<'_>| event.text("Action").is_some();
        return records.of(Dataset::FirewallEvents).find(|event| of_event(event)).and_then(event_clause);
    };
    let rule = request.text("SecurityRuleDescription");
    let rule = rule.or_else(|| {
        let is_same = |event: &&RecordFacts<'_>| event.text("Action").is_some_and(|of_event| of_event == action);
        records.of(Dataset::FirewallEvents).find(is_same)?.text("Description")
    });
    Some(action_clause(&action, rule.as_deref().filter(|_| !action.is_empty())))
}

/// What a firewall event says.
fn event_clause(event: &RecordFacts<'_>) -> Option<(Option<SecurityOutcome>, String)> {
    Some(action_clause(&event.text("Action")?, event.text("Description").as_deref()))
}

fn action_clause(action: &str, rule: Option<&str>) -> (Option<SecurityOutcome>, String) {
    let known = security_words(action);
    let rule = rule.map(cut).map(|rule| match known {
        Some((SecurityOutcome::Stopped | SecurityOutcome::Challenged, _)) => format!(" by the rule “{rule}”"),
        Some((SecurityOutcome::Passed, _)) | None => format!(" (rule “{rule}”)"),
    });
    let rule = rule.unwrap_or_default();
    match known {
        Some((outcome, words)) => (Some(outcome), format!("{words}{rule}")),
        None => (None, format!("security action “{}”{rule}", cut(action))),
    }
}

/// What its Worker did.
fn worker_clause(request: &RecordFacts<'_>, records: &RayRecords<'_>) -> Option<String> {
    let traces: Vec<TraceFacts> = records.of(Dataset::WorkersTraceEvents).map(TraceFacts::new).collect();
    let status = request.text("WorkerStatus").filter(|status| status != "unknown");
    let threw = traces.iter().find_map(TraceFacts::threw);
    if status.is_none() && threw.is_none() && traces.is_empty() {
        return None;
    }
    let name = request.text("WorkerScriptName").map(Cow::into_owned);
    let name = name.or_else(|| traces.iter().find_map(|trace| trace.script.clone()));
    let outcome = status.map(Cow::into_owned).or_else(|| traces.iter().find_map(|trace| trace.outcome.clone()));
    let did = threw.or_else(|| outcome.as_deref().map(outcome_words))?;
    let subrequests =
        request.positive("WorkerSubrequestCount").map(|count| format!(" ({})", counted(count, "subrequest")));
    Some(format!("{} {did}{}", worker_name(name.as_deref()), subrequests.unwrap_or_default()))
}

fn worker_name(name: Option<&str>) -> String {
    name.map_or_else(|| "a Worker".to_owned(), |name| format!("Worker “{}”", cut(name)))
}

fn outcome_words(outcome: &str) -> String {
    worker_words(outcome).map_or_else(|| format!("ended with “{}”", cut(outcome)), str::to_owned)
}

/// What the other records say where none is of the request itself.
fn bare_clauses(records: &RayRecords<'_>) -> Vec<String> {
    if let Some(event) = records.of(Dataset::FirewallEvents).next() {
        let status = event.positive("EdgeResponseStatus").map(|status| status.to_string());
        return [status, event_clause(event).map(|(_, words)| words)].into_iter().flatten().collect();
    }
    let Some(record) = records.of(Dataset::WorkersTraceEvents).next() else {
        let damaged = records.all.iter().any(|facts| facts.source.record.is_none());
        return if damaged { vec!["the record of this request is damaged".to_owned()] } else { Vec::new() };
    };
    let trace = TraceFacts::new(record);
    let did = trace.threw().or_else(|| trace.outcome.as_deref().map(outcome_words));
    let status = trace.status.map(|status| status.to_string());
    let wall = record.nanoseconds("WallTimeMs", TimingUnit::Milliseconds);
    let wall = wall.map(|ns| format!(" after {}", duration_text(ns))).unwrap_or_default();
    let did = did.map(|did| format!("{} {did}{wall}", worker_name(trace.script.as_deref())));
    [status, did].into_iter().flatten().collect()
}

/// What the tree says, and the record of a subrequest.
fn link_clauses(request: Option<&RecordFacts<'_>>, links: RayLinks<'_>) -> Vec<String> {
    let above = match links.above {
        Some(("challenge", parent)) => Some(format!("after the challenge of {parent} was solved")),
        Some(("subrequest", parent)) => Some(format!("subrequest of {parent}")),
        Some(_) => None,
        None => request.filter(|facts| facts.is_true("WorkerSubrequest")).map(|_| "subrequest of a Worker".to_owned()),
    };
    let solved = links.solution.map(|ray| format!("challenge solved by {ray}"));
    [above, solved].into_iter().flatten().collect()
}

/// A value as it is quoted.
fn cut(value: &str) -> String {
    let ShownText { text, length } = ShownText::new(value, QUOTED_CHARACTERS);
    if length.is_some() { text + "…" } else { text }
}
