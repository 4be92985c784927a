//! The neighbours of a ray: is it this client, this page, or everything, and is it slower than usual?
//!
//! # Invariants
//! Everything shown is what the API answers the same caller: values are compared, and shown, as they see them. What was cut, masked
//! or not searched is said.

use super::AnswerRecord;
use super::comparison::nanoseconds;
use super::facts::{RecordFacts, ray_in_path};
use super::links::AnswerLinks;
use super::neighbours_asked::{NeighbourKind, NeighboursAsked};
use super::neighbours_document::{NeighbourDocument, NeighboursDocument, StatusClasses};
use super::sentence::request_duration;
use super::texts::{InstantText, ShownText, counted, duration_text, grouped};
use super::usual_time::usual_time;
use super::waterfall::{target_of_record, tone_of};
use crate::page::code_words::words_of_missing;
use crate::page::figures::seconds_text;
use crate::record::{FieldValue, Timestamp};

/// The neighbours of a ray, as a tab shows them.
#[derive(Debug)]
pub(super) struct NeighboursPart {
    /// The choices: what is the same, and how far away.
    pub(super) choices: [NeighbourChoice; 2],
    /// Why there are none to show; empty where there are.
    pub(super) problem: String,
    /// What was found.
    pub(super) found: Option<NeighboursFound>,
}

/// A choice between links.
#[derive(Debug)]
pub(super) struct NeighbourChoice {
    /// What is chosen.
    pub(super) label: &'static str,
    /// Address and label of each, and whether it is the present one.
    pub(super) options: Vec<(String, String, bool)>,
}

