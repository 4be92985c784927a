//! Records that come merged in the record of the request that caused them are found as if they had lines of their own: a day
//! with `merge_subrequests` is answered like the same day without.

mod day;
mod forms;
mod rights;

use std::collections::BTreeSet;

use raydex::config::{Config, ConfigFault};
use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::access::{deployment, rule};
use super::support::random::Random;
use super::support::records::ndjson;
use super::support::slices::{one_of, slice_of};
use super::support::{self, Fakes};
use super::{Ask, Reply, json as body, story};
use day::Day;

/// The two worlds of one day.
struct Worlds {
    day: Day,
    plain: Fakes,
    merged: Fakes,
    config: Result<Config, Vec<ConfigFault>>,
}

/// The callers: all see every dataset, two of them one zone.
const CALLERS: [&str; 4] = ["all", "viewer", "zone", "zone-viewer"];

impl Worlds {
    fn new(seed: u64, trees: usize) -> Self {
        let day = Day::random(&mut Random::new(seed), trees);
        let zone = |role: &str| json!({ "zones": ["a.example"], "role": role });
        let config = deployment(&[
            rule("all", &json!({})),
            rule("viewer", &json!({ "role": "viewer" })),
            rule("zone", &zone("forensics")),
            rule("zone-viewer", &zone("viewer")),
        ]);
        Self { plain: day.build(false), merged: day.build(true), day, config: Ok(config) }
    }

    fn rays(&self) -> BTreeSet<RayId> {
        self.day.records.iter().map(|record| record.ray).collect()
    }

    fn ask(&self, fakes: &Fakes, caller: &str, ask: Ask) -> Reply {
        Ask { authorization: Some(format!("Bearer {caller}")), ..ask }.of_deployment(fakes, &self.config)
    }

    /// What both worlds answer.
    fn both(&self, caller: &str, path: &str) -> [Reply; 2] {
        [&self.plain, &self.merged].map(|fakes| self.ask(fakes, caller, Ask::get(path)))
    }
}

/// The records of an answer, each with its dataset and the key of its batch, without those inside of them if so wished.
fn records(answer: &Value, flat: bool) -> Vec<Value> {
    let of = |found: &Value| {
        let mut record = found["record"].clone();
        if flat && let Some(record) = record.as_object_mut() {
            record.remove("Subrequests");
        }
        json!({ "dataset": found["dataset"], "batch": found["batch"]["key"], "record": record })
    };
    answer["records"].as_array().map(|records| records.iter().map(of).collect()).unwrap_or_default()
}

#[test]
fn merged_day_is_answered_like_the_plain_one() {
    let (mut inside, mut compared) = (0, 0);
    for seed in 0..3 {
        let worlds = Worlds::new(seed, 24);
        for ray in worlds.rays().into_iter().step_by(one_of(4)) {
            for caller in CALLERS {
                let [plain, merged] = worlds.both(caller, &format!("/v1/rays/{ray}"));
                assert_eq!(plain.status, merged.status, "{seed}: {caller}: {ray}");
                let [plain, merged] = [&plain, &merged].map(body);
                assert_eq!(records(&plain, true), records(&merged, true), "{seed}: {caller}: {ray}");
                assert_eq!(plain["tree"], merged["tree"], "{seed}: {caller}: {ray}");
                let found = merged["records"].as_array().map(Vec::as_slice).unwrap_or_default();
                inside += found.iter().filter(|record| record.get("merged_in").is_some()).count();
                compared += 1;
            }
        }
    }
    assert!(
        inside > slice_of(600, 4) && compared > slice_of(2_000, 4),
        "{inside} records inside of others, of {compared}"
    );
}

