//! What an answer lacks, in words.

use super::facts::RecordFacts;
use super::ray_records::AnswerRays;
use super::texts::counted;
use super::{AnswerDocument, AnswerNode};
use crate::record::Dataset;

/// Returns a sentence for each thing that an answer lacks. `shown` is how many records are on the page, and whether that is a
/// later one of the tree.
pub(super) fn notes(
    document: &AnswerDocument,
    rays: &AnswerRays<'_>,
    (shown, is_later_page): (usize, bool),
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut say = |is_so: bool, words: String| {
        if is_so {
            notes.push(words);
        }
    };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let DocumentGaps { masked, damaged, bare } = DocumentGaps::new(document, rays);
    let tree = document.tree.as_ref();
    say(
        masked > 0,
        format!("Your role sees {} masked in whole or in part, shown as [masked].", counted(count(masked), "value")),
    );
    say(damaged > 0, format!("{} damaged, so its fields are missing.", is_or_are(damaged, "record")));
    say(document.truncated, "There are more records than this answer has.".to_owned());
    let gone = document.batches_gone;
    say(gone > 0, format!("{} with this ray no longer in the bucket.", is_or_are(gone, "batch")));
    let unreadable = document.batches_unreadable;
    say(unreadable > 0, format!("{} with this ray damaged.", is_or_are(unreadable, "batch")));
    let has_page = tree.is_some_and(|tree| tree.next_cursor.is_some());
    let rows = counted(count(tree.map_or(0, |tree| tree.nodes.len())), "request");
    say(is_later_page, format!("A later page of the tree: {rows} of it, without those of the pages before."));
    say(has_page && !is_later_page, format!("The tree goes on: this page has its first {rows}."));
    say(has_page && is_later_page, "The tree goes on after them.".to_owned());
    let elsewhere = tree.map_or(0, |tree| {
        tree.nodes.iter().filter(|node| !node.records.is_empty() && !rays.has_records(&node.ray)).count()
    });
    say(
        elsewhere > 0,
        format!("What happened in {} is on pages of their own: follow the tree.", counted(count(elsewhere), "request")),
    );
    say(
        tree.is_some_and(|tree| tree.truncated) && !has_page,
        "The tree may have more requests than are shown.".to_owned(),
    );
    say(
        tree.is_some_and(|tree| tree.cyclic),
        "Requests name each other as parents in a circle: the tree begins where that closes.".to_owned(),
    );
    let without = if bare == 1 { "has" } else { "have" };
    say(bare > 0, format!("{} of the tree {without} no record that you can see.", counted(count(bare), "request")));
    let beyond = document.records.len().saturating_sub(shown);
    say(
        beyond > 0,
        format!(
            "The fields of {} are on the pages of their rays: follow the tree.",
            counted(count(beyond), "more record")
        ),
    );
    let has_request = rays.get(&document.ray).is_some_and(|records| records.request().is_some());
    let has_any = rays.get(&document.ray).is_some_and(|records| !records.all.is_empty());
    say(
        has_any && !has_request,
        "No record of the request itself is here: it may be missing, or in a dataset that this address or your token leaves out."
            .to_owned(),
    );
    let logged = rays.get(&document.ray).map_or(0, |records| records.of(Dataset::HttpRequests).count());
    say(
        logged > 1,
        format!("The log has {} of this request: the first one is described.", counted(count(logged), "record")),
    );
    let has_own_row =
        tree.is_none_or(|tree| tree.nodes.is_empty() || tree.nodes.iter().any(|node| node.ray == document.ray));
    say(!has_own_row, "The row of this request is on another page of its tree.".to_owned());
    for warning in document.warnings.iter().take(20) {
        let hint = warning.hint.as_deref().unwrap_or_default();
        say(true, format!("{} at {}: {} {hint}", warning.parameter, warning.at, warning.detail).trim().to_owned());
    }
    notes
}

/// Returns a count with its noun and the verb for it.
fn is_or_are(number: u64, noun: &str) -> String {
    let noun = if number == 1 || noun != "batch" { noun } else { "batche" };
    format!("{} {}", counted(number, noun), if number == 1 { "is" } else { "are" })
}

/// How much of a document is not shown as it was logged.
struct DocumentGaps {
    /// Values that are masked.
    masked: usize,
    /// Records with damaged lines.
    damaged: u64,
    /// Rays of the tree without a record.
    bare: usize,
}

impl DocumentGaps {
    fn new(document: &AnswerDocument, rays: &AnswerRays<'_>) -> Self {
        let nodes = document.tree.iter().flat_map(|tree| &tree.nodes);
        let is_bare = |node: &&AnswerNode| {
            node.records.is_empty() && rays.get(&node.ray).is_none_or(|records| records.all.is_empty())
        };
        Self {
            masked: rays.iter().flat_map(|records| &records.all).map(RecordFacts::masked_fields).sum(),
            damaged: document.records.iter().map(|record| u64::from(record.record.is_none())).sum(),
            bare: nodes.filter(is_bare).count(),
        }
    }
}
