//! Collects the summaries of a batch and of its spans, record by record. Most values repeat: each then costs one lookup
//! of its number in a table.
//!
//! # Invariants
//!
//! Every value that was added is in the summaries. Their memory is bounded by the limits; beyond these, a summary
//! admits any value.

use super::dictionary::Dictionary;
use super::filter::{TextFilter, hash};
use super::spans::{self, SpanValues, TokenSet, ValueSet};
use super::tokens::{inside, is_plain, sort, text_of, with_tokens};
use super::{FieldSummary, PruningSummary, TimeBounds, form};
use crate::batch::ObjectSpans;
use crate::limits::{SUMMARIES_MAX, SUMMARY_BATCH_TEXTS, SUMMARY_TEXTS, SUMMARY_TOKEN_MAX, SUMMARY_TOKENS};
use crate::record::{FieldToken, INDEXED_FIELDS, IndexedFields};

/// Collects values into summaries.
#[derive(Debug)]
pub struct SummaryBuilder {
    columns: Vec<FieldColumn>,
    /// The completed spans.
    spans: Vec<SpanValues>,
    /// The times and the number of records of the current span.
    current: SpanValues,
    /// Total size of the filters so far, in bytes.
    filters: usize,
}

/// Summaries in their stored forms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedSummaries {
    /// The summary of the batch.
    pub batch: Vec<u8>,
    /// The summaries of its spans, if there is more than one.
    pub spans: Vec<u8>,
}

impl Default for SummaryBuilder {
    fn default() -> Self {
        let columns = INDEXED_FIELDS.iter().map(|_| FieldColumn::new()).collect();
        Self { columns, spans: Vec::new(), current: SpanValues::default(), filters: 0 }
    }
}

impl SummaryBuilder {
    /// Adds a record of a span, with its instant and line. Spans come in ascending order.
    pub fn take(&mut self, span: u32, ns: i64, line: &[u8], indexed_fields: &IndexedFields) {
        while self.spans.len() < span as usize {
            self.end_span();
        }
        self.current.times = self.current.times.and(ns);
        self.current.records += 1;
        if !indexed_fields.is_known() {
            self.columns.iter_mut().for_each(FieldColumn::give_up);
            return;
        }
        for (column, (start, text)) in self.columns.iter_mut().zip(indexed_fields.values(line)) {
            column.take(line, start, text);
        }
    }

    /// Returns the summaries of the whole batch, whose spans are `object_spans`.
    #[must_use]
    pub fn finish(mut self, object_spans: &ObjectSpans) -> PackedSummaries {
        while self.spans.len() < object_spans.extents.len().max(1) {
            self.end_span();
        }
        let times = self.spans.iter().fold(TimeBounds::NONE, |times, span| times.with(span.times));
        let spans = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        let fields = self.columns.iter_mut().map(FieldColumn::summary).collect();
        let batch = form::to_bytes(PruningSummary { spans, times, fields });
        let dictionaries: Vec<&[Box<[u8]>]> = self.columns.iter().map(|column| column.dictionary.tokens()).collect();
        let of_spans = if spans > 1 { spans::to_bytes(&dictionaries, &self.spans, object_spans) } else { Vec::new() };
        PackedSummaries { batch, spans: of_spans }
    }

    /// Ends the current span.
    fn end_span(&mut self) {
        let mut span = std::mem::take(&mut self.current);
        for column in &mut self.columns {
            let mut seen = column.end_span();
            if let ValueSet::Texts(texts) = &seen {
                self.filters += texts.bytes().len();
                if self.filters > SUMMARIES_MAX {
                    seen = ValueSet::Any;
                }
            }
            span.fields.push(seen);
        }
        self.spans.push(span);
    }
}

