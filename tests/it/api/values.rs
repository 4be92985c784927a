//! Values as jobs, doubles and clients really write them (`tests/fixtures/cases`), through the whole pipeline: what each
//! way of asking shows of them.

use std::fs;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::config::Config;
use raydex::record::Dataset;
use raydex::render::{PartnerOptions, write_partner_line};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::deployment;
use super::every_route::ZONE;
use super::story::{batch, wish};
use super::support::Fakes;
use super::support::gzip::{gunzip, members};
use super::{Ask, without_trailer};

const KEY: &str = "logs/http_requests/20261122/20261122T081100Z_20261122T081130Z_aa.log.gz";
/// A day after the records of the cases.
const NOW_MS: i64 = 1_795_421_460_000;
/// Two years, the cases' records in them.
const RANGE: &str = "start=2025-01-01T00:00:00Z&end=2026-11-23T00:00:00Z";
/// The hour of most of them.
const HOUR: &str = "start=2026-11-22T08:00:00Z&end=2026-11-22T09:00:00Z";
const ROLES: [&str; 3] = ["viewer", "support", "forensics"];

/// A batch in a world of its own.
struct World {
    fakes: Fakes,
    /// Its lines, and the ray of each.
    lines: Vec<Vec<u8>>,
    rays: Vec<String>,
}

impl World {
    /// The batch of a case.
    fn of(case: &str) -> Self {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/cases", case].iter().collect();
        let rays = fs::read_to_string(folder.join("rays.txt")).unwrap();
        let stored = fs::read(folder.join("batch.log.gz")).unwrap();
        let world = Self::new(&stored, rays.lines().map(str::to_owned).collect());
        assert_eq!(world.lines.len(), world.rays.len(), "{case}");
        world
    }

    /// The batch that these bytes are.
    fn new(stored: &[u8], rays: Vec<String>) -> Self {
        let fakes = Fakes::new();
        fakes.clock_ms.set(NOW_MS);
        let payloads = batch(&fakes, KEY, stored, Some(wish()));
        assert_eq!(payloads.len(), rays.len().div_ceil(2), "each record is delivered");
        let text = if stored.starts_with(b"\x1f") { gunzip(stored) } else { stored.to_vec() };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Self { lines: lines.map(<[u8]>::to_vec).collect(), fakes, rays }
    }

    /// The body of an answer to this role.
    fn body(&self, role: &str, path: &str) -> Vec<u8> {
        let ask = Ask { authorization: Some(format!("Bearer {role}")), ..Ask::get(path) };
        let reply = ask.of_deployment(&self.fakes, &Ok(roles()));
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.body
    }

    fn text(&self, role: &str, path: &str) -> String {
        String::from_utf8(without_trailer(&self.body(role, path))).unwrap()
    }

    /// What a lookup of each ray answers.
    fn each(&self, role: &str, query: &str) -> Vec<String> {
        self.rays.iter().map(|ray| self.text(role, &format!("/v1/rays/{ray}?{query}"))).collect()
    }

    /// Checks that each line is found byte for byte.
    fn check_native(&self) {
        for (line, ray) in self.lines.iter().zip(&self.rays) {
            // Not by its route: half a pair is no text to the reader that checks every reply.
            let found = self.fakes.find(Dataset::HttpRequests, ray).records;
            assert!(found.len() == 1 && found[0].line == *line, "{ray}");
        }
    }

    /// The columns of the partner's line of each record, as it is looked up.
    fn columns(&self, role: &str) -> Vec<Vec<String>> {
        let lines = self.each(role, "format=partner");
        let split = |line: &String| line.strip_suffix('\n').unwrap().split('\u{1}').map(str::to_owned).collect();
        lines.iter().map(split).collect()
    }

    /// Every line that was packed for the partner.
    fn delivered(&self) -> Vec<String> {
        let payloads = self.fakes.kept(KEY).payloads;
        let bodies = payloads.iter().map(|view| gunzip(&self.fakes.body(KEY, view).unwrap()));
        let text = String::from_utf8(bodies.flatten().collect()).unwrap();
        text.split_terminator('\n').map(|line| format!("{line}\n")).collect()
    }

    /// The records of a range, one to each line.
    fn range(&self, role: &str, query: &str) -> Vec<String> {
        self.text(role, &format!("/v1/logs?{RANGE}&{query}")).lines().map(str::to_owned).collect()
    }
}

