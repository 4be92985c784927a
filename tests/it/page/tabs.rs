//! What the tabs of neighbours and of another ray show, the pages of large trees, and what is passed on.

use askama::Template;
use raydex::page::answer::{
    AnswerContext, AnswerDocument, AnswerPart, AnswerRecord, AnswerTab, ComparisonDocument, NeighboursDocument,
};
use serde_json::{Value, json};

use super::{ASKED, answer, comparison, html, neighbours};

const RAY: &str = "9e3556d8c2ab1c05";

/// A document of a request with these members.
fn document(members: &Value) -> AnswerDocument {
    let mut record = json!({ "RayID": RAY, "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeResponseStatus": 200,
        "ClientRequestMethod": "GET", "ClientRequestHost": "a.example", "ClientRequestURI": "/x" });
    record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let record = json!({ "dataset": "http_requests", "batch": { "key": "k" }, "record": record });
    AnswerDocument::read(json!({ "ray": RAY, "records": [record] }).to_string().as_bytes()).unwrap()
}

fn near(document: &AnswerDocument, found: &Value) -> String {
    let found = NeighboursDocument::read(found.to_string().as_bytes()).unwrap();
    let context = AnswerContext::new(0).with_tab(AnswerTab::Neighbours);
    AnswerPart::new(document, &context).with_neighbours(ASKED, Ok(&found)).render().unwrap()
}

#[test]
fn neighbours_lead_to_their_pages_and_comparisons() {
    let page = html(&answer("refused"), AnswerTab::Neighbours);
    let of_tab = page.split("id=\"parts\"").nth(1).unwrap();
    assert!(
        of_tab.contains("<b>31 requests with the same status on this site within 1 h before and after.</b>"),
        "{of_tab}"
    );
    assert!(of_tab.contains("The 6 nearest are listed: 25 more are counted alone."));
    for near in &neighbours().neighbours {
        let ray = near.ray.as_deref().unwrap();
        assert!(of_tab.contains(&format!("<a href=\"/r/{ray}\">")), "{ray}");
        assert!(of_tab.contains(&format!("?tab=compare&amp;with={ray}#parts")), "{ray}");
    }
    // The request itself is between those before it and those after it.
    let rows: Vec<&str> =
        of_tab.split("<tr").filter(|row| row.contains("scope=\"row\"") && row.contains("<code>")).collect();
    let own = rows.iter().position(|row| row.contains("this request")).unwrap();
    assert_eq!((rows.len(), own), (7, 3));
    assert!(rows[2].contains("−1.1 s") && rows[4].contains("+24 ms"), "{} {}", rows[2], rows[4]);
    assert!(
        of_tab.contains("aria-current=\"true\">status of the site</a>")
            && of_tab.contains("?tab=neighbours&amp;by=client&amp;within=3600#parts")
    );
}

