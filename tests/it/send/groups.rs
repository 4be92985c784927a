//! Messages of several payloads: read, claimed and committed together, and each with a fate of its own.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use raydex::backend::{PartnerClient, PartnerPost, PostAnswer, PostError};
use raydex::ledger::{DeliveryGroup, DeliveryState};
use raydex::limits::{COMMIT_PAUSES_MS, COMMIT_TOGETHER_MS, GROUP_PAYLOADS};
use raydex::pipeline::{MessageBody, PartnerWatch, PayloadSender, PostSlots, ReceivedMessage, send_message};
use serde_json::json;

use super::Scene;
use super::support::partner::{FakePartner, NONCE, Seen, delivering};
use super::support::{Fault, Kind, LEASE_MS, Reply, run};

/// A batch of so many payloads of one line, which are sent in groups; the partner answers so.
fn grouped(payloads: u64, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Scene {
    Scene::together(payloads, delivering(&[("BATCH_SIZE", "1")]), GROUP_PAYLOADS, mind)
}

impl Scene {
    /// What becomes of the payloads of the nth message.
    fn send_group(&self, nth: usize) -> Vec<(&'static str, Option<String>)> {
        let verdicts = self.consumers.send_each(&PartnerWatch::default(), &self.messages[nth], 1);
        verdicts.into_iter().map(|said| (said.verdict.name(), said.code)).collect()
    }

    /// The states of all payloads.
    fn states(&self) -> Vec<DeliveryState> {
        self.payloads().iter().map(|view| view.state).collect()
    }
}

fn taken(_: &Seen, _: usize) -> Reply {
    Reply::Status(200)
}

#[test]
fn group_is_two_calls_and_one_read() {
    let scene = grouped(8, taken);
    let payloads: Vec<usize> =
        scene.messages.iter().map(|message| DeliveryGroup::from_message(message).unwrap().payloads()).collect();
    assert_eq!(payloads, [6, 2]);
    let fakes = &scene.consumers.fakes;
    let count = || (fakes.faults.count(Kind::Ledger), fakes.faults.count(Kind::GetRange));
    let before = count();
    assert_eq!(scene.send_group(0), vec![("delivered", None); 6]);
    let after = count();
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 1));
    scene.send_group(1);
    assert_eq!(scene.states(), [DeliveryState::Delivered; 8]);
    assert_eq!((scene.posts(), scene.totals().lines.delivered), (8, 8));
    assert!(scene.consumers.partner.stored().values().all(|stored| *stored == 1));
}

#[test]
fn each_payload_has_its_own_fate() {
    let replies = [
        Reply::Status(200),
        Reply::Status(400),
        Reply::Status(500),
        Reply::Silence,
        Reply::NotSent,
        Reply::RetryAfter(503, "60"),
    ];
    let scene = grouped(6, move |_, nth| replies.get(nth).copied().unwrap_or(Reply::Status(200)));
    let mut said: Vec<&str> = scene.send_group(0).into_iter().map(|(verdict, _)| verdict).collect();
    said.sort_unstable();
    assert_eq!(said, ["delivered", "not_stored", "not_stored", "not_stored", "refused", "unknown"]);
    assert_eq!((scene.totals().lines.parked, scene.totals().lines.delivered), (1, 1));
    scene.consumers.settle(24 * 3_600_000);
    assert_eq!((scene.totals().lines.parked, scene.totals().lines.delivered), (1, 5));
}

#[test]
fn repeated_message_sends_nothing_again() {
    let scene = grouped(6, taken);
    scene.send_group(0);
    let state = Some("delivered".to_owned());
    assert_eq!(scene.send_group(0), vec![("settled", state); 6]);
    assert_eq!(scene.posts(), 6);
}

#[test]
fn damaged_body_stops_itself_alone() {
    let scene = grouped(6, taken);
    let views = scene.payloads();
    let place = views[2].payload.pack.clone().unwrap();
    let (key, bucket) = (scene.body_key(), &scene.consumers.fakes.bucket);
    let mut pack = bucket.object(&key).unwrap().bytes.to_vec();
    pack[usize::try_from(place.offset).unwrap() + 12] ^= 1;
    assert!(bucket.delete(&key));
    bucket.store(&key, &pack);
    let said = scene.send_group(0);
    let damaged: Vec<_> = said.iter().filter(|said| said.1.as_deref() == Some("payload_damaged")).collect();
    assert_eq!((damaged.len(), scene.posts()), (1, 5));
    assert_eq!(scene.states()[2], DeliveryState::Parked);
}

#[test]
fn cut_pack_costs_what_it_lacks() {
    let scene = grouped(6, taken);
    let (key, bucket) = (scene.body_key(), &scene.consumers.fakes.bucket);
    let pack = bucket.object(&key).unwrap().bytes.to_vec();
    assert!(bucket.delete(&key));
    bucket.store(&key, &pack[..pack.len() - 1]);
    scene.send_group(0);
    assert_eq!(scene.posts(), 5, "only the last one lacks a byte");
    assert_eq!(scene.states()[5], DeliveryState::Parked);
}