#[test]
fn flattened_family_is_that_of_the_plain_day() {
    let worlds = Worlds::new(11, 30);
    let mut lines = 0;
    for ray in worlds.rays().into_iter().step_by(one_of(4)) {
        for caller in CALLERS {
            for (query, is_flat) in [
                ("flatten", false),
                ("list", true),
                ("flatten&format=native", false),
                ("flatten&format=csv", false),
                ("list&format=partner", false),
            ] {
                let [plain, merged] = worlds.both(caller, &format!("/v1/rays/{ray}?subrequests={query}"));
                let what = format!("{caller}: {ray}: {query}");
                assert_eq!(plain.status, merged.status, "{what}");
                if query.contains("format") || plain.status != 200 {
                    let [plain, merged] = [plain, merged].map(|reply| String::from_utf8(reply.body).unwrap());
                    lines += plain.lines().count();
                    let is_problem = plain.starts_with('{') && plain.contains("\"status\"");
                    assert!(is_problem || plain == merged, "{what}: {plain} {merged}");
                } else {
                    let [plain, merged] = [&plain, &merged].map(body);
                    assert_eq!(records(&plain, is_flat), records(&merged, is_flat), "{what}");
                    assert_eq!(plain["tree"], merged["tree"], "{what}");
                }
            }
        }
    }
    assert!(lines > slice_of(4_000, 4), "{lines}");
}

#[test]
fn filters_select_merged_records_like_others() {
    let worlds = Worlds::new(12, 20);
    let filters = [
        r#"{"where":{"key":"EdgeResponseStatus","operator":"geq","value":400}}"#,
        r#"{"where":{"key":"ClientIP","operator":"startsWith","value":"192.0.2.1"}}"#,
        r#"{"where":{"key":"ZoneName","operator":"eq","value":"a.example"}}"#,
        r#"{"where":{"key":"WorkerSubrequest","operator":"eq","value":true}}"#,
    ];
    let mut passed = 0;
    for ray in worlds.rays().into_iter().step_by(one_of(4)) {
        for (caller, filter) in CALLERS.iter().flat_map(|caller| filters.map(|filter| (*caller, filter))) {
            let filter: String = byte_serialize(filter.as_bytes()).collect();
            let [plain, merged] = worlds.both(caller, &format!("/v1/rays/{ray}?filter={filter}"));
            assert_eq!(plain.status, merged.status, "{caller}: {ray}: {filter}");
            let [plain, merged] = [&plain, &merged].map(body);
            assert_eq!(records(&plain, true), records(&merged, true), "{caller}: {ray}: {filter}");
            passed += records(&plain, true).len();
        }
    }
    assert!(passed > slice_of(1_000, 4), "{passed}");
}

