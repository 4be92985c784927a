//! One hostile line among good ones: it touches no other line, and is counted or found as it should be.

use raydex::limits::MAX_LINE;
use raydex::record::Dataset;

use super::support::Fakes;
use super::support::gzip::gzip;
use super::support::records::{http, ray};
use super::{KEY, counts};

/// What a line between two good ones comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    /// It is rejected under this code.
    Rejected(&'a str),
    /// It is a record without a ray.
    NoRay,
    /// It is found by this id of another form.
    Odd(&'a str),
    /// It is found by this ray.
    Ray(&'a str),
}

/// Indexes the line between two good ones, and judges all three.
fn judge(line: &[u8], fate: Fate<'_>) {
    let name = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
    let (first, last) = (http(&ray(1).to_string(), 0), http(&ray(2).to_string(), 0));
    let text = [first.as_bytes(), line, last.as_bytes()].join(&b'\n');
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index(KEY, Dataset::HttpRequests, &gzip(&text));
    let counts = counts(outcome);
    assert_eq!(
        (fakes.lines(&ray(1).to_string()), fakes.lines(&ray(2).to_string())),
        (vec![first], vec![last]),
        "{name}"
    );
    assert_eq!(counts.lines, 3, "{name}");
    assert_eq!(counts.records + counts.rejected_lines(), 3, "{name}");
    assert_eq!(counts.rays + counts.no_ray, counts.records, "{name}");
    match fate {
        Fate::Rejected(code) => assert_eq!(counts.rejected, [(code.to_owned(), 1)].into(), "{name}"),
        Fate::NoRay => assert_eq!((counts.no_ray, counts.records), (1, 3), "{name}"),
        Fate::Odd(id) | Fate::Ray(id) => {
            assert_eq!((counts.rays, counts.nonstandard_ids), (3, u64::from(matches!(fate, Fate::Odd(_)))), "{name}");
            let found = fakes.find(Dataset::HttpRequests, id);
            assert_eq!(found.records.iter().map(|record| record.line.as_slice()).collect::<Vec<_>>(), [line], "{name}");
            assert_eq!(found.stats.full_scans, 0, "{name}");
        }
    }
}

const RAY: &str = "9e35512345678abc";

#[test]
fn non_record_lines_are_rejected_and_counted() {
    let long = vec![b'x'; MAX_LINE + 1];
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let unclosed = b"{\"a\":".repeat(100_000);
    let lines: [(&[u8], &str); 19] = [
        (b"null", "not_an_object"),
        (b"true", "not_an_object"),
        (b"17", "not_an_object"),
        (b"-0.5e300", "not_an_object"),
        (b"1e999999", "not_json"),
        (b"\"9e35512345678abc\"", "not_an_object"),
        (b"9e35512345678abc", "not_json"),
        (b"{", "not_json"),
        (b"}", "not_json"),
        (b"}}", "not_json"),
        (b"[1,2]", "not_an_object"),
        (b"{\"RayID\":\"9e35512345678abc\"}\xff\xfe\x00", "not_json"),
        (b"{\"RayID\":\"9e35512345678abc\"", "not_json"),
        (b"{\"RayID\":\"9e35512345678abc\",\"a\":\"\0\"}", "not_json"),
        (b"{'RayID':'9e35512345678abc'}", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (&long, "line_too_long"),
        (&deep, "not_an_object"),
        (&unclosed, "not_json"),
    ];
    for (line, code) in lines {
        judge(line, Fate::Rejected(code));
    }
}

#[test]
fn records_without_a_usable_ray_are_counted() {
    let long = format!(r#"{{"RayID":"{}"}}"#, "a".repeat(10_240));
    let just_too_long = format!(r#"{{"RayID":"{}"}}"#, "a".repeat(129));
    for line in [
        "{}",
        r#"{"RayID":null}"#,
        r#"{"RayID":true}"#,
        r#"{"RayID":""}"#,
        r#"{"RayID":"   "}"#,
        r#"{"RayID":{"RayID":"9e35512345678abc"}}"#,
        r#"{"RayID":["9e35512345678abc"]}"#,
        r#"{"rayid":"9e35512345678abc"}"#,
        r#"{"Subrequests":[{"RayID":"9e35512345678abc"}]}"#,
        r#"{"RayID":"9e35512345678abc","RayID":null}"#,
        &long,
        &just_too_long,
    ] {
        judge(line.as_bytes(), Fate::NoRay);
    }
}

#[test]
fn ids_of_other_forms_are_found_exactly() {
    let most = "a".repeat(128);
    for id in [
        "9e35512345678ab",
        "9e35512345678abcd",
        "9e35512345678abc9e35512345678abc",
        "9e35512345678abg",
        "9e35512345678abc-",
        "9e35512345678abc-SJ",
        "9e35512345678abc-SJC-1",
        "test-ray-001",
        "00",
        "0",
        "é\u{2028}ü",
        "日本語",
        "a b",
        &most,
    ] {
        judge(http(id, 0).as_bytes(), Fate::Odd(id));
    }
    judge(br#"{"RayID":"a\u0000b"}"#, Fate::Odd("a\0b"));
    judge(br#"{"RayID":"\ud800"}"#, Fate::Odd("\u{fffd}"));
    judge(br#"{"RayID":123}"#, Fate::Odd("123"));
    judge(br#"{"RayID":1.50e3}"#, Fate::Odd("1.50e3"));
}

#[test]
fn ray_in_any_spelling_is_found_by_digits() {
    let deep = format!(r#"{{"x":{}{},"RayID":"{RAY}"}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!(r#"{{"x":{}1{},"RayID":"{RAY}"}}"#, r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    let lines: [&[u8]; 14] = [
        br#"{"RayID":"9E35512345678ABC"}"#,
        br#"{"RayID":"9e35512345678abc-SJC"}"#,
        br#"{"RayID":"9E35512345678ABC-hkg1"}"#,
        br#"{"RayID":"  9e35512345678abc "}"#,
        br#"{"\u0052ayID":"9e35512345678ab\u0063"}"#,
        br#"  {"RayID"  :  "9e35512345678abc"  }  "#,
        br#"{"RayID":"other","RayID":"9e35512345678abc"}"#,
        br#"{"RayID":{"deep":[1]},"RayID":"9e35512345678abc"}"#,
        br#"{"RayID":"9e35512345678abc","EdgeStartTimestamp":1e30}"#,
        br#"{"RayID":"9e35512345678abc","EdgeStartTimestamp":{"no":"time"},"n":99999999999999999999999}"#,
        b"{\"RayID\":\"9e35512345678abc\",\"ua\":\"\xff\xfe\xc3\x28\"}",
        "{\"RayID\":\"9e35512345678abc\",\"ua\":\"\u{2028}\u{2029}\u{feff}\"}".as_bytes(),
        deep.as_bytes(),
        deep_objects.as_bytes(),
    ];
    for line in lines {
        judge(line, Fate::Ray(RAY));
    }
}

#[test]
fn other_datasets_take_rays_from_their_own_fields() {
    for (dataset, line, ray) in [
        (Dataset::FirewallEvents, r#"{"RayID":"9e35512345678abc","OriginatorRayID":"00"}"#, Some(RAY)),
        (Dataset::WorkersTraceEvents, r#"{"Event":{"RayID":"9e35512345678abc"}}"#, Some(RAY)),
        (Dataset::WorkersTraceEvents, r#"{"Event":{"RayID":"no"},"Event":{"RayID":"9e35512345678abc"}}"#, Some(RAY)),
        (Dataset::WorkersTraceEvents, r#"{"RayID":"9e35512345678abc","Event":{}}"#, None),
        (Dataset::WorkersTraceEvents, r#"{"Event":["RayID"]}"#, None),
    ] {
        let fakes = Fakes::new();
        let other = r#"{"RayID":"0000000000000001","Event":{"RayID":"0000000000000001"}}"#;
        let (_, outcome) = fakes.index(KEY, dataset, [line, other].join("\n").as_bytes());
        assert_eq!(counts(outcome).no_ray, u64::from(ray.is_none()), "{line}");
        assert_eq!(fakes.find(dataset, RAY).records.len(), usize::from(ray.is_some()), "{line}");
    }
}
