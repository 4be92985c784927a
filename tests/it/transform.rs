//! What of an object goes to the partner: which records, why the others do not, in which bytes.

use crate::support;

use std::collections::BTreeMap;

use raydex::config::Config;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::DeliveryWindow;
use raydex::ledger::calls::BatchDetails;
use raydex::ledger::plan::DeliveryRequest;
use raydex::pipeline::{BatchOutcome, BatchRequest, options_of, process_batch};
use raydex::record::Dataset;

use support::gzip::{gunzip, gzip, members};
use support::partner::delivering;
use support::queue::message;
use support::records::{marked, ndjson, ray};
use support::{Fakes, NOW_MS, run};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// A record with a ray of its own, a field that only `http_requests` has, and these members more.
fn record(number: u64, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"RayID":"{}","EdgeColoID":4{comma}{more}}}"#, ray(number))
}

/// Writes the object and has it read: all of the window goes out, by these settings.
fn transform(fakes: &Fakes, stored: &[u8], settings: &[(&str, &str)], window: DeliveryWindow) -> BatchDetails {
    fakes.bucket.store(KEY, stored);
    again(fakes, settings, window)
}

/// Has the object read as it is.
fn again(fakes: &Fakes, settings: &[(&str, &str)], window: DeliveryWindow) -> BatchDetails {
    let wish = DeliveryRequest::new(window, options_of(&delivering(settings)));
    let work = BatchRequest {
        claim: Dataset::HttpRequests.into(),
        rule: None,
        index: true,
        deliver: Some(wish),
        rebuild: None,
    };
    assert!(matches!(run(process_batch(fakes, KEY, &work)), Ok(BatchOutcome::Sealed(_) | BatchOutcome::AlreadySealed)));
    let kept = fakes.kept(KEY);
    assert_eq!(kept.totals.lines.unaccounted, 0, "{:?}", kept.totals);
    kept
}

/// The rays of the lines that go out, in their order.
fn rays(fakes: &Fakes, kept: &BatchDetails) -> Vec<String> {
    let text: Vec<u8> = bodies(fakes, kept).iter().flat_map(|body| gunzip(body)).collect();
    let lines = String::from_utf8(text).unwrap();
    lines.lines().map(|line| line.split('\u{1}').nth(2).unwrap().to_owned()).collect()
}

/// The bodies of all payloads, in their order.
fn bodies(fakes: &Fakes, kept: &BatchDetails) -> Vec<Vec<u8>> {
    kept.payloads.iter().map(|view| fakes.body(KEY, view).unwrap()).collect()
}

/// Why a record with these members does not go; `None`: it goes.
fn kept_back(settings: &[(&str, &str)], more: &str) -> Option<String> {
    let fakes = Fakes::new();
    let kept = transform(&fakes, record(1, more).as_bytes(), settings, DeliveryWindow::EVER);
    let filtered = kept.totals.lines.filtered;
    assert_eq!(filtered.len(), usize::from(kept.totals.lines.pending == 0), "{more}");
    filtered.into_keys().next()
}

/// The rule of the predecessor's Logpush jobs, as a filter.
const PREDECESSORS_FILTER: &str = r#"{"where":{"and":[{"key":"ParentRayID","operator":"eq","value":"00"},{"key":"WorkerSubrequest","operator":"!eq","value":true}]}}"#;

