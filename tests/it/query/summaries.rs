//! Summaries against the records that they are of: nothing is ruled out that is there.

use raydex::batch::{ObjectSpans, PointForm, SpanExtent};
use raydex::filter::Filter;
use raydex::limits::SUMMARY_MAX;
use raydex::record::IndexedFields;
use raydex::summary::{PruningSummary, SpanSummaries, SummaryBuilder};

use super::random::Random;

/// The table of so many spans.
fn spans(count: u32) -> ObjectSpans {
    let extent = |number| SpanExtent {
        number,
        form: PointForm::Plain,
        bit: u64::from(number) * 8_000_000,
        bytes: 1_000_000,
        offset: u64::from(number) * 1_000_000,
        head: 0,
        text: Some(1_000_000),
        window: 0..0,
    };
    ObjectSpans { extents: (0..count).map(extent).collect(), windows: Vec::new() }
}

/// A record, whose fields have about so many values each.
fn record(random: &mut Random, values: usize) -> String {
    let mut members = Vec::new();
    let name = |random: &mut Random| format!("h{}", random.below(values));
    let mut add = |random: &mut Random, field: &str, odd: u64| {
        let value = name(random);
        let value = match random.below(12) {
            0 => return,
            1 if random.chance(odd) => format!("\"\\u0068{}\"", value.trim_start_matches('h')),
            2 if random.chance(odd) => value.trim_start_matches('h').to_owned(),
            3 if random.chance(odd) => "null".to_owned(),
            4 if random.chance(odd / 10) => format!("[\"{value}\"]"),
            5 if random.chance(odd / 50) => format!("\"{}\"", "x".repeat(300)),
            _ => format!("\"{value}\""),
        };
        members.push(format!("\"{field}\":{value}"));
    };
    for (field, odd) in [("ClientRequestHost", 300), ("ClientIP", 0), ("Action", 5), ("EdgeResponseStatus", 900)] {
        add(random, field, odd);
    }
    format!("{{{}}}", members.join(","))
}

fn filter(random: &mut Random, values: usize) -> Filter {
    let field = *random.of(&["ClientRequestHost", "ClientIP", "Action", "EdgeResponseStatus", "ZoneName"]);
    let number = random.below(values + 3);
    let (operator, value) = match random.below(6) {
        0 => ("eq", format!("\"h{number}\"")),
        1 => ("in", format!("\"h{number},h{}\"", random.below(values))),
        2 => ("eq", number.to_string()),
        3 => ("!eq", format!("\"h{number}\"")),
        4 => ("geq", number.to_string()),
        _ => ("contains", format!("\"{number}\"")),
    };
    let text = format!(r#"{{"where":{{"key":"{field}","operator":"{operator}","value":{value}}}}}"#);
    Filter::parse(&text).unwrap()
}

#[test]
fn existing_value_is_never_ruled_out() {
    let (mut out_batch, mut out_span) = (0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let values = *random.of(&[2, 20, 250, 300, 1_000, 5_000]);
        let count = 1 + u32::try_from(random.below(5)).unwrap();
        let mut summaries = SummaryBuilder::default();
        let mut records: Vec<Vec<String>> = Vec::new();
        for span in 0..count {
            let number = if random.chance(150) { 0 } else { 1 + random.below(600) };
            records.push((0..number).map(|_| record(&mut random, values)).collect());
            for (at, line) in (0..).zip(&records[span as usize]) {
                let ns = 1_000_000 * i64::from(span) + at;
                summaries.take(span, ns, line.as_bytes(), &IndexedFields::read(line.as_bytes()));
            }
        }
        let packed = summaries.finish(&spans(count));
        assert!(packed.batch.len() <= SUMMARY_MAX);
        assert_eq!(packed.spans.is_empty(), count == 1);
        let batch = PruningSummary::from_bytes(&packed.batch).unwrap();
        let each = SpanSummaries::from_bytes(&packed.spans);
        for _ in 0..150 {
            let filter = filter(&mut random, values);
            let passes = |line: &String| filter.accepts(line.as_bytes()) == Ok(true);
            let may = filter.may_match(|name| batch.possible(name));
            assert!(may || !records.iter().flatten().any(passes), "seed {seed}: {}", filter.text());
            out_batch += u32::from(!may);
            for (number, span) in each.iter().flat_map(|each| each.spans.iter().enumerate()) {
                assert_eq!(span.records, records[number].len() as u64);
                let summaries = each.as_ref().unwrap();
                let may = span.records > 0 && filter.may_match(|name| summaries.possible(span, name));
                assert!(may || !records[number].iter().any(passes), "seed {seed}, {number}: {}", filter.text());
                out_span += u32::from(!may);
                let first = 1_000_000 * i64::try_from(number).unwrap();
                assert!(span.records == 0 || span.times.meet(first, first + 1) && !span.times.meet(first - 9, first));
            }
        }
    }
    assert!(out_batch > 1_000 && out_span > 5_000, "{out_batch} and {out_span} ruled out: that shows little");
}

#[test]
fn unknown_line_may_hold_anything() {
    let mut builder = SummaryBuilder::default();
    let line = br#"{"Action":"a"}"#;
    builder.take(0, 1, line, &IndexedFields::read(line));
    builder.take(0, 1, b"{\"Action\":\"\xff\"}", &IndexedFields::read(b"{\"Action\":\"\xff\"}"));
    let summary = PruningSummary::from_bytes(&builder.finish(&spans(1)).batch).unwrap();
    let filter = Filter::parse(r#"{"where":{"key":"Action","operator":"eq","value":"x"}}"#).unwrap();
    assert!(filter.may_match(|name| summary.possible(name)));
}
