//! A sealed batch with rejected lines is read again: what is a record now is found and delivered, once.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::api::{Ask, json as body, problem};
use super::support::faults::DETAIL;
use super::support::gzip::gunzip;
use super::support::records::{http, ray};
use super::support::{Fakes, Fault, Kind};
use super::{BUCKET_NAME, BatchOutcome, KEY, process, process_again};
use crate::support::ledgers::batch_of;

const COUNT: u64 = 40;
/// The lines that the first reading cannot read.
const REJECTED: [u64; 3] = [0, 17, 39];

/// The lines of a batch; the named ones end in another byte, so that they are no records.
fn text(rejected: &[u64]) -> Vec<u8> {
    let lines = (0..COUNT).map(|number| {
        let mut line = http(&ray(number * 400_000_000_000 / COUNT).to_string(), 9).into_bytes();
        if rejected.contains(&number) {
            line.pop();
            line.push(b'?');
        }
        line.push(b'\n');
        line
    });
    lines.flatten().collect()
}

fn id_of(number: u64) -> String {
    ray(number * 400_000_000_000 / COUNT).to_string()
}

fn path(fakes: &Fakes) -> String {
    let etag = fakes.bucket.object(KEY).unwrap().head.etag;
    format!("/v1/batches/{}", batch_of(BUCKET_NAME, KEY, &etag).handle())
}

/// The rays of all lines in payloads, in order.
fn delivered(fakes: &Fakes) -> Vec<String> {
    let kept = fakes.kept(KEY);
    assert_eq!(kept.totals.lines.unaccounted, 0);
    let texts = kept.payloads.iter().map(|view| gunzip(&fakes.body(KEY, view).unwrap()));
    let text = String::from_utf8(texts.collect::<Vec<_>>().concat()).unwrap();
    text.lines().map(|line| line.split('\u{1}').nth(2).unwrap().to_owned()).collect()
}

/// A batch that was sealed without these lines, and whose reader knows them now.
fn sealed() -> Fakes {
    let fakes = Fakes::new();
    let BatchOutcome::Sealed(done) = process(&fakes, &text(&REJECTED)) else { panic!("sealed") };
    assert_eq!((done.counts.lines, done.counts.rejected_lines()), (COUNT, 3));
    fakes
}

