//! The answer to a lookup: what happened to one request, in words, as a tree, and field by field.
//!
//! `document`, `neighbours_document` and `comparison_document` read the JSON of the API, `facts` the fields of a record.
//! `sentence` says what happened (`sentence_words` has its words), `waterfall` draws the tree, `record_sections` shows the
//! fields by the groups of `field_groups`, `partner_lines` and `delivery_trail` what the partner gets, `neighbours` what
//! happened around the request, `comparison` another one beside it, `copies` what people take with them (from
//! `shared_records`), and `notes` what is missing. The templates are `templates/answer*.html`.
//!
//! # Invariants
//! Everything shown is from the document, which the API made for the same caller. Lists and texts of the page are bounded; the
//! JSON is whole.

mod answer_head;
mod comparison;
mod comparison_document;
mod copies;
mod critical;
mod delivery_trail;
mod document;
mod facts;
mod field_groups;
mod links;
mod neighbours;
mod neighbours_asked;
mod neighbours_document;
mod notes;
mod partner_lines;
mod pretty_json;
mod ray_links;
mod ray_records;
mod record_sections;
mod row_time;
mod sentence;
mod sentence_words;
mod shared_records;
mod shortened;
mod span_tree;
mod texts;
mod tree_pages;
mod usual_time;
mod waterfall;
mod waterfall_line;
mod worker_trace;

pub use comparison_document::{ComparedFieldDocument, ComparedRayDocument, ComparedTimingDocument, ComparisonDocument};
pub use document::{
    AnswerBackfill, AnswerBatch, AnswerDelivery, AnswerDocument, AnswerError, AnswerNode, AnswerPayload, AnswerRecord,
    AnswerRepetition, AnswerTree, AnswerWarning, LineProblem, RayLineDocument,
};
pub use neighbours_asked::{NeighbourKind, NeighboursAsked};
pub use neighbours_document::{
    MissingDocument, MomentDocument, NeighbourDocument, NeighboursDocument, NeighboursEnd, NeighboursSummary,
    StatusClasses,
};

use std::borrow::Borrow;

use answer_head::AnswerHead;
use comparison::ComparisonPart;
use delivery_trail::{DeliveryTrail, delivery_trails};
use links::AnswerLinks;
use neighbours::NeighboursPart;
use partner_lines::{PartnerTable, partner_tables};
use pretty_json::PrettyJson;
use ray_links::{RayLinks, links_of};
use ray_records::{AnswerRays, RayRecords};
use record_sections::{RaySection, shown_rays};
use shared_records::SharedRecords;
use waterfall::Waterfall;

use crate::mask::Role;
use crate::record::Dataset;
use crate::render::PartnerOptions;

/// The part of an answer that a page shows below the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerTab {
    /// The records by their fields.
    #[default]
    Record,
    /// The records as JSON.
    Json,
    /// The partner's lines, column by column.
    Partner,
    /// The deliveries: the document must have been asked for with them.
    Deliveries,
    /// The records around the ray that have something in common with it.
    Neighbours,
    /// Another ray beside this one.
    Compare,
}

impl AnswerTab {
    /// All of them, in the order in which they stand.
    pub const ALL: [Self; 6] =
        [Self::Record, Self::Json, Self::Partner, Self::Deliveries, Self::Neighbours, Self::Compare];

    /// Returns the name in the parameter `tab`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Json => "json",
            Self::Partner => "partner",
            Self::Deliveries => "deliveries",
            Self::Neighbours => "neighbours",
            Self::Compare => "compare",
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
            Self::Neighbours => "Neighbours",
            Self::Compare => "Compare",
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
    /// The parameters that the links of the page keep, by name: `dataset`, `tree`, `records`, `reason`.
    pub kept: Vec<(&'static str, String)>,
}

impl AnswerContext {
    /// The first tab, at a time.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self { now_ms, tab: AnswerTab::Record, origin: String::new(), kept: Vec::new() }
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

    /// The same with parameters that the links of the page keep.
    #[must_use]
    pub fn with_kept(self, kept: Vec<(&'static str, String)>) -> Self {
        Self { kept, ..self }
    }
}

/// Returns what the page of a ray says of it in a sentence and beside that, as far as its own records say it: the sentence, the
/// status with what it is drawn as, and the request.
#[must_use]
pub fn summarise_records(ray: &str, records: Vec<AnswerRecord>) -> RecordsSummary {
    let document = AnswerDocument { ray: ray.to_owned(), records, ..AnswerDocument::default() };
    let rays = AnswerRays::new(&document);
    let none = RayRecords::default();
    let own = rays.get(ray).unwrap_or(&none);
    // A subrequest is below the request that sent it, whatever else its records name.
    let links = || own.of(Dataset::HttpRequests).chain(&own.all).find_map(facts::RecordFacts::link);
    let link = links();
    let above = link.as_ref().map(|(link, parent)| (*link, parent.as_str()));
    let head = AnswerHead::new(own, None, RayLinks { above, solution: None }, 0);
    RecordsSummary { request: head.request_line(), sentence: head.sentence, status: head.status, tone: head.tone }
}

/// What happened to a request, in a line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecordsSummary {
    /// The sentence of its page.
    pub sentence: String,
    /// Method and address, as far as they are known.
    pub request: String,
    /// Its status; empty if it is not known.
    pub status: String,
    /// What the status is drawn as.
    pub tone: &'static str,
}

/// The part of a page that shows the answer to a lookup.
#[derive(Debug, askama::Template)]
#[template(path = "answer.html")]
pub struct AnswerPart<'a> {
    document: &'a AnswerDocument,
    rays: AnswerRays<'a>,
    tab: AnswerTab,
    links: AnswerLinks,
    head: AnswerHead,
    notes: Vec<String>,
    waterfall: Waterfall,
    sections: Vec<RaySection>,
    partner: Option<(Vec<PartnerTable>, usize)>,
    deliveries: Option<(Vec<DeliveryTrail>, usize)>,
    neighbours: Option<NeighboursPart>,
    comparison: Option<ComparisonPart>,
    ticket: String,
    curl: String,
}