#[test]
fn rule_for_subrequests_differs_from_the_predecessors() {
    for (more, ours, theirs) in [
        (r#""ParentRayID":"00""#, None, None),
        (r#""ParentRayID":"00","WorkerSubrequest":false"#, None, None),
        (r#""ParentRayID":"9e35512345678abc""#, Some("subrequest"), Some("filter")),
        (r#""ParentRayID":"9e35512345678abc","WorkerSubrequest":true"#, Some("subrequest"), Some("filter")),
        (r#""ParentRayID":"""#, None, Some("filter")),
        (r#""ParentRayID":null"#, None, Some("filter")),
        ("", None, Some("filter")),
        (r#""ParentRayID":"00","ClientRequestSource":"healthCheck""#, Some("not_a_visitor"), None),
        (r#""ParentRayID":"00","WorkerSubrequest":true"#, None, Some("filter")),
    ] {
        assert_eq!(kept_back(&[("PARTNER_SUBREQUESTS", "exclude")], more).as_deref(), ours, "{more}");
        assert_eq!(kept_back(&[("PARTNER_FILTER", PREDECESSORS_FILTER)], more).as_deref(), theirs, "{more}");
    }
}

#[test]
fn version_of_format_is_pinned_in_the_plan() {
    let fakes = Fakes::new();
    let first =
        |kept: &BatchDetails| gunzip(&bodies(&fakes, kept)[0]).split(|byte| *byte == 1).next().unwrap().to_vec();
    let set = [("PARTNER_FORMAT_VERSION", "cf_vod_v3.0")];
    let kept = transform(&fakes, record(1, "").as_bytes(), &set, DeliveryWindow::EVER);
    assert_eq!((first(&kept), kept.plans[0].options.version.as_str()), (b"cf_vod_v3.0".to_vec(), "cf_vod_v3.0"));
    assert_eq!(first(&again(&fakes, &[], DeliveryWindow::EVER)), b"cf_vod_v3.0");
}

/// How often each reason holds.
fn reasons(reasons: &[(&str, u64)]) -> BTreeMap<String, u64> {
    reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
}

/// What a record says of who made the request, and why it does not go where only visitors' requests do.
const REQUESTS: [(&str, Option<&str>); 21] = [
    // The form of real samples.
    (r#""ParentRayID":"00","ClientRequestSource":"eyeball""#, None),
    // The form of the field's documentation, and of records without it.
    (r#""ParentRayID":"","ClientRequestSource":"eyeball""#, None),
    (r#""ParentRayID":null"#, None),
    ("", None),
    (r#""ParentRayID":"00""#, None),
    (r#""ParentRayID":"00","ClientRequestSource":"""#, None),
    (r#""ParentRayID":"00","ClientRequestSource":null"#, None),
    (r#""ClientRequestSource":"eyeball""#, None),
    // Of a name that comes twice the last one counts.
    (r#""ParentRayID":"a5e33aff24280fa2","ParentRayID":"00""#, None),
    // A Worker's.
    (r#""ParentRayID":"a5e33aff24280fa2","ClientRequestSource":"edgeWorkerFetch""#, Some("subrequest")),
    (r#""ParentRayID":"a5e33aff24280fa2","ClientRequestSource":"eyeball""#, Some("subrequest")),
    (r#""ParentRayID":"a5e33aff24280fa2""#, Some("subrequest")),
    (r#""ParentRayID":"0000000000000000""#, Some("subrequest")),
    (r#""ParentRayID":"0""#, Some("subrequest")),
    (r#""ParentRayID":" 00""#, Some("subrequest")),
    // Nobody's outside.
    (r#""ParentRayID":"00","ClientRequestSource":"edgeWorkerFetch""#, Some("not_a_visitor")),
    (r#""ParentRayID":"00","ClientRequestSource":"healthcheck""#, Some("not_a_visitor")),
    (r#""ParentRayID":"","ClientRequestSource":"unknown""#, Some("not_a_visitor")),
    (r#""ClientRequestSource":"edgeWorkerCacheAPI""#, Some("not_a_visitor")),
    (r#""ClientRequestSource":"Eyeball""#, Some("not_a_visitor")),
    (r#""ParentRayID":"00","ParentRayID":"a5e33aff24280fa2""#, Some("subrequest")),
];

#[test]
fn non_visitor_requests_stay_where_configured() {
    for (more, why) in REQUESTS {
        assert_eq!(kept_back(&[("PARTNER_SUBREQUESTS", "exclude")], more).as_deref(), why, "{more}");
        assert_eq!(kept_back(&[("PARTNER_SUBREQUESTS", "include")], more), None, "{more}");
        assert_eq!(kept_back(&[], more), None, "{more}: all go where nothing is set");
    }
}

#[test]
fn filter_excludes_after_the_visitor_check() {
    let filter = r#"{"where":{"key":"EdgeResponseStatus","operator":"geq","value":400}}"#;
    for (more, include, exclude) in [
        (r#""EdgeResponseStatus":500"#, None, None),
        (r#""EdgeResponseStatus":200"#, Some("filter"), Some("filter")),
        (r#""ParentRayID":"a5e33aff24280fa2","EdgeResponseStatus":500"#, None, Some("subrequest")),
        // One reason each: the first that holds.
        (r#""ParentRayID":"a5e33aff24280fa2","EdgeResponseStatus":200"#, Some("filter"), Some("subrequest")),
        (r#""ClientRequestSource":"purge","EdgeResponseStatus":200"#, Some("filter"), Some("not_a_visitor")),
        ("", Some("filter"), Some("filter")),
    ] {
        for (subrequests, why) in [("include", include), ("exclude", exclude)] {
            let settings = [("PARTNER_FILTER", filter), ("PARTNER_SUBREQUESTS", subrequests)];
            assert_eq!(kept_back(&settings, more).as_deref(), why, "{subrequests}: {more}");
        }
    }
}

#[test]
fn every_line_is_counted_under_one_reason() {
    let lines = REQUESTS.iter().zip(0..).map(|((more, _), number)| record(number, more));
    let others = ["null", "no json", ""].map(str::to_owned);
    let fakes = Fakes::new();
    let text = gzip(&ndjson(lines.chain(others)));
    let kept =
        transform(&fakes, &text, &[("PARTNER_SUBREQUESTS", "exclude"), ("BATCH_SIZE", "4")], DeliveryWindow::EVER);
    let lines = &kept.totals.lines;
    assert_eq!((lines.lines_in, lines.pending), (23, 9), "a blank line is none");
    assert_eq!(lines.filtered, reasons(&[("not_a_visitor", 5), ("subrequest", 7)]));
    assert_eq!(lines.rejected, reasons(&[("not_an_object", 1), ("not_json", 1)]));
    let going = REQUESTS.iter().zip(0..).filter(|((_, why), _)| why.is_none());
    assert_eq!(rays(&fakes, &kept), going.map(|(_, number)| ray(number).to_string()).collect::<Vec<_>>());
    let sizes: Vec<u64> = kept.payloads.iter().map(|view| view.payload.lines).collect();
    assert_eq!(sizes, [4, 4, 1]);
}

#[test]
fn edge_records_go_only_if_included() {
    let key = "logs/edge_requests/20260328/20260328T084200Z_20260328T084225Z_00c0ffee00c0ffee-1.log.gz";
    let lines = (0..3).map(|number| {
        marked(Dataset::EdgeRequests, &format!(r#"{{"RayID":"{}","ClientIP":"192.0.2.1"}}"#, ray(number)))
    });
    let text = gzip(&ndjson(lines));
    for (setting, pending) in [("exclude", 0), ("include", 3)] {
        let fakes = Fakes::new();
        fakes.bucket.store(key, &text);
        let wish =
            DeliveryRequest::new(DeliveryWindow::EVER, options_of(&delivering(&[("PARTNER_EDGE_RECORDS", setting)])));
        let work = BatchRequest {
            deliver: Some(wish),
            ..BatchRequest::new(key, Dataset::EdgeRequests.into(), &fakes.log_prefixes)
        };
        assert!(matches!(run(process_batch(&fakes, key, &work)), Ok(BatchOutcome::Sealed(_))));
        let kept = fakes.kept(key);
        let lines = &kept.totals.lines;
        let held = reasons(if pending == 0 { &[("no_plan", 3)] } else { &[] });
        assert_eq!((lines.pending, &lines.filtered), (pending, &held), "{setting}");
    }
}

/// Lines of all sizes, some of them no records.
fn text() -> Vec<u8> {
    ndjson((0..400).map(|number| match number % 40 {
        7 => "no json".into(),
        11 => record(number, &format!(r#""ParentRayID":"a5","ClientRequestURI":"/{number}""#)),
        _ => {
            let filler = "x".repeat(usize::try_from(number * number % 900).unwrap());
            record(number, &format!(r#""ParentRayID":"00","ClientRequestURI":"/{filler}é""#))
        }
    }))
}

const SETTINGS: [(&str, &str); 2] = [("PARTNER_SUBREQUESTS", "exclude"), ("BATCH_SIZE", "70")];

/// The bodies of the payloads of that text, stored and read in one of many ways.
fn bodies_of(stored: &[u8], pieces: &[usize], beside: &[&str]) -> Vec<Vec<u8>> {
    let fakes = Fakes::new();
    fakes.bucket.set_pieces(pieces);
    for key in beside {
        fakes.index(key, Dataset::HttpRequests, &stored[..stored.len().min(500)]);
    }
    let kept = transform(&fakes, stored, &SETTINGS, DeliveryWindow::EVER);
    bodies(&fakes, &kept)
}

#[test]
fn bodies_do_not_depend_on_cuts_or_neighbours() {
    let text = text();
    let expected = bodies_of(&gzip(&text), &[64 * 1024], &[]);
    assert_eq!(expected.len(), 6);
    for pieces in [&[1][..], &[7, 1, 400], &[1000], &[13, 100_000]] {
        assert!(bodies_of(&gzip(&text), pieces, &[]) == expected, "{pieces:?}");
    }
    // Another compressor, no compression, members cut in the middle of a line: the lines are the same.
    let cut = members(&[&text[..99], &text[99..10_000], &text[10_000..]]);
    for stored in [support::gzip::gzip_at(1, &text), text.clone(), cut] {
        assert!(bodies_of(&stored, &[500], &[]) == expected);
    }
    assert!(bodies_of(&gzip(&text), &[300], &["logs/a", "logs/b.log.gz"]) == expected);
}

#[test]
fn second_attempt_under_other_settings_makes_equal_bodies() {
    let stored = gzip(&text());
    let clean = Fakes::new();
    let expected = bodies(&clean, &transform(&clean, &stored, &SETTINGS, DeliveryWindow::EVER));
    let fakes = Fakes::new();
    fakes.bucket.store(KEY, &stored);
    // The seal is lost: everything before it has happened.
    fakes.faults.plan(Some(support::Kind::Ledger), 5, support::Fault::Fails);
    let wish =
        |settings: &[(&str, &str)]| DeliveryRequest::new(DeliveryWindow::EVER, options_of(&delivering(settings)));
    let work = |settings| BatchRequest {
        claim: Dataset::HttpRequests.into(),
        rule: None,
        index: true,
        deliver: Some(wish(settings)),
        rebuild: None,
    };
    assert!(run(process_batch(&fakes, KEY, &work(&SETTINGS))).is_err());
    assert!(fakes.faults.clear());
    let before = fakes.bucket.contents();
    let other = [("BATCH_SIZE", "3"), ("PARTNER_TENANT", "other"), ("PARTNER_SUBREQUESTS", "include")];
    let kept = again(&fakes, &other, DeliveryWindow::EVER);
    assert!(bodies(&fakes, &kept) == expected);
    assert!(fakes.bucket.contents() == before, "not a byte more is stored");
}

/// A record that began at this millisecond.
fn at(number: u64, unix_ms: i64) -> String {
    record(number, &format!(r#""EdgeStartTimestamp":{unix_ms}000000"#))
}

#[test]
fn window_includes_its_first_instant_excludes_its_last() {
    let lines = [NOW_MS - 1, NOW_MS, NOW_MS + 9, NOW_MS + 10, NOW_MS + 11];
    let stored = ndjson(lines.iter().zip(0..).map(|(ms, number)| at(number, *ms)));
    let fakes = Fakes::new();
    let window = |start: i64, end: i64| DeliveryWindow { start_ms: NOW_MS + start, end_ms: NOW_MS + end };
    let first = transform(&fakes, &stored, &[], window(0, 10));
    assert_eq!(rays(&fakes, &first), [1, 2].map(|number| ray(number).to_string()));
    assert_eq!(first.totals.lines.filtered, reasons(&[("no_plan", 3)]));
    // The window behind it, then one over both, then all: each record goes out once.
    for (window, lines) in
        [(window(10, 11), 3), (window(-1, 11), 4), (DeliveryWindow::EVER, 5), (DeliveryWindow::EVER, 5)]
    {
        let kept = again(&fakes, &[], window);
        assert_eq!(kept.totals.lines.pending, lines);
    }
    let kept = fakes.kept(KEY);
    let mut all = rays(&fakes, &kept);
    all.sort();
    assert_eq!(all, [0, 1, 2, 3, 4].map(|number| ray(number).to_string()));
}

#[test]
fn live_traffic_goes_out_from_its_start_on() {
    let stored = ndjson([at(0, NOW_MS - 1), at(1, NOW_MS)]);
    let fakes = Fakes::new();
    fakes.bucket.store(KEY, &stored);
    let config = delivering(&[("PUSH_START_TIME", "2026-03-28T08:42:25Z")]);
    let event = raydex::r2_event::R2Event::put_object(BUCKET_NAME, KEY, 1, "e", NOW_MS);
    let body = serde_json::to_string(&event).unwrap();
    run(raydex::pipeline::parse_message(&fakes, &config, &message("parse-queue", &body, 1)));
    let kept = fakes.kept(KEY);
    assert_eq!(rays(&fakes, &kept), [ray(1).to_string()]);
    assert_eq!(kept.totals.lines.filtered, reasons(&[("no_plan", 1)]));
}

#[test]
fn only_requests_are_delivered_and_only_to_partners() {
    let off: Config = support::world::config();
    let on = delivering(&[]);
    for (config, dataset, payloads) in
        [(&on, "http_requests", 1), (&on, "firewall_events", 0), (&off, "http_requests", 0)]
    {
        let fakes = Fakes::new();
        let key = format!("logs/{dataset}/20260328/a.log.gz");
        let line = if dataset == "http_requests" { record(1, "") } else { format!(r#"{{"RayID":"{}"}}"#, ray(1)) };
        fakes.bucket.store(&key, line.as_bytes());
        let event = raydex::r2_event::R2Event::put_object(BUCKET_NAME, &key, 1, "e", NOW_MS);
        let event = message("parse-queue", &serde_json::to_string(&event).unwrap(), 1);
        let said = run(raydex::pipeline::parse_message(&fakes, config, &event));
        assert_eq!((said.verdict.name(), fakes.kept(&key).payloads.len()), ("sealed", payloads), "{dataset}");
    }
}

#[test]
fn timeless_record_has_its_batchs_start_on_rewrites() {
    // 2026-03-28T08:42:00Z, as the key says; the object is written later, and later still.
    let start = NOW_MS - 25_000;
    let text = gzip(&ndjson([r#"{"RayID":"no-time-here","EdgeColoID":4}"#.to_owned(), record(1, "")]));
    let (before, behind) = (
        DeliveryWindow { end_ms: start, ..DeliveryWindow::EVER },
        DeliveryWindow { start_ms: start, ..DeliveryWindow::EVER },
    );
    let fakes = Fakes::new();
    transform(&fakes, &text, &[], before);
    let kept = transform(&fakes, &text, &[], behind);
    assert_eq!(kept.payloads.iter().filter(|payload| payload.plan == 2).count(), 1);
    assert_eq!(rays(&fakes, &kept).iter().filter(|ray| *ray == "no-time-here").count(), 1);
    // The same bytes once more, a second later: both windows are covered.
    let payloads = kept.payloads.len();
    fakes.bucket.store(KEY, &text);
    assert_eq!(again(&fakes, &[], DeliveryWindow::EVER).payloads.len(), payloads);
}
