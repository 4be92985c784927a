//! Erased lines: taken out of payloads that wait, gone from packs, and told of where the partner has them; whatever fails on the
//! way.

use futures_util::future::join;
use raydex::backend::BackendError;
use raydex::ledger::books::PayloadView;
use raydex::ledger::calls::{DecideDelivery, DecisionAnswer, DeliveryDecision};
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::limits::BODIES_KEPT_MS;
use raydex::pipeline::erase_payloads::{ErasedFromPayloads, ErasedLine, SentPayload, erase_from_payloads};
use raydex::pipeline::{PartnerWatch, run_sweep};
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, KeyNames};
use raydex::services::Services;

use super::remade::lose_packs;
use super::support::gzip::{gunzip, gzip};
use super::support::partner::{Seen, delivering};
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind, LEASE_MS, NOW_MS, Reply, run};
use super::{BUCKET_NAME, KEY, Scene};

const HOUR_MS: i64 = 3_600_000;

fn taken(_: &Seen, _: usize) -> Reply {
    Reply::Status(200)
}

fn record(number: u64) -> String {
    http(&ray(number).to_string(), 0)
}

/// Erases the lines of a scene's batch at these places, all of whose records are as long.
async fn erase_in(scene: &Scene, places: &[u64]) -> Result<ErasedFromPayloads, BackendError> {
    let fakes = &scene.consumers.fakes;
    let object = fakes.bucket.object(KEY).unwrap();
    let text = gunzip(&object.bytes);
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let length = lines[0].len() as u64 + 1;
    let erased =
        |place: &u64| ErasedLine { offset: place * length, line: lines[usize::try_from(*place).unwrap()].to_vec() };
    let erased: Vec<ErasedLine> = places.iter().map(erased).collect();
    let id = fakes.batch_id(KEY, &object.head.etag).await.unwrap();
    erase_from_payloads(fakes, &id, &KeyNames::of(Dataset::HttpRequests), &erased).await
}

fn try_erase(scene: &Scene, places: &[u64]) -> Result<ErasedFromPayloads, BackendError> {
    run(erase_in(scene, places))
}

/// The same, twice: the second time changes nothing and says the same.
fn erase(scene: &Scene, places: &[u64]) -> ErasedFromPayloads {
    let first = try_erase(scene, places).unwrap();
    let all = scene.consumers.fakes.everything();
    assert_eq!(try_erase(scene, places).unwrap(), first);
    assert_eq!(scene.consumers.fakes.everything(), all);
    assert_gone(scene, places);
    first
}

/// No pack has a line of these records, apart from those of payloads that are being sent; each body is what was sealed, or zeros.
fn assert_gone(scene: &Scene, numbers: &[u64]) {
    for view in scene.payloads() {
        let Some(body) = scene.consumers.fakes.body(KEY, &view) else { continue };
        if view.payload.pack.as_ref().unwrap().erased {
            assert!(body.iter().all(|byte| *byte == 0), "{view:?}");
        } else if view.state != DeliveryState::Sending {
            let text = String::from_utf8(gunzip(&body)).unwrap();
            assert_eq!(text.lines().count() as u64, view.payload.lines);
            assert!(numbers.iter().all(|number| !text.contains(&ray(*number).to_string())), "{view:?}");
        }
    }
}

/// How often the partner stored each of so many records.
fn copies(scene: &Scene, records: u64) -> Vec<usize> {
    let stored = scene.consumers.partner.stored();
    (0..records).map(|number| stored.get(&ray(number).to_string()).copied().unwrap_or(0)).collect()
}

fn settle(scene: &Scene) {
    for message in &scene.messages {
        drop(scene.consumers.send_each(&PartnerWatch::default(), message, 1));
    }
    scene.consumers.settle(48 * HOUR_MS);
}

fn brief(views: &[PayloadView]) -> Vec<(&str, u64, DeliveryState)> {
    views.iter().map(|view| (view.payload.index.as_str(), view.payload.lines, view.state)).collect()
}

fn decide(scene: &Scene, index: &str, decision: DeliveryDecision) -> DecisionAnswer {
    let id = DeliveryId { index: index.into(), ..scene.id() };
    let ledger = id.ledger.clone();
    scene.consumers.fakes.ledgers.ask(&ledger, &DecideDelivery { id, decision, reason: "by_hand".into() })
}

