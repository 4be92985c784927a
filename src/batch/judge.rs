//! Whether an object is a batch: NDJSON as a whole, and not in part.
//!
//! # Invariants
//!
//! An object with a mark of another form is refused, wherever the mark is. A few damaged lines are no reason: they are
//! rejected alone.

use super::form::BatchForm;
use super::json_text::{begins_object, opens_object};
use super::line_sign::{LinePlace, LineSign};
use super::marks::sign_of;
use super::wrapper::{may_be_wrapper, wrapper_of};
use super::{BatchError, BatchLine};
use crate::limits::{EARLY_REJECTED_LINES, REJECTED_FROM, REJECTED_RATIO, TEXT_RUN};
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
    /// The form that the first telling line suggests.
    hint: Option<BatchForm>,
    /// The line that gave the hint, counted from one.
    hinted_at: u64,
    /// A line of another text that stands for a record: a second one is no damage.
    repeated: Option<BatchForm>,
    /// Lines of another text in a row, and the last of them, counted from one.
    text_run: u64,
    text_at: u64,
    /// Rejected lines that begin like a record.
    broken: u64,
    /// Rejected lines that are longer than a record may be.
    too_long: u64,
    /// The object that the last line left open.
    opened: OpenObject,
}

/// An object that a line leaves open for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum OpenObject {
    #[default]
    None,
    /// An object without members: the line is `{` alone.
    Empty,
    /// An object with members. A damaged line may end there too.
    WithMembers,
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
        self.opened = OpenObject::None;
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
        self.too_long += u64::from(is_cut);
        self.broken += u64::from(begins_object(bytes.trim_ascii_start()));
        self.opened = match bytes.trim_ascii() {
            b"{" => OpenObject::Empty,
            text if opens_object(text) => OpenObject::WithMembers,
            _ => OpenObject::None,
        };
        self.take_sign(sign)?;
        let is_hopeless = self.rejected == self.lines && self.lines >= EARLY_REJECTED_LINES;
        if is_hopeless { Err(self.without_records()) } else { Ok(()) }
    }

    fn take_sign(&mut self, sign: LineSign) -> Result<(), BatchError> {
        match sign {
            LineSign::Mark(form) => return Err(BatchError::Form(self.named(form))),
            LineSign::Repeat(form) => {
                if let Some(form) = self.repeated {
                    return Err(BatchError::Form(form));
                }
                self.repeated = Some(form);
                self.give_hint(form);
            }
            LineSign::Text(form) => {
                self.text_run = if self.text_at + 1 == self.lines { self.text_run + 1 } else { 1 };
                self.text_at = self.lines;
                if self.text_run >= TEXT_RUN {
                    return Err(BatchError::Form(form));
                }
                self.give_hint(form);
            }
            LineSign::Hint(form) => self.give_hint(form),
            LineSign::Damage => {}
        }
        Ok(())
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
        self.opened = OpenObject::None;
        match line {
            BatchLine::Text { bytes, .. } => without_records_inside(bytes),
            BatchLine::TooLong { .. } => Ok(()),
        }
    }

    /// The form of a line that has begun, and has no end yet.
    #[must_use]
    pub fn form_of_beginning(&self, line: &[u8]) -> Option<BatchForm> {
        match self.sign(line, true) {
            LineSign::Mark(form) | LineSign::Repeat(form) | LineSign::Text(form) | LineSign::Hint(form) => Some(form),
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
        let text = line.trim_ascii_start();
        let is_member = text.first() == Some(&b'"');
        // An indent is no damage; a record that was broken in two between its members may be.
        let is_indented = line.len() >= text.len() + 2 || line.first() == Some(&b'\t');
        match self.opened {
            OpenObject::Empty if is_member => return LineSign::Mark(BatchForm::PrettyJson),
            OpenObject::WithMembers if is_member && is_indented => return LineSign::Mark(BatchForm::PrettyJson),
            OpenObject::WithMembers if is_member => return LineSign::Repeat(BatchForm::PrettyJson),
            _ => {}
        }
        sign_of(line, LinePlace { is_first: self.lines == 0, is_cut })
    }

    /// Why an object without records has none.
    #[must_use]
    pub fn without_records(&self) -> BatchError {
        let is_most = |count: u64| count * 2 > self.rejected;
        let other = match self {
            _ if is_most(self.too_long) => BatchForm::LongLines,
            _ if is_most(self.broken) => BatchForm::InvalidJson,
            _ => BatchForm::NotNdjson,
        };
        BatchError::Form(self.hint.unwrap_or(other))
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
    fn member_beside_the_brace_is_pretty_print_too() {
        let form = Err(BatchError::Form(BatchForm::PrettyJson));
        let (first, second) = (r#"{"RayID":"9e35512345678abc","#, r#""ClientIP":"x"}"#);
        assert_eq!(judge(&[RECORD, first, second]), Ok(()), "a record that was broken in two");
        assert_eq!(judge(&[RECORD, first, second, first, second]), form);
        assert_eq!(judge(&[RECORD, first, &format!("  {second}")]), form);
        assert_eq!(judge(&[first, second]), form);
        assert_eq!(judge(&[RECORD, first, RECORD, second, first, RECORD, second]), Ok(()));
    }

    #[test]
    fn other_text_with_two_rays_is_a_form() {
        let csv = Err(BatchError::Form(BatchForm::Csv));
        let with = |lines: &[&str]| judge(&[&vec![RECORD; 500], lines].concat());
        assert_eq!(with(&["192.0.2.1,9e35512345678abc"; 1]), Ok(()));
        assert_eq!(with(&["192.0.2.1,9e35512345678abc"; 2]), csv);
        assert_eq!(with(&["192.0.2.1,GET,/a"; 19]), Ok(()));
        assert_eq!(with(&["192.0.2.1,GET,/a"; 20]), csv);
        assert_eq!(with(&["192.0.2.1,GET,/a", RECORD].repeat(25)), Ok(()), "not in a row");
    }

    #[test]
    fn records_of_broken_json_are_named() {
        assert_eq!(judge(&[r#"{"RayID":"9e35512345678abc",}"#; 30]), Err(BatchError::Form(BatchForm::InvalidJson)));
    }

    #[test]
    fn lines_beyond_the_limit_are_named() {
        let mut judge = FormJudge::default();
        for _ in 0..3 {
            let line = BatchLine::TooLong { offset: 0, span: 0, head: br#"{"RayID":"9e35512345678abc","Logs":["# };
            judge.take_rejected(&line).unwrap();
        }
        assert_eq!(judge.finish(), Err(BatchError::Form(BatchForm::LongLines)));
    }

    #[test]
    fn batch_needs_one_ray_or_one_time() {
        let timed = r#"{"EdgeStartTimestamp":1667491808}"#;
        assert_eq!(judge(&["{}", timed]), Ok(()));
        assert_eq!(judge(&["{}", RECORD]), Ok(()));
        assert_eq!(judge(&["{}", r#"{"ClientIP":"192.0.2.1"}"#]), Err(BatchError::NoRayNoTime));
    }
}
