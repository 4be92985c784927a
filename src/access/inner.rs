//! Records inside of a record, as a caller sees them: one of a zone that is not theirs is cut out.
//!
//! # Invariants
//! What is left of a line is a function of the line's own members and of the records inside of it that the caller sees. A value
//! that may hold records, but is none, is cut out.

use std::borrow::Cow;

use memchr::memmem;

use super::Caller;
use super::caller::{ZoneClaim, zone_claim};
use crate::limits::INNER_DEPTH;
use crate::record::fields::line_text;
use crate::record::{ChildEdit, Dataset, EmptyMember, RecordMembers, SUBREQUESTS, edit_children};

/// Returns the zone of the records inside of a line that do not say their own: that which the line names, or else that of its
/// batch.
#[must_use]
pub fn inner_zone(of_batch: Option<&str>, line: &[u8]) -> Option<String> {
    let text = line_text(line);
    let members = RecordMembers::parse(&text).ok()?;
    match zone_claim(&members) {
        ZoneClaim::Named(zone) => Some(zone.to_ascii_lowercase()),
        ZoneClaim::None => of_batch.map(str::to_owned),
        ZoneClaim::Ambiguous => None,
    }
}

impl Caller {
    /// Returns the line without the records inside of it that the caller does not see; `of_batch` is the zone of the batch's
    /// records that do not say their own.
    #[must_use]
    pub fn cut<'l>(&self, dataset: Dataset, of_batch: Option<&str>, line: &'l [u8]) -> Cow<'l, [u8]> {
        if dataset != Dataset::HttpRequests || !self.is_limited_to_zones() || !may_hold_records(line) {
            return Cow::Borrowed(line);
        }
        self.cut_at((dataset, of_batch), line, INNER_DEPTH, &mut false).map_or(Cow::Borrowed(line), Cow::Owned)
    }

    /// Whether the caller sees the record `line` with all records inside of it.
    #[must_use]
    pub fn sees_whole(&self, dataset: Dataset, of_batch: Option<&str>, line: &[u8]) -> bool {
        let mut hides = false;
        if self.is_limited_to_zones() && dataset == Dataset::HttpRequests && may_hold_records(line) {
            self.cut_at((dataset, of_batch), line, INNER_DEPTH, &mut hides);
        }
        !hides && self.sees(dataset, of_batch, line)
    }

    /// Cuts a record inside of which others may be this many levels deep; `None` if it stays as it is. Says if anything is
    /// hidden.
    fn cut_at(
        &self,
        (dataset, of_batch): (Dataset, Option<&str>),
        line: &[u8],
        depth: usize,
        hides: &mut bool,
    ) -> Option<Vec<u8>> {
        let zone = inner_zone(of_batch, line);
        let zone = zone.as_deref();
        let mut edit = |_: usize, inner: &[u8]| match inner.first() {
            // Part of the line itself.
            Some(byte) if !matches!(byte, b'{' | b'[') => ChildEdit::Keep,
            Some(b'{') if depth > 0 && self.sees(dataset, zone, inner) => {
                self.cut_at((dataset, zone), inner, depth - 1, hides).map_or(ChildEdit::Keep, ChildEdit::Replace)
            }
            _ => {
                *hides = true;
                ChildEdit::Remove
            }
        };
        edit_children(line, EmptyMember::Stays, &mut edit)
    }
}

/// Returns whether a line may have the member: its name stands there, or one with escapes.
fn may_hold_records(line: &[u8]) -> bool {
    memmem::find(line, SUBREQUESTS.as_bytes()).is_some() || memmem::find(line, b"\\u").is_some()
}

#[cfg(test)]
mod tests {
    use super::inner_zone;
    use crate::access::{Caller, Grant};
    use crate::mask::Role;
    use crate::record::Dataset;

    /// A caller who asks for records of `a.example` alone.
    fn caller() -> Caller {
        let grant = Grant { role: Role::Forensics, ..Grant::everything() };
        Caller::new("test", &grant).asking_for("a.example")
    }

    fn cut(of_batch: Option<&str>, line: &str) -> String {
        String::from_utf8(caller().cut(Dataset::HttpRequests, of_batch, line.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn records_inside_are_judged_at_each_level() {
        for (line, wanted) in [
            (
                r#"{"ZoneName":"a.example","Subrequests":[{},{"ZoneName":"b"},7]}"#,
                r#"{"ZoneName":"a.example","Subrequests":[{},7]}"#,
            ),
            (
                r#"{"ZoneName":"b","Subrequests":[{},{"ZoneName":"A.example"}]}"#,
                r#"{"ZoneName":"b","Subrequests":[{"ZoneName":"A.example"}]}"#,
            ),
            (
                r#"{"Subrequests":[{"ZoneName":"a.example","Subrequests":[{"n":1},{"ZoneName":"b"},{"Subrequests":[{}]}]}]}"#,
                r#"{"Subrequests":[{"ZoneName":"a.example","Subrequests":[{"n":1},{"Subrequests":[]}]}]}"#,
            ),
            (
                r#"{"ZoneName":"a.example","Subrequests":[[{}],{"ClientRequestHost":"x.b"}]}"#,
                r#"{"ZoneName":"a.example","Subrequests":[]}"#,
            ),
            (
                r#"{"ZoneName":"a.example","Subr\u0065quests":{"ZoneName":"b"}}"#,
                r#"{"ZoneName":"a.example","Subr\u0065quests":[]}"#,
            ),
            (
                r#"{"ZoneName":"a.example","ZoneName":"a.example","Subrequests":[{}]}"#,
                r#"{"ZoneName":"a.example","ZoneName":"a.example","Subrequests":[]}"#,
            ),
        ] {
            assert_eq!(cut(None, line), wanted, "{line}");
            assert_eq!(cut(None, wanted), wanted);
        }
        let line = r#"{"Subrequests":[{},{"ZoneName":"b"}]}"#;
        assert_eq!(cut(Some("a.example"), line), r#"{"Subrequests":[{}]}"#);
        assert_eq!(cut(Some("b"), line), r#"{"Subrequests":[]}"#);
        assert_eq!(inner_zone(Some("b"), br#"{"ZoneName":"A"}"#).as_deref(), Some("a"));
    }

    #[test]
    fn line_is_seen_whole_if_nothing_is_cut() {
        let sees = |line: &str| caller().sees_whole(Dataset::HttpRequests, Some("a.example"), line.as_bytes());
        assert!(sees(r#"{"Subrequests":[ {} , 7 ]}"#) && sees(r#"{"ZoneName":"a.example"}"#));
        assert!(!sees(r#"{"Subrequests":[{"ZoneName":"b"}]}"#) && !sees(r#"{"ZoneName":"b","Subrequests":[]}"#));
        assert!(!sees(r#"{"Subrequests":[{"Subrequests":[{"ZoneName":"b"}]}]}"#));
    }
}
