//! Families in pages: all pages together are the family, whatever their size, and nothing that is hidden shows in them.

use std::collections::BTreeSet;

use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};

use super::api::access::{deployment, rule};
use super::api::{Ask, Reply, json as body, problem};
use super::family::{Day, MINUTE_MS, START_MS, line, nodes};
use super::support::Fakes;
use super::support::records::ndjson;

/// What a page took.
#[derive(Debug, Default)]
struct PageCost {
    calls: u64,
    reads: u64,
    bytes: usize,
}

/// Asks as this caller, or as the one who sees everything.
fn ask(fakes: &Fakes, token: Option<&str>, path: &str) -> Reply {
    // Requests of this deployment are not counted.
    let token = token.unwrap_or("all");
    let zone = |id: &str| rule(id, &json!({ "zones": ["a.example"] }));
    let config = deployment(&[rule("all", &json!({})), zone("zone"), zone("other")]);
    Ask::get(path).by(token).of_deployment(fakes, &Ok(config))
}

/// Every page of the tree around a ray, by its cursors.
fn tree_pages(fakes: &Fakes, token: Option<&str>, ray: RayId, query: &str) -> (Vec<Value>, Vec<PageCost>) {
    let path = format!("/v1/rays/{ray}?parts=tree{query}");
    let (mut pages, mut costs, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let reply = ask(fakes, token, &format!("{path}{cursor}"));
        let mut page = body(&reply);
        let of = |name: &str| page["cost"][name].as_u64().unwrap_or_default();
        costs.push(PageCost { calls: of("shards_asked"), reads: of("objects_read"), bytes: reply.body.len() });
        let tree = page["tree"].take();
        let next = tree["next_cursor"].as_str().map(|next| format!("&cursor={next}"));
        pages.push(tree);
        let Some(next) = next else { return (pages, costs) };
        cursor = next;
        assert!(pages.len() < 3_000, "the pages do not end");
    }
}

/// The nodes of all pages, in their order.
fn all_nodes(pages: &[Value]) -> Vec<Value> {
    pages.iter().flat_map(|page| page["nodes"].as_array().unwrap().clone()).collect()
}

