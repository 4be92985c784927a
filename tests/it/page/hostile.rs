//! Values that attack the page: whatever they are, the page has the same elements, and shows them as text.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use raydex::page::answer::{AnswerDocument, AnswerTab, ComparisonDocument, NeighboursDocument};
use serde_json::{Value, json};

use super::markup::structure;
use super::{answer, html};

const RAY: &str = "9e3556d8c2ab1c05";
const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</textarea></title></svg><script>x</script>",
    "&lt;b&gt;&#x3c;",
    "a\u{202e}b\u{2066}c\u{200b}d\u{feff}",
    "\u{1b}[31mred\u{1b}]8;;http://x\u{7}\0\r\n\t",
    "```\n| a | b |\n@everyone #1 [x](javascript:y) <!-- -->",
    "javascript:alert(1)",
];

/// Replaces each text in a value that is no ray, no name of a dataset and no link by another one.
fn replace_texts(value: &mut Value, text: &str) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| replace_texts(value, text)),
        Value::Object(members) => {
            let kept = [
                "ray",
                "parent",
                "dataset",
                "root",
                "link",
                "RayID",
                "ParentRayID",
                "OriginatorRayID",
                "delivery_status",
                "state",
            ];
            members
                .iter_mut()
                .filter(|(name, _)| !kept.contains(&name.as_str()))
                .for_each(|(_, value)| replace_texts(value, text));
        }
        Value::String(_) => *value = Value::String(text.to_owned()),
        _ => {}
    }
}

fn document(value: &Value) -> AnswerDocument {
    AnswerDocument::read(value.to_string().as_bytes()).unwrap()
}

fn stored(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(super::path(&format!("{name}.json"))).unwrap()).unwrap()
}

#[test]
fn goldens_are_markup_without_repair() {
    for (name, of, tab) in super::GOLDENS {
        let structure = structure(&html(&answer(of), tab)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(structure.len() > 40, "{name}");
    }
}

#[test]
fn hostile_texts_leave_the_elements_alone() {
    for name in ["story", "masked", "blocked", "threw"] {
        for tab in [AnswerTab::Record, AnswerTab::Json, AnswerTab::Deliveries] {
            let mut plain = stored(name);
            replace_texts(&mut plain, "x");
            let wanted = structure(&html(&document(&plain), tab)).unwrap();
            for text in HOSTILE {
                let mut hostile = stored(name);
                replace_texts(&mut hostile, text);
                let found = structure(&html(&document(&hostile), tab))
                    .unwrap_or_else(|error| panic!("{name} {text:?}: {error}"));
                // A command needs a host that is one, so that it alone may be missing.
                let bare = |structure: &[String]| {
                    structure.iter().filter(|tag| !is_optional(tag)).cloned().collect::<Vec<_>>()
                };
                assert_eq!(bare(&found), bare(&wanted), "{name} {text:?}");
            }
        }
    }
}

/// The tags of the command and of the values' readings, which depend on what a value is.
fn is_optional(tag: &str) -> bool {
    [
        "details ",
        "/details ",
        "summary ",
        "/summary ",
        "code ",
        "/code ",
        "small ",
        "/small ",
        "textarea ",
        "/textarea ",
        "button ",
        "/button ",
    ]
    .iter()
    .any(|optional| tag.starts_with(optional))
}

#[test]
fn megabyte_is_cut_and_whole_in_json() {
    let long = "<é>".repeat(250_000);
    let record = json!({ "RayID": RAY, "EdgeStartTimestamp": 1, "ClientRequestUserAgent": long, "ClientRequestURI": long, "ClientRequestHost": "a.example", "ClientRequestMethod": "GET" });
    let value =
        json!({ "ray": RAY, "records": [{ "dataset": "http_requests", "batch": { "key": "k" }, "record": record }] });
    let fields = html(&document(&value), AnswerTab::Record);
    assert!(fields.len() < 64_000, "{} bytes", fields.len());
    assert!(fields.contains("750,000 characters in all"));
    structure(&fields).unwrap();
    let partner = html(&document(&value), AnswerTab::Partner);
    assert!(partner.len() < 64_000, "{} bytes", partner.len());
    assert!(partner.contains("cut for this page") && partner.contains("http_user_agent"));
    structure(&partner).unwrap();
    let json = html(&document(&value), AnswerTab::Json);
    assert!(json.matches("&lt;é&gt;").count() >= 500_000);
}

#[test]
fn nested_values_of_any_depth_are_shown() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(
        r#"{{"ray":"{RAY}","records":[{{"dataset":"workers_trace_events","batch":{{"key":"k"}},"record":{{"Event":{{"RayID":"{RAY}"}},"EventTimestampMs":1,"Outcome":"ok","Logs":[{{"Message":{deep}}},{{"Message":[{deep}]}}],"Exceptions":{deep},"X":{deep}}}}}]}}"#
    );
    let document = AnswerDocument::read(text.as_bytes()).unwrap();
    for tab in AnswerTab::ALL {
        structure(&html(&document, tab)).unwrap();
    }
}

