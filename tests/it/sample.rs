//! The generated batches against what is known of real ones.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;

use raydex::record::{Dataset, Field, FieldValue, Fields, RayId, RayKey, read_key};
use raydex::sample::{
    DATASETS, FieldSet, PlanUnits, SampleBatch, SamplePlan, SampleRequest, StoryPart, TimestampUnit, field_names,
};

const MS: i64 = 1_000_000;

/// A dataset of `schemas/datasets.toml`.
#[derive(serde::Deserialize)]
struct Schema {
    ray: Option<String>,
    time: String,
    fields: Vec<(String, String)>,
    #[serde(default)]
    usual: Vec<String>,
}

fn schemas() -> BTreeMap<String, Schema> {
    toml::from_str(include_str!("../../schemas/datasets.toml")).unwrap()
}

#[expect(clippy::disallowed_types, reason = "an oracle that owes nothing to this crate")]
fn inflate(gzip: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip).read_to_end(&mut text).unwrap();
    text
}

fn lines(batch: &SampleBatch) -> impl Iterator<Item = &str> {
    batch.lines.iter().map(|place| std::str::from_utf8(batch.line(place)).unwrap())
}

fn object(line: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(line).unwrap()
}

/// The names of the record's members, in the order in which they stand in the line.
fn names_in_order(line: &str) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Names {
        fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Names;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a record")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                    let mut names = Vec::new();
                    while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        names.push(name);
                    }
                    Ok(Names(names))
                }
            }
            json.deserialize_map(Visit)
        }
    }
    serde_json::from_str::<Names>(line).unwrap().0
}

fn all_batches(plan: &SamplePlan) -> Vec<SampleBatch> {
    DATASETS.into_iter().flat_map(|dataset| plan.batches(dataset)).collect()
}

#[test]
fn seed_gives_the_same_bytes_another_gives_others() {
    let plan = SamplePlan { records: 2000, ..SamplePlan::default() };
    let first = all_batches(&plan);
    assert_eq!(first, all_batches(&plan));
    for (one, other) in first.iter().zip(all_batches(&SamplePlan { seed: 2, ..plan })) {
        assert_ne!(one.key, other.key);
        assert_ne!(one.ndjson, other.ndjson);
    }
}

#[test]
fn every_line_is_keyed_by_its_ray() {
    for fields in [FieldSet::Usual, FieldSet::All] {
        let plan = SamplePlan { records: 4000, units: PlanUnits::Mixed, fields, ..SamplePlan::default() };
        for batch in all_batches(&plan) {
            for place in &batch.lines {
                let line = batch.line(place);
                let key = read_key(batch.dataset, line).unwrap();
                assert_eq!(key.ray, Some(RayKey::Ray(place.ray)));
                assert!(key.start.is_some());
                let fields = Fields::parse(std::str::from_utf8(line).unwrap()).unwrap();
                let mut written = Field::ALL.iter().filter(|field| **field != Field::ResponseFields);
                let whole = written.all(|&field| fields.get(field) != FieldValue::Absent);
                assert_eq!(whole, batch.dataset == Dataset::HttpRequests);
            }
        }
    }
}

#[test]
fn request_begins_2_to_11_ms_after_ray() {
    let plan = SamplePlan { units: PlanUnits::Mixed, ..SamplePlan::default() };
    for batch in plan.batches(Dataset::HttpRequests) {
        for place in &batch.lines {
            let start = read_key(batch.dataset, batch.line(place)).unwrap().start.unwrap();
            let (ray_ns, start_ns) = (place.ray.unix_ms() * MS, start.unix_ns());
            let skew = match batch.unit {
                TimestampUnit::UnixNano => 2 * MS..=11 * MS,
                TimestampUnit::Unix | TimestampUnit::Rfc3339 => -999 * MS..=11 * MS,
            };
            assert!(skew.contains(&(start_ns - ray_ns)), "{ray_ns} {start_ns}");
        }
    }
}

