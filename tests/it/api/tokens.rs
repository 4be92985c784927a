//! Tokens that the API makes: what they grant, and how they end.

use futures_util::StreamExt;
use raydex::access::{TokenSecret, hash_of_secret};
use raydex::config::Config;
use raydex::http::{BodyPieces, ReplyBody};
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::tokens::{FindToken, ListTokens};
use raydex::limits::{TOKEN_CACHE_MS, TOKEN_CHECK_MS, TOKEN_LIST_MS, TOKEN_SEARCHES};
use serde_json::{Value, json};

use super::access::rule;
use super::audit::entries;
use super::story::{KEYS, batch, records};
use super::support::records::ray;
use super::support::world::{TOKEN, config_with};
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, Reply, json as body, problem};

fn deployment() -> Config {
    let rules = json!([
        rule("boss", &json!({ "scopes": ["admin", "read"], "role": "support", "datasets": ["http_requests"] })),
        rule("narrow", &json!({ "scopes": ["admin", "read"], "zones": ["a.example"] })),
        rule("reader", &json!({})),
    ]);
    config_with(&[("API_TOKENS", &rules.to_string()), ("API_RATE_PER_MINUTE", "0")])
}

fn with(token: &str, ask: Ask) -> Ask {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }
}

fn create(body: &Value) -> Ask {
    Ask { body: body.to_string().into(), ..Ask::new("POST", "/v1/tokens") }
}

/// Makes a token with other random bits than the one before; its text.
fn made(fakes: &Fakes, id: &str) -> String {
    fakes.bits.set(fakes.bits.get() + 1);
    let reply = create(&json!({ "id": id, "scopes": ["read"], "role": "viewer" })).of(fakes);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)["token"].as_str().unwrap().to_owned()
}

fn stats(fakes: &Fakes, token: &str) -> Reply {
    with(token, Ask::get("/v1/stats")).of(fakes)
}

fn revoke(fakes: &Fakes, id: &str) -> Reply {
    Ask::post(&format!("/v1/tokens/{id}/revoke"), "it was in a paste").of(fakes)
}

#[test]
fn token_is_shown_once_and_stored_as_hash() {
    let fakes = Fakes::new();
    let wanted = json!({
        "id": "desk", "scopes": ["read", "deliver"], "role": "support", "zones": ["A.example"],
        "datasets": ["http_requests"], "days": 7,
    });
    let reply = create(&wanted).of(&fakes);
    let answer = body(&reply);
    let token = answer["token"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 201);
    let expected = json!({
        "token": token, "id": "desk", "scopes": ["read", "deliver"], "role": "support", "zones": ["a.example"],
        "datasets": ["http_requests"], "scans": 2, "created_by": "main", "revoked_at": null, "revoked_by": null, "reason": null,
        "created_at": answer["created_at"], "updated_at": answer["created_at"], "expires_at": answer["expires_at"],
    });
    assert_eq!(answer, expected);
    assert!(answer["expires_at"].as_str().unwrap().starts_with("2026-04-04T08:42:25"), "{answer}");
    let sha256 = hex::encode(hash_of_secret(&token).unwrap());
    assert!(fakes.ledgers.ask(REGISTRY, &FindToken { sha256: sha256.clone() }).token.is_some());
    let list = Ask::get("/v1/tokens").of(&fakes);
    let kept = format!("{:?} {:?}", fakes.everything(), entries(&fakes));
    assert!(!kept.contains(&token) && kept.contains(&sha256));
    let listed = String::from_utf8(list.body.clone()).unwrap();
    assert!(!listed.contains(&token) && !listed.contains(&sha256) && listed.contains("\"desk\""));
    assert_eq!(body(&list)["settings"][0]["id"], "main");
    // It opens what it grants, and nothing else.
    let (read, audit) = (with(&token, Ask::get("/v1/rays/764660d8ec5c2ab1")), with(&token, Ask::get("/v1/audit")));
    assert_eq!((read.of(&fakes).status, audit.of(&fakes).status), (404, 403));
    let recorded = &entries(&fakes)[0];
    assert_eq!((&recorded["action"], &recorded["request"]["id"]), (&"POST /v1/tokens".into(), &"desk".into()));
    assert_eq!(recorded["request"]["scopes"], json!(["read", "deliver"]));
}

