//! JSON with a line for each member, as it is spelled: no number, text or order changes.

use std::fmt;

/// The deepest level that is indented: what is below it stays at this level, so that a text grows with its length alone.
const DEEPEST: usize = 32;

/// A JSON text that is written with line ends and blanks.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrettyJson<'a>(pub(super) &'a str);

impl fmt::Display for PrettyJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut level, mut rest) = (0_usize, self.0);
        while let Some(at) = rest.find(['"', '{', '[', '}', ']', ',', ':', ' ', '\n', '\r', '\t']) {
            let (plain, from) = rest.split_at(at);
            f.write_str(plain)?;
            let (token, after) = from.split_at(1);
            rest = after;
            match token {
                "\"" => {
                    let (text, after) = after.split_at(text_end(after));
                    write!(f, "\"{text}")?;
                    rest = after;
                }
                "{" | "[" => {
                    let inside = after.trim_ascii_start();
                    if inside.starts_with(['}', ']']) {
                        let (end, after) = inside.split_at(1);
                        write!(f, "{token}{end}")?;
                        rest = after;
                    } else {
                        level += 1;
                        f.write_str(token)?;
                        write_line_end(f, level)?;
                    }
                }
                "}" | "]" => {
                    level = level.saturating_sub(1);
                    write_line_end(f, level)?;
                    f.write_str(token)?;
                }
                "," => {
                    f.write_str(token)?;
                    write_line_end(f, level)?;
                }
                ":" => f.write_str(": ")?,
                _ => {}
            }
        }
        f.write_str(rest)
    }
}

fn write_line_end(f: &mut fmt::Formatter<'_>, level: usize) -> fmt::Result {
    write!(f, "\n{:1$}", "", 2 * level.min(DEEPEST))
}

/// Returns where a text ends after its first quote, the last one included.
fn text_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::PrettyJson;

    #[test]
    fn members_have_lines_of_their_own() {
        let text = PrettyJson(r#"{"a":1.50,"b\"":[ ],"c":{"d":[1,"x, {y}"]} , "e":{}}"#).to_string();
        let wanted = "{\n  \"a\": 1.50,\n  \"b\\\"\": [],\n  \"c\": {\n    \"d\": [\n      1,\n      \"x, {y}\"\n    ]\n  },\n  \"e\": {}\n}";
        assert_eq!(text, wanted);
    }

    proptest! {
        #[test]
        fn value_stays_what_it_was(texts: Vec<String>, number: i64, flag: bool) {
            let value = serde_json::json!({ "t": texts, "n": number, "f": [flag, {}, []] });
            let pretty = PrettyJson(&value.to_string()).to_string();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);
        }

        #[test]
        fn any_text_is_written(text in any::<String>()) {
            let bare = |text: &str| text.replace([' ', '\n', '\r', '\t'], "");
            prop_assert_eq!(bare(&PrettyJson(&text).to_string()), bare(&text));
        }
    }
}
