//! Signing in with a pasted token, and out.

use super::super::audit::entries;
use super::super::support::Fakes;
use super::super::support::issuer::Key;
use super::super::{Ask, header};
use super::{deployment, form, signed_in, text, visit, with_cookie};

fn sign_in(fakes: &Fakes, token: &str, to: &str) -> super::Reply {
    visit(fakes, &deployment(&[]), form("/sign-in", &[("token", token), ("to", to)]))
}

#[test]
fn token_becomes_a_cookie_that_presents_it() {
    let fakes = Fakes::new();
    let reply = sign_in(&fakes, "token of desk", "/r/9e3550d8ec5c2ab1?tab=json");
    assert_eq!((reply.status, header(&reply, "location")), (303, Some("/r/9e3550d8ec5c2ab1?tab=json")));
    let cookie = header(&reply, "set-cookie").unwrap();
    assert_eq!(cookie, "__Host-raydex=token%20of%20desk; Path=/; Secure; HttpOnly; SameSite=Strict");
    let entry = &entries(&fakes)[0];
    assert_eq!((&entry["actor"], &entry["auth_method"]), (&"desk".into(), &"cookie".into()));
    assert_eq!((&entry["action"], &entry["outcome"]), (&"POST /sign-in".into(), &"admitted".into()));
    assert!(!entry.to_string().contains("token of"), "{entry}");
    let pair = cookie.split(';').next().unwrap();
    let home = visit(&fakes, &deployment(&[]), with_cookie(Ask::get("/"), pair));
    assert_eq!(home.status, 200);
    assert!(text(&home).contains("desk · support") && text(&home).contains(r#"action="/sign-out""#));
    // The API takes the cookie too.
    let stats = visit(&fakes, &deployment(&[]), with_cookie(Ask::get("/v1/stats"), pair));
    assert_eq!(stats.status, 200);
}

#[test]
fn local_cookie_needs_no_prefix() {
    let mut ask = form("/sign-in", &[("token", "token of desk"), ("to", "/")]);
    ask.headers.retain(|(name, _)| *name != "host");
    let ask = ask.with_header("host", "127.0.0.1:8787");
    let reply = visit(&Fakes::new(), &deployment(&[]), ask);
    let cookie = header(&reply, "set-cookie").unwrap();
    assert_eq!(cookie, "raydex=token%20of%20desk; Path=/; HttpOnly; SameSite=Strict");
}

#[test]
fn wrong_token_is_refused_with_the_form() {
    let fakes = Fakes::new();
    for (token, known) in [("wrong", false), ("", false), ("token of old", true), ("Bearer token of desk", false)] {
        let before = entries(&fakes).len();
        let reply = sign_in(&fakes, token, "/r/x\"><script>");
        assert_eq!((reply.status, header(&reply, "set-cookie")), (401, None), "{token}");
        let page = text(&reply);
        assert!(page.contains("This token is not valid") && page.contains(r#"name="to" value="/""#), "{page}");
        assert!(!page.contains("wrong") && !page.contains("<script>") && !page.contains("token of"), "{page}");
        let entries = entries(&fakes);
        let last = entries.last();
        assert!(entries.len() >= before + usize::from(known), "{token}");
        if known {
            let last = last.unwrap();
            assert_eq!((&last["actor"], &last["code"]), (&"old".into(), &"token_expired".into()));
            assert_eq!((&last["action"], &last["auth_method"]), (&"POST /sign-in".into(), &"cookie".into()));
        }
        assert!(!format!("{entries:?}").contains("token of"), "{entries:?}");
    }
    let unknown = entries(&fakes).into_iter().find(|entry| entry["action"] == "unauthenticated").unwrap();
    assert_eq!(unknown["code"], "unauthorized");
}

#[test]
fn browser_stays_on_this_host() {
    for to in ["//evil.example", "https://evil.example/", "/\\evil.example", "", "javascript:alert(1)", "/\r\nx: y"] {
        let reply = sign_in(&Fakes::new(), "token of desk", to);
        assert_eq!((reply.status, header(&reply, "location")), (303, Some("/")), "{to:?}");
    }
}

#[test]
fn page_without_a_token_asks_for_one() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    let reply = visit(&fakes, &config, Ask::get("/r/9e3550d8ec5c2ab1?tab=json").without_token());
    assert_eq!((reply.status, header(&reply, "set-cookie")), (401, None));
    let page = text(&reply);
    assert!(page.contains(r#"value="/r/9e3550d8ec5c2ab1?tab=json""#) && !page.contains("http-equiv"), "{page}");
    // A browser that follows a link of another site leaves out the cookie, and asks again.
    let linked = Ask::get("/r/9e3550d8ec5c2ab1").without_token().with_header("sec-fetch-site", "cross-site");
    let reply = visit(&fakes, &config, linked);
    assert!(text(&reply).contains(r#"<meta http-equiv="refresh" content="0">"#));
    let form = visit(&fakes, &config, Ask::get("/sign-in?to=/rays?ids=a").without_token());
    assert_eq!(form.status, 200);
    assert!(text(&form).contains(r#"value="/rays?ids=a""#));
}

#[test]
fn ended_token_is_removed_from_the_browser() {
    let reply = visit(&Fakes::new(), &deployment(&[]), signed_in(Ask::get("/"), "token of old"));
    let cookie = header(&reply, "set-cookie").unwrap();
    assert_eq!((reply.status, cookie), (401, "__Host-raydex=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"));
    assert!(text(&reply).contains("no longer"));
}

#[test]
fn header_goes_before_the_cookie() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    let both = |header: &str| {
        let ask = Ask { authorization: Some(format!("Bearer {header}")), ..Ask::get("/v1/stats") };
        let cookie = format!("__Host-raydex={}", super::percent("token of desk"));
        visit(&fakes, &config, ask.with_header("host", super::HOST).with_header("cookie", &cookie)).status
    };
    assert_eq!((both("token of ops"), both("wrong")), (200, 401));
    assert_eq!(entries(&fakes).iter().filter(|entry| entry["auth_method"] == "cookie").count(), 0);
}

#[test]
fn cookie_goes_before_an_assertion() {
    let (fakes, _) = super::super::every_route::world();
    fakes.issuer.publish(&[&Key::new("one", 0)]);
    let ask = Ask { access_jwt: Some("made.up.assertion".into()), ..signed_in(Ask::get("/"), "token of desk") };
    assert_eq!(visit(&fakes, &deployment(&[]), ask).status, 200);
}

#[test]
fn signing_out_removes_the_cookie_whatever_happens() {
    let (fakes, config) = (Fakes::new(), deployment(&[]));
    for token in ["token of desk", "token of old", "wrong"] {
        let cookie = format!("__Host-raydex={}", super::percent(token));
        let reply = visit(&fakes, &config, form("/sign-out", &[]).with_header("cookie", &cookie));
        assert_eq!((reply.status, header(&reply, "location")), (303, Some("/sign-in")), "{token}");
        assert!(header(&reply, "set-cookie").unwrap().contains("Max-Age=0"));
    }
    let left: Vec<_> = entries(&fakes).into_iter().filter(|entry| entry["action"] == "POST /sign-out").collect();
    assert_eq!((left.len(), &left[0]["actor"]), (1, &"desk".into()));
}

#[test]
fn rate_holds_for_signing_in() {
    let (fakes, config) = (Fakes::new(), deployment(&[("API_RATE_PER_MINUTE", "1")]));
    let ask = || form("/sign-in", &[("token", "token of desk")]);
    let statuses: Vec<u16> = (0..4).map(|_| visit(&fakes, &config, ask()).status).collect();
    assert!(statuses.contains(&429) && statuses[0] == 303, "{statuses:?}");
}