#[test]
fn revoked_token_opens_nothing_from_then_on() {
    let fakes = Fakes::new();
    let (token, other) = (made(&fakes, "desk"), made(&fakes, "other"));
    assert_eq!((stats(&fakes, &token).status, stats(&fakes, &other).status), (200, 200));
    // Another isolate has the token in its memory, too.
    let elsewhere = Fakes { isolate: raydex::services::IsolateMemory::default(), ..fakes.clone() };
    assert_eq!(stats(&elsewhere, &token).status, 200);
    let reply = revoke(&fakes, "desk");
    let answer = body(&reply);
    assert_eq!(
        (reply.status, &answer["revoked_by"], &answer["reason"]),
        (200, &"main".into(), &"it was in a paste".into())
    );
    for isolate in [&fakes, &elsewhere] {
        for ask in
            [Ask::get("/v1/stats"), Ask::get("/v1/rays/764660d8ec5c2ab1"), Ask::upload(b"{}\n"), Ask::get("/v1/audit")]
        {
            let what = format!("{} {}", ask.method, ask.path);
            assert_eq!(problem(&with(&token, ask).of(isolate)), (401, "unauthorized".into()), "{what}");
        }
        assert_eq!(stats(isolate, &other).status, 200, "the others are not touched");
    }
    let denied = entries(&fakes).into_iter().find(|entry| entry["code"] == "token_revoked").unwrap();
    assert_eq!((&denied["actor"], &denied["status"]), (&"desk".into(), &401.into()));
    let again = revoke(&fakes, "desk");
    assert_eq!((again.status, &body(&again)["revoked_at"]), (200, &answer["revoked_at"]), "twice is once");
}

/// A stream of a caller with this token, which is not read yet.
fn stream(fakes: &Fakes, token: &str) -> BodyPieces {
    let path = "/v1/logs?dataset=http_requests&start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";
    let reply = with(token, Ask::get(path)).begin(fakes, &Ok(deployment()));
    assert_eq!(reply.status, 200);
    let ReplyBody::Stream(pieces) = reply.body else { panic!("a stream") };
    pieces
}

#[test]
fn stream_breaks_when_its_token_is_revoked() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..5_000), None);
    let (token, other) = (made(&fakes, "desk"), made(&fakes, "other"));
    let [mut ended, mut goes_on] = [&token, &other].map(|token| stream(&fakes, token));
    let mut next_pieces = || [&mut ended, &mut goes_on].map(|pieces| run(pieces.next()).map(|piece| piece.is_ok()));
    assert_eq!(next_pieces(), [Some(true), Some(true)]);
    revoke(&fakes, "desk");
    assert_eq!(next_pieces(), [Some(true), Some(true)], "it is checked every few seconds");
    let later = || fakes.clock_ms.set(fakes.clock_ms.get() + TOKEN_CHECK_MS);
    later();
    // A registry that is down is asked again.
    for (nth, wanted) in [(0, true), (0, true), (9, false)] {
        fakes.faults.plan(Some(Kind::Ledger), nth, Fault::Fails);
        assert_eq!(next_pieces(), [Some(wanted), Some(true)]);
    }
    fakes.faults.clear();
    assert_eq!(next_pieces(), [None, Some(true)]);
}

#[test]
fn stream_breaks_when_its_token_expires() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..5_000), None);
    let mut pieces = stream(&fakes, &made(&fakes, "desk"));
    assert!(run(pieces.next()).unwrap().is_ok());
    fakes.clock_ms.set(fakes.clock_ms.get() + 90 * 86_400_000);
    assert!(run(pieces.next()).unwrap().is_err() && run(pieces.next()).is_none());
}

