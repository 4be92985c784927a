//! Limited rates: what goes out in a second, who waits where, and that a payload which has to come back loses nothing.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::DeliveryState;
use raydex::ledger::backfills::{BackfillRequest, StartBackfill};
use raydex::ledger::calls::GetTotals;
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::pacer::{LaneRate, TakeTurn, TurnAnswer};
use raydex::ledger::partner::GetPartner;
use raydex::ledger::waiting::WaitCause;
use raydex::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, PACE_AHEAD_MS};
use raydex::pipeline::PartnerWatch;
use raydex::r2_event::R2Event;
use serde_json::json;

use super::Scene;
use super::support::gzip::gzip;
use super::support::partner::{KEY, SECOND_KEY, Seen, delivering};
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind, NOW_MS, Reply, run};

const CAP: &str = "PARTNER_LINES_PER_SECOND";

/// When each POST came, and with how many lines.
fn posts(consumers: &Consumers) -> Vec<(i64, u64)> {
    consumers.partner.seen().iter().map(|seen| (seen.at_ms, seen.lines.len() as u64)).collect()
}

/// The most lines in any second.
fn most_in_a_second(consumers: &Consumers) -> u64 {
    let posts = posts(consumers);
    let second =
        |from: i64| posts.iter().filter(move |(at, _)| (from..from + 1_000).contains(at)).map(|(_, lines)| lines).sum();
    posts.iter().map(|(from, _)| second(*from)).max().unwrap_or(0)
}

/// How many payloads wait for their turn.
fn paced(scene: &Scene) -> u64 {
    scene.consumers.fakes.ledgers.ask(&scene.id().ledger, &GetTotals {}).delivery.paced_payloads
}

/// Books this many lines in the lane of all, at one line per second.
fn book(scene: &Scene, lines: u64) {
    let call = TakeTurn { lines, lanes: vec![LaneRate::for_all(1)], within_ms: 0, place_ms: None };
    assert_eq!(scene.consumers.fakes.ledgers.ask(PARTNER, &call), TurnAnswer::Granted { wait_ms: 0 });
}

/// A batch of the key, which a backfill announces.
fn backfill(consumers: &Consumers, key: &str, first: u64, records: u64, id: i64, lines_per_second: u64) {
    let text = ndjson((first..first + records).map(|number| http(&ray(number).to_string(), 0)));
    let head = consumers.fakes.bucket.store(key, &gzip(&text));
    let request = BackfillRequest { lines_per_second, ..crate::backfill::ask(0, i64::MAX) };
    let start = StartBackfill { request, folders: Vec::new(), name: None };
    assert_eq!(consumers.fakes.ledgers.ask(REGISTRY, &start).id, id);
    let mut event = serde_json::to_value(R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS)).unwrap();
    event["backfill"] = json!({"id": id, "start_ms": 0, "end_ms": i64::MAX, "index": true, "deliver": true,
        "lines_per_second": lines_per_second});
    assert_eq!(consumers.parse(&event.to_string(), 1).verdict.name(), "sealed");
}

/// The key of the nth hour's batch.
fn key_of(hour: u64) -> String {
    format!("logs/http_requests/20260328/20260328T{hour:02}4200Z_20260328T{hour:02}4225Z_a.log.gz")
}

#[test]
fn cap_holds_in_every_second() {
    for (records, lines, cap, most) in [(600, 10, "50", 60), (400, 100, "1000", 1_100), (30, 10, "3", 10)] {
        let scene = Scene::of(records, lines, &[(CAP, cap)], |_, _| Reply::Status(200));
        let begun = scene.consumers.now();
        scene.messages.iter().for_each(|message| drop(scene.consumers.send(message, 1)));
        assert_eq!(scene.totals().lines.delivered, records, "cap {cap}");
        assert!(most_in_a_second(&scene.consumers) <= most, "cap {cap}: {:?}", posts(&scene.consumers));
        // Nor is it slower than it must be.
        let last_ms = posts(&scene.consumers).last().unwrap().0 - begun;
        let ideal_ms = i64::try_from((records - lines as u64) * 1_000).unwrap() / cap.parse::<i64>().unwrap();
        assert!((ideal_ms..=ideal_ms + 2_000).contains(&last_ms), "cap {cap}: {last_ms} and not {ideal_ms}");
    }
}

