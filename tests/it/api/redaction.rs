//! No reply repeats what came in, and none shows what the platform said.

use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::DeadLetter;

use super::story::{KEYS, batch, batch_of, park, records, wish};
use super::support::faults::DETAIL;
use super::support::records::ray;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, Reply, problem};

/// What is looked for in replies.
const CANARY: &str = "c4n4ry";

/// The reply, seen to hold no word of the request.
fn silent(ask: Ask) -> Reply {
    let what = format!("{ask:?}");
    let reply = ask.of(&Fakes::new());
    let said = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
    assert!(!said.to_lowercase().contains(CANARY), "{what}: {said}");
    reply
}

#[test]
fn nothing_of_a_request_is_repeated() {
    for path in [
        "/c4n4ry",
        "/v1/c4n4ry/x",
        "/v1/rays/c4n4ry",
        "/v1/rays/c4n4ry!",
        "/v1/rays/%3Cscript%3Ec4n4ry",
        "/v1/rays/c4n4ry/c4n4ry",
        "/v1/rays/9e35512345678abc-c4n4ry",
        "/v1/rays/x?c4n4ry=1",
        "/v1/rays/9e35512345678abc?format=c4n4ry",
        "/v1/rays/9e35512345678abc?dataset=c4n4ry",
        "/v1/rays/9e35512345678abc?c4n4ry=c4n4ry",
        "/healthz?c4n4ry",
        "/v1/ingest/c4n4ry",
        "/v1/ingest/http_requests?c4n4ry=1",
        "/v1/rays/c4n4ry/deliveries",
        "/v1/rays/9e35512345678abc/deliveries?c4n4ry",
        "/v1/rays/c4n4ry/diff/c4n4ry",
        "/v1/rays/9e35512345678abc/diff/c4n4ry",
        "/v1/rays/9e35512345678abc/diff/9e35512345678abd?c4n4ry",
        "/v1/rays/c4n4ry/neighbours?by=client",
        "/v1/rays/9e35512345678abc/neighbours?by=c4n4ry",
        "/v1/rays/9e35512345678abc/neighbours?by=client&within=c4n4ry",
        "/v1/rays/9e35512345678abc/neighbours?by=path&limit=c4n4ry",
        "/v1/rays/9e35512345678abc/neighbours?by=path&format=c4n4ry",
        "/v1/rays/9e35512345678abc/neighbours?by=path&dataset=c4n4ry",
        "/v1/rays/9e35512345678abc/neighbours?by=path&cursor=c4n4ry",
        "/v1/stats?c4n4ry=1",
        "/v1/stats?ledgers=c4n4ry",
        "/v1/batches?state=c4n4ry",
        "/v1/batches?limit=c4n4ry",
        "/v1/batches?c4n4ry",
        "/v1/batches/c4n4ry",
        "/v1/batches/c4n4ry/replay",
        "/v1/payloads/c4n4ry/resend",
        "/v1/payloads/c4n4ry/release",
        "/v1/payloads/c4n4ry/drop",
        "/v1/payloads/c4n4ry/c4n4ry",
        "/v1/dead-letters?redriven=c4n4ry",
        "/v1/dead-letters?limit=c4n4ry",
        "/v1/dead-letters?c4n4ry",
        "/v1/dead-letters/c4n4ry/redrive",
        "/v1/dead-letters/c4n4ry/dismiss",
    ] {
        for method in ["GET", "HEAD", "POST", "C4N4RY"] {
            let body = b"c4n4ry".to_vec();
            silent(Ask { body, ..Ask::new(method, path).accept("c4n4ry") });
        }
    }
}

#[test]
fn tokens_and_bodies_are_never_repeated() {
    let mut ask = Ask::get("/v1/rays/9e35512345678abc");
    for authorization in ["Bearer c4n4ry", "c4n4ry", "c4n4ry c4n4ry"] {
        ask.authorization = Some(authorization.into());
        assert_eq!(problem(&silent(ask.clone())).0, 401);
    }
    for body in ["c4n4ry", "[c4n4ry]", "{\"c4n4ry\":1}\n", "\x1f\u{8b}c4n4ry", "<c4n4ry>", "  \n "] {
        silent(Ask::upload(body.as_bytes()));
    }
}