#[test]
fn merging_loses_no_record_that_passes_a_filter() {
    let worlds = Worlds::new(15, 12);
    let mut merged_less = 0;
    for ray in worlds.rays() {
        let filter: String =
            byte_serialize(br#"{"where":{"key":"WorkerSubrequest","operator":"eq","value":true}}"#).collect();
        for world in [&worlds.plain, &worlds.merged] {
            let records_of = |form: &str| {
                let path =
                    format!("/v1/rays/{ray}?parts=records&dataset=http_requests&subrequests={form}&filter={filter}");
                let answer = body(&worlds.ask(world, "all", Ask::get(&path)));
                let mut rays: Vec<String> = Vec::new();
                for record in answer["records"].as_array().into_iter().flatten() {
                    let record = &record["record"];
                    let inner = record["Subrequests"].as_array().into_iter().flatten();
                    rays.extend(
                        [record]
                            .into_iter()
                            .chain(inner)
                            .filter_map(|record| record["RayID"].as_str().map(str::to_owned)),
                    );
                }
                rays.sort_unstable();
                rays.dedup();
                rays
            };
            let (listed, merged) = (records_of("list"), records_of("merge"));
            assert!(listed.iter().all(|ray| merged.contains(ray)), "{ray}: {listed:?} {merged:?}");
            merged_less += usize::from(!listed.is_empty());
        }
    }
    assert!(merged_less > 20, "{merged_less}");
}

#[test]
fn merging_leaves_a_merged_line_as_it_is() {
    let worlds = Worlds::new(13, 24);
    let mut merged_lines = 0;
    for (dataset, line) in worlds
        .day
        .lines(true)
        .into_iter()
        .flat_map(|((dataset, _), lines)| lines.into_iter().map(move |line| (dataset, line)))
    {
        let record: Value = serde_json::from_str(&line).unwrap();
        let (Some(inner), Dataset::HttpRequests) = (record["Subrequests"].as_array(), dataset) else { continue };
        let ray = record["RayID"].as_str().unwrap();
        let answer = body(&worlds.ask(&worlds.merged, "all", Ask::get(&format!("/v1/rays/{ray}?subrequests=merge"))));
        let found = answer["records"].as_array().unwrap();
        let shown = &found[0]["record"];
        let shown_inner = shown["Subrequests"].as_array().unwrap();
        // Logpush has merged what it merges: none of it is added, and none is listed again.
        assert_eq!(shown_inner.get(..inner.len()).unwrap(), inner.as_slice(), "{ray}");
        assert!(shown_inner.len() <= 50 && shown_inner.len() >= inner.len());
        let listed: Vec<&Value> = found.iter().skip(1).map(|record| &record["record"]).collect();
        assert!(shown_inner.iter().all(|inner| !listed.contains(&inner)), "{ray}");
        let nodes = answer["tree"]["nodes"].as_array().unwrap();
        let records: u64 = nodes.iter().map(|node| node["records"]["http_requests"].as_u64().unwrap_or(0)).sum();
        let listed = found.iter().filter(|record| record["dataset"] == "http_requests").count() + shown_inner.len();
        assert_eq!(records, listed as u64, "{ray}: every record is shown once");
        // By default the line is the stored one.
        let stored =
            worlds.ask(&worlds.merged, "all", Ask::get(&format!("/v1/rays/{ray}?format=native&dataset=http_requests")));
        assert_eq!(String::from_utf8(stored.body).unwrap(), format!("{line}\n"));
        merged_lines += 1;
    }
    assert_eq!(merged_lines, 24);
}

#[test]
fn batch_counts_are_those_of_its_lines() {
    let worlds = Worlds::new(14, 12);
    for ((dataset, key), lines) in worlds.day.lines(true) {
        let fakes = Fakes::new();
        let (_, outcome) = fakes.index(&key, dataset, &ndjson(&lines));
        let counts = format!("{outcome:?}");
        assert!(counts.contains(&format!("records: {},", lines.len())), "{counts}");
        assert!(counts.contains("unindexed_children: 0"), "{counts}");
    }
    let range = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T10:00:00Z";
    let reply = worlds.ask(&worlds.merged, "all", Ask::get(range));
    let lines = String::from_utf8(reply.body).unwrap();
    let of_http = worlds.day.lines(true).into_iter().filter(|((dataset, _), _)| *dataset == Dataset::HttpRequests);
    let wanted: BTreeSet<String> = of_http.flat_map(|(_, lines)| lines).collect();
    let found: BTreeSet<String> = lines.lines().filter(|line| line.contains("\"RayID\"")).map(str::to_owned).collect();
    assert_eq!(found, wanted);
}

#[test]
fn many_rays_and_differences_show_merged_records() {
    let worlds = Worlds::new(15, 12);
    let rays: Vec<String> = worlds.rays().iter().map(RayId::to_string).collect();
    let mut found = 0;
    for some in rays.chunks(90) {
        let ask = || Ask { body: json!({ "rays": some }).to_string().into_bytes(), ..Ask::new("POST", "/v1/rays") };
        let [plain, merged] = [&worlds.plain, &worlds.merged].map(|fakes| {
            let reply = worlds.ask(fakes, "all", ask());
            let text = String::from_utf8(reply.body).unwrap();
            let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            lines.retain(|line| line.get("index").is_some());
            lines.sort_by_key(|line| line["index"].as_u64());
            lines
        });
        found += plain.iter().filter(|line| line["found"] == true).count();
        let of = |lines: &[Value]| lines.iter().map(|line| records(line, true)).collect::<Vec<_>>();
        assert_eq!(of(&plain), of(&merged));
    }
    assert_eq!(found, rays.len());
    let is_merged = |ray: &&String| {
        body(&worlds.ask(&worlds.merged, "all", Ask::get(&format!("/v1/rays/{ray}"))))["records"][0]
            .get("merged_in")
            .is_some()
    };
    let inner: Vec<&String> = rays.iter().filter(is_merged).take(6).collect();
    assert_eq!(inner.len(), 6);
    for pair in inner.windows(2) {
        let [plain, merged] =
            worlds.both("viewer", &format!("/v1/rays/{}/diff/{}", pair[0], pair[1])).map(|reply| body(&reply));
        for member in ["equal", "different", "only_a", "only_b", "timings"] {
            assert_eq!(plain[member], merged[member], "{pair:?}: {member}");
        }
        assert!(merged["a"]["merged_in"].is_string() && merged["b"]["merged_in"].is_string(), "{}", merged["a"]);
    }
}
