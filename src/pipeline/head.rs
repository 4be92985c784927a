//! The head of a batch, read ahead: its first lines, and whether they are in a form other than NDJSON.
//!
//! The bytes that were read ahead are put back before the rest of the body, so that a scan reads all of it. The scan
//! judges the form again, to the end.
//!
//! # Invariants
//!
//! At most [`HEAD_STORED`] bytes and one piece are held. A damaged body has a head too: reporting the damage is left to
//! the scan.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use itertools::Itertools;

use crate::backend::{BackendError, ByteStream};
use crate::batch::{BatchError, BatchForm, BatchLine, BatchReader, FormJudge};
use crate::limits::{HEAD_LINES, HEAD_STORED, HEAD_TEXT};
use crate::record::{DatasetEvidence, KeyNames, RecordKey, read_evidence, read_key_by};

/// Number of stored bytes inflated at a time, to at most a megabyte.
const STEP: usize = 1024;

/// The head of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchHead {
    /// The first lines that are JSON objects, at most [`HEAD_LINES`].
    pub records: Vec<HeadRecord>,
    /// The form, if a line shows that it is not NDJSON.
    pub form: Option<BatchForm>,
    /// The form if no record follows: none of the first lines is one.
    pub form_without_records: Option<BatchForm>,
    /// Whether the batch has any line.
    pub has_lines: bool,
}

/// A line of a head that is a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRecord {
    /// The line, without its line feed.
    pub line: Vec<u8>,
    /// The evidence of its names about its dataset.
    pub evidence: DatasetEvidence,
}

impl HeadRecord {
    /// Reads a line; `None` if it is not a JSON object.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        read_evidence(line).ok().map(|evidence| Self { line: line.to_vec(), evidence })
    }
}

impl BatchHead {
    /// Parses the first stored bytes of a body; `is_whole` says whether they are all of it.
    #[must_use]
    pub fn of(stored: &[u8], is_whole: bool) -> Self {
        let mut lines = HeadLines::default();
        let mut reader = BatchReader::default();
        let mut is_sound = true;
        for step in stored.chunks(STEP) {
            let flow = reader.push(step, |line| lines.take(&line));
            is_sound &= flow.is_ok();
            if !matches!(flow, Ok(ControlFlow::Continue(()))) || reader.totals().inflated >= HEAD_TEXT {
                break;
            }
        }
        if is_whole && is_sound && !lines.is_full() {
            // If the end is damaged, only complete lines are judged.
            let _end = reader.finish(|line| lines.take(&line));
        } else if lines.judge.is_fresh() && !reader.begun_line().is_empty() {
            lines.begun = lines.judge.form_of_beginning(reader.begun_line());
        }
        if let Some(form) = lines.form
            && let BatchError::Form(form) = reader.explain(BatchError::Form(form))
        {
            lines.form = Some(form);
        }
        lines.head()
    }

    /// Returns the times of the earliest and latest record in Unix milliseconds, if any has one; their batch uses these
    /// names.
    #[must_use]
    pub fn times(&self, names: &KeyNames) -> Option<(i64, i64)> {
        let keys = self.records.iter().filter_map(|record| read_key_by(names, &record.line).ok());
        keys.filter_map(|key| key.unix_ms()).minmax().into_option()
    }
}

/// Collects the lines of a head.
#[derive(Debug, Default)]
struct HeadLines {
    judge: FormJudge,
    records: Vec<HeadRecord>,
    form: Option<BatchForm>,
    /// The form of the only line so far, which has not ended.
    begun: Option<BatchForm>,
    lines: usize,
}

impl HeadLines {
    fn is_full(&self) -> bool {
        self.form.is_some() || self.lines >= HEAD_LINES
    }

    fn take(&mut self, line: &BatchLine<'_>) -> ControlFlow<()> {
        self.lines += 1;
        let record = match line {
            BatchLine::Text { bytes, .. } => HeadRecord::read(bytes),
            BatchLine::TooLong { .. } => None,
        };
        let judged = match &record {
            Some(record) => self.judge.take_record(&RecordKey::default(), &record.line),
            None => self.judge.take_rejected(line),
        };
        self.records.extend(record);
        if let Err(BatchError::Form(form)) = judged {
            self.form = Some(form);
        }
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn head(self) -> BatchHead {
        let without_records = match self.judge.without_records() {
            BatchError::Form(form) if self.judge.has_only_rejected() => Some(form),
            _ => self.begun,
        };
        let has_lines = self.lines > 0 || self.begun.is_some();
        BatchHead { records: self.records, form: self.form, form_without_records: without_records, has_lines }
    }
}

/// A body whose beginning was read ahead and is read again from the start.
#[derive(Debug)]
pub struct PeekedBody<B> {
    /// The pieces to be read again.
    pieces: VecDeque<Vec<u8>>,
    /// The rest of the body; `None` after its end.
    body: Option<B>,
}

impl<B: ByteStream> ByteStream for PeekedBody<B> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        match (self.pieces.pop_front(), &mut self.body) {
            (Some(piece), _) => Ok(Some(piece)),
            (None, Some(body)) => body.next().await,
            (None, None) => Ok(None),
        }
    }
}