#[test]
fn operations_repeat_neither_reasons_nor_records() {
    let fakes = Fakes::new();
    let stored = [records(0..2), b"{\"RayID\":\"c4n4ry\",\"ClientIP\":\"c4n4ry\"}\nc4n4ry\n".to_vec()].concat();
    let ids = batch(&fakes, KEYS[0], &stored, Some(wish()));
    batch(&fakes, "logs/c.log.gz", b"\x1f\x8bc4n4ry", None);
    let aside = fakes.kept("logs/c.log.gz").batch.unwrap().id;
    park(&fakes, &ids[0]);
    for (message, body) in [("m1", "c4n4ry"), ("m2", r#"{"c4n4ry":1}"#), ("m3", r#"{"action":"c4n4ry","bucket":"b"}"#)]
    {
        let (queue, body) = ("parse-queue".into(), body.into());
        fakes
            .ledgers
            .ask(REGISTRY, &DeadLetter { queue, message: message.into(), body, attempts: 1, code: "x".into() });
    }
    let batch = batch_of(&ids[0]);
    let payload = ids[0].handle();
    for ask in [
        Ask::get("/v1/stats"),
        Ask::get("/v1/batches"),
        Ask::get(&format!("/v1/batches/{batch}")),
        Ask::get(&format!("/v1/batches/{aside}")),
        Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))),
        Ask::get("/v1/dead-letters"),
        Ask::post("/v1/dead-letters/1/redrive", CANARY),
        Ask::post("/v1/dead-letters/1/dismiss", CANARY),
        Ask::post(&format!("/v1/batches/{batch}/replay"), CANARY),
        Ask::post(&format!("/v1/batches/{aside}/replay"), CANARY),
        Ask::post(&format!("/v1/payloads/{payload}/resend"), CANARY),
        Ask::post(&format!("/v1/payloads/{payload}/release"), CANARY),
        Ask { body: CANARY.into(), ..Ask::new("POST", &format!("/v1/payloads/{payload}/drop")) },
    ] {
        let what = format!("{} {}", ask.method, ask.path);
        let reply = ask.of(&fakes);
        let said = String::from_utf8_lossy(&reply.body).to_lowercase();
        assert!(!said.contains(CANARY), "{what}: {said}");
    }
}

#[test]
fn nothing_of_what_the_platform_says_is_shown() {
    let fakes = Fakes::new();
    let id = batch(&fakes, KEYS[0], &records(0..2), Some(wish())).remove(0);
    let (id, of_batch) = (id.handle(), batch_of(&id));
    for kind in [Kind::Get, Kind::Body, Kind::Put, Kind::Shard, Kind::Send, Kind::Ledger, Kind::SendPayload] {
        for ask in [
            Ask::get(&format!("/v1/rays/{}", ray(1))),
            Ask::upload(b"{\"RayID\":\"9e35500000000001\"}\n"),
            Ask::get(&format!("/v1/rays/{}/deliveries", ray(1))),
            Ask::get(&format!("/v1/rays/{}/diff/{}", ray(0), ray(1))),
            Ask::get(&format!("/v1/rays/{}/neighbours?by=client", ray(0))),
            Ask::get("/v1/stats"),
            Ask::get("/v1/batches"),
            Ask::get(&format!("/v1/batches/{of_batch}")),
            Ask::get("/v1/dead-letters"),
            Ask::post(&format!("/v1/payloads/{id}/resend"), "why not"),
            Ask::post(&format!("/v1/batches/{of_batch}/replay"), "why not"),
            Ask::post("/v1/dead-letters/1/redrive", "why not"),
        ] {
            fakes.faults.plan(Some(kind), 0, Fault::Fails);
            let reply = ask.of(&fakes);
            fakes.faults.clear();
            assert!(!format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body)).contains(DETAIL));
        }
    }
}
