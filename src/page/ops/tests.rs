//! The page of operations, made of the answers that are frozen as fixtures.

use askama::Template;

use super::{OpsDocuments, OpsPart, OpsRights, OpsSection};

/// The instant for which the pages are made: a minute after the fixtures' answers.
const NOW_MS: i64 = 1_774_687_405_000;

/// The JSON of the first answer in a fixture.
fn answer<T: serde::de::DeserializeOwned>(name: &str) -> OpsSection<T> {
    let path = format!("{}/tests/fixtures/v0.1/answers/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let json = text.lines().find(|line| line.starts_with('{')).unwrap();
    OpsSection::Shown(serde_json::from_str(json).unwrap())
}

fn documents() -> OpsDocuments {
    OpsDocuments {
        stats: answer("get-v1-stats"),
        coverage: answer("get-v1-coverage"),
        batches: answer("get-v1-batches"),
        parked: answer("get-v1-payloads"),
        dead_letters: answer("get-v1-dead-letters"),
        backfills: answer("get-v1-backfills"),
        costs: answer("get-v1-costs"),
        audit: answer("get-v1-audit"),
    }
}

fn page(documents: &OpsDocuments, rights: OpsRights) -> String {
    OpsPart::new(documents, rights, NOW_MS).render().unwrap()
}

const ALL: OpsRights = OpsRights { may_decide: true, may_decide_many: true };

#[test]
fn operations_match_their_golden_page() {
    let (html, path) = (page(&documents(), ALL), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/page/ops.html"));
    if std::env::var_os("RAYDEX_GOLDEN").is_some() {
        std::fs::write(path, &html).unwrap();
    }
    assert_eq!(html, std::fs::read_to_string(path).unwrap(), "RAYDEX_GOLDEN=1 writes it anew");
}

#[test]
fn unaccounted_lines_are_shown_first() {
    let html = page(&documents(), ALL);
    assert!(html.contains("<dt>unaccounted</dt><dd>0</dd>"));
    assert!(html.contains("every line has an outcome"));
}

#[test]
fn forms_are_for_those_who_may_decide() {
    let forms = |rights| page(&documents(), rights).matches("<form").count();
    assert_eq!(forms(OpsRights::default()), 0);
    assert_eq!(forms(ALL), 6, "three payloads, several of them, a dead letter, a backfill");
    assert_eq!(forms(OpsRights { may_decide_many: false, ..ALL }), 5);
}

#[test]
fn withheld_parts_say_why() {
    let none = "Your token has not the scope deliver.";
    let withheld = || none.to_owned();
    let documents = OpsDocuments {
        parked: OpsSection::Withheld(withheld()),
        audit: OpsSection::Withheld(withheld()),
        ..documents()
    };
    let html = page(&documents, ALL);
    assert_eq!(html.matches(none).count(), 2);
    assert!(!html.contains("Parked payloads</caption>"));
}

#[test]
fn codes_are_shown_in_words() {
    let html = page(&documents(), ALL);
    let shown = visible_text(&html);
    let code = regex::Regex::new("[a-z]+_[a-z_]+").unwrap();
    let raw: Vec<&str> = code.find_iter(&shown).map(|found| found.as_str()).collect();
    assert!(raw.is_empty(), "{raw:?}");
    assert!(shown.contains("Audit log") && !shown.contains('<'), "{shown}");
}

/// The text of a page without that of raw names.
fn visible_text(html: &str) -> String {
    let mut text = String::new();
    let mut hidden = false;
    for part in html.split('<').skip(1) {
        let Some((tag, words)) = part.split_once('>') else { continue };
        match tag.split(' ').next() {
            Some("code") => hidden = true,
            Some("/code") => hidden = false,
            _ => {}
        }
        if !hidden {
            text.push_str(words);
        }
    }
    text
}

#[test]
fn hostile_values_stay_text() {
    let hostile = "</td><script>alert(1)</script>\" onload=x \u{202e}\u{1b}";
    let payload = serde_json::json!({ "payloads": [{ "id": hostile, "partner_batch_id": hostile, "refusal": hostile,
        "code": hostile, "last_attempt_at": hostile, "state": hostile, "unknown_outcomes": 1 }] });
    let batch = serde_json::json!({ "batches": [{ "id": hostile, "state": hostile, "dataset": hostile, "code": hostile,
        "reason": hostile, "object": { "key": hostile, "uploaded_at": hostile }, "counts": { "rejected": { hostile: 2 } } }] });
    let documents = OpsDocuments {
        parked: OpsSection::Shown(serde_json::from_value(payload).unwrap()),
        batches: OpsSection::Shown(serde_json::from_value(batch).unwrap()),
        ..documents()
    };
    let html = page(&documents, ALL);
    assert!(!html.contains("<script") && !html.contains('\u{202e}') && !html.contains('\u{1b}'));
    assert!(html.contains("⟨U+202E⟩") && html.contains("&lt;script&gt;"));
}
