//! Many rays at once, and the ways in which one is answered.

use raydex::limits::{MASKED_BYTE_NS, WORK_SLICE_NS};
use raydex::memory::MemoryBudget;
use serde_json::{Value, json};

use super::access::rule;
use super::story::{KEYS, batch, records};
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::support::world::config_with;
use super::{Ask, Reply, header, json as body, problem};

fn ask(rays: &[&str], query: &str) -> Ask {
    Ask { body: json!({ "rays": rays }).to_string().into_bytes(), ..Ask::new("POST", &format!("/v1/rays{query}")) }
}

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!((reply.status, header(reply, "content-type")), (200, Some("application/x-ndjson")));
    let text = std::str::from_utf8(&reply.body).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.pop().unwrap()["raydex"]["complete"], true);
    lines.sort_by_key(|line| line["index"].as_u64());
    lines
}

#[test]
fn every_ray_of_a_body_gets_its_line() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..60), None);
    let spelled: Vec<String> = (0..58).map(|number| format!("{}-SJC", ray(number))).collect();
    let mut rays: Vec<&str> = spelled.iter().map(String::as_str).collect();
    rays.extend(["no ray at all!", "764660d8ec5c2ab1"]);
    let found = lines(&ask(&rays, "?fields=RayID").of(&fakes));
    assert_eq!(found.len(), 60);
    for (number, line) in (0..58).zip(&found) {
        assert_eq!((&line["index"], &line["found"]), (&number.into(), &true.into()));
        assert_eq!(line["records"][0]["record"], json!({ "RayID": ray(number).to_string() }));
        assert_eq!(line["cost"]["shards_asked"], 1);
    }
    assert_eq!((&found[58]["found"], &found[58]["problem"]["code"]), (&false.into(), &"not_a_ray".into()));
    assert!(found[58].get("ray").is_none(), "nothing of the body is repeated");
    assert_eq!(found[59]["problem"]["code"], "ray_not_found");
}

