//! What ends although its peer does nothing, and how many searches a caller has at a time.

use std::future::pending;
use std::rc::Rc;

use http::header::AUTHORIZATION;
use raydex::backend::{BackendError, ByteStream};
use raydex::config::Config;
use raydex::http::{HttpRequest, Reply as CoreReply};
use raydex::limits::{MEMORY_BUDGET, SCAN_WAIT_MS, SENDER_IDLE_MS};
use raydex::router::answer_request;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::support::world::{TOKEN, config, config_with};
use super::support::{Fakes, run};
use super::{Reply, header, problem};

const LOGS: &str = "/v1/logs";
const RANGE: &str = "start=2026-03-28T08:00:00Z";

/// A body that is silent after some pieces.
struct SilentBody {
    pieces: usize,
}

impl ByteStream for SilentBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        if self.pieces == 0 {
            return pending().await;
        }
        self.pieces -= 1;
        Ok(Some(b"{\"RayID\":\"9e3556d8c2ab1c05\",\"EdgeResponseStatus\":200}\n".repeat(20)))
    }
}

fn ask<Y: ByteStream>(
    fakes: &Rc<Fakes>,
    config: Config,
    token: &str,
    (method, path): (&str, &str),
    body: Y,
) -> CoreReply {
    let request = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: if path == LOGS { RANGE.to_owned() } else { String::new() },
        headers: [(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect(),
        body,
    };
    run(answer_request(&Ok(config), fakes, request))
}

/// The reply to a body that is silent after some pieces, and how long it took.
fn post(path: &str, pieces: usize) -> (Rc<Fakes>, Reply, i64) {
    let fakes = Rc::new(Fakes::new());
    let before = fakes.clock_ms.get();
    let body = SilentBody { pieces };
    let reply = Reply::of(ask(&fakes, config(), TOKEN, ("POST", path), body));
    let took_ms = fakes.clock_ms.get() - before;
    (fakes, reply, took_ms)
}

#[test]
fn silent_senders_are_answered_and_leave_nothing() {
    for path in ["/v1/ingest/http_requests", "/v1/rays", "/v1/backfills", "/v1/batches"] {
        for pieces in [0, 1, 3] {
            let (fakes, reply, took_ms) = post(path, pieces);
            assert_eq!(problem(&reply), (408, "body_timeout".into()), "{path} {pieces}");
            assert_eq!(took_ms, SENDER_IDLE_MS, "{path} {pieces}");
            assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
            assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
            fakes.bucket.aborted_uploads();
        }
    }
    let path = "/client/v4/zones/x.example/logs/control/retention/flag";
    assert_eq!(post(path, 0).1.status, 408);
}

/// A deployment with a token of this share.
fn shared(scans: u32) -> Config {
    let sha256 = hex::encode(Sha256::digest("dashboard"));
    let entry = json!({ "id": "d", "sha256": sha256, "scopes": ["read"], "role": "viewer", "scans": scans });
    config_with(&[("API_TOKENS", &json!([entry]).to_string())])
}

fn search(fakes: &Rc<Fakes>, token: &str) -> CoreReply {
    ask(fakes, shared(3), token, ("GET", LOGS), SilentBody { pieces: 0 })
}

#[test]
fn pages_of_the_audit_log_count_as_searches() {
    let fakes = Rc::new(Fakes::new());
    let read = || Reply::of(ask(&fakes, shared(3), TOKEN, ("GET", "/v1/audit"), SilentBody { pieces: 0 }));
    assert_eq!(read().status, 200);
    let _held = (search(&fakes, TOKEN), search(&fakes, TOKEN));
    assert_eq!(problem(&read()), (503, "too_many_scans".into()));
}

#[test]
fn lookups_of_zones_count_as_searches() {
    let fakes = Rc::new(Fakes::new());
    let entry = json!({ "id": "z", "sha256": hex::encode(Sha256::digest("zone")), "scopes": ["read"], "role": "viewer",
        "zones": ["a.example"] });
    let config = || config_with(&[("API_TOKENS", &json!([entry]).to_string())]);
    let get = |token, path| ask(&fakes, config(), token, ("GET", path), SilentBody { pieces: 0 });
    for path in ["/v1/rays/9e3556d8c2ab1c05", "/v1/rays/9e3556d8c2ab1c05/deliveries"] {
        for token in ["zone", TOKEN] {
            let _held = (get(token, LOGS), get(token, LOGS));
            let expected = if token == TOKEN { "ray_not_found" } else { "too_many_scans" };
            assert_eq!(problem(&Reply::of(get(token, path))).1, expected, "{token} {path}");
        }
        assert_eq!(get("zone", path).status, 404, "none is held any more");
    }
}

#[test]
fn third_search_of_a_caller_is_refused() {
    let fakes = Rc::new(Fakes::new());
    let (first, second) = (search(&fakes, TOKEN), search(&fakes, TOKEN));
    assert_eq!((first.status, second.status), (200, 200));
    let before = fakes.clock_ms.get();
    let third = Reply::of(search(&fakes, TOKEN));
    assert_eq!((problem(&third), header(&third, "retry-after")), ((503, "too_many_scans".into()), Some("5")));
    assert_eq!(fakes.clock_ms.get() - before, SCAN_WAIT_MS);
    assert_eq!(search(&fakes, "dashboard").status, 200, "others have their own share");
    // Read to its end, or hung up: the permit is back.
    drop(Reply::of(first));
    let again = search(&fakes, TOKEN);
    assert_eq!((again.status, search(&fakes, TOKEN).status), (200, 503));
    drop(second);
    assert_eq!(search(&fakes, TOKEN).status, 200);
    drop(again);
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn share_of_searches_is_a_setting() {
    let fakes = Rc::new(Fakes::new());
    let held: Vec<CoreReply> = (0..3).map(|_| search(&fakes, "dashboard")).collect();
    assert!(held.iter().all(|reply| reply.status == 200));
    assert_eq!(search(&fakes, "dashboard").status, 503);
    let other = ask(&fakes, shared(3), TOKEN, ("GET", LOGS), SilentBody { pieces: 0 });
    assert_eq!(other.status, 200);
}
