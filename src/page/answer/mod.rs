//! The answer to a lookup: what happened to one request, in words, as a tree, and field by field.
//!
//! `document` and `explain_document` read the JSON of the API, `facts` the fields of a record. `sentence` says what happened
//! (`sentence_words` has its words), `waterfall` draws the tree, `record_sections` shows the fields by the groups of
//! `field_groups`, `partner_lines` and `delivery_trail` what the partner gets, `copies` what people take with them, and
//! `notes` what is missing. The templates are `templates/answer*.html`.
//!
//! # Invariants
//! Everything shown is from the document, which the API made for the same caller. Lists and texts of the page are bounded; the
//! JSON is whole.

mod answer_head;
mod copies;
mod critical;
mod delivery_trail;
mod document;
mod explain_document;
mod facts;
mod field_groups;
mod notes;
mod partner_lines;
mod pretty_json;
mod ray_records;
mod record_sections;
mod row_time;
mod sentence;
mod sentence_words;
mod units;
mod waterfall;
mod waterfall_line;
mod worker_trace;

pub use document::{
    AnswerBackfill, AnswerBatch, AnswerDelivery, AnswerDocument, AnswerError, AnswerNode, AnswerPayload, AnswerRecord,
    AnswerRepetition, AnswerTree, AnswerWarning,
};
pub use explain_document::{ExplainDocument, PartnerCell, PartnerLineRecord};

use answer_head::AnswerHead;
use delivery_trail::{DeliveryTrail, delivery_trails};
use partner_lines::{PartnerTable, partner_tables};
use pretty_json::PrettyJson;
use ray_records::AnswerRays;
use record_sections::{RaySection, shown_rays};
use waterfall::Waterfall;

/// The part of an answer that a page shows below the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerTab {
    /// The records by their fields.
    #[default]
    Record,
    /// The records as JSON.
    Json,
    /// The partner's lines, column by column: needs an [`ExplainDocument`].
    Partner,
    /// The deliveries: the document must have been asked for with them.
    Deliveries,
}

impl AnswerTab {
    /// All of them, in the order in which they stand.
    pub const ALL: [Self; 4] = [Self::Record, Self::Json, Self::Partner, Self::Deliveries];

    /// Returns the name in the parameter `tab`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Json => "json",
            Self::Partner => "partner",
            Self::Deliveries => "deliveries",
        }
    }

    /// Returns the tab of a name; `None` if there is no such tab.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.name() == name)
    }

    /// Returns what the tab is called on the page.
    const fn label(self) -> &'static str {
        match self {
            Self::Record => "Fields",
            Self::Json => "JSON",
            Self::Partner => "Partner line",
            Self::Deliveries => "Deliveries",
        }
    }
}

/// What an answer is shown by, beside the document of the API.
#[derive(Debug, Clone, Default)]
pub struct AnswerContext {
    /// The time of the request for the page, in Unix milliseconds.
    pub now_ms: i64,
    /// What is shown below the tree.
    pub tab: AnswerTab,
    /// The scheme and host of the page, such as `https://logs.example.com`, for the link in a ticket; empty if it is not
    /// known.
    pub origin: String,
}

impl AnswerContext {
    /// The first tab, at a time.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self { now_ms, tab: AnswerTab::Record, origin: String::new() }
    }

    /// The same with a tab.
    #[must_use]
    pub fn with_tab(self, tab: AnswerTab) -> Self {
        Self { tab, ..self }
    }

    /// The same with the scheme and host of the page.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self }
    }
}

/// The part of a page that shows the answer to a lookup.
#[derive(Debug, askama::Template)]
#[template(path = "answer.html")]
pub struct AnswerPart<'a> {
    document: &'a AnswerDocument,
    tab: AnswerTab,
    head: AnswerHead,
    notes: Vec<String>,
    waterfall: Waterfall,
    sections: Vec<RaySection>,
    partner: Option<(Vec<PartnerTable>, usize)>,
    deliveries: Option<(Vec<DeliveryTrail>, usize)>,
    ticket: String,
    curl: String,
}

impl<'a> AnswerPart<'a> {
    /// Makes the part from a document.
    #[must_use]
    pub fn new(document: &'a AnswerDocument, context: &AnswerContext) -> Self {
        let rays = AnswerRays::new(document);
        let head = AnswerHead::new(document, &rays, context.now_ms);
        let shown = shown_rays(&rays);
        let has_section = |ray: &str| shown.iter().any(|records| records.ray == ray);
        let sections = shown.iter().map(|records| RaySection::new(records, &document.ray, context.now_ms));
        let sections: Vec<RaySection> = sections.collect();
        let records_shown = sections.iter().map(|section| section.records.len()).sum();
        let link = format!("{}/r/{}", context.origin, head.path);
        let own = rays.get(&document.ray);
        let trails = |deliveries: &Vec<AnswerDelivery>| delivery_trails(deliveries, context.now_ms);
        Self {
            tab: context.tab,
            notes: notes::notes(document, &rays, records_shown),
            waterfall: Waterfall::new(document, &rays, &has_section),
            partner: None,
            deliveries: document.deliveries.as_ref().map(trails),
            ticket: own.map(|own| copies::ticket(&head, own, &link)).unwrap_or_default(),
            curl: own.and_then(|own| copies::curl(own.request()?)).unwrap_or_default(),
            document,
            head,
            sections,
        }
    }

    /// Adds the partner's lines, for their tab.
    #[must_use]
    pub fn with_explanation(self, explanation: &ExplainDocument) -> Self {
        Self { partner: Some(partner_tables(explanation)), ..self }
    }

    /// Returns the records with their positions, counted from 1.
    fn numbered_records(&self) -> impl Iterator<Item = (usize, &'a AnswerRecord)> + use<'a> {
        (1..).zip(&self.document.records)
    }

    /// Returns the JSON of a record with a line for each member.
    #[expect(clippy::unused_self, reason = "a template calls methods of its own value")]
    fn pretty(&self, record: &'a AnswerRecord) -> PrettyJson<'a> {
        PrettyJson(record.text())
    }
}
