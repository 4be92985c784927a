//! Bodies whose pack someone's lifecycle rule removed: made again from the batch, byte for byte, or never sent.

use raydex::backend::{SqlDatabase, SqlValue};
use raydex::ledger::DeliveryState;
use raydex::r2_event::R2Event;

use super::support::gzip::gzip;
use super::support::partner::{Seen, delivering};
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, NOW_MS, Reply};
use super::{BUCKET_NAME, KEY, Scene};

/// Removes every pack; their keys and bytes.
pub(super) fn lose_packs(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let bucket = &scene.consumers.fakes.bucket;
    let id = scene.id();
    let packs = scene.payloads().into_iter().filter_map(|view| view.payload.pack);
    let mut keys: Vec<String> = packs.map(|pack| pack.key(&id.source, id.plan)).collect();
    keys.sort();
    keys.dedup();
    let lost: Vec<(String, Vec<u8>)> =
        keys.into_iter().filter_map(|key| Some((key.clone(), bucket.object(&key)?.bytes.to_vec()))).collect();
    for (key, _) in &lost {
        assert!(bucket.delete(key));
    }
    lost
}

fn taken(_: &Seen, _: usize) -> Reply {
    Reply::Status(200)
}

#[test]
fn removed_pack_is_made_again_byte_for_byte() {
    for (records, lines) in [(1, 1), (6, 2), (7, 3), (40, 100)] {
        let (whole, scene) = (Scene::of(records, lines, &[], taken), Scene::of(records, lines, &[], taken));
        let lost = lose_packs(&scene);
        for nth in 0..scene.messages.len() {
            assert_eq!(whole.send_nth(nth).verdict.name(), "delivered");
            assert_eq!(scene.send_nth(nth).verdict.name(), "delivered", "{records} records in {lines}");
        }
        let posts = |scene: &Scene| -> Vec<_> {
            scene.consumers.partner.seen().into_iter().map(|seen| (seen.post.batch_id, seen.post.body)).collect()
        };
        assert_eq!(posts(&scene), posts(&whole));
        for (key, bytes) in lost {
            let again = scene.consumers.fakes.bucket.object(&key).unwrap();
            assert_eq!(again.bytes.to_vec(), bytes, "it is there again, for the next payload");
        }
    }
}

#[test]
fn remade_body_lacks_what_was_left_out() {
    let record = |number: u64| http(&ray(number).to_string(), 0);
    let lines = [0, 1, 1, 2, 0, 3].map(record);
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "10")]), taken);
    let head = consumers.fakes.bucket.store(KEY, &gzip(&ndjson(lines)));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).batch.unwrap().duplicates, 2);
    let messages = consumers.fakes.sends.take();
    let scene = Scene { consumers, messages };
    assert_eq!(lose_packs(&scene).len(), 1);
    assert_eq!(scene.send().verdict.name(), "delivered");
    assert_eq!(scene.consumers.partner.seen()[0].lines.len(), 4);
}

#[test]
fn halves_of_a_payload_are_made_again() {
    let at_most = |seen: &Seen, _: usize| Reply::Status(if seen.lines.len() > 2 { 413 } else { 200 });
    let scene = Scene::of(7, 100, &[], at_most);
    scene.send();
    let mut rounds = 0;
    loop {
        let messages = scene.consumers.fakes.sends.take();
        if messages.is_empty() {
            break;
        }
        lose_packs(&scene);
        for message in &messages {
            drop(scene.consumers.send(message, 1));
        }
        rounds += 1;
    }
    assert!(rounds >= 2, "halves of halves too");
    assert_eq!(scene.totals().lines.delivered, 7);
    assert!(scene.consumers.partner.stored().values().all(|stored| *stored == 1));
}

#[test]
fn body_that_differs_is_never_sent() {
    let scene = Scene::of(4, 4, &[], taken);
    lose_packs(&scene);
    // As if another reader or renderer had sealed it.
    let sql = &scene.consumers.fakes.ledgers.ledger(&scene.id().ledger).sql;
    sql.run("UPDATE delivery_v1 SET sha256 = ?", &[SqlValue::text("5a".repeat(32))]).unwrap();
    let said = scene.send();
    assert_eq!((said.verdict.name(), said.code.as_deref()), ("refused", Some("payload_missing")));
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Parked, 0));
}

#[test]
fn payload_without_its_batch_is_parked() {
    let scene = Scene::one(&[], Reply::Status(200));
    let id = scene.id();
    lose_packs(&scene);
    assert!(scene.consumers.fakes.bucket.delete(KEY));
    assert_eq!(scene.send().code.as_deref(), Some("payload_missing"));
    assert_eq!((scene.posts(), scene.totals().lines.parked), (0, 1));
    assert_eq!(id, scene.id());
}
