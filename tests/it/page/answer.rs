//! What is on the page of an answer.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use raydex::page::answer::{AnswerContext, AnswerDocument, AnswerPart, AnswerTab};
use serde_json::{Value, json};

use super::{answer, html};

/// The most gzipped bytes of an answer with up to 20 records, and of its script.
const PAGE_BYTES: usize = 20_000;
const SCRIPT_BYTES: usize = 6_000;

fn gzipped(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

/// A tree of a request with `children` below it, four levels deep.
fn family(children: u64) -> Value {
    let ray = |number: u64| format!("{:016x}", 0x9e35_56d8_c2ab_1c05 + number * 0x1000_0000);
    let parent = |number: u64| if number % 4 == 1 { 0 } else { number - 1 };
    let record = |number: u64| {
        let start = 1_774_687_345_000_000_001_u64 + number * 1_000_000;
        json!({ "dataset": "http_requests", "batch": { "key": "k" }, "record": {
            "RayID": ray(number), "EdgeStartTimestamp": start, "EdgeEndTimestamp": start + 90_000_000, "EdgeResponseStatus": 200,
            "ClientRequestMethod": "GET", "ClientRequestHost": "api.example.com", "ClientRequestPath": format!("/items/{number}"),
            "EdgeTimeToFirstByteMs": 80, "OriginDNSResponseTimeMs": 2, "OriginResponseHeaderReceiveDurationMs": 60 } })
    };
    let node = |number: u64| match number {
        0 => json!({ "ray": ray(0), "parent": null, "depth": 0 }),
        _ => {
            json!({ "ray": ray(number), "parent": ray(parent(number)), "link": "subrequest", "depth": 1 + (number - 1) % 4 })
        }
    };
    let records: Vec<Value> = (0..=children).map(record).collect();
    let nodes: Vec<Value> = (0..=children).map(node).collect();
    json!({ "ray": ray(0), "records": records, "tree": { "root": ray(0), "nodes": nodes } })
}

fn read(value: &Value) -> AnswerDocument {
    AnswerDocument::read(value.to_string().as_bytes()).unwrap()
}

#[test]
fn answers_and_script_are_small() {
    for name in ["story", "challenged", "threw", "masked", "hit", "blocked", "refused"] {
        let size = gzipped(html(&answer(name), AnswerTab::Record).as_bytes());
        assert!(size <= PAGE_BYTES, "{name}: {size} bytes");
    }
    let size = gzipped(&std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/web/answer.js")).unwrap());
    assert!(size <= SCRIPT_BYTES, "{size} bytes");
}

#[test]
fn large_tree_has_a_row_for_each_ray() {
    let html = html(&read(&family(10_000)), AnswerTab::Record);
    assert_eq!(html.matches("class=\"w\" data-ray=").count() + html.matches("class=\"w asked\"").count(), 10_001);
    assert!(html.len() < 10_000 * 900, "{} bytes", html.len());
    assert!(html.contains("The fields of 9,961 more records are on the pages of their rays"));
    super::markup::structure(&html).unwrap();
}

#[test]
fn deep_tree_is_nested_within_bounds() {
    let ray = |number: u64| format!("{:016x}", 0x9e35_56d8_c2ab_1c05 + number * 0x1000_0000);
    let node = |number: u64| json!({ "ray": ray(number), "parent": number.checked_sub(1).map(ray), "link": "subrequest", "depth": number });
    let nodes: Vec<Value> = (0..1_000).map(node).collect();
    let html = html(&read(&json!({ "ray": ray(0), "tree": { "root": ray(0), "nodes": nodes } })), AnswerTab::Record);
    super::markup::structure(&html).unwrap();
    assert!(html.contains("<i>level 999</i>"));
    assert_eq!(html.matches("<details open>").count(), 16);
}

#[test]
fn ticket_holds_hostile_values_as_text() {
    let ray = "9e3556d8c2ab1c05";
    let record = json!({ "RayID": ray, "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeResponseStatus": 403, "ClientRequestMethod": "GET",
        "ClientRequestHost": "a.example", "ClientRequestURI": "/x|y?`````@everyone", "ClientRequestUserAgent": "a\n```\n| x | @team #12 [l](http://e)",
        "SecurityAction": "block", "SecurityRuleDescription": "see www.evil.example @ops `x``y` \u{202e}" });
    let document = read(
        &json!({ "ray": ray, "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": record }] }),
    );
    let page = html(&document, AnswerTab::Record);
    let (_, ticket) = page.split_once("id=\"c-ticket\"").unwrap();
    let ticket = ticket.split_once('>').unwrap().1.split_once("</textarea>").unwrap().0;
    let ticket = ticket
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    let wanted = "``` 403 from a security rule, blocked by the rule “see www.evil.example @ops `x``y` ⟨U+202E⟩”. ```\n\n| fact | value |\n|---|---|\n\
        | Ray ID | 9e3556d8c2ab1c05 |\n| Time | 2026-03-28 08:42:25.000 UTC |\n| Status | 403 |\n| Security | block |\n\n``````text\n\
        Request: GET https://a.example/x|y?`````@everyone\nRule: see www.evil.example @ops `x``y` ⟨U+202E⟩\n\
        User agent: a⏎```⏎| x | @team #12 [l](http://e)\n``````\n\n<https://logs.example.com/r/9e3556d8c2ab1c05>\n";
    assert_eq!(ticket, wanted);
}

