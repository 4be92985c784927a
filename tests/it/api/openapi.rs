//! `schemas/openapi.json` says what the routes are and what they answer.

use std::collections::{BTreeMap, BTreeSet};

use raydex::batch::BatchForm;
use raydex::limits::{
    AUDIT_PAGE, BACKFILL_RATE, BATCHES_LISTED, COUNT_FIELDS, COUNT_STEPS, COUNT_TOP, COUNT_VALUE_BYTES,
    DEAD_LETTERS_LISTED, ENGINE_LISTED, FAMILY_LEVELS, FAMILY_RAYS, FILTER_BYTES, HOURS_READ, LISTED,
    NEIGHBOURS_DEFAULT, NEIGHBOURS_DEFAULT_WITHIN_S, NEIGHBOURS_LISTED, NEIGHBOURS_WITHIN_S, PAYLOADS_LISTED,
    RAYS_ASKED, REASON_CHARS, TOKEN_DAYS, TOKEN_DAYS_MAX, TOKENS_LISTED,
};
use raydex::router::{ROUTES, Route, RouteSpec};
use regex::Regex;
use serde_json::{Value, json};

use super::document::{Document, TEXT, check_against_openapi, escaped, with};
use super::support::Fakes;
use super::{Ask, header};

/// The problems, as they are written.
const PROBLEMS: &str = concat!(
    include_str!("../../../src/http/problems.rs"),
    include_str!("../../../src/http/backfill_problems.rs"),
    include_str!("../../../src/http/budget_problems.rs"),
    include_str!("../../../src/http/delivery_problems.rs"),
    include_str!("../../../src/http/erasure_problems.rs"),
    include_str!("../../../src/http/mcp_problems.rs"),
    include_str!("../../../src/http/neighbour_problems.rs"),
    include_str!("../../../src/http/token_problems.rs"),
    include_str!("../../../src/http/trace_problems.rs"),
    include_str!("../../../src/http/upload_problems.rs")
);

/// Where the operation of a row stands.
fn operation(row: &RouteSpec) -> String {
    format!("/paths/{}/{}", escaped(row.path), row.method.to_lowercase())
}

/// The members of an object, with where each stands.
fn members(document: &Document, pointer: &str) -> Vec<(String, String)> {
    let members = document.root.pointer(pointer).and_then(Value::as_object);
    members
        .into_iter()
        .flat_map(|members| members.keys())
        .map(|name| (name.clone(), pointer.to_owned() + "/" + &escaped(name)))
        .collect()
}

/// The parameters of an operation.
fn parameters(document: &Document, operation: &str) -> Vec<Value> {
    let parameters = document.root.pointer(&format!("{operation}/parameters")).and_then(Value::as_array);
    (0..parameters.map_or(0, Vec::len))
        .map(|place| document.at(&format!("{operation}/parameters/{place}")).unwrap().0.clone())
        .collect()
}

