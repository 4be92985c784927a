//! Families of requests: the tree around any ray is what a naive reader of all batches makes of them.

use std::collections::{BTreeMap, BTreeSet};

use raydex::record::{Dataset, RayId};
use serde_json::Value;

use super::api::{Ask, json, problem};
use super::support::Fakes;
use super::support::random::Random;
use super::support::records::{PREFIX, ndjson};

/// Milliseconds at which the window of the tests' rays begins.
pub(super) const START_MS: i64 = 1_774_687_262_720;
pub(super) const MINUTE_MS: i64 = 60_000;
/// What each dataset calls the request that caused another.
const PARENTS: [(Dataset, &str); 2] =
    [(Dataset::HttpRequests, "ParentRayID"), (Dataset::FirewallEvents, "OriginatorRayID")];

/// Records of a day, each with what it names.
#[derive(Default)]
pub(super) struct Day {
    random: Option<Random>,
    pub(super) records: Vec<(Dataset, RayId, Option<RayId>)>,
}

impl Day {
    pub(super) fn ray_at(&mut self, ms: i64) -> RayId {
        let random = self.random.get_or_insert_with(|| Random::new(9));
        RayId::at(ms, u32::try_from(random.below(1 << 28)).unwrap()).unwrap()
    }

    /// A request at this time, and the other records of it.
    fn request(&mut self, ms: i64, parent: Option<RayId>) -> RayId {
        let ray = self.ray_at(ms);
        self.records.push((Dataset::HttpRequests, ray, parent));
        let random = self.random.as_mut().unwrap();
        let (has_event, has_trace) = (random.chance(300), random.chance(300));
        for (has, dataset) in [(has_event, Dataset::FirewallEvents), (has_trace, Dataset::WorkersTraceEvents)] {
            if has {
                self.records.push((dataset, ray, None));
            }
        }
        ray
    }

    /// A request at this time, of which there is one record.
    pub(super) fn plain(&mut self, ms: i64, parent: Option<RayId>) -> RayId {
        let ray = self.ray_at(ms);
        self.records.push((Dataset::HttpRequests, ray, parent));
        ray
    }

    /// The same as [`Self::tree_of`], for many records of one each.
    pub(super) fn tree_of_many(&self, ray: RayId) -> BTreeSet<(String, Option<String>, u64)> {
        let parents: BTreeMap<RayId, Option<RayId>> =
            self.records.iter().map(|(_, ray, parent)| (*ray, *parent)).collect();
        let top = |ray: RayId| std::iter::successors(Some(ray), |ray| parents[ray]).last();
        let own = top(ray);
        let of_tree = parents.iter().filter(|(ray, _)| top(**ray) == own);
        of_tree.map(|(ray, parent)| (ray.to_string(), parent.map(|parent| parent.to_string()), 1)).collect()
    }

    /// A visitor's request with Workers chained so deep, each of which asks for more.
    pub(super) fn visit(&mut self, ms: i64, depth: usize) {
        let mut level = vec![(self.request(ms, None), ms)];
        for _ in 0..depth {
            let mut next = Vec::new();
            for (parent, at) in level {
                let random = self.random.as_mut().unwrap();
                let count = 1 + random.below(3);
                for _ in 0..count {
                    let random = self.random.as_mut().unwrap();
                    // Most follow at once; some come ten minutes later, and so in another window.
                    let late = if random.chance(80) { 10 * MINUTE_MS } else { 0 };
                    let at = at + random.between(0, 2_000) + late;
                    next.push((self.request(at, Some(parent)), at));
                }
            }
            level = next;
        }
    }

    /// A world with these records, spread over batches of each dataset.
    pub(super) fn build(&self) -> Fakes {
        let fakes = Fakes::new();
        let mut random = Random::new(3);
        let mut batches: BTreeMap<(Dataset, usize), Vec<String>> = BTreeMap::new();
        for (dataset, ray, parent) in &self.records {
            batches.entry((*dataset, random.below(5))).or_default().push(line(*dataset, *ray, *parent));
        }
        for ((dataset, number), lines) in &batches {
            fakes.index(&format!("logs/{dataset}/{number}.log"), *dataset, &ndjson(lines));
        }
        fakes
    }

    /// Each ray of the tree around `ray` with its parent and its number of records: read without any index.
    pub(super) fn tree_of(&self, ray: RayId) -> BTreeSet<(String, Option<String>, u64)> {
        let parent_of = |ray: RayId| self.records.iter().find_map(|(_, of, parent)| parent.filter(|_| *of == ray));
        let mut root = ray;
        while let Some(parent) = parent_of(root) {
            root = parent;
        }
        let mut tree = BTreeSet::new();
        let mut open = vec![(root, None)];
        while let Some((ray, parent)) = open.pop() {
            let own = self.records.iter().filter(|(_, of, _)| *of == ray).count() as u64;
            tree.insert((ray.to_string(), parent.map(|parent: RayId| parent.to_string()), own));
            let children: BTreeSet<RayId> =
                self.records.iter().filter(|(_, _, named)| *named == Some(ray)).map(|(_, child, _)| *child).collect();
            open.extend(children.into_iter().map(|child| (child, Some(ray))));
        }
        tree
    }
}