#[test]
fn rejected_lines_are_listed_and_read_again() {
    let fakes = sealed();
    let line = text(&[]).iter().position(|byte| *byte == b'\n').unwrap() as u64 + 1;
    let listed: Vec<_> = REJECTED.map(|number| json!({"offset": number * line, "code": "not_json"})).into();
    let shown = body(&Ask::get(&path(&fakes)).of(&fakes));
    assert_eq!(shown["rejected"], json!({"total": 3, "truncated": false, "lines": listed}));
    assert_eq!(delivered(&fakes).len(), 37);
    // One of the lines is still none.
    fakes.bucket.replace_bytes(KEY, &text(&REJECTED[2..]));
    let replay = Ask::post(&(path(&fakes) + "/replay"), "the reader knows them now");
    let answer = body(&replay.clone().of(&fakes));
    assert_eq!((&answer["before"], &answer["state"]), (&"sealed".into(), &"sealed".into()));
    assert_eq!(body(&Ask::get(&path(&fakes)).of(&fakes))["batch"]["replaying"], true);
    fakes.sends.take();
    assert_eq!(fakes.queue.take().len(), 1);
    let BatchOutcome::Sealed(done) = process_again(&fakes) else { panic!("sealed") };
    assert_eq!((done.counts.rejected_lines(), done.payload_lines), (1, 2));
    let messages = fakes.sends.take();
    let repairs = messages.iter().filter(|message| message.contains(r#""plan":2"#)).count();
    assert_eq!(repairs, 1, "one payload, of the two lines: {messages:?}");
    let shown = body(&Ask::get(&path(&fakes)).of(&fakes));
    assert_eq!(shown["rejected"], json!({"total": 1, "truncated": false, "lines": &listed[2..]}));
    assert_eq!((&shown["batch"]["state"], &shown["batch"]["replaying"]), (&"sealed".into(), &false.into()));
    assert_eq!(shown["plans"][1]["repair"], json!({"plan": 1, "lines": 3}));
    // Each ray once, in the index and in the payloads.
    let rays = delivered(&fakes);
    assert_eq!((rays.len(), rays.iter().collect::<BTreeSet<_>>().len()), (39, 39));
    for number in 0..COUNT {
        assert_eq!(fakes.lines(&id_of(number)).len(), usize::from(number != 39), "{number}");
    }
    let status = Ask::get(&format!("/v1/rays/{}/deliveries", id_of(17))).of(&fakes);
    let status = body(&status);
    assert_eq!(
        (&status["records"][0]["delivery_status"], &status["records"][0]["plan"]),
        (&"assigned".into(), &2.into())
    );
    // The last one, and then there is nothing left.
    fakes.bucket.replace_bytes(KEY, &text(&[]));
    assert_eq!(replay.clone().of(&fakes).status, 200);
    process_again(&fakes);
    assert_eq!(delivered(&fakes).len(), 40);
    assert_eq!(problem(&replay.of(&fakes)), (409, "nothing_to_replay".into()));
}

#[test]
fn replay_interrupted_anywhere_delivers_once() {
    let whole = {
        let fakes = sealed();
        fakes.bucket.replace_bytes(KEY, &text(&[]));
        Ask::post(&(path(&fakes) + "/replay"), "again").of(&fakes);
        let before = fakes.faults.calls();
        process_again(&fakes);
        (fakes.faults.calls() - before, fakes.shards.rows())
    };
    for nth in 0..whole.0 {
        for fault in Fault::BOTH {
            let fakes = sealed();
            fakes.bucket.replace_bytes(KEY, &text(&[]));
            Ask::post(&(path(&fakes) + "/replay"), "again").of(&fakes);
            fakes.faults.plan(None, nth, fault);
            let failed = super::try_process(&fakes);
            assert!(fakes.faults.clear(), "call {nth}");
            assert!(
                failed.as_ref().is_ok_and(|_| nth + 1 == whole.0)
                    || failed.as_ref().is_err_and(|why| why.detail == DETAIL),
                "{nth}: {failed:?}"
            );
            let _again = process_again(&fakes);
            assert_eq!(delivered(&fakes).len(), 40, "call {nth} {fault:?}");
            assert_eq!(fakes.shards.rows(), whole.1, "call {nth} {fault:?}");
            assert!(!fakes.kept(KEY).batch.unwrap().replaying);
        }
    }
}

#[test]
fn replay_of_another_form_keeps_the_accounts() {
    let fakes = sealed();
    fakes.bucket.replace_bytes(KEY, &[&b"[\n"[..], &text(&[])[2..]].concat());
    Ask::post(&(path(&fakes) + "/replay"), "again").of(&fakes);
    assert_eq!(process_again(&fakes), BatchOutcome::AlreadySealed);
    let batch = fakes.kept(KEY).batch.unwrap();
    assert_eq!((batch.state.name(), batch.replaying, batch.counts.rejected_lines()), ("sealed", false, 3));
    assert_eq!(delivered(&fakes).len(), 37);
}

#[test]
fn replay_with_a_lost_message_is_repeatable() {
    let fakes = sealed();
    let replay = Ask::post(&(path(&fakes) + "/replay"), "again");
    fakes.faults.plan(Some(Kind::Send), 0, Fault::Fails);
    assert_eq!(problem(&replay.clone().of(&fakes)), (503, "unavailable".into()));
    assert_eq!(replay.of(&fakes).status, 200);
    assert_eq!(fakes.queue.sent().len(), 1);
}
