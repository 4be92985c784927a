//! Rows of the tables, with their figures in words.

use super::documents::{BackfillDocument, BatchDocument, ChainedEntryDocument, DeadLetterDocument, PayloadDocument};
use super::figures::{count, count_by_name, since};
use crate::page::code_words::plain_code;
use crate::page::figures::{seconds_text, size_text};
use crate::page::numbers::unix_ms;

/// Width of the bar that stands for the lines of the largest batch.
const BAR: u64 = 100;

/// A batch.
#[derive(Debug)]
pub(super) struct BatchRow<'a> {
    pub(super) batch: &'a BatchDocument,
    pub(super) age: String,
    pub(super) lines: String,
    /// Width of its bar, of 100.
    pub(super) bar: u64,
    pub(super) size: String,
    pub(super) rejected: String,
    /// Time from its last record to its upload.
    pub(super) landed: String,
}

impl<'a> BatchRow<'a> {
    pub(super) fn new(batch: &'a BatchDocument, most_lines: u64, now_ms: i64) -> Self {
        let uploaded_ms = unix_ms(&batch.object.uploaded_at);
        let last_ms = batch.last_record_at.as_deref().and_then(unix_ms);
        let landed = uploaded_ms.zip(last_ms).map(|(uploaded, last)| seconds_text((uploaded - last).max(0) / 1_000));
        Self {
            batch,
            age: since(&batch.object.uploaded_at, now_ms),
            lines: count(batch.counts.lines),
            bar: (batch.counts.lines.saturating_mul(BAR)).checked_div(most_lines).unwrap_or_default(),
            size: size_text(batch.object.size),
            rejected: count_by_name(&batch.counts.rejected),
            landed: landed.unwrap_or_default(),
        }
    }

    /// Whether a person has to look at it.
    pub(super) fn needs_care(&self) -> bool {
        self.batch.state == "quarantined" || !self.rejected.is_empty()
    }
}

/// A parked payload.
#[derive(Debug)]
pub(super) struct PayloadRow<'a> {
    pub(super) payload: &'a PayloadDocument,
    pub(super) lines: String,
    pub(super) age: String,
    pub(super) is_in_doubt: bool,
}

impl<'a> PayloadRow<'a> {
    pub(super) fn new(payload: &'a PayloadDocument, now_ms: i64) -> Self {
        let age = payload.last_attempt_at.as_deref().map(|at| since(at, now_ms));
        Self {
            payload,
            lines: count(payload.lines),
            age: age.unwrap_or_default(),
            is_in_doubt: payload.unknown_outcomes > 0,
        }
    }
}

/// A dead letter.
#[derive(Debug)]
pub(super) struct DeadLetterRow<'a> {
    pub(super) letter: &'a DeadLetterDocument,
    pub(super) age: String,
}

impl<'a> DeadLetterRow<'a> {
    pub(super) fn new(letter: &'a DeadLetterDocument, now_ms: i64) -> Self {
        Self { letter, age: since(&letter.given_up_at, now_ms) }
    }

    /// What it is of: an object's key, or a payload.
    pub(super) fn subject(&self) -> &str {
        let key = self.letter.event.as_ref().map(|event| event.object.key.as_str());
        key.or(self.letter.payload.as_deref()).unwrap_or_default()
    }
}

/// A backfill.
#[derive(Debug)]
pub(super) struct BackfillRow<'a> {
    pub(super) backfill: &'a BackfillDocument,
    /// Objects processed, and announced.
    pub(super) processed: u64,
    pub(super) announced: u64,
    pub(super) objects: String,
    pub(super) rate: String,
    /// What became of its lines.
    pub(super) lines: Option<String>,
}

impl<'a> BackfillRow<'a> {
    pub(super) fn new(backfill: &'a BackfillDocument) -> Self {
        let objects = |name: &str| backfill.objects.get(name).copied().unwrap_or_default();
        let lines = backfill.lines.as_ref().map(|lines| {
            let done = lines.delivered + lines.confirmed;
            format!("{} delivered, {} pending, {} parked", count(done), count(lines.pending), count(lines.parked))
        });
        let (processed, announced) = (objects("processed"), objects("announced"));
        let objects = format!("{} of {} announced", count(processed), count(announced));
        let rate = format!("{} lines a second", count(backfill.lines_per_second));
        Self { backfill, processed, announced, objects, rate, lines }
    }

    /// What it does.
    pub(super) fn work(&self) -> &'static str {
        match (self.backfill.index, self.backfill.deliver, self.backfill.again) {
            (_, true, true) => "deliver once more",
            (true, true, false) => "index and deliver",
            (false, true, false) => "deliver",
            (_, false, _) => "index",
        }
    }

    /// Whether it can be stopped.
    pub(super) fn is_running(&self) -> bool {
        let has_lines = self.backfill.deliver && self.backfill.state == "announced";
        self.backfill.state == "running" || has_lines
    }

    /// Whether it can be resumed.
    pub(super) fn is_stopped(&self) -> bool {
        self.backfill.state == "stopped"
    }
}

/// An entry of the audit log.
#[derive(Debug)]
pub(super) struct AuditRow<'a> {
    pub(super) link: &'a ChainedEntryDocument,
    pub(super) age: String,
}

impl<'a> AuditRow<'a> {
    pub(super) fn new(link: &'a ChainedEntryDocument, now_ms: i64) -> Self {
        Self { link, age: since(&link.entry.time, now_ms) }
    }

    /// The number of the entry, after that of its chain where there are several.
    pub(super) fn number(&self) -> String {
        let seq = self.link.seq;
        self.link.chain.map_or_else(|| seq.to_string(), |chain| format!("{chain}/{seq}"))
    }

    /// What became of the request.
    pub(super) fn outcome(&self) -> String {
        plain_code(&self.link.entry.outcome)
    }

    /// Whether the request was answered.
    pub(super) fn is_admitted(&self) -> bool {
        self.link.entry.outcome == "admitted"
    }
}
