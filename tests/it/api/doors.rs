//! What a browser and its pages can make raydex do: methods, headers, and changes that another site causes.

use raydex::config::Config;
use raydex::router::{ROUTES, Route};
use serde_json::{Value, json};

use super::audit::entries;
use super::every_route::world;
use super::support::issuer::Key;
use super::support::world::config_with;
use super::support::{Fakes, NOW_MS};
use super::{Ask, Reply, header, problem};

const AUDIENCE: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const HOST: &str = "logs.example";
const ORIGIN: &str = "https://logs.example";
const JSON: &str = "application/json";

/// A deployment that people and a service sign in to.
fn deployment() -> Config {
    let scopes = ["read", "ingest", "deliver", "admin"];
    let grants = json!([
        { "email_domain": "a.example", "scopes": scopes, "role": "forensics" },
        { "service": "robot.access", "scopes": scopes, "role": "forensics" },
    ]);
    config_with(&[
        ("ACCESS_TEAM", "acme"),
        ("ACCESS_AUD", AUDIENCE),
        ("ACCESS_GRANTS", &grants.to_string()),
        ("API_RATE_PER_MINUTE", "0"),
    ])
}

/// An assertion of this bearer.
fn assertion(name: &str, bearer: &str) -> String {
    let now_s = NOW_MS / 1_000;
    let mut claims = json!({
        "aud": [AUDIENCE], "iss": "https://acme.cloudflareaccess.com", "iat": now_s - 10, "exp": now_s + 300,
    });
    claims[name] = bearer.into();
    Key::new("one", 0).token(&claims)
}

/// A request with an assertion in the place of a token.
fn signed_in(ask: Ask, assertion: &str) -> Ask {
    Ask { authorization: None, access_jwt: Some(assertion.to_owned()), ..ask }.with_header("host", HOST)
}

