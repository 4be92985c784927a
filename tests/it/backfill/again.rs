//! A window that is delivered once more, for a reason: exactly once more, and counted apart.

use std::cell::RefCell;
use std::collections::BTreeSet;

use raydex::ledger::books::AgainTotals;

use super::support::partner::Reply;
use super::*;

fn once_more(start_ms: i64, end_ms: i64) -> BackfillRequest {
    BackfillRequest { again: true, reason: Some("the partner lost an hour".into()), ..ask(start_ms, end_ms) }
}

/// A deployment that has delivered its batches.
fn delivered_world(batches: i64) -> Consumers {
    let consumers = deployment(batches, || Reply::Status(200));
    arrive(&consumers, 0..batches);
    consumers.settle(TURN_MS);
    assert_eq!(consumers.partner.stored(), expected(batches, &[(instant(0, 0), instant(batches, 0))]));
    consumers
}

/// Turns until the backfill is done.
fn finish(consumers: &Consumers, id: i64) -> BackfillJob {
    for _ in 0..50 {
        work(consumers);
        let job = job(&consumers.fakes, id);
        if job.state == BackfillState::Done {
            return job;
        }
    }
    panic!("it is never done: {:?}", job(&consumers.fakes, id))
}

/// The records of all batches, those of the window so often.
fn repeated(batches: i64, window: (i64, i64), times: usize) -> BTreeMap<String, usize> {
    let mut counts = expected(batches, &[(instant(0, 0), instant(batches, 0))]);
    for ray in expected(batches, &[window]).into_keys() {
        counts.insert(ray, times);
    }
    counts
}

#[test]
fn window_arrives_exactly_once_more() {
    let consumers = delivered_world(8);
    let before = consumers.fakes.ledgers.totals();
    let window = (instant(2, 2), instant(5, 1));
    let lines = expected(8, &[window]).len() as u64;
    for nth in 1..3 {
        let id = begin(&consumers, once_more(window.0, window.1));
        let job = finish(&consumers, id);
        assert_eq!((job.sums.lines.lines_in, job.sums.lines.delivered), (lines, lines));
        assert_eq!(consumers.partner.stored(), repeated(8, window, nth + 1));
        let totals = consumers.fakes.ledgers.totals();
        assert_eq!(totals.lines, before.lines, "the accounts are those of before");
        let nth = nth as u64;
        let again = AgainTotals { lines_in: nth * lines, delivered: nth * lines, ..AgainTotals::default() };
        assert_eq!(totals.again, again);
    }
}

#[test]
fn message_that_comes_twice_repeats_nothing() {
    let consumers = delivered_world(3);
    let window = (instant(0, 0), instant(3, 0));
    let id = begin(&consumers, once_more(window.0, window.1));
    run(drive_backfills(&consumers.fakes, &consumers.config)).unwrap();
    let messages = consumers.fakes.queue.take();
    for message in messages.iter().chain(&messages).chain(&messages) {
        consumers.parse(message, 1);
    }
    finish(&consumers, id);
    assert_eq!(consumers.partner.stored(), repeated(3, window, 2));
}

#[test]
fn records_without_an_earlier_plan_arrive_once() {
    let consumers = deployment(6, || Reply::Status(200));
    arrive(&consumers, 0..3);
    consumers.settle(TURN_MS);
    let window = (instant(0, 0), instant(6, 0));
    let id = begin(&consumers, once_more(window.0, window.1));
    let job = finish(&consumers, id);
    assert_eq!(consumers.partner.stored(), repeated(6, (instant(0, 0), instant(3, 0)), 2));
    assert_eq!((job.sums.lines.delivered, consumers.fakes.ledgers.totals().again.delivered), (30, 15));
    // What it delivered for the first time is covered.
    let plain = begin(&consumers, ask(window.0, window.1));
    assert_eq!(finish(&consumers, plain).sums.lines.lines_in, 0);
}

#[test]
fn repetition_covers_nothing_for_others() {
    let consumers = deployment(2, || Reply::Status(200));
    let half = (instant(0, 0), instant(0, 3));
    let first = begin(&consumers, ask(half.0, half.1));
    finish(&consumers, first);
    let id = begin(&consumers, once_more(half.0, half.1));
    finish(&consumers, id);
    let id = begin(&consumers, ask(instant(0, 0), instant(2, 0)));
    finish(&consumers, id);
    assert_eq!(consumers.partner.stored(), repeated(2, half, 2));
    assert_eq!(consumers.fakes.ledgers.totals().lines.unaccounted, 0);
}

