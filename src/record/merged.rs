//! Records inside of a record: with `merge_subrequests`, Logpush writes the records of the requests that a visitor's request
//! caused into its line, as the elements of the member `Subrequests`.
//!
//! Each is found by its own ray, as if it had a line of its own. This reading by `serde_json` is the slow path, and the oracle
//! for the fast one of [`super::scan`].
//!
//! # Invariants
//!
//! Only the elements of an array under that name at the top level of an `http_requests` record are read, and nothing inside
//! of these: Logpush merges into the record of a visitor's request alone. Of a repeated member the last one counts. A child
//! is read by the rules of a line of its own; one that would be rejected, has no ray or that of the line itself, is no child.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{MemberName, ValueSpan, utf8};
use super::{RayId, RayKey};
use crate::limits::MERGED_CHILDREN;

/// The member with the records.
pub const SUBREQUESTS: &str = "Subrequests";

/// A record inside of a line, found by its ray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedChild {
    /// Its ray.
    pub ray: RayKey,
    /// The request that caused it: as it says, or else that of the line.
    pub parent: Option<RayId>,
    span: ValueSpan,
}

impl MergedChild {
    /// Returns the position of its record in the line.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.span.start()
    }

    /// Returns its record as it stands in the line, byte for byte.
    #[must_use]
    pub fn record<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        self.span.text(line).unwrap_or_default()
    }
}

/// The records inside of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergedChildren {
    /// The first [`MERGED_CHILDREN`] that have rays, in their order.
    pub children: Vec<MergedChild>,
    /// Number of the objects after these.
    pub beyond: usize,
}

impl MergedChildren {
    /// Takes the next object of a line with this ray, at `span`, whose own ray and parent `read` returns if it is a record.
    pub(super) fn take(
        &mut self,
        line_ray: Option<&RayKey>,
        span: ValueSpan,
        read: impl FnOnce() -> Option<(RayKey, Option<RayId>)>,
    ) {
        if self.children.len() >= MERGED_CHILDREN {
            self.beyond += 1;
        } else if let Some((ray, parent)) = read().filter(|(ray, _)| line_ray != Some(ray)) {
            let parent = parent.or_else(|| line_ray?.ray());
            self.children.push(MergedChild { ray, parent, span });
        }
    }

    /// Returns the same, if there is anything.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (!self.children.is_empty()).then(|| Box::new(self))
    }
}

/// Passes each object that may be a record inside of this line, with its position.
pub(super) fn each_object(line: &[u8], mut take: impl FnMut(ValueSpan, &[u8])) {
    let text = structure_of(line);
    let Some(MemberSpan { value, .. }) = member_spans(&text, SUBREQUESTS).pop() else { return };
    let _array = each_element(&text, value, |element| {
        let bytes = line.get(element.clone()).unwrap_or_default();
        if bytes.first() == Some(&b'{') {
            take(ValueSpan::new(element.start, element.end), bytes);
        }
    });
}

/// What becomes of an element of the member, when a line is written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildEdit {
    /// It stays as it stands.
    Keep,
    /// It is left out.
    Remove,
    /// Another text takes its place.
    Replace(Vec<u8>),
}

/// Whether a member without elements stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyMember {
    /// It stays, as `[]`.
    Stays,
    /// It is left out.
    Goes,
}

/// Returns the line with the elements of each member [`SUBREQUESTS`] edited, each with its position, in their order, and without blanks between them, so
/// that nothing tells of those that are removed. A member whose value is no array is edited like an element, and has `[]` where
/// that is removed. `None` if the line stays as it is, which one that is no record does.
pub fn edit_children(
    line: &[u8],
    empty: EmptyMember,
    edit: &mut dyn FnMut(usize, &[u8]) -> ChildEdit,
) -> Option<Vec<u8>> {
    let text = structure_of(line);
    let members = member_spans(&text, SUBREQUESTS);
    if members.is_empty() {
        return None;
    }
    // No edit makes a line longer.
    let (mut out, mut copied) = (Vec::with_capacity(line.len()), 0);
    for MemberSpan { name, value } in members {
        let kept = out.len();
        out.extend_from_slice(line.get(copied..value.start).unwrap_or_default());
        let start = out.len();
        edit_value(line, &text, value.clone(), edit, &mut out);
        copied = value.end;
        if empty == EmptyMember::Goes && out.get(start..).is_some_and(is_empty_array) {
            let spelled = value.start - name;
            out.truncate(start.saturating_sub(spelled).max(kept));
            copied = without_comma(&mut out, line, copied);
        }
    }
    out.extend_from_slice(line.get(copied..).unwrap_or_default());
    (out != line).then_some(out)
}

