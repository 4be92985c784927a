//! `format=explain`: what it shows is the partner's line of the same caller, and where each value of it comes from.

use raydex::config::Config;
use raydex::limits::{CALLER_SHARES, EXPLAINED_RECORD_NS, MEMORY_BUDGET, WORK_SLICE_NS};
use raydex::memory::MemoryBudget;
use raydex::record::Dataset;
use raydex::render::partner::COLUMNS;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::plant::Places;
use super::support::Fakes;
use super::support::records::{http, ndjson, ray};
use super::{Ask, Canary, Random, Reply, header, json as body, problem};

const ROLES: [&str; 3] = ["viewer", "support", "forensics"];

/// A caller for each role, whose token is the role's name.
fn roles() -> Config {
    deployment(&ROLES.map(|role| rule(role, &json!({ "role": role }))))
}

fn get(fakes: &Fakes, role: &str, path: &str) -> Reply {
    Ask { authorization: Some(format!("Bearer {role}")), ..Ask::get(path) }.of_deployment(fakes, &Ok(roles()))
}

fn text(reply: Reply) -> String {
    String::from_utf8(reply.body).unwrap()
}

/// A world with two records of ray 1 and an event, and an event alone of ray 2.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let [one, other] = [ray(1), ray(2)].map(|ray| ray.to_string());
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([http(&one, 1), http(&one, 2)]));
    let event = |ray: &str| format!(r#"{{"RayID":"{ray}","Action":"block"}}"#);
    fakes.index("logs/firewall_events/b", Dataset::FirewallEvents, &ndjson([event(&one), event(&other)]));
    fakes
}

/// The records of the planted places, as lines of `http_requests` with rays of their own.
fn planted() -> Vec<String> {
    let mut random = Random::new(0xe8);
    let mut lines = Vec::new();
    for canary in [Canary::draw(&mut random), Canary::draw_address(&mut random)] {
        for (dataset, _, line) in Places::of(&canary, &mut random) {
            let Ok(Value::Object(mut record)) = serde_json::from_str(&line) else { continue };
            if dataset == Dataset::HttpRequests {
                record.insert("RayID".into(), ray(lines.len() as u64).to_string().into());
                lines.push(Value::Object(record).to_string());
            }
        }
    }
    lines
}

/// The columns of the records of an explanation.
fn columns(reply: &Value) -> impl Iterator<Item = &Vec<Value>> {
    reply["records"].as_array().unwrap().iter().map(|record| record["columns"].as_array().unwrap())
}

#[test]
fn explained_values_are_those_of_each_caller() {
    let (fakes, lines) = (Fakes::new(), planted());
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson(&lines));
    let (mut compared, mut masked) = (0, 0);
    for number in (0..lines.len() as u64).step_by(4) {
        let path = format!("/v1/rays/{}?dataset=http_requests&format=", ray(number));
        let stored = body(&get(&fakes, "forensics", &(path.clone() + "json")))["records"][0]["record"].take();
        for role in ROLES {
            let asked = |format: &str| get(&fakes, role, &format!("{path}{format}"));
            let (explained, seen) = (body(&asked("explain")), body(&asked("json"))["records"][0]["record"].take());
            let columns = columns(&explained).next().unwrap();
            let values: Vec<&str> = columns.iter().map(|column| column["value"].as_str().unwrap()).collect();
            assert_eq!(values.join("\u{1}") + "\n", text(asked("partner")), "{role}");
            for column in columns {
                let native = column["native"].as_object().unwrap();
                assert!(native.iter().all(|(name, value)| seen[name] == *value), "{role}: {column}");
                let is_other = native.iter().any(|(name, value)| stored[name] != *value);
                let says_so = column["outcome"].as_array().unwrap().contains(&"masked".into());
                assert!(says_so || !is_other, "{role}: {column} of {stored}");
                assert!(!says_so || role != "forensics", "{column}");
                masked += usize::from(is_other);
                compared += 1;
            }
        }
    }
    assert!(compared > 10_000 && masked > 100, "{compared} columns, {masked} masked");
}

#[test]
fn explanation_is_of_http_requests_in_order() {
    let fakes = world();
    let path = format!("/v1/rays/{}?format=explain", ray(1));
    let reply = get(&fakes, "forensics", &path);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/json")));
    let explained = body(&reply);
    assert_eq!((explained["ray"].as_str(), &explained["truncated"]), (Some(&*ray(1).to_string()), &false.into()));
    let records = explained["records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    for (record, path) in records.iter().zip(["http:///x", "http:///xx"]) {
        assert_eq!(
            (record["dataset"].as_str(), record["batch"]["key"].as_str()),
            (Some("http_requests"), Some("logs/a"))
        );
        assert_eq!(
            (&record["columns"][17]["value"], record["columns"].as_array().unwrap().len()),
            (&path.into(), COLUMNS.len())
        );
    }
    let alone = get(&fakes, "forensics", &format!("/v1/rays/{}?format=explain", ray(2)));
    assert_eq!(problem(&alone), (404, "ray_not_found".into()));
    assert!(body(&alone)["hint"].as_str().unwrap().contains("firewall_events"));
}

