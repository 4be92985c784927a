//! Figures for machines, and which windows are whole.

use raydex::ledger::AttemptOutcome;
use raydex::ledger::breaker::PartnerNews;
use raydex::ledger::ids::PARTNER;
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::partner::ReportAttempt;
use serde_json::{Value, json};

use super::document::with;
use super::story::{KEYS, attempt, batch, deliver, records, wish};
use super::support::partner::delivering;
use super::support::records::ray;
use super::support::world::config;
use super::support::{Fakes, run};
use super::{Ask, header, json as body, problem};

#[test]
fn metrics_show_a_partner_that_refuses() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..4), Some(wish()));
    let outcome = AttemptOutcome::Endpoint { status: 403, code: "auth".into() };
    attempt(&fakes, &ids[0], outcome.clone());
    let config = delivering(&[]);
    let fingerprint = config.delivery.as_ref().unwrap().fingerprint();
    let news = PartnerNews::from_outcome(&outcome).unwrap();
    let report = ReportAttempt { fingerprint, as_of_ms: fakes.clock_ms.get(), news };
    let standing = Some(fakes.ledgers.ask(PARTNER, &report).standing);
    fakes.ledgers.ask(&ids[0].ledger, &LearnPartner { standing });
    fakes.clock_ms.set(fakes.clock_ms.get() + 20_000);
    let text = String::from_utf8(Ask::get("/metrics").of_deployment(&fakes, &Ok(config)).body).unwrap();
    for line in [
        "raydex_breaker{state=\"closed\"} 0",
        "raydex_breaker{state=\"probing\"} 0",
        "raydex_breaker{state=\"open\"} 1",
        "raydex_breaker_status{reason=\"auth\"} 403",
        "raydex_ledgers_held 1",
        "raydex_breaker_open_seconds 20",
        "raydex_last_refusal_status{code=\"auth\"} 403",
        "raydex_last_refusal_age_seconds 20",
        "raydex_oldest_pending_seconds 20",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

/// The metrics that a page describes.
fn families(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect()
}

#[test]
fn documented_page_has_every_metric() {
    let pointer = "/paths/~1metrics/get/responses/200/content/text~1plain/example";
    let documented = with(|document| document.root.pointer(pointer).unwrap().as_str().unwrap().to_owned());
    let page = String::from_utf8(Ask::get("/metrics").of(&Fakes::new()).body).unwrap();
    assert!(families(&page).len() > 15);
    assert_eq!(families(&documented), families(&page));
}

#[test]
fn metrics_are_the_books_in_prometheus_format() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &[records(0..5), b"no record\n".to_vec()].concat(), Some(wish()));
    deliver(&fakes, &ids[0]);
    fakes.audits.set_bounds(3, u64::MAX);
    (0..4).for_each(|_| drop(Ask::get("/v1/audit").of(&fakes)));
    assert_eq!(fakes.audits.settle(&fakes.bucket).len(), 1);
    run(raydex::pipeline::count_ignored(&fakes, [("other_bucket".into(), 3)].into())).unwrap();
    let reply = Ask::get("/metrics").of(&fakes);
    assert_eq!(header(&reply, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(reply.body).unwrap();
    for line in [
        "# TYPE raydex_lines gauge",
        "raydex_lines{state=\"in\"} 6",
        "raydex_lines{state=\"delivered\"} 2",
        "raydex_lines{state=\"pending\"} 3",
        "raydex_lines{state=\"rejected\"} 1",
        "raydex_lines_rejected{reason=\"not_json\"} 1",
        "raydex_lines_unaccounted 0",
        "raydex_balanced 1",
        "raydex_batches{state=\"sealed\"} 1",
        "raydex_payloads{state=\"delivered\"} 1",
        "raydex_dead_letters 0",
        "raydex_events_ignored{reason=\"other_bucket\"} 3",
        "raydex_breaker{state=\"closed\"} 1",
        "raydex_posts_not_sent 0",
        "# TYPE raydex_batch_inflated_bytes histogram",
        "raydex_batch_inflated_bytes_bucket{le=\"1000000\"} 1",
        "raydex_batch_inflated_bytes_bucket{le=\"+Inf\"} 1",
        "raydex_batch_inflated_bytes_count 1",
        "# TYPE raydex_post_duration_seconds histogram",
        "raydex_post_duration_seconds_bucket{le=\"0.1\"} 0",
        "raydex_post_duration_seconds_bucket{le=\"300\"} 0",
        "raydex_post_duration_seconds_bucket{le=\"+Inf\"} 0",
        "raydex_post_duration_seconds_count 0",
        "raydex_breaker_open_seconds 0",
        "raydex_last_refusal_status{code=\"none\"} 0",
        "raydex_oldest_pending_seconds 0",
        "raydex_audit_entries{place=\"bucket\"} 3",
        "raydex_audit_entries{place=\"object\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "each family once");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name = name.split('{').next().unwrap();
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        assert!(value.parse::<f64>().is_ok() && families.iter().any(|family| family.starts_with(name)), "{line}");
    }
}

#[test]
fn batches_are_counted_by_their_text() {
    let sizes = |records: u64, sum: u64| {
        let fakes = Fakes::new();
        let text = records_of_bytes(records, sum);
        batch(&fakes, KEYS[0], &text, None);
        batch(&fakes, KEYS[1], b"no record\n", None);
        String::from_utf8(Ask::get("/metrics").of(&fakes).body).unwrap()
    };
    let within = |text: &str, bound: &str| {
        let bucket = format!("raydex_batch_inflated_bytes_bucket{{le=\"{bound}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&bucket)).map(str::to_owned).unwrap()
    };
    for (sum, first, second) in [(999_999, "1", "1"), (1_000_000, "1", "1"), (1_000_001, "0", "1")] {
        let text = sizes(3, sum);
        assert_eq!([within(&text, "1000000"), within(&text, "10000000")], [first, second].map(str::to_owned), "{sum}");
        assert!(text.contains(&format!("\nraydex_batch_inflated_bytes_sum {sum}\n")), "{text}");
    }
}

/// So many records in so many bytes.
fn records_of_bytes(count: u64, bytes: u64) -> Vec<u8> {
    let mut text = records(0..count);
    let missing = usize::try_from(bytes).unwrap() - text.len();
    text.pop();
    assert_eq!(text.pop(), Some(b'}'));
    let member = format!(",\"Padding\":\"{}\"}}\n", "x".repeat(missing - 13));
    text.extend_from_slice(member.as_bytes());
    text
}

fn coverage(fakes: &Fakes, query: &str) -> Value {
    body(&Ask::get(&format!("/v1/coverage?{query}")).of(fakes))
}

fn windows(list: &[[&str; 2]]) -> Value {
    let at = |time: &str| format!("2026-03-28T{time}.000Z");
    list.iter().map(|[start, end]| json!({ "start": at(start), "end": at(end) })).collect()
}

#[test]
fn coverage_separates_complete_windows_gaps_and_quarantine() {
    let fakes = Fakes::new();
    let key = |times: &str| format!("logs/http_requests/20260328/{times}_aa.log.gz");
    batch(&fakes, &key("20260328T083000Z_20260328T083029Z"), &records(0..1), None);
    batch(&fakes, &key("20260328T083030Z_20260328T083059Z"), &records(1..2), None);
    batch(&fakes, &key("20260328T083200Z_20260328T083229Z"), &records(2..3), None);
    batch(&fakes, &key("20260328T075930Z_20260328T080010Z"), &records(3..4), None);
    batch(&fakes, &key("20260328T083300Z_20260328T083329Z"), b"\x1f\x8bdamaged", None);
    let event = format!(r#"{{"RayID":"{}","Datetime":"2026-03-28T08:32:40Z","Action":"block"}}"#, ray(4));
    batch(&fakes, "logs/firewall_events/20260328/20260328T083230Z_20260328T083259Z_f.log.gz", event.as_bytes(), None);
    let found = coverage(&fakes, "start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z");
    assert_eq!(
        found["complete"],
        windows(&[["08:00:00", "08:00:10"], ["08:30:00", "08:30:59"], ["08:32:00", "08:32:29"]])
    );
    assert_eq!(found["quarantined"], windows(&[["08:33:00", "08:33:29"]]));
    assert_eq!(
        found["gaps"],
        windows(&[
            ["08:00:10", "08:30:00"],
            ["08:30:59", "08:32:00"],
            ["08:32:29", "08:33:00"],
            ["08:33:29", "08:40:00"]
        ])
    );
    assert_eq!((&found["batches"], &found["truncated"], &found["pending"]), (&5.into(), &false.into(), &json!([])));
    let firewall = coverage(&fakes, "start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z&dataset=firewall_events");
    assert_eq!(firewall["complete"], windows(&[["08:32:30", "08:32:59"]]));
    let later = coverage(&fakes, "start=1774686600&end=2026-03-29T00:00:00Z");
    assert_eq!(later["end"], "2026-03-28T08:42:25.000Z", "what has not come yet is no gap");
}

#[test]
fn coverage_says_up_to_when_it_was_listed() {
    let fakes = Fakes::new();
    let listed = || {
        let found = coverage(&fakes, "start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z");
        (found["listed_until"].clone(), found["listing_behind"].clone())
    };
    assert_eq!(listed(), (Value::Null, false.into()));
    run(raydex::pipeline::run_sweep(&fakes, &config())).unwrap();
    // The bucket is small: one sweep lists all of it, apart from what is ten minutes old.
    let until: Value = "2026-03-28T08:32:25.000Z".into();
    assert_eq!(listed(), (until.clone(), false.into()));
    // No sweep comes any more.
    fakes.clock_ms.set(fakes.clock_ms.get() + 25 * 3_600_000);
    assert_eq!(listed(), (until, true.into()));
}

#[test]
fn a_range_that_cannot_be_is_refused() {
    let fakes = Fakes::new();
    for (query, code) in [
        ("", "missing_parameter"),
        ("start=yesterday", "bad_time"),
        ("start=2026-03-28T08:00:00Z&end=2026-03-28T08:00:00Z", "empty_range"),
        ("start=2026-03-01T08:00:00Z&end=2026-03-28T08:00:00Z", "range_too_long"),
        ("start=2026-03-28T08:00:00Z&dataset=dns", "bad_parameter"),
    ] {
        assert_eq!(problem(&Ask::get(&format!("/v1/coverage?{query}")).of(&fakes)), (400, code.into()), "{query}");
    }
}