#[test]
fn live_traffic_without_a_cap_asks_nobody() {
    let scene = Scene::of(20, 1, &[], |_, _| Reply::Status(200));
    let watch = PartnerWatch::default();
    let before = scene.consumers.fakes.faults.count(Kind::Partner);
    for message in &scene.messages {
        assert_eq!(scene.consumers.send_in(&watch, message, 1).verdict.name(), "delivered");
    }
    assert_eq!(scene.consumers.fakes.faults.count(Kind::Partner) - before, 1, "the breaker, once");
    assert_eq!(scene.consumers.now(), NOW_MS, "no time is lost");
}

#[test]
fn backfills_keep_their_rates_beside_live_traffic() {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "10")]), |_, _| Reply::Status(200));
    backfill(&consumers, &key_of(1), 0, 200, 1, 20);
    backfill(&consumers, &key_of(2), 1_000, 400, 2, 50);
    let (one, two) = (200_000 / 20, 400_000 / 50);
    let begun = consumers.now();
    consumers.settle(one - 2_000);
    let live = || {
        let head = consumers.fakes.bucket.store(&key_of(3), &gzip(&ndjson([http(&ray(9_000).to_string(), 0)])));
        serde_json::to_string(&R2Event::put_object(BUCKET_NAME, &key_of(3), head.size, &head.etag, NOW_MS)).unwrap()
    };
    consumers.parse(&live(), 1);
    let (message, at_ms) = (consumers.fakes.sends.take().remove(0), consumers.now());
    assert_eq!(consumers.send(&message, 1).verdict.name(), "delivered");
    assert_eq!(consumers.now(), at_ms, "it waits for no backfill");
    consumers.settle(600_000);
    assert_eq!(consumers.fakes.ledgers.totals().lines.delivered, 601);
    assert!(most_in_a_second(&consumers) <= 20 + 50 + 2 * 10 + 1, "{:?}", posts(&consumers));
    let took_ms = posts(&consumers).last().unwrap().0 - begun;
    assert!(took_ms >= one.max(two) - 1_000, "{took_ms}");
}

#[test]
fn deferred_payload_costs_no_attempt() {
    let scene = Scene::of(1, 1, &[(CAP, "1")], |_, _| Reply::Status(200));
    // Another deployment of the same partner's object has taken the next minute.
    book(&scene, 60);
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref(), said.retry_s), ("waits", Some("pace"), None));
    assert_eq!((said.status, said.post_ms, scene.posts()), (None, None, 0));
    let payload = scene.payload();
    assert_eq!((payload.state, payload.attempts, payload.code), (DeliveryState::Prepared, 0, None));
    let wait = payload.wait.unwrap();
    assert_eq!((wait.waits_for, wait.reason), (WaitCause::Pace, None));
    let back_ms = wait.until_ms.unwrap() - scene.consumers.now();
    assert!((45_000..=60_000 - PACE_AHEAD_MS + 3_000).contains(&back_ms), "{back_ms}");
    assert_eq!(paced(&scene), 1);
    // Its message comes once more meanwhile: it is not due.
    assert_eq!(scene.send().code.as_deref(), Some("not_due"));
    let begun_ms = scene.consumers.now();
    scene.consumers.settle(70_000);
    assert_eq!((scene.state(), scene.payload().attempts), (DeliveryState::Delivered, 1));
    assert_eq!(posts(&scene.consumers), [(begun_ms + 60_000, 1)], "in its turn");
    assert_eq!(paced(&scene), 0);
}

#[test]
fn unreachable_pacer_lets_nothing_out() {
    let scene = Scene::of(1, 1, &[(CAP, "10")], |_, _| Reply::Status(200));
    let watch = PartnerWatch::default();
    let fingerprint = scene.consumers.config.delivery.as_ref().unwrap().fingerprint();
    for fault in [Fault::Fails, Fault::FailsButHappened] {
        run(watch.refresh(&scene.consumers.fakes, &fingerprint));
        scene.consumers.fakes.faults.plan(Some(Kind::Partner), 0, fault);
        let said = scene.consumers.send_in(&watch, &scene.messages[0], 1);
        assert_eq!((said.verdict.name(), scene.posts()), ("released", 0), "{fault:?}");
        assert!(scene.consumers.fakes.faults.clear());
        scene.consumers.pass(60_000);
    }
    assert_eq!(scene.payload().attempts, 0);
    scene.consumers.settle(60_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 1));
}