#[test]
fn waiting_payload_goes_out_without_erased_lines() {
    let scene = Scene::of(7, 3, &[], taken);
    let said = erase(&scene, &[1, 6]);
    assert_eq!(said.taken_out.len(), 2);
    assert_eq!(said, ErasedFromPayloads { sent: Vec::new(), taken_out: said.taken_out.clone(), waits: false });
    let lines = scene.totals().lines;
    assert_eq!((lines.pending, lines.filtered["erased"]), (5, 2));
    let waits = [
        ("000000", 3, DeliveryState::Split),
        ("000000.2", 2, DeliveryState::Prepared),
        ("000001", 3, DeliveryState::Prepared),
        ("000002", 1, DeliveryState::Split),
    ];
    assert_eq!(brief(&scene.payloads()), waits);
    settle(&scene);
    assert_eq!(copies(&scene, 7), [1, 0, 1, 1, 1, 1, 0]);
    assert_eq!(erase(&scene, &[1, 6]), said, "nothing of it is news later");
    let lines = scene.totals().lines;
    assert_eq!((lines.delivered, lines.filtered["erased"]), (5, 2));
}

#[test]
fn each_erasure_takes_out_its_own_lines() {
    let scene = Scene::of(6, 100, &[], taken);
    for (nth, taken_out) in [(0, 1), (5, 1), (2, 1)] {
        assert_eq!(erase(&scene, &[nth]).taken_out.len(), taken_out);
    }
    assert_eq!(erase(&scene, &[0, 1, 2, 5]).taken_out.len(), 4);
    let states: Vec<_> = scene.payloads().iter().map(|view| (view.payload.index.clone(), view.state)).collect();
    let (last, before) = states.split_last().unwrap();
    assert_eq!((last.0.as_str(), before.len()), ("000000.5", 4));
    assert!(before.iter().all(|(_, state)| *state == DeliveryState::Split));
    settle(&scene);
    assert_eq!(copies(&scene, 6), [0, 0, 0, 1, 1, 0]);
    assert_eq!(scene.totals().lines.filtered["erased"], 4);
}

#[test]
fn one_of_equal_lines_is_taken_out_alone() {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "10"), ("PARTNER_DUPLICATES", "send")]), taken);
    let head = consumers.fakes.bucket.store(KEY, &gzip(&ndjson([0, 1, 1, 1, 2].map(record))));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
    let messages = consumers.fakes.sends.take();
    let scene = Scene { consumers, messages };
    for _ in 0..3 {
        assert_eq!(try_erase(&scene, &[2]).unwrap().taken_out.len(), 1);
        assert_eq!(scene.totals().lines.pending, 4);
    }
    assert_eq!(try_erase(&scene, &[1, 2]).unwrap().taken_out.len(), 2);
    settle(&scene);
    assert_eq!(copies(&scene, 3), [1, 1, 1]);
}

#[test]
fn excluded_line_is_in_no_payload() {
    let filter = r#"{"where":{"key":"ClientRequestURI","operator":"eq","value":"/elsewhere"}}"#;
    let scene = Scene::of(3, 3, &[("PARTNER_FILTER", filter)], taken);
    assert_eq!(erase(&scene, &[0, 1, 2]), ErasedFromPayloads::default());
    let lines = scene.totals().lines;
    assert_eq!((lines.filtered.get("erased"), lines.filtered["filter"]), (None, 3));
}

#[test]
fn sent_lines_are_named_without_their_body() {
    let scene = Scene::of(6, 2, &[], taken);
    scene.send_nth(1);
    let said = erase(&scene, &[2, 3, 4]);
    let [SentPayload { sent, .. }] = said.sent.as_slice() else { panic!("{said:?}") };
    let view = scene.payloads().into_iter().find(|view| view.payload.index == "000001").unwrap();
    assert_eq!((&sent.payload, &sent.partner_batch_id), (&view.id, &view.partner_batch_id));
    assert_eq!((sent.lines, sent.state, sent.in_doubt), (2, DeliveryState::Delivered, false));
    assert_eq!((sent.completed_ms, said.taken_out.len(), said.waits), (view.completed_ms, 1, false));
    settle(&scene);
    assert_eq!(copies(&scene, 6), [1, 1, 1, 1, 0, 1], "the others of its pack are read as before");
    assert_eq!(erase(&scene, &[2, 3, 4]), said);
}

