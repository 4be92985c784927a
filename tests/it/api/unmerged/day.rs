//! A day of requests in trees, written as Logpush writes it with and without `merge_subrequests`: the reference is written anew
//! here, and knows nothing of an index.

use std::collections::BTreeMap;

use raydex::record::{Dataset, RayId};

use super::support::Fakes;
use super::support::random::Random;
use super::support::records::ndjson;

/// Milliseconds at which the day begins.
pub(super) const START_MS: i64 = 1_774_687_262_720;
const MINUTE_MS: i64 = 60_000;
/// Logpush merges what ended so long after the visitor's request, and so many of it.
const MERGED_MS: i64 = 5 * MINUTE_MS;
const MERGED: usize = 50;

/// A record of the day.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) dataset: Dataset,
    pub(super) ray: RayId,
    parent: Option<RayId>,
    ends_ms: i64,
    /// The tree that it is of, and its visitor's request.
    tree: usize,
    level: usize,
    pub(super) text: String,
}

/// The records of a day, and the trees of which everything below the visitor's request is merged, not its children alone.
#[derive(Debug, Default)]
pub(super) struct Day {
    pub(super) records: Vec<Record>,
    flat: Vec<usize>,
}

impl Day {
    pub(super) fn random(random: &mut Random, trees: usize) -> Self {
        let mut day = Self::default();
        for tree in 0..trees {
            let at = START_MS + random.between(0, 30 * MINUTE_MS);
            let visitor = day.request(random, (tree, 0), at, None);
            let count = *random.of(&[0, 0, 1, 2, 5, 12, 49, 50, 51, 60]);
            let levels = if random.chance(400) { 4 } else { 1 };
            day.flat.extend(random.chance(300).then_some(tree));
            let mut level = vec![(visitor, at)];
            for depth in 1..=levels {
                let mut next = Vec::new();
                for nth in 0..if depth == 1 { count } else { 1 + random.below(3) } {
                    let (parent, at) = *random.of(if depth == 1 { &level[..1] } else { &level[..] });
                    // Some come ten minutes later, and so in another window; some end too late.
                    let at = at + random.between(0, 900) + i64::try_from(nth).unwrap() * 10;
                    let at = at + if random.chance(60) { 10 * MINUTE_MS } else { 0 };
                    next.push((day.request(random, (tree, depth), at, Some(parent)), at));
                }
                if next.is_empty() {
                    break;
                }
                level = next;
            }
        }
        day
    }

    fn request(&mut self, random: &mut Random, (tree, level): (usize, usize), ms: i64, parent: Option<RayId>) -> RayId {
        let ray = RayId::at(ms, u32::try_from(random.below(1 << 28)).unwrap()).unwrap();
        let ends_ms = ms + if random.chance(50) { MERGED_MS + 1 } else { random.between(1, 2_000) };
        let zone = *random.of(&["a.example", "a.example", "b.example"]);
        let shown = parent.map_or_else(|| "00".to_owned(), |parent| parent.to_string());
        let host = if random.chance(200) { String::new() } else { format!(r#""ZoneName":"{zone}","#) };
        let (agent, source) = (
            random.of(&["x", "é {}[],:", r#"\"q\\ Subrequests"#, r"\u0041"]),
            random.of(&["eyeball", "edgeWorkerFetch"]),
        );
        let text = format!(
            r#"{{"ClientIP":"192.0.2.{}","ClientRequestHost":"www.{zone}","ClientRequestSource":"{source}","ClientRequestUserAgent":"{agent}","EdgeStartTimestamp":{ms}000000,"EdgeEndTimestamp":{ends_ms}000000,"EdgeResponseStatus":{},{host}"RayID":"{ray}","ParentRayID":"{shown}","WorkerSubrequest":{}}}"#,
            random.below(250),
            random.of(&[200, 200, 404, 500]),
            parent.is_some(),
        );
        let record = |dataset, text| Record { dataset, ray, parent, ends_ms, tree, level, text };
        self.records.push(record(Dataset::HttpRequests, text));
        if random.chance(300) {
            let text = format!(
                r#"{{"RayID":"{ray}","Datetime":"{}","MatchIndex":0,"Action":"log","Kind":"firewall","ZoneName":"{zone}"}}"#,
                raydex::time::rfc3339(ms)
            );
            self.records.push(record(Dataset::FirewallEvents, text));
        }
        if random.chance(200) {
            let text = format!(r#"{{"Event":{{"RayID":"{ray}"}},"Outcome":"ok","ScriptName":"s"}}"#);
            self.records.push(record(Dataset::WorkersTraceEvents, text));
        }
        ray
    }

    /// The records that Logpush writes into the line of the visitor's request of a tree.
    fn merged_into(&self, visitor: &Record) -> Vec<&Record> {
        let is_near = |record: &&Record| {
            record.dataset == Dataset::HttpRequests
                && record.tree == visitor.tree
                && record.level > 0
                && (self.flat.contains(&record.tree) || record.parent == Some(visitor.ray))
                && record.ends_ms - visitor.ends_ms <= MERGED_MS
        };
        let mut near: Vec<&Record> = self.records.iter().filter(is_near).collect();
        near.sort_by_key(|record| record.ray);
        near.truncate(MERGED);
        near
    }

    /// The lines of each batch: everything by itself, or merged, with the member first, in the middle, or last.
    pub(super) fn lines(&self, is_merged: bool) -> BTreeMap<(Dataset, String), Vec<String>> {
        let mut batches: BTreeMap<(Dataset, String), Vec<String>> = BTreeMap::new();
        let visitors =
            self.records.iter().filter(|record| record.level == 0 && record.dataset == Dataset::HttpRequests);
        let inside: Vec<(RayId, Vec<&Record>)> =
            visitors.map(|visitor| (visitor.ray, self.merged_into(visitor))).collect();
        let gone: Vec<RayId> = inside.iter().flat_map(|(_, inner)| inner.iter().map(|record| record.ray)).collect();
        for record in &self.records {
            let is_http = record.dataset == Dataset::HttpRequests;
            if is_merged && is_http && gone.contains(&record.ray) {
                continue;
            }
            let inner = inside.iter().find(|(ray, _)| is_merged && is_http && *ray == record.ray);
            let text = match inner {
                Some((_, inner)) => with_member(&record.text, record.tree, inner),
                None => record.text.clone(),
            };
            // Everything of a tree is in one batch of each dataset.
            let key = format!("logs/{}/{}.log", record.dataset, record.tree % 7);
            batches.entry((record.dataset, key)).or_default().push(text);
        }
        batches
    }

    /// A world with this day.
    pub(super) fn build(&self, is_merged: bool) -> Fakes {
        let fakes = Fakes::new();
        for ((dataset, key), lines) in self.lines(is_merged) {
            fakes.index(&key, dataset, &ndjson(lines));
        }
        fakes
    }
}

fn with_member(text: &str, tree: usize, inner: &[&Record]) -> String {
    let inner: Vec<&str> = inner.iter().map(|record| record.text.as_str()).collect();
    let member = format!(r#""Subrequests":[{}]"#, inner.join(","));
    match tree % 3 {
        0 => text.replacen('{', &format!("{{{member},"), 1),
        1 => text.replacen(r#","RayID""#, &format!(r#",{member},"RayID""#), 1),
        _ => format!("{},{member}}}", text.strip_suffix('}').unwrap()),
    }
}