/// Reads the head of a body, and puts it back before the rest.
///
/// # Errors
/// [`BackendError`] if reading the body fails.
pub async fn peek_batch<B: ByteStream>(mut body: B) -> Result<(BatchHead, PeekedBody<B>), BackendError> {
    let (mut pieces, mut stored) = (VecDeque::new(), Vec::new());
    while stored.len() < HEAD_STORED {
        let Some(piece) = body.next().await? else {
            let head = BatchHead::of(&stored, true);
            return Ok((head, PeekedBody { pieces, body: None }));
        };
        stored.extend_from_slice(&piece);
        pieces.push_back(piece);
    }
    stored.truncate(HEAD_STORED);
    Ok((BatchHead::of(&stored, false), PeekedBody { pieces, body: Some(body) }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{BatchHead, PeekedBody, peek_batch};
    use crate::backend::{BackendError, ByteStream};
    use crate::batch::BatchForm;
    use crate::limits::{HEAD_LINES, HEAD_STORED};

    const RECORD: &str = r#"{"ClientIP":"192.0.2.1","RayID":"9e35512345678abc"}"#;

    /// A body in pieces of equal size, which may fail after some of them.
    struct Pieces(Vec<u8>, usize, Option<usize>);

    impl ByteStream for Pieces {
        async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
            if self.2 == Some(0) {
                return Err(BackendError::new("reading", "it broke off"));
            }
            self.2 = self.2.map(|left| left - 1);
            let piece: Vec<u8> = self.0.drain(..self.1.min(self.0.len())).collect();
            Ok((!piece.is_empty()).then_some(piece))
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        futures_util::FutureExt::now_or_never(future).unwrap()
    }

    fn peek(stored: &[u8], piece: usize) -> (BatchHead, PeekedBody<Pieces>) {
        run(peek_batch(Pieces(stored.to_vec(), piece, None))).unwrap()
    }

    #[test]
    fn peeked_body_is_read_from_its_beginning() {
        let text = format!("{RECORD}\n").repeat(20_000).into_bytes();
        for stored in [gzip(&text), text.clone(), Vec::new(), b"x".to_vec()] {
            for piece in [1000, HEAD_STORED, HEAD_STORED + 1, 10_000_000] {
                let (head, body) = peek(&stored, piece);
                assert_eq!(run(body.all()).unwrap(), stored);
                assert_eq!(head.records.len(), if stored.len() > 1 { HEAD_LINES } else { 0 });
            }
        }
        let broken = run(peek_batch(Pieces(gzip(&text), 100, Some(3))));
        assert!(broken.is_err());
    }

    #[test]
    fn head_shows_the_form_of_any_length() {
        let codes = |text: &str| {
            [gzip(text.as_bytes()), text.as_bytes().to_vec()].map(|stored| {
                let head = peek(&stored, 4096).0;
                (head.form.map(BatchForm::code), head.form_without_records.map(BatchForm::code))
            })
        };
        let many = vec![RECORD; 5_000];
        for (text, form, without_records) in [
            (many.join("\n"), None, None),
            (format!("[{}]", many.join(",\n")), Some("json_array"), Some("json_array")),
            (format!("[{}]", many.join(",")), None, Some("json_array")),
            (many.concat(), None, Some("glued_records")),
            (format!("{{\"events\":[{}]}}", many.join(",")), None, Some("json_wrapper")),
            ("a,b,c\n".repeat(9_000), None, Some("csv")),
            (RECORD.into(), None, None),
            (String::new(), None, None),
            ("\n \n".into(), None, None),
            ("17".into(), None, Some("not_ndjson")),
        ] {
            let found = codes(&text);
            for (found_form, found_without) in found {
                assert_eq!(found_form.or(found_without), form.or(without_records), "{text:.60}");
                assert!(form.is_none() || found_form == form, "{text:.60}");
            }
        }
    }

    #[test]
    fn damaged_body_has_a_head_too() {
        let whole = gzip(format!("{RECORD}\n").repeat(9).as_bytes());
        let head = peek(&whole[..whole.len() - 6], 1000).0;
        assert_eq!((head.records.len(), head.form), (9, None));
        let mut noise = vec![0x1f; 9_000];
        noise[1] = 0x8b;
        assert_eq!(peek(&noise, 1000).0, BatchHead::default());
    }
}