impl<'a> AnswerPart<'a> {
    /// Makes the part from a document.
    #[must_use]
    pub fn new(document: &'a AnswerDocument, context: &AnswerContext) -> Self {
        let rays = AnswerRays::new(document);
        let none = RayRecords::default();
        let own = rays.get(&document.ray).unwrap_or(&none);
        let head_of = |records: &RayRecords<'_>| {
            let links = links_of(document, &document.ray);
            AnswerHead::new(records, document.ray_time.as_deref(), links, context.now_ms)
        };
        let head = head_of(own);
        let shown = shown_rays(&rays);
        let has_section = |ray: &str| shown.iter().any(|records| records.ray == ray);
        let sections = shown.iter().map(|records| RaySection::new(records, &document.ray, context.now_ms));
        let sections: Vec<RaySection> = sections.collect();
        let records_shown = sections.iter().map(|section| section.records.len()).sum();
        let link = format!("{}/r/{}", context.origin, head.path);
        let shared = SharedRecords::new(own);
        let shared = shared.read();
        let trails = |deliveries: &Vec<AnswerDelivery>| delivery_trails(deliveries, context.now_ms);
        let links = AnswerLinks::new(context.kept.clone());
        Self {
            tab: context.tab,
            notes: notes::notes(document, &rays, (records_shown, links.first_tree_page().is_some())),
            waterfall: Waterfall::new(document, &rays, &has_section),
            partner: None,
            deliveries: document.deliveries.as_ref().map(trails),
            neighbours: None,
            comparison: None,
            ticket: copies::ticket(&head_of(&shared), &shared, &link),
            curl: shared.request().and_then(copies::curl).unwrap_or_default(),
            document,
            head,
            sections,
            links,
            rays,
        }
    }

    /// Adds the partner's lines, for their tab: made with the deployment's options, as the role sees the records.
    #[must_use]
    pub fn with_partner_lines(self, options: &PartnerOptions, role: Role) -> Self {
        let partner = self.rays.get(&self.document.ray).map(|own| partner_tables(own, options, role));
        Self { partner, ..self }
    }

    /// Adds the neighbours, or why there are none to show, for their tab.
    #[must_use]
    pub fn with_neighbours(self, asked: NeighboursAsked, found: Result<&NeighboursDocument, &str>) -> Self {
        let own = self.rays.get(&self.document.ray).and_then(RayRecords::request);
        let neighbours = Some(NeighboursPart::new(&self.links, asked, own, found));
        Self { neighbours, ..self }
    }

    /// Adds the comparison with the ray in the text `with`, or why there is none, for its tab; `None` where the other ray is
    /// not chosen yet.
    #[must_use]
    pub fn with_comparison(self, with: &str, found: Option<Result<&ComparisonDocument, &str>>) -> Self {
        let dataset = found.and_then(Result::ok).and_then(|document| Dataset::from_name(&document.a.dataset));
        let own = self.rays.get(&self.document.ray).and_then(|own| own.of(dataset?).next());
        let comparison = Some(ComparisonPart::new(with, own, found));
        Self { comparison, ..self }
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

    /// Returns a number with its thousands apart.
    #[expect(clippy::unused_self, reason = "a template calls methods of its own value")]
    fn grouped(&self, number: impl Borrow<u64>) -> String {
        texts::grouped(*number.borrow())
    }

    /// Returns the address of the next page of a large tree.
    fn next_tree_page(&self) -> Option<String> {
        let tree = self.document.tree.as_ref()?.next_cursor.as_deref()?;
        Some(self.links.tree_page(tree, self.document.next_cursor.as_deref()))
    }

    /// Returns the first request of those that sent this one, in a path, if that is another ray and may have records. A request
    /// that was challenged sent none: its archive is another.
    fn other_root(&self) -> Option<String> {
        let AnswerTree { nodes, .. } = self.document.tree.as_ref()?;
        let node_of = |ray: &str| nodes.iter().find(|node| node.ray == ray);
        let mut first = self.document.ray.as_str();
        for _ in nodes {
            let Some(node) = node_of(first).filter(|node| node.link.as_deref() == Some("subrequest")) else { break };
            let Some(parent) = &node.parent else { break };
            first = parent;
        }
        let has_records = node_of(first).is_none_or(|node| !node.records.is_empty());
        (first != self.document.ray && has_records).then(|| facts::ray_in_path(first))
    }
}