/// What a search for neighbours found.
#[derive(Debug)]
pub(super) struct NeighboursFound {
    /// How many there are, and what they have in common.
    pub(super) words: String,
    /// The values that are the same, by field.
    pub(super) same: Vec<(String, ShownText)>,
    /// How the request's duration compares; empty if that cannot be said.
    pub(super) usual: String,
    /// Numbers by class of status: before the ray and after it.
    pub(super) counts: [(&'static str, StatusClasses); 2],
    /// The nearest ones and the ray itself, by time.
    pub(super) rows: Vec<NeighbourRow>,
    /// What the answer lacks.
    pub(super) notes: Vec<String>,
    /// Where the search goes on; empty if it is complete.
    pub(super) next: String,
}

/// A neighbour, or the ray itself.
#[derive(Debug, Default)]
pub(super) struct NeighbourRow {
    /// The time after the ray, in words.
    pub(super) distance: String,
    /// The instant.
    pub(super) time: String,
    /// Its ray; empty if that is not seen.
    pub(super) ray: String,
    /// The same in a path.
    pub(super) path: String,
    /// Where the two are compared.
    pub(super) comparison: String,
    /// Its status.
    pub(super) status: String,
    /// What the status is drawn as.
    pub(super) tone: &'static str,
    /// Method, host and path.
    pub(super) target: String,
    /// Its duration; empty if it is not known.
    pub(super) lasted: String,
    /// Cache status and client.
    pub(super) more: String,
    /// Whether it is the ray itself.
    pub(super) is_asked: bool,
}

impl NeighboursPart {
    /// Shows what was found, or why nothing was. `own` is the record of the ray.
    pub(super) fn new(
        links: &AnswerLinks,
        asked: NeighboursAsked,
        own: Option<&RecordFacts<'_>>,
        found: Result<&NeighboursDocument, &str>,
    ) -> Self {
        let of_kind = |by: NeighbourKind| {
            let label = match by {
                NeighbourKind::Client => "client",
                NeighbourKind::Path => "page",
                NeighbourKind::Status => "status of the site",
            };
            (links.neighbours(NeighboursAsked { by, ..asked }, None), label.to_owned(), by == asked.by)
        };
        let of_time = |within_s: i64| {
            let href = links.neighbours(NeighboursAsked { within_s, ..asked }, None);
            (href, seconds_text(within_s), within_s == asked.within_s)
        };
        let kinds = NeighbourKind::ALL.map(of_kind).into();
        let times = NeighboursAsked::OFFERED_S.map(of_time).into();
        Self {
            choices: [
                NeighbourChoice { label: "The same", options: kinds },
                NeighbourChoice { label: "Before and after", options: times },
            ],
            problem: found.err().unwrap_or_default().to_owned(),
            found: found.ok().map(|document| NeighboursFound::new(links, asked, own, document)),
        }
    }
}

impl NeighboursFound {
    fn new(
        links: &AnswerLinks,
        asked: NeighboursAsked,
        own: Option<&RecordFacts<'_>>,
        document: &NeighboursDocument,
    ) -> Self {
        let records: Vec<AnswerRecord> = document.neighbours.iter().map(|near| record_of(near, document)).collect();
        let facts: Vec<RecordFacts<'_>> = records.iter().map(RecordFacts::new).collect();
        let lasted: Vec<Option<i64>> = facts.iter().map(request_duration).collect();
        let near = document.neighbours.iter().zip(&facts).zip(&lasted);
        let mut rows: Vec<NeighbourRow> =
            near.map(|((near, facts), lasted)| NeighbourRow::new(links, near, facts, *lasted)).collect();
        let before = document.neighbours.iter().take_while(|near| distance_of(near).is_some_and(|ns| ns < 0)).count();
        let own_lasted = own.and_then(request_duration);
        if let Some(own) = own {
            rows.insert(before.min(rows.len()), NeighbourRow::of_asked(own, own_lasted));
        }
        let summary = &document.summary;
        let same = document.moment.same.iter().map(|(name, raw)| (name.clone(), value_text(raw.get()))).collect();
        Self {
            words: words_of(asked, document),
            same,
            usual: own_lasted.and_then(|own| usual_time(own, lasted.into_iter().flatten())).unwrap_or_default(),
            counts: [("before", summary.before), ("after", summary.after)],
            rows,
            notes: notes_of(document),
            next: document
                .raydex
                .cursor
                .as_deref()
                .map(|cursor| links.neighbours(asked, Some(cursor)))
                .unwrap_or_default(),
        }
    }
}

/// Returns a neighbour as a record of an answer.
fn record_of(near: &NeighbourDocument, document: &NeighboursDocument) -> AnswerRecord {
    let dataset = document.moment.dataset.clone();
    AnswerRecord { dataset, record: near.record.clone(), ..AnswerRecord::default() }
}

/// Returns how long after the ray a neighbour was, in nanoseconds.
fn distance_of(near: &NeighbourDocument) -> Option<i64> {
    nanoseconds(near.distance_ms.as_ref()?.get())
}

/// Returns a value as people read it.
fn value_text(raw: &str) -> ShownText {
    match FieldValue::from_json(raw) {
        FieldValue::Text(text) => ShownText::new(&text, 300),
        _ => ShownText::new(raw, 300),
    }
}

fn words_of(asked: NeighboursAsked, document: &NeighboursDocument) -> String {
    let noun = if document.moment.dataset == "firewall_events" { "security event" } else { "request" };
    let common = match asked.by {
        NeighbourKind::Client => "of the same client",
        NeighbourKind::Path => "of the same page",
        NeighbourKind::Status => "with the same status on this site",
    };
    let within = seconds_text(asked.within_s);
    format!("{} {common} within {within} before and after.", counted(document.summary.matched, noun))
}

fn notes_of(document: &NeighboursDocument) -> Vec<String> {
    let NeighboursDocument { moment, summary, raydex, .. } = document;
    let mut notes = Vec::new();
    let mut say = |is_so: bool, words: String| {
        if is_so {
            notes.push(words);
        }
    };
    let cut = summary.matched.saturating_sub(summary.listed);
    say(
        cut > 0,
        format!("The {} nearest are listed: {} more are counted alone.", grouped(summary.listed), grouped(cut)),
    );
    let masked = moment.masked.join(", ");
    say(
        !moment.masked.is_empty(),
        format!("Compared as your role sees it, so that others may match too: {masked} is masked in part."),
    );
    say(summary.own > 0, format!("Left out: {} of this request's own tree.", counted(summary.own, "record")));
    say(moment.tree_truncated, "Requests of its own tree may be among them: not all of the tree is known.".to_owned());
    let until = summary.searched_until.as_deref().map(|until| format!(": everything until {until} was searched"));
    say(!raydex.complete, format!("The search is not complete{}.", until.unwrap_or_default()));
    for missing in raydex.missing.iter().take(20) {
        say(true, words_of_missing(&missing.code, missing.count));
    }
    notes
}

impl NeighbourRow {
    fn new(links: &AnswerLinks, near: &NeighbourDocument, facts: &RecordFacts<'_>, lasted: Option<i64>) -> Self {
        let ray = near.ray.clone().unwrap_or_default();
        let distance = distance_of(near).map(|ns| {
            let sign = if ns < 0 { "−" } else { "+" };
            format!("{sign}{}", duration_text(ns.saturating_abs()))
        });
        let time = Timestamp::parse(&near.time).map(|at| InstantText::new(at.unix_ms(), at.unix_ms()).text);
        Self {
            distance: distance.unwrap_or_default(),
            time: time.unwrap_or_default(),
            path: ray_in_path(&ray),
            comparison: if ray.is_empty() { String::new() } else { links.comparison(&ray) },
            ray: ShownText::new(&ray, 80).text,
            ..Self::of_record(facts, lasted)
        }
    }

    /// The row of the ray itself.
    fn of_asked(facts: &RecordFacts<'_>, lasted: Option<i64>) -> Self {
        Self { is_asked: true, distance: "this request".to_owned(), ..Self::of_record(facts, lasted) }
    }

    fn of_record(facts: &RecordFacts<'_>, lasted: Option<i64>) -> Self {
        let status = facts.positive("EdgeResponseStatus");
        let text = |name: &str| facts.text(name).map(|text| ShownText::new(&text, 60).text);
        let more = [text("Action"), text("CacheCacheStatus"), text("ClientIP")];
        Self {
            status: status.map(|status| status.to_string()).unwrap_or_default(),
            tone: status.map(tone_of).unwrap_or_default(),
            target: target_of_record(facts),
            lasted: lasted.map(duration_text).unwrap_or_default(),
            more: more.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            ..Self::default()
        }
    }
}