#[test]
fn revocation_that_fails_halfway_is_repeated() {
    for kind in [Kind::Ledger, Kind::Audit] {
        for fault in Fault::BOTH {
            for nth in 0..2 {
                let fakes = Fakes::new();
                let token = made(&fakes, "desk");
                assert_eq!(stats(&fakes, &token).status, 200);
                fakes.faults.plan(Some(kind), nth, fault);
                let reply = revoke(&fakes, "desk");
                let failed = fakes.faults.clear();
                assert_eq!(reply.status, if failed { 503 } else { 200 }, "{kind:?} {nth}");
                assert_eq!(revoke(&fakes, "desk").status, 200);
                assert_eq!(stats(&fakes, &token).status, 401, "{kind:?} {nth}");
            }
        }
    }
}

#[test]
fn revocation_outlasts_a_restart_of_the_audit_log() {
    let fakes = Fakes::new();
    let token = made(&fakes, "desk");
    assert_eq!(stats(&fakes, &token).status, 200);
    fakes.clock_ms.set(fakes.clock_ms.get() + 1_000);
    fakes.audits.restart();
    let searches = fakes.faults.count(Kind::Ledger);
    assert_eq!(stats(&fakes, &token).status, 200);
    assert!(fakes.faults.count(Kind::Ledger) > searches, "it is looked up again");
    assert_eq!(revoke(&fakes, "desk").status, 200);
    fakes.clock_ms.set(fakes.clock_ms.get() + 1_000);
    fakes.audits.restart();
    assert_eq!(stats(&fakes, &token).status, 401);
}

#[test]
fn known_token_costs_no_call_to_the_registry() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    let token = made(&fakes, "desk");
    let ray = || with(&token, Ask::get(&format!("/v1/rays/{}", ray(1)))).of(&fakes).status;
    assert_eq!((ray(), ray()), (200, 200));
    let (ledgers, audits) = (fakes.faults.count(Kind::Ledger), fakes.faults.count(Kind::Audit));
    assert_eq!((0..10).map(|_| ray()).filter(|status| *status == 200).count(), 10);
    assert_eq!(fakes.faults.count(Kind::Ledger), ledgers);
    assert_eq!(
        fakes.faults.count(Kind::Audit),
        audits + 10,
        "one call for each request, as without a token of the registry"
    );
    fakes.clock_ms.set(fakes.clock_ms.get() + TOKEN_CACHE_MS);
    assert_eq!((ray(), fakes.faults.count(Kind::Ledger)), (200, ledgers + 1), "once a minute");
}

#[test]
fn token_ends_when_it_expires() {
    let fakes = Fakes::new();
    let expires = json!({ "id": "desk", "scopes": ["read"], "role": "viewer", "expires": "2026-03-28T08:43:25Z" });
    let token = body(&create(&expires).of(&fakes))["token"].as_str().unwrap().to_owned();
    assert_eq!(stats(&fakes, &token).status, 200);
    fakes.clock_ms.set(fakes.clock_ms.get() + 60_000);
    assert_eq!(stats(&fakes, &token).status, 401);
    assert_eq!(entries(&fakes).last().unwrap()["code"], "token_expired");
}

#[test]
fn nothing_is_granted_that_the_maker_lacks() {
    let (fakes, config) = (Fakes::new(), Ok(deployment()));
    let ask = |token: &str, change: &[(&str, Value)]| {
        let mut wanted = json!({ "id": "x", "scopes": ["read"], "role": "support", "datasets": ["http_requests"] });
        for (name, value) in change {
            wanted[name] = value.clone();
        }
        with(token, create(&wanted)).of_deployment(&fakes, &config)
    };
    for change in [
        ("scopes", json!(["read", "deliver"])),
        ("scopes", json!(["ingest"])),
        ("role", json!("forensics")),
        ("datasets", json!(["firewall_events"])),
        ("datasets", json!(["http_requests", "dns_logs"])),
        ("datasets", Value::Null),
    ] {
        assert_eq!(
            problem(&ask("boss", std::slice::from_ref(&change))),
            (403, "exceeds_own_rights".into()),
            "{change:?}"
        );
    }
    assert_eq!(problem(&ask("narrow", &[])), (403, "forbidden".into()), "a caller of some zones makes no tokens");
    assert_eq!(problem(&ask("reader", &[])), (403, "forbidden".into()));
    assert!(fakes.ledgers.ask(REGISTRY, &ListTokens { after: String::new(), limit: 9 }).tokens.is_empty());
    assert_eq!(ask("boss", &[("zones", json!(["a.example"]))]).status, 201);
    let kept = fakes.ledgers.ask(REGISTRY, &ListTokens { after: String::new(), limit: 9 }).tokens;
    assert_eq!((kept.len(), kept[0].created_by.as_str()), (1, "boss"));
}