/// A record of this ray.
pub(super) fn line(dataset: Dataset, ray: RayId, parent: Option<RayId>) -> String {
    let (parent_name, fields) = match dataset {
        Dataset::WorkersTraceEvents => {
            return format!(r#"{{"Event":{{"RayID":"{ray}"}},"Outcome":"ok","ScriptName":"s"}}"#);
        }
        Dataset::FirewallEvents => (PARENTS[1].1, r#""MatchIndex":0,"Action":"log","Kind":"firewall""#),
        _ => (PARENTS[0].1, r#""ClientRequestMethod":"GET","EdgeResponseStatus":200"#),
    };
    let parent = parent.map_or_else(|| "00".to_owned(), |parent| parent.to_string());
    format!(r#"{{"RayID":"{ray}","{parent_name}":"{parent}",{fields}}}"#)
}

/// The rays of a tree with their parents and numbers of records.
pub(super) fn nodes(tree: &Value) -> BTreeSet<(String, Option<String>, u64)> {
    let node = |node: &Value| {
        let records = node["records"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        (node["ray"].as_str().unwrap().to_owned(), node["parent"].as_str().map(str::to_owned), records)
    };
    tree["nodes"].as_array().unwrap().iter().map(node).collect()
}

fn story(fakes: &Fakes, ray: RayId, query: &str) -> Value {
    json(&Ask::get(&format!("/v1/rays/{ray}?{query}")).of(fakes))
}

#[test]
fn tree_of_any_ray_is_the_naive_one() {
    let mut day = Day::default();
    for visit in 0..24 {
        day.visit(START_MS + visit * 3 * MINUTE_MS, usize::try_from(visit % 5).unwrap());
    }
    // One with many children, one whose parent is in no log, and a solved challenge.
    let busy = day.request(START_MS + 77_000, None);
    for child in 0..60 {
        day.request(START_MS + 77_000 + child * 40, Some(busy));
    }
    let missing = day.ray_at(START_MS + 90_000);
    day.request(START_MS + 91_000, Some(missing));
    let solved = day.request(START_MS + 130_000, None);
    day.records.push((Dataset::FirewallEvents, solved, Some(busy)));
    let fakes = day.build();
    let rays: BTreeSet<RayId> = day.records.iter().map(|(_, ray, _)| *ray).collect();
    assert!(rays.len() > 200, "{}", rays.len());
    let (mut largest, mut windows) = (0, 0);
    for ray in rays {
        let reply = story(&fakes, ray, "");
        let (tree, wanted) = (nodes(&reply["tree"]), day.tree_of(ray));
        assert_eq!(tree, wanted, "{ray}");
        assert_eq!(reply["tree"]["truncated"], false);
        let prefixes: BTreeSet<&str> = tree.iter().map(|(ray, ..)| ray.get(..5).unwrap()).collect();
        let calls = reply["cost"]["shards_asked"].as_u64().unwrap();
        assert!(calls >= prefixes.len() as u64 && calls <= 2 * prefixes.len() as u64, "{ray}: {calls} calls");
        (largest, windows) = (largest.max(tree.len()), windows.max(prefixes.len()));
    }
    assert!(largest > 60 && windows > 2, "{largest} rays, {windows} windows");
}

#[test]
fn family_of_one_window_costs_one_call() {
    let mut day = Day::default();
    let visitor = day.request(START_MS + 5_000, None);
    day.records.push((Dataset::FirewallEvents, visitor, None));
    day.records.push((Dataset::WorkersTraceEvents, visitor, None));
    let mut last = visitor;
    for child in 0..20 {
        last = day.request(START_MS + 5_010 + child * 30, Some(if child < 16 { visitor } else { last }));
    }
    let fakes = day.build();
    for ray in [visitor, last] {
        let reply = story(&fakes, ray, "");
        assert_eq!(nodes(&reply["tree"]), day.tree_of(visitor));
        assert_eq!((&reply["cost"]["shards_asked"], &reply["cost"]["full_scans"]), (&1.into(), &0.into()), "{ray}");
    }
}

#[test]
fn listed_subrequests_follow_the_rays_own_records() {
    let mut day = Day::default();
    day.visit(START_MS + 1_000, 3);
    let fakes = day.build();
    let rays: BTreeSet<RayId> = day.records.iter().map(|(_, ray, _)| *ray).collect();
    for ray in rays {
        let reply = story(&fakes, ray, "subrequests=list");
        let order: Vec<&str> =
            reply["tree"]["nodes"].as_array().unwrap().iter().map(|node| node["ray"].as_str().unwrap()).collect();
        let listed = reply["records"].as_array().unwrap().iter().map(|record| {
            let record = &record["record"];
            record["RayID"].as_str().or(record["Event"]["RayID"].as_str()).unwrap()
        });
        let mut listed: Vec<&str> = listed.collect();
        listed.dedup();
        let own = order.iter().position(|other| *other == ray.to_string()).unwrap();
        assert_eq!(listed, order[own..own + listed.len()], "{ray}");
        let native = Ask::get(&format!("/v1/rays/{ray}?format=native&subrequests=list")).of(&fakes);
        let lines = String::from_utf8(native.body).unwrap();
        assert_eq!(lines.lines().count(), reply["records"].as_array().unwrap().len());
        let own = story(&fakes, ray, "subrequests=none")["records"].as_array().unwrap().len();
        assert_eq!(own, day.records.iter().filter(|(_, of, _)| *of == ray).count());
    }
}

#[test]
fn late_child_is_in_the_next_answer() {
    let mut day = Day::default();
    let visitor = day.request(START_MS, None);
    let fakes = day.build();
    let path = format!("/v1/rays/{visitor}");
    let before = Ask::get(&path).of(&fakes);
    assert_eq!(json(&before)["tree"]["nodes"].as_array().unwrap().len(), 1);
    let child = RayId::at(START_MS + 10 * MINUTE_MS, 5).unwrap();
    assert_ne!(child.prefix(), visitor.prefix());
    let text = line(Dataset::HttpRequests, child, Some(visitor));
    fakes.index("logs/http_requests/late.log", Dataset::HttpRequests, text.as_bytes());
    let after = Ask::get(&path).of(&fakes);
    assert_eq!(json(&after)["tree"]["nodes"][1]["ray"], child.to_string());
    let tag = |reply: &super::api::Reply| {
        reply.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value.to_string()).unwrap()
    };
    assert_ne!(tag(&before), tag(&after));
    // It is gone with its batch.
    fakes.index(
        "logs/http_requests/late.log",
        Dataset::HttpRequests,
        line(Dataset::HttpRequests, child, None).as_bytes(),
    );
    assert_eq!(json(&Ask::get(&path).of(&fakes))["tree"]["nodes"].as_array().unwrap().len(), 1);
}

#[test]
fn parts_and_depth_are_obeyed_or_refused() {
    let mut day = Day::default();
    day.visit(START_MS, 2);
    let (fakes, ray) = (day.build(), day.records[0].1);
    let reply = story(&fakes, ray, "parts=records");
    assert!(reply.get("tree").is_none() && !reply["records"].as_array().unwrap().is_empty());
    let reply = story(&fakes, ray, "parts=tree&depth=0");
    assert_eq!((reply["records"].as_array().unwrap().len(), reply["tree"]["nodes"].as_array().unwrap().len()), (0, 1));
    let levels = |depth: u64| {
        let reply = story(&fakes, ray, &format!("depth={depth}"));
        let nodes = reply["tree"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["depth"].as_u64().unwrap()).max()
    };
    assert_eq!([levels(1), levels(2), levels(9)], [Some(1), Some(2), Some(2)]);
    for query in ["parts=", "parts=records,trees", "format=native&parts=tree", "subrequests=all", "depth=-1", "depth=x"]
    {
        let reply = Ask::get(&format!("/v1/rays/{ray}?{query}")).of(&fakes);
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{query}");
    }
}

#[test]
fn circle_of_parents_ends() {
    let rays: Vec<RayId> = (1..4).map(|number| RayId::from_parts(PREFIX, number << 30)).collect();
    let fakes = Fakes::new();
    let lines = (0..3).map(|at| line(Dataset::HttpRequests, rays[at], Some(rays[(at + 1) % 3])));
    fakes.index("logs/http_requests/a.log", Dataset::HttpRequests, &ndjson(lines));
    for ray in &rays {
        let tree = &story(&fakes, *ray, "")["tree"];
        assert_eq!((tree["nodes"].as_array().unwrap().len(), &tree["cyclic"]), (3, &true.into()));
        assert_eq!(tree["root"], rays[0].to_string(), "the lowest, whichever is asked for");
    }
    let own = RayId::from_parts(PREFIX, 9 << 30);
    let text = line(Dataset::HttpRequests, own, Some(own));
    fakes.index("logs/http_requests/b.log", Dataset::HttpRequests, text.as_bytes());
    assert_eq!(story(&fakes, own, "")["tree"]["nodes"].as_array().unwrap().len(), 1);
}

#[test]
fn cut_list_of_subrequests_says_so() {
    let mut day = Day::default();
    let visitor = day.request(START_MS, None);
    day.records.truncate(1);
    for child in 0..1_100 {
        let ray = day.ray_at(START_MS + child);
        day.records.push((Dataset::HttpRequests, ray, Some(visitor)));
    }
    let fakes = day.build();
    let reply = Ask::get(&format!("/v1/rays/{visitor}?format=native&subrequests=list")).of(&fakes);
    for header in ["raydex-truncated", "raydex-next-cursor"] {
        assert!(reply.headers.iter().any(|(name, _)| *name == header), "{header}");
    }
    let whole = story(&fakes, visitor, "");
    assert_eq!((&whole["truncated"], &whole["tree"]["truncated"]), (&false.into(), &true.into()));
    assert_eq!(whole["records"].as_array().unwrap().len(), 1);
}