#[test]
fn erased_body_is_not_resent() {
    let scene = Scene::of(4, 2, &[], taken);
    settle(&scene);
    erase(&scene, &[1]);
    let answer = decide(&scene, "000000", DeliveryDecision::Resend);
    assert!(answer.erased && answer.send.is_empty() && answer.state == Some(DeliveryState::Delivered));
    assert_eq!(decide(&scene, "000001", DeliveryDecision::Resend).state, Some(DeliveryState::Prepared));
    scene.consumers.settle(HOUR_MS);
    assert_eq!(copies(&scene, 4), [1, 1, 2, 2]);
}

#[test]
fn resent_payload_counts_as_sent() {
    let scene = Scene::of(2, 2, &[], taken);
    settle(&scene);
    decide(&scene, "000000", DeliveryDecision::Resend);
    let said = erase(&scene, &[0]);
    assert_eq!((said.sent.len(), said.sent[0].sent.in_doubt, said.taken_out.len()), (1, false, 1));
    scene.consumers.settle(HOUR_MS);
    assert_eq!(copies(&scene, 2), [1, 2]);
    assert_eq!(erase(&scene, &[1]).sent.len(), 2, "under both names");
}

#[test]
fn parked_payload_stays_with_a_person() {
    let scene = Scene::of(3, 3, &[], |_, nth| Reply::Status(if nth == 0 { 400 } else { 200 }));
    scene.send();
    assert_eq!(erase(&scene, &[0]).taken_out.len(), 1);
    let [whole, left] = scene.payloads().try_into().unwrap();
    assert_eq!((whole.state, left.state, left.payload.lines), (DeliveryState::Split, DeliveryState::Parked, 2));
    assert_eq!((left.code.as_deref(), left.status), (Some("permanent"), Some(400)));
    assert_eq!((whole.code.as_deref(), scene.totals().lines.parked), (Some("erased"), 2));
    scene.consumers.settle(HOUR_MS);
    assert_eq!(scene.posts(), 1);
    decide(&scene, "000000.2", DeliveryDecision::Release);
    scene.consumers.settle(HOUR_MS);
    assert_eq!(copies(&scene, 3), [0, 1, 1]);
}

#[test]
fn payload_of_a_group_leaves_the_others_alone() {
    let scene = Scene::together(12, delivering(&[("BATCH_SIZE", "2")]), 6, taken);
    assert_eq!(scene.messages.len(), 1);
    assert_eq!(erase(&scene, &[4, 10, 11]).taken_out.len(), 3);
    settle(&scene);
    assert_eq!(copies(&scene, 12), [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0]);
    assert_eq!(scene.totals().lines.delivered, 9);
}

/// A scene whose payload is being sent: the partner has it, and the sender was never heard of again.
fn hung() -> Scene {
    let scene = Scene::of(3, 3, &[], taken);
    scene.consumers.fakes.faults.plan_row(Some(Kind::Ledger), 1, Fault::Fails, 5);
    scene.send();
    scene.consumers.fakes.faults.clear();
    assert_eq!(scene.state(), DeliveryState::Sending);
    scene
}

#[test]
fn payload_being_sent_is_waited_for() {
    let scene = hung();
    let said = try_erase(&scene, &[1]).unwrap();
    assert!(said.waits && said.taken_out.is_empty());
    assert_eq!((said.sent[0].sent.state, said.sent[0].sent.in_doubt), (DeliveryState::Sending, true));
    assert_eq!(scene.state(), DeliveryState::Sending);
    scene.consumers.pass(LEASE_MS.max(HOUR_MS));
    scene.consumers.ring();
    let said = erase(&scene, &[1]);
    assert_eq!((said.waits, said.taken_out.len(), said.sent.len()), (false, 1, 1));
    assert_eq!((said.sent[0].sent.in_doubt, said.sent[0].sent.lines), (true, 1));
    scene.consumers.settle(HOUR_MS);
    assert_eq!(copies(&scene, 3), [2, 1, 2]);
    let posts = scene.totals().posts;
    assert_eq!((posts.attempts, posts.unknown_outcomes), (2, 1), "the doubt is counted once");
}

#[test]
fn halves_are_known_by_their_bodies() {
    // Four lines are too many; the first half is stored.
    let scene = Scene::of(5, 100, &[], |seen, _| Reply::Status(if seen.lines.len() > 3 { 413 } else { 200 }));
    scene.send();
    let messages = scene.consumers.fakes.sends.take();
    assert_eq!(scene.consumers.send(&messages[0], 1).verdict.name(), "delivered");
    let said = erase(&scene, &[1, 3]);
    assert_eq!((said.taken_out.len(), said.sent.len(), said.waits), (1, 1, false), "{said:?}");
    assert!(said.sent[0].sent.payload.ends_with(".0") && !said.sent[0].sent.in_doubt && said.sent[0].sent.lines == 1);
    scene.consumers.settle(HOUR_MS);
    assert_eq!(copies(&scene, 5), [1, 1, 1, 0, 1]);
    assert_eq!(scene.totals().lines.delivered, 4);
}

