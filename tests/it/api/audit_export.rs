//! The audit log as a stream of lines, and the verifier that holds it against the chain.

use raydex::audit::calls::ChainHead;
use raydex::audit::verify::ChainVerifier;
use raydex::limits::{AUDIT_EXPORT, MEMORY_BUDGET};
use serde_json::Value;

use super::segments::Log;
use super::support::Kind;
use super::{Ask, Reply, header};

/// The lines of an export, and its trailer.
fn export(log: &Log, query: &str) -> (Vec<String>, Value) {
    let reply: Reply = Ask::get(&format!("/v1/audit?format=ndjson{query}")).of(&log.fakes);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/x-ndjson")));
    let text = String::from_utf8(reply.body).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let trailer: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    (lines, trailer["raydex"].clone())
}

#[test]
fn export_is_the_whole_chain_with_a_trailer() {
    let log = Log::with(1_000, 4_500);
    log.settle();
    let (lines, trailer) = export(&log, "");
    // The entry of its reading is a part of it.
    assert_eq!(lines.len(), 4_501);
    let mut verifier = ChainVerifier::default();
    for line in &lines {
        verifier.push(line.as_bytes()).unwrap();
    }
    let last: ChainHead = serde_json::from_value(trailer["last"].clone()).unwrap();
    assert_eq!(verifier.end_at(&last), Ok(()));
    assert_eq!(
        (&trailer["complete"], &trailer["chain_valid"], &trailer["after"]),
        (&true.into(), &true.into(), &Value::Null)
    );
    assert_eq!(log.fakes.memory.available(), MEMORY_BUDGET, "what it reserved is free again");
}

#[test]
fn export_is_limited_and_continued() {
    let log = Log::with(1_000, 2_500);
    log.settle();
    let (first, trailer) = export(&log, "&limit=1500");
    assert_eq!((first.len(), &trailer["complete"], &trailer["after"]), (1_500, &false.into(), &1_500.into()));
    let (rest, trailer) = export(&log, "&after=1500");
    assert_eq!((rest.len(), &trailer["complete"]), (1_002, &true.into()));
    let (found, trailer) = export(&log, "&resource=r7&actor=eye");
    assert_eq!((found.len(), &trailer["chain_valid"]), (1, &true.into()), "as a whole, not as a part of r70");
    let (found, _) = export(&log, "&actor=main");
    assert_eq!(found.len(), 4, "its readings");
}

#[test]
fn export_says_why_it_ends_early() {
    let log = Log::with(1_000, 3_500);
    let keys: Vec<String> = log.settle().into_iter().map(|segment| segment.key).collect();
    log.fakes.bucket.delete(&keys[1]);
    let (lines, trailer) = export(&log, "");
    assert_eq!((lines.len(), &trailer["complete"], &trailer["after"]), (1_000, &false.into(), &1_000.into()));
    assert_eq!(trailer["error"]["code"], "audit_gone");
}

#[test]
fn export_holds_one_piece_at_a_time() {
    let log = Log::with(10_000, 3 * usize::try_from(AUDIT_EXPORT).unwrap());
    log.settle();
    let others = log.fakes.memory.reservation();
    // A piece of 2,000 entries of 230 bytes, four times, and a reader: a tenth of the budget.
    others.reserve(MEMORY_BUDGET - MEMORY_BUDGET / 10).unwrap();
    let before = log.fakes.faults.count(Kind::Audit);
    let (lines, trailer) = export(&log, "");
    assert_eq!((lines.len(), &trailer["complete"]), (6_001, &true.into()));
    assert!(log.fakes.faults.count(Kind::Audit) - before < 40);
}