/// Every object below this one that has the member, with where it stands.
fn having<'a>(value: &'a Value, name: &str, at: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            if members.contains_key(name) {
                found.push((at.to_owned(), value));
            }
            members.iter().for_each(|(key, value)| having(value, name, &format!("{at}/{}", escaped(key)), found));
        }
        Value::Array(items) => {
            (0..)
                .zip(items)
                .for_each(|(place, value): (usize, _)| having(value, name, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

/// The status and the code of every problem.
fn problems() -> BTreeSet<(u16, String)> {
    let form = Regex::new(r#"Problem::new\(\s*([0-9]+),\s+"([a-z_]+)""#).unwrap();
    let written = form.captures_iter(PROBLEMS).map(|found| (found[1].parse().unwrap(), found[2].to_owned()));
    // An upload is refused with the code of its form.
    written.chain(BatchForm::ALL.map(|form| (422, form.code().to_owned()))).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described: BTreeSet<(String, String)> = with(|document| {
        let paths = document.root["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, of_path)| {
            of_path.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
        });
        operations.collect()
    });
    let routes: BTreeSet<_> = ROUTES.iter().map(|row| (row.path.to_owned(), row.method.to_owned())).collect();
    assert_eq!(described, routes);
}

#[test]
fn a_route_takes_the_parameters_that_are_described() {
    for row in ROUTES {
        let described = with(|document| parameters(document, &operation(row)));
        let names = |place: &str| -> Vec<&str> {
            described.iter().filter(|one| one["in"] == place).map(|one| one["name"].as_str().unwrap()).collect()
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let owned = |names: &[&str]| sorted(names.iter().map(|name| (*name).to_owned()).collect());
        let arguments = row.path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(names("path"), arguments.collect::<Vec<_>>(), "{}", row.name());
        assert_eq!(owned(&names("query")), owned(row.parameters), "{}", row.name());
        let other = |name: &&str| *name != "If-None-Match";
        let reasons = if row.shows_records() { vec!["raydex-reason"] } else { Vec::new() };
        assert_eq!(names("header").into_iter().filter(other).collect::<Vec<_>>(), reasons, "{}", row.name());
        for one in &described {
            assert!(one["in"] != "path" || one["required"] == true, "{one}");
            assert!(one["description"].as_str().is_some_and(|words| words.ends_with('.')), "{one}");
            // Nobody can know a cursor beforehand.
            assert_eq!(one.get("example").is_none(), one["name"] == "cursor", "{one}");
        }
    }
}

#[test]
fn scopes_and_auditing_match_the_route_table() {
    for row in ROUTES {
        let (operation, statuses) = with(|document| {
            let pointer = operation(row);
            let statuses: Vec<String> =
                members(document, &(pointer.clone() + "/responses")).into_iter().map(|(status, _)| status).collect();
            (document.root.pointer(&pointer).unwrap().clone(), statuses)
        });
        let scopes: Vec<_> = row.scopes.iter().map(|scope| format!("{scope:?}").to_lowercase()).collect();
        assert_eq!(operation["x-raydex-scopes"], json!(scopes), "{}", row.name());
        assert_eq!(operation["x-raydex-audited"], row.audited, "{}", row.name());
        let is_open = row.scopes.is_empty();
        assert_eq!(operation.get("security"), is_open.then(|| json!([])).as_ref(), "{}", row.name());
        // Asked deeply, the health is for administrators alone.
        let refuses = !is_open || row.route == Route::GetHealth;
        for status in ["401", "403"] {
            assert_eq!(statuses.iter().any(|listed| listed == status), refuses, "{} {status}", row.name());
        }
        assert!(statuses.contains(&"503".to_owned()), "{}", row.name());
        // Every body that is read or written has a bound, but for constants.
        assert_eq!(statuses.contains(&"413".to_owned()), !is_open, "{}", row.name());
        // Of every POST the whole body is read, and waited for.
        assert_eq!(statuses.contains(&"408".to_owned()), row.method == "POST", "{}", row.name());
        assert!(row.method == "POST" || operation.get("requestBody").is_none(), "{}", row.name());
    }
}

#[test]
fn codes_and_statuses_are_those_of_the_problems() {
    let problems = problems();
    let codes: BTreeSet<_> = problems.iter().map(|(_, code)| code.clone()).collect();
    let statuses: BTreeSet<_> = problems.iter().map(|(status, _)| *status).collect();
    assert!(codes.len() > 20);
    with(|document| {
        let schema = &document.root["components"]["schemas"]["Problem"]["properties"];
        assert_eq!(schema["code"]["enum"], json!(codes));
        assert_eq!(schema["status"]["enum"], json!(statuses));
        for row in ROUTES {
            for (status, pointer) in members(document, &(operation(row) + "/responses")) {
                let (response, _) = document.at(&pointer).unwrap();
                let is_problem = response.to_string().contains("schemas/Problem\"") && status != "200";
                let is_known = statuses.contains(&status.parse().unwrap());
                assert!(is_known || !is_problem, "{} {status}", row.name());
                assert!(is_known || ["200", "201", "202", "304"].contains(&status.as_str()), "{} {status}", row.name());
            }
        }
    });
}

#[test]
fn every_reference_names_something() {
    with(|document| {
        let mut found = Vec::new();
        having(&document.root, "$ref", "", &mut found);
        assert!(found.len() > 200);
        let mut named = BTreeSet::new();
        for (at, value) in found {
            let reference = value["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.root.pointer(reference).is_some(), "{at} names {reference}");
            named.insert(reference.to_owned());
        }
        // Whatever has no route of its own, and so nothing that refers to it.
        let alone = ["NoSuchPath", "NoSuchMethod", "ClientNoSuchMethod", "TempoNoSuchMethod"];
        for kind in ["parameters", "headers", "responses", "schemas"] {
            for (name, pointer) in members(document, &format!("/components/{kind}")) {
                assert_ne!(named.contains(&pointer), alone.contains(&name.as_str()), "{pointer}");
            }
        }
    });
}

#[test]
fn every_example_fits_its_schema() {
    with(|document| {
        let root = document.root.clone();
        let mut found = Vec::new();
        having(&root, "schema", "", &mut found);
        let mut examples = 0;
        for (at, value) in found {
            let several =
                value["examples"].as_object().into_iter().flat_map(|all| all.values().map(|one| &one["value"]));
            for example in value.get("example").into_iter().chain(several) {
                examples += 1;
                let media_type = at.rsplit('/').next().unwrap().replace("~1", "/");
                let fits = match example.as_str() {
                    Some(text) if at.contains("/content/") => document.fits_body(&at, &media_type, text.as_bytes()),
                    _ => document.fits(&format!("{at}/schema"), example),
                };
                assert_eq!(fits, Ok(()), "{at}");
            }
        }
        assert!(examples > 100, "{examples}");
    });
}

#[test]
fn every_json_answer_has_an_example() {
    // The stream as one document is free-form, and this document is its own example.
    let without = ["/v1/logs", "/openapi.json"];
    with(|document| {
        for row in ROUTES.iter().filter(|row| !without.contains(&row.path)) {
            for status in ["200", "201", "202"] {
                let content = format!("{}/responses/{status}/content", operation(row));
                for (media_type, pointer) in members(document, &content) {
                    let body = document.root.pointer(&pointer).unwrap();
                    assert!(
                        body.get("example").is_some() || body.get("examples").is_some(),
                        "{} {media_type}",
                        row.name()
                    );
                }
            }
        }
    });
}

#[test]
fn bounds_are_those_of_the_limits() {
    let bound =
        |pointer: &str, bound: &str| with(|document| document.root.pointer(pointer).unwrap()[bound].as_u64().unwrap());
    let mut limits = BTreeMap::new();
    for row in ROUTES {
        for one in with(|document| parameters(document, &operation(row))) {
            if let Some(most) = one["schema"]["maximum"].as_u64().filter(|most| *most > 1) {
                limits.insert((row.path, one["name"].to_string()), (most, one["schema"]["default"].as_u64()));
            }
        }
    }
    let limit = "\"limit\"".to_owned();
    let expected = BTreeMap::from([
        (("/v1/rays/{ray}", "\"depth\"".to_owned()), (FAMILY_LEVELS as u64, None)),
        (("/v1/rays/{ray}", limit.clone()), (FAMILY_RAYS as u64, Some(FAMILY_RAYS as u64))),
        (("/v1/rays/{ray}/neighbours", limit.clone()), (NEIGHBOURS_LISTED.into(), Some(NEIGHBOURS_DEFAULT.into()))),
        (("/v1/counts", "\"top\"".to_owned()), (COUNT_TOP, None)),
        (("/v1/stats", "\"ledgers\"".to_owned()), (HOURS_READ, Some(HOURS_READ))),
        (("/v1/batches", limit.clone()), (BATCHES_LISTED, Some(LISTED))),
        (("/v1/payloads", limit.clone()), (PAYLOADS_LISTED, Some(LISTED))),
        (("/v1/dead-letters", limit.clone()), (DEAD_LETTERS_LISTED, Some(LISTED))),
        (("/v1/tokens", limit.clone()), (TOKENS_LISTED, Some(TOKENS_LISTED))),
        (("/v1/audit", limit.clone()), (AUDIT_PAGE, Some(LISTED))),
        (("/client/v4/accounts/{account}/logs/list", limit), (ENGINE_LISTED, None)),
    ]);
    assert_eq!(limits, expected);
    let schemas = "/components/schemas";
    assert_eq!(bound(&format!("{schemas}/RaysWanted/properties/rays"), "maxItems"), RAYS_ASKED as u64);
    assert_eq!(bound(&format!("{schemas}/Reason/properties/reason"), "maxLength"), REASON_CHARS as u64);
    assert_eq!(bound(&format!("{schemas}/BackfillWanted/properties/lines_per_second"), "default"), BACKFILL_RATE);
    let days = format!("{schemas}/TokenWanted/properties/days");
    assert_eq!((bound(&days, "default"), bound(&days, "maximum")), (TOKEN_DAYS.into(), TOKEN_DAYS_MAX.into()));
    assert_eq!(bound("/components/parameters/filter/schema", "maxLength"), FILTER_BYTES as u64);
    let row = format!("{schemas}/CountRow/properties");
    assert_eq!(bound(&format!("{row}/values"), "maxProperties"), COUNT_FIELDS as u64);
    let words = |pointer: &str| with(|document| document.root.pointer(pointer).unwrap().to_string());
    assert_eq!((COUNT_STEPS, COUNT_VALUE_BYTES), (5_000, 1_024));
    assert!(words("/paths/~1v1~1counts/get").contains("has 5,000 steps at most"));
    assert!(words(&row).contains("more than 1,024 bytes"));
    let moment = format!("{schemas}/NeighbourMoment/properties/within_s");
    let (least_s, most_s) = NEIGHBOURS_WITHIN_S;
    assert_eq!((bound(&moment, "minimum"), bound(&moment, "maximum")), (least_s.unsigned_abs(), most_s.unsigned_abs()));
    assert_eq!(bound(&format!("{schemas}/Neighbours/properties/neighbours"), "maxItems"), u64::from(NEIGHBOURS_LISTED));
    let within = "/paths/~1v1~1rays~1{ray}~1neighbours/get/parameters/2/schema/default".to_owned();
    assert_eq!(words(&within), format!("\"{NEIGHBOURS_DEFAULT_WITHIN_S}s\""));
}

#[test]
fn the_document_is_served_to_whoever_asks() {
    let fakes = Fakes::new();
    let reply = Ask { authorization: None, ..Ask::get("/openapi.json") }.of(&fakes);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/json")));
    assert_eq!(reply.body, TEXT.as_bytes());
    assert_eq!(fakes.faults.calls(), 0);
    let version = with(|document| document.root["info"]["version"].clone());
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn undocumented_reply_is_seen() {
    let path = "/v1/rays/764660d8ec5c2ab1";
    let good = Ask::get(path).of(&Fakes::new());
    assert_eq!(check_against_openapi("GET", path, &good), Ok(()));
    let mut replies = vec![good.clone(); 5];
    replies[0].status = 418;
    replies[1].headers.retain(|(name, _)| *name != "content-type");
    replies[2].headers[0].1 = "application/json".into();
    replies[3].headers.push(("allow", "GET".into()));
    replies[4].body = br#"{"type":"about:blank","title":"t","status":404,"code":"what","detail":"d"}"#.to_vec();
    for reply in replies {
        assert!(check_against_openapi("GET", path, &reply).is_err(), "{reply:?}");
    }
    assert!(check_against_openapi("GET", "/v1/stats", &good).is_err(), "a status of another route");
    let busy = Ask::get("/v1/stats").of_deployment(&Fakes::new(), &Err(Vec::new()));
    let mut without = busy.clone();
    without.headers.retain(|(name, _)| *name != "retry-after");
    assert_eq!(check_against_openapi("GET", "/v1/stats", &busy), Ok(()));
    assert!(check_against_openapi("GET", "/v1/stats", &without).is_err(), "a header that must be there");
}