#[test]
fn what_is_no_token_is_refused() {
    let fakes = Fakes::new();
    for change in [
        ("id", json!("")),
        ("id", json!("a/b")),
        ("id", json!("a".repeat(65))),
        ("id", Value::Null),
        ("scopes", json!([])),
        ("scopes", json!(["write"])),
        ("scopes", json!("read")),
        ("role", json!("boss")),
        ("zones", json!([])),
        ("zones", json!(["a..", ""])),
        ("zones", json!(vec!["a".repeat(250); 20])),
        ("datasets", json!(["no_such_logs"])),
        ("days", json!(0)),
        ("days", json!(3_651)),
        ("days", json!(1.5)),
        ("expires", json!("2026-03-28T08:42:25Z")),
        ("expires", json!("2036-03-29T00:00:00Z")),
        ("expires", json!("tomorrow")),
    ] {
        let mut wanted = json!({ "id": "x", "scopes": ["read"], "role": "viewer" });
        wanted[change.0] = change.1.clone();
        assert_eq!(problem(&create(&wanted).of(&fakes)), (400, "not_a_token".into()), "{change:?}");
    }
    let both = json!({ "id": "x", "scopes": ["read"], "role": "viewer", "days": 1, "expires": "2026-04-01T00:00:00Z" });
    assert_eq!(problem(&create(&both).of(&fakes)), (400, "not_a_token".into()));
    let more = json!({ "id": "x", "scopes": ["read"], "role": "viewer", "secret": "hunter2" });
    assert_eq!(problem(&create(&more).of(&fakes)), (400, "unknown_member".into()));
    assert!(fakes.ledgers.tables().is_empty(), "the registry was not asked");
}

#[test]
fn ids_are_unique_and_settings_stay() {
    let fakes = Fakes::new();
    let config = Ok(deployment());
    made(&fakes, "desk");
    let create = |id: &str| create(&json!({ "id": id, "scopes": ["read"], "role": "viewer" }));
    for id in ["desk", "main", "boss"] {
        assert_eq!(problem(&create(id).of_deployment(&fakes, &config)), (409, "token_exists".into()), "{id}");
    }
    for (id, answer) in
        [("main", (409, "token_of_settings")), ("boss", (409, "token_of_settings")), ("what", (404, "no_such_token"))]
    {
        let reply = Ask::post(&format!("/v1/tokens/{id}/revoke"), "why").of_deployment(&fakes, &config);
        assert_eq!(problem(&reply), (answer.0, answer.1.into()), "{id}");
    }
    assert_eq!(problem(&Ask::post("/v1/tokens/a%20b/revoke", "why").of(&fakes)), (404, "no_such_token".into()));
    assert_eq!(
        problem(&Ask { body: b"{}".to_vec(), ..Ask::new("POST", "/v1/tokens/desk/revoke") }.of(&fakes)).1,
        "reason_missing"
    );
    revoke(&fakes, "desk");
    assert_eq!(problem(&create("desk").of(&fakes)), (409, "token_exists".into()), "also after its end");
}

