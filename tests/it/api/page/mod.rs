//! The support desk's page over the fakes: who sees what, how people sign in, and what other sites cannot do.

mod cross_site;
mod lookups;
mod ops;
mod payloads;
mod ray_tabs;
mod routes;
mod search;
mod sign_in;

use raydex::config::Config;
use raydex::http::{PAGE_POLICY, SECURITY_HEADERS};
use sha2::{Digest, Sha256};

use super::support::world::{TOKEN, config_with};
use super::support::{Fakes, records};
use super::{Ask, Reply, header};

/// Where the deployment of these tests is.
const HOST: &str = "logs.example";
const ORIGIN: &str = "https://logs.example";
const FORM: &str = "application/x-www-form-urlencoded";

/// The reply to a person's request, checked for what every page has.
fn visit(fakes: &Fakes, config: &Config, ask: Ask) -> Reply {
    let what = format!("{} {}?{}", ask.method, ask.path, ask.query);
    let reply = Reply::of(ask.begin(fakes, &Ok(config.clone())));
    for (name, value) in SECURITY_HEADERS {
        let is_page = header(&reply, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
        match name {
            "content-security-policy" if is_page => assert_eq!(header(&reply, name), Some(PAGE_POLICY), "{what}"),
            "cache-control" if what.contains("/assets/") => {}
            _ => assert_eq!(header(&reply, name), Some(value), "{what}"),
        }
    }
    assert!(!String::from_utf8_lossy(&reply.body).contains(TOKEN), "{what}");
    reply
}

/// A request of a browser with these cookies.
fn with_cookie(ask: Ask, cookie: &str) -> Ask {
    ask.without_token().with_header("host", HOST).with_header("cookie", cookie)
}

/// A request of a person who is signed in with this token.
fn signed_in(ask: Ask, token: &str) -> Ask {
    with_cookie(ask, &format!("theme=dark; __Host-raydex={}", percent(token)))
}

fn ray(suffix: u64) -> String {
    records::ray(suffix).to_string()
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A form as a browser sends it from the page itself.
fn form(path: &str, members: &[(&str, &str)]) -> Ask {
    let body: Vec<String> = members.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    let ask = Ask { body: body.join("&").into(), ..Ask::new("POST", path) };
    ask.without_token()
        .with_header("host", HOST)
        .with_header("content-type", FORM)
        .with_header("origin", "null")
        .with_header("sec-fetch-site", "same-origin")
}

/// A page as text.
fn text(reply: &Reply) -> String {
    assert_eq!(header(reply, "content-type"), Some("text/html; charset=utf-8"));
    let text = String::from_utf8(reply.body.clone()).unwrap();
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"), "{text}");
    text
}

/// A deployment with tokens: `desk` may read as support, `ops` may deliver, `old` has expired.
fn deployment(more: &[(&str, &str)]) -> Config {
    let entry = |id: &str, scopes: &str, more: &str| {
        let hash = hex::encode(Sha256::digest(format!("token of {id}")));
        format!(r#"{{"id":"{id}","sha256":"{hash}","scopes":[{scopes}],"role":"support"{more}}}"#)
    };
    let tokens = [
        entry("desk", r#""read""#, ""),
        entry("ops", r#""deliver""#, ""),
        entry("old", r#""read""#, r#","expires":"2026-01-01T00:00:00Z""#),
        entry("zone", r#""read""#, r#","zones":["a.example"]"#),
        entry("firewall", r#""read""#, r#","datasets":["firewall_events"]"#),
    ];
    let tokens = format!("[{}]", tokens.join(","));
    config_with(&[&[("API_TOKENS", tokens.as_str())], more].concat())
}
