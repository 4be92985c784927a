//! Bodies read out of packs: whatever became of the object, nothing but the sealed body is posted.

use raydex::ledger::DeliveryState;
use raydex::ledger::books::PayloadView;

use super::support::partner::Seen;
use super::support::{Fault, Kind, Reply};
use super::{KEY, PACK_BYTES, delivered, payloads, sealed, stored};

/// The key and the bytes of the pack that holds the first payloads.
fn first_pack(consumers: &super::Consumers) -> (String, Vec<u8>) {
    let name = format!("/{}-", payloads(consumers)[0].payload.pack.as_ref().unwrap().first);
    stored(consumers).into_iter().find(|(key, _)| key.contains(&name)).unwrap()
}

#[test]
fn payload_costs_one_ranged_read_of_its_bytes() {
    let (consumers, messages) = sealed(delivered);
    let faults = &consumers.fakes.faults;
    let before = (faults.count(Kind::Get), faults.count(Kind::GetRange), consumers.fakes.bucket.ranged());
    assert_eq!(consumers.send(&messages[1], 1).verdict.name(), "delivered");
    let after = (faults.count(Kind::Get), faults.count(Kind::GetRange), consumers.fakes.bucket.ranged());
    let bytes = usize::try_from(payloads(&consumers)[1].payload.bytes).unwrap();
    assert_eq!(after, (before.0, before.1 + 1, before.2 + bytes));
}

#[test]
fn missing_or_short_pack_parks_only_its_lacks() {
    let (whole, _) = sealed(delivered);
    let end = |view: PayloadView| view.payload.pack.unwrap().offset + view.payload.bytes;
    let ends: Vec<usize> =
        payloads(&whole).into_iter().take(3).map(|view| usize::try_from(end(view)).unwrap()).collect();
    // Cut before, in and behind each body.
    for length in ends.iter().flat_map(|&end| [end - 30, end - 1, end]) {
        let (consumers, messages) = sealed(delivered);
        let (key, bytes) = first_pack(&consumers);
        consumers.fakes.bucket.store(&key, &bytes[..length]);
        for (message, &end) in messages.iter().zip(&ends) {
            let said = consumers.send(message, 1);
            let code = (end > length).then_some("payload_damaged");
            assert_eq!((said.code.as_deref(), said.status.is_none()), (code, code.is_some()), "{length} of {end}");
        }
        assert_eq!(consumers.send(&messages[3], 1).verdict.name(), "delivered", "it lies elsewhere");
    }
    let (consumers, messages) = sealed(delivered);
    consumers.fakes.bucket.delete(&first_pack(&consumers).0);
    consumers.fakes.bucket.delete(KEY);
    let codes: Vec<_> = messages.iter().map(|message| consumers.send(message, 1).code).collect();
    assert_eq!(codes.iter().flatten().collect::<Vec<_>>(), ["payload_missing"; 3]);
    assert_eq!(consumers.fakes.ledgers.totals().lines.parked, 3);
}

#[test]
fn flipped_bit_is_seen_by_its_payload_only() {
    let (whole, _) = sealed(delivered);
    for at in (0..first_pack(&whole).1.len()).step_by(11) {
        let (consumers, messages) = sealed(delivered);
        let (key, mut bytes) = first_pack(&consumers);
        bytes[at] ^= 4;
        consumers.fakes.bucket.store(&key, &bytes);
        for (message, view) in messages.iter().zip(payloads(&consumers)).take(3) {
            let place = view.payload.pack.unwrap();
            let is_in = (place.offset..place.offset + view.payload.bytes).contains(&(at as u64));
            let code = is_in.then_some("payload_damaged");
            assert_eq!(consumers.send(message, 1).code.as_deref(), code, "byte {at}, {}", view.id);
        }
    }
}

#[test]
fn failing_bucket_returns_the_claim() {
    let (consumers, messages) = sealed(delivered);
    for kind in [Kind::GetRange, Kind::Body] {
        consumers.fakes.faults.plan(Some(kind), 0, Fault::Fails);
        assert_eq!(
            (consumers.send(&messages[0], 1).verdict.name(), consumers.partner.posts()),
            ("released", 0),
            "{kind:?}"
        );
        assert!(consumers.fakes.faults.clear());
        consumers.pass(60_000);
    }
    // A body that breaks off is no damaged one, though it is as short.
    consumers.fakes.bucket.cut_after(Some(20));
    assert_eq!((consumers.send(&messages[0], 1).verdict.name(), consumers.partner.posts()), ("released", 0));
    consumers.pass(60_000);
    // Nor is one of which nobody can say how long its pack is.
    consumers.fakes.faults.plan(Some(Kind::Get), 0, Fault::Fails);
    assert_eq!((consumers.send(&messages[0], 1).verdict.name(), consumers.partner.posts()), ("released", 0));
    assert!(consumers.fakes.faults.clear());
    consumers.fakes.bucket.cut_after(None);
    consumers.settle(24 * 3_600_000);
    assert!(payloads(&consumers).iter().all(|view| view.state == DeliveryState::Delivered));
}

#[test]
fn halves_of_a_payload_share_a_pack() {
    let at_most_one = |seen: &Seen| Reply::Status(if seen.lines.len() > 1 { 413 } else { 200 });
    let (consumers, event) = super::scene_of("2", at_most_one);
    assert_eq!(consumers.parse(&event, 1).verdict.name(), "sealed");
    let before = stored(&consumers);
    assert!(before.len() < 4 && before.values().all(|bytes| bytes.len() <= PACK_BYTES));
    consumers.settle(24 * 3_600_000);
    let views = payloads(&consumers);
    let halves: Vec<_> = views.iter().filter(|view| view.payload.index.contains('.')).collect();
    assert_eq!(halves.len(), 6);
    assert!(halves.iter().all(|half| half.payload.pack.is_some() && half.state == DeliveryState::Delivered));
    assert_eq!(stored(&consumers).len(), before.len() + 3);
    assert!(before.iter().all(|(key, bytes)| stored(&consumers).get(key) == Some(bytes)), "packs stay as they are");
    let lines = consumers.fakes.kept(KEY).totals.lines;
    assert_eq!((lines.delivered, lines.unaccounted), (super::RECORDS, 0));
}
