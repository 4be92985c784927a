//! Poison stays alone: a thousand good objects and payloads beside a damaged file and a payload that the partner never
//! takes, each of them tried fifty times.

use crate::support;

use raydex::bucket_keys::batch_key;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::books::{LedgerTotals, PayloadView};
use raydex::ledger::calls::{DecideDelivery, DeliveryDecision};
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::r2_event::R2Event;
use raydex::record::{Dataset, RayId};

use support::gzip::gzip;
use support::partner::{Seen, delivering};
use support::records::{http, ndjson, ray};
use support::{Consumers, Reply};

/// Good objects, each of one payload.
const GOOD: u64 = 1000;
/// How often poison is tried.
const TRIES: usize = 50;
/// Good objects between two tries.
const BETWEEN: u64 = GOOD / TRIES as u64;
/// The number of the ray that the partner never takes.
const BAD_RAY: u64 = 1_000_000;

/// A deployment beside which poison lies.
struct Scene {
    consumers: Consumers,
    /// The messages of `parse-queue` about the damaged file and the object of the poisoned payload.
    damaged: String,
    poisoned: String,
    poisoned_key: String,
}

impl Scene {
    /// The partner says this to the poisoned payload, and takes all others.
    fn new(reply: Reply) -> Self {
        let bad = ray(BAD_RAY).to_string();
        let mind = move |seen: &Seen, _| if seen.rays().contains(&bad) { reply } else { Reply::Status(200) };
        let consumers = Consumers::new(delivering(&[]), mind);
        let whole = gzip(&ndjson((0..9).map(|number| http(&ray(2_000_000 + number).to_string(), 20))));
        let (_, damaged) = store(&consumers, 500_000, &whole[..whole.len() - 9]);
        let (poisoned_key, poisoned) = store(&consumers, 500_001, http(&ray(BAD_RAY).to_string(), 0).as_bytes());
        Self { consumers, damaged, poisoned, poisoned_key }
    }

    /// The nth good object is written and read.
    fn good(&self, number: u64) {
        let line = http(&RayId::to_string(&ray(number)), 0);
        let (_, message) = store(&self.consumers, u32::try_from(number).unwrap(), &gzip(line.as_bytes()));
        assert_eq!(self.consumers.parse(&message, 1).verdict.name(), "sealed");
    }

    /// Whatever is on the queue is sent.
    fn send_all(&self) {
        for message in self.consumers.fakes.sends.take() {
            self.consumers.send(&message, 1);
        }
    }

    /// What the ledger keeps of the poisoned payload.
    fn payload(&self) -> PayloadView {
        self.consumers.fakes.kept(&self.poisoned_key).payloads.remove(0)
    }

    /// How often the poisoned payload was posted.
    fn tries(&self) -> usize {
        let name = self.payload().partner_batch_id;
        self.consumers.partner.seen().iter().filter(|seen| seen.post.batch_id == name).count()
    }

    /// Every good line is there exactly once, everything is found, and the books balance.
    fn judge(&self) -> LedgerTotals {
        let stored = self.consumers.partner.stored();
        assert_eq!(stored.len() as u64, GOOD);
        for number in 0..GOOD {
            assert_eq!(stored.get(&ray(number).to_string()), Some(&1), "record {number}");
        }
        // One POST for each of them.
        assert_eq!(self.consumers.partner.posts() - self.tries(), stored.len());
        for number in (0..GOOD).step_by(97).chain([BAD_RAY]) {
            assert_eq!(self.consumers.fakes.lines(&ray(number).to_string()).len(), 1, "record {number}");
        }
        let totals = self.consumers.fakes.ledgers.totals();
        let lines = &totals.lines;
        assert_eq!((lines.lines_in, lines.delivered, lines.unaccounted), (GOOD + 1, GOOD, 0), "{totals:?}");
        assert_eq!((totals.batches["sealed"], totals.batches["quarantined"]), (GOOD + 1, 1));
        assert_eq!(totals.posts.unknown_outcomes, 0);
        totals
    }
}

