//! Neighbours once more, naively: every record of the world is masked as a whole and compared with the ray's.

use std::collections::{BTreeMap, BTreeSet};

use raydex::mask::Role;
use raydex::time::rfc3339_ns;
use serde_json::{Map, Value, json};

use super::super::counts::model::{is_of, masked, members};
use super::super::generate::Store;
use super::super::oracle;

/// A question, as the model reads it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) ray: String,
    pub(super) by: &'static str,
    pub(super) within_s: i64,
    pub(super) role: Role,
    /// The zone that the caller is limited to.
    pub(super) zone: Option<&'static str>,
    pub(super) limit: usize,
    pub(super) fields: Vec<&'static str>,
}

/// What the model expects of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Expected {
    /// No record of the ray that the caller sees.
    NotFound,
    /// The record has no value to compare.
    NotComparable,
    Found(Found),
}

#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) moment_ns: i64,
    pub(super) same: Map<String, Value>,
    /// The nearest neighbours by time.
    pub(super) listed: Vec<Value>,
    /// All of them, with their distances.
    pub(super) all: Vec<(i64, Value)>,
    /// The numbers of the summary, but for those of the list.
    pub(super) counts: Value,
}

/// A record that the caller sees.
struct Seen {
    ns: i64,
    ray: Option<String>,
    parent: Option<String>,
    members: BTreeMap<String, Value>,
}

fn compared(by: &str) -> &'static [&'static str] {
    match by {
        "client" => &["ClientIP"],
        "path" => &["ClientRequestHost", "ClientRequestPath"],
        _ => &["ClientRequestHost", "EdgeResponseStatus"],
    }
}

/// Whether two values are the same: texts by what they say, else numbers by how much they are.
fn is_same(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    match (one, other) {
        (Value::String(one), Value::String(other)) => one == other,
        _ => number(one).is_some_and(|one| number(other) == Some(one)),
    }
}

fn seen(store: &Store, question: &Question) -> Vec<Seen> {
    let all = oracle::timed_lines(store, i64::MIN, i64::MAX).into_iter();
    let visible = all.filter(|(_, line)| question.zone.is_none_or(|zone| is_of(zone, line)));
    let seen = |(ns, line): (i64, String)| {
        let json = |raw: String| serde_json::from_str::<Value>(&raw).unwrap();
        let stored: BTreeMap<String, Value> = members(&line).into_iter().map(|(name, raw)| (name, json(raw))).collect();
        let text = |name: &str| stored.get(name).and_then(Value::as_str).map(str::to_owned);
        let members = members(&masked(question.role, &line)).into_iter().map(|(name, raw)| (name, json(raw))).collect();
        Seen { ns, ray: text("RayID"), parent: text("ParentRayID"), members }
    };
    visible.map(seen).collect()
}

/// The rays that parents connect with this one.
fn tree(records: &[Seen], ray: &str) -> BTreeSet<String> {
    let mut tree = BTreeSet::from([ray.to_owned()]);
    loop {
        let before = tree.len();
        for Seen { ray, parent, .. } in records {
            let (Some(ray), Some(parent)) = (ray, parent) else { continue };
            if tree.contains(ray) || tree.contains(parent) {
                tree.extend([ray.clone(), parent.clone()]);
            }
        }
        if tree.len() == before {
            return tree;
        }
    }
}

fn class(status: Option<&Value>) -> &'static str {
    let digits = match status {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let class = digits.parse::<u16>().map_or(0, |status| status / 100);
    match class {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

fn row(record: &Seen, moment_ns: i64, fields: &[&str]) -> Value {
    let shown: Map<String, Value> =
        fields.iter().filter_map(|name| Some(((*name).to_owned(), record.members.get(*name)?.clone()))).collect();
    let ray = record.members.get("RayID").filter(|ray| ray.is_string());
    json!({ "ray": ray, "time": rfc3339_ns(record.ns), "distance_ns": record.ns - moment_ns, "record": shown })
}

/// What the answer to a question has to be.
pub(super) fn expected(store: &Store, question: &Question) -> Expected {
    let records = seen(store, question);
    let Some(own) = records.iter().find(|record| record.ray.as_deref() == Some(&question.ray)) else {
        return Expected::NotFound;
    };
    let mut same = Map::new();
    for name in compared(question.by) {
        let value = own.members.get(*name).cloned().unwrap_or_default();
        if value.is_null() || value.is_array() || value.is_object() || value == "" {
            return Expected::NotComparable;
        }
        same.insert((*name).to_owned(), value);
    }
    let tree = tree(&records, &question.ray);
    let (moment_ns, within_ns) = (own.ns, question.within_s * 1_000_000_000);
    let mut counts = json!({ "matched": 0, "own": 0 });
    for side in ["before", "after"] {
        counts[side] = json!({ "total": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "other": 0 });
    }
    let add = |count: &mut Value| *count = (count.as_u64().unwrap() + 1).into();
    let mut all = Vec::new();
    for record in &records {
        let matches =
            same.iter().all(|(name, value)| record.members.get(name).is_some_and(|other| is_same(value, other)));
        if !matches || record.ns.abs_diff(moment_ns) > within_ns.unsigned_abs() {
            continue;
        }
        if record.ray.as_ref().is_some_and(|ray| tree.contains(ray)) {
            add(&mut counts["own"]);
            continue;
        }
        let side = if record.ns < moment_ns { "before" } else { "after" };
        add(&mut counts["matched"]);
        add(&mut counts[side]["total"]);
        add(&mut counts[side][class(record.members.get("EdgeResponseStatus"))]);
        all.push((record.ns - moment_ns, row(record, moment_ns, &question.fields)));
    }
    all.sort_by_key(|(distance, _)| (distance.abs(), *distance));
    let mut listed: Vec<(i64, Value)> = all.iter().take(question.limit).cloned().collect();
    listed.sort_by_key(|(distance, _)| *distance);
    let listed = listed.into_iter().map(|(_, row)| row).collect();
    Expected::Found(Found { moment_ns, same, listed, all, counts })
}
