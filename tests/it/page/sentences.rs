//! The sentence that an answer begins with, case by case.

use raydex::page::answer::{AnswerDocument, AnswerTab};
use serde_json::{Value, json};

use super::{answer, html};

const RAY: &str = "9e3556d8c2ab1c05";

/// The sentence of a document.
fn sentence_of(document: &AnswerDocument) -> String {
    let html = html(document, AnswerTab::Json);
    let (_, after) = html.split_once("<h1 ").unwrap();
    let text = after.split_once('>').unwrap().1.split_once("</h1>").unwrap().0;
    text.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The sentence on records, each with its dataset.
fn sentence(records: &[(&str, Value)]) -> String {
    sentence_with(records, &Value::Null)
}

fn sentence_with(records: &[(&str, Value)], tree: &Value) -> String {
    let record =
        |(dataset, record): &(&str, Value)| json!({ "dataset": dataset, "batch": { "key": "k" }, "record": record });
    let records: Vec<Value> = records.iter().map(record).collect();
    let document = json!({ "ray": RAY, "records": records, "tree": tree });
    sentence_of(&AnswerDocument::read(document.to_string().as_bytes()).unwrap())
}

/// A request of `http_requests` that went well and took 149 ms, with these members instead of its own.
fn request(members: Value) -> (&'static str, Value) {
    let mut record = json!({
        "RayID": RAY, "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeEndTimestamp": 1_774_687_345_149_000_001_u64,
        "EdgeResponseStatus": 200, "OriginResponseStatus": 200, "OriginIP": "192.0.2.1", "CacheCacheStatus": "dynamic",
        "SecurityAction": "", "WorkerStatus": "unknown", "WorkerScriptName": "", "EdgeColoCode": "NRT",
    });
    let Value::Object(members) = members else { panic!("members are an object") };
    let record_members = record.as_object_mut().unwrap();
    for (name, value) in members {
        record_members.insert(name, value);
    }
    ("http_requests", record)
}

fn event(action: &str, description: &str) -> (&'static str, Value) {
    (
        "firewall_events",
        json!({ "RayID": RAY, "Datetime": "2026-03-28T08:42:25Z", "Action": action, "Description": description, "EdgeResponseStatus": 403, "Source": "waf", "EdgeColoCode": "NRT" }),
    )
}

fn trace(outcome: &str, exceptions: &Value) -> (&'static str, Value) {
    (
        "workers_trace_events",
        json!({ "Event": { "RayID": RAY, "Response": { "Status": 500 } }, "EventTimestampMs": 1_774_687_345_000_u64, "ScriptName": "shop", "Outcome": outcome, "Exceptions": exceptions, "Logs": [], "WallTimeMs": 72 }),
    )
}

#[test]
fn each_cache_status_has_its_words() {
    for (status, said) in [
        ("hit", "200 from the cache after 149 ms, cache hit, not blocked, edge NRT."),
        (
            "stream_hit",
            "200 from the cache after 149 ms, cache hit (while the cache was filled), not blocked, edge NRT.",
        ),
        (
            "stale",
            "200 from the cache after 149 ms, stale copy (the origin could not give a newer one), not blocked, edge NRT.",
        ),
        ("updating", "200 from the cache after 149 ms, stale copy (while it was updated), not blocked, edge NRT."),
        ("revalidated", "200 from the cache after 149 ms, copy confirmed by the origin, not blocked, edge NRT."),
        ("miss", "200 from the origin after 149 ms, not in the cache, not blocked, edge NRT."),
        ("expired", "200 from the origin after 149 ms, cached copy expired, not blocked, edge NRT."),
        ("dynamic", "200 from the origin after 149 ms, not cached, not blocked, edge NRT."),
        ("bypass", "200 from the origin after 149 ms, not cached (bypass), not blocked, edge NRT."),
        ("ignored", "200 from the origin after 149 ms, not cached (ignored), not blocked, edge NRT."),
        ("deferred", "200 from the origin after 149 ms, not cached (deferred), not blocked, edge NRT."),
        ("none", "200 from the origin after 149 ms, not cached (none), not blocked, edge NRT."),
        ("unknown", "200 from the origin after 149 ms, cache not asked (unknown), not blocked, edge NRT."),
        ("warm", "200 from the origin after 149 ms, cache status “warm”, not blocked, edge NRT."),
        ("", "200 from the origin after 149 ms, not blocked, edge NRT."),
        ("[masked]", "200 from the origin after 149 ms, not blocked, edge NRT."),
    ] {
        assert_eq!(sentence(&[request(json!({ "CacheCacheStatus": status }))]), said, "{status}");
    }
}

#[test]
fn each_security_action_has_its_words() {
    for (action, said) in [
        ("allow", "200 from the origin after 149 ms, not cached, allowed by a rule, edge NRT."),
        ("log", "200 from the origin after 149 ms, not cached, not blocked (a rule logged it), edge NRT."),
        ("skip", "200 from the origin after 149 ms, not cached, not blocked (a rule skipped others), edge NRT."),
        ("block", "200 from a security rule after 149 ms, blocked, edge NRT."),
        ("drop", "200 from a security rule after 149 ms, blocked, edge NRT."),
        ("connectionClose", "200 from a security rule after 149 ms, connection closed by a rule, edge NRT."),
        ("challenge", "200 from a security rule after 149 ms, answered with an interactive challenge, edge NRT."),
        ("jschallenge", "200 from a security rule after 149 ms, answered with a JavaScript challenge, edge NRT."),
        ("managedChallenge", "200 from a security rule after 149 ms, answered with a managed challenge, edge NRT."),
        ("managed_challenge", "200 from a security rule after 149 ms, answered with a managed challenge, edge NRT."),
        ("challengeSolved", "200 from the origin after 149 ms, not cached, challenge solved, edge NRT."),
        (
            "managedChallengeNonInteractiveSolved",
            "200 from the origin after 149 ms, not cached, managed challenge solved without interaction, edge NRT.",
        ),
        (
            "managedChallengeInteractiveSolved",
            "200 from the origin after 149 ms, not cached, managed challenge solved by the visitor, edge NRT.",
        ),
        ("jschallengeFailed", "200 from a security rule after 149 ms, JavaScript challenge failed, edge NRT."),
        (
            "managedChallengeBypassed",
            "200 from the origin after 149 ms, not cached, managed challenge not shown again (earlier clearance), edge NRT.",
        ),
        ("unknown", "200 from the origin after 149 ms, not cached, security action “unknown”, edge NRT."),
        ("[masked]", "200 from the origin after 149 ms, not cached, edge NRT."),
    ] {
        assert_eq!(sentence(&[request(json!({ "SecurityAction": action }))]), said, "{action}");
    }
}

#[test]
fn each_origin_failure_has_its_words() {
    for (edge, origin, said) in [
        (502, json!(502), "502 from the origin after 149 ms, not cached, not blocked, edge NRT."),
        (
            520,
            json!(0),
            "520 from the edge (the origin's answer was empty or not HTTP) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            521,
            json!(0),
            "521 from the edge (the origin refused the connection) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            522,
            json!(0),
            "522 from the edge (the connection to the origin timed out) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            522,
            json!(522),
            "522 (the connection to the origin timed out) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (523, Value::Null, "523 (the origin was unreachable) after 149 ms, not cached, not blocked, edge NRT."),
        (
            524,
            json!("0"),
            "524 from the edge (the origin did not answer in time) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            525,
            json!(0),
            "525 from the edge (the TLS handshake with the origin failed) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            526,
            json!(0),
            "526 from the edge (the origin's certificate is not valid) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            530,
            json!(0),
            "530 from the edge (the origin's name was not resolved, or an error 1xxx) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (
            504,
            json!(0),
            "504 from the edge (the origin gave no answer) after 149 ms, not cached, not blocked, edge NRT.",
        ),
        (304, json!(200), "304 to the client (200 from the origin) after 149 ms, not cached, not blocked, edge NRT."),
        (200, json!("[masked]"), "200 after 149 ms, not cached, not blocked, edge NRT."),
        (0, json!(0), "After 149 ms, not cached, not blocked, edge NRT."),
    ] {
        let said_of = sentence(&[request(json!({ "EdgeResponseStatus": edge, "OriginResponseStatus": origin }))]);
        assert_eq!(said_of, said, "{edge} {origin}");
    }
}

#[test]
fn origin_that_was_not_asked_is_not_named() {
    for (members, said) in [
        (json!({}), "301 from the edge after 149 ms, not cached (none), not blocked, edge NRT."),
        (
            json!({ "WorkerStatus": "ok", "WorkerScriptName": "shop" }),
            "301 from the Worker after 149 ms, not cached (none), not blocked, Worker “shop” ran well, edge NRT.",
        ),
        (
            json!({ "WorkerStatus": "[masked]", "WorkerScriptName": "[masked]" }),
            "301 after 149 ms, not cached (none), not blocked, edge NRT.",
        ),
        (json!({ "EdgeEndTimestamp": null }), "301 from the edge, not cached (none), not blocked, edge NRT."),
        (
            json!({ "EdgeEndTimestamp": null, "EdgeTimeToFirstByteMs": 3_100 }),
            "301 from the edge after 3.1 s, not cached (none), not blocked, edge NRT.",
        ),
        (
            json!({ "SecurityAction": null, "EdgeColoCode": "[masked]", "CacheCacheStatus": null }),
            "301 from the edge after 149 ms.",
        ),
    ] {
        let mut record = request(
            json!({ "EdgeResponseStatus": 301, "OriginResponseStatus": 0, "OriginIP": "", "CacheCacheStatus": "none" }),
        );
        record.1.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert_eq!(sentence(std::slice::from_ref(&record)), said, "{members}");
    }
}

#[test]
fn workers_and_exceptions_are_named() {
    let thrown = json!([{ "Name": "TypeError", "Message": "Cannot read 'price'\nat x", "TimestampMs": 1 }]);
    let failed = request(
        json!({ "EdgeResponseStatus": 500, "OriginResponseStatus": 0, "OriginIP": "", "WorkerStatus": "scriptThrewException", "WorkerScriptName": "shop", "WorkerSubrequestCount": 2 }),
    );
    let start = "500 after 149 ms, not cached, not blocked,";
    assert_eq!(
        sentence(std::slice::from_ref(&failed)),
        format!("{start} Worker “shop” threw an exception (2 subrequests), edge NRT.")
    );
    assert_eq!(
        sentence(&[failed, trace("exception", &thrown)]),
        format!("{start} Worker “shop” threw TypeError: “Cannot read 'price'” (2 subrequests), edge NRT.")
    );
    assert_eq!(
        sentence(&[trace("exception", &thrown)]),
        "500, Worker “shop” threw TypeError: “Cannot read 'price'” after 72 ms."
    );
    assert_eq!(sentence(&[trace("exceededCpu", &json!([]))]), "500, Worker “shop” used too much CPU time after 72 ms.");
    assert_eq!(sentence(&[trace("odd", &json!("x"))]), "500, Worker “shop” ended with “odd” after 72 ms.");
}

#[test]
fn rules_are_named_by_their_descriptions() {
    let blocked = request(
        json!({ "EdgeResponseStatus": 403, "OriginResponseStatus": 0, "OriginIP": "", "SecurityAction": "block" }),
    );
    let said = "403 from a security rule after 149 ms, blocked by the rule “SQLi in query”, edge NRT.";
    assert_eq!(sentence(&[blocked.clone(), event("log", "other"), event("block", "SQLi in query")]), said);
    let mut named = blocked;
    named.1["SecurityRuleDescription"] = json!("SQLi in query");
    assert_eq!(sentence(&[named]), said);
    assert_eq!(sentence(&[event("block", "SQLi in query")]), "403, blocked by the rule “SQLi in query”, edge NRT.");
    assert_eq!(sentence(&[event("block", "[masked]")]), "403, blocked, edge NRT.");
}

#[test]
fn links_of_the_tree_are_said() {
    let tree = |link: &str| {
        json!({ "root": "9e3556d8c2ab1c00", "nodes": [
        { "ray": "9e3556d8c2ab1c00", "parent": null, "depth": 0 }, { "ray": RAY, "parent": "9e3556d8c2ab1c00", "link": link, "depth": 1 }] })
    };
    let start = "200 from the origin after 149 ms, not cached, not blocked,";
    let said = |link: &str| sentence_with(&[request(json!({ "WorkerSubrequest": true }))], &tree(link));
    assert_eq!(said("subrequest"), format!("{start} subrequest of 9e3556d8c2ab1c00, edge NRT."));
    assert_eq!(said("challenge"), format!("{start} after the challenge of 9e3556d8c2ab1c00 was solved, edge NRT."));
    assert_eq!(
        sentence(&[request(json!({ "WorkerSubrequest": true }))]),
        format!("{start} subrequest of a Worker, edge NRT.")
    );
    let solved = json!({ "root": RAY, "nodes": [{ "ray": RAY, "parent": null, "depth": 0 },
        { "ray": "9e3556d8c2ab1c09", "parent": RAY, "link": "challenge", "depth": 1 }] });
    let said = sentence_with(&[request(json!({ "SecurityAction": "managedChallenge" }))], &solved);
    assert!(said.contains("managed challenge, challenge solved by 9e3556d8c2ab1c09, edge NRT."), "{said}");
}

#[test]
fn fields_that_settle_nothing_are_not_spoken_of() {
    assert_eq!(sentence(&[request(json!({}))]).matches("[masked]").count(), 0);
    let bare = ("http_requests", json!({ "RayID": RAY, "EdgeStartTimestamp": "2026-03-28T08:42:25Z" }));
    assert_eq!(sentence(&[bare]), "The fields that you see of this request say nothing of its outcome.");
    assert_eq!(sentence(&[]), "The fields that you see of this request say nothing of its outcome.");
    assert_eq!(sentence(&[("http_requests", Value::Null)]), "The record of this request is damaged.");
    let hostile = request(
        json!({ "EdgeColoCode": {"a": 1}, "CacheCacheStatus": [1], "SecurityAction": 7, "EdgeResponseStatus": "x" }),
    );
    assert_eq!(sentence(&[hostile]), "After 149 ms.");
}

#[test]
fn sample_answers_have_their_sentences() {
    for (name, beginning, part) in [
        ("story", "200 from the cache after 2.9 s", "after the challenge of"),
        ("challenged", "403 from a security rule", "challenge solved by"),
        ("threw", "500", "threw TypeError: “Cannot read properties of undefined (reading 'price')”"),
        ("masked", "200 from the cache", "after the challenge of"),
        ("hit", "304 from the cache", "cache hit, not blocked"),
        ("blocked", "403 from a security rule", "blocked by the rule “"),
        ("refused", "522 from the edge (the connection to the origin timed out)", "not blocked"),
    ] {
        let said = sentence_of(&answer(name));
        assert!(said.starts_with(beginning) && said.contains(part), "{name}: {said}");
    }
}