/// Appends the new text of the member's value.
fn edit_value(
    line: &[u8],
    text: &str,
    value: Range<usize>,
    edit: &mut dyn FnMut(usize, &[u8]) -> ChildEdit,
    out: &mut Vec<u8>,
) {
    let stored = line.get(value.clone()).unwrap_or_default();
    if !stored.starts_with(b"[") {
        return match edit(value.start, stored) {
            ChildEdit::Keep => out.extend_from_slice(stored),
            ChildEdit::Remove => out.extend_from_slice(b"[]"),
            ChildEdit::Replace(text) => out.extend_from_slice(&text),
        };
    }
    out.push(b'[');
    let mut is_first = true;
    let _whole = each_element(text, value, |element| {
        let stored = line.get(element.clone()).unwrap_or_default();
        let edited = edit(element.start, stored);
        if edited != ChildEdit::Remove {
            out.extend_from_slice(if is_first { b"" } else { b"," });
            is_first = false;
        }
        match edited {
            ChildEdit::Keep => out.extend_from_slice(stored),
            ChildEdit::Remove => {}
            ChildEdit::Replace(text) => out.extend_from_slice(&text),
        }
    });
    out.push(b']');
}

/// Returns whether a value is an array without elements.
fn is_empty_array(value: &[u8]) -> bool {
    let inside = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// Removes the comma before a member that is left out, or else passes over the one after it; returns where the rest begins.
fn without_comma(out: &mut Vec<u8>, line: &[u8], end: usize) -> usize {
    let before = out.trim_ascii_end();
    if let Some(before) = before.strip_suffix(b",") {
        let length = before.len();
        out.truncate(length);
        return end;
    }
    let after = line.get(end..).unwrap_or_default();
    let next = line.len() - after.trim_ascii_start().len();
    if line.get(next) == Some(&b',') { next + 1 } else { end }
}

/// Returns a text in which all values are at the positions of the line: what is not UTF-8 can only be inside of strings, and is
/// replaced there.
fn structure_of(line: &[u8]) -> Cow<'_, str> {
    const DELETE: char = '\u{7f}';
    utf8(line).map_or_else(
        || line.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { DELETE }).collect(),
        Cow::Borrowed,
    )
}

/// The positions of a member in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MemberSpan {
    /// That of its name's opening quote.
    name: usize,
    value: Range<usize>,
}

/// Returns the members of this name, in their order; none if the text is no object.
fn member_spans(text: &str, name: &str) -> Vec<MemberSpan> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(MemberSpansVisitor { text, name }).unwrap_or_default()
}

/// Passes the position of each element of the array at `value`; `None` if it is no array.
fn each_element(text: &str, value: Range<usize>, take: impl FnMut(Range<usize>)) -> Option<()> {
    let mut json = serde_json::Deserializer::from_str(text.get(value)?);
    json.deserialize_seq(ElementsVisitor { text, take }).ok()
}

/// Returns the position of `part` in `text`, which must contain it.
fn range_of(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
}

struct MemberSpansVisitor<'t, 'n> {
    text: &'t str,
    name: &'n str,
}

impl<'de> Visitor<'de> for MemberSpansVisitor<'de, '_> {
    type Value = Vec<MemberSpan>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(spelled) = map.next_key::<&'de RawValue>()? {
            let value = map.next_value::<&'de RawValue>()?;
            let MemberName(name) = MemberName::from_raw(spelled)?;
            if name == self.name {
                let name = range_of(self.text, spelled.get()).start;
                found.push(MemberSpan { name, value: range_of(self.text, value.get()) });
            }
        }
        Ok(found)
    }
}

