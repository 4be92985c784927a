//! The self-check: a canary tells of what a lookup would not find, and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use raydex::backend::BackendError;
use raydex::bucket_keys::batch_key;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::self_check::{CanaryOutcome, CanaryResult, SelfCheckReport};
use raydex::limits::{CANARY_AGE_MS, NOTICE_PENDING_MS, SELF_CHECK_LATE_MS};
use raydex::pipeline::run_sweep;
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, RayId};
use raydex::self_check::run_self_check;
use raydex::time::rfc3339;
use serde_json::{Value, json};

use crate::api::Ask;
use crate::api::access::{deployment, rule};
use crate::support::gzip::gzip;
use crate::support::partner::{FakeWebhook, delivering};
use crate::support::records::{ndjson, noise};
use crate::support::{Consumers, Fakes, Fault, Kind, NOW_MS, Reply, run};

const MINUTE: i64 = 60_000;
/// Lines of a batch of one span, and of one of several.
const LINES: u32 = 500;
const MANY_LINES: u32 = 5_000;

/// A deployment with a batch of requests that took place a minute ago, the key of the batch, and a webhook.
struct Scene(Consumers, String, FakeWebhook);

/// The lines of the batch.
fn lines(count: u32) -> Vec<u8> {
    let line = |number: u32| {
        let at_ms = NOW_MS - MINUTE + i64::from(number) * 10;
        let (ray, start) = (RayId::at(at_ms, number).unwrap(), rfc3339(at_ms));
        let noise = hex::encode(noise(number, 400));
        format!(
            r#"{{"RayID":"{ray}","EdgeStartTimestamp":"{start}","EdgeResponseStatus":200,"ClientRequestPath":"/{noise}"}}"#
        )
    };
    ndjson((0..count).map(line))
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    /// The same with these settings.
    fn with(settings: &[(&str, &str)]) -> Self {
        let consumers = Consumers::new(delivering(settings), |_, _| Reply::Status(200));
        let key = batch_key("logs/", Dataset::HttpRequests, NOW_MS - MINUTE, NOW_MS, 7);
        let scene = Self(consumers, key, FakeWebhook::default());
        scene.write();
        scene
    }

    fn fakes(&self) -> &Fakes {
        &self.0.fakes
    }

    /// Writes the batch, and has it indexed.
    fn write(&self) {
        self.write_lines(LINES);
    }

    fn write_lines(&self, count: u32) {
        // The bucket's clock goes on by a second with each object.
        self.fakes().bucket.set_clock(self.0.now() - 1_000);
        let head = self.fakes().bucket.store(&self.1, &gzip(&lines(count)));
        let event = R2Event::put_object(BUCKET_NAME, &self.1, head.size, &head.etag, NOW_MS);
        assert!(self.0.parse(&serde_json::to_string(&event).unwrap(), 1).retry_s.is_none());
    }

    /// Writes another object, and has it read.
    fn put(&self, key: &str, text: &[u8]) {
        self.fakes().bucket.set_clock(self.0.now() - 1_000);
        let head = self.fakes().bucket.store(key, text);
        let event = R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, self.0.now());
        self.0.parse(&serde_json::to_string(&event).unwrap(), 1);
    }

    /// The check after a sweep, as the cron makes it.
    fn try_check(&self) -> Result<SelfCheckReport, BackendError> {
        let swept = run(run_sweep(self.fakes(), &self.0.config)).unwrap();
        run(run_self_check(self.fakes(), &self.0.config, (&self.0.partner, &self.2), Some(&swept)))
    }

    /// The check after a sweep that failed.
    fn check_alone(&self) -> Result<SelfCheckReport, BackendError> {
        run(run_self_check(self.fakes(), &self.0.config, (&self.0.partner, &self.2), None))
    }

    fn canary(&self) -> CanaryResult {
        let report = self.try_check().unwrap();
        assert_eq!(report.canaries.len(), 1);
        report.canaries.into_iter().next().unwrap()
    }

    fn outcome(&self) -> CanaryOutcome {
        self.canary().outcome
    }
}

#[test]
fn canary_finds_what_is_there() {
    let scene = Scene::new();
    let CanaryResult { dataset, outcome, rays, sealed_ms, .. } = scene.canary();
    assert_eq!((dataset, outcome), (Dataset::HttpRequests, CanaryOutcome::Found));
    assert!((8..=10).contains(&rays), "{rays}");
    assert_eq!(sealed_ms, NOW_MS);
}

