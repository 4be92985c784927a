//! Objects that are quarantined: with their code, leaving nothing in the index.

use std::fmt::Write;

use raydex::ledger::BatchState;
use raydex::limits::{MAX_LINES, MAX_SHARDS};
use raydex::pipeline::BatchOutcome;
use raydex::record::{Dataset, RayId};

use super::support::Fakes;
use super::support::gzip::{gzip, gzip_at, members};
use super::support::records::{http, ndjson, ray};
use super::support::world::quarantined;
use super::{KEY, counts};

const DATASET: Dataset = Dataset::HttpRequests;

/// The object is quarantined under this code, and says so again when asked again.
fn is_quarantined(name: &str, stored: &[u8], code: &str) {
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index(KEY, DATASET, stored);
    let why = quarantined(outcome);
    assert_eq!(why.code(), code, "{name}");
    assert!(fakes.shards.rows().is_empty(), "{name}");
    let kept = fakes.kept(KEY).batch.unwrap();
    assert_eq!((kept.state, kept.code.as_deref()), (BatchState::Quarantined, Some(code)), "{name}");
    assert_eq!(kept.reason, Some(why.to_string()), "{name}");
    let before = fakes.everything();
    assert_eq!(fakes.ingest(KEY, DATASET), Ok(BatchOutcome::AlreadyQuarantined), "{name}");
    assert_eq!(fakes.everything(), before, "{name}");
}

#[test]
fn non_batch_is_quarantined_with_its_reason() {
    let line = http(&ray(1).to_string(), 40);
    let whole = gzip(&ndjson(vec![line.clone(); 20]));
    let mut damaged = whole.clone();
    damaged[30] ^= 0x55;
    for (name, stored, code) in [
        ("nothing", vec![], "empty_object"),
        ("cut", whole[..whole.len() - 4].to_vec(), "gzip_truncated"),
        ("damaged", damaged, "gzip_damaged"),
        ("wrong checksum", [&whole[..whole.len() - 8], &[7; 8]].concat(), "gzip_damaged"),
        ("another file behind", [&whole[..], b"PK\x03\x04"].concat(), "trailing_garbage"),
        ("zeros", gzip_at(9, &vec![0; 40 << 20]), "ratio_too_high"),
        ("no ray and no time", gzip(&ndjson(vec![r#"{"ClientIP":"192.0.2.1"}"#; 3])), "no_ray_no_time"),
        ("another dataset", gzip(&ndjson([r#"{"Event":{"RayID":"764660d8ec5c2ab1"}}"#])), "other_dataset"),
        ("other values", gzip(b"null\n17\n\"text\"\ntrue\n"), "not_ndjson"),
        ("a PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "not_ndjson"),
        ("zeros as they are", vec![0; 5000], "not_ndjson"),
    ] {
        is_quarantined(name, &stored, code);
    }
}

#[test]
fn damage_behind_good_members_leaves_nothing_of_them() {
    let good = ndjson((0..500).map(|number| http(&ray(number).to_string(), 10)));
    let mut stored = members(&[&good, &good]);
    let last = stored.len() - 5;
    stored[last] ^= 1;
    is_quarantined("a wrong checksum at the very end", &stored, "gzip_damaged");
}

#[test]
fn batch_with_too_many_lines_is_quarantined() {
    let lines = usize::try_from(MAX_LINES).unwrap();
    let text = [http(&ray(1).to_string(), 0).as_bytes(), &b"\n{}".repeat(lines)].concat();
    is_quarantined("too many lines", &text, "too_many_lines");
}

#[test]
fn only_rays_of_too_many_shards_are_quarantined() {
    let text = |shards: u32| {
        let ray = |shard| RayId::from_parts(0x10000 + shard, 1).to_string();
        gzip(&ndjson((0..shards).map(|shard| http(&ray(shard), 0))))
    };
    let most = u32::try_from(MAX_SHARDS).unwrap();
    is_quarantined("too many shards", &text(most + 1), "too_many_shards");
    // Few enough to be quick here; the bound itself is the line above.
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index(KEY, DATASET, &text(200));
    assert_eq!(counts(outcome).rays, 200);
    assert_eq!(fakes.shards.rows().len(), 200);
}

#[test]
fn only_too_many_nonstandard_ids_are_quarantined() {
    let text = |ids: u32| {
        let mut text = String::new();
        for id in 0..ids {
            writeln!(text, r#"{{"RayID":"{id:0>100}"}}"#).unwrap();
        }
        text.into_bytes()
    };
    is_quarantined("too many nonstandard ids", &text(15_000), "too_many_nonstandard_ids");
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index(KEY, DATASET, &text(14_000));
    assert_eq!(counts(outcome).nonstandard_ids, 14_000);
    for id in [0, 1, 9999, 13_999] {
        assert_eq!(fakes.lines(&format!("{id:0>100}")).len(), 1);
    }
}

#[test]
fn batch_without_lines_is_indexed_as_empty() {
    for stored in [gzip(b""), gzip(b"\n\n \r\n"), b"\n".to_vec(), gzip(b"\xef\xbb\xbf"), b"\xef\xbb\xbf\n".to_vec()] {
        let fakes = Fakes::new();
        let (_, outcome) = fakes.index(KEY, DATASET, &stored);
        assert_eq!(counts(outcome).lines, 0);
        assert!(fakes.shards.rows().is_empty());
    }
}

#[test]
fn parents_of_too_many_shards_are_quarantined() {
    let text = |count: u32| {
        let line = |at: u32| {
            let parent = RayId::from_parts(at * 100 + 1, 7);
            format!(r#"{{"RayID":"{}","ParentRayID":"{parent}"}}"#, ray(at.into()))
        };
        ndjson((0..count).map(line))
    };
    is_quarantined("too many parents", &text(10_000), "too_many_shards");
}
