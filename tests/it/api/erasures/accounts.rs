//! Erasures and accounts: a batch that is rewritten stays the same batch, whatever came before and comes after.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use raydex::ledger::backfills::BackfillRequest;
use raydex::ledger::ids::REGISTRY;
use raydex::limits::ERASURES_FRESH_MS;
use raydex::pipeline::{drive_backfills, run_sweep, start_backfill};
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, RayId};
use raydex::services::IsolateMemory;
use serde_json::{Value, json};

use super::super::support::partner::delivering;
use super::super::support::records::ray;
use super::super::support::{Consumers, NOW_MS, Reply, run};
use super::super::{Ask, json as body, problem};
use super::erase;

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_aa.log.gz";
/// The instant of the first record.
const START: i64 = NOW_MS - 600_000;

/// A deployment whose partner takes what it gets, or nothing.
struct Scene {
    consumers: Consumers,
    takes: Rc<Cell<bool>>,
    /// The messages that are to return.
    returning: RefCell<Vec<String>>,
}

fn line(number: u64) -> String {
    let at = START + i64::try_from(number).unwrap() * 1000;
    format!(r#"{{"ClientIP":"192.0.2.1","ClientRequestURI":"/","RayID":"{}","EdgeStartTimestamp":{at}}}"#, ray(number))
}

/// A ray of the days after.
fn later_ray(number: u64) -> String {
    RayId::at(START + 5 * 86_400_000, u32::try_from(number).unwrap()).unwrap().to_string()
}

fn lines(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(line).collect()
}

impl Scene {
    fn new() -> Self {
        let takes = Rc::new(Cell::new(true));
        let mind = Rc::clone(&takes);
        let mind = move |_: &_, _| Reply::Status(if mind.get() { 200 } else { 503 });
        let scene = Self { consumers: Consumers::new(delivering(&[]), mind), takes, returning: RefCell::default() };
        scene.consumers.fakes.isolate.first_start_ms.set(None);
        scene
    }

    /// A deployment that finds a batch of these lines when it begins.
    fn over(lines: &[String]) -> Self {
        let scene = Self::new();
        scene.consumers.fakes.bucket.set_clock(NOW_MS - 60_000);
        scene.store(KEY, lines);
        scene.turn();
        scene
    }

    /// A deployment that delivers a batch of these lines.
    fn delivering(lines: &[String]) -> Self {
        let scene = Self::new();
        scene.turn();
        scene.consumers.fakes.bucket.set_clock(scene.consumers.now());
        scene.store(KEY, lines);
        scene.turn();
        scene
    }

    fn store(&self, key: &str, lines: &[String]) {
        self.consumers.fakes.bucket.store(key, lines.join("\n").as_bytes());
        self.announce(key);
    }

    fn announce(&self, key: &str) {
        let head = self.consumers.fakes.bucket.object(key).unwrap().head;
        let event = R2Event::put_object("cdn-logs-raw", key, head.size, &head.etag, self.consumers.now());
        let _later = self.consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    }

    fn turn(&self) {
        self.consumers.pass(ERASURES_FRESH_MS);
        run(drive_backfills(&self.consumers.fakes, &self.consumers.config)).unwrap();
        let messages = [self.returning.take(), self.consumers.fakes.queue.take()].concat();
        let returns = |message: &String| self.consumers.parse(message, 1).retry_s.is_some();
        self.returning.replace(messages.into_iter().filter(returns).collect());
        self.consumers.settle(0);
    }

    fn erase(&self, wanted: &Value) -> u64 {
        let config = Ok(self.consumers.config.clone());
        let reply = erase(wanted).of_deployment(&self.consumers.fakes, &config);
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        body(&reply)["id"].as_u64().unwrap()
    }

    fn erase_rays(&self, numbers: &[u64]) -> u64 {
        let values: Vec<String> = numbers.iter().map(|number| ray(*number).to_string()).collect();
        self.erase(&json!({ "by": "ray", "values": values }))
    }

    fn shown(&self, id: u64) -> Value {
        let config = Ok(self.consumers.config.clone());
        body(&Ask::get(&format!("/v1/erasures/{id}")).of_deployment(&self.consumers.fakes, &config))
    }

    /// Turns until the erasure is done, with the events of what it wrote.
    fn finish(&self, id: u64) -> Value {
        for _ in 0..20 {
            self.turn();
            let shown = self.shown(id);
            if shown["state"] == "done" {
                self.consumers.fakes.bucket.contents().keys().filter(|key| key.starts_with("logs/")).for_each(|key| {
                    self.announce(key);
                });
                self.turn();
                return shown;
            }
        }
        panic!("it does not end: {}", self.shown(id));
    }

    fn backfill(&self, numbers: std::ops::Range<i64>) {
        let request = BackfillRequest {
            start_ms: START + numbers.start * 1000,
            end_ms: START + numbers.end * 1000,
            index: true,
            deliver: true,
            lines_per_second: 100_000,
            again: false,
            erasure: None,
            filter: None,
            reason: None,
            rebuild: false,
        };
        run(start_backfill(&self.consumers.fakes, &self.consumers.config, request, None)).unwrap();
        (0..4).for_each(|_| self.turn());
    }

    /// The numbers of the records that the partner has, as often as it has them.
    fn stored(&self) -> Vec<u64> {
        let stored = self.consumers.partner.stored();
        let number = |id: &str| (0..400).find(|number| ray(*number).to_string() == id).unwrap();
        stored.iter().flat_map(|(id, times)| std::iter::repeat_n(number(id), *times)).collect()
    }

    fn text(&self, key: &str) -> String {
        let bytes = self.consumers.fakes.bucket.object(key).unwrap().bytes;
        let stored = if bytes.starts_with(&[0x1f]) { super::gunzip_each(&bytes).concat() } else { bytes.to_vec() };
        String::from_utf8(stored).unwrap()
    }

    fn is_found(&self, number: u64) -> bool {
        !self.consumers.fakes.lines(&ray(number).to_string()).is_empty()
    }

    fn unaccounted(&self) -> i64 {
        self.consumers.fakes.ledgers.totals().lines.unaccounted
    }
}

#[test]
fn rewriting_releases_no_batch_held_back() {
    let scene = Scene::over(&lines(0..9));
    let shown = scene.finish(scene.erase_rays(&[3]));
    assert_eq!((&shown["lines"], scene.is_found(3), scene.is_found(4)), (&json!(1), false, true));
    run(run_sweep(&scene.consumers.fakes, &scene.consumers.config)).unwrap();
    (0..3).for_each(|_| scene.turn());
    assert_eq!((scene.stored(), scene.unaccounted()), (vec![], 0));
    let totals = scene.consumers.fakes.ledgers.totals();
    assert_eq!((totals.before_start.batches, totals.lines.lines_in), (1, 9));
}

#[test]
fn later_erasure_finds_plans_of_rewritten_batch() {
    let scene = Scene::over(&lines(0..9));
    scene.finish(scene.erase_rays(&[3]));
    scene.takes.set(false);
    scene.backfill(0..100);
    let shown = scene.finish(scene.erase_rays(&[4, 5]));
    assert_eq!(
        (&shown["lines"], &shown["taken_out"], &shown["payloads"]),
        (&json!(2), &json!(2), &json!(0)),
        "{shown}"
    );
    scene.takes.set(true);
    scene.consumers.settle(3_600_000);
    assert_eq!((scene.stored(), scene.unaccounted()), (vec![0, 1, 2, 6, 7, 8], 0));
}

#[test]
fn rest_of_rewritten_batch_is_delivered_once() {
    let scene = Scene::over(&lines(0..20));
    scene.backfill(0..10);
    assert_eq!(scene.stored(), (0..10).collect::<Vec<_>>());
    let shown = scene.finish(scene.erase_rays(&[5, 15]));
    assert_eq!((&shown["lines"], &shown["payloads"]), (&json!(2), &json!(1)), "{shown}");
    scene.backfill(0..20);
    let left = (0..20).filter(|number| *number != 15).collect::<Vec<_>>();
    assert_eq!((scene.stored(), scene.unaccounted()), (left, 0));
}

#[test]
fn batch_of_any_name_is_looked_through() {
    let scene = Scene::new();
    scene.turn();
    // It is named by the time of its writing, days later; the others are near, and of other rays.
    let late = "logs/http_requests/20260405/20260405T084200Z_20260405T084225Z_aa.log.gz";
    let other = "logs/http_requests/20260405/20260405T085200Z_20260405T085225Z_bb.log.gz";
    scene.consumers.pass(8 * 86_400_000);
    scene.consumers.fakes.bucket.set_clock(scene.consumers.now());
    scene.store(late, &lines(0..5));
    let elsewhere = (0..5).map(|number| line(number).replace(&ray(number).to_string(), &later_ray(number)));
    scene.store(
        other,
        &elsewhere
            .map(|line| line.replace(r#""EdgeStartTimestamp":1774"#, r#""EdgeStartTimestamp":1775"#))
            .collect::<Vec<_>>(),
    );
    let before = scene.text(other);
    let shown = scene.finish(scene.erase_rays(&[3]));
    assert_eq!((&shown["lines"], &shown["objects"]["announced"]), (&json!(1), &json!(1)), "{shown}");
    assert!(!scene.text(late).contains(&ray(3).to_string()) && scene.text(other) == before);
    let range = json!({ "by": "address", "values": ["192.0.2.1"], "start": START, "end": START + 2_000 });
    let shown = scene.finish(scene.erase(&range));
    assert_eq!((&shown["lines"], &shown["objects"]["announced"]), (&json!(2), &json!(1)), "{shown}");
}

#[test]
fn record_without_time_keeps_its_instant() {
    let scene = Scene::new();
    scene.turn();
    let key = "logs/http_requests/flat/batch-7.log.gz";
    let bare = |address: &str| format!(r#"{{"ClientIP":"{address}","ClientRequestURI":"/","EdgeResponseStatus":200}}"#);
    let all = [lines(0..5), vec![bare("198.51.100.1"), bare("198.51.100.2")]].concat();
    scene.consumers.fakes.bucket.set_clock(scene.consumers.now());
    scene.store(key, &all);
    scene.consumers.pass(60_000);
    let (start, end) = (START - 1000, scene.consumers.now());
    let [one, other] = ["198.51.100.1", "198.51.100.2"]
        .map(|address| scene.erase(&json!({ "by": "address", "values": [address], "start": start, "end": end })));
    scene.consumers.pass(600_000);
    let shown = [scene.finish(one), scene.finish(other)];
    assert!(shown.iter().all(|shown| shown["lines"] == 1), "{shown:?}");
    assert!(!scene.text(key).contains("198.51.100."));
}

#[test]
fn rewritten_batch_is_judged_as_before() {
    let scene = Scene::new();
    scene.turn();
    // A folder that does not say it; what is left of the lines says less than what is erased.
    let key = "logs/acme-prod/20260328/20260328T084200Z_20260328T084225Z_fa.log.gz";
    let event = |number: u64| {
        format!(
            r#"{{"RayID":"{}","Action":"block","Datetime":"2026-03-28T08:42:01Z","RuleID":"r","Source":"waf"}}"#,
            ray(number)
        )
    };
    let cut = (0..12).map(|number| line(number).split_at(30).0.to_owned());
    let all: Vec<String> = (0..320).map(event).chain(cut).collect();
    scene.store(key, &all);
    let is_found =
        |number: u64| !scene.consumers.fakes.find(Dataset::FirewallEvents, &ray(number).to_string()).records.is_empty();
    assert!(is_found(310));
    let (gone, kept): (Vec<u64>, Vec<u64>) = (0..320).partition(|number| *number < 280);
    let shown = scene.finish(scene.erase_rays(&gone));
    assert_eq!((&shown["lines"], &shown["objects"]["quarantined"]), (&json!(280), &json!(0)), "{shown}");
    assert!(kept.iter().all(|number| is_found(*number)) && !gone.iter().any(|number| is_found(*number)));
}

#[test]
fn each_erasure_lists_what_was_sent() {
    let scene = Scene::delivering(&lines(0..9));
    assert_eq!(scene.stored().len(), 9);
    let by_address = json!({ "by": "address", "values": ["192.0.2.1"], "start": START, "end": START + 4_000 });
    let (one, other) = (scene.erase_rays(&[3]), scene.erase(&by_address));
    let shown = [scene.finish(one), scene.finish(other)];
    let said = |shown: &Value| (shown["lines"].clone(), shown["payloads"].clone(), shown["sent"][0]["lines"].clone());
    assert_eq!(shown.each_ref().map(said), [(json!(1), json!(1), json!(1)), (json!(4), json!(1), json!(4))]);
}

#[test]
fn batch_without_accounts_is_said_to_be_unknown() {
    let scene = Scene::delivering(&lines(0..9));
    scene.consumers.pass(600_000);
    scene.consumers.fakes.ledgers.lose(|name| name.contains("20260328"));
    let shown = scene.finish(scene.erase_rays(&[3]));
    assert_eq!((&shown["lines"], &shown["unknown_batches"], &shown["payloads"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(scene.stored().len(), 9, "nothing of it goes again");
}

#[test]
fn lost_erasures_hold_deliveries_back() {
    let mut scene = Scene::delivering(&lines(0..3));
    scene.finish(scene.erase_rays(&[20]));
    scene.consumers.fakes.ledgers.lose(|name| name == REGISTRY);
    scene.consumers.fakes.isolate = IsolateMemory::default();
    let fakes = &scene.consumers.fakes;
    scene.consumers.pass(60_000);
    fakes.bucket.set_clock(scene.consumers.now());
    let late = KEY.replace("_aa", "_bb");
    scene.store(&late, &lines(10..22));
    (0..3).for_each(|_| scene.turn());
    assert_eq!(scene.stored(), [0, 1, 2]);
    let config = Ok(scene.consumers.config.clone());
    let asked = |path: &str| Ask::get(path).of_deployment(fakes, &config);
    assert_eq!(problem(&asked(&format!("/v1/rays/{}", ray(1)))), (503, "erasures_lost".into()));
    let health = body(&asked("/healthz?deep=1"));
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "erasures").unwrap();
    assert_eq!(check["status"], "failing", "{health}");
    let again = scene.erase_rays(&[20]);
    scene.announce(&late);
    scene.finish(again);
    assert_eq!((asked(&format!("/v1/rays/{}", ray(1))).status, scene.stored().contains(&20)), (200, false));
}