#[test]
fn table_has_a_row_for_each_column() {
    let fakes = world();
    let path = format!("/v1/rays/{}?format=explain", ray(1));
    for (accept, media_type) in [
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/json;q=0.5, text/plain", "text/plain; charset=utf-8"),
        ("application/json, text/plain", "application/json"),
        ("text/csv, application/x-ndjson", "application/json"),
        ("*/*", "application/json"),
    ] {
        let reply = Ask::get(&path).accept(accept).of(&fakes);
        assert_eq!((reply.status, header(&reply, "content-type")), (200, Some(media_type)), "{accept}");
    }
    let table = text(Ask::get(&path).accept("text/plain").of(&fakes));
    let tables: Vec<&str> = table.split("\n\n").collect();
    assert_eq!(tables.len(), 2);
    for (table, values) in tables.iter().zip([["192.0.2.1", "http:///x"], ["192.0.2.1", "http:///xx"]]) {
        let numbered = table.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
        let rows: Vec<&str> = numbered.collect();
        assert_eq!(rows.len(), COLUMNS.len(), "{table}");
        for (row, value) in [rows[12], rows[17]].iter().zip(values) {
            assert_eq!(row.rsplit("  ").next(), Some(value), "{row}");
        }
    }
    let masked = Ask { authorization: Some("Bearer viewer".into()), ..Ask::get(&path).accept("text/plain") };
    let masked = text(masked.of_deployment(&fakes, &Ok(roles())));
    assert!(masked.contains(&format!("{:<30}  192.0.2.0\n", "masked")) && !masked.contains("192.0.2.1"), "{masked}");
}

#[test]
fn parameters_beside_the_columns_are_refused() {
    for query in [
        "format=explain&dataset=firewall_events",
        "format=explain&fields=RayID",
        "format=explain&timestamps=unix",
        "format=explain&parts=tree",
        "format=explain&parts=records,tree",
        "format=explain&depth=x",
        "format=Explain",
    ] {
        let fakes = world();
        let before = fakes.faults.calls();
        let reply = Ask::get(&format!("/v1/rays/{}?{query}", ray(1))).of(&fakes);
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{query}");
        assert_eq!(fakes.faults.calls(), before, "{query}");
    }
    let search = Ask::get("/v1/logs?start=2026-03-28T08:00:00Z&format=explain").of(&world());
    assert_eq!(problem(&search), (400, "bad_parameter".into()));
    assert!(!body(&search)["detail"].as_str().unwrap().contains("explain"));
    let known = body(&Ask::get(&format!("/v1/rays/{}?format=xml", ray(1))).of(&world()));
    assert!(known["detail"].as_str().unwrap().contains("csv, explain, har or otlp"), "{known}");
}

#[test]
fn filter_selects_what_is_explained() {
    let filter = |path: &str| {
        let filter = json!({ "where": { "key": "ClientRequestURI", "operator": "eq", "value": path } }).to_string();
        let filter = percent_encoding::utf8_percent_encode(&filter, percent_encoding::NON_ALPHANUMERIC).to_string();
        let reply = get(&world(), "forensics", &format!("/v1/rays/{}?format=explain&filter={filter}", ray(1)));
        columns(&body(&reply)).map(|columns| columns[17]["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(filter("/xx"), ["http:///xx"]);
    assert!(filter("/nothing").is_empty());
}

#[test]
fn unchanged_explanation_is_not_sent_again() {
    let fakes = world();
    let ask = |tag: Option<&str>| Ask {
        if_none_match: tag.map(str::to_owned),
        ..Ask::get(&format!("/v1/rays/{}?format=explain", ray(1)))
    };
    let tag = header(&ask(None).of(&fakes), "etag").unwrap().to_owned();
    let again = ask(Some(&tag)).of(&fakes);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(ask(Some(&tag)).accept("text/plain").of(&fakes).status, 200, "a table is another answer");
    let other = super::support::world::config_with(&[("PARTNER_UNKNOWN_COUNTRY", "SG")]);
    assert_eq!(ask(Some(&tag)).of_deployment(&fakes, &Ok(other)).status, 200, "so is one with other settings");
}

#[test]
fn long_records_take_reserved_memory_alone() {
    let long = "語".repeat(100_000);
    let line =
        json!({ "RayID": ray(1).to_string(), "ClientIP": long, "ClientRequestHost": long, "ClientRequestURI": long });
    let mut fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([line.to_string(), http(&ray(1).to_string(), 0)]));
    let (mut answered, mut refused) = (0, 0);
    for megabytes in 1..=24 {
        let bytes = CALLER_SHARES * (megabytes << 20);
        fakes.memory = MemoryBudget::new(bytes);
        for accept in ["application/json", "text/plain"] {
            let reply = Ask::get(&format!("/v1/rays/{}?format=explain", ray(1))).accept(accept).of(&fakes);
            assert!(matches!(reply.status, 200 | 413 | 503), "{megabytes}: {}", reply.status);
            assert_eq!(fakes.memory.available(), bytes, "{megabytes}");
            *(if reply.status == 200 { &mut answered } else { &mut refused }) += 1;
        }
    }
    assert!(answered > 2 && refused > 2, "{answered} answered, {refused} refused");
    fakes.memory = MemoryBudget::new(MEMORY_BUDGET);
    assert_eq!(Ask::get(&format!("/v1/rays/{}?format=explain", ray(1))).of(&fakes).status, 200);
}

#[test]
fn many_explained_records_let_others_go_first() {
    let fakes = Fakes::new();
    let records = 300;
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson((0..records).map(|number| http(&ray(1).to_string(), number))));
    let before = fakes.turns.get();
    let reply = Ask::get(&format!("/v1/rays/{}?format=explain", ray(1))).of(&fakes);
    assert_eq!((reply.status, columns(&body(&reply)).count()), (200, records));
    let slices = records as u64 * EXPLAINED_RECORD_NS / WORK_SLICE_NS;
    assert!(slices > 10 && u64::from(fakes.turns.get() - before) >= slices - 1);
}
