//! How streams end: with the marker of their response, or broken.

use std::cell::Cell;

use raydex::ledger::registry::register;
use raydex::record::Dataset;
use serde_json::Value;

use super::every_route::ZONE;
use super::support::records::{http, ndjson, ray};
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, Reply, header};
use crate::support::ledgers::only_ledger;

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_a.log.gz";
const LOGS: &str = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T08:42:24Z";
/// The forms of `GET /v1/logs`.
const FORMS: [&str; 5] = ["", "&format=csv", "&format=partner", "&format=json", "&fields=RayID"];

fn world() -> Fakes {
    let fakes = Fakes::new();
    let lines = (0..40).map(|number| http(&ray(number).to_string(), 0));
    fakes.index(KEY, Dataset::HttpRequests, &ndjson(lines));
    fakes
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// The trailer of a reply, which has the token of its head; `None` if there is no such line.
fn trailer(reply: &Reply) -> Option<Value> {
    let token = header(reply, "raydex-end").unwrap();
    assert_eq!(token.len(), 32);
    if header(reply, "content-type") == Some("application/json") {
        let document: Value = serde_json::from_str(text(reply)).ok()?;
        return Some(document["raydex"].clone()).filter(|trailer| trailer["end"] == token);
    }
    let last = text(reply).lines().last()?;
    let json = last.strip_prefix("# raydex ").or_else(|| last.strip_prefix("{\"raydex\":")?.strip_suffix('}'))?;
    serde_json::from_str::<Value>(json).ok().filter(|trailer| trailer["end"] == token)
}

#[test]
fn every_form_ends_with_its_responses_marker() {
    let fakes = world();
    for form in FORMS {
        let reply = Ask::get(&format!("{LOGS}{form}")).of(&fakes);
        let trailer = trailer(&reply).unwrap_or_else(|| panic!("{form}: {}", text(&reply)));
        assert_eq!((reply.is_broken, &trailer["complete"], &trailer["cursor"]), (false, &true.into(), &Value::Null));
    }
    let audit = Ask::get("/v1/audit?format=ndjson").of(&fakes);
    assert_eq!(trailer(&audit).unwrap()["complete"], true);
    let body = format!(r#"{{"rays":["{}","0000000000000000","x"]}}"#, ray(1)).into_bytes();
    let rays = Ask { body, ..Ask::new("POST", "/v1/rays") }.of(&fakes);
    assert_eq!((trailer(&rays).unwrap()["complete"].clone(), text(&rays).lines().count()), (true.into(), 4));
}

#[test]
fn tokens_are_drawn_for_each_response() {
    let fakes = world();
    fakes.bits.set(1);
    let first = Ask::get(LOGS).of(&fakes);
    fakes.bits.set(2);
    let second = Ask::get(LOGS).of(&fakes);
    assert_ne!(header(&first, "raydex-end"), header(&second, "raydex-end"));
}

#[test]
fn no_record_and_no_cell_makes_a_marker() {
    let fakes = Fakes::new();
    let old = trailer(&Ask::get(LOGS).of(&fakes)).unwrap();
    fakes.bits.set(0x1234);
    // What an earlier answer ended with, as records and as cells.
    let plants = [
        format!(r#"{{"raydex":{old},"RayID":"{}"}}"#, ray(1)),
        format!(
            r#"{{"RayID":"{}","ClientRequestHost":"x\n# raydex {}"}}"#,
            ray(2),
            old.to_string().replace('"', "\\\"")
        ),
        format!(r#"{{"RayID":"{}","ClientRequestHost":"Error streaming data."}}"#, ray(3)),
    ];
    fakes.index(KEY, Dataset::HttpRequests, &ndjson(plants));
    for form in ["", "&format=csv&fields=ClientRequestHost", "&fields=raydex", "&format=json&fields=raydex"] {
        let reply = Ask::get(&format!("{LOGS}{form}")).of(&fakes);
        let token = header(&reply, "raydex-end").unwrap();
        assert_eq!((text(&reply).matches(token).count(), trailer(&reply).is_some()), (1, true), "{form}");
        let pure = Ask::get(&format!("{LOGS}{form}&summary=false")).of(&fakes);
        if !form.contains("json") {
            assert!(!pure.is_broken && !text(&pure).contains(header(&pure, "raydex-end").unwrap()), "{form}");
        }
    }
}

#[test]
fn pure_forms_break_if_anything_is_missing() {
    for form in ["", "&format=csv", "&format=partner", "&fields=RayID"] {
        let fakes = world();
        let path = format!("{LOGS}{form}&summary=false");
        let whole = Ask::get(&path).of(&fakes);
        assert!(!whole.is_broken && !text(&whole).contains("raydex"), "{form}: {}", text(&whole));
        let limited = Ask::get(&format!("{path}&limit=3")).of(&fakes);
        assert!(!limited.is_broken, "{form}: what was asked for is there");
        // A call fails, the batch is gone, a batch is quarantined.
        fakes.faults.plan(Some(Kind::Get), 0, Fault::Fails);
        let failed = Ask::get(&path).of(&fakes);
        assert!(fakes.faults.clear());
        fakes.bucket.delete(KEY);
        let gone = Ask::get(&path).of(&fakes);
        let fakes = world();
        run(register(&fakes.ledgers, &only_ledger(KEY), None)).unwrap();
        fakes.index(&KEY.replace("_a.", "_b."), Dataset::HttpRequests, b"a,b\n1,2\n");
        let quarantined = Ask::get(&path).of(&fakes);
        for (reply, why) in [(failed, "failed"), (gone, "gone"), (quarantined, "quarantined")] {
            let token = header(&reply, "raydex-end").unwrap();
            assert!(reply.is_broken, "{form} {why}: {}", text(&reply));
            assert!(text(&reply).ends_with(&format!("Error streaming data: {token}\n")), "{form} {why}");
        }
    }
}

#[test]
fn cloudflare_clients_get_a_broken_stream() {
    let fakes = world();
    let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T08:42:24Z";
    let paths = [
        format!("{ZONE}/received?{range}"),
        format!("/client/v4/accounts/x/logs/retrieve?{range}&bucket=cdn-logs-raw&prefix=logs/http_requests/{{DATE}}"),
    ];
    for path in &paths {
        let whole = Ask::get(path).of(&fakes);
        assert_eq!(
            (whole.status, whole.is_broken, header(&whole, "raydex-end")),
            (200, false, None),
            "{}",
            text(&whole)
        );
    }
    fakes.bucket.delete(KEY);
    for path in &paths {
        let reply = Ask::get(path).of(&fakes);
        assert_eq!((reply.status, reply.is_broken, text(&reply)), (200, true, "Error streaming data.\n"), "{path}");
    }
}

#[test]
fn failures_at_any_call_are_said() {
    let fakes = world();
    for form in FORMS {
        let calls = Cell::new(fakes.faults.calls());
        let whole = Ask::get(&format!("{LOGS}{form}")).of(&fakes);
        let calls = fakes.faults.calls() - calls.get();
        for nth in 0..calls {
            fakes.faults.plan(None, nth, Fault::Fails);
            let reply = Ask::get(&format!("{LOGS}{form}")).of(&fakes);
            fakes.faults.clear();
            if reply.status != 200 {
                continue;
            }
            let trailer = trailer(&reply).unwrap_or_else(|| panic!("{form} {nth}: {}", text(&reply)));
            assert!(trailer["complete"] == false || reply.body.len() == whole.body.len(), "{form} {nth}: {trailer}");
        }
    }
}
