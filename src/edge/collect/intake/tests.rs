//! What becomes of reports, held against a naive count of their canonical JSON.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::super::tests::values;
use super::{QuotaQuestion, ReportIntake};
use crate::edge::{
    CollectSettings, DropReason, ForwardResult, OriginAnswer, OriginUrl, QuotaUrl, RedactionRules, ReportBody,
    ReportRequest, WindowForm, WindowHeaders, read_collect_rules,
};

const NOW_MS: i64 = 1_774_687_320_000;
const REPORTS: &str = "application/reports+json";

fn settings(rules: &str) -> CollectSettings {
    CollectSettings {
        url: OriginUrl::parse("https://origin.example/in").unwrap(),
        form: WindowForm::Map,
        age_ms: 5_000,
        headers: WindowHeaders::default(),
        rules: read_collect_rules(rules).unwrap(),
        quota_url: QuotaUrl::parse("https://origin.example/quota/{key}"),
        stores: false,
        redaction: RedactionRules::default(),
    }
}

fn intake(rules: &str) -> ReportIntake {
    ReportIntake::new(settings(rules), "00c0ffee00c0ffee".into())
}

fn request(path: &str, content_type: &str) -> ReportRequest {
    let (url, headers) = (format!("https://a.example{path}"), format!("content-type\n{content_type}\nx-key\nk1"));
    ReportRequest::parse(&json!({"url": url, "headers": headers}).to_string()).unwrap()
}

fn collect(
    intake: &mut ReportIntake,
    path: &str,
    content_type: &str,
    body: &str,
    now_ms: i64,
) -> Option<QuotaQuestion> {
    let question = intake.collect(&request(path, content_type), ReportBody::Whole(body.as_bytes()), 7, now_ms);
    assert!(intake.windows.counts().is_balanced(), "{:?}", intake.windows.counts());
    question
}

/// The reports of all windows: JSON and count.
fn forwarded(intake: &mut ReportIntake, now_ms: i64) -> Vec<BTreeMap<String, u64>> {
    let mut windows = Vec::new();
    intake.windows.close(now_ms);
    while let Some(window) = intake.windows.take_due(now_ms) {
        let body: BTreeMap<String, Value> = serde_json::from_slice(&window.body).unwrap();
        windows.push(
            body.values().map(|report| (report["json"].to_string(), report["count"].as_u64().unwrap())).collect(),
        );
        intake.windows.settle(window.label.sequence, ForwardResult::Taken, now_ms);
    }
    windows
}

