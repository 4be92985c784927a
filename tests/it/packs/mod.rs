//! Payloads that lie together in one object of the bucket: made, read to be sent, counted, whatever fails on the way.

use crate::support;

mod cost;
mod failures;
mod sending;

use std::collections::BTreeMap;

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::books::PayloadView;
use raydex::ledger::delivery::Payload;
use raydex::r2_event::R2Event;
use support::gzip::{gunzip, gunzip_each, gzip};
use support::partner::{Seen, delivering};
use support::records::{http, ndjson, ray};
use support::{Consumers, NOW_MS, Reply};

/// The key of the object that the payloads are made of.
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";
/// Records of the batch, and so payloads.
const RECORDS: u64 = 7;
/// Most bytes of a pack: three bodies.
const PACK_BYTES: usize = 300;

/// A deployment with an object whose every record is a payload; the partner answers so. With the object's message.
fn scene(mind: impl Fn(&Seen) -> Reply + 'static) -> (Consumers, String) {
    scene_of("1", mind)
}

/// The same with so many records to a payload.
fn scene_of(lines: &str, mind: impl Fn(&Seen) -> Reply + 'static) -> (Consumers, String) {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", lines)]), move |seen, _| mind(seen));
    consumers.fakes.pack_bytes.set(PACK_BYTES);
    let text = ndjson((0..RECORDS).map(|number| http(&ray(number).to_string(), 0)));
    let head = consumers.fakes.bucket.store(KEY, &gzip(&text));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    (consumers, serde_json::to_string(&event).unwrap())
}

/// The same, sealed; with the payloads' messages.
fn sealed(mind: impl Fn(&Seen) -> Reply + 'static) -> (Consumers, Vec<String>) {
    let (consumers, event) = scene(mind);
    assert_eq!(consumers.parse(&event, 1).verdict.name(), "sealed");
    let messages = consumers.fakes.sends.take();
    (consumers, messages)
}

fn delivered(_: &Seen) -> Reply {
    Reply::Status(200)
}

/// What lies in the bucket of payloads.
fn stored(consumers: &Consumers) -> BTreeMap<String, Vec<u8>> {
    consumers.fakes.bucket.contents().into_iter().filter(|(key, _)| key.starts_with("raydex/payloads/")).collect()
}

fn payloads(consumers: &Consumers) -> Vec<PayloadView> {
    consumers.fakes.kept(KEY).payloads
}

#[test]
fn packs_are_named_by_their_content() {
    let (consumers, messages) = sealed(delivered);
    let (objects, payloads) = (stored(&consumers), payloads(&consumers));
    assert_eq!((messages.len() as u64, payloads.len() as u64), (RECORDS, RECORDS));
    let places: Vec<Option<(&str, u64)>> =
        payloads.iter().map(|view| view.payload.pack.as_ref().map(|place| (&*place.first, place.offset))).collect();
    let size = |number: usize| payloads[number].payload.bytes;
    let of =
        |first: usize, number: usize| Some((&*payloads[first].payload.index, (first..number).map(size).sum::<u64>()));
    assert_eq!(places, [of(0, 0), of(0, 1), of(0, 2), of(3, 3), of(3, 4), of(3, 5), of(6, 6)]);
    assert_eq!(objects.len(), 3);
    for (key, bytes) in &objects {
        let hash = |text: &[u8]| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text));
        let of = |payload: &Payload| payload.pack.as_ref().unwrap().first.clone();
        let inside = payloads.iter().filter(|view| key.contains(&format!("/{}-", of(&view.payload))));
        let hashes: Vec<&str> = inside.map(|view| view.payload.sha256.as_str()).collect();
        let name = hash(hashes.concat().as_bytes());
        assert!(key.ends_with(&format!("-{name}")), "{key}");
        assert!(bytes.len() <= PACK_BYTES);
    }
}

#[test]
fn pack_is_gzip_with_a_member_per_body() {
    let (consumers, messages) = sealed(delivered);
    let members: usize = stored(&consumers).values().map(|bytes| gunzip_each(bytes).len()).sum();
    assert_eq!(members, messages.len());
    let whole: Vec<u8> = stored(&consumers).values().flat_map(|bytes| gunzip(bytes)).collect();
    let each: Vec<u8> =
        payloads(&consumers).iter().flat_map(|view| gunzip(&consumers.fakes.body(KEY, view).unwrap())).collect();
    assert_eq!(whole.len(), each.len());
    let verdicts: Vec<_> = messages.iter().map(|message| consumers.send(message, 1).verdict.name()).collect();
    assert_eq!(verdicts, ["delivered"; 7]);
    let lines: Vec<String> = consumers.partner.seen().into_iter().flat_map(|seen| seen.lines).collect();
    let sealed = String::from_utf8(each).unwrap();
    assert_eq!(lines, sealed.lines().collect::<Vec<_>>(), "and that is what was sent, in its order");
}

#[test]
fn posts_do_not_depend_on_body_locations() {
    let posts = |pack_bytes: usize| {
        let (consumers, event) = scene(delivered);
        consumers.fakes.pack_bytes.set(pack_bytes);
        consumers.parse(&event, 1);
        consumers.fakes.sends.take().iter().for_each(|message| drop(consumers.send(message, 1)));
        let posts: Vec<_> =
            consumers.partner.seen().into_iter().map(|seen| (seen.post.batch_id, seen.post.body)).collect();
        (posts, stored(&consumers).len())
    };
    let (alone, objects) = posts(0);
    assert_eq!((alone.len() as u64, objects as u64), (RECORDS, RECORDS), "each a pack of its own");
    for (pack_bytes, expected) in [(1, 7), (PACK_BYTES, 3), (raydex::limits::PACK_BYTES, 1)] {
        let (posts, objects) = posts(pack_bytes);
        assert!(posts == alone, "{pack_bytes}");
        assert_eq!(objects, expected, "{pack_bytes}");
    }
}