/// Writes an object of the same hour; its key, and its message.
fn store(consumers: &Consumers, number: u32, stored: &[u8]) -> (String, String) {
    let now = consumers.now();
    let key = batch_key("logs/", Dataset::HttpRequests, support::NOW_MS - 60_000, support::NOW_MS, number);
    let head = consumers.fakes.bucket.store(&key, stored);
    let event = R2Event::put_object(BUCKET_NAME, &key, head.size, &head.etag, now);
    (key, serde_json::to_string(&event).unwrap())
}

/// Good objects by and by; between them the damaged file's message comes again, and `poison` is tried.
fn story(reply: Reply, poison: impl Fn(&Scene, usize)) -> Scene {
    let scene = Scene::new(reply);
    for nth in 0..TRIES {
        let aside = scene.consumers.parse(&scene.damaged, u32::try_from(nth).unwrap() + 1);
        let expected = if nth == 0 { "quarantined" } else { "already_quarantined" };
        assert_eq!((aside.verdict.name(), aside.retry_s), (expected, None), "never again by itself");
        let again = scene.consumers.parse(&scene.poisoned, 1);
        assert_eq!(again.verdict.name(), if nth == 0 { "sealed" } else { "already_sealed" });
        poison(&scene, nth);
        let first = BETWEEN * nth as u64;
        (first..first + BETWEEN).for_each(|number| scene.good(number));
        scene.send_all();
    }
    scene
}

#[test]
fn always_refused_payload_waits_for_a_person_alone() {
    let scene = story(Reply::Status(400), |scene, nth| {
        scene.send_all();
        let payload = scene.payload();
        assert_eq!((payload.state, payload.code.as_deref()), (DeliveryState::Parked, Some("permanent")));
        // One try, and no second one until a person says so; this person never learns.
        assert_eq!(scene.tries(), nth + 1);
        let id = DeliveryId::from_handle(&payload.id).unwrap();
        assert_eq!(scene.consumers.send(&serde_json::to_string(&id).unwrap(), 6).verdict.name(), "settled");
        let decide = DecideDelivery { id: id.clone(), decision: DeliveryDecision::Release, reason: "once more".into() };
        let sent = scene.consumers.fakes.ledgers.ask(&id.ledger, &decide).send;
        assert_eq!(sent, std::slice::from_ref(&id));
        scene.consumers.send(&serde_json::to_string(&id).unwrap(), 1);
    });
    assert_eq!(scene.tries(), TRIES + 1);
    let totals = scene.judge();
    assert_eq!((totals.lines.parked, totals.lines.pending), (1, 0));
    // Nothing is left that would wake anyone.
    scene.consumers.settle(30 * 24 * 3_600_000);
    assert_eq!(scene.tries(), TRIES + 1);
    scene.judge();
}

#[test]
fn always_failing_payload_is_retried_ever_less_alone() {
    let scene = story(Reply::Status(500), |scene, nth| {
        // Whatever is due before the next good ones: the poisoned payload alone.
        let mut waited = 0;
        while scene.tries() <= nth {
            scene.consumers.settle(60_000);
            waited += 1;
            assert!(waited < 200, "try {nth} does not come");
        }
    });
    assert!(scene.tries() >= TRIES, "{} tries", scene.tries());
    let totals = scene.judge();
    assert_eq!((totals.lines.parked, totals.lines.pending), (0, 1));
    assert_eq!(scene.payload().attempts as usize, scene.tries());
    // Alone it cannot be told from an outage, which parks nothing: it goes on as the probe.
    let before = scene.tries();
    scene.consumers.settle(24 * 3_600_000);
    assert_eq!(
        (scene.payload().state, scene.payload().code.as_deref()),
        (DeliveryState::Prepared, Some("server_error"))
    );
    assert!(scene.tries() - before <= 24 * 60 * 2, "{} tries in a day", scene.tries() - before);
}
