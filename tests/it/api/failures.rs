//! The world fails while a request is answered.

use raydex::limits::MIB;
use raydex::record::Dataset;

use super::story::{KEYS, batch, park, records, wish};
use super::support::gzip::gzip;
use super::support::records::{http, noise, ray};
use super::support::{Fakes, Fault, Kind};
use super::{Ask, header, problem};

#[test]
fn failing_lookup_is_503_and_works_next_time() {
    let fakes = Fakes::new();
    for key in ["logs/a", "logs/b"] {
        fakes.index(key, Dataset::HttpRequests, &gzip(http(&ray(1).to_string(), 0).as_bytes()));
    }
    let ask = || Ask::get(&format!("/v1/rays/{}?format=native", ray(1)));
    let before = fakes.faults.calls();
    let whole = ask().of(&fakes);
    let calls = fakes.faults.calls() - before;
    assert!(calls >= 5);
    // The first call is the audit log's.
    for nth in 0..=calls {
        fakes.faults.plan(None, nth, Fault::Fails);
        let reply = ask().of(&fakes);
        assert!(fakes.faults.clear());
        let code = if nth == 0 { "not_audited" } else { "unavailable" };
        assert_eq!(problem(&reply), (503, code.into()), "call {nth}");
        assert_eq!(header(&reply, "retry-after"), Some("30"));
        assert_eq!(ask().of(&fakes), whole);
    }
}

/// An upload whose world fails at the nth call; `false` where it never came to that.
fn upload_fails(body: &[u8], nth: usize, fault: Fault) -> bool {
    let fakes = Fakes::new();
    fakes.faults.plan(None, nth, fault);
    let reply = Ask { pieces: vec![2 * MIB], ..Ask::upload(body) }.of(&fakes);
    if !fakes.faults.clear() {
        assert_eq!(reply.status, 200);
        return false;
    }
    let (status, code) = problem(&reply);
    assert!(
        matches!((status, code.as_str()), (503, "unavailable" | "not_audited") | (400, "body_broken")),
        "call {nth} {fault:?}"
    );
    let begun = fakes.faults.count(Kind::Upload) > 0;
    let sending = fakes.faults.count(Kind::Send) > 0;
    let completing = fakes.faults.count(Kind::Put) + fakes.faults.count(Kind::Complete) > 0;
    let happened = sending || (completing && fault == Fault::FailsButHappened);
    assert_eq!(fakes.bucket.contents().len(), usize::from(happened), "call {nth} {fault:?}");
    assert_eq!(fakes.queue.sent().len(), usize::from(sending && fault == Fault::FailsButHappened));
    // Nobody can drop an upload whose name never arrived.
    let nameless = begun && fakes.faults.count(Kind::Part) == 0;
    if !nameless {
        assert_eq!(fakes.bucket.aborted_uploads(), usize::from(begun && !completing), "call {nth} {fault:?}");
    }
    true
}

#[test]
fn failing_upload_stores_nothing_and_leaves_no_parts() {
    let mut large = noise(5, 12 * MIB);
    large[0] = 0x1f;
    for body in [gzip(http(&ray(1).to_string(), 0).as_bytes()), large] {
        for fault in Fault::BOTH {
            let calls = (0..1000).take_while(|&nth| upload_fails(&body, nth, fault)).count();
            assert!(calls >= 4, "{calls}");
        }
    }
}

#[test]
fn upload_that_cannot_be_aborted_is_503_too() {
    let mut large = noise(5, 12 * MIB);
    large[0] = 0x1f;
    let fakes = Fakes::new();
    // The body breaks, and then the abort fails.
    fakes.faults.plan(Some(Kind::Body), 4, Fault::Fails);
    let reply = Ask { pieces: vec![2 * MIB], ..Ask::upload(&large) }.of(&fakes);
    assert_eq!(problem(&reply), (400, "body_broken".into()));
    assert_eq!(fakes.bucket.aborted_uploads(), 1);
}

#[test]
fn a_body_that_breaks_anywhere_stores_nothing() {
    let body = gzip(&noise(8, 5000));
    let pieces = body.len().div_ceil(100) + 1;
    for nth in 0..pieces {
        let fakes = Fakes::new();
        fakes.faults.plan(Some(Kind::Body), nth, Fault::Fails);
        let reply = Ask { pieces: vec![100], ..Ask::upload(&body) }.of(&fakes);
        assert!(fakes.faults.clear());
        assert_eq!(problem(&reply), (400, "body_broken".into()), "piece {nth}");
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
    }
}

/// A world with one of everything that can be asked after, and the paths that ask.
fn whole_world() -> (Fakes, Vec<Ask>) {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..4), Some(wish()));
    batch(&fakes, KEYS[2], &records(4..6), Some(wish()));
    let aside = batch_quarantined(&fakes);
    park(&fakes, &ids[0]);
    let letter = raydex::ledger::registry::DeadLetter {
        queue: "send-queue".into(),
        message: "m".into(),
        body: serde_json::to_string(&ids[1]).unwrap(),
        attempts: 1,
        code: "gave_up".into(),
    };
    fakes.ledgers.ask(raydex::ledger::ids::REGISTRY, &letter);
    let asks = vec![
        Ask::get("/v1/stats"),
        Ask::get("/v1/batches"),
        Ask::get(&format!("/v1/batches/{aside}")),
        Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))),
        Ask::get("/v1/dead-letters"),
        Ask::post("/v1/dead-letters/1/redrive", "why not"),
        Ask::post("/v1/dead-letters/1/dismiss", "why not"),
        Ask::post(&format!("/v1/batches/{aside}/replay"), "why not"),
        Ask::post(&format!("/v1/payloads/{}/resend", ids[0].handle()), "why not"),
    ];
    (fakes, asks)
}

/// The handle of a batch that was quarantined.
fn batch_quarantined(fakes: &Fakes) -> String {
    batch(fakes, "logs/damaged.log.gz", b"\x1f\x8bdamaged", None);
    fakes.kept("logs/damaged.log.gz").batch.unwrap().id
}

#[test]
fn failing_requests_report_it_and_work_next_time() {
    let count = whole_world().1.len();
    let mut failed = 0;
    for place in 0..count {
        for nth in 0.. {
            let (fakes, asks) = whole_world();
            let ask = &asks[place];
            let messages = fakes.faults.count(Kind::SendPayload);
            fakes.faults.plan(None, nth, Fault::Fails);
            let reply = ask.clone().of(&fakes);
            if !fakes.faults.clear() {
                assert_eq!(reply.status, 200, "{} {}", ask.method, ask.path);
                break;
            }
            // A message of a payload that is not sent is the ledger's, which sends it.
            if fakes.faults.count(Kind::SendPayload) > messages && ask.path.ends_with("resend") {
                assert_eq!(reply.status, 200);
                continue;
            }
            let (status, code) = problem(&reply);
            assert!(
                matches!((status, code.as_str()), (503, "unavailable" | "not_audited") | (400, "body_broken")),
                "{} {nth}",
                ask.path
            );
            assert_eq!(ask.clone().of(&fakes).status, 200, "{} {} {nth}", ask.method, ask.path);
            failed += 1;
        }
    }
    assert!(failed > 20, "{failed}");
}