#[test]
fn fields_match_the_schemas_order_and_types() {
    for fields in [FieldSet::All, FieldSet::Usual] {
        let plan = SamplePlan { records: 4000, batches: 3, units: PlanUnits::Mixed, fields, ..SamplePlan::default() };
        for batch in all_batches(&plan) {
            let schema = &schemas()[batch.dataset.name()];
            let usual = fields == FieldSet::Usual && !schema.usual.is_empty();
            let expected: Vec<&str> = schema
                .fields
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| !usual || schema.usual.iter().any(|usual| usual == name))
                .collect();
            assert_eq!(field_names(batch.dataset, fields), expected);
            assert!(
                expected.contains(&schema.ray.as_deref().unwrap().split('.').next().unwrap())
                    && expected.contains(&&*schema.time)
            );
            let types: HashMap<&str, &str> = schema.fields.iter().map(|(name, kind)| (&**name, &**kind)).collect();
            for line in lines(&batch) {
                assert_eq!(names_in_order(line), expected);
                for (name, value) in object(line) {
                    assert!(is_of_type(types[&*name], &value), "{name} is {value}, no {}", types[&*name]);
                }
            }
        }
    }
}

fn is_of_type(kind: &str, value: &serde_json::Value) -> bool {
    match kind {
        "int" => value.is_i64(),
        "float" => value.is_number(),
        "string" => value.is_string(),
        "bool" => value.is_boolean(),
        "time" => value.is_i64() || value.is_string(),
        "object" => value.is_object(),
        _ => {
            let of = kind.strip_prefix("array[").and_then(|rest| rest.strip_suffix(']')).unwrap();
            value.as_array().unwrap().iter().all(|value| is_of_type(of, value))
        }
    }
}

#[test]
fn lines_and_batches_have_realistic_sizes() {
    let batch = SamplePlan { batches: 1, ..SamplePlan::default() }.batch(Dataset::HttpRequests, 0);
    let (mut least, mut most) = (usize::MAX, 0);
    for line in lines(&batch) {
        (least, most) = (least.min(line.len()), most.max(line.len()));
    }
    assert!(least >= 1000 && most <= 2500, "{least} to {most} bytes");
    let mean = batch.written.inflated / batch.written.records;
    assert!((1500..=1700).contains(&mean), "{mean} bytes a line");
    let tenths = batch.written.inflated * 10 / batch.written.bytes;
    assert!((80..=150).contains(&tenths), "compressed {tenths} tenths of a time");
}

#[test]
fn counts_and_places_are_those_written() {
    let plan = SamplePlan { records: 3001, duplicates: 100, ..SamplePlan::default() };
    for batch in all_batches(&plan) {
        assert_eq!(inflate(&batch.gzip), batch.ndjson);
        assert_eq!(batch.written.records, batch.lines.len() as u64);
        assert_eq!(batch.written.bytes, batch.gzip.len() as u64);
        assert_eq!(batch.written.inflated, batch.ndjson.len() as u64);
        let rays: HashSet<RayId> = batch.lines.iter().map(|place| place.ray).collect();
        assert_eq!(batch.written.rays, rays.len() as u64, "{}", batch.key);
        let joined: Vec<u8> = lines(&batch).flat_map(|line| line.bytes().chain([b'\n'])).collect();
        assert_eq!(joined, batch.ndjson);
    }
    let http: u64 = plan.batches(Dataset::HttpRequests).map(|batch| batch.written.records).sum();
    assert_eq!(http, 3001);
}

#[test]
fn rays_are_unique_unless_doubles_are_asked_for() {
    let rays = |plan: &SamplePlan| {
        let all: Vec<RayId> = (0..plan.batches).flat_map(|number| plan.requests(number)).map(|r| r.ray).collect();
        (all.len(), all.into_iter().collect::<HashSet<_>>().len())
    };
    assert_eq!(rays(&SamplePlan::default()), (20_000, 20_000));
    let crowded = SamplePlan { records: 200_000, batches: 1, window_ms: 1000, ..SamplePlan::default() };
    assert_eq!(rays(&crowded), (200_000, 200_000));
    let (records, different) = rays(&SamplePlan { duplicates: 50, ..SamplePlan::default() });
    assert!(records == 20_000 && (18_900..19_300).contains(&different), "{different}");
}