/// The collected values of one field.
#[derive(Debug)]
struct FieldColumn {
    dictionary: Dictionary,
    /// Whether a record in the current span lacks the field: many fields are always absent.
    has_absent: bool,
    /// The current span: tokens of the dictionary, hashes of other texts, and whether the field may have any value.
    seen: TokenSet,
    texts: Vec<u64>,
    is_any: bool,
    /// Hashes of the other texts in all previous spans; their tokens are those of the dictionary.
    batch_texts: Vec<u64>,
    batch_is_any: bool,
}

impl FieldColumn {
    fn new() -> Self {
        Self {
            dictionary: Dictionary::new(),
            has_absent: false,
            seen: TokenSet::default(),
            texts: Vec::new(),
            is_any: false,
            batch_texts: Vec::new(),
            batch_is_any: false,
        }
    }

    #[inline]
    fn take(&mut self, line: &[u8], start: usize, text: &[u8]) {
        if self.is_any || (self.has_absent && text.is_empty()) {
            return;
        }
        self.has_absent |= text.is_empty();
        let token = FieldToken::at(line, start, text);
        match self.dictionary.number(&token) {
            Some(number) => self.seen.set(number),
            None => self.take_other(&token),
        }
    }

    /// Adds a value that is not in the dictionary.
    fn take_other(&mut self, token: &FieldToken<'_>) {
        let text = token.text;
        if text.len() > SUMMARY_TOKEN_MAX || matches!(text, [b'{' | b'[', ..]) {
            return self.give_up();
        }
        if let Some(number) = self.dictionary.enter(token) {
            return self.seen.set(number);
        }
        // Without escapes, the bytes in the quotes are the text itself.
        let plain = inside(text).filter(|inside| is_plain(inside)).map(hash);
        match plain.or_else(|| text_of(text)) {
            Some(text) => self.add_text(text),
            None => self.give_up(),
        }
    }

    fn add_text(&mut self, text: u64) {
        self.texts.push(text);
        if self.texts.len() >= 2 * SUMMARY_TEXTS {
            sort(&mut self.texts);
            if self.texts.len() > SUMMARY_TEXTS {
                self.give_up();
            }
        }
    }

    /// Gives up on the field in this span: it may have any value.
    fn give_up(&mut self) {
        self.is_any = true;
        self.texts.clear();
    }

    /// Ends the current span, and returns its values.
    fn end_span(&mut self) -> ValueSet {
        self.has_absent = false;
        let (seen, mut texts) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.texts));
        if std::mem::take(&mut self.is_any) {
            self.batch_is_any = true;
            return ValueSet::Any;
        }
        if texts.is_empty() {
            return ValueSet::Tokens(seen);
        }
        sort(&mut texts);
        self.add_to_batch(&texts);
        let tokens = seen.of(self.dictionary.tokens());
        match with_tokens(texts, tokens) {
            Some(texts) => ValueSet::Texts(TextFilter::from_hashes(&texts)),
            None => ValueSet::Any,
        }
    }

    fn add_to_batch(&mut self, texts: &[u64]) {
        if !self.batch_is_any {
            self.batch_texts.extend_from_slice(texts);
            sort(&mut self.batch_texts);
            self.batch_is_any = self.batch_texts.len() > SUMMARY_BATCH_TEXTS;
        }
    }

    /// Returns the summary of the field for the whole batch, after its last span.
    fn summary(&mut self) -> FieldSummary {
        if self.batch_is_any {
            return FieldSummary::Any;
        }
        let tokens = self.dictionary.tokens();
        if !self.dictionary.is_full() {
            let mut tokens = tokens.to_vec();
            tokens.sort_unstable();
            return FieldSummary::OneOf(tokens);
        }
        let texts = with_tokens(std::mem::take(&mut self.batch_texts), tokens.iter().map(Box::as_ref));
        texts.map_or(FieldSummary::Any, |texts| FieldSummary::Texts(TextFilter::from_hashes(&texts)))
    }
}

const _: () = assert!(SUMMARY_TOKENS <= TokenSet::LENGTH);
