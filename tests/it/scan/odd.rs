//! Lines that no job writes.

use proptest::prelude::{any, prop, prop_oneof, proptest};
use proptest::strategy::Strategy;
use raydex::limits::MAX_LINE;

use super::{check_all, scanners};

/// Pieces of JSON, whole ones and broken ones.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "{\"",
    "\":",
    "\"RayID\":",
    "\"Event\":",
    "\"Datetime\":",
    "\"a\":",
    "\"\"",
    "\"x\"",
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "0",
    "-",
    "1",
    "9.5",
    "e7",
    " ",
    "\t",
    "\r",
    "\n",
    "\\u0041",
    "\\ud800",
    "\\n",
    "é",
    "\u{1}",
    "\u{feff}",
    "\"764660d8ec5c2ab1\"",
    "\"EdgeStartTimestamp\":1774680145123456789",
    "{\"RayID\":\"764660d8ec5c2ab1\"}",
];

#[test]
fn lines_without_a_record_are_refused_alike() {
    let mut scanners = scanners();
    for line in [
        "",
        " ",
        "{",
        "}",
        "{}",
        " {}",
        "{} ",
        "{}x",
        "{}{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "null",
        "[1]",
        "[",
        "17",
        "a,b,c",
        "\"x\"",
        "\"",
        "tru",
        "{\"a\":1}\u{b}",
        "\u{c}[1]",
        "\u{c}{}",
        "\u{feff}{}",
        "{\"\":{}}",
        "{\"\":\"",
        "{\"a\u{1}\":1}",
        "{\"a\":\"\u{1f}\"}",
        "{\"a\":\"\u{7f}\"}",
        "{\"a\\\":1}",
        "{\"a\":1;\"b\":2}",
        "{\"a\":1\"b\":2}",
    ] {
        check_all(&mut scanners, line.as_bytes());
    }
}

#[test]
fn invalid_utf8_is_read_alike_wherever_it_is() {
    let line =
        r#"{"a":"b","RayID":"764660d8ec5c2ab1","Event":{"RayID":"x"},"EdgeStartTimestamp":"1667491808"}"#.as_bytes();
    let mut scanners = scanners();
    for at in 0..=line.len() {
        for odd in [&b"\xff"[..], b"\xe2\x82", b"\xc3", b"\x80", "é".as_bytes()] {
            check_all(&mut scanners, &[&line[..at], odd, &line[at..]].concat());
        }
    }
}

#[test]
fn depth_without_end_is_read_alike() {
    let mut scanners = scanners();
    for depth in [1, 60, 63, 64, 65, 66, 127, 128, 129, 100_000] {
        for name in ["RayID", "Event", "x"] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            check_all(&mut scanners, format!(r#"{{"{name}":{open}{close},"RayID":"a"}}"#).as_bytes());
            let (open, close) = (r#"{"RayID":"#.repeat(depth), "}".repeat(depth));
            check_all(&mut scanners, format!(r#"{{"{name}":{open}"a"{close},"RayID":"a"}}"#).as_bytes());
            check_all(&mut scanners, format!(r#"{{"{name}":{open}"#).as_bytes());
        }
    }
}

#[test]
fn the_longest_lines_are_read_alike() {
    let filler = "é\\n\\\"x".repeat(MAX_LINE / 8);
    check_all(&mut scanners(), format!(r#"{{"a":"{filler}","RayID":"764660d8ec5c2ab1"}}"#).as_bytes());
    check_all(&mut scanners(), format!(r#"{{"{filler}":1,"RayID":"764660d8ec5c2ab1"}}"#).as_bytes());
}

proptest! {
    #[test]
    fn any_pieces_of_json_are_read_alike(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..16)) {
        let text = pieces.concat();
        check_all(&mut scanners(), text.as_bytes());
        check_all(&mut scanners(), format!("{{{text}}}").as_bytes());
        check_all(&mut scanners(), format!(r#"{{"a":{text},"RayID":"x"}}"#).as_bytes());
    }

    #[test]
    fn any_bytes_are_read_alike(
        pieces in prop::collection::vec(
            prop_oneof![prop::sample::select(PIECES).prop_map(|text| text.as_bytes().to_vec()), any::<[u8; 2]>().prop_map(Vec::from)],
            0..12,
        ),
    ) {
        check_all(&mut scanners(), &pieces.concat());
    }
}
