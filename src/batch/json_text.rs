//! JSON values at the beginning of a text that is not all JSON.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The text without JSON's own white space around it.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// The length of the JSON object that begins this text, if it comes to its end.
pub(super) fn object_length(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    matches!(values.next(), Some(Ok(_))).then(|| values.byte_offset())
}

/// Whether an object with members, or an empty one, begins this text: garbage seldom does.
pub(super) fn begins_object(text: &[u8]) -> bool {
    let after = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    after.is_some_and(|after| matches!(after.first(), None | Some(b'"' | b'}')))
}

/// Whether a text is an object but for its end, and ends where the next member is to come.
pub(super) fn opens_object(text: &[u8]) -> bool {
    let (Some((last, members)), true) = (text.split_last(), begins_object(text)) else { return false };
    let end: &[u8] = match last {
        b',' => b"}",
        b'{' | b'[' => b"0}",
        _ => return false,
    };
    serde_json::from_slice::<IgnoredAny>(&[members, end].concat()).is_ok()
}

/// The text of a JSON string that may hold JSON: an object or a list.
pub(super) fn json_in_string(value: &[u8]) -> Option<String> {
    let begun = value.strip_prefix(b"\"")?.trim_ascii_start();
    // A line feed in front of the JSON is an escape too.
    if !matches!(begun.first()?, b'{' | b'[' | b'\\') {
        return None;
    }
    let text: Cow<'_, str> = serde_json::from_slice(value).ok()?;
    let text = text.trim();
    text.starts_with(['{', '[']).then(|| text.to_owned())
}

/// One step of reading a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListStep<'t> {
    /// Its next element.
    Element(&'t [u8]),
    /// Its end, with what comes after it.
    End(&'t [u8]),
    /// The text ends within it.
    CutOff,
    /// Something else than JSON.
    Garbage,
}

/// Reads the elements of a list, the bracket that begins it not among the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListReader<'t>(&'t [u8]);

impl<'t> ListReader<'t> {
    /// A reader of the list whose bracket is before this text.
    pub(super) const fn new(text: &'t [u8]) -> Self {
        Self(text)
    }

    /// The next of its elements, or how it ends.
    pub(super) fn step(&mut self) -> ListStep<'t> {
        let text = self.0.trim_ascii_start();
        let text = text.strip_prefix(b",").unwrap_or(text).trim_ascii_start();
        match text.first() {
            None => return ListStep::CutOff,
            Some(b']') => return ListStep::End(text.get(1..).unwrap_or_default()),
            Some(_) => {}
        }
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let (element, after) = text.split_at_checked(values.byte_offset()).unwrap_or((text, &[]));
                self.0 = after;
                ListStep::Element(element)
            }
            Some(Err(why)) if !why.is_eof() => ListStep::Garbage,
            Some(Err(_)) | None => ListStep::CutOff,
        }
    }

    /// Whether nothing is left of the text but a comma.
    pub(super) const fn is_at_end(&self) -> bool {
        matches!(self.0.trim_ascii(), b"" | b",")
    }

    /// The first elements, at most `count`.
    pub(super) fn first_elements(mut self, count: usize) -> impl Iterator<Item = &'t [u8]> {
        let next = move || match self.step() {
            ListStep::Element(element) => Some(element),
            ListStep::End(_) | ListStep::CutOff | ListStep::Garbage => None,
        };
        std::iter::from_fn(next).take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::{ListReader, ListStep, json_in_string};

    #[test]
    fn list_is_read_to_its_end() {
        let ends = |text: &'static str| {
            let mut list = ListReader::new(text.as_bytes());
            let mut elements = Vec::new();
            loop {
                match list.step() {
                    ListStep::Element(element) => elements.push(std::str::from_utf8(element).unwrap()),
                    end => return (elements, end),
                }
            }
        };
        assert_eq!(ends(r#" 1, {"a":[2]},null ] ,"#), (vec!["1", r#"{"a":[2]}"#, "null"], ListStep::End(b" ,")));
        assert_eq!(ends(r#"[1],"a]""#), (vec!["[1]", "\"a]\""], ListStep::CutOff));
        assert_eq!(ends(r#"true,{"a"#), (vec!["true"], ListStep::CutOff));
        assert_eq!(ends("2026-11-22] x"), (vec![], ListStep::Garbage));
        assert_eq!(ends(""), (vec![], ListStep::CutOff));
    }

    #[test]
    fn strings_with_json_are_known() {
        for (value, text) in [
            (r#""{\"a\":1}""#, Some(r#"{"a":1}"#)),
            (r#"" [1]\n""#, Some("[1]")),
            (r#""\n{}""#, Some("{}")),
            (r#""a{}""#, None),
            (r#""\ta""#, None),
            (r#""{"#, None),
            ("17", None),
        ] {
            assert_eq!(json_in_string(value.as_bytes()).as_deref(), text, "{value}");
        }
    }
}