/// Any text, with the characters of markup more often than not.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&\"'`|@\\n\u{202e}\u{1b}a-z=/ ]{0,40}",
        proptest::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned)
    ]
}

/// Any JSON of few values.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        texts().prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null)
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::btree_map(names(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Names that the page knows, and others.
fn names() -> impl Strategy<Value = String> {
    let known = [
        "RayID",
        "EdgeStartTimestamp",
        "EdgeEndTimestamp",
        "EdgeResponseStatus",
        "OriginResponseStatus",
        "CacheCacheStatus",
        "SecurityAction",
        "ClientRequestHost",
        "ClientRequestURI",
        "ClientRequestMethod",
        "RequestHeaders",
        "Event",
        "Logs",
        "Exceptions",
        "Message",
        "Level",
        "Name",
        "Outcome",
        "Action",
        "Description",
        "Datetime",
        "EventTimestampMs",
        "TimestampMs",
        "Response",
        "Status",
        "WallTimeMs",
        "accept",
        "OriginDNSResponseTimeMs",
    ];
    prop_oneof![3 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => texts()]
}

/// A document with records and a tree of any values.
fn documents() -> impl Strategy<Value = Value> {
    let dataset = proptest::sample::select(vec![
        "http_requests",
        "firewall_events",
        "workers_trace_events",
        "access_requests",
        "other",
    ]);
    let record = (dataset, proptest::collection::btree_map(names(), values(), 0..12), texts(), any::<u64>()).prop_map(
        |(dataset, members, key, offset)| {
            let mut record: Value = members.into_iter().collect();
            record["RayID"] = json!(RAY);
            record["Event"] = json!({ "RayID": RAY });
            json!({ "dataset": dataset, "batch": { "key": key, "offset": offset }, "record": record })
        },
    );
    let node = (texts(), proptest::option::of(texts()), 0_usize..40, texts())
        .prop_map(|(ray, parent, depth, link)| json!({ "ray": ray, "parent": parent, "depth": depth, "link": link }));
    (texts(), proptest::collection::vec(record, 0..4), proptest::collection::vec(node, 0..8), texts()).prop_map(|(ray, records, nodes, time)| {
        json!({ "ray": ray, "ray_time": time, "records": records, "tree": { "root": "x", "nodes": nodes }, "warnings": [{ "detail": time }],
            "deliveries": [{ "delivery_status": time, "batch": { "key": ray }, "payloads": [{ "state": time, "code": time, "last_attempt_at": time }],
                "again": [{ "delivery_status": time, "backfill": { "id": 7, "reason": time, "created_at": ray }, "payloads": [{ "state": ray }] }] }] })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_document_is_markup_without_repair(value in documents()) {
        let document = document(&value);
        for tab in AnswerTab::ALL {
            let found = structure(&html(&document, tab));
            prop_assert!(found.is_ok(), "{:?}", found);
        }
    }

    #[test]
    fn any_text_leaves_the_elements_alone(text in texts()) {
        let of = |text: &str| {
            let record = json!({ "RayID": RAY, "EdgeStartTimestamp": 1, "x": format!("a{text}"), "SecurityRuleDescription": format!("a{text}") });
            let value = json!({ "ray": RAY, "records": [{ "dataset": "http_requests", "batch": { "key": text }, "record": record }] });
            structure(&html(&document(&value), AnswerTab::Record)).unwrap()
        };
        prop_assert_eq!(of(&text), of("b"));
    }

    #[test]
    fn any_json_is_read_or_refused(value in values(), bytes: Vec<u8>) {
        for json in [value.to_string().into_bytes(), bytes] {
            if let Ok(document) = AnswerDocument::read(&json) {
                prop_assert!(structure(&html(&document, AnswerTab::Record)).is_ok());
            }
            if let Ok(document) = NeighboursDocument::read(&json) {
                prop_assert!(document.neighbours.len() <= json.len());
            }
            if let Ok(document) = ComparisonDocument::read(&json) {
                prop_assert!(document.different.len() <= json.len());
            }
        }
    }
}
