//! Whether an object is a batch: NDJSON as a whole, and not in part.
//!
//! # Invariants
//!
//! An object with a mark of another form is refused, wherever the mark is. A few damaged lines are no reason: they are
//! rejected alone.

use super::form::BatchForm;
use super::marks::{LinePlace, LineSign, sign_of};
use super::wrapper::{may_be_wrapper, wrapper_of};
use super::{BatchError, BatchLine};
use crate::limits::{EARLY_REJECTED_LINES, REJECTED_FROM, REJECTED_RATIO};
use crate::record::{Dataset, RecordKey};

/// Judges the form of an object, line by line.
#[derive(Debug, Default)]
pub struct FormJudge {
    /// Ordinary records have no ray, so that its absence says nothing.
    is_without_rays: bool,
    lines: u64,
    rejected: u64,
    /// Records of other datasets, which are rejected and yet say nothing against the form.
    strays: u64,
    /// Records with a ray or a time.
    locatable: u64,
    /// What the first telling line looked like.
    hint: Option<BatchForm>,
    /// The line that gave the hint, counted from one.
    hinted_at: u64,
    /// The last line was `{` alone.
    is_after_brace: bool,
}

impl FormJudge {
    /// A judge of a batch of this dataset.
    #[must_use]
    pub fn of(dataset: Dataset) -> Self {
        Self { is_without_rays: !dataset.has_ray(), ..Self::default() }
    }

    /// Takes a line that is a record.
    ///
    /// # Errors
    /// [`BatchError::Form`] where the record is an object around records, which a record with a ray is not.
    pub fn take_record(&mut self, key: &RecordKey, line: &[u8]) -> Result<(), BatchError> {
        self.lines += 1;
        self.is_after_brace = false;
        let is_located = key.ray.is_some() || key.start.is_some();
        self.locatable += u64::from(is_located);
        if key.ray.is_some() || is_located && self.is_without_rays && !may_be_wrapper(line) {
            return Ok(());
        }
        without_records_inside(line)
    }

    /// Takes a line that is not a record.
    ///
    /// # Errors
    /// [`BatchError::Form`] where it is a mark of another form, or all of many lines were rejected.
    pub fn take_rejected(&mut self, line: &BatchLine<'_>) -> Result<(), BatchError> {
        let (bytes, is_cut) = match line {
            BatchLine::Text { bytes, .. } => (*bytes, false),
            BatchLine::TooLong { head, .. } => (*head, true),
        };
        let sign = self.sign(bytes, is_cut);
        self.lines += 1;
        self.rejected += 1;
        self.is_after_brace = bytes.trim_ascii() == b"{";
        match sign {
            LineSign::Mark(form) => return Err(BatchError::Form(self.named(form))),
            LineSign::Hint(form) => self.give_hint(form),
            LineSign::Damage => {}
        }
        let is_hopeless = self.rejected == self.lines && self.lines >= EARLY_REJECTED_LINES;
        if is_hopeless { Err(self.without_records()) } else { Ok(()) }
    }

    fn give_hint(&mut self, form: BatchForm) {
        if self.hint.is_none() {
            (self.hint, self.hinted_at) = (Some(form), self.lines);
        }
    }

    /// The form that a mark on this line shows. Commas may be those of a list that began on the line before.
    fn named(&self, form: BatchForm) -> BatchForm {
        let is_after_hint = self.hinted_at > 0 && self.hinted_at + 1 == self.lines;
        let list =
            self.hint.filter(|hint| is_after_hint && matches!(hint, BatchForm::JsonWrapper | BatchForm::JsonArray));
        list.filter(|_| form == BatchForm::RecordDelimiter).unwrap_or(form)
    }

    /// Takes a line that is a record, but not of the object's dataset.
    ///
    /// # Errors
    /// [`BatchError::Form`] where it is an object around records.
    pub fn take_stray(&mut self, line: &BatchLine<'_>) -> Result<(), BatchError> {
        self.lines += 1;
        self.strays += 1;
        self.is_after_brace = false;
        match line {
            BatchLine::Text { bytes, .. } => without_records_inside(bytes),
            BatchLine::TooLong { .. } => Ok(()),
        }
    }

    /// The form of a line that has begun, and has no end yet.
    #[must_use]
    pub fn form_of_beginning(&self, line: &[u8]) -> Option<BatchForm> {
        match self.sign(line, true) {
            LineSign::Mark(form) | LineSign::Hint(form) => Some(form),
            LineSign::Damage => (line.trim_ascii_start().first() != Some(&b'{')).then_some(BatchForm::NotNdjson),
        }
    }