#[test]
fn deleted_batch_is_gone() {
    let scene = Scene::new();
    assert!(scene.fakes().bucket.delete(&scene.1));
    assert_eq!(scene.outcome(), CanaryOutcome::BatchGone);
    scene.write();
    assert_eq!(scene.outcome(), CanaryOutcome::Found);
}

#[test]
fn batch_whose_deletion_was_announced_is_gone() {
    let scene = Scene::new();
    assert!(scene.fakes().bucket.delete(&scene.1));
    let mut event: Value =
        serde_json::to_value(R2Event::put_object(BUCKET_NAME, &scene.1, 1, "e", scene.0.now())).unwrap();
    event["action"] = "DeleteObject".into();
    assert!(scene.0.parse(&event.to_string(), 1).retry_s.is_none());
    assert_eq!(scene.outcome(), CanaryOutcome::BatchGone);
}

#[test]
fn damaged_window_is_noticed() {
    let scene = Scene::new();
    scene.write_lines(MANY_LINES);
    let contents = scene.fakes().bucket.contents();
    let windows: Vec<_> = contents.iter().filter(|(key, _)| key.contains("/windows/")).collect();
    assert_eq!(windows.len(), 1);
    let (key, bytes) = windows[0];
    scene.fakes().bucket.replace_bytes(key, &vec![0x55; bytes.len()]);
    assert_eq!(scene.outcome(), CanaryOutcome::ReadInFull);
    scene.fakes().bucket.delete(key);
    assert_eq!(scene.outcome(), CanaryOutcome::ReadInFull);
}

#[test]
fn lost_entry_is_noticed() {
    let scene = Scene::new();
    scene.fakes().shards.run_in_all("DELETE FROM entry_v1");
    assert_eq!(scene.outcome(), CanaryOutcome::NotFound);
}

#[test]
fn damaged_batch_is_unreadable() {
    let scene = Scene::new();
    let mut stored = gzip(&lines(LINES));
    let half = stored.len() / 2;
    stored[half..].fill(0);
    scene.fakes().bucket.replace_bytes(&scene.1, &stored);
    assert_eq!(scene.outcome(), CanaryOutcome::BatchUnreadable);
}

#[test]
fn stuck_queue_is_noticed() {
    let scene = Scene::new();
    let written_ms = scene.0.now();
    let later = batch_key("logs/", Dataset::HttpRequests, written_ms, written_ms + 1, 8);
    scene.fakes().bucket.set_clock(written_ms);
    scene.fakes().bucket.store(&later, &gzip(&lines(LINES)));
    assert_eq!(scene.try_check().unwrap().swept.unwrap().announced, 0, "it is too young");
    scene.0.pass(20 * MINUTE);
    let found = scene.try_check().unwrap().swept.unwrap();
    assert_eq!(found.announced, 1);
    assert!(found.oldest_ms.is_some_and(|at_ms| (written_ms..written_ms + MINUTE).contains(&at_ms)), "{found:?}");
}