#[test]
fn sender_late_for_its_turn_asks_again() {
    let scene = Scene::of(2, 1, &[(CAP, "10")], |_, _| Reply::Status(200));
    // Each look at the clock finds it two seconds later.
    scene.consumers.fakes.tick_ms.set(2_000);
    let said = scene.send();
    scene.consumers.fakes.tick_ms.set(0);
    assert_eq!((said.verdict.name(), said.counted, scene.posts()), ("released", Some(true), 0));
    assert_eq!(scene.payload().attempts, 0);
    assert_eq!(scene.send_nth(1).verdict.name(), "delivered");
}

#[test]
fn second_key_takes_a_turn_of_its_own() {
    let both = [("PARTNER_PRIVATE_KEY_2", SECOND_KEY), (CAP, "2")];
    let mind = |seen: &Seen, _: usize| Reply::Status(if seen.key == KEY { 401 } else { 200 });
    let scene = Scene::of(60, 30, &both, mind);
    assert_eq!(scene.send().verdict.name(), "delivered");
    let at: Vec<i64> = posts(&scene.consumers).iter().map(|(at, _)| at - NOW_MS).collect();
    assert_eq!(at, [0, 15_000], "however long it has to wait in its claim");
    // The second payload is far behind. Its key is no reason to open the breaker.
    assert_eq!(scene.send_nth(1).code.as_deref(), Some("pace"));
    scene.consumers.settle(120_000);
    assert_eq!(scene.totals().lines.delivered, 60);
    let fingerprint = scene.consumers.config.delivery.as_ref().unwrap().fingerprint();
    assert!(!scene.consumers.fakes.ledgers.ask(PARTNER, &GetPartner { fingerprint }).is_open());
}

#[test]
fn deferred_probe_is_for_another_payload() {
    let scene = Scene::of(10, 1, &[(CAP, "1")], |_, nth| {
        Reply::Status(if nth < BREAKER_FAILURES as usize { 503 } else { 200 })
    });
    (0..BREAKER_FAILURES as usize).for_each(|nth| {
        scene.consumers.pass(2_000);
        assert_eq!(scene.send_nth(nth).verdict.name(), "not_stored");
    });
    scene.consumers.pass(BREAKER_MAX_MS);
    book(&scene, 30);
    let watch = PartnerWatch::default();
    let send = |nth: usize| scene.consumers.send_in(&watch, &scene.messages[nth], 1);
    assert_eq!(send(5).code.as_deref(), Some("pace"), "it was to try");
    scene.consumers.pass(28_000);
    assert_eq!(send(6).verdict.name(), "delivered", "the probe was given back");
}

#[test]
fn recovery_leaves_places_in_line_alone() {
    let busy = |_: &Seen, nth| Reply::Status(if nth < 4 { 503 } else { 200 });
    let scene = Scene::of(40, 1, &[(CAP, "1")], busy);
    (0..4).for_each(|nth| assert_eq!(scene.send_nth(nth).verdict.name(), "not_stored"));
    scene.consumers.pass(60_000);
    book(&scene, 20);
    let codes = scene.messages.iter().map(|message| scene.consumers.send(message, 1).code.unwrap());
    assert!(codes.collect::<Vec<_>>().iter().all(|code| code == "pace"));
    assert_eq!((paced(&scene), scene.payload().code.as_deref()), (40, Some("busy")));
    let before = scene.payloads();
    scene.consumers.fakes.ledgers.ask(&scene.id().ledger, &LearnPartner { standing: None });
    assert_eq!(scene.payloads(), before, "they come back for their places");
    // Each in its second, the last one too.
    scene.consumers.settle(65_000);
    assert_eq!((scene.totals().lines.delivered, most_in_a_second(&scene.consumers)), (40, 1));
}

#[test]
fn batch_expects_the_post_of_a_waiting_sender() {
    let scene = Scene::of(2, 1, &[(CAP, "1")], |_, _| Reply::Status(200));
    let watch = PartnerWatch::default();
    scene.consumers.send_in(&watch, &scene.messages[0], 1);
    assert_eq!(watch.expected_post_ms(), 0, "its turn was at once");
    scene.consumers.send_in(&watch, &scene.messages[1], 1);
    assert_eq!(watch.expected_post_ms(), NOW_MS + 1_000);
}
