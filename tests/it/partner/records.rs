//! Records for the property tests: every field that is read, each with values of every type, likely and not.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use raydex::record::Field;

/// The JSON text of a string.
pub(crate) fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A record with one member.
pub(crate) fn record(field: Field, value: &str) -> String {
    format!("{{\"{}\":{value}}}", field.name())
}

/// Texts that a rule knows, or nearly.
const LIKELY: &[&str] = &[
    "",
    " ",
    "-",
    "http",
    "HTTPS",
    "https",
    "hit",
    "HIT",
    "stale",
    "updating",
    "Expired",
    "dynamic",
    "none",
    "unknown",
    "SIN",
    "sin",
    "FRU",
    "SJU",
    "ZZZ",
    "149",
    "1.5e3",
    "0",
    "-7",
    "9007199254740993",
    "1.7746873451234567e+18",
    "1774687345123.0",
    "253402300799",
    "-0",
    "1774687345",
    "1774687345123",
    "1774687345123456789",
    "2026-03-28T08:42:25.123456789Z",
    "2026-03-28",
    "example.com",
    "/a?b=c#d",
    "true",
];

/// Characters that hurt: controls, the separator, quotes, several bytes, and what is no printable character.
const HARD: &[char] = &[
    '\0', '\u{1}', '\t', '\n', '\r', '\u{1b}', '\u{1f}', ' ', '"', '\\', '\u{7f}', '\u{85}', 'a', 'é', '\u{301}', '語',
    '\u{2028}', '\u{2029}', '\u{b}', '\u{fffd}', '\u{feff}', '😀',
];

fn text() -> impl Strategy<Value = String> {
    let long = (select(HARD), 900_usize..4200, select(HARD)).prop_map(|(character, count, last)| {
        let mut text: String = std::iter::repeat_n(character, count).collect();
        text.push(last);
        text
    });
    prop_oneof![
        8 => select(LIKELY).prop_map(str::to_owned),
        4 => vec(select(HARD), 0..12).prop_map(String::from_iter),
        2 => any::<String>(),
        1 => long,
    ]
}

/// A number as JSON may spell it.
fn number() -> impl Strategy<Value = String> {
    let exponent =
        weighted(0.2, ("[eE]", "[+-]?", -30_i32..30).prop_map(|(e, sign, n)| format!("{e}{sign}{}", n.abs())));
    let spelled = ("-?", any::<u64>(), 0_u32..20, weighted(0.3, "[0-9]{1,20}"), exponent);
    spelled.prop_map(|(sign, whole, shift, decimals, exponent)| {
        let decimals = decimals.map(|digits| format!(".{digits}")).unwrap_or_default();
        format!("{sign}{}{decimals}{}", whole / 10_u64.pow(shift), exponent.unwrap_or_default())
    })
}

/// A value of any type, as JSON text.
pub(crate) fn value() -> BoxedStrategy<String> {
    let string = text().prop_map(|text| json(&text));
    let plain = prop_oneof![
        8 => string,
        4 => number(),
        1 => select(&["null", "true", "false", "[]", "{}", r#""\ud800""#, r#""a\ude00\ud83d\ud83d\ude00""#, r#""\u0001\u000a""#][..]).prop_map(str::to_owned),
    ];
    let nested = (plain.clone(), any::<bool>())
        .prop_map(|(value, array)| if array { format!("[{value}, 1]") } else { format!(r#"{{"a" : {value}}}"#) });
    prop_oneof![10 => plain, 1 => nested].boxed()
}

/// The headers of an answer.
fn headers() -> impl Strategy<Value = String> {
    let name = select(&["content-length", "Content-Length", "CONTENT-LENGTH", "content-type"][..]);
    let header = (name, value()).prop_map(|(name, value)| format!(r#"{{"x":[{{}}],"{name}":{value},"y":null}}"#));
    prop_oneof![4 => header, 1 => value()]
}

/// A value of `field`, as JSON text: one that its rule knows, more often than by chance, or any.
fn value_of(field: Field) -> BoxedStrategy<String> {
    let known: &[&str] = match field {
        Field::CacheCacheStatus => &[
            "hit",
            "stale",
            "revalidated",
            "updating",
            "miss",
            "expired",
            "bypass",
            "dynamic",
            "none",
            "unknown",
            "MISS",
            "Bypass",
            "deferred",
            "stream_hit",
        ],
        Field::ClientRequestScheme => &["http", "https", "HTTPS", "ws"],
        Field::EdgeColoCode => &["AAA", "ZZV", "hkg", "SIN", "KIV", "SJU", "ZZZ", "SJC-A"],
        Field::ResponseFields | Field::ResponseHeaders => return headers().boxed(),
        _ => return value(),
    };
    prop_oneof![1 => select(known).prop_map(json), 1 => value()].boxed()
}

/// A line: any of the fields read, in the order of their list, between fields that are not.
pub(crate) fn line() -> impl Strategy<Value = String> {
    let members: Vec<BoxedStrategy<Option<String>>> = Field::ALL
        .iter()
        .map(|&field| {
            let member = (Just(field.name()), value_of(field)).prop_map(|(name, value)| format!("\"{name}\":{value}"));
            weighted(0.8, member).boxed()
        })
        .collect();
    (members, value()).prop_map(|(members, other)| {
        let mut members: Vec<String> = members.into_iter().flatten().collect();
        members.insert(members.len() / 2, format!("\"Unread\" : {other}"));
        format!("{{{}}}", members.join(","))
    })
}