/// The rays of the records that list what a ray caused, by their cursors.
fn listed_rays(fakes: &Fakes, ray: RayId, query: &str) -> Vec<String> {
    let (mut rays, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = body(&ask(fakes, None, &format!("/v1/rays/{ray}?parts=records&subrequests=list{query}{cursor}")));
        let records = page["records"].as_array().unwrap().iter().map(|record| {
            let record = &record["record"];
            record["RayID"].as_str().or(record["Event"]["RayID"].as_str()).unwrap().to_owned()
        });
        rays.extend(records);
        assert_eq!(page["truncated"], page.get("next_cursor").is_some());
        let Some(next) = page["next_cursor"].as_str() else { return rays };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn pages_of_any_size_are_the_naive_tree() {
    let mut day = Day::default();
    for visit in 0..6 {
        day.visit(START_MS + visit * 4 * MINUTE_MS, 1 + usize::try_from(visit % 4).unwrap());
    }
    let fakes = day.build();
    let rays: BTreeSet<RayId> = day.records.iter().map(|(_, ray, _)| *ray).collect();
    let mut largest = 0;
    for (nth, ray) in rays.iter().enumerate() {
        let wanted = day.tree_of(*ray);
        let (whole, _) = tree_pages(&fakes, None, *ray, "");
        let whole = all_nodes(&whole);
        for limit in [1, 2, 3, 7].into_iter().skip(nth % 3).step_by(3) {
            let (pages, _) = tree_pages(&fakes, None, *ray, &format!("&limit={limit}"));
            assert_eq!(pages.len(), wanted.len().div_ceil(limit), "{ray}, {limit}");
            let joined = all_nodes(&pages);
            assert_eq!(joined, whole, "{ray}, {limit}");
            assert_eq!(nodes(&json!({ "nodes": joined })), wanted);
            let marks: Vec<bool> = pages.iter().map(|page| page["truncated"] == true).collect();
            assert!(marks.iter().rev().skip(1).all(|mark| *mark) && !marks[marks.len() - 1], "{marks:?}");
            let listed = listed_rays(&fakes, *ray, &format!("&limit={limit}"));
            assert_eq!(listed, listed_rays(&fakes, *ray, ""), "{ray}, {limit}");
        }
        largest = largest.max(whole.len());
    }
    assert!(largest > 20, "{largest}");
}

/// The pages from this ray hold what they must, and cost little.
fn check_large(day: &Day, fakes: &Fakes, ray: RayId, most_calls: u64) -> Vec<Value> {
    let (pages, costs) = tree_pages(fakes, None, ray, "");
    let all = all_nodes(&pages);
    let wanted = day.tree_of_many(ray);
    assert_eq!(all.len(), wanted.len(), "each ray once");
    assert_eq!(nodes(&json!({ "nodes": all })), wanted);
    assert_eq!(pages.len(), wanted.len().div_ceil(1_000));
    for cost in &costs {
        assert!(cost.calls <= most_calls && cost.reads <= 100 && cost.bytes < 400_000, "{cost:?}");
    }
    all
}

#[test]
fn ten_thousand_children_come_in_pages() {
    let mut day = Day::default();
    let visitor = day.plain(START_MS, None);
    for child in 0..10_000 {
        // They are in three windows.
        day.plain(START_MS + 10 + child * 150, Some(visitor));
    }
    let fakes = day.build();
    let all = check_large(&day, &fakes, visitor, 4);
    let last = RayId::from_hex(all[10_000]["ray"].as_str().unwrap().as_bytes()).unwrap();
    for ray in [day.records[5_000].1, last] {
        assert_eq!(check_large(&day, &fakes, ray, 5), all);
    }
    let listed = listed_rays(&fakes, visitor, "");
    assert_eq!(listed, all.iter().map(|node| node["ray"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
}

#[test]
fn ten_thousand_rays_four_levels_deep() {
    let mut day = Day::default();
    let mut level = vec![(day.plain(START_MS, None), START_MS)];
    for _ in 0..4 {
        let parents = std::mem::take(&mut level);
        for (nth, (parent, at)) in parents.into_iter().enumerate() {
            for child in 0..10 {
                // Every hundredth is in another window.
                let late = if (nth * 10 + child) % 100 == 99 { 11 * MINUTE_MS } else { 0 };
                let at = at + i64::try_from(child).unwrap() * 20 + late;
                level.push((day.plain(at, Some(parent)), at));
            }
        }
    }
    let fakes = day.build();
    let all = check_large(&day, &fakes, day.records[0].1, 12);
    assert_eq!(all.len(), 11_111);
    let leaf = day.records[11_000].1;
    assert_eq!(check_large(&day, &fakes, leaf, 14), all);
}

/// A record of this zone.
fn of_zone(zone: &str, ray: RayId, parent: RayId) -> String {
    format!(r#"{{"RayID":"{ray}","ParentRayID":"{parent}","ZoneName":"{zone}","EdgeResponseStatus":200}}"#)
}

/// A visitor's request of zone a with what it caused: rays at these milliseconds, of zone b where hidden.
fn zones(children: &[(i64, bool)], with_hidden: bool) -> (Fakes, RayId) {
    let mut day = Day::default();
    let visitor = day.ray_at(START_MS);
    let mut batches = [vec![of_zone("a.example", visitor, RayId::from_bits(0))], Vec::new(), Vec::new()];
    for (nth, (late, is_hidden)) in children.iter().enumerate() {
        let ray = day.ray_at(START_MS + late);
        if *is_hidden && with_hidden {
            batches[1 + nth % 2].push(of_zone("b.example", ray, visitor));
        } else if !is_hidden {
            batches[1 + nth % 2].push(of_zone("a.example", ray, visitor));
        }
    }
    let fakes = Fakes::new();
    for (number, lines) in batches.iter().enumerate() {
        fakes.index(&format!("logs/http_requests/{number}.log"), Dataset::HttpRequests, &ndjson(lines));
    }
    (fakes, visitor)
}

/// The pages of the tree for the caller of zone a, without their cursors.
fn zone_pages(fakes: &Fakes, visitor: RayId, query: &str) -> Vec<Value> {
    let (mut pages, _) = tree_pages(fakes, Some("zone"), visitor, query);
    for page in &mut pages {
        if let Some(cursor) = page.get_mut("next_cursor") {
            *cursor = cursor.as_str().unwrap().len().into();
        }
    }
    pages
}

#[test]
fn bounds_count_what_the_caller_sees() {
    let every = |count: i64, step: i64, hidden: fn(i64) -> bool| -> Vec<(i64, bool)> {
        (1..=count).map(|nth| (nth * step, hidden(nth))).collect()
    };
    for (what, children) in [
        ("more hidden children than a page has rays", every(3_000, 20, |nth| nth % 10 != 0)),
        ("visible ones after a thousand hidden ones", every(1_205, 20, |nth| nth <= 1_000)),
        ("a page of visible ones before hidden ones", every(600, 20, |nth| nth >= 200)),
        ("two pages, the second of which is one ray", every(600, 20, |nth| nth > 200)),
        ("hidden children in forty windows", every(40, 11 * MINUTE_MS, |nth| nth % 9 != 0)),
    ] {
        let ((whole, visitor), (narrow, same)) = (zones(&children, true), zones(&children, false));
        assert_eq!(visitor, same);
        for query in ["", "&limit=7"] {
            let (one, other) = (zone_pages(&whole, visitor, query), zone_pages(&narrow, visitor, query));
            assert_eq!(one, other, "{what}{query}");
            let seen = children.iter().filter(|(_, is_hidden)| !is_hidden).count();
            assert_eq!(all_nodes(&one).len(), seen + 1, "{what}");
        }
        let path = format!("/v1/rays/{visitor}?format=native&subrequests=list");
        let [one, other] = [&whole, &narrow].map(|fakes| ask(fakes, Some("zone"), &path));
        assert_eq!((one.status, one.body), (other.status, other.body), "{what}");
        let count = |reply: &Reply| reply.headers.len();
        assert_eq!(one.headers.len(), count(&ask(&narrow, Some("zone"), &path)), "{what}");
    }
}

#[test]
fn hidden_records_in_a_line_take_no_places() {
    let mut day = Day::default();
    let visitor = day.ray_at(START_MS);
    let rays: Vec<RayId> = (1..=120).map(|nth| day.ray_at(START_MS + nth * 20)).collect();
    let world = |with_hidden: bool| {
        let inside: Vec<String> = rays
            .iter()
            .enumerate()
            .filter(|(nth, _)| with_hidden || *nth >= 100)
            .map(|(nth, ray)| of_zone(if nth < 100 { "b.example" } else { "a.example" }, *ray, visitor))
            .collect();
        let text = format!(
            r#"{{"RayID":"{visitor}","ZoneName":"a.example","EdgeStartTimestamp":"2026-03-28T08:40:00Z","Subrequests":[{}]}}"#,
            inside.join(",")
        );
        let fakes = Fakes::new();
        fakes.index("logs/http_requests/0.log", Dataset::HttpRequests, text.as_bytes());
        fakes
    };
    let (whole, narrow) = (world(true), world(false));
    assert_eq!(zone_pages(&whole, visitor, ""), zone_pages(&narrow, visitor, ""));
    assert_eq!(all_nodes(&zone_pages(&whole, visitor, "")).len(), 21);
    for form in ["list", "flatten", "merge"] {
        let path = format!("/v1/rays/{visitor}?subrequests={form}");
        let [one, other] = [&whole, &narrow].map(|fakes| ask(fakes, Some("zone"), &path));
        assert_eq!(body(&one), body(&other), "{form}");
    }
    for ray in &rays {
        let path = format!("/v1/rays/{ray}?parts=records");
        let [one, other] = [&whole, &narrow].map(|fakes| ask(fakes, Some("zone"), &path));
        assert_eq!((one.status, one.body), (other.status, other.body), "{ray}");
    }
}

#[test]
fn records_two_levels_inside_stay_hidden() {
    let mut day = Day::default();
    let [visitor, child, deep, deeper] = [0, 20, 40, 60].map(|late| day.ray_at(START_MS + late));
    let world = |inside: &[(RayId, &str)]| {
        let deepest: Vec<String> = inside.iter().map(|(ray, zone)| of_zone(zone, *ray, child)).collect();
        let middle = of_zone("a.example", child, visitor);
        let middle = middle.replacen('}', &format!(r#","Subrequests":[{}]}}"#, deepest.join(",")), 1);
        let outer = of_zone("a.example", visitor, RayId::from_bits(0));
        let outer = outer.replacen('}', &format!(r#","Subrequests":[{middle}]}}"#), 1);
        let fakes = Fakes::new();
        fakes.index("logs/http_requests/0.log", Dataset::HttpRequests, outer.as_bytes());
        fakes
    };
    let whole = world(&[(deep, "b.example"), (deeper, "a.example")]);
    let narrow = world(&[(deeper, "a.example")]);
    for ray in [visitor, child, deep, deeper] {
        for query in
            ["", "?subrequests=list", "?subrequests=flatten", "?subrequests=merge", "?format=native&subrequests=list"]
        {
            let path = format!("/v1/rays/{ray}{query}");
            let [one, other] = [&whole, &narrow].map(|fakes| ask(fakes, Some("zone"), &path));
            assert_eq!((one.status, &one.body), (other.status, &other.body), "{path}");
            let text = String::from_utf8(one.body).unwrap();
            assert!(ray == deep || !text.contains(&deep.to_string()), "{path}: {text}");
        }
    }
    let (tree, _) = tree_pages(&whole, None, visitor, "");
    assert_eq!(all_nodes(&tree).len(), 2, "what is two levels inside is not found by its ray");
}

#[test]
fn cursors_are_of_their_caller_and_question() {
    let children: Vec<(i64, bool)> = (1..30).map(|nth| (nth * 20, false)).collect();
    let (fakes, visitor) = zones(&children, true);
    let path = format!("/v1/rays/{visitor}");
    let page = body(&ask(&fakes, Some("zone"), &format!("{path}?subrequests=list&limit=5")));
    let (tree, records) = (page["tree"]["next_cursor"].as_str().unwrap(), page["next_cursor"].as_str().unwrap());
    let child = page["tree"]["nodes"][1]["ray"].as_str().unwrap();
    for (token, path) in [
        ("other", format!("{path}?parts=tree&cursor={tree}")),
        ("zone", format!("/v1/rays/{child}?parts=tree&cursor={tree}")),
        ("zone", format!("{path}?parts=tree&depth=1&cursor={tree}")),
        ("zone", format!("{path}?parts=tree&dataset=http_requests&cursor={tree}")),
        ("zone", format!("{path}?parts=tree&cursor={records}")),
        ("zone", format!("{path}?parts=records&subrequests=list&cursor={tree}")),
        ("zone", format!("{path}?cursor={}", tree.replacen(|sign: char| sign.is_ascii_digit(), "_", 1))),
        ("zone", format!("{path}?cursor=x")),
        ("zone", format!("/v1/rays/test-ray-1?cursor={tree}")),
    ] {
        assert_eq!(problem(&ask(&fakes, Some(token), &path)), (400, "bad_cursor".into()), "{token}: {path}");
    }
    let next = body(&ask(&fakes, Some("zone"), &format!("{path}?subrequests=list&limit=5&cursor={records}")));
    assert_eq!((next["records"].as_array().unwrap().len(), next.get("tree")), (5, None));
    let next = body(&ask(&fakes, Some("zone"), &format!("{path}?subrequests=list&limit=5&cursor={tree}")));
    assert_eq!((next["records"].as_array().unwrap().len(), next["tree"]["nodes"].as_array().unwrap().len()), (0, 5));
}

#[test]
fn tag_of_a_page_changes_with_the_page() {
    let children: Vec<(i64, bool)> = (1..30).map(|nth| (nth * 20, false)).collect();
    let (fakes, visitor) = zones(&children, true);
    let path = format!("/v1/rays/{visitor}?parts=tree&limit=20");
    let tag = |path: &str| {
        let reply = ask(&fakes, None, path);
        let tag = reply.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.to_string();
        (tag, body(&reply)["tree"]["next_cursor"].clone())
    };
    let (first, cursor) = tag(&path);
    fakes.bits.set(77);
    let (again, other_cursor) = tag(&path);
    assert_eq!(first, again);
    assert_ne!(cursor, other_cursor, "each is sealed anew");
    let next = format!("{path}&cursor={}", cursor.as_str().unwrap());
    let (second, _) = tag(&next);
    // A child that comes after the first page changes the tag of the second one alone.
    let late = RayId::at(START_MS + 40 * 20, 5).unwrap();
    fakes.index("logs/http_requests/late.log", Dataset::HttpRequests, of_zone("a.example", late, visitor).as_bytes());
    assert_eq!(tag(&path).0, first);
    assert_ne!(tag(&next).0, second);
}

#[test]
fn children_that_come_meanwhile_follow_the_place() {
    let children: Vec<(i64, bool)> = (1..10).map(|nth| (nth * 100, false)).collect();
    let (fakes, visitor) = zones(&children, true);
    let path = format!("/v1/rays/{visitor}?parts=tree&limit=4");
    let first = body(&ask(&fakes, None, &path))["tree"].clone();
    let rays = [150, 550].map(|late| RayId::at(START_MS + late, 5).unwrap());
    let lines = rays.map(|ray| line(Dataset::HttpRequests, ray, Some(visitor)));
    fakes.index("logs/http_requests/late.log", Dataset::HttpRequests, &ndjson(&lines));
    let cursor = first["next_cursor"].as_str().unwrap();
    let (rest, _) = tree_pages(&fakes, None, visitor, &format!("&limit=100&cursor={cursor}"));
    let found: Vec<bool> =
        rays.iter().map(|ray| all_nodes(&rest).iter().any(|node| node["ray"] == ray.to_string())).collect();
    assert_eq!((found, all_nodes(&rest).len()), (vec![false, true], 10 - 4 + 1));
}

#[test]
fn parameters_without_effect_are_refused() {
    let (fakes, visitor) = zones(&[(20, false)], true);
    let filter =
        "filter=%7B%22where%22%3A%7B%22key%22%3A%22RayID%22%2C%22operator%22%3A%22eq%22%2C%22value%22%3A%22x%22%7D%7D";
    for query in [
        "parts=tree&fields=RayID",
        "parts=deliveries&fields=RayID",
        "parts=tree&timestamps=unix",
        "parts=deliveries&timestamps=unix",
        &format!("parts=tree&{filter}"),
        "parts=tree&subrequests=list",
        "parts=tree&subrequests=merge",
        "subrequests=merge&dataset=firewall_events",
        "format=native&subrequests=flatten&dataset=workers_trace_events",
        "parts=records&depth=1",
        "parts=records&subrequests=list&depth=1",
        "parts=records&limit=10",
        "parts=records&cursor=x",
        "format=native&depth=1",
        "format=csv&limit=10",
        "format=explain&depth=1",
    ] {
        let reply = Ask::get(&format!("/v1/rays/{visitor}?{query}")).of(&fakes);
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{query}");
    }
    for query in [
        "parts=tree&depth=1&limit=5",
        "parts=tree&subrequests=none",
        "parts=records&fields=RayID&timestamps=unix",
        "parts=deliveries&subrequests=list&limit=5",
        "format=native&subrequests=list&limit=5",
        "fields=RayID&depth=1",
        &format!("parts=records&{filter}"),
    ] {
        let reply = Ask::get(&format!("/v1/rays/{visitor}?{query}")).of(&fakes);
        assert_eq!(reply.status, 200, "{query}: {}", String::from_utf8_lossy(&reply.body));
    }
}