#[test]
fn what_is_left_can_be_split() {
    let scene = Scene::of(9, 100, &[], |seen, _| Reply::Status(if seen.lines.len() > 2 { 413 } else { 200 }));
    erase(&scene, &[0, 4]);
    settle(&scene);
    erase(&scene, &[0, 4, 7]);
    assert_eq!(copies(&scene, 9), [0, 1, 1, 1, 0, 1, 1, 1, 1]);
}

#[test]
fn lost_packs_are_made_again_without_erased_lines() {
    let scene = Scene::of(9, 3, &[], taken);
    scene.send_nth(0);
    erase(&scene, &[1, 4]);
    assert!(lose_packs(&scene).len() >= 2, "that of the three, and that of what is left of one");
    scene.consumers.settle(HOUR_MS);
    settle(&scene);
    assert_eq!(copies(&scene, 9), [1, 1, 1, 1, 0, 1, 1, 1, 1]);
    assert_gone(&scene, &[1, 4]);
    // A pack that is gone while its payloads wait.
    let scene = Scene::of(9, 3, &[], taken);
    lose_packs(&scene);
    assert_eq!(erase(&scene, &[1, 4]).taken_out.len(), 2);
    settle(&scene);
    assert_eq!(copies(&scene, 9), [1, 0, 1, 1, 0, 1, 1, 1, 1]);
    assert_gone(&scene, &[1, 4]);
}

#[test]
fn unreadable_body_is_parked() {
    let scene = Scene::of(4, 2, &[], taken);
    let key = scene.body_key();
    let mut pack = scene.consumers.fakes.bucket.object(&key).unwrap().bytes.to_vec();
    pack[3] ^= 1;
    scene.consumers.fakes.bucket.store(&key, &pack);
    assert_eq!(try_erase(&scene, &[1]), Ok(ErasedFromPayloads::default()));
    settle(&scene);
    let parked = scene.payload();
    assert_eq!((parked.state, parked.code.as_deref()), (DeliveryState::Parked, Some("payload_erased")));
    assert_eq!(copies(&scene, 4), [0, 0, 1, 1]);
    assert_eq!(decide(&scene, "000000", DeliveryDecision::Release).state, Some(DeliveryState::Parked));
    assert_eq!(decide(&scene, "000000", DeliveryDecision::Drop).state, Some(DeliveryState::Dropped));
    assert_eq!(scene.totals().lines.filtered["dropped"], 2);
}

#[test]
fn overwritten_body_is_neither_sent_nor_parked() {
    let scene = Scene::of(2, 2, &[], taken);
    let key = scene.body_key();
    let pack = scene.consumers.fakes.bucket.object(&key).unwrap().bytes.to_vec();
    scene.consumers.fakes.bucket.store(&key, &vec![0; pack.len()]);
    scene.send();
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Prepared, 0));
    assert_eq!(erase(&scene, &[0]).taken_out.len(), 1, "made again from the batch");
    settle(&scene);
    assert_eq!(copies(&scene, 2), [0, 1]);
}

#[test]
fn duplicates_of_an_erased_body_are_recognised() {
    let scene = Scene::of(6, 3, &[], taken);
    settle(&scene);
    erase(&scene, &[1]);
    let other = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_b.log.gz";
    let head = scene.consumers.fakes.bucket.store(other, &gzip(&ndjson((2..8).map(record))));
    let event = R2Event::put_object(BUCKET_NAME, other, head.size, &head.etag, NOW_MS);
    let said = scene.consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    assert_eq!((said.verdict.name(), said.batch.unwrap().duplicates), ("sealed", 4));
}

#[test]
fn packs_of_erased_bodies_go_days_later() {
    let scene = Scene::of(6, 3, &[], taken);
    erase(&scene, &[1]);
    settle(&scene);
    scene.consumers.pass(BODIES_KEPT_MS + 1);
    run(run_sweep(&scene.consumers.fakes, &scene.consumers.config)).unwrap();
    let packs = || scene.consumers.fakes.bucket.contents().into_keys().filter(|key| key.contains("payloads/")).count();
    assert_eq!(packs(), 0);
    assert_eq!(erase(&scene, &[1]).taken_out.len(), 1);
    let said = erase(&scene, &[1, 4]);
    assert_eq!(
        (said.taken_out.len(), said.sent.len(), said.sent[0].sent.in_doubt),
        (1, 1, false),
        "its plan says where it was"
    );
    assert_eq!(packs(), 0);
}