fn with_headers(ask: Ask, headers: &[(&'static str, &str)]) -> Ask {
    headers.iter().fold(ask, |ask, (name, value)| ask.with_header(name, value))
}

/// A world whose issuer publishes its key, and the requests that change something.
fn changing_world() -> (Fakes, Vec<Ask>) {
    let (fakes, asks) = world();
    fakes.issuer.publish(&[&Key::new("one", 0)]);
    let asks: Vec<Ask> = asks.into_iter().filter(|ask| ask.method == "POST").map(Ask::untyped).collect();
    let changing = ROUTES.iter().filter(|row| row.method != "GET").count();
    assert!(asks.len() >= changing, "{} requests for {changing} routes", asks.len());
    (fakes, asks)
}

fn is_cross_site(reply: &Reply, path: &str) -> bool {
    let is_status = path == "/v1/traces" && header(reply, "content-type") == Some(JSON);
    if path.starts_with("/client/") || path.starts_with("/tempo/") || is_status {
        reply.status == 403
    } else {
        reply.status == 403 && problem(reply).1 == "cross_site"
    }
}

#[test]
fn change_of_a_person_needs_the_own_origin() {
    let (config, person) = (Ok(deployment()), assertion("email", "bob@a.example"));
    let count = changing_world().1.len();
    for place in 0..count {
        for (headers, is_own) in [
            (&[][..], false),
            (&[("content-type", JSON)], false),
            (
                &[("content-type", "text/plain"), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
                false,
            ),
            (&[("content-type", JSON), ("origin", "https://evil.example")], false),
            (&[("content-type", JSON), ("origin", "null"), ("sec-fetch-site", "cross-site")], false),
            (&[("content-type", JSON), ("origin", "https://x.logs.example"), ("sec-fetch-site", "same-site")], false),
            (&[("content-type", JSON), ("origin", "http://logs.example")], false),
            (&[("content-type", JSON), ("origin", ORIGIN), ("sec-fetch-site", "cross-site")], false),
            (&[("content-type", JSON), ("sec-fetch-site", "same-site")], false),
            (&[("content-type", JSON), ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (&[("content-type", "text/plain"), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")], false),
            (&[("content-type", "application/x-www-form-urlencoded"), ("origin", ORIGIN)], false),
            (&[("content-type", "multipart/form-data; boundary=x"), ("origin", ORIGIN)], false),
            (&[("content-type", JSON), ("origin", ORIGIN)], true),
            (&[("content-type", "Application/JSON; charset=utf-8"), ("sec-fetch-site", "same-origin")], true),
            (&[("content-type", JSON), ("sec-fetch-site", "none")], true),
            (&[("content-type", JSON), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")], true),
        ] {
            let (fakes, asks) = changing_world();
            let ask = asks[place].clone();
            let (path, before) = (ask.path.clone(), fakes.everything());
            let reply = with_headers(signed_in(ask, &person), headers).of_deployment(&fakes, &config);
            assert_eq!(is_cross_site(&reply, &path), !is_own, "{path} {headers:?}: {}", reply.status);
            if !is_own {
                assert_eq!(fakes.everything(), before, "{path}: nothing changed");
                let entry = &entries(&fakes)[0];
                assert_eq!((&entry["outcome"], &entry["code"]), (&"denied".into(), &"cross_site".into()), "{path}");
            }
        }
    }
}

#[test]
fn programs_without_a_browser_need_no_origin() {
    let (config, robot) = (Ok(deployment()), assertion("common_name", "robot.access"));
    for place in 0..changing_world().1.len() {
        let (fakes, asks) = changing_world();
        let ask = asks[place].clone();
        let plain = ask.clone().of_deployment(&fakes, &config);
        assert!(!is_cross_site(&plain, &ask.path), "{}: a bearer token", ask.path);
        let foreign =
            [("content-type", "text/plain"), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        let (fakes, _) = changing_world();
        let bearer = with_headers(ask.clone(), &foreign).of_deployment(&fakes, &config);
        // An assistant's server says who asks it: a page that a name was rebound for has no business there.
        let status = if ask.path == "/mcp" { 403 } else { plain.status };
        assert_eq!(bearer.status, status, "{}: nothing but its program has a bearer token", ask.path);
        let (fakes, _) = changing_world();
        let service = signed_in(ask.clone(), &robot);
        let service = if ask.body.is_empty() { service } else { service.with_header("content-type", JSON) };
        // Of exporters alone the media type decides how a body is read.
        let status = if ask.path == "/v1/traces" { 200 } else { plain.status };
        assert_eq!(service.clone().of_deployment(&fakes, &config).status, status, "{}", ask.path);
        let from_page = service.with_header("origin", "https://evil.example").of_deployment(&fakes, &config);
        assert!(is_cross_site(&from_page, &ask.path), "{}", ask.path);
    }
}

#[test]
fn logpush_uploads_through_access_as_a_service() {
    let (config, robot) = (Ok(deployment()), assertion("common_name", "robot.access"));
    for (media_type, status) in [
        ("application/x-ndjson", 200),
        ("application/gzip", 200),
        ("application/octet-stream", 200),
        (JSON, 200),
        ("text/plain", 403),
        ("", 403),
    ] {
        let fakes = Fakes::new();
        fakes.issuer.publish(&[&Key::new("one", 0)]);
        let upload = signed_in(Ask::upload(br#"{"content":"tests"}"#), &robot).with_header("content-type", media_type);
        assert_eq!(upload.of_deployment(&fakes, &config).status, status, "{media_type:?}");
    }
}

#[test]
fn questions_of_a_person_need_no_origin() {
    let (config, person) = (Ok(deployment()), assertion("email", "bob@a.example"));
    let (fakes, asks) = world();
    fakes.issuer.publish(&[&Key::new("one", 0)]);
    for ask in asks.into_iter().filter(|ask| ask.method == "GET") {
        let path = ask.path.clone();
        // A link in another page leads here, and no page of another site can read the answer.
        let of_link =
            [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let image = with_headers(
            signed_in(ask.clone(), &person),
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        );
        let reply = image.of_deployment(&fakes, &config);
        let is_open = ["/openapi.json", "/healthz"].contains(&path.as_str());
        assert_eq!(is_cross_site(&reply, &path), !is_open, "{path}");
        let link = with_headers(signed_in(ask, &person), &of_link);
        let reply = link.of_deployment(&fakes, &config);
        // The world has no backfill, and no erasure.
        let is_missing = path.ends_with("/backfills/1") || path.ends_with("/erasures/1");
        assert_eq!(reply.status, if is_missing { 404 } else { 200 }, "{path}");
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{path}");
    }
}

#[test]
fn assertion_lives_as_long_as_a_session() {
    let fakes = Fakes::new();
    fakes.issuer.publish(&[&Key::new("one", 0)]);
    let grants = json!([{ "email_domain": "a.example", "scopes": ["read"], "role": "viewer" }]).to_string();
    let with = |hours: Option<&str>| {
        let access = [("ACCESS_TEAM", "acme"), ("ACCESS_AUD", AUDIENCE), ("ACCESS_GRANTS", grants.as_str())];
        let more = hours.map(|hours| ("ACCESS_SESSION_HOURS", hours));
        Ok(config_with(&access.into_iter().chain(more).collect::<Vec<_>>()))
    };
    let issued = |hours_ago: i64| {
        let now_s = NOW_MS / 1_000;
        let claims = json!({
            "aud": AUDIENCE, "iss": "https://acme.cloudflareaccess.com", "email": "bob@a.example",
            "iat": now_s - hours_ago * 3_600, "exp": now_s + 300,
        });
        Key::new("one", 0).token(&claims)
    };
    for (hours, age, status) in [(None, 23, 200), (None, 25, 401), (Some("8"), 9, 401), (Some("730"), 729, 200)] {
        let reply = signed_in(Ask::get("/v1/stats"), &issued(age)).of_deployment(&fakes, &with(hours));
        assert_eq!(reply.status, status, "{hours:?} {age}");
    }
    for wrong in ["0", "731", "1h", "-1"] {
        let fault = Config::read(|name| (name == "ACCESS_SESSION_HOURS").then(|| wrong.to_owned())).err().unwrap();
        assert!(fault.iter().any(|fault| fault.to_string().starts_with("ACCESS_SESSION_HOURS must be")), "{wrong}");
    }
}

#[test]
fn other_methods_are_never_a_question() {
    let (_, asks) = world();
    for ask in asks {
        for method in ["FOO", "GETX", "get", "Post", "QUERY", "PROPFIND", "TRACE", "CONNECT", "OPTIONS", "PUT", ""] {
            let fakes = Fakes::new();
            let reply = Ask { method: method.to_owned(), ..ask.clone() }.of(&fakes);
            assert_eq!(reply.status, 405, "{method} {}", ask.path);
            assert_eq!(fakes.faults.calls(), 0, "{method} {}", ask.path);
            let allow = reply.headers.iter().any(|(name, _)| *name == "allow");
            assert!(allow || ask.path.starts_with("/client/"), "{method} {}", ask.path);
        }
    }
    assert!(ROUTES.iter().all(|row| matches!(row.method, "GET" | "POST")));
    assert!(ROUTES.iter().any(|row| row.route == Route::RevokeToken));
}

/// Every reply of every other test is held against the list, too (`Ask::of`).
#[test]
fn every_reply_has_the_security_headers() {
    let fakes = Fakes::new();
    for (ask, status) in [
        (Ask::get("/what"), 404),
        (Ask::new("FOO", "/v1/stats"), 405),
        (Ask::get("/openapi.json"), 200),
        (Ask::get("/healthz"), 200),
        (Ask::get("/client/v4/zones/z/what"), 404),
        (Ask::get("/v1/stats").without_token(), 401),
    ] {
        let reply = ask.of(&fakes);
        let found: Vec<(&str, &str)> = reply.headers.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        assert_eq!(reply.status, status);
        for expected in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(found.iter().filter(|header| **header == expected).count(), 1, "{found:?}");
        }
    }
    let body: Value = super::json(&Ask::get("/healthz").of(&fakes));
    assert!(body.is_object());
}
