//! Filters and records at random, from few names and values, so that they meet.

/// Fields, in the filter's spelling; records spell the last one with an escape as well.
pub(crate) const NAMES: [&str; 4] = ["BotScore", "Host", "Tags", "\u{e9}"];
/// Integers, of which two differ beyond what a float holds.
const INTEGERS: [&str; 8] = ["0", "1", "-1", "20", "200", "-200", "1774680145123456789", "1774680145123456788"];
/// Strings, some of which spell numbers, booleans or nothing.
const STRINGS: [&str; 20] = [
    "\"\"",
    "\"0\"",
    "\"1\"",
    "\"20\"",
    "\"020\"",
    "\"20.0\"",
    "\"2e1\"",
    "\" 20\"",
    "\"-1\"",
    "\"0.5\"",
    "\"true\"",
    "\"false\"",
    "\"null\"",
    "\"a\"",
    "\"ab\"",
    "\"ba\"",
    "\"\\u0061\"",
    "\"\u{e9}a\"",
    "\"1774680145123456789\"",
    "\"b,a\"",
];
/// What else a record may hold.
const OTHERS: [&str; 14] = [
    "null",
    "true",
    "false",
    "0.5",
    "-0.5",
    "1.5",
    "20.5",
    "[]",
    "{}",
    "{\"a\":\"a\"}",
    "[\"a\",\"ab\"]",
    "[20,\"1\"]",
    "[[\"a\"],null,true]",
    "[\"\\u0061\", 0.5]",
];

/// Numbers that are the same in every run (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A filter.
    pub(crate) fn filter(&mut self) -> String {
        format!(r#"{{"where":{}}}"#, self.node(3))
    }

    fn node(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(2) == 0 {
            return self.condition();
        }
        let name = self.one(&["and", "or"]);
        let parts: Vec<String> = (0..=self.below(3)).map(|_| self.node(depth - 1)).collect();
        format!(r#"{{"{name}":[{}]}}"#, parts.join(","))
    }

    fn condition(&mut self) -> String {
        let (operator, value) = match self.below(5) {
            0 => (self.one(&["eq", "!eq", "neq"]), self.scalar(&["true", "false"])),
            1 => (self.one(&["lt", "leq", "gt", "geq"]), self.integer()),
            2 => {
                let operator = self.one(&["startsWith", "!startsWith", "endsWith", "!endsWith"]);
                (operator, self.one(&STRINGS).to_owned())
            }
            3 => (self.one(&["contains", "!contains"]), self.scalar(&[])),
            _ => (self.one(&["in", "!in"]), self.list()),
        };
        let key = self.one(&NAMES);
        format!(r#"{{"key":"{key}","operator":"{operator}","value":{value}}}"#)
    }

    fn scalar(&mut self, more: &[&str]) -> String {
        self.one(&[&INTEGERS, &STRINGS[..], more].concat()).to_owned()
    }

    fn integer(&mut self) -> String {
        let digits = self.one(&INTEGERS);
        if self.below(2) == 0 { digits.to_owned() } else { format!("\"{digits}\"") }
    }

    fn list(&mut self) -> String {
        if self.below(2) == 0 {
            let values: Vec<String> = (0..=self.below(3)).map(|_| self.scalar(&[])).collect();
            return format!("[{}]", values.join(","));
        }
        let values: Vec<&str> =
            (0..=self.below(3)).map(|_| self.one(&["20", "200", "a", "ab", "-1", "true"])).collect();
        format!("\"{}\"", values.join(self.one(&[",", ", "])))
    }

    /// A record, in which a name may be missing or stand more than once.
    pub(crate) fn record(&mut self) -> String {
        let members: Vec<String> = (0..self.below(8)).map(|_| self.member()).collect();
        format!("{{{}}}", members.join(self.one(&[",", " , "])))
    }

    fn member(&mut self) -> String {
        let name = self.one(&["BotScore", "Host", "Tags", "\u{e9}", "\\u00e9", "Other"]);
        let value = self.scalar(&OTHERS);
        format!("\"{name}\":{value}")
    }
}
