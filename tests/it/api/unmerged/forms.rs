//! Forms of the member that no job writes, and some that one may.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use raydex::limits::MERGED_CHILDREN;
use raydex::lookup::MergedOrigin;
use raydex::record::{Dataset, RayKey, read_key};
use serde_json::{Value, json};

use super::story::{batch, wish};
use super::support::Fakes;
use super::support::records::{PREFIX, ndjson, ray};
use super::{Ask, body};

const HTTP: Dataset = Dataset::HttpRequests;

/// The ray of the line, and one that must be found or must not.
const LINE: u64 = 1;
const CHILD: u64 = 2;

/// A line with this text after its ray.
fn line(more: &str) -> String {
    format!(r#"{{"RayID":"{}"{more}}}"#, ray(LINE))
}

/// Indexes a line alone; what the lookup of the child finds.
fn found(dataset: Dataset, line: &[u8]) -> Vec<Vec<u8>> {
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index("logs/x/a.log", dataset, line);
    let outcome = format!("{outcome:?}");
    assert!(outcome.contains("records: 1,") && outcome.contains("rejected: {}"), "{outcome}");
    let result = fakes.find(dataset, &ray(CHILD).to_string());
    assert!(!result.cut.truncated && result.stats.batches_unreadable == 0);
    result.records.into_iter().map(|record| record.line).collect()
}

#[test]
fn child_is_found_byte_for_byte() {
    let child = ray(CHILD);
    for spelled in [
        format!(r#"{{"RayID":"{child}"}}"#),
        format!(r#"{{ "a" : [1, {{}}] ,"RayID" : "{child}" }}"#),
        format!(r#"{{"\u0052ayID":"{}-HKG"}}"#, child.to_string().to_uppercase()),
        format!(r#"{{"RayID":"x","é\ud800":"\ud83d","RayID":"{child}","ParentRayID":7}}"#),
        format!(r#"{{"RayID":"{child}","Subrequests":[{{"RayID":"{}"}}]}}"#, ray(3)),
    ] {
        for array in [
            format!(r#","Subrequests":[{spelled}]"#),
            format!(r#","Subrequests" : [ {spelled} , {{}} ] "#),
            format!(r#","Subr\u0065quests":[null,"{child}",7,[{{"RayID":"{child}"}}],{{}},{spelled}],"Z":1"#),
            format!(r#","Subrequests":[{{"RayID":"{child}","no":1}}],"Subrequests":[{spelled}]"#),
        ] {
            assert_eq!(found(HTTP, line(&array).as_bytes()), [spelled.as_bytes()], "{array}");
        }
    }
    // What is not UTF-8 stays so.
    let raw = [br#"{"a":""#.as_slice(), b"\xff\xe9", format!(r#"","RayID":"{child}"}}"#).as_bytes()].concat();
    let text = [line(r#","b":"#).strip_suffix('}').unwrap().as_bytes(), b"\"\xc3(\",\"Subrequests\":[{},", &raw, b"]}"]
        .concat();
    assert_eq!(found(HTTP, &text), [raw]);
}

#[test]
fn nothing_else_is_taken_for_a_child() {
    let child = ray(CHILD);
    let object = format!(r#"{{"RayID":"{child}"}}"#);
    for more in [
        format!(r#","Subrequests":{object}"#),
        format!(r#","Subrequests":"[{}]""#, object.replace('"', "\\\"")),
        format!(r#","Subrequests":"{child}""#),
        format!(r#","Subrequests":[[{object}]]"#),
        format!(r#","Subrequests":[{{"x":{object}}}]"#),
        format!(
            r#","Subrequests":[{{"RayID":{{"RayID":"{child}"}}}},{{"RayID":["{child}"]}},{{"ParentRayID":"{child}"}}]"#
        ),
        format!(r#","Subrequests":[{{"RayID":"{}","Subrequests":[{object}]}}]"#, ray(3)),
        format!(r#","Subrequests":[{object}],"Subrequests":[]"#),
        format!(r#","Subrequests":[{object}],"Subr\u0065quests":null"#),
        format!(r#","subrequests":[{object}],"Subrequests ":[{object}]"#),
        format!(r#","Nested":{{"Subrequests":[{object}]}},"List":[{{"Subrequests":[{object}]}}]"#),
        // A record of another dataset is none of this batch.
        format!(
            r#","Subrequests":[{{"Action":"log","Kind":"firewall","MatchIndex":0,"Datetime":1,"RayID":"{child}"}}]"#
        ),
        String::new(),
    ] {
        assert!(found(HTTP, line(&more).as_bytes()).is_empty(), "{more}");
    }
    let member = format!(r#","Subrequests":[{object}]"#);
    let fakes = Fakes::new();
    let event = format!(r#"{{"Action":"log","Kind":"firewall","RayID":"{}"{member}}}"#, ray(LINE));
    let trace = format!(r#"{{"Event":{{"RayID":"{}","Subrequests":[{object}]}}{member}}}"#, ray(LINE));
    for (dataset, text) in [(Dataset::FirewallEvents, event), (Dataset::WorkersTraceEvents, trace)] {
        fakes.index(&format!("logs/{dataset}/a.log"), dataset, text.as_bytes());
        assert!(fakes.find(dataset, &child.to_string()).records.is_empty(), "{dataset}");
    }
}

#[test]
fn nonstandard_ids_are_found_by_exact_match() {
    let fakes = Fakes::new();
    let text = line(r#","Subrequests":[{"RayID":"test-ray-001"},{"RayID":"[masked]"},{"RayID":""},{"RayID":12}]"#);
    fakes.index("logs/x/a.log", HTTP, text.as_bytes());
    for (id, count) in [("test-ray-001", 1), ("[masked]", 1), ("12", 1), ("test-ray-002", 0), ("1", 0)] {
        assert_eq!(fakes.find(HTTP, id).records.len(), count, "{id}");
    }
}

#[test]
fn children_beyond_the_bound_are_counted() {
    let more = 6;
    let rays: Vec<String> = (0..MERGED_CHILDREN + more).map(|nth| ray(10 + nth as u64).to_string()).collect();
    let children: Vec<Value> = rays.iter().map(|ray| json!({ "RayID": ray })).collect();
    let text = line(&format!(r#","Subrequests":{}"#, json!(children)));
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index("logs/x/a.log", HTTP, text.as_bytes());
    assert!(format!("{outcome:?}").contains(&format!("unindexed_children: {more}")), "{outcome:?}");
    let found: Vec<bool> = rays.iter().map(|ray| !fakes.find(HTTP, ray).records.is_empty()).collect();
    assert_eq!(found, [vec![true; MERGED_CHILDREN], vec![false; more]].concat());
    let tree = body(&Ask::get(&format!("/v1/rays/{}", ray(LINE))).of(&fakes))["tree"].clone();
    assert_eq!((&tree["truncated"], tree["nodes"].as_array().unwrap().len()), (&true.into(), MERGED_CHILDREN + 1));
    // Of a ray that may be one of those, it is not said that it was not logged.
    let absent = body(&Ask::get(&format!("/v1/rays/{}", rays[MERGED_CHILDREN])).of(&fakes));
    assert_eq!(absent["verdict"]["evidence"]["unindexed_children"], more, "{absent}");
    // What is in no list of its own stays where it is.
    let flat = body(&Ask::get(&format!("/v1/rays/{}?subrequests=flatten", ray(LINE))).of(&fakes));
    assert_eq!(flat["records"].as_array().unwrap().len(), MERGED_CHILDREN + 1);
    assert_eq!(flat["records"][0]["record"]["Subrequests"].as_array().unwrap().len(), more);
}

#[test]
fn repeated_rays_are_all_found() {
    let child = |nth: u64| format!(r#"{{"RayID":"{}","n":{nth}}}"#, ray(CHILD));
    let text = line(&format!(r#","Subrequests":[{1},{2},{{"RayID":"{0}"}},{1}]"#, ray(3), child(1), child(2)));
    let other = line(&format!(r#","Subrequests":[{}]"#, child(3)));
    let fakes = Fakes::new();
    fakes.index("logs/x/a.log", HTTP, &ndjson([text.as_str(), &other, &child(1)]));
    let result = fakes.find(HTTP, &ray(CHILD).to_string());
    let lines: Vec<String> =
        result.records.iter().map(|record| String::from_utf8(record.line.clone()).unwrap()).collect();
    assert_eq!(lines, [child(1), child(2), child(3)]);
    // The same record again in the same line, and in a line of its own.
    let copies: Vec<bool> = result.records[0].copies.iter().map(|copy| copy.merged.is_some()).collect();
    assert_eq!((copies, result.stats.full_scans), (vec![true, false], 0));
    let origin = MergedOrigin { ray: Some(RayKey::Ray(ray(LINE))), zone: None };
    assert_eq!(result.records[2].merged, Some(origin));
    // No request is a subrequest of its own.
    let own = format!(r#"{{"RayID":"{0}","Subrequests":[{{"RayID":"{0}"}}]}}"#, ray(7));
    fakes.index("logs/x/b.log", HTTP, own.as_bytes());
    let result = fakes.find(HTTP, &ray(7).to_string());
    assert_eq!((result.records.len(), result.records[0].line.as_slice()), (1, own.as_bytes()));
}

#[test]
fn child_of_another_window_and_span_is_found() {
    let far = raydex::record::RayId::from_parts(PREFIX + 3, 77);
    let filler = "x".repeat(200_000);
    let text = |nth: u64| {
        let child = if nth == 30 { far } else { ray(1_000 + nth) };
        format!(r#"{{"RayID":"{}","f":"{filler}{nth}","Subrequests":[{{"RayID":"{child}","n":{nth}}}]}}"#, ray(nth))
    };
    let fakes = Fakes::new();
    fakes.index("logs/x/a.log", HTTP, &ndjson((10..60).map(text)));
    for (child, nth) in [(ray(1_010), 10), (ray(1_059), 59), (far, 30)] {
        let result = fakes.find(HTTP, &child.to_string());
        assert_eq!(result.records.len(), 1, "{child}");
        let wanted = format!(r#"{{"RayID":"{child}","n":{nth}}}"#);
        assert_eq!(result.records[0].line, wanted.as_bytes());
        assert_eq!(result.records[0].copies, []);
        assert!(result.stats.bytes_inflated < 4_000_000 && result.stats.full_scans == 0, "{:?}", result.stats);
    }
    let tree = body(&Ask::get(&format!("/v1/rays/{far}")).of(&fakes))["tree"].clone();
    assert_eq!(tree["root"], ray(30).to_string());
    assert_eq!((&tree["nodes"][1]["ray"], &tree["nodes"][1]["link"]), (&far.to_string().into(), &"subrequest".into()));
}

#[test]
fn child_without_a_parent_is_below_its_line() {
    let fakes = Fakes::new();
    let text = line(&format!(
        r#","Subrequests":[{{"RayID":"{}"}},{{"RayID":"{}","ParentRayID":"{}"}}]"#,
        ray(CHILD),
        ray(3),
        ray(CHILD)
    ));
    fakes.index("logs/x/a.log", HTTP, text.as_bytes());
    for nth in [LINE, CHILD, 3] {
        let answer = body(&Ask::get(&format!("/v1/rays/{}", ray(nth))).of(&fakes));
        let nodes: Vec<(&str, Option<&str>)> = answer["tree"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (node["ray"].as_str().unwrap(), node["parent"].as_str()))
            .collect();
        let [one, two, three] = [LINE, CHILD, 3].map(|nth| ray(nth).to_string());
        assert_eq!(nodes, [(one.as_str(), None), (&two, Some(one.as_str())), (&three, Some(two.as_str()))]);
        let merged_in = answer["records"][0].get("merged_in").cloned();
        assert_eq!(merged_in, (nth != LINE).then(|| one.clone().into()));
    }
    // The line has no ray of its own.
    let text = format!(r#"{{"EdgeStartTimestamp":1774687345,"Subrequests":[{{"RayID":"{}"}}]}}"#, ray(CHILD));
    fakes.index("logs/x/a.log", HTTP, text.as_bytes());
    let answer = body(&Ask::get(&format!("/v1/rays/{}", ray(CHILD))).of(&fakes));
    assert_eq!((answer["records"].as_array().unwrap().len(), answer["records"][0].get("merged_in")), (1, None));
}

#[test]
fn delivery_of_a_merged_record_is_none() {
    let fakes = Fakes::new();
    let fields = r#""EdgeStartTimestamp":1774687345,"ClientRequestMethod":"GET""#;
    let child = format!(r#"{{"RayID":"{}",{fields}}}"#, ray(CHILD));
    let text = line(&format!(r#",{fields},"Subrequests":[{child}]"#));
    let key = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_aa.log.gz";
    batch(&fakes, key, &super::support::gzip::gzip(&ndjson([text.as_str(), &child])), Some(wish()));
    let ask = |nth: u64| body(&Ask::get(&format!("/v1/rays/{}/deliveries", ray(nth))).of(&fakes))["records"].clone();
    let statuses = |records: &Value| -> Vec<(String, usize)> {
        let of = |record: &Value| {
            (record["delivery_status"].as_str().unwrap().to_owned(), record["payloads"].as_array().unwrap().len())
        };
        records.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(statuses(&ask(LINE)), [("assigned".to_owned(), 1)]);
    let of_child = ask(CHILD);
    assert_eq!(statuses(&of_child), [("merged".to_owned(), 0), ("assigned".to_owned(), 1)]);
    assert_eq!((&of_child[0]["merged_in"], of_child[1].get("merged_in")), (&ray(LINE).to_string().into(), None));
}

proptest! {
    #[test]
    fn any_member_is_indexed_as_it_is_confirmed(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "{", "}", ",", ":", "null", "1", " ", "\"x\"", "{}", "\"RayID\":", "\"Subrequests\":[", "\\u0041",
            "{\"RayID\":\"6700000000000002\"}", "{\"RayID\":\"6700000000000003\",\"a\":[{}]}", "\"6700000000000002\"",
        ]), 0..14),
    ) {
        let text = format!(r#"{{"RayID":"6700000000000001","Subrequests":[{}]}}"#, pieces.concat());
        let is_json = serde_json::from_str::<Value>(&text).is_ok();
        let key = read_key(HTTP, text.as_bytes());
        prop_assert_eq!(key.is_ok(), is_json, "{}", text);
        let Ok(key) = key else { return Ok(()) };
        let value: Value = serde_json::from_str(&text).unwrap();
        let empty = Vec::new();
        let of = |value: &Value| match &value["RayID"] {
            Value::String(ray) => Some(ray.clone()),
            Value::Number(ray) => Some(ray.to_string()),
            _ => None,
        };
        let own = of(&value);
        let wanted: Vec<String> = value["Subrequests"].as_array().unwrap_or(&empty).iter().filter(|inner| inner.is_object()).filter_map(of)
                .filter(|ray| own.as_ref() != Some(ray)).collect();
        let read: Vec<String> = key.children().iter().map(|child| child.ray.to_string()).collect();
        prop_assert_eq!(&read, &wanted, "{}", text);
        for child in key.children() {
            let inner: Value = serde_json::from_slice(child.record(text.as_bytes())).unwrap();
            prop_assert!(value["Subrequests"].as_array().unwrap().contains(&inner));
        }
        let fakes = Fakes::new();
        fakes.index("logs/x/a.log", HTTP, text.as_bytes());
        for nth in 1..4 {
            let id = format!("670000000000000{nth}");
            let count = own.iter().chain(&read).filter(|ray| **ray == id).count();
            let found = fakes.find(HTTP, &id);
            let found: usize = found.records.iter().map(|record| 1 + record.copies.len()).sum();
            prop_assert_eq!(found, count, "{}: {}", id, text);
        }
    }
}
