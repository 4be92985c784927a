//! Who sees which of the records that come merged in others.

use raydex::mask::{Role, mask_line};
use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::story::{KEYS, batch, wish};
use super::support::records::{ndjson, ray};
use super::support::{Fakes, world::config_with};
use super::{Ask, Reply, body, deployment, rule};

/// The visitor's request and what is inside of it: of the same zone, of another one, and without a zone of its own.
const VISITOR: u64 = 1;
const OURS: u64 = 2;
const OTHERS: u64 = 3;
const UNSAID: u64 = 4;

fn child(nth: u64, zone: Option<&str>) -> String {
    let zone = zone.map_or_else(String::new, |zone| format!(r#","ZoneName":"{zone}","ClientRequestHost":"h.{zone}""#));
    format!(
        r#"{{"RayID":"{}","ClientIP":"192.0.2.{nth}","ClientRequestURI":"/p?token=hunter2","ParentRayID":"{}"{zone},"secret-{nth}":1}}"#,
        ray(nth),
        ray(VISITOR)
    )
}

/// A world with one line of this zone.
fn world(zone: &str) -> Fakes {
    let fakes = Fakes::new();
    let inner = [child(OURS, Some("a.example")), child(OTHERS, Some("b.example")), child(UNSAID, None)];
    let text = format!(
        r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T08:40:00Z","ZoneName":"{zone}","ClientIP":"192.0.2.9","Subrequests":[{}],"Last":1}}"#,
        ray(VISITOR),
        inner.join(",")
    );
    fakes.index("logs/http_requests/a.log", Dataset::HttpRequests, &ndjson([text]));
    fakes
}

fn ask(fakes: &Fakes, token: &str, path: &str) -> Reply {
    let zone = |id: &str, zone: &str, role: &str| rule(id, &json!({ "zones": [zone], "role": role }));
    let config = deployment(&[
        rule("all", &json!({})),
        rule("viewer", &json!({ "role": "viewer" })),
        zone("a", "a.example", "forensics"),
        zone("a-viewer", "a.example", "viewer"),
        zone("b", "b.example", "forensics"),
    ]);
    Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(path) }.of_deployment(fakes, &Ok(config))
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[test]
fn records_of_other_zones_are_cut_out_everywhere() {
    let fakes = world("a.example");
    let visitor = ray(VISITOR);
    let range = "start=2026-03-28T08:30:00Z&end=2026-03-28T08:50:00Z";
    let hidden = [ray(OTHERS).to_string(), "b.example".to_owned(), "secret-3".to_owned()];
    for path in [
        format!("/v1/rays/{visitor}"),
        format!("/v1/rays/{visitor}?format=native"),
        format!("/v1/rays/{visitor}?format=csv&fields=RayID,Subrequests"),
        format!("/v1/rays/{visitor}?subrequests=list"),
        format!("/v1/rays/{visitor}?subrequests=flatten&format=native"),
        format!("/v1/rays/{visitor}?subrequests=merge"),
        format!("/v1/rays/{}", ray(OURS)),
        format!("/v1/rays/{visitor}/diff/{}", ray(OURS)),
        format!("/v1/logs?{range}"),
        format!("/v1/logs?{range}&format=csv&fields=Subrequests"),
        format!("/v1/counts?{range}&by=Subrequests"),
    ] {
        for token in ["a", "a-viewer"] {
            let shown = text(&ask(&fakes, token, &path));
            assert!(hidden.iter().all(|word| !shown.contains(word)), "{token}: {path}: {shown}");
        }
        let reply = ask(&fakes, "a", &path);
        assert_eq!(reply.status, 200, "{path}: {}", text(&reply));
    }
    let all = text(&ask(&fakes, "all", &format!("/v1/rays/{visitor}?format=native")));
    let cut = text(&ask(&fakes, "a", &format!("/v1/rays/{visitor}?format=native")));
    assert_eq!(cut, all.replace(&format!("{},", child(OTHERS, Some("b.example"))), ""));
    let tree = |token: &str| {
        body(&ask(&fakes, token, &format!("/v1/rays/{visitor}")))["tree"]["nodes"].as_array().unwrap().len()
    };
    assert_eq!((tree("all"), tree("a")), (4, 3));
}

#[test]
fn zone_of_a_child_is_its_own() {
    for (zone, wanted) in [("a.example", [true, true, false, true]), ("b.example", [false, true, false, false])] {
        let fakes = world(zone);
        for (nth, wanted) in [VISITOR, OURS, OTHERS, UNSAID].into_iter().zip(wanted) {
            let reply = ask(&fakes, "a", &format!("/v1/rays/{}", ray(nth)));
            assert_eq!(reply.status == 200, wanted, "{zone}: {nth}: {}", text(&reply));
            let absent = ask(&fakes, "a", &format!("/v1/rays/{}", ray(99)));
            let shown = text(&reply).replace(&ray(nth).to_string(), &ray(99).to_string());
            assert!(wanted || shown == text(&absent), "{shown}");
        }
    }
    // The line that it came in is none for the caller.
    let reply = body(&ask(&world("b.example"), "a", &format!("/v1/rays/{}", ray(OURS))));
    assert_eq!(reply["records"][0].get("merged_in"), None);
    let nodes = reply["tree"]["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[0]["records"]), (2, &json!({})), "the parent that it names");
    let reply = body(&ask(&world("a.example"), "a", &format!("/v1/rays/{}", ray(OURS))));
    assert_eq!(reply["records"][0]["merged_in"], ray(VISITOR).to_string());
}

#[test]
fn filter_sees_only_what_the_caller_sees() {
    let fakes = world("a.example");
    let filtered = |token: &str, value: &str| {
        let filter = json!({ "where": { "key": "Subrequests", "operator": "contains", "value": value } }).to_string();
        let filter: String = byte_serialize(filter.as_bytes()).collect();
        let range = "start=2026-03-28T08:30:00Z&end=2026-03-28T08:50:00Z";
        let of_ray = body(&ask(&fakes, token, &format!("/v1/rays/{}?filter={filter}", ray(VISITOR))));
        let of_range = text(&ask(&fakes, token, &format!("/v1/logs?{range}&filter={filter}")));
        let one = of_ray["records"].as_array().map_or(0, Vec::len);
        assert_eq!(
            one,
            of_range.lines().filter(|line| line.contains("192.0.2.9")).count(),
            "{token}: {value}: {of_range}"
        );
        one
    };
    let [ours, others] = [child(OURS, Some("a.example")), child(OTHERS, Some("b.example"))];
    let whole = [filtered("all", &ours), filtered("all", &others)];
    let narrow = [filtered("a", &ours), filtered("a", &others)];
    // Whatever the operator makes of objects, what is hidden never passes.
    assert_eq!((narrow[0], narrow[1]), (whole[0], 0));
}

#[test]
fn flattened_child_is_masked_like_a_record_alone() {
    let (plain, merged) = (Fakes::new(), world("a.example"));
    let alone = child(OTHERS, Some("b.example"));
    plain.index("logs/http_requests/a.log", Dataset::HttpRequests, &ndjson([&alone]));
    for format in ["native", "csv", "partner"] {
        let path = format!("/v1/rays/{}?format={format}", ray(OTHERS));
        let [one, other] = [&plain, &merged].map(|fakes| text(&ask(fakes, "viewer", &path)));
        assert_eq!(one, other);
        assert!(!one.contains("hunter2") && !one.contains("192.0.2.3"), "{one}");
    }
    let mut masked = Vec::new();
    mask_line(Role::Viewer, Dataset::HttpRequests, alone.as_bytes(), &mut masked).unwrap();
    let shown = text(&ask(&merged, "viewer", &format!("/v1/rays/{}?format=native", ray(OTHERS))));
    assert_eq!(shown.trim_end().as_bytes(), masked);
}

#[test]
fn logpull_of_a_zone_has_its_records_alone() {
    let config = Ok(config_with(&[
        ("API_ZONES", r#"{"023e105f":"a.example","9a7806061c88":"b.example"}"#),
        ("API_RATE_PER_MINUTE", "0"),
    ]));
    let fakes = world("a.example");
    let get = |zone: &str, ray: RayId| {
        text(
            &Ask::get(&format!("/client/v4/zones/{zone}/logs/rayids/{ray}?fields=RayID,ZoneName,Subrequests"))
                .of_deployment(&fakes, &config),
        )
    };
    let found = get("9a7806061c88", ray(OTHERS));
    let record: Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&record["RayID"], &record["ZoneName"]), (&ray(OTHERS).to_string().into(), &"b.example".into()));
    assert_eq!(get("023e105f", ray(OTHERS)), "");
    let visitor = get("023e105f", ray(VISITOR));
    assert!(visitor.contains(&ray(UNSAID).to_string()) && !visitor.contains("b.example"), "{visitor}");
}

#[test]
fn delivery_never_says_that_it_is_inside() {
    let child = child(OURS, Some("a.example"));
    let line = |inside: &str| {
        format!(
            r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T08:40:00Z","ZoneName":"b.example","Subrequests":[{inside}]}}"#,
            ray(VISITOR)
        )
    };
    let world = |text: &str| {
        let fakes = Fakes::new();
        batch(&fakes, KEYS[0], &ndjson([text]), Some(wish()));
        fakes
    };
    let (inside, alone) = (world(&line(&child)), world(&child));
    for path in
        [format!("/v1/rays/{}/deliveries", ray(OURS)), format!("/v1/rays/{}?parts=records,deliveries", ray(OURS))]
    {
        let status = |fakes: &Fakes, token: &str| {
            let reply = body(&ask(fakes, token, &path));
            let deliveries = reply.get("deliveries").unwrap_or(&reply["records"]);
            deliveries[0]["delivery_status"].clone()
        };
        assert_eq!(text(&ask(&inside, "a", &path)), text(&ask(&alone, "a", &path)), "{path}");
        assert_eq!((status(&inside, "a"), status(&inside, "all")), ("assigned".into(), "merged".into()), "{path}");
    }
}