#[test]
fn lost_pack_is_made_again_once() {
    let scene = grouped(6, taken);
    let key = scene.body_key();
    let bytes = scene.consumers.fakes.bucket.object(&key).unwrap().bytes.to_vec();
    assert!(scene.consumers.fakes.bucket.delete(&key));
    let puts = scene.consumers.fakes.faults.count(Kind::PutNew);
    assert_eq!(scene.send_group(0), vec![("delivered", None); 6]);
    assert_eq!(scene.consumers.fakes.faults.count(Kind::PutNew) - puts, 1);
    assert_eq!(scene.consumers.fakes.bucket.object(&key).unwrap().bytes.to_vec(), bytes);
}

#[test]
fn hiccup_of_the_shared_read_is_tried_alone() {
    for kind in [Kind::GetRange, Kind::Body] {
        let scene = grouped(6, taken);
        scene.consumers.fakes.faults.plan(Some(kind), 0, Fault::Fails);
        assert_eq!(scene.send_group(0), vec![("delivered", None); 6], "{kind:?}");
        assert!(scene.consumers.fakes.faults.clear());
    }
}

#[test]
fn group_too_large_is_split_one_by_one() {
    let mind = |seen: &Seen, _: usize| Reply::Status(if seen.lines.len() > 2 { 413 } else { 200 });
    let scene = Scene::together(22, delivering(&[("BATCH_SIZE", "4")]), GROUP_PAYLOADS, mind);
    let said = scene.send_group(0);
    let split = said.iter().filter(|said| said.0 == "split").count();
    assert_eq!((said.len(), split), (6, 5), "the last payload has two lines");
    scene.consumers.settle(3_600_000);
    assert_eq!(scene.totals().lines.delivered, 22);
    assert!(scene.consumers.partner.stored().values().all(|stored| *stored == 1));
}

#[test]
fn unheard_commit_leaves_the_group_in_doubt() {
    let scene = grouped(6, taken);
    let tries = COMMIT_PAUSES_MS.len() + 1;
    scene.consumers.fakes.faults.plan_row(Some(Kind::Ledger), 1, Fault::Fails, tries);
    assert_eq!(scene.send_group(0), vec![("failed", Some("backend_failed".to_owned())); 6]);
    assert!(scene.consumers.fakes.faults.clear());
    assert_eq!(scene.send_group(0), vec![("waits", Some("busy".to_owned())); 6]);
    scene.consumers.settle(LEASE_MS + 60_000);
    assert_eq!((scene.states(), scene.posts()), (vec![DeliveryState::Delivered; 6], 12));
    assert_eq!(scene.totals().posts.unknown_outcomes, 6, "each second copy is counted");
}

/// A partner that takes its time for one of the POSTs.
struct SlowPartner<'a> {
    partner: &'a FakePartner,
    clock_ms: &'a Cell<i64>,
    posts: Cell<usize>,
    slow: usize,
}

impl PartnerClient for SlowPartner<'_> {
    async fn post(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        let nth = self.posts.replace(self.posts.get() + 1);
        let until_ms = self.clock_ms.get() + COMMIT_TOGETHER_MS;
        if nth == self.slow {
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if self.clock_ms.get() >= until_ms { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.partner.post(post).await
    }

    async fn can_connect(&self, url: &str) -> bool {
        self.partner.can_connect(url).await
    }

    async fn read_clock(&self, url: &str) -> Option<i64> {
        self.partner.read_clock(url).await
    }
}

#[test]
fn slow_answer_keeps_no_other_uncommitted() {
    for slow in 0..6 {
        let scene = grouped(6, taken);
        let fakes = &scene.consumers.fakes;
        let partner =
            SlowPartner { partner: &scene.consumers.partner, clock_ms: &fakes.clock_ms, posts: Cell::new(0), slow };
        let sender = PayloadSender {
            services: fakes,
            partner: &partner,
            settings: scene.consumers.config.delivery.as_ref().unwrap(),
            nonce: || NONCE,
            claimant: "one".into(),
            watch: &PartnerWatch::default(),
            load: PostSlots::default().begin(6),
        };
        let body = MessageBody::Text(scene.messages[0].clone());
        let message = ReceivedMessage { queue: "send-queue".into(), id: "m".into(), body, attempts: 1 };
        let calls = fakes.faults.count(Kind::Ledger);
        let began_ms = scene.consumers.now();
        assert_eq!(run(send_message(&sender, &message)).len(), 6);
        assert_eq!(fakes.faults.count(Kind::Ledger) - calls, 3, "a claim, a commit of five and one of the last");
        let mut ends: Vec<i64> = scene.payloads().iter().filter_map(|view| view.completed_ms).collect();
        ends.sort_unstable();
        assert_eq!((ends.len(), ends[4] - began_ms), (6, COMMIT_TOGETHER_MS), "payload {slow} is slow");
    }
}

#[test]
fn foreign_group_becomes_a_dead_letter() {
    let scene = grouped(6, taken);
    let good = &scene.messages[0];
    let bad = [
        good.replace("000001", "000000"),
        good.replace("000005", "000004"),
        good.replace("\"000005\"", "\"000005\",\"000006\""),
        good.replace("000003", "../x"),
        good.replace("\"000003\"", "3"),
    ];
    for body in &bad {
        let said = scene.consumers.send_each(&PartnerWatch::default(), body, 1);
        assert_eq!(serde_json::to_value(said).unwrap(), json!([{"verdict": "bad_message", "code": "not_a_payload"}]));
    }
    assert_eq!((scene.consumers.fakes.dead_letters().len(), scene.posts()), (bad.len(), 0));
}
