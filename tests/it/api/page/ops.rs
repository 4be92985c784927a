//! The page of operations: what each caller sees of it, and what its forms decide.

use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::{DeadLetter, ListDeadLetters};

use super::super::audit::entries;
use super::super::support::Fakes;
use super::super::{Ask, Reply, header};
use super::{deployment, form, signed_in, text, visit};

/// The caption of each part, and who may have it: `desk` may read, `ops` may deliver, `zone` and `firewall` are limited.
const PARTS: [(&str, &[&str]); 7] = [
    ("<dt>unaccounted</dt>", &["desk", "ops"]),
    ("What batches of requests cover", &["desk", "ops"]),
    ("No batch has come yet.", &["desk", "ops", "firewall"]),
    ("None. A payload is parked", &["desk", "ops"]),
    ("Dead letters</caption>", &["ops"]),
    ("<p class=\"note\">None.</p>", &["ops"]),
    ("The chain of these entries is valid", &[]),
];

fn world() -> Fakes {
    let fakes = Fakes::new();
    let letter = DeadLetter {
        queue: "parse-queue".into(),
        message: "m".into(),
        body: r#"{"s3cret":"words"}"#.into(),
        attempts: 3,
        code: "gave_up".into(),
    };
    fakes.ledgers.ask(REGISTRY, &letter);
    fakes
}

fn show(fakes: &Fakes, id: &str) -> Reply {
    visit(fakes, &deployment(&[]), signed_in(Ask::get("/ops"), &format!("token of {id}")))
}

fn decide(fakes: &Fakes, id: &str, path: &str, members: &[(&str, &str)]) -> Reply {
    visit(fakes, &deployment(&[]), signed_in(form(path, members), &format!("token of {id}")))
}

/// Number of dead letters that were dismissed.
fn dismissed(fakes: &Fakes) -> usize {
    let call = ListDeadLetters { id: None, redriven: true, dismissed: true, limit: 9, before: None };
    let letters = fakes.ledgers.ask(REGISTRY, &call).dead_letters;
    letters.iter().filter(|letter| letter.dismissed_ms.is_some()).count()
}

#[test]
fn callers_see_what_their_routes_allow() {
    for id in ["desk", "ops", "zone", "firewall"] {
        let reply = show(&world(), id);
        assert_eq!(reply.status, 200, "{id}");
        let html = text(&reply);
        for (part, allowed) in PARTS {
            assert_eq!(html.contains(part), allowed.contains(&id), "{id}: {part}");
        }
        assert_eq!(html.contains("<fieldset>"), id == "ops", "{id}");
        assert_eq!(html.contains("action=\"/ops/payloads\""), id == "ops", "{id}");
        assert!(!html.contains("s3cret"));
    }
}

#[test]
fn form_decides_as_the_api_would() {
    let fakes = world();
    let reply = decide(&fakes, "ops", "/ops/dead-letters/1", &[("decision", "dismiss"), ("reason", "a test of ours")]);
    assert_eq!((reply.status, header(&reply, "location")), (303, Some("/ops#dead-letters")));
    assert_eq!(dismissed(&fakes), 1);
    let log = entries(&fakes);
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["action"], "POST /v1/dead-letters/{dead_letter}/dismiss");
    assert_eq!(log[0]["request"]["reason"], "a test of ours");
    assert_eq!(log[0]["auth_method"], "cookie");
}

#[test]
fn forms_that_decide_nothing_change_nothing() {
    for (id, path, members, status) in [
        ("ops", "/ops/dead-letters/1", &[("decision", "dismiss"), ("reason", " ")][..], 400),
        ("ops", "/ops/dead-letters/1", &[("decision", "drop"), ("reason", "x")], 400),
        ("ops", "/ops/dead-letters/1", &[("reason", "x")], 400),
        ("ops", "/ops/dead-letters/9", &[("decision", "dismiss"), ("reason", "x")], 404),
        ("ops", "/ops/payloads/x", &[("decision", "drop"), ("reason", "x")], 404),
        ("ops", "/ops/backfills/1", &[("decision", "stop")], 404),
        ("desk", "/ops/dead-letters/1", &[("decision", "dismiss"), ("reason", "x")], 403),
    ] {
        let fakes = world();
        let reply = decide(&fakes, id, path, members);
        assert_eq!(reply.status, status, "{id} {path} {members:?}");
        assert!(text(&reply).contains("<h1>"));
        assert_eq!(dismissed(&fakes), 0);
        assert!(!entries(&fakes).is_empty(), "{id} {path} {members:?}");
    }
}

#[test]
fn form_of_another_site_decides_nothing() {
    let fakes = world();
    let ask = form("/ops/dead-letters/1", &[("decision", "dismiss"), ("reason", "x")]);
    let mut ask = signed_in(ask, "token of ops");
    ask.headers.retain(|(name, _)| *name != "sec-fetch-site");
    let reply = visit(&fakes, &deployment(&[]), ask.with_header("sec-fetch-site", "cross-site"));
    assert_eq!((reply.status, dismissed(&fakes)), (403, 0));
}
