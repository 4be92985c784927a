//! Recognises the small objects that Logpush writes to test a destination, which are not batches.
//!
//! `schemas/spellings.toml` has the spellings with their source; a test compares it with this file.

use std::ops::ControlFlow;

use serde_json::{Deserializer, Value};

use super::{BatchLine, BatchReader};
use crate::limits::TEST_UPLOAD_MAX;

/// The one member of the content.
pub const TEST_MEMBER: &str = "content";
/// The values of that member.
pub const TEST_VALUES: [&str; 2] = ["test", "tests"];

/// Whether the stored bytes of a whole upload or object are such a test and nothing else: compressed or not, with any
/// blanks, alone or in an array.
#[must_use]
pub fn is_test_upload(stored: &[u8]) -> bool {
    text_of(stored).is_some_and(|text| {
        let values: Result<Vec<Value>, _> = Deserializer::from_slice(&text).into_iter().collect();
        values.is_ok_and(|values| !values.is_empty() && values.iter().all(is_test))
    })
}

/// The text, if it is as short as a test; `None` if it is longer, or the bytes are damaged.
fn text_of(stored: &[u8]) -> Option<Vec<u8>> {
    if stored.len() > TEST_UPLOAD_MAX {
        return None;
    }
    let (mut text, mut is_short) = (Vec::new(), true);
    let mut sink = |line: BatchLine<'_>| {
        match line {
            BatchLine::Text { bytes, .. } if text.len() + bytes.len() <= TEST_UPLOAD_MAX => {
                text.extend_from_slice(bytes);
                text.push(b'\n');
            }
            _ => is_short = false,
        }
        if is_short { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut reader = BatchReader::default();
    let is_whole = reader.push(stored, &mut sink).is_ok() && reader.finish(&mut sink).is_ok();
    (is_whole && is_short).then_some(text)
}

/// Whether a value is the content of a test, or an array of such values.
fn is_test(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let content = members.get(TEST_MEMBER).and_then(Value::as_str).map(str::to_ascii_lowercase);
            members.len() == 1 && content.is_some_and(|content| TEST_VALUES.contains(&content.trim()))
        }
        Value::Array(values) => !values.is_empty() && values.iter().all(is_test),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::is_test_upload;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_spelling_of_the_test_is_one() {
        for text in [
            r#"{"content":"tests"}"#,
            r#"{"content":"test"}"#,
            r#"{ "content": "tests" }"#,
            "\u{feff}{\"content\":\"tests\"}\r\n",
            "\n{\n  \"content\": \"Test\"\n}\n\n",
            r#"[{"content":"tests"}]"#,
            "{\"content\":\"tests\"}\n{\"content\":\"tests\"}\n",
        ] {
            assert!(is_test_upload(text.as_bytes()) && is_test_upload(&gzip(text)), "{text:?}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        let long = format!(r#"{{"content":"tests"{}}}"#, " ".repeat(600));
        for text in [
            "",
            "[]",
            "null",
            r#"{"content":"contest"}"#,
            r#"{"content":["tests"]}"#,
            r#"{"content":"tests","RayID":"9e35512345678abc"}"#,
            r#"{"Content":"tests"}"#,
            "{\"content\":\"tests\"}\n{\"RayID\":\"9e35512345678abc\"}",
            r#"{"content":"tests""#,
            &long,
        ] {
            assert!(!is_test_upload(text.as_bytes()) && !is_test_upload(&gzip(text)), "{text:?}");
        }
        let whole = gzip(r#"{"content":"tests"}"#);
        assert!((0..whole.len()).all(|length| !is_test_upload(whole.get(..length).unwrap())));
    }
}