    /// Whether no line so far is a record, of at least one.
    #[must_use]
    pub const fn has_only_rejected(&self) -> bool {
        self.lines > 0 && self.rejected == self.lines
    }

    /// Whether no line was taken yet.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.lines == 0
    }

    /// The verdict on the lines of a whole object. One without lines is a batch.
    ///
    /// # Errors
    /// [`BatchError`] where too few lines are records, or none can be found.
    pub fn finish(&self) -> Result<(), BatchError> {
        let Self { lines, rejected, strays, .. } = *self;
        if self.has_only_rejected() {
            return Err(self.without_records());
        }
        if strays > 0 && strays + rejected == lines {
            return Err(BatchError::TooManyRejected { rejected: lines, lines });
        }
        if lines >= REJECTED_FROM && rejected * REJECTED_RATIO > lines {
            let too_many = BatchError::TooManyRejected { rejected, lines };
            return Err(self.hint.map_or(too_many, BatchError::Form));
        }
        if lines > 0 && self.locatable == 0 {
            return Err(BatchError::NoRayNoTime);
        }
        Ok(())
    }

    fn sign(&self, line: &[u8], is_cut: bool) -> LineSign {
        if self.is_after_brace && line.trim_ascii_start().first() == Some(&b'"') {
            return LineSign::Mark(BatchForm::PrettyJson);
        }
        sign_of(line, LinePlace { is_first: self.lines == 0, is_cut })
    }

    /// Why an object without records has none.
    #[must_use]
    pub fn without_records(&self) -> BatchError {
        BatchError::Form(self.hint.unwrap_or(BatchForm::NotNdjson))
    }
}

/// Refuses a line that is an object around records.
fn without_records_inside(line: &[u8]) -> Result<(), BatchError> {
    wrapper_of(line).map_or(Ok(()), |form| Err(BatchError::Form(form)))
}

#[cfg(test)]
mod tests {
    use super::FormJudge;
    use crate::batch::{BatchError, BatchForm, BatchLine};
    use crate::record::{Dataset, read_key};

    const RECORD: &str = r#"{"RayID":"9e35512345678abc"}"#;

    /// The verdict on these lines.
    fn judge(lines: &[&str]) -> Result<(), BatchError> {
        let mut judge = FormJudge::default();
        for line in lines {
            let bytes = line.as_bytes();
            match read_key(Dataset::HttpRequests, bytes) {
                Ok(key) => judge.take_record(&key, bytes)?,
                Err(_) => judge.take_rejected(&BatchLine::Text { offset: 0, span: 0, bytes })?,
            }
        }
        judge.finish()
    }

    #[test]
    fn one_rejected_line_in_ten_is_the_most() {
        let with = |records: usize, rejected: usize| {
            let lines = [vec![RECORD; records], vec!["cut"; rejected]].concat();
            judge(&lines)
        };
        assert_eq!(with(18, 2), Ok(()));
        assert_eq!(with(17, 3), Err(BatchError::TooManyRejected { rejected: 3, lines: 20 }));
        assert_eq!(with(180, 20), Ok(()));
        assert_eq!(with(180, 21), Err(BatchError::TooManyRejected { rejected: 21, lines: 201 }));
        assert_eq!(with(1, 5), Ok(()), "too few lines to judge");
        assert_eq!(with(0, 5), Err(BatchError::Form(BatchForm::NotNdjson)));
        assert_eq!(judge(&[]), Ok(()));
    }

    #[test]
    fn two_lines_show_pretty_print() {
        let form = Err(BatchError::Form(BatchForm::PrettyJson));
        assert_eq!(judge(&[RECORD, "{", r#"  "RayID": "x","#]), form);
        assert_eq!(judge(&[RECORD, "{", RECORD, r#""RayID": "x","#]), Ok(()));
    }

    #[test]
    fn batch_needs_one_ray_or_one_time() {
        let timed = r#"{"EdgeStartTimestamp":1667491808}"#;
        assert_eq!(judge(&["{}", timed]), Ok(()));
        assert_eq!(judge(&["{}", RECORD]), Ok(()));
        assert_eq!(judge(&["{}", r#"{"ClientIP":"192.0.2.1"}"#]), Err(BatchError::NoRayNoTime));
    }
}