#[test]
fn subrequests_are_inside_a_parent_that_exists() {
    let plan = SamplePlan::default();
    let all: Vec<_> = (0..plan.batches).flat_map(|number| plan.requests(number)).collect();
    let by_ray: HashMap<RayId, _> = all.iter().map(|request| (request.ray, request)).collect();
    let (mut children, mut chained) = (0, 0);
    let mut counted: HashMap<RayId, u32> = HashMap::new();
    for request in &all {
        assert!(request.end_ns > request.start_ns);
        let Some(parent) = request.parent else { continue };
        let parent = by_ray[&parent];
        assert!(parent.start_ns <= request.start_ns && request.end_ns <= parent.end_ns, "{parent:?} {request:?}");
        assert!(parent.worker);
        children += 1;
        chained += u32::from(parent.parent.is_some());
        *counted.entry(parent.ray).or_default() += 1;
    }
    assert!((2_100..2_700).contains(&children), "{children} subrequests of 20,000 records");
    assert!(chained > 50, "{chained} chained");
    let wrong = all.iter().filter(|r| counted.get(&r.ray).copied().unwrap_or(0) != r.subrequests).count();
    assert!(wrong <= plan.batches as usize, "only a batch's last family may be cut: {wrong}");
}

#[test]
fn late_records_are_minutes_older_than_their_batch() {
    let plan = SamplePlan::default();
    let (mut late, mut old) = (0, 0);
    for number in 0..plan.batches {
        let window = plan.window(number);
        for request in plan.requests(number) {
            late += u32::from(request.late);
            old += u32::from(request.ray.unix_ms() < window.start - 50_000);
            assert!(request.late || request.ray.unix_ms() >= window.start - 10);
            assert!(request.ray.unix_ms() < window.end + 2_000);
        }
    }
    assert!((350..600).contains(&late) && (300..500).contains(&old), "{late} late, {old} old of 20,000");
}

#[test]
fn records_are_not_in_the_order_of_time() {
    let starts: Vec<i64> = SamplePlan::default().requests(0).map(|request| request.start_ns).collect();
    let back = starts.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(back > starts.len() / 4, "{back} steps back of {}", starts.len());
}

#[test]
fn line_describes_its_parent_like_real_ones() {
    let plan = SamplePlan::default();
    let mut statuses = BTreeSet::new();
    let mut odd = BTreeMap::from([("referer", 0), ("non-ascii", 0), ("quote", 0), ("content-length", 0)]);
    for batch in plan.batches(Dataset::HttpRequests) {
        for line in lines(&batch) {
            let record = object(line);
            let child = record["WorkerSubrequest"] == true;
            assert_eq!(record["ParentRayID"] == "00", !child);
            assert_eq!(record["ClientRequestSource"], if child { "edgeWorkerFetch" } else { "eyeball" });
            assert!(record["EdgeEndTimestamp"].as_i64() > record["EdgeStartTimestamp"].as_i64());
            assert_eq!(record["OriginIP"] == "", record["EdgeServerIP"] == "");
            assert!(record["OriginIP"] != "" || record["OriginResponseStatus"] == 0, "{line}");
            statuses.insert(record["CacheCacheStatus"].as_str().unwrap().to_owned());
            *odd.get_mut("referer").unwrap() += u32::from(record["ClientRequestReferer"] != "");
            *odd.get_mut("non-ascii").unwrap() += u32::from(!line.is_ascii());
            *odd.get_mut("quote").unwrap() += u32::from(line.contains("\\\""));
            *odd.get_mut("content-length").unwrap() +=
                u32::from(!record["ResponseHeaders"]["content-length"].is_null());
        }
    }
    let known = "bypass deferred dynamic expired hit ignored miss none revalidated stale stream_hit unknown updating";
    assert_eq!(statuses.into_iter().collect::<Vec<_>>().join(" "), known);
    assert!(odd.values().all(|&count| count > 500), "{odd:?}");
}

#[test]
fn firewall_events_count_matches_of_generated_requests() {
    let plan = SamplePlan::default();
    for number in 0..plan.batches {
        let http: HashSet<RayId> = plan.requests(number).map(|request| request.ray).collect();
        let mut next: HashMap<RayId, i64> = HashMap::new();
        let batch = plan.batch(Dataset::FirewallEvents, number);
        for (place, line) in batch.lines.iter().zip(lines(&batch)) {
            let index = next.entry(place.ray).or_default();
            assert_eq!(object(line)["MatchIndex"], *index);
            *index += 1;
            assert!(http.contains(&place.ray));
        }
        assert!(next.values().any(|&count| count == 1) && next.values().any(|&count| count == 4));
    }
}