/// A scene of twelve records in six payloads: one delivered, one parked, one split in halves of which one is delivered, others
/// wait. What is not said of them is in a group.
fn mixed() -> Scene {
    let mind = |seen: &Seen, _: usize| {
        let is = |number: u64| seen.rays().contains(&ray(number).to_string());
        Reply::Status(if is(2) && seen.at_ms < NOW_MS + HOUR_MS {
            400
        } else if is(4) && is(5) {
            413
        } else {
            200
        })
    };
    let scene = Scene::together(12, delivering(&[("BATCH_SIZE", "2")]), 1, mind);
    for nth in 0..3 {
        scene.send_nth(nth);
    }
    let halves = scene.consumers.fakes.sends.take();
    scene.consumers.send(&halves[0], 1);
    scene
}

const MIXED: [u64; 7] = [0, 3, 4, 5, 6, 8, 9];

#[test]
fn erasure_with_any_failing_call_ends_alike() {
    let clean = mixed();
    let before = clean.consumers.fakes.faults.calls();
    let expected = try_erase(&clean, &MIXED).unwrap();
    assert_eq!((expected.sent.len(), expected.taken_out.len(), expected.waits), (2, 5, false), "{expected:?}");
    let calls = clean.consumers.fakes.faults.calls() - before;
    assert!(calls > 30, "{calls} calls");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = mixed();
            scene.consumers.fakes.faults.plan(None, nth, fault);
            drop(try_erase(&scene, &MIXED));
            assert!(scene.consumers.fakes.faults.clear(), "call {nth}: never came to it");
            assert_eq!(scene.totals().lines.lines_in, 12, "call {nth} {fault:?}");
            assert_eq!(erase(&scene, &MIXED), expected, "call {nth} {fault:?}");
            settle(&scene);
            assert_eq!(copies(&scene, 12), [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1], "call {nth} {fault:?}");
        }
    }
}

#[test]
fn crashed_erasure_lets_nothing_overwritten_out() {
    let clean = mixed();
    let before = clean.consumers.fakes.faults.calls();
    try_erase(&clean, &MIXED).unwrap();
    let calls = clean.consumers.fakes.faults.calls() - before;
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = mixed();
            scene.consumers.fakes.faults.plan(None, nth, fault);
            drop(try_erase(&scene, &MIXED));
            scene.consumers.fakes.faults.clear();
            // Everything goes out before the erasure comes again; the partner refuses what is no gzip of whole lines.
            settle(&scene);
            let lines = scene.totals().lines;
            let stored = copies(&scene, 12);
            assert!(stored.iter().all(|copies| *copies <= 1), "call {nth} {fault:?}");
            assert_eq!(stored.iter().sum::<usize>() as u64, lines.delivered, "call {nth} {fault:?}");
            assert_eq!(lines.pending, 0, "call {nth} {fault:?}");
            let said = erase(&scene, &MIXED);
            let named: u64 = said.sent.iter().map(|sent| sent.sent.lines).sum();
            let erased = MIXED.iter().filter(|number| stored[usize::try_from(**number).unwrap()] > 0).count();
            assert_eq!(named, erased as u64, "call {nth} {fault:?}: {said:?}");
        }
    }
}

#[test]
fn erasures_at_once_bring_no_body_back() {
    for (one, other) in [(&MIXED[..], &MIXED[..]), (&[0, 3], &[4, 9]), (&[0, 1], &[6, 10]), (&[8], &[9])] {
        let scene = mixed();
        let both = join(erase_in(&scene, one), erase_in(&scene, other));
        let ((first, second), _) = scene.consumers.fakes.faults.count_steps(both);
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_gone(&scene, &[one, other].concat());
        assert_eq!((erase(&scene, one), erase(&scene, other)), (first, second), "{one:?} {other:?}");
        settle(&scene);
        let stored = copies(&scene, 12);
        let is_erased = |number: u64| one.contains(&number) || other.contains(&number);
        for (number, copies) in (0..).zip(stored) {
            // Two were delivered before, and those of the parked payload never are.
            let expected = usize::from(number != 2 && number != 3 && (!is_erased(number) || number < 2 || number == 4));
            assert_eq!(copies, expected, "{number} of {one:?} {other:?}");
        }
    }
}
