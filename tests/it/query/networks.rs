//! Networks against summaries: no batch and no span is ruled out that has an address in the network, and some are.

use std::net::{Ipv4Addr, Ipv6Addr};

use raydex::batch::{ObjectSpans, PointForm, SpanExtent};
use raydex::filter::Filter;
use raydex::query::RangeQuery;
use raydex::record::{Dataset, IndexedFields};
use raydex::summary::{PruningSummary, SpanSummaries, SummaryBuilder};

use super::generate::{Store, ray, record, start_ms};
use super::random::Random;
use super::support::records::ndjson;
use super::{answer, oracle};

/// An address of the first of so many networks, as JSON in one of its spellings.
fn address(random: &mut Random, networks: usize) -> String {
    let (network, host) = (random.below(networks), random.below(256));
    let (network, host) = (u32::try_from(network).unwrap(), u32::try_from(host).unwrap());
    let v4 = Ipv4Addr::from_bits(0xc633_0000 | network << 8 | host);
    let v6 = Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(network) << 80 | u128::from(host));
    match random.below(8) {
        0 => format!("\"{}\"", v4.to_ipv6_mapped()),
        1 | 2 => format!("\"{v6}\""),
        3 => format!("\"{}\"", v6.segments().map(|part| format!("{part:04X}")).join(":")),
        4 if random.chance(100) => "null".to_owned(),
        5 if random.chance(100) => format!("\"\\u0031{}\"", v4.to_string().trim_start_matches('1')),
        _ => format!("\"{v4}\""),
    }
}

/// A filter by one of a few more networks, or by its complement.
fn filter(random: &mut Random, networks: usize) -> Filter {
    let network = u32::try_from(random.below(networks + networks / 2 + 2)).unwrap();
    let v4 = Ipv4Addr::from_bits(0xc633_0000 | network << 8);
    let v6 = Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(network) << 80);
    let value = match random.below(5) {
        0 => format!("{v4}/24"),
        1 => format!("{v4}/26"),
        2 => format!("{v6}/48"),
        3 => format!("{v6}/120,{v4}/30"),
        _ => format!("{}/120", v4.to_ipv6_mapped()),
    };
    let operator = *random.of(&["in", "in", "in", "!in"]);
    Filter::parse(&format!(r#"{{"where":{{"key":"ClientIP","operator":"{operator}","value":"{value}"}}}}"#)).unwrap()
}

/// The table of so many spans.
fn spans(count: u32) -> ObjectSpans {
    let extent = |number: u32| SpanExtent {
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

#[test]
fn address_in_a_network_is_never_ruled_out() {
    let (mut out_batch, mut out_span) = (0, 0);
    for seed in 0..40 {
        let mut random = Random::new(7_000 + seed);
        let networks = *random.of(&[1, 3, 20, 200]);
        let (mut builder, mut records) = (SummaryBuilder::default(), Vec::new());
        for span in 0..3_u32 {
            let number = 1 + random.below(if networks == 200 { 600 } else { 60 });
            let lines: Vec<String> =
                (0..number).map(|_| format!(r#"{{"ClientIP":{}}}"#, address(&mut random, networks))).collect();
            for line in &lines {
                builder.take(span, i64::from(span), line.as_bytes(), &IndexedFields::read(line.as_bytes()));
            }
            records.push(lines);
        }
        let packed = builder.finish(&spans(3));
        let batch = PruningSummary::from_bytes(&packed.batch).unwrap();
        let each = SpanSummaries::from_bytes(&packed.spans).unwrap();
        for _ in 0..200 {
            let filter = filter(&mut random, networks);
            let passes = |line: &String| filter.accepts(line.as_bytes()) == Ok(true);
            let may = filter.may_match(|name| batch.possible(name));
            assert!(may || !records.iter().flatten().any(passes), "seed {seed}: {}", filter.text());
            out_batch += u32::from(!may);
            for (span, lines) in each.spans.iter().zip(&records) {
                let may = filter.may_match(|name| each.possible(span, name));
                assert!(may || !lines.iter().any(passes), "seed {seed}: {}", filter.text());
                out_span += u32::from(!may);
            }
        }
    }
    assert!(out_batch > 500 && out_span > 2_000, "{out_batch} and {out_span} ruled out: that shows little");
}

#[test]
fn network_in_three_batches_costs_three_reads() {
    let mut store = Store::new();
    for batch in 0..60_u32 {
        let third = if batch % 20 == 7 { 113 } else { 100 };
        let line = |number: u32| {
            let id = format!("\"{}\"", ray(start_ms() + i64::from(batch * 10 + number), batch * 10 + number));
            record(&id, None, &[("ClientIP", &format!("\"203.0.{third}.{}\"", batch + number))])
        };
        store.put(&format!("logs/{batch}.log.gz"), &ndjson((0..5).map(line)), true);
    }
    let filter = r#"{"where":{"key":"ClientIP","operator":"eq","value":"203.0.113.0/24"}}"#;
    let filter = Filter::parse(filter).unwrap();
    let (start_ns, end_ns) = (start_ms() * 1_000_000, (start_ms() + 600_000) * 1_000_000);
    let expected = oracle::lines(&store, start_ns, end_ns, Some(&filter));
    let found = answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start_ns, end_ns).with_filter(filter));
    assert_eq!((found.texts(), found.texts().len()), (expected, 15));
    assert_eq!((found.stats.batches_skipped, found.stats.batches_read), (57, 3));
}