struct ElementsVisitor<'t, F> {
    text: &'t str,
    take: F,
}

impl<'de, F: FnMut(Range<usize>)> Visitor<'de> for ElementsVisitor<'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            (self.take)(range_of(self.text, element.get()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ChildEdit, EmptyMember, edit_children};

    fn edited(line: &str, empty: EmptyMember, is_kept: impl Fn(&str) -> bool) -> Option<String> {
        let mut edit = |at: usize, element: &[u8]| {
            assert_eq!(line.as_bytes().get(at..at + element.len()), Some(element));
            let element = std::str::from_utf8(element).unwrap();
            if is_kept(element) { ChildEdit::Keep } else { ChildEdit::Remove }
        };
        edit_children(line.as_bytes(), empty, &mut edit).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn elements_are_removed_and_nothing_else() {
        for (line, wanted) in [
            (
                r#"{"A":1,"Subrequests":[{"x":"]"},{"y":1},2],"B":2}"#,
                Some(r#"{"A":1,"Subrequests":[{"y":1},2],"B":2}"#),
            ),
            (r#"{"Subrequests" : [ {"x":1} ] }"#, Some(r#"{"Subrequests" : [] }"#)),
            (r#"{"Subrequests":[{"y":1} , 2]}"#, Some(r#"{"Subrequests":[{"y":1},2]}"#)),
            (
                r#"{"Subr\u0065quests":[{"x":1}],"Subrequests":{"x":1}}"#,
                Some(r#"{"Subr\u0065quests":[],"Subrequests":[]}"#),
            ),
            (r#"{"A":{"Subrequests":[{"x":1}]},"subrequests":[{"x":1}]}"#, None),
            (r#"{"Subrequests":[{"y":1}]}"#, None),
            (r#"{"Subrequests":"x"}"#, Some(r#"{"Subrequests":[]}"#)),
            (r#"[{"Subrequests":[{"x":1}]}]"#, None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(edited(line, EmptyMember::Stays, |element| !element.contains('x')).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn emptied_member_goes_with_one_comma() {
        for (line, wanted) in [
            (r#"{"Subrequests":[{"x":1}]}"#, Some("{}")),
            (r#"{"Subrequests":[],"A":1}"#, Some(r#"{"A":1}"#)),
            (r#"{"A":1 , "Subrequests" : [ ] , "B":2}"#, Some(r#"{"A":1  , "B":2}"#)),
            (r#"{"A":1,"Subrequests":[{"x":1}]}"#, Some(r#"{"A":1}"#)),
            (r#"{"Subrequests":[],"Subrequests":[{"x":1}]}"#, Some("{}")),
            (r#"{"Subrequests":[],"Subrequests":[],"A":1}"#, Some(r#"{"A":1}"#)),
            (r#"{"A":1,"Subrequests":[],"Subrequests":[]}"#, Some(r#"{"A":1}"#)),
            (r#"{"A":1,"Subrequests":[{"x":1},{"y":1}]}"#, Some(r#"{"A":1,"Subrequests":[{"y":1}]}"#)),
            (r#"{"A":1,"Subrequests":null}"#, None),
        ] {
            let shown = edited(line, EmptyMember::Goes, |element| !element.contains('x'));
            assert_eq!(shown.as_deref(), wanted, "{line}");
            assert!(serde_json::from_str::<serde_json::Value>(shown.as_deref().unwrap_or(line)).is_ok());
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let line = b"{\"a\":\"\xff\xfe\",\"Subrequests\":[{\"\xc3\":\"\xff\"},{\"x\":1}],\"b\":\"\xc3\"}";
        let mut edit = |_: usize, element: &[u8]| {
            if element == br#"{"x":1}"# { ChildEdit::Replace(b"{}".to_vec()) } else { ChildEdit::Keep }
        };
        let wanted = b"{\"a\":\"\xff\xfe\",\"Subrequests\":[{\"\xc3\":\"\xff\"},{}],\"b\":\"\xc3\"}";
        assert_eq!(edit_children(line, EmptyMember::Stays, &mut edit).as_deref(), Some(wanted.as_slice()));
    }
}