#[test]
fn copies_of_a_line_are_repeated_once() {
    let consumers = delivered_world(2);
    // The lines of the first batch again, under another key.
    let copy = batch_key("logs/", Dataset::HttpRequests, instant(0, 0), instant(0, 5), 8);
    let bytes = consumers.fakes.bucket.contents()[&key(0)].clone();
    let head = consumers.fakes.bucket.store(&copy, &bytes);
    announce(&consumers, &copy, &head);
    consumers.settle(TURN_MS);
    let window = (instant(0, 0), instant(2, 0));
    let id = begin(&consumers, once_more(window.0, window.1));
    let job = finish(&consumers, id);
    assert_eq!(consumers.partner.stored(), repeated(2, window, 2));
    assert_eq!((job.sums.lines.delivered, job.sums.lines.filtered["duplicate"]), (10, 5));
    // A batch that comes after it is held back by the first delivery alone.
    let before = consumers.fakes.ledgers.totals().lines.filtered["duplicate"];
    assert_eq!(before, 5);
}

/// Moves the second of three delivered batches without an event, together with a record that nobody delivered.
fn move_with_a_record_more(consumers: &Consumers) {
    let text = String::from_utf8(gunzip_each(&consumers.fakes.bucket.contents()[&key(1)]).concat()).unwrap();
    let line = text.lines().next().unwrap().replace(&name(1, 0), "ray-more");
    let moved = batch_key("logs/", Dataset::HttpRequests, instant(1, 0), instant(1, 5), 8);
    consumers.fakes.bucket.store(&moved, &gzip(format!("{text}\n{line}").as_bytes()));
    assert!(consumers.fakes.bucket.delete(&key(1)));
}

#[test]
fn batch_moved_since_is_repeated_too() {
    let consumers = delivered_world(3);
    move_with_a_record_more(&consumers);
    let window = (instant(0, 0), instant(3, 0));
    for times in 2..4 {
        let id = begin(&consumers, once_more(window.0, window.1));
        finish(&consumers, id);
        let mut wanted = repeated(3, window, times);
        wanted.insert("ray-more".into(), times - 1);
        assert_eq!(consumers.partner.stored(), wanted);
    }
    assert_eq!(consumers.fakes.ledgers.totals().lines.unaccounted, 0);
}

#[test]
fn failures_repeat_nothing_of_a_moved_batch_twice() {
    let window = (instant(0, 0), instant(3, 0));
    repeat_despite_failures(window, move_with_a_record_more, |_| {}, &[("ray-more", 1)]);
}

#[test]
fn repetition_needs_no_pack_of_its_first_plan() {
    // Someone's lifecycle rule removes the packs between the two plans of a backfill for a moved batch.
    let window = (instant(0, 0), instant(3, 0));
    let bodies = |consumers: &Consumers| -> BTreeSet<String> {
        let keys = consumers.fakes.data.contents().into_keys();
        keys.filter(|key| key.starts_with("raydex/payloads/")).collect()
    };
    let delivered = RefCell::new(BTreeSet::new());
    let change = |consumers: &Consumers| {
        move_with_a_record_more(consumers);
        delivered.replace(bodies(consumers));
    };
    let remove_packs = |consumers: &Consumers| {
        let new = bodies(consumers).into_iter().filter(|key| !delivered.borrow().contains(key));
        new.for_each(|key| assert!(consumers.fakes.data.delete(&key)));
    };
    repeat_despite_failures(window, change, remove_packs, &[("ray-more", 1)]);
}

#[test]
fn failures_on_the_way_repeat_nothing_twice() {
    repeat_despite_failures((instant(0, 2), instant(2, 1)), |_| {}, |_| {}, &[]);
}

/// Delivers the window once more with each second call failing, after `change`, which adds these records. `meanwhile` happens
/// before each attempt.
fn repeat_despite_failures(
    window: (i64, i64),
    change: impl Fn(&Consumers),
    meanwhile: impl Fn(&Consumers),
    more: &[(&str, usize)],
) {
    let batches = 3;
    let begun = || {
        let consumers = delivered_world(batches);
        change(&consumers);
        begin(&consumers, once_more(window.0, window.1));
        consumers
    };
    let mut wanted = repeated(batches, window, 2);
    wanted.extend(more.iter().map(|(ray, times)| ((*ray).to_owned(), *times)));
    let repeat = |consumers: &Consumers| {
        for _ in 0..4 {
            turn_with(&consumers.fakes, &consumers.config, || meanwhile(consumers));
        }
    };
    let clean = begun();
    let before = clean.fakes.faults.calls();
    repeat(&clean);
    clean.settle(TURN_MS);
    assert_eq!(clean.partner.stored(), wanted);
    for nth in (0..clean.fakes.faults.calls() - before).step_by(2) {
        for fault in Fault::BOTH {
            let consumers = begun();
            consumers.fakes.faults.plan(None, nth, fault);
            repeat(&consumers);
            consumers.fakes.faults.clear();
            consumers.settle(TURN_MS);
            assert_eq!(consumers.partner.stored(), wanted, "call {nth} {fault:?}");
        }
    }
}