#[test]
fn reports_of_every_media_type_are_merged() {
    let mut intake = intake("[]");
    let reports = r#"[{"age":1,"type":"x","url":"https://a.example/?token=canary"},{"type":"x","age":2,"url":"https://a.example/?token=other"}]"#;
    collect(&mut intake, "/r", REPORTS, reports, NOW_MS);
    collect(&mut intake, "/r", "application/csp-report", r#"{"csp-report":{"age":1}}"#, NOW_MS);
    collect(&mut intake, "/r", "application/json; charset=utf-8", r#" {"csp-report" : {"age":1.0}} "#, NOW_MS);
    collect(&mut intake, "/r", "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n", NOW_MS);
    let counts = intake.windows.counts();
    assert_eq!((counts.seen, counts.recorded, counts.merged), (6, 4, 2));
    let windows = forwarded(&mut intake, NOW_MS);
    let expected = [
        (r#"{"type":"x","url":"https://a.example/?token=[redacted]"}"#, 2),
        (r#"{"csp-report":{"age":1}}"#, 2),
        (r#"{"a":1}"#, 1),
        (r#"{"a":2}"#, 1),
    ];
    assert_eq!(windows, [expected.map(|(json, count)| (json.to_owned(), count)).into()]);
}

#[test]
fn what_is_no_report_is_dropped_by_reason() {
    let rules = r#"[{"route":"*/strict","types":["application/reports+json"],"schema":{"required":["type"]},
        "filter":{"where":{"key":"body.phase","operator":"eq","value":"dns"}}},{"route":"*/none","sample":0}]"#;
    let mut intake = intake(rules);
    let reports = r#"[{"type":"x","body":{"phase":"dns"}},{"type":"x"},{"body":{"phase":"dns"}},7]"#;
    collect(&mut intake, "/strict", REPORTS, reports, NOW_MS);
    for (path, content_type, body) in [
        ("/strict", "application/json", r#"{"type":"x"}"#),
        ("/strict", "", r#"{"type":"x"}"#),
        ("/strict", REPORTS, "[{]"),
        ("/other", "text/html", "<p>"),
        ("/other", "application/json", ""),
        ("/none", "application/json", "[{},{}]"),
        ("/other", "application/json", "[]"),
    ] {
        collect(&mut intake, path, content_type, body, NOW_MS);
    }
    intake.collect(&request("/other", REPORTS), ReportBody::TooLarge, 7, NOW_MS);
    intake.collect(&request("/other", REPORTS), ReportBody::Broken, 7, NOW_MS);
    let counts = intake.windows.counts();
    assert!(counts.is_balanced());
    assert_eq!((counts.seen, counts.recorded, counts.sampled_out), (13, 1, 2));
    let dropped = counts.dropped;
    assert_eq!((dropped.filtered, dropped.invalid, dropped.too_large, counts.dropped()), (1, 8, 1, 10));
}

#[test]
fn key_over_its_quota_costs_the_origin_nothing() {
    let mut intake = intake(r#"[{"route":"*/k*","quota":{"key":"query:k"}}]"#);
    let question = collect(&mut intake, "/k?k=a%20b", REPORTS, "[{}]", NOW_MS).unwrap();
    assert_eq!(question.url.url(), "https://origin.example/quota/a%20b");
    assert_eq!(collect(&mut intake, "/k?k=a+b", REPORTS, "[{}]", NOW_MS), None, "one question for each key");
    let over = OriginAnswer { status: 429, retry_after: Some("30".into()), cache_control: None };
    intake.answer(question.key, Some(&over), NOW_MS);
    for _ in 0..10 {
        assert_eq!(collect(&mut intake, "/k?k=a%20b", REPORTS, "[{},{}]", NOW_MS + 29_999), None);
    }
    assert_eq!(collect(&mut intake, "/k", REPORTS, "[{}]", NOW_MS), None, "there is no key");
    assert_eq!(collect(&mut intake, "/other?k=a%20b", REPORTS, "[{}]", NOW_MS), None, "the route has no quota");
    let counts = intake.windows.counts();
    assert_eq!((counts.dropped.over_quota, counts.recorded + counts.merged), (20, 4));
    assert!(collect(&mut intake, "/k?k=a%20b", REPORTS, "[{}]", NOW_MS + 30_000).is_some());
}

#[test]
fn keys_have_a_number_of_reports_per_minute() {
    let mut intake = intake(r#"[{"route":"*/*","quota":{"key":"header:x-key","per_minute":3}}]"#);
    let start_ms = NOW_MS - NOW_MS.rem_euclid(60_000);
    collect(&mut intake, "/", REPORTS, r#"[{"a":1},{"a":2},{"a":2},{"a":3},7]"#, start_ms);
    let counts = intake.windows.counts();
    assert_eq!((counts.recorded, counts.merged, counts.dropped.over_quota, counts.dropped.invalid), (2, 1, 1, 1));
    collect(&mut intake, "/", REPORTS, r#"[{"a":3}]"#, start_ms + 60_000);
    assert_eq!(intake.windows.counts().recorded, 3);
}

#[test]
fn stored_reports_have_ray_and_host() {
    let settings = CollectSettings { stores: true, ..settings("[]") };
    let mut intake = ReportIntake::new(settings, "00c0ffee00c0ffee".into());
    collect(&mut intake, "/r", REPORTS, "[{},{}]", NOW_MS);
    intake.windows.close(NOW_MS);
    let stored = intake.windows.take_stored();
    let record: Value = serde_json::from_slice(&stored[0].line).unwrap();
    assert_eq!((stored.len(), stored[0].count, &record["ClientRequestHost"]), (1, 2, &json!("a.example")));
    assert_eq!((&record["EdgeLoggerRayMade"], record["RayID"].as_str().unwrap().len()), (&json!(true), 16));
    assert!(intake.windows.take_stored().is_empty());
}

/// One step of a schedule.
#[derive(Debug, Clone)]
enum Step {
    /// Reports of one body, some of which are no objects.
    Reports(Vec<Value>),
    Broken,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(values(), 0..6).prop_map(Step::Reports),
        1 => proptest::prelude::Just(Step::Broken),
        3 => (0_i64..4_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn windows_are_those_of_a_naive_count(steps in prop::collection::vec(step(), 1..60)) {
        let (mut intake, mut now_ms) = (intake("[]"), NOW_MS);
        let mut oracle: Vec<BTreeMap<String, u64>> = Vec::new();
        let (mut opened_ms, mut seen, mut invalid) = (None, 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Reports(reports) => {
                    collect(&mut intake, "/r", "application/json", &Value::from(reports.clone()).to_string(), now_ms);
                    for report in reports {
                        seen += 1;
                        if !report.is_object() {
                            invalid += 1;
                            continue;
                        }
                        if opened_ms.is_none_or(|opened_ms| now_ms - opened_ms >= 5_000) {
                            opened_ms = Some(now_ms);
                            oracle.push(BTreeMap::new());
                        }
                        *oracle.last_mut().unwrap().entry(report.to_string()).or_default() += 1;
                    }
                }
                Step::Broken => {
                    (seen, invalid) = (seen + 1, invalid + 1);
                    collect(&mut intake, "/r", REPORTS, "[{}", now_ms);
                }
                Step::Wait(ms) => now_ms += ms,
            }
        }
        let distinct: usize = oracle.iter().map(BTreeMap::len).sum();
        let counts = intake.windows.counts();
        prop_assert_eq!((counts.seen, counts.dropped.invalid), (seen, invalid));
        prop_assert_eq!((counts.recorded, counts.merged), (distinct as u64, seen - invalid - distinct as u64));
        prop_assert_eq!(forwarded(&mut intake, now_ms), oracle);
        prop_assert!(intake.windows.reports_held() == 0 && counts.is_balanced());
    }
}

#[test]
fn reasons_of_an_intake_have_their_counts() {
    let mut counts = crate::edge::EdgeCounts::default();
    for reason in [DropReason::Invalid, DropReason::TooLarge, DropReason::OverQuota, DropReason::Refused] {
        counts.drop(reason, 2);
        counts.seen += 2;
    }
    assert!(counts.is_balanced() && counts.dropped() == 8);
    let of_today = r#"{"filtered":1,"overflow":0,"unconfirmed":0,"unwritable":0}"#;
    let read: crate::edge::DroppedCounts = serde_json::from_str(of_today).unwrap();
    assert_eq!((read.filtered, read.invalid), (1, 0), "labels without the newer reasons are read");
}
