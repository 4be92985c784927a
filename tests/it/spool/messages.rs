//! Batches through `edge-queue`: messages come again, in any order, and whatever stores them dies.

use std::collections::BTreeSet;

use raydex::edge::{EdgeHost, store_due, store_message};
use serde_json::json;

use super::world::{World, run_or_kill};

const QUEUE: &str = r#"[{"kind":"r2","through":"queue"}]"#;

/// Hands a message of the queue to the consumer. It stays in the queue if its acknowledgement is lost.
fn consume(world: &World) {
    let messages = world.messages.borrow().len();
    if messages == 0 {
        return;
    }
    let place = world.random.borrow_mut().below(messages);
    let text = world.messages.borrow()[place].clone();
    let attempts = u32::try_from(world.random.borrow_mut().below(4)).unwrap() + 1;
    let verdict = run_or_kill(store_message(world, &world.settings, &text, attempts));
    let is_acknowledged = verdict.is_some_and(|verdict| verdict.retry_s.is_none());
    let is_lost = world.random.borrow_mut().chance(world.faults.get());
    if is_acknowledged && !is_lost {
        world.messages.borrow_mut().remove(place);
    }
}

#[test]
fn enqueued_lines_are_stored_once() {
    let mut lost = 0;
    for seed in 0..150 {
        let world = World::new(QUEUE, seed);
        world.faults.set(250);
        let mut isolate = world.isolate();
        for number in 1..=200_u64 {
            let line = json!({ "n": number }).to_string();
            isolate.borrow_mut().buffer.record(line.as_bytes(), world.now_ms());
            world.now_ms.set(world.now_ms() + 500);
            run_or_kill(store_due(&isolate, &world));
            consume(&world);
            if world.random.borrow_mut().chance(20) {
                isolate = world.isolate();
            }
        }
        world.faults.set(0);
        while !world.messages.borrow().is_empty() {
            consume(&world);
        }
        // A message that was sent although its sender knows nothing of it is sent again: the same object.
        let arrived: BTreeSet<u64> = world.arrived.borrow().iter().copied().collect();
        assert!(world.stored().iter().eq(&arrived), "seed {seed}: each line once in the bucket");
        assert!(world.acknowledged.borrow().iter().all(|line| arrived.contains(line)), "seed {seed}");
        let announced: BTreeSet<String> = world.announced.borrow().iter().cloned().collect();
        assert!(announced.iter().eq(world.objects.borrow().keys()), "seed {seed}");
        lost += 200 - arrived.len();
    }
    assert!(lost > 0, "an isolate died with lines");
}

#[test]
fn damaged_message_is_never_acknowledged() {
    let world = World::new(QUEUE, 0);
    for (text, attempts, wait) in [("{}", 1, 10), ("", 4, 80), ("[]", 100, 3_600)] {
        let verdict = run_or_kill(store_message(&world, &world.settings, text, attempts)).unwrap();
        assert_eq!((verdict.retry_s, verdict.batch), (Some(wait), None), "{text}");
    }
    assert!(world.objects.borrow().is_empty());
}

#[test]
fn message_of_another_form_is_retried() {
    let world = World::new(QUEUE, 1);
    for attempts in [1, 50] {
        let text = r#"{"v2":{"label":{},"body":""}}"#;
        let verdict = run_or_kill(store_message(&world, &world.settings, text, attempts)).unwrap();
        assert!(verdict.batch.is_none() && verdict.retry_s.is_some(), "{verdict:?}");
    }
    assert!(world.objects.borrow().is_empty());
}
