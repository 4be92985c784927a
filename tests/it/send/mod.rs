//! Messages of `send-queue` over the fakes: what the partner's answer makes of a payload, and of whatever goes wrong
//! on the way.

use crate::support;

mod answers;
mod breaker;
mod commits;
mod erased;
mod groups;
mod keys;
mod large;
mod messages;
mod pace;
mod remade;
mod silence;
mod stopped;
mod times;

use raydex::config::Config;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::books::{LedgerTotals, PayloadView};
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::pipeline::SendVerdict;
use raydex::r2_event::R2Event;
use support::gzip::gzip;
use support::partner::{Seen, delivering};
use support::records::{http, ndjson, ray};
use support::{Consumers, NOW_MS, Reply};

/// The key of the object that the payloads are made of.
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// A deployment in which a batch was sealed, and what is to be sent of it.
struct Scene {
    consumers: Consumers,
    messages: Vec<String>,
}

impl Scene {
    /// A batch of so many records in payloads of so many lines, under these settings; the partner answers so.
    fn of(
        records: u64,
        lines: usize,
        settings: &[(&str, &str)],
        mind: impl Fn(&Seen, usize) -> Reply + 'static,
    ) -> Self {
        let lines = lines.to_string();
        let config = delivering(&[settings, &[("BATCH_SIZE", &lines)]].concat());
        Self::with(records, config, mind)
    }

    fn with(records: u64, config: Config, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        Self::together(records, config, 1, mind)
    }

    /// The same with this number of payloads in a message.
    fn together(records: u64, config: Config, payloads: usize, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        let consumers = Consumers::new(config, mind);
        consumers.fakes.group_payloads.set(payloads);
        let text = ndjson((0..records).map(|number| http(&ray(number).to_string(), 0)));
        let head = consumers.fakes.bucket.store(KEY, &gzip(&text));
        let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
        assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
        let messages = consumers.fakes.sends.take();
        Self { consumers, messages }
    }

    /// One payload of one line; the partner answers so, whatever comes.
    fn one(settings: &[(&str, &str)], reply: Reply) -> Self {
        Self::of(1, 1, settings, move |_, _| reply)
    }

    /// One payload of one line; the partner gives these answers, the last one again and again.
    fn script(settings: &[(&str, &str)], replies: &[Reply]) -> Self {
        let replies = replies.to_vec();
        Self::of(1, 1, settings, move |_, nth| replies[nth.min(replies.len() - 1)])
    }

    /// The first message is delivered.
    fn send(&self) -> SendVerdict {
        self.send_nth(0)
    }

    fn send_nth(&self, nth: usize) -> SendVerdict {
        self.consumers.send(&self.messages[nth], 1)
    }

    fn id(&self) -> DeliveryId {
        serde_json::from_str(&self.messages[0]).unwrap()
    }

    /// What the ledger says of all payloads.
    fn payloads(&self) -> Vec<PayloadView> {
        self.consumers.fakes.kept(KEY).payloads
    }

    /// What it says of the first one.
    fn payload(&self) -> PayloadView {
        self.payloads().remove(0)
    }

    fn state(&self) -> DeliveryState {
        self.payload().state
    }

    /// The object that the body of the first payload lies in.
    fn body_key(&self) -> String {
        let id = self.id();
        self.payload().payload.pack.unwrap().key(&id.source, id.plan)
    }

    fn posts(&self) -> usize {
        self.consumers.partner.posts()
    }

    /// The books, which balance.
    fn totals(&self) -> LedgerTotals {
        let totals = self.consumers.fakes.ledgers.totals();
        assert_eq!(totals.lines.unaccounted, 0, "{totals:?}");
        totals
    }
}