#[test]
fn body_with_too_few_or_many_rays_refused() {
    let fakes = Fakes::new();
    let many = vec!["764660d8ec5c2ab1"; 101];
    assert_eq!(lines(&ask(&many[1..], "").of(&fakes)).len(), 100);
    assert_eq!(problem(&ask(&many, "").of(&fakes)), (400, "too_many_rays".into()));
    let ray = "\"764660d8ec5c2ab1\"";
    for (body, code) in [
        (r#"{"rays":[]}"#.into(), "no_rays"),
        ("[]".into(), "no_rays"),
        (String::new(), "no_rays"),
        ("{}".into(), "no_rays"),
        (format!(r#"{{"rays":{ray}}}"#), "no_rays"),
        (format!(r#"{{"rays":[{ray}]"#), "no_rays"),
        (format!(r#"{{"rays":[{ray},null]}}"#), "bad_ray_list"),
        (format!(r#"{{"rays":[{ray},7,null]}}"#), "bad_ray_list"),
        (format!(r#"{{"rays":[{ray}],"fields":["RayID"]}}"#), "unknown_member"),
        (format!(r#"{{"ray":{ray}}}"#), "unknown_member"),
        (format!(r#"{{"rays":[{ray}],"rays":[{ray}]}}"#), "repeated_member"),
    ] {
        let reply = Ask { body: body.clone().into(), ..ask(&[], "") }.of(&fakes);
        assert_eq!(problem(&reply), (400, code.into()), "{body}");
        assert_eq!(code == "bad_ray_list", super::json(&reply)["detail"].to_string().contains("rays[1]"), "{body}");
    }
    assert_eq!(problem(&ask(&["a"], "?format=csv").of(&fakes)), (400, "unknown_parameter".into()));
}

#[test]
fn fields_filters_and_forms_work_on_a_lookup() {
    let fakes = Fakes::new();
    let line = |status: u16| {
        format!(
            r#"{{"RayID":"{}","EdgeResponseStatus":{status},"EdgeStartTimestamp":1774687345000000001,"ClientRequestUserAgent":"a, \"b\""}}"#,
            ray(7)
        )
    };
    batch(&fakes, KEYS[0], &ndjson([line(200), line(503)]), None);
    let get = |query: &str| Ask::get(&format!("/v1/rays/{}{query}", ray(7))).of(&fakes);
    let filter = "%7B%22where%22%3A%7B%22key%22%3A%22EdgeResponseStatus%22%2C%22operator%22%3A%22geq%22%2C%22value%22%3A500%7D%7D";
    let text = |reply: &Reply| String::from_utf8(reply.body.clone()).unwrap();
    assert_eq!(text(&get(&format!("?format=native&filter={filter}"))), line(503) + "\n");
    assert_eq!(
        text(&get("?format=native&fields=EdgeResponseStatus,Nothing&timestamps=unix")),
        "{\"EdgeResponseStatus\":200}\n{\"EdgeResponseStatus\":503}\n"
    );
    let csv = get("?format=csv&fields=EdgeStartTimestamp,ClientRequestUserAgent&timestamps=rfc3339");
    assert_eq!(header(&csv, "content-type"), Some("text/csv; charset=utf-8; header=present"));
    let row = "2026-03-28T08:42:25Z,\"a, \"\"b\"\"\"\r\n";
    assert_eq!(text(&csv), format!("EdgeStartTimestamp,ClientRequestUserAgent\r\n{row}{row}"));
    let json = body(&get(&format!("?filter={filter}&fields=EdgeResponseStatus")));
    assert_eq!(json["records"].as_array().unwrap().len(), 1);
    assert_eq!(json["records"][0]["record"], json!({ "EdgeResponseStatus": 503 }));
    for (query, code) in [
        ("?filter=%7B", "bad_filter"),
        ("?fields=,", "bad_parameter"),
        ("?timestamps=iso", "bad_parameter"),
        ("?format=partner&fields=RayID", "bad_parameter"),
    ] {
        assert_eq!(problem(&get(query)), (400, code.into()), "{query}");
    }
}

#[test]
fn caller_with_the_current_answer_gets_304() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..3), None);
    let get = |number, query: &str, known: Option<String>| {
        Ask { if_none_match: known, ..Ask::get(&format!("/v1/rays/{}{query}", ray(number))) }.of(&fakes)
    };
    let first = get(1, "", None);
    let tag = header(&first, "etag").unwrap().to_owned();
    let again = get(1, "", Some(tag.clone()));
    assert_eq!((again.status, again.body.len(), header(&again, "etag")), (304, 0, Some(tag.as_str())));
    for (number, query) in [(2, ""), (1, "?format=native"), (1, "?fields=RayID")] {
        assert_eq!(get(number, query, Some(tag.clone())).status, 200, "{number} {query}");
    }
}

#[test]
fn requests_beyond_the_memory_budget_must_retry() {
    let mut fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..3), None);
    let bytes = 3 * 1024 * 1024;
    fakes.memory = MemoryBudget::new(bytes);
    let other = fakes.memory.reservation();
    other.reserve(bytes - 300 * 1024).unwrap();
    let get = || Ask::get(&format!("/v1/rays/{}", ray(1))).of(&fakes);
    let reply = get();
    assert_eq!((problem(&reply), header(&reply, "retry-after")), ((503, "busy".into()), Some("1")));
    drop(other);
    assert_eq!(get().status, 200);
    assert_eq!(fakes.memory.available(), bytes, "all of it came back");
}

#[test]
fn long_lookups_let_others_go_first() {
    let fakes = Fakes::new();
    let padding = "/a".repeat(4_000);
    let line = |number: usize| {
        let ray = ray(u64::try_from(number % 10).unwrap());
        format!(
            r#"{{"RayID":"{ray}","EdgeStartTimestamp":1774687345000000001,"ClientRequestURI":"{padding}{number}"}}"#
        )
    };
    batch(&fakes, KEYS[0], &ndjson((0..400).map(line)), None);
    let rays: Vec<String> = (0..10).map(|number| ray(number).to_string()).collect();
    let rays: Vec<&str> = rays.iter().map(String::as_str).collect();
    let rules = json!([rule("viewer", &json!({ "scopes": ["read"], "role": "viewer" }))]).to_string();
    let config = config_with(&[("API_TOKENS", &rules), ("API_RATE_PER_MINUTE", "0")]);
    for ask in [ask(&rays, ""), Ask::get(&format!("/v1/rays/{}", rays[0]))] {
        let before = fakes.turns.get();
        let ask = Ask { authorization: Some("Bearer viewer".to_owned()), ..ask };
        let reply = ask.of_deployment(&fakes, &Ok(config.clone()));
        assert_eq!(reply.status, 200);
        let slices = reply.body.len() as u64 * MASKED_BYTE_NS / WORK_SLICE_NS;
        let turns = u64::from(fakes.turns.get() - before);
        assert!(slices > 10 && turns >= slices / 2, "{turns} turns in {slices} slices of masking");
    }
}
