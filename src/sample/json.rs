//! Writes JSON in the order of the calls, as Logpush does.
//!
//! To keep the order of a job's fields, `serde_json` would need a struct of a hundred members; instead, a line is
//! written member by member into one buffer that all lines of a batch share.
//!
//! # Invariants
//!
//! The output is valid JSON as long as every `name` is followed by one value. `<`, `>` and `&` are escaped like in
//! Logpush (`\u0026`), other text stays UTF-8.

/// A line that is being written.
#[derive(Debug, Default)]
pub(super) struct JsonLine {
    out: Vec<u8>,
}

impl JsonLine {
    /// Returns the bytes written since the last [`JsonLine::clear`].
    pub(super) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Clears the line, and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.out.clear();
    }

    /// Writes `text` unchanged: it must be JSON, or a piece of it.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a comma, unless the object or array was just opened.
    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// Writes the name of the object's next member; `name` needs no escape.
    pub(super) fn name(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        self.raw(name);
        self.raw("\":");
    }

    /// Writes `text` as a string.
    pub(super) fn string(&mut self, text: &str) {
        self.out.push(b'"');
        for &byte in text.as_bytes() {
            match byte {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                b'\r' => self.raw("\\r"),
                b'\t' => self.raw("\\t"),
                0..0x20 | b'<' | b'>' | b'&' => self.raw(&format!("\\u{byte:04x}")),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    pub(super) fn number(&mut self, number: impl Into<i64>) {
        let number = number.into();
        if number < 0 {
            self.out.push(b'-');
        }
        let first = self.out.len();
        let mut rest = number.unsigned_abs();
        loop {
            self.out.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if let Some(digits) = self.out.get_mut(first..) {
            digits.reverse();
        }
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// Writes an array of strings.
    pub(super) fn strings<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.array(texts, Self::string);
    }

    /// Writes an array of numbers.
    pub(super) fn numbers(&mut self, numbers: &[i64]) {
        self.array(numbers, |json, &number| json.number(number));
    }

    /// Writes an array, with `write` for each of `items`.
    pub(super) fn array<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.out.push(b'[');
        for item in items {
            self.comma();
            write(self, item);
        }
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::JsonLine;

    fn written(write: impl FnOnce(&mut JsonLine)) -> String {
        let mut json = JsonLine::default();
        write(&mut json);
        String::from_utf8(json.bytes().to_vec()).unwrap()
    }

    #[test]
    fn members_and_elements_are_parted_by_commas() {
        let line = written(|json| {
            json.raw("{");
            json.name("a");
            json.strings(["x", "y"]);
            json.name("b");
            json.array([1, 2], |json, n: i64| json.numbers(&[n, -n]));
            json.name("c");
            json.bool(true);
            json.raw("}");
        });
        assert_eq!(line, r#"{"a":["x","y"],"b":[[1,-1],[2,-2]],"c":true}"#);
    }

    #[test]
    fn ampersand_is_escaped_and_umlaut_is_not() {
        assert_eq!(written(|json| json.string("/?a=1&b=\u{fc}\"\\\u{1}")), r#""/?a=1\u0026b=ü\"\\\u0001""#);
    }

    proptest! {
        #[test]
        fn any_text_and_any_number_are_read_back(text in ".*", number: i64) {
            let read: String = serde_json::from_str(&written(|json| json.string(&text))).unwrap();
            prop_assert_eq!(read, text);
            let read: i64 = serde_json::from_str(&written(|json| json.number(number))).unwrap();
            prop_assert_eq!(read, number);
        }
    }
}