/// A caller for each role, whose token is the role's name.
fn roles() -> Config {
    let rule = |role: &str| {
        let hash = hex::encode(Sha256::digest(role));
        json!({ "id": role, "sha256": hash, "scopes": ["read", "deliver"], "role": role })
    };
    deployment(&ROLES.map(rule))
}

fn filter(key: &str, operator: &str, value: &Value) -> String {
    let filter = json!({ "where": { "key": key, "operator": operator, "value": value } }).to_string();
    format!("filter={}", utf8_percent_encode(&filter, NON_ALPHANUMERIC))
}

/// The cells of a row of comma-separated values.
fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut signs = row.strip_suffix("\r\n").unwrap().chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            sign => cell.push(sign),
        }
    }
    assert!(!quoted, "{row}");
    cells.push(cell);
    cells
}

#[test]
fn five_forms_of_time_are_read_and_written() {
    let world = World::of("06-timestamp-rfc3339ms-ns");
    for (form, decimals) in [
        ("rfc3339", ["", "", "", "", ""]),
        ("rfc3339ms", [".000", ".345", ".345", ".000", ".345"]),
        ("rfc3339ns", [".000000000", ".345000000", ".345678901", ".000000000", ".345678901"]),
    ] {
        let expected = decimals.map(|decimals| format!("2026-11-22T08:11:12{decimals}Z"));
        let lines: Vec<String> = expected.iter().map(|time| format!(r#"{{"EdgeStartTimestamp":"{time}"}}"#)).collect();
        let query = format!("fields=EdgeStartTimestamp&timestamps={form}");
        assert_eq!(world.range("viewer", &query), lines);
        let received = world.text("viewer", &format!("{ZONE}/received?{HOUR}&{query}"));
        assert!(received.lines().eq(&lines), "{received}");
        for (ray, line) in world.rays.iter().zip(&lines) {
            let lookup = world.text("viewer", &format!("/v1/rays/{ray}?format=native&{query}"));
            assert_eq!(lookup.trim_end(), line);
            assert_eq!(world.text("viewer", &format!("{ZONE}/rayids/{ray}?{query}")).trim_end(), line);
        }
        let csv: Vec<String> = world.range("viewer", &format!("format=csv&{query}"));
        assert_eq!(csv[1..], expected);
    }
    for (columns, ms) in world.columns("forensics").iter().zip([0, 345, 345, 0, 345]) {
        assert_eq!(columns[4], format!("1795335072.{ms:03}"));
    }
}

#[test]
fn numbers_through_a_double_stay_in_their_second() {
    let world = World::of("07-timestamp-through-a-double");
    let second = "start=1795335060&end=1795335062";
    for role in ROLES {
        assert_eq!(world.text(role, &format!("/v1/logs?{second}")).lines().count(), 9, "{role}");
        for (number, columns) in world.columns(role).iter().enumerate() {
            let is_cut = number == 5;
            assert_eq!(columns[1], format!("[22/Nov/2026:16:11:0{} +0800]", u8::from(is_cut)), "{role} {number}");
            assert_eq!(columns[4], if is_cut { "1795335061.000" } else { "1795335060.777" }, "{role} {number}");
        }
        let spelled = world.range(role, "fields=EdgeStartTimestamp&timestamps=rfc3339ms");
        assert!(spelled.iter().all(|line| line.contains("2026-11-22T08:11:0")), "{role}: {spelled:?}");
    }
    let delivered = world.delivered();
    assert!(delivered.len() == 9 && delivered.iter().all(|line| line.contains("22/Nov/2026:16:11:0")));
    let after = filter("EdgeStartTimestamp", "geq", &json!(1_795_335_060_777_000_000_i64));
    assert_eq!(world.range("forensics", &after).len(), 5, "nanoseconds in any spelling are numbers of their size");
}

#[test]
fn unit_that_the_ray_contradicts_is_not_believed() {
    let ray = "a5e67601d099950d";
    for count in ["1", "1774687", "177468732", "946684800", "1e18", "4102444800", "253402300799"] {
        check_disbelieved(ray, count);
    }
}

/// The record with this start has the time of its ray.
fn check_disbelieved(ray: &str, start: &str) {
    let line = format!(r#"{{"RayID":"{ray}","EdgeStartTimestamp":{start},"EdgeColoID":4}}"#);
    let world = World::new(line.as_bytes(), vec![ray.into()]);
    let columns = &world.columns("forensics")[0];
    assert_eq!((columns[1].as_str(), columns[4].as_str()), ("-", "-"));
    let second = "start=2026-11-22T08:11:00Z&end=2026-11-22T08:11:01Z";
    for form in ["rfc3339", "rfc3339ns", "unix", "unixnano"] {
        let found = world.text("forensics", &format!("/v1/logs?{second}&timestamps={form}"));
        assert_eq!(found, line.clone() + "\n", "placed by its ray, and what was written stays");
    }
}

#[test]
fn nothing_ends_a_partner_line_early() {
    let world = World::of("09-line-separators-in-values");
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let looked_up = world.each("forensics", "format=partner");
    let ranged: Vec<String> = world
        .text("forensics", &format!("/v1/logs?{RANGE}&format=partner"))
        .split_inclusive('\n')
        .map(str::to_owned)
        .collect();
    for lines in [&looked_up, &ranged, &world.delivered()] {
        assert_eq!(lines.len(), 10);
        for line in lines {
            let inside = line.strip_suffix('\n').unwrap();
            assert!(!inside.contains(ends), "{line:?}");
            assert!(inside.contains(r#"agent {"RayID":"0000000000000000"} "#), "{line:?}");
            assert!(inside.contains("https://example.com/ x"), "{line:?}");
        }
    }
    for line in &world.lines {
        assert!(write_partner_line(&mut Vec::new(), line, &PartnerOptions::default()).unwrap().sanitised);
    }
    world.check_native();
}

#[test]
fn half_a_pair_costs_one_character_alone() {
    let world = World::of("12-lone-surrogates");
    let halves = ["\u{fffd}", "\u{fffd}", "\u{fffd}😀", "\u{fffd}\u{fffd}", "\u{fffd}x"];
    for role in ROLES {
        let lines = world.range(role, "format=json").concat();
        let records = serde_json::from_str::<Value>(&lines).unwrap()["records"].clone();
        assert_eq!(records.as_array().unwrap().len(), 7, "{role}");
        let (columns, csv) =
            (world.columns(role), world.each(role, "format=csv&fields=ClientRequestUserAgent,ClientRequestURI"));
        for (number, half) in halves.iter().enumerate() {
            let shown = if role == "viewer" && half.contains('😀') { "[masked]" } else { half };
            let agent = format!("Mozilla/5.0 cut {shown}");
            assert_eq!(records[number]["ClientRequestUserAgent"], agent.as_str(), "{role} {number}");
            assert_eq!(columns[number][34], agent, "{role} {number}");
            assert!(
                columns[number][17].contains(&format!("/p/{shown}/end")),
                "{role} {number}: {}",
                columns[number][17]
            );
            assert!(
                csv[number].contains(&agent) && csv[number].contains(&format!("/p/{shown}/end")),
                "{role} {number}"
            );
        }
        let cut = filter("ClientRequestUserAgent", "endsWith", &json!("cut \u{fffd}"));
        assert_eq!(world.range(role, &cut).len(), 2, "{role}");
        let named = serde_json::from_str::<Value>(&world.each(role, "format=native&fields=X%EF%BF%BD")[6]).unwrap();
        assert_eq!(named["X\u{fffd}"], if role == "forensics" { json!(1) } else { Value::Null }, "{role}");
        assert!(named.as_object().unwrap().contains_key("X\u{fffd}"), "{role}");
    }
    let named = filter("X\u{fffd}", "eq", &json!(1));
    assert_eq!(world.range("forensics", &named).len(), 1);
    world.check_native();
}

#[test]
fn length_is_the_first_value_of_its_header() {
    let world = World::of("18-response-fields");
    let lengths: Vec<String> = world.columns("forensics").into_iter().map(|columns| columns[20].clone()).collect();
    assert_eq!(lengths, ["1234", "88", "-"]);
    let fields = "fields=ResponseFields,ResponseHeaders,RequestHeaders,Cookies,WAFMatchedVar,FraudUserID";
    for role in ["viewer", "support"] {
        for format in ["json", "native", "csv", "partner"] {
            let query = if format == "partner" { "format=partner" } else { &format!("format={format}&{fields}") };
            let seen = world.each(role, query).concat();
            assert!(!seen.contains("made-up-secret"), "{role} {format}: {seen}");
        }
    }
}

#[test]
fn spreadsheet_neither_runs_nor_respells_a_cell() {
    let world = World::of("35-csv-for-spreadsheets");
    let query = "format=csv&fields=RayID,EdgeStartTimestamp,ClientRequestUserAgent,ClientRequestReferer";
    let rows = world.each("forensics", query);
    for (number, row) in rows.iter().enumerate() {
        let row = cells(row.split_once("\r\n").unwrap().1);
        let record: Value = serde_json::from_slice(&world.lines[number]).unwrap();
        assert_eq!(row.len(), 4, "{row:?}");
        for (cell, name) in
            row.iter().zip(["RayID", "EdgeStartTimestamp", "ClientRequestUserAgent", "ClientRequestReferer"])
        {
            let value = record[name].as_str().map_or_else(|| record[name].to_string(), str::to_owned);
            assert_eq!(cell.replace('\'', ""), value.replace('\'', ""), "{name}");
            let is_text = cell.starts_with('\'');
            let begins = value.trim_start_matches([' ', '\n', '\u{feff}']).starts_with(['=', '+', '-', '@', '＝']);
            let is_long_number = value.len() > 11 && value.parse::<f64>().is_ok();
            let is_marked = value.starts_with('\'');
            assert_eq!(is_text, begins || is_long_number || is_marked, "{name}: {value:?} is {cell:?}");
        }
    }
    let rays: Vec<String> = rows.iter().map(|row| cells(row.split_once("\r\n").unwrap().1)[0].clone()).collect();
    assert_eq!(rays[14..], ["a5e67602a1234567", "'91234e5678901234", "'9123456789012345"]);
}

#[test]
fn mark_of_a_later_member_costs_no_record() {
    let line = |number: u64| {
        let noise = (0..60).map(|at| format!("{:016x}", (number * 60 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let noise: String = noise.collect();
        format!(
            r#"{{"RayID":"a5e67601d09{number:05x}","EdgeStartTimestamp":1795335060,"ClientRequestURI":"/{noise}"}}"#
        )
    };
    let member = |from: u64| {
        let lines: String = (from..from + 1_500).map(|number| line(number) + "\n").collect();
        format!("\u{feff}{lines}").into_bytes()
    };
    let texts = [member(0), member(1_500), member(3_000)];
    let joined = texts.concat();
    for stored in [members(&[&texts[0], &texts[1], &texts[2]]), members(&[&joined]), joined] {
        let fakes = Fakes::new();
        fakes.clock_ms.set(NOW_MS);
        fakes.index(KEY, Dataset::HttpRequests, &stored);
        for number in [0, 1, 1_499, 1_500, 1_501, 3_000, 4_499] {
            let found = fakes.find(Dataset::HttpRequests, &format!("a5e67601d09{number:05x}"));
            let lines: Vec<&[u8]> = found.records.iter().map(|record| record.line.as_slice()).collect();
            assert_eq!((lines, found.stats.full_scans), (vec![line(number).as_bytes()], 0), "{number}");
        }
        let world = World { fakes, lines: Vec::new(), rays: Vec::new() };
        let native = world.text("forensics", &format!("/v1/logs?{RANGE}"));
        assert!(native.lines().eq((0..4_500).map(line)), "each record once, without a mark");
    }
}

#[test]
fn every_spelling_of_a_number_is_that_number() {
    let spelled = ["200", "200.0", "2E+2", "2e2", "0.2e3", "\"200\"", "\"2e2\"", "200.000000000000000000000000000000"];
    let rays: Vec<String> = (0..spelled.len()).map(|number| format!("a5e67601d09995{number:02x}")).collect();
    let lines = rays.iter().zip(spelled).map(|(ray, status)| {
        format!(
            r#"{{"RayID":"{ray}","EdgeResponseStatus":{status},"OriginResponseDurationMs":{status},"BotScore":-0}}"#
        )
    });
    let world = World::new(itertools::join(lines, "\n").as_bytes(), rays);
    for role in ROLES {
        for (operator, value, found) in
            [("eq", json!(200), 8), ("geq", json!(200), 8), ("gt", json!(200), 0), ("in", json!([200]), 8)]
        {
            let query = filter("EdgeResponseStatus", operator, &value);
            assert_eq!(world.range(role, &query).len(), found, "{role} {operator}");
        }
        assert_eq!(world.range(role, &filter("BotScore", "eq", &json!(0))).len(), 8, "{role}");
        assert!(world.columns(role).iter().all(|columns| columns[25] == "0.200"), "{role}");
    }
}
