//! The page: the answers of `tests/fixtures/page` as HTML, held against the goldens beside them.

mod answer;
mod hostile;
mod markup;
mod sentences;
mod tabs;

use std::fs;
use std::path::PathBuf;

use askama::Template;
use raydex::mask::Role;
use raydex::page::answer::{
    AnswerContext, AnswerDocument, AnswerPart, AnswerTab, ComparisonDocument, NeighbourKind, NeighboursAsked,
    NeighboursDocument,
};
use raydex::render::PartnerOptions;

/// When the goldens are made: a time after all sample data.
const NOW_MS: i64 = 1_798_000_000_000;

/// The goldens: the name, the answer, and the tab.
const GOLDENS: [(&str, &str, AnswerTab); 12] = [
    ("story", "story", AnswerTab::Record),
    ("challenged", "challenged", AnswerTab::Record),
    ("threw", "threw", AnswerTab::Record),
    ("masked", "masked", AnswerTab::Record),
    ("hit", "hit", AnswerTab::Record),
    ("blocked", "blocked", AnswerTab::Record),
    ("refused", "refused", AnswerTab::Record),
    ("json", "threw", AnswerTab::Json),
    ("partner", "story", AnswerTab::Partner),
    ("deliveries", "story", AnswerTab::Deliveries),
    ("neighbours", "refused", AnswerTab::Neighbours),
    ("comparison", "refused", AnswerTab::Compare),
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/page")).join(name)
}

fn answer(name: &str) -> AnswerDocument {
    AnswerDocument::read(&fs::read(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// The neighbours that the pages of tests ask for.
const ASKED: NeighboursAsked = NeighboursAsked { by: NeighbourKind::Status, within_s: 3_600 };

fn neighbours() -> NeighboursDocument {
    NeighboursDocument::read(&fs::read(path("neighbours.json")).unwrap()).unwrap()
}

fn comparison() -> ComparisonDocument {
    ComparisonDocument::read(&fs::read(path("comparison.json")).unwrap()).unwrap()
}

/// The HTML of a document with a tab.
fn html(document: &AnswerDocument, tab: AnswerTab) -> String {
    let context = AnswerContext::new(NOW_MS).with_tab(tab).with_origin("https://logs.example.com");
    let part = AnswerPart::new(document, &context);
    let part = match tab {
        AnswerTab::Partner => part.with_partner_lines(&PartnerOptions::default(), Role::Support),
        AnswerTab::Neighbours => part.with_neighbours(ASKED, Ok(&neighbours())),
        AnswerTab::Compare => {
            let document = comparison();
            part.with_comparison(&document.b.ray, Some(Ok(&document)))
        }
        _ => part,
    };
    part.render().unwrap()
}

#[test]
fn answers_look_as_their_goldens() {
    for (name, of, tab) in GOLDENS {
        let golden = fs::read_to_string(path(&format!("{name}.html"))).unwrap();
        assert!(
            html(&answer(of), tab) == golden,
            "{name} differs: scripts/page-fixtures writes the goldens, read the diff"
        );
    }
}

#[test]
#[ignore = "scripts/page-fixtures runs it"]
fn goldens_are_written_anew() {
    for (name, of, tab) in GOLDENS {
        fs::write(path(&format!("{name}.html")), html(&answer(of), tab)).unwrap();
    }
}