#[test]
fn equal_record_of_other_spelling_is_found() {
    let scene = Scene::new();
    let line = |ray: RayId, start: &str, is_first: bool| {
        let (ray, start) = (format!(r#""RayID":"{ray}""#), format!(r#""EdgeStartTimestamp":"{start}""#));
        let (one, other) = if is_first { (ray, start) } else { (start, ray) };
        format!(r#"{{{one},"EdgeResponseStatus":200,{other}}}"#)
    };
    for (number, is_first) in [(20, true), (21, false)] {
        let start = rfc3339(NOW_MS - MINUTE);
        let text = ndjson([line(RayId::at(NOW_MS - MINUTE, 77).unwrap(), &start, is_first)]);
        scene.0.pass(1_000);
        scene.put(&batch_key("logs/", Dataset::HttpRequests, NOW_MS, NOW_MS + 1, number), &text);
        assert_eq!(scene.outcome(), CanaryOutcome::Found, "{number}");
    }
}

#[test]
fn silent_dataset_is_tried_for_a_day() {
    let scene = Scene::new();
    let firewall = |ray: u32| {
        let (ray, at) = (RayId::at(NOW_MS, ray).unwrap(), rfc3339(NOW_MS));
        format!(r#"{{"RayID":"{ray}","Action":"block","Datetime":"{at}","RuleID":"r"}}"#)
    };
    let key = batch_key("logs/", Dataset::FirewallEvents, NOW_MS, NOW_MS + 1, 5);
    scene.put(&key, &ndjson((0..9).map(firewall)));
    scene.fakes().bucket.delete(&key);
    // Hours of another dataset, and one that is to come.
    for hours in [1, 2, 3, 4, 90_000] {
        let at_ms = NOW_MS + hours * 60 * MINUTE;
        if hours < 9 {
            scene.0.pass(60 * MINUTE);
        }
        scene.put(&batch_key("logs/", Dataset::HttpRequests, at_ms, at_ms + 1, 6), &gzip(&lines(LINES)));
    }
    let outcomes: BTreeMap<_, _> =
        scene.try_check().unwrap().canaries.into_iter().map(|canary| (canary.dataset, canary.outcome)).collect();
    assert_eq!(outcomes.get(&Dataset::FirewallEvents), Some(&CanaryOutcome::BatchGone));
    assert_eq!(outcomes.get(&Dataset::HttpRequests), Some(&CanaryOutcome::Found));
}

#[test]
fn overwritten_batch_is_gone() {
    let scene = Scene::new();
    scene.0.pass(1_000);
    scene.put(&scene.1, b"\x1f\x8bno gzip");
    assert_eq!(scene.outcome(), CanaryOutcome::BatchGone);
}

#[test]
fn batch_without_rays_gives_nothing_to_try() {
    let scene = Scene::new();
    scene.0.pass(1_000);
    let start = rfc3339(NOW_MS);
    let text =
        ndjson([format!(r#"{{"EdgeStartTimestamp":"{start}","EdgeResponseStatus":200,"ClientRequestPath":"/"}}"#)]);
    scene.put(&batch_key("logs/", Dataset::HttpRequests, NOW_MS, NOW_MS + 1, 20), &text);
    let CanaryResult { outcome, rays, .. } = scene.canary();
    assert_eq!((outcome, rays), (CanaryOutcome::NothingToTry, 0));
    scene.0.pass(1_000);
    scene.put(&batch_key("logs/", Dataset::HttpRequests, NOW_MS, NOW_MS + 1, 21), b"");
    assert_eq!(scene.outcome(), CanaryOutcome::NothingToTry, "an empty batch hides none");
}

#[test]
fn old_batch_is_not_tried() {
    let scene = Scene::new();
    scene.fakes().bucket.delete(&scene.1);
    scene.0.pass(CANARY_AGE_MS + MINUTE);
    assert_eq!(scene.try_check().unwrap().canaries, []);
}

#[test]
fn failing_backend_is_no_finding() {
    let clean = Scene::new();
    let before = clean.fakes().faults.calls();
    clean.check_alone().unwrap();
    let calls = clean.fakes().faults.calls() - before;
    assert!(calls > 20, "{calls}");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = Scene::new();
            scene.fakes().faults.plan(None, nth, fault);
            if let Ok(report) = scene.check_alone() {
                let outcomes: Vec<_> = report.canaries.iter().map(|canary| canary.outcome).collect();
                assert_eq!(outcomes, [CanaryOutcome::Failed], "call {nth} {fault:?}");
            }
            assert!(scene.fakes().faults.clear(), "call {nth} {fault:?}");
            assert_eq!(scene.outcome(), CanaryOutcome::Found, "call {nth} {fault:?}");
        }
    }
}

#[test]
fn clock_of_the_partner_is_compared() {
    let scene = Scene::new();
    assert_eq!(scene.try_check().unwrap().partner_clock_ms, Some(0));
    scene.0.partner.is_closed.set(true);
    assert_eq!(scene.try_check().unwrap().partner_clock_ms, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn canary_of_any_batch_finds_it(numbers in proptest::collection::vec(0_u32..3, 1..200), seed in 0_u32..1_000) {
        // Rays may repeat, within the batch and in both of its spellings.
        let line = |(at, number): (usize, &u32)| {
            let ray = RayId::at(NOW_MS - MINUTE - i64::from(*number) * 400_000, seed + u32::try_from(at).unwrap() / 3).unwrap().to_string();
            let ray = if at % 2 == 0 { ray } else { ray.to_uppercase() };
            format!(r#"{{"RayID":"{ray}","ClientIP":"192.0.2.1","N":{at}}}"#)
        };
        let scene = Scene::new();
        scene.0.pass(1_000);
        let key = batch_key("logs/", Dataset::HttpRequests, NOW_MS, NOW_MS + 1, 9);
        let text = ndjson(numbers.iter().enumerate().map(line));
        let head = scene.fakes().bucket.store(&key, &gzip(&text));
        let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, NOW_MS);
        scene.0.parse(&serde_json::to_string(&event).unwrap(), 1);
        let canary = scene.canary();
        prop_assert_eq!(canary.outcome, CanaryOutcome::Found);
    }
}

/// What `/healthz?deep=1` says of each check, by its name.
fn deep_health(scene: &Scene) -> BTreeMap<String, String> {
    let reply = Ask::get("/healthz?deep=1").of_deployment(scene.fakes(), &Ok(scene.0.config.clone()));
    assert_eq!(reply.status, 200);
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer["not_visible"].as_array().map(Vec::len), Some(5));
    let worst = answer["status"].as_str().unwrap().to_owned();
    let checks = answer["checks"].as_array().unwrap().iter();
    let status = |check: &Value| check["status"].as_str().unwrap().to_owned();
    let all: BTreeMap<_, _> = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), status(check))).collect();
    let order = ["ok", "unknown", "warning", "failing"];
    assert_eq!(Some(worst.as_str()), order.into_iter().rev().find(|name| all.values().any(|found| found == name)));
    all
}

#[test]
fn deep_health_names_each_part() {
    let scene = Scene::new();
    let before = deep_health(&scene);
    assert_eq!(before.get("cron").map(String::as_str), Some("unknown"), "it has not run");
    scene.try_check().unwrap();
    let all = deep_health(&scene);
    assert!(all.values().all(|status| status == "ok"), "{all:?}");
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    let expected = [
        "accounts",
        "audit_log",
        "canary",
        "cron",
        "data_bucket",
        "dead_letters",
        "delivery",
        "erasures",
        "index",
        "ledgers",
        "log_bucket",
        "parse_queue",
        "partner_clock",
        "settings",
    ];
    assert_eq!(names, expected);
}

#[test]
fn deep_health_tells_what_fails() {
    let failing = |scene: &Scene| {
        let all = deep_health(scene);
        all.into_iter().filter(|(_, status)| status == "failing").map(|(name, _)| name).collect::<Vec<_>>()
    };
    let scene = Scene::new();
    scene.try_check().unwrap();
    scene.0.pass(SELF_CHECK_LATE_MS + 1);
    assert_eq!(failing(&scene), ["cron"]);
    scene.fakes().bucket.delete(&scene.1);
    scene.try_check().unwrap();
    assert_eq!(failing(&scene), ["canary"]);
    scene.fakes().faults.plan_row(Some(Kind::Shard), 0, Fault::Fails, 9);
    assert_eq!(failing(&scene), ["canary", "index"]);
    scene.fakes().faults.plan_row(Some(Kind::List), 0, Fault::Fails, 9);
    assert_eq!(failing(&scene), ["canary", "data_bucket", "log_bucket"]);
    scene.fakes().faults.plan_row(Some(Kind::Ledger), 0, Fault::Fails, 99);
    assert_eq!(failing(&scene), ["ledgers"], "what the cron found is not known either");
}

#[test]
fn deep_health_is_for_administrators() {
    let fakes = Fakes::new();
    assert_eq!(Ask::get("/healthz?deep=1").by("wrong").of(&fakes).status, 401);
    for scopes in [&["read"][..], &["deliver"], &["read", "deliver", "ingest"]] {
        let config = Ok(deployment(&[rule("desk", &json!({ "scopes": scopes }))]));
        assert_eq!(Ask::get("/healthz?deep=1").by("desk").of_deployment(&fakes, &config).status, 403, "{scopes:?}");
    }
    assert_eq!(Ask::get("/healthz?deep=2").of(&fakes).status, 400);
    assert_eq!(Ask::get("/healthz?depth=1").by("wrong").of(&fakes).status, 200, "it is the open one");
}

#[test]
fn metrics_show_what_the_check_found() {
    let scene = Scene::new();
    let lines = || {
        let reply = Ask::get("/metrics").of_deployment(scene.fakes(), &Ok(scene.0.config.clone()));
        String::from_utf8(reply.body).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(lines().contains(&"raydex_self_check_age_seconds -1".to_owned()));
    scene.try_check().unwrap();
    scene.0.pass(90_000);
    for line in [
        "raydex_self_check_age_seconds 90",
        "raydex_sweep_found 0",
        "raydex_canary{dataset=\"http_requests\",outcome=\"found\"} 1",
        "raydex_canary{dataset=\"http_requests\",outcome=\"batch_gone\"} 0",
        "raydex_newest_batch_age_seconds{dataset=\"http_requests\"} 90",
        "raydex_index_delay_seconds{dataset=\"http_requests\"} 0",
    ] {
        assert!(lines().contains(&line.to_owned()), "{line}\n{:#?}", lines());
    }
}

const HOOK: &str = "https://hooks.example/T1/s3cret";

/// What the webhook heard since the last look.
fn heard(scene: &Scene) -> Vec<Value> {
    let posts = std::mem::take(&mut *scene.2.posts.borrow_mut());
    assert!(posts.iter().all(|(url, _)| url == HOOK));
    posts.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
}

#[test]
fn webhook_hears_of_each_change_once() {
    let scene = Scene::with(&[("ALERT_WEBHOOK_URL", HOOK)]);
    let check = || drop(scene.try_check().unwrap());
    check();
    assert_eq!(heard(&scene), [] as [Value; 0], "all is well");
    scene.fakes().bucket.delete(&scene.1);
    scene.0.parse("no event", 3);
    check();
    let names = |notice: &Value| {
        let alerts = notice["alerts"].as_array().unwrap().iter();
        alerts.map(|alert| alert["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let notices = heard(&scene);
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0]["status"].as_str(), notices[0]["bucket"].as_str()), (Some("firing"), Some(BUCKET_NAME)));
    assert_eq!(names(&notices[0]), ["RaydexDeadLetters", "RaydexCanaryFailing"]);
    check();
    assert_eq!(heard(&scene), [] as [Value; 0], "it has heard of it");
    scene.write();
    check();
    assert_eq!(heard(&scene).iter().map(names).collect::<Vec<_>>(), [["RaydexDeadLetters"]]);
    let dismiss = Ask::post("/v1/dead-letters/1/dismiss", "a test sent it").of(scene.fakes());
    assert_eq!(dismiss.status, 200);
    scene.2.refuses.set(true);
    check();
    scene.2.refuses.set(false);
    check();
    check();
    let statuses: Vec<_> = heard(&scene).iter().map(|notice| notice["status"].clone()).collect();
    assert_eq!(statuses, ["resolved", "resolved"], "what it refused comes again, once");
}

#[test]
fn webhook_keeps_what_cannot_be_asked() {
    let scene = Scene::with(&[("ALERT_WEBHOOK_URL", HOOK)]);
    scene.fakes().bucket.delete(&scene.1);
    scene.try_check().unwrap();
    assert_eq!(heard(&scene).len(), 1);
    scene.fakes().faults.plan(Some(Kind::Get), 0, Fault::Fails);
    assert_eq!(scene.outcome(), CanaryOutcome::Failed);
    assert!(scene.fakes().faults.clear());
    assert_eq!(heard(&scene), [] as [Value; 0], "it is not resolved");
}

#[test]
fn webhook_of_slack_gets_a_message() {
    let scene = Scene::with(&[("ALERT_WEBHOOK_URL", HOOK), ("ALERT_WEBHOOK_FORM", "slack")]);
    scene.0.parse("no event", 3);
    scene.try_check().unwrap();
    let text =
        format!("raydex of {BUCKET_NAME}: firing\n• RaydexDeadLetters: dead letters that wait for a decision: 1");
    assert_eq!(heard(&scene), [json!({ "text": text })]);
}

#[test]
fn webhook_hears_of_what_waits_too_long() {
    let scene = Scene::with(&[("ALERT_WEBHOOK_URL", HOOK)]);
    scene.0.pass(NOTICE_PENDING_MS);
    scene.try_check().unwrap();
    assert_eq!(heard(&scene), [] as [Value; 0], "an hour is not over");
    scene.0.pass(1);
    scene.try_check().unwrap();
    assert_eq!(heard(&scene)[0]["alerts"][0]["name"], "RaydexOldestPending");
}
