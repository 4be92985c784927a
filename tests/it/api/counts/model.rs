//! Counts once more, naively: every record of the range is masked as a whole and put into a map.

use std::collections::{BTreeMap, HashMap};

use raydex::filter::Filter;
use raydex::mask::{Role, mask_line};
use raydex::record::Dataset;
use raydex::time::rfc3339_s;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::generate::Store;
use super::super::oracle;

/// Step, values by field and whether they are others, with their count: what rows add up to.
pub(super) type Sums = BTreeMap<(Option<String>, Values, bool), u64>;

/// Values by field, if there are any.
pub(super) type Values = Option<Vec<(String, String)>>;

/// A question, as the model reads it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) role: Role,
    /// The zone that the caller is limited to.
    pub(super) zone: Option<&'static str>,
    pub(super) filter: Option<String>,
    pub(super) step_s: Option<i64>,
    pub(super) by: Vec<String>,
}

/// A value in one spelling: texts by what they say, all else as it is spelled.
pub(super) fn spelled(raw: &str) -> String {
    let text = raw.starts_with('"').then(|| serde_json::from_str::<Value>(raw).unwrap());
    text.map_or_else(|| raw.to_owned(), |text| text.to_string())
}

/// The members of a record, each as it is spelled; half a sign is none that serde reads.
pub(in super::super) fn members(line: &str) -> HashMap<String, String> {
    let line = line.replace("\\ud800", "\\ufffd");
    let members: HashMap<String, Box<RawValue>> = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    members.into_iter().map(|(name, raw)| (name, spelled(raw.get()))).collect()
}

/// Whether a record is of a zone: by its name, or else by its host.
pub(in super::super) fn is_of(zone: &str, line: &str) -> bool {
    let members = members(line);
    let text = |name: &str| members.get(name).map(|raw| raw.trim_matches('"').to_lowercase());
    match text("ZoneName").filter(|name| name != "null") {
        Some(name) => name == zone,
        None => text("ClientRequestHost").is_some_and(|host| host == zone || host.ends_with(&format!(".{zone}"))),
    }
}

/// What a role sees of a record.
pub(in super::super) fn masked(role: Role, line: &str) -> String {
    let mut out = Vec::new();
    mask_line(role, Dataset::HttpRequests, line.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The counts of a question.
pub(super) fn counts(store: &Store, question: &Question) -> Sums {
    let filter = question.filter.as_ref().map(|filter| Filter::parse(filter).unwrap());
    let mut sums = Sums::new();
    for (ns, line) in oracle::timed_lines(store, question.start_ns, question.end_ns) {
        let seen = masked(question.role, &line);
        let is_shown = question.zone.is_none_or(|zone| is_of(zone, &line))
            && filter.as_ref().is_none_or(|filter| filter.accepts(seen.as_bytes()) == Ok(true));
        if !is_shown {
            continue;
        }
        let members = members(&seen);
        let value = |name: &String| (name.clone(), members.get(name).map_or("null", String::as_str).to_owned());
        let values = (!question.by.is_empty()).then(|| question.by.iter().map(value).collect());
        let step = question.step_s.map(|step_s| rfc3339_s(ns.div_euclid(step_s * 1_000_000_000) * step_s));
        *sums.entry((step, values, false)).or_default() += 1;
    }
    sums
}

/// The same with rows for the most frequent values alone, if no two values are as frequent as each other there.
pub(super) fn folded(sums: &Sums, top: usize) -> Option<Sums> {
    let mut totals: BTreeMap<&Values, u64> = BTreeMap::new();
    for ((_, values, _), count) in sums {
        *totals.entry(values).or_default() += count;
    }
    let mut ranked: Vec<(u64, &Values)> = totals.into_iter().map(|(values, count)| (count, values)).collect();
    ranked.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    if ranked.len() > top && ranked[top - 1].0 == ranked[top].0 {
        return None;
    }
    let kept: Vec<_> = ranked.iter().take(top).map(|(_, values)| *values).collect();
    let mut folded = Sums::new();
    for ((step, values, _), count) in sums {
        let key =
            if kept.contains(&values) { (step.clone(), values.clone(), false) } else { (step.clone(), None, true) };
        *folded.entry(key).or_default() += count;
    }
    Some(folded)
}