#[test]
fn what_neighbours_lack_is_said() {
    let found = json!({ "moment": { "dataset": "http_requests", "same": { "ClientIP": "203.0.113.0" }, "masked": ["ClientIP"], "tree_truncated": true },
        "neighbours": [], "summary": { "matched": 2, "listed": 0, "own": 1, "searched_until": "2026-03-28T08:42:25Z" },
        "raydex": { "complete": false, "cursor": "c/+", "missing": [{ "code": "open_batches", "count": 3 }] } });
    let page = near(&document(&json!({})), &found);
    for said in [
        "The 0 nearest are listed: 2 more are counted alone.",
        "Compared as your role sees it, so that others may match too: ClientIP is masked in part.",
        "Left out: 1 record of this request&#39;s own tree.",
        "Requests of its own tree may be among them",
        "The search is not complete: everything until 2026-03-28T08:42:25Z was searched.",
        "3 batches of this range are still being indexed.",
        "&amp;within=3600&amp;cursor=c%2F%2B#parts",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let context = AnswerContext::new(0).with_tab(AnswerTab::Neighbours);
    let document = document(&json!({}));
    let refused = AnswerPart::new(&document, &context).with_neighbours(ASKED, Err("Your role cannot see the <x>."));
    let page = refused.render().unwrap();
    assert!(page.contains("Your role cannot see the &lt;x&gt;.") && page.contains("by=path"), "{page}");
}

#[test]
fn slow_request_is_held_against_those_around() {
    let row = |took: u64| {
        json!({ "ray": RAY, "time": "2026-03-28T08:42:25Z", "distance_ms": 1,
        "record": { "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeEndTimestamp": 1_774_687_345_000_000_001_u64 + took * 1_000_000 } })
    };
    let found = json!({ "moment": { "dataset": "http_requests" }, "neighbours": [row(90), row(100), row(110), row(120), row(130)] });
    let page = near(&document(&json!({ "EdgeEndTimestamp": 1_774_687_348_100_000_001_u64 })), &found);
    assert!(
        page.contains("Slower than usual: it took 3.1 s, longer than 5 of 5 listed requests with a duration"),
        "{page}"
    );
}

#[test]
fn differences_come_first_and_equal_ones_fold() {
    let page = html(&answer("refused"), AnswerTab::Compare);
    let of_tab = page.split("id=\"parts\"").nth(1).unwrap();
    let found = comparison();
    for field in found.different.iter().chain(&found.only_a) {
        assert!(of_tab.contains(&format!("<code>{}</code></th><td>", field.field)), "{}", field.field);
    }
    let (before, equal) = of_tab.split_once("<details class=\"empty\">").unwrap();
    assert!(before.contains("Fields that differ") && equal.contains(&format!("{} equal fields", found.equal)));
    assert_eq!(equal.split("</details>").next().unwrap().matches("<tr>").count(), found.equal, "each with its value");
    assert!(before.contains("Times that differ") && before.contains("EdgeTimeToFirstByteMs"));
}

#[test]
fn comparison_is_of_texts_and_says_its_gaps() {
    let found = json!({ "a": { "ray": RAY, "records": 2, "dataset": "http_requests" }, "b": { "ray": "9e3556d8c2ab1c06", "records": 1 },
        "equal": 99, "different": [{ "field": "<i>", "a": "<b>", "b": "\u{202e}" }], "only_a": [{ "field": "A", "a": [1] }], "only_b": [{ "field": "B", "b": null }],
        "timings": [{ "field": "EdgeTimeToFirstByteMs", "a_ms": 149, "b_ms": 15_001.5, "difference_ms": 14_852.5 },
            { "field": "WorkerCPUTime", "a_ms": 3, "b_ms": 1, "difference_ms": -2 }, { "field": "WorkerWallTimeUs", "a_ms": 3, "b_ms": 3, "difference_ms": 0 }] });
    let found = ComparisonDocument::read(found.to_string().as_bytes()).unwrap();
    let document = document(&json!({}));
    let context = AnswerContext::new(0).with_tab(AnswerTab::Compare);
    let page =
        AnswerPart::new(&document, &context).with_comparison("9e3556d8c2ab1c06", Some(Ok(&found))).render().unwrap();
    super::markup::structure(&page).unwrap();
    for said in [
        "&lt;b&gt;",
        "⟨U+202E⟩",
        "<i>not in the record</i>",
        "9e3556d8c2ab1c05 has 2 records: the first one is compared.",
        "15 s",
        "+15 s",
        "−2 ms",
        "99 equal fields",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("WorkerWallTimeUs") && !page.contains("Equal in both"), "{page}");
    let empty = AnswerPart::new(&document, &context).with_comparison("", None).render().unwrap();
    assert!(empty.contains("name=\"compare\" value=\"9e3556d8c2ab1c05\"") && !empty.contains("Fields that differ"));
}

#[test]
fn large_tree_has_pages() {
    let node = |number: u64, parent: Option<&str>| json!({ "ray": format!("9e3556d8c2ab1c{number:02x}"), "parent": parent, "link": parent.map(|_| "subrequest"), "depth": u8::from(parent.is_some()), "records": { "http_requests": 1 } });
    let value = json!({ "ray": RAY, "next_cursor": "R/", "tree": { "root": "9e3556d8c2ab1c00", "next_cursor": "T+", "truncated": true,
        "nodes": [node(0, None), node(5, Some("9e3556d8c2ab1c00"))] } });
    let document = AnswerDocument::read(value.to_string().as_bytes()).unwrap();
    let first = html(&document, AnswerTab::Record);
    assert!(first.contains("<a href=\"?tree=T%2B&amp;records=R%2F\" rel=\"next\">"), "{first}");
    assert!(
        first.contains("The tree goes on: this page has its first 2 requests.") && !first.contains("First requests")
    );
    assert!(first.contains("What happened in 2 requests is on pages of their own"));
    assert!(first.contains("/v1/rays/9e3556d8c2ab1c00?format=har"), "the archive of the whole tree");
    let kept = vec![("tree", "T+".to_owned()), ("reason", "ticket 7".to_owned())];
    let later = AnswerPart::new(&document, &AnswerContext::new(0).with_kept(kept)).render().unwrap();
    assert!(later.contains("A later page of the tree: 2 requests of it"), "{later}");
    assert!(later.contains("<a href=\"?tab=record&amp;reason=ticket+7\">First requests of the tree</a>"), "{later}");
}

#[test]
fn rays_above_are_asked_for_first() {
    let node = |number: u64, parent: Option<u64>| {
        let ray = |number: u64| format!("9e3556d8c2ab{number:04x}");
        json!({ "ray": ray(number), "parent": parent.map(ray), "depth": 0, "records": { "http_requests": 1 } })
    };
    let mut nodes = vec![node(0, None), node(1, Some(0)), node(0x1c05, Some(1))];
    let read = |nodes: &[Value]| {
        let value = json!({ "ray": RAY, "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": { "RayID": RAY, "EdgeStartTimestamp": 1 } }],
            "tree": { "root": "x", "nodes": nodes } });
        AnswerDocument::read(value.to_string().as_bytes()).unwrap()
    };
    assert_eq!(read(&nodes).rays_without_records(2), ["9e3556d8c2ab0000", "9e3556d8c2ab0001"]);
    nodes.extend((100..200).map(|number| node(number, Some(0))));
    assert_eq!(read(&nodes).rays_without_records(9), ["9e3556d8c2ab0001", "9e3556d8c2ab0000"]);
    assert_eq!(read(&nodes).rays_without_records(1), ["9e3556d8c2ab0001"]);
    let mut document = read(&nodes[..3]);
    let line = json!({ "index": 0, "found": true, "records": [{ "dataset": "http_requests", "batch": { "key": "k" },
        "record": { "RayID": "9e3556d8c2ab0000", "EdgeStartTimestamp": 1, "EdgeResponseStatus": 418, "ClientRequestHost": "above.example" } }] });
    let later = json!({ "index": 1, "found": true, "records": [{ "dataset": "http_requests", "batch": { "key": "k" },
        "record": { "RayID": "9e3556d8c2ab0001" } }] });
    // The lines come in any order.
    document.add_records(&[later.to_string().into_bytes(), b"no JSON".to_vec(), line.to_string().into_bytes()]);
    let texts: Vec<&str> = document.records.iter().map(AnswerRecord::text).collect();
    assert!(texts[1].contains("9e3556d8c2ab0000") && texts[2].contains("9e3556d8c2ab0001"), "{texts:?}");
    let page = html(&document, AnswerTab::Record);
    assert!(page.contains("<b class=\"warn\">418</b> above.example"), "{page}");
}

