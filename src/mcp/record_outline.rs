//! Records in an answer: what a person looks at first of each, then more of each as it fits.
//!
//! # Invariants
//! What is left out of a record is counted. A field that is empty says nothing, and counts as nothing.

use std::collections::BTreeSet;

use super::budget::AnswerBudget;
use super::left_out::LeftOut;
use super::untrusted::{UntrustedValue, untrusted_name};
use crate::limits::{MCP_FIRST_FIELDS, MCP_RECORD_BYTES};
use crate::mask::is_listed;
use crate::page::search::search_columns;
use crate::record::{Dataset, RecordMembers};

/// The fields that say what came of a request, after the columns of its dataset.
const TELLING: [&str; 24] = [
    "EdgeResponseContentType",
    "EdgeTimeToFirstByteMs",
    "OriginResponseDurationMs",
    "OriginIP",
    "SecurityAction",
    "SecurityActions",
    "SecurityRuleDescription",
    "SecurityRuleID",
    "SecuritySources",
    "WAFAttackScore",
    "BotScore",
    "WorkerStatus",
    "WorkerScriptName",
    "WorkerSubrequest",
    "ParentRayID",
    "OriginTLSHandshakeDurationMs",
    "OriginTCPHandshakeDurationMs",
    "ClientRequestReferer",
    "ClientRequestProtocol",
    "ClientSSLProtocol",
    "ZoneName",
    "Outcome",
    "Exceptions",
    "Logs",
];

/// Bytes of the member that holds the fields of a record, with its brackets, as it stands in an answer.
const MEMBER: &str = r#","untrusted_fields":{},"cut_values":{},"fields_left_out":1000"#;

/// A field as it would be shown.
struct OutlinedField {
    name: String,
    value: UntrustedValue,
    /// Whether a list of the datasets has its name, so that the name is no one else's words.
    is_listed: bool,
    is_shown: bool,
}

impl OutlinedField {
    /// Takes what the field needs of the answer, if it is left.
    fn fit(&mut self, budget: &mut AnswerBudget) {
        let cut = self.value.cut_from.map_or_else(String::new, |chars| format!("{}:{chars},", self.name));
        self.is_shown = budget.take(&format!("{}:{},{cut}", self.name, self.value.json));
    }
}

/// A record in the making.
pub(super) struct RecordOutline {
    /// Its members before the fields, as JSON without brackets.
    head: String,
    fields: Vec<OutlinedField>,
    /// Fields of which nothing is kept: no more of them can fit.
    beyond: usize,
}

impl RecordOutline {
    /// Reads a record, as its caller sees it. `order` has the names that come first.
    pub(super) fn read(head: String, dataset: Dataset, record: &str, order: &[String]) -> Self {
        let mut outline = Self { head, fields: Vec::new(), beyond: 0 };
        let Ok(members) = RecordMembers::parse(record) else { return outline };
        let columns = search_columns(dataset);
        let of_dataset = columns.iter().copied().chain(TELLING);
        let first: Vec<&str> = order.iter().map(String::as_str).chain(of_dataset).collect();
        let is_first = |name: &str| first.contains(&name);
        let telling = first.iter().filter_map(|name| Some((*name, members.get(name)?)));
        let others = members.iter().filter(|(name, _)| !is_first(name));
        let (mut names, mut bytes) = (BTreeSet::new(), 0);
        for (name, json) in telling.chain(others) {
            if bytes > MCP_RECORD_BYTES {
                outline.beyond += 1;
                continue;
            }
            let Some(value) = UntrustedValue::read(json) else { continue };
            let shown = untrusted_name(name);
            // Two members of one name would hide each other. The first list may name a field twice.
            if !names.insert(shown.clone()) {
                outline.beyond += usize::from(!is_first(name));
                continue;
            }
            bytes += shown.len() + value.json.len();
            let is_listed = is_listed(&[dataset], name);
            outline.fields.push(OutlinedField { name: shown, value, is_listed, is_shown: false });
        }
        outline
    }

    /// Takes what the record needs at least, if it is left.
    fn fit(&self, budget: &mut AnswerBudget) -> bool {
        budget.take(&self.head) && budget.take(MEMBER)
    }

    /// The record as JSON.
    fn json(&self) -> String {
        let shown = || self.fields.iter().filter(|field| field.is_shown);
        let members: Vec<String> = shown().map(|field| format!("{}:{}", field.name, field.value.json)).collect();
        let cut = shown().filter_map(|field| Some(format!("{}:{}", field.name, field.value.cut_from?)));
        let cut = cut.collect::<Vec<_>>().join(",");
        let head = Some(self.head.clone()).filter(|head| !head.is_empty());
        let fields = Some(format!("\"untrusted_fields\":{{{}}}", members.join(",")));
        let cut = (!cut.is_empty()).then(|| format!("\"cut_values\":{{{cut}}}"));
        let left_out = Some(self.left_out()).filter(|count| *count > 0);
        let left_out = left_out.map(|count| format!("\"fields_left_out\":{count}"));
        let all: Vec<String> = [head, fields, cut, left_out].into_iter().flatten().collect();
        format!("{{{}}}", all.join(","))
    }

    fn left_out(&self) -> usize {
        self.beyond + self.fields.iter().filter(|field| !field.is_shown).count()
    }
}

/// Returns the records as a JSON array, with as much of each as fits; those of which nothing fits are left out.
pub(super) fn write_records(
    mut records: Vec<RecordOutline>,
    budget: &mut AnswerBudget,
    left_out: &mut LeftOut,
) -> String {
    let read = records.len();
    let mut fitting = 0;
    while records.get(fitting).is_some_and(|record| record.fit(budget)) {
        fitting += 1;
    }
    records.truncate(fitting);
    left_out.records += read - fitting;
    for nth in 0..MCP_FIRST_FIELDS {
        records.iter_mut().filter_map(|record| record.fields.get_mut(nth)).for_each(|field| field.fit(budget));
    }
    for record in &mut records {
        record.fields.iter_mut().skip(MCP_FIRST_FIELDS).for_each(|field| field.fit(budget));
    }
    for record in &records {
        left_out.fields += record.left_out();
        let hidden = record.fields.iter().filter(|field| field.is_listed && !field.is_shown);
        left_out.name_fields(hidden.map(|field| field.name.as_str()));
        left_out.cut_values +=
            record.fields.iter().filter(|field| field.is_shown && field.value.cut_from.is_some()).count();
    }
    format!("[{}]", records.iter().map(RecordOutline::json).collect::<Vec<_>>().join(","))
}
