//! Pictures of counts: the goldens of `tests/fixtures/plots`, and what attackers write.

use std::fs;
use std::path::PathBuf;

use askama::Template;
use raydex::page::plots::{
    CountBars, CountRowDocument, CoverageDocument, CoverageStrip, Histogram, LinePlot, PlotName, PlotRange, PlotSeries,
    WindowDocument,
};

/// 2026-03-28T08:00:00Z.
const BEGIN: i64 = 1_774_684_800;

/// An hour in steps of five minutes.
const HOUR: PlotRange = PlotRange { start_s: BEGIN, end_s: BEGIN + 3_600, step_s: Some(300) };

/// Counts as `GET /v1/counts` streams them: three statuses, and others.
fn counts() -> String {
    let line = |step: i64, values: &str, count: i64| {
        let time = raydex::time::rfc3339_s(BEGIN + step * 300);
        format!("{{\"time\":\"{time}\",{values},\"count\":{count}}}\n")
    };
    let status = |status: i64| format!(r#""values":{{"EdgeResponseStatus":{status}}}"#);
    let of_step = |step: i64| {
        let other = line(step, r#""other":true"#, 40);
        line(step, &status(200), 1_000 + step * 37)
            + &line(step, &status(304), 120 - step)
            + &line(step, &status(503), 7)
            + &other
    };
    (0..12).filter(|step| *step != 5).map(of_step).collect::<String>() + "{\"raydex\":{\"complete\":true}}\n"
}

fn histogram(id: &str, range: PlotRange, rows: &str) -> String {
    let bars = CountBars::new(range, &CountRowDocument::read_lines(rows.as_bytes()));
    Histogram::new(PlotName { id, title: "Requests by status" }, range, &bars).render().unwrap()
}

fn lines(range: PlotRange, names: &[&str]) -> String {
    let series = |(nth, name): (i64, &&str)| PlotSeries {
        name: (*name).to_owned(),
        points: (0..12)
            .filter(|step| (step + nth) % 5 != 3)
            .map(|step| (BEGIN + step * 300, (step * 90 + nth * 500).unsigned_abs()))
            .collect(),
    };
    let series: Vec<PlotSeries> = (0..).zip(names).map(series).collect();
    LinePlot::new(PlotName { id: "lines", title: "Lines a second" }, range, &series).render().unwrap()
}

fn strip(coverage: &CoverageDocument) -> String {
    CoverageStrip::new(PlotName { id: "strip", title: "Coverage" }, coverage).render().unwrap()
}

fn coverage() -> CoverageDocument {
    let json = serde_json::json!({
        "start": "2026-03-28T08:42:00.000Z", "end": "2026-03-28T08:45:00.000Z", "dataset": "http_requests",
        "complete": [{"start": "2026-03-28T08:42:00.000Z", "end": "2026-03-28T08:42:50.000Z"}],
        "pending": [],
        "quarantined": [{"start": "2026-03-28T08:42:50.000Z", "end": "2026-03-28T08:43:15.000Z"}],
        "damaged": [],
        "gaps": [{"start": "2026-03-28T08:43:15.000Z", "end": "2026-03-28T08:45:00.000Z"}],
        "late": [{"start": "2026-03-28T08:42:03.120Z", "end": "2026-03-28T08:42:25.000Z"}],
        "batches": 3, "truncated": true,
    });
    serde_json::from_value(json).unwrap()
}

/// The goldens, each with its name.
fn drawn() -> [(&'static str, String); 6] {
    let empty = PlotRange { end_s: BEGIN, ..HOUR };
    [
        ("histogram", histogram("status", HOUR, &counts())),
        ("histogram_without_records", histogram("status", HOUR, "")),
        ("histogram_of_nothing", histogram("status", empty, &counts())),
        ("lines", lines(HOUR, &["delivered", "parked"])),
        ("lines_of_nothing", lines(empty, &["delivered"])),
        ("coverage", strip(&coverage())),
    ]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plots")).join(format!("{name}.html"))
}

#[test]
fn plots_look_as_their_goldens() {
    for (name, html) in drawn() {
        let golden = fs::read_to_string(path(name)).unwrap();
        assert!(html == golden, "{name} differs: plots::goldens_are_written_anew writes the goldens, read the diff");
    }
}

#[test]
#[ignore = "run it when a picture is meant to change"]
fn goldens_are_written_anew() {
    for (name, html) in drawn() {
        fs::write(path(name), html).unwrap();
    }
}

#[test]
fn markup_in_values_stays_text() {
    let evil = "</text><script>alert(1)</script>\" onload='x' \u{202e}";
    let row = serde_json::json!({ "values": { "a": evil }, "count": 3 }).to_string();
    let window = WindowDocument { start: evil.into(), end: evil.into() };
    let covered = CoverageDocument { complete: vec![window], ..coverage() };
    for html in [histogram("h", PlotRange { step_s: None, ..HOUR }, &row), lines(HOUR, &[evil]), strip(&covered)] {
        assert!(html.contains("&lt;script&gt;") && html.contains("⟨U+202E⟩"), "{html}");
        assert!(!html.contains("<script") && !html.contains(" onload='"), "{html}");
    }
}

#[test]
fn plots_name_their_ids_and_have_no_styles() {
    let id = regex::Regex::new(" id=\"([^\"]*)\"").unwrap();
    let reference = regex::Regex::new(r#"(?:url\(#|labelledby="|describedby=")([^")]*)"#).unwrap();
    for (name, html) in drawn() {
        assert!(!html.contains("style"), "{name}");
        let ids: Vec<&str> = id.captures_iter(&html).map(|found| found.get(1).unwrap().as_str()).collect();
        let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for found in reference.captures_iter(&html) {
            assert!(ids.contains(&&found[1]), "{name}: {}", &found[1]);
        }
    }
}

#[test]
fn table_has_the_figures_of_the_picture() {
    let html = histogram("h", HOUR, &counts());
    let sum = regex::Regex::new(r"<td>(\d+)</td></tr>").unwrap();
    let sums: u64 = sum.captures_iter(&html).map(|found| found[1].parse::<u64>().unwrap()).sum();
    let rows = CountRowDocument::read_lines(counts().as_bytes());
    assert_eq!(sums, rows.iter().map(|row| row.count).sum::<u64>());
    assert_eq!(html.matches("<rect class=\"part\"").count(), rows.len());
}