#[test]
fn tree_page_has_the_records_of_its_rays() {
    let record = |ray: &str| json!({ "dataset": "http_requests", "batch": { "key": "k" }, "record": { "RayID": ray, "EdgeStartTimestamp": 1 } });
    let read = |value: &Value| AnswerDocument::read(value.to_string().as_bytes()).unwrap();
    let own = read(&json!({ "ray": RAY, "records": [record(RAY)] }));
    let page = read(
        &json!({ "ray": RAY, "tree": { "root": RAY, "nodes": [{ "ray": "9e3556d8c2ab1c07", "parent": RAY, "depth": 1 }] } }),
    );
    let listed = read(
        &json!({ "ray": RAY, "next_cursor": "R", "records": [record("9e3556d8c2ab1c06"), record("9e3556d8c2ab1c07")] }),
    );
    let document = own.with_tree_page(page.tree, Some(listed));
    let rays: Vec<&str> = document.records.iter().map(AnswerRecord::text).collect();
    assert!(rays.len() == 2 && rays[0].contains(RAY) && rays[1].contains("1c07"), "{rays:?}");
    assert_eq!(document.next_cursor.as_deref(), Some("R"));
}

#[test]
fn texts_to_pass_on_have_no_secret() {
    let secrets = json!({ "ClientRequestURI": "/x?token=hunter2&q=1", "ClientRequestUserAgent": "curl Authorization: Bearer hunter3hunter3",
        "Cookies": { "session": "hunter4" }, "RequestHeaders": { "x-api-key": "hunter5" }, "SecurityRuleDescription": "password=hunter6" , "SecurityAction": "block" });
    let document = document(&secrets);
    let page = html(&document, AnswerTab::Record);
    assert!(page.contains("hunter2"), "forensics sees it");
    let ticket = page.split("id=\"c-ticket\"").nth(1).unwrap().split("</textarea>").next().unwrap();
    assert!(!ticket.contains("hunter") && ticket.contains("[masked]"), "{ticket}");
    assert!(ticket.contains("| Ray ID | 9e3556d8c2ab1c05 |") && ticket.contains("blocked"), "{ticket}");
    assert!(page.contains("what the role <code>support</code> sees at most"));
}

#[test]
fn odd_times_are_said_in_their_rows() {
    let record = |ray: &str, start: u64, end: u64| {
        json!({ "dataset": "http_requests", "batch": { "key": "k" },
        "record": { "RayID": ray, "EdgeStartTimestamp": 1_774_687_345_000_000_001 + start, "EdgeEndTimestamp": 1_774_687_345_000_000_001 + end, "EdgeTimeToFirstByteMs": 3 } })
    };
    let value = json!({ "ray": RAY, "records": [record(RAY, 9_000_000, 3_000_000), record("9e3556d8c2ab1c06", 0, 5_000_000)],
        "tree": { "root": RAY, "nodes": [{ "ray": RAY, "parent": null, "depth": 0 }, { "ray": "9e3556d8c2ab1c06", "parent": RAY, "link": "subrequest", "depth": 1 }] } });
    let page = html(&AnswerDocument::read(value.to_string().as_bytes()).unwrap(), AnswerTab::Record);
    let rows: Vec<&str> = page.split("class=\"w").skip(1).collect();
    assert!(rows.iter().any(|row| row.contains("<em class=\"m-odd\">ends before it starts</em>")), "{page}");
    assert!(rows.iter().any(|row| row.contains("<em class=\"m-odd\">starts before its parent</em>")), "{page}");
    assert!(!html(&answer("story"), AnswerTab::Record).contains("m-odd"));
}