#[test]
fn tokens_are_listed_page_by_page() {
    let fakes = Fakes::new();
    for number in 0..5 {
        made(&fakes, &format!("t{number}"));
    }
    revoke(&fakes, "t3");
    let page = |query: &str| body(&Ask::get(&format!("/v1/tokens{query}")).of(&fakes));
    let ids = |page: &Value| {
        page["tokens"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = page("?limit=2");
    assert_eq!((ids(&first), &first["truncated"]), (vec!["t0".to_owned(), "t1".to_owned()], &true.into()));
    let last = page("?limit=3&after=t1");
    assert_eq!((ids(&last).len(), &last["truncated"]), (3, &false.into()));
    assert_eq!((last["tokens"][1]["revoked_at"].is_null(), last["tokens"][0]["revoked_at"].is_null()), (false, true));
    assert_eq!(problem(&Ask::get("/v1/tokens?after=%20").of(&fakes)), (400, "bad_parameter".into()));
}

#[test]
fn registry_that_is_down_stops_its_tokens_alone() {
    let fakes = Fakes::new();
    let token = made(&fakes, "desk");
    fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
    assert_eq!(problem(&with(&token, Ask::get("/v1/rays/764660d8ec5c2ab1")).of(&fakes)), (503, "no_tokens".into()));
    assert!(fakes.faults.clear());
    fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
    assert_eq!(Ask::get("/v1/rays/764660d8ec5c2ab1").of(&fakes).status, 404, "a token of the settings");
    fakes.faults.clear();
    assert_eq!(stats(&fakes, &token).status, 200);
}

#[test]
fn made_up_tokens_do_not_reach_the_registry() {
    let fakes = Fakes::new();
    let before = fakes.faults.count(Kind::Ledger);
    for number in 0..1_000 {
        let made_up = format!("rdx_{:043}{:06}", number, number * 7);
        assert_eq!(problem(&stats(&fakes, &made_up)), (401, "unauthorized".into()));
    }
    assert_eq!(fakes.faults.count(Kind::Ledger), before, "their checksums are wrong");
    // With right checksums only a few of them are asked about at a time, and each once a minute.
    let secret = |number: u32| TokenSecret::from_words([number; 8]).text().to_owned();
    let mut refused = 0;
    for number in 0..1_000 {
        refused += u32::from(stats(&fakes, &secret(number)).status == 503);
        assert!(matches!(stats(&fakes, &secret(0)).status, 401), "it is known to be unknown");
    }
    let asked = i64::try_from(fakes.faults.count(Kind::Ledger) - before).unwrap();
    assert!((TOKEN_SEARCHES..TOKEN_SEARCHES + 5).contains(&asked) && refused > 900, "{asked} {refused}");
    assert!(fakes.ledgers.tables().is_empty(), "and no table is made for them");
    let basic = Ask { authorization: Some(format!("Basic {}", secret(7))), ..Ask::get("/v1/stats") }.of(&fakes);
    assert_eq!(basic.status, 401);
}

/// Makes a token with these members; the status and the text, or the code.
fn make(fakes: &Fakes, by: &str, wanted: &Value) -> Result<String, (u16, String)> {
    fakes.bits.set(fakes.bits.get() + 1);
    let reply = with(by, create(wanted)).of(fakes);
    if reply.status == 201 { Ok(body(&reply)["token"].as_str().unwrap().to_owned()) } else { Err(problem(&reply)) }
}

fn admin(id: &str) -> Value {
    json!({ "id": id, "scopes": ["admin", "read"], "role": "viewer" })
}

#[test]
fn token_outlives_and_outruns_its_maker_in_nothing() {
    let fakes = Fakes::new();
    let brief = json!({ "id": "maker", "scopes": ["admin", "read"], "role": "viewer", "days": 1 });
    let maker = make(&fakes, TOKEN, &brief).unwrap();
    let wanted = |change: &[(&str, Value)]| {
        let mut wanted = json!({ "id": "child", "scopes": ["read"], "role": "viewer" });
        for (name, value) in change {
            wanted[*name] = value.clone();
        }
        wanted
    };
    for beyond in [("days", json!(2)), ("expires", json!("2027-01-01T00:00:00Z")), ("scans", json!(3))] {
        let refused = make(&fakes, &maker, &wanted(std::slice::from_ref(&beyond)));
        assert_eq!(refused, Err((403, "exceeds_own_rights".into())), "{beyond:?}");
    }
    make(&fakes, &maker, &wanted(&[])).unwrap();
    let listed = body(&Ask::get("/v1/tokens").of(&fakes));
    let ends = |id: &str| {
        listed["tokens"].as_array().unwrap().iter().find(|token| token["id"] == id).unwrap()["expires_at"].clone()
    };
    assert_eq!(ends("child"), ends("maker"), "without an expiry of its own it ends with its maker");
    assert!(make(&fakes, TOKEN, &wanted(&[("id", json!("dashboard")), ("scans", json!(64))])).is_ok());
}

#[test]
fn revocation_names_or_ends_what_the_token_made() {
    let fakes = Fakes::new();
    let maker = make(&fakes, TOKEN, &admin("maker")).unwrap();
    let child = make(&fakes, &maker, &admin("child")).unwrap();
    let grandchild = make(&fakes, &child, &admin("grandchild")).unwrap();
    let other = make(&fakes, TOKEN, &admin("other")).unwrap();
    let answer = body(&revoke(&fakes, "maker"));
    assert_eq!(answer["made"], json!(["child", "grandchild"]));
    assert_eq!((stats(&fakes, &maker).status, stats(&fakes, &grandchild).status), (401, 200));
    let ask = |made: &str| Ask::post(&format!("/v1/tokens/maker/revoke?made={made}"), "stolen").of(&fakes);
    assert_eq!(problem(&ask("all")), (400, "bad_parameter".into()));
    assert_eq!(body(&ask("keep"))["made"], json!(["child", "grandchild"]));
    assert_eq!(body(&ask("revoke"))["made"], json!([]));
    for (token, status) in [(&child, 401), (&grandchild, 401), (&other, 200)] {
        assert_eq!(stats(&fakes, token).status, status);
    }
}

#[test]
fn narrow_admin_sees_and_ends_own_kind_alone() {
    let (fakes, config) = (Fakes::new(), Ok(deployment()));
    let wide = json!({ "id": "wide", "scopes": ["read"], "role": "viewer" });
    let narrow = json!({ "id": "one", "scopes": ["read"], "role": "viewer", "datasets": ["http_requests"] });
    for wanted in [wide, narrow] {
        fakes.bits.set(fakes.bits.get() + 1);
        assert_eq!(create(&wanted).of_deployment(&fakes, &config).status, 201);
    }
    let boss = |ask: Ask| with("boss", ask).of_deployment(&fakes, &config);
    let list = body(&boss(Ask::get("/v1/tokens")));
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&list["tokens"]), ids(&list["settings"])), (vec!["one".to_owned()], vec!["boss".to_owned()]));
    let end = |id: &str| boss(Ask::post(&format!("/v1/tokens/{id}/revoke"), "done")).status;
    assert_eq!((end("wide"), end("one")), (404, 200));
}

#[test]
fn made_up_tokens_keep_no_real_one_out() {
    let fakes = Fakes::new();
    let tokens: Vec<String> = (0..5).map(|number| made(&fakes, &format!("desk-{number}"))).collect();
    // An isolate that knows none of them, and a flood of texts with the right checksum.
    let cold = Fakes { isolate: raydex::services::IsolateMemory::default(), ..fakes.clone() };
    let flood = |from: u32| {
        for number in from..from + 200 {
            let text = TokenSecret::from_words([number; 8]).text().to_owned();
            assert!(matches!(stats(&cold, &text).status, 401 | 503));
        }
    };
    flood(0);
    for token in &tokens {
        assert_eq!(stats(&cold, token).status, 200);
        flood(1_000);
    }
    // One that is made meanwhile is known a second later.
    let late = made(&fakes, "late");
    flood(2_000);
    cold.clock_ms.set(cold.clock_ms.get() + TOKEN_LIST_MS);
    assert_eq!(stats(&cold, &late).status, 200);
}