#[test]
fn command_has_no_secret_and_no_second_word() {
    let ray = "9e3556d8c2ab1c05";
    let record = json!({ "RayID": ray, "EdgeStartTimestamp": 1, "ClientRequestMethod": "POST", "ClientRequestHost": "a.example",
        "ClientRequestURI": "/it's?token=hunter2&q=$(id)", "ClientRequestUserAgent": "x' ; rm -rf / #\nEvil: 1", "Cookies": { "session": "hunter3" },
        "RequestHeaders": { "Cookie": "s=hunter4", "authorization": "Bearer hunter5", "accept": "text/html", "x-api-key": "hunter6" } });
    let document = read(
        &json!({ "ray": ray, "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": record }] }),
    );
    let page = html(&document, AnswerTab::Record);
    let (_, command) = page.split_once("id=\"c-curl\"").unwrap();
    let command = command
        .split_once('>')
        .unwrap()
        .1
        .split_once("</textarea>")
        .unwrap()
        .0
        .replace("&#39;", "'")
        .replace("&amp;", "&");
    assert!(!command.contains("hunter"), "{command}");
    assert!(command.starts_with("curl -sS -g -i -X POST 'https://a.example/it'\\''s?token="), "{command}");
    assert!(command.contains("-H 'accept: text/html'"), "{command}");
    // Without what is quoted, nothing is left that a shell acts on.
    let outside: String = command.replace("'\\''", "").split('\'').step_by(2).collect();
    assert!(outside.chars().all(|c| c.is_ascii_alphanumeric() || " -\\\n".contains(c)), "{outside}");
}

#[test]
fn hosts_that_are_none_have_no_command() {
    for host in ["", "-o.example", "a b", "a'b", "a/b", "[masked]x y"] {
        let record = json!({ "RayID": "9e3556d8c2ab1c05", "EdgeStartTimestamp": 1, "ClientRequestMethod": "GET", "ClientRequestHost": host });
        let document = read(
            &json!({ "ray": "9e3556d8c2ab1c05", "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": record }] }),
        );
        assert!(!html(&document, AnswerTab::Record).contains("c-curl"), "{host}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let masked = html(&answer("masked"), AnswerTab::Record);
    assert!(masked.contains("masked in whole or in part, shown as [masked]."), "{masked}");
    let value = json!({ "ray": "9e3556d8c2ab1c05", "truncated": true, "batches_gone": 1, "batches_unreadable": 2,
        "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": null }],
        "tree": { "root": "9e3556d8c2ab1c00", "truncated": true, "cyclic": true, "nodes": [{ "ray": "9e3556d8c2ab1c00", "parent": null, "depth": 0 }] },
        "warnings": [{ "code": "unknown_field", "parameter": "fields", "at": "fields[1]", "detail": "No list has this field.", "hint": "Did you mean RayID?" }] });
    let page = html(&read(&value), AnswerTab::Record);
    for said in [
        "1 record is damaged, so its fields are missing.",
        "There are more records than this answer has.",
        "1 batch is with this ray",
        "2 batches are with this ray",
        "The tree may have more requests than are shown.",
        "in a circle",
        "1 request of the tree has no record that you can see",
        "fields at fields[1]: No list has this field. Did you mean RayID?",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(html(&answer("threw"), AnswerTab::Partner).contains("<table"));
    let bare = read(&json!({ "ray": "x y/<z>", "records": [] }));
    let page = AnswerPart::new(&bare, &AnswerContext::new(0).with_tab(AnswerTab::Deliveries));
    let page = askama::Template::render(&page).unwrap();
    assert!(page.contains("Deliveries are those of http_requests") && page.contains("/r/x%20y%2F%3Cz%3E"), "{page}");
}

#[test]
fn delivery_once_more_names_backfill_reason_and_time() {
    let payload = |at: &str| json!({ "state": "delivered", "attempts": 1, "completed_at": at });
    let value = json!({ "ray": "abc", "records": [], "deliveries": [{
        "batch": { "key": "logs/a" }, "delivery_status": "assigned", "exact": true, "payloads": [payload("2026-03-28T08:43:00Z")],
        "again": [
            { "backfill": { "id": 7, "reason": "lost <an hour>", "created_at": "2026-03-29T10:00:00Z" }, "plan": 2,
                "delivery_status": "assigned", "exact": true, "payloads": [payload("2026-03-29T10:01:02Z")] },
            { "delivery_status": "excluded", "reason": "backfill_filter", "plan": 3, "exact": true, "payloads": [] },
        ],
    }] });
    let page = html(&read(&value), AnswerTab::Deliveries);
    for said in [
        "<b>Once more: In a payload for the partner</b>",
        "Backfill 7 of 2026-03-29 10:00:00",
        "lost &lt;an hour&gt;",
        "2026-03-29 10:01:02",
        "<b>Once more: Not delivered: the filter of the backfill leaves it out</b></p>",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(page.matches("<caption class=\"ok\">Delivered</caption>").count(), 2);
}

#[test]
fn other_datasets_and_nonstandard_rays_are_shown() {
    let value = json!({ "ray": "abc", "records": [{ "dataset": "access_requests", "batch": { "key": "k" }, "record": { "RayID": "abc", "CreatedAt": "2026-03-28T08:42:25Z", "Email": "a@b.example" } }] });
    let page = html(&read(&value), AnswerTab::Record);
    assert!(page.contains("access requests") && page.contains("a@b.example") && page.contains("1 in 0 ms"), "{page}");
}

#[test]
fn tabs_are_links_with_their_names() {
    for tab in AnswerTab::ALL {
        assert_eq!(AnswerTab::from_name(tab.name()), Some(tab));
        let page = html(&answer("story"), tab);
        assert!(page.contains(&format!("<a href=\"?tab={}#parts\" aria-current=\"page\">", tab.name())));
    }
    assert_eq!(AnswerTab::from_name("Record"), None);
}