#[test]
fn traces_are_of_requests_a_worker_served() {
    for merged in [false, true] {
        let plan = SamplePlan { merged, ..SamplePlan::default() };
        let batch = plan.batch(Dataset::WorkersTraceEvents, 0);
        let requests = plan.requests(0).flat_map(|request| [vec![request.clone()], request.merged].concat());
        let workers: HashMap<RayId, _> = requests.filter(|r| r.worker).map(|r| (r.ray, r)).collect();
        assert_eq!(batch.lines.len(), workers.len());
        for (place, line) in batch.lines.iter().zip(lines(&batch)) {
            let (trace, request) = (object(line), &workers[&place.ray]);
            assert_eq!(trace["EventTimestampMs"], request.start_ns / MS);
            assert_eq!(trace["Logs"].as_array().unwrap().len(), request.subrequests as usize);
        }
    }
}

#[test]
fn merged_subrequests_stand_in_their_visitors_record() {
    let plan = SamplePlan { merged: true, ..SamplePlan::default() };
    let batch = plan.batch(Dataset::HttpRequests, 0);
    let mut children = 0;
    for line in lines(&batch) {
        assert_eq!(names_in_order(line).last().unwrap(), "Subrequests");
        for child in object(line)["Subrequests"].as_array().unwrap() {
            assert!(child["WorkerSubrequest"] == true && child.get("Subrequests").is_none());
            children += 1;
        }
    }
    assert!(batch.lines.len() == 5000 && children > 400, "{children}");
}

#[test]
fn headers_are_arrays_where_the_job_preserves_duplicates() {
    let plan = SamplePlan { preserve_duplicates: true, records: 2000, ..SamplePlan::default() };
    for line in lines(&plan.batch(Dataset::HttpRequests, 0)) {
        for headers in ["RequestHeaders", "ResponseHeaders"] {
            let record = object(line);
            assert!(record[headers].as_object().unwrap().values().all(|value| is_of_type("array[string]", value)));
        }
    }
}

#[test]
fn second_batch_has_the_requested_members() {
    let plan = SamplePlan { members: 5, ..SamplePlan::default() };
    for (number, members) in [(0, 1), (1, 5)] {
        let batch = plan.batch(Dataset::HttpRequests, number);
        assert_eq!(inflate(&batch.gzip), batch.ndjson);
        let mut rest = batch.gzip.as_slice();
        let mut found = 0;
        while !rest.is_empty() {
            let mut one = flate2::bufread::GzDecoder::new(rest);
            std::io::copy(&mut one, &mut std::io::sink()).unwrap();
            rest = one.into_inner();
            found += 1;
        }
        assert_eq!(found, members);
    }
}

#[test]
fn story_of_each_batch_is_whole() {
    let plan = SamplePlan::default();
    let all: Vec<(u32, SampleRequest)> =
        (0..plan.batches).flat_map(|number| plan.requests(number).map(move |request| (number, request))).collect();
    let children = |of: RayId| all.iter().filter(move |(_, request)| request.parent == Some(of));
    for number in 0..plan.batches {
        let solved = |request: &SampleRequest| match request.story {
            Some(StoryPart::Solved(ray)) => Some(ray),
            _ => None,
        };
        let own = || all.iter().filter(|(batch, _)| *batch == number).map(|(_, request)| request);
        let (visitor, posed) = own().find_map(|request| Some((request, solved(request)?))).unwrap();
        let challenged = own().find(|request| request.ray == posed).unwrap();
        assert!(challenged.end_ns < visitor.start_ns && challenged.story == Some(StoryPart::Challenged));
        let late = children(visitor.ray).filter(|(batch, _)| *batch == number + 1).count();
        assert_eq!(late, usize::from(number + 1 < plan.batches));
        let mut chain = vec![visitor];
        while let Some((_, child)) = children(chain.last().unwrap().ray).find(|(_, child)| child.worker) {
            chain.push(child);
        }
        assert_eq!(chain.len(), 5);
        assert!(
            chain
                .iter()
                .rev()
                .zip([true, false, false, false, false])
                .all(|(request, throws)| (request.story == Some(StoryPart::Threw)) == throws)
        );
        let events = plan.batch(Dataset::FirewallEvents, number);
        let event = lines(&events).map(object).find(|event| event["RayID"] == visitor.ray.to_string()).unwrap();
        assert_eq!(event["OriginatorRayID"], posed.to_string());
        let traces = plan.batch(Dataset::WorkersTraceEvents, number);
        let last = chain.last().unwrap().ray.to_string();
        let trace = lines(&traces).map(object).find(|trace| trace["Event"]["RayID"] == last).unwrap();
        assert_eq!((trace["Outcome"].as_str(), trace["Exceptions"].as_array().unwrap().len()), (Some("exception"), 1));
    }
}
