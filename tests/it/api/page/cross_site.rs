//! What a page of another site can do with the cookie or the assertion of a person: nothing but link.

use super::super::audit::entries;
use super::super::every_route::world;
use super::super::support::Fakes;
use super::super::{Ask, problem};
use super::{HOST, ORIGIN, Reply, deployment, form, signed_in, visit};

/// A request with these headers in the place of those that say where it comes from.
fn from(ask: Ask, headers: &[(&'static str, &str)]) -> Ask {
    let mut ask = ask;
    ask.headers.retain(|(name, _)| !matches!(*name, "origin" | "content-type") && !name.starts_with("sec-fetch"));
    headers.iter().fold(ask, |ask, (name, value)| ask.with_header(name, value))
}

const FOREIGN: &[&[(&str, &str)]] = &[
    &[],
    &[("content-type", super::FORM), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
    &[("content-type", super::FORM), ("origin", "null"), ("sec-fetch-site", "cross-site")],
    &[("content-type", super::FORM), ("origin", "null"), ("sec-fetch-site", "same-site")],
    &[("content-type", super::FORM), ("origin", "null")],
    &[("content-type", super::FORM), ("origin", "https://x.logs.example"), ("sec-fetch-site", "same-site")],
    &[("content-type", "text/plain"), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")],
];

fn is_refused(reply: &Reply) -> bool {
    reply.status == 403 && super::text(reply).contains("cross_site")
}

#[test]
fn forms_of_other_sites_change_nothing() {
    for headers in FOREIGN {
        for ask in [
            form("/sign-in", &[("token", "token of desk")]),
            signed_in(form("/sign-out", &[("x", "y")]), "token of desk"),
            signed_in(form("/look-up", &[("text", "9e3550d8ec5c2ab1")]), "token of desk"),
        ] {
            let (fakes, path) = (Fakes::new(), ask.path.clone());
            let reply = visit(&fakes, &deployment(&[("API_RATE_PER_MINUTE", "0")]), from(ask, headers));
            assert!(is_refused(&reply), "{path} {headers:?}: {}", reply.status);
            assert!(super::header(&reply, "set-cookie").is_none() && super::header(&reply, "location").is_none());
        }
    }
}

#[test]
fn own_forms_are_taken_in_every_browser() {
    for headers in [
        &[("content-type", super::FORM), ("origin", "null"), ("sec-fetch-site", "same-origin")][..],
        &[("content-type", super::FORM), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")],
        &[("content-type", super::FORM), ("origin", ORIGIN)],
    ] {
        for ask in [
            form("/sign-in", &[("token", "token of desk")]),
            signed_in(form("/look-up", &[("text", "9e3550d8ec5c2ab1")]), "token of desk"),
        ] {
            assert_eq!(
                visit(&Fakes::new(), &deployment(&[("API_RATE_PER_MINUTE", "0")]), from(ask, headers)).status,
                303,
                "{headers:?}"
            );
        }
    }
}

#[test]
fn cookie_changes_nothing_without_the_own_origin() {
    let count = world().1.len();
    for place in 0..count {
        let (fakes, asks) = world();
        let ask = asks[place].clone();
        if ask.method != "POST" || ask.path.starts_with("/client/") {
            continue;
        }
        let path = ask.path.clone();
        for headers in FOREIGN {
            let ask = signed_in(ask.clone(), super::TOKEN);
            let before = fakes.everything();
            let reply = visit(&fakes, &deployment(&[("API_RATE_PER_MINUTE", "0")]), from(ask, headers));
            assert_eq!(problem(&reply), (403, "cross_site".into()), "{path} {headers:?}");
            assert_eq!(fakes.everything(), before, "{path}");
        }
        let last = entries(&fakes).into_iter().next_back().unwrap();
        assert_eq!((&last["auth_method"], &last["code"]), (&"cookie".into(), &"cross_site".into()));
        let own = &[("content-type", "application/json"), ("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        let reply =
            visit(&fakes, &deployment(&[("API_RATE_PER_MINUTE", "0")]), from(signed_in(ask, super::TOKEN), own));
        assert_ne!(reply.status, 403, "{path}");
    }
}

#[test]
fn other_sites_read_nothing_but_may_link() {
    let (fakes, asks) = world();
    let pages = ["/", "/r/9e3550d8ec5c2ab1", "/rays?ids=9e3550d8ec5c2ab1,9e3550d8ec5c2ab2"].map(Ask::get);
    for ask in asks.into_iter().filter(|ask| ask.method == "GET").chain(pages) {
        if ["/openapi.json", "/healthz"].contains(&ask.path.as_str()) {
            continue;
        }
        for (site, mode, dest, is_read) in [
            ("cross-site", "no-cors", "image", false),
            ("cross-site", "no-cors", "script", false),
            ("cross-site", "cors", "empty", false),
            ("same-site", "cors", "empty", false),
            ("cross-site", "navigate", "iframe", false),
            ("cross-site", "navigate", "object", false),
            ("cross-site", "navigate", "document", true),
            ("same-origin", "cors", "empty", true),
            ("none", "navigate", "document", true),
        ] {
            let of_site = &[("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            let reply = visit(
                &fakes,
                &deployment(&[("API_RATE_PER_MINUTE", "0")]),
                from(signed_in(ask.clone(), super::TOKEN), of_site),
            );
            assert_eq!(reply.status != 403, is_read, "{} {site} {mode} {dest}: {}", ask.path, reply.status);
            // What a program adds by itself is not a browser's.
            let ask = from(ask.clone().with_header("host", HOST), of_site);
            assert_ne!(visit(&fakes, &deployment(&[("API_RATE_PER_MINUTE", "0")]), ask).status, 403);
        }
    }
}
