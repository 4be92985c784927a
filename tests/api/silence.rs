//! No reply repeats what came in, and none shows what the platform said.

use raydex::api::Reply;

use super::support::faults::DETAIL;
use super::support::records::ray;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, problem};

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
    ] {
        for method in ["GET", "HEAD", "POST", "C4N4RY"] {
            let body = b"c4n4ry".to_vec();
            silent(Ask { body, ..Ask::new(method, path).accept("c4n4ry") });
        }
    }
}

#[test]
fn nothing_of_a_token_or_a_body_is_repeated() {
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
fn nothing_of_what_the_platform_says_is_shown() {
    let fakes = Fakes::new();
    for kind in [Kind::Get, Kind::Body, Kind::Put, Kind::Shard, Kind::Send] {
        for ask in [Ask::get(&format!("/v1/rays/{}", ray(1))), Ask::upload(b"{\"RayID\":\"9e35500000000001\"}\n")] {
            fakes.faults.plan(Some(kind), 0, Fault::Fails);
            let reply = ask.of(&fakes);
            fakes.faults.clear();
            assert!(!format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body)).contains(DETAIL));
        }
    }
}
