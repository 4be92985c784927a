//! What each call does.

use raydex::index::calls::PutOutcome;
use raydex::index::shard;
use raydex::limits::{PART_RAYS, SQL_BLOB_MAX};
use raydex::record::RayId;

use super::{Shard, entry, id, nonstandard_entry, outcome_of, version};

/// The last suffix there is.
const LAST: u64 = (1 << RayId::SUFFIX_BITS) - 1;
/// Suffixes of one time slot.
const TIME_SLOT: u64 = 1 << (RayId::SUFFIX_BITS - 8);

#[test]
fn ordinary_entry_costs_four_rows_at_most() {
    let shard = Shard::new();
    let put = entry(version("a", "e1", 5), &[(1, 0), (2, 1), (LAST, 2)]);
    let first = shard.put(&put);
    assert_eq!(first.outcome, PutOutcome::Stored);
    assert!((1..=4).contains(&first.rows_written), "{first:?}");
    let rows = shard.sql.rows();
    let again = shard.put(&put);
    assert_eq!((again.outcome, again.rows_written), (PutOutcome::Unchanged, 0));
    assert_eq!(shard.sql.rows(), rows);
    // Written again, it is kept from then on.
    let mut later = put.clone();
    later.object.uploaded_ms = 99;
    assert_eq!(shard.put(&later).outcome, PutOutcome::Stored);
    assert_eq!(shard.put(&later).outcome, PutOutcome::Unchanged);
    assert_eq!((shard.put(&put).outcome, shard.sql.rows().len()), (PutOutcome::Unchanged, rows.len()));
}

#[test]
fn opening_again_changes_nothing() {
    let shard = Shard::new();
    shard.put(&entry(version("a", "e1", 5), &[(1, 0)]));
    let rows = shard.sql.rows();
    for _ in 0..3 {
        shard::open(&shard.sql).unwrap();
    }
    assert_eq!(shard.sql.rows(), rows);
}

#[test]
fn newer_version_replaces_and_older_is_superseded() {
    let shard = Shard::new();
    assert_eq!(outcome_of(shard.put(&entry(version("a", "e1", 5), &[(1, 0)]))), PutOutcome::Stored);
    let newer = shard.put(&entry(version("a", "e2", 6), &[(2, 0)]));
    assert_eq!(newer.outcome, PutOutcome::Stored);
    assert!(newer.rows_written <= 8, "{newer:?}");
    assert_eq!((shard.find(&id(1)), shard.find(&id(2))), (vec![], vec![("a".into(), vec![0])]));
    let rows = shard.sql.rows();
    let older = shard.put(&entry(version("a", "e1", 5), &[(1, 0)]));
    assert_eq!((older.outcome, older.rows_written), (PutOutcome::Superseded, 0));
    assert_eq!(shard.sql.rows(), rows);
    // Written in the same millisecond: the one that comes last was read last.
    assert_eq!(outcome_of(shard.put(&entry(version("a", "e3", 6), &[(3, 0)]))), PutOutcome::Stored);
    assert_eq!((shard.find(&id(2)), shard.find(&id(3)).len()), (vec![], 1));
    assert_eq!(shard.sql.rows().len(), 2, "one entry, one part");
}

#[test]
fn only_versions_from_before_the_instant_are_forgotten() {
    let shard = Shard::new();
    shard.put(&entry(version("a", "e1", 5), &[(1, 0)]));
    shard.put(&entry(version("b", "e1", 5), &[(1, 0)]));
    assert_eq!((shard.forget("a", 4), shard.forget("a", 5), shard.forget("c", 99)), (0, 0, 0));
    assert_eq!(shard.find(&id(1)).len(), 2);
    assert_eq!(shard.forget("a", 6), 1);
    assert_eq!(shard.find(&id(1)), [("b".to_owned(), vec![0])]);
    assert_eq!((shard.forget("a", 6), shard.forget("b", i64::MAX)), (0, 1));
    assert!(shard.sql.rows().is_empty());
}

#[test]
fn ray_is_found_at_both_ends_of_slots() {
    let shard = Shard::new();
    let borders = (0..=256).flat_map(|time_slot: u64| [(time_slot * TIME_SLOT).wrapping_sub(1), time_slot * TIME_SLOT]);
    let suffixes: Vec<u64> = borders.filter(|&suffix| suffix <= LAST).collect();
    assert_eq!(suffixes.len(), 512);
    let places: Vec<(u64, u32)> = suffixes.iter().copied().zip(0..).collect();
    shard.put(&entry(version("all", "e", 1), &places));
    for &(suffix, span) in &places {
        shard.put(&entry(version(&format!("one-{span:03}"), "e", 1), &[(suffix, span)]));
    }
    for (suffix, span) in places {
        let expected = vec![("all".to_owned(), vec![span]), (format!("one-{span:03}"), vec![span])];
        assert_eq!(shard.find(&id(suffix)), expected, "{suffix:#x}");
    }
}

#[test]
fn slot_is_the_suffixs_two_highest_digits() {
    for (suffix, time_slot) in
        [(0, 0), (TIME_SLOT - 1, 0), (TIME_SLOT, 1), (0x0d8_ec5c_2ab1, 0x0d), (LAST, 255), (LAST - TIME_SLOT, 254)]
    {
        assert_eq!(raydex::index::time_slot_of(suffix), time_slot, "{suffix:#x}");
    }
}

#[test]
fn candidates_come_in_entry_order_with_versions() {
    let shard = Shard::new();
    for key in ["z", "a", "m"] {
        shard.put(&entry(version(key, key, 7), &[(1, 4), (1, 2), (1, 4), (2, 0)]));
    }
    let found = shard.candidates(&id(1));
    let versions: Vec<_> = found.iter().map(|candidate| candidate.object.clone()).collect();
    assert_eq!(versions, ["z", "a", "m"].map(|key| version(key, key, 7)));
    assert!(found.iter().all(|candidate| candidate.spans == [2, 4, 4]));
}

#[test]
fn any_text_and_53_bit_number_returns_unchanged() {
    let shard = Shard::new();
    let mut object = version("logs/é'\"\0\u{1}';--%_", "\u{2028}", (1 << 53) - 1);
    object.size = (1 << 53) - 1;
    shard.put(&entry(object.clone(), &[(LAST, (1 << 20) - 1)]));
    assert_eq!(shard.candidates(&id(LAST))[0].object, object);
    assert_eq!(shard.find(&id(LAST))[0].1, [(1 << 20) - 1]);
    assert_eq!(shard.forget(&object.key, i64::MAX), 1);
    let before_1970 = version("b", "e", -5);
    shard.put(&entry(before_1970.clone(), &[(1, 0)]));
    assert_eq!(shard.candidates(&id(1))[0].object, before_1970);
}

#[test]
fn nonstandard_ids_are_found_exactly_in_each_object() {
    let shard = Shard::new();
    shard.put(&nonstandard_entry(
        version("a", "e", 1),
        &[("test-ray-001", 3), ("00", 0), ("é", 7), ("test-ray-001", 1)],
    ));
    shard.put(&nonstandard_entry(version("b", "e", 1), &[("test-ray-001", 9)]));
    assert_eq!(shard.find("test-ray-001"), [("a".to_owned(), vec![1, 3]), ("b".to_owned(), vec![9])]);
    assert_eq!((shard.find("é"), shard.find("00")), (vec![("a".into(), vec![7])], vec![("a".into(), vec![0])]));
    for unknown in ["test-ray-00", "test-ray-0011", "TEST-RAY-001", "0"] {
        assert!(shard.find(unknown).is_empty(), "{unknown}");
    }
    assert_eq!(shard.forget("a", 2), 1);
    assert_eq!(shard.find("test-ray-001"), [("b".to_owned(), vec![9])]);
}

#[test]
fn multi_part_entry_is_found_and_removed_whole() {
    let shard = Shard::new();
    let count = PART_RAYS as u64 + 60_000;
    let mut places: Vec<(u64, u32)> = (0..count).map(|number| (number * 1000, (number % 900) as u32)).collect();
    // Equal rays on both sides of the parts' border.
    let border = PART_RAYS as u64 * 1000;
    places.extend((1000..1300).map(|span| (border, span)));
    let put = entry(version("large", "e1", 5), &places);
    assert_eq!(put.parts.len(), 2);
    assert!(put.parts.iter().all(|part| part.bytes.len() < SQL_BLOB_MAX));
    assert_eq!(shard.put(&put).rows_written, 3);
    assert_eq!(shard.put(&put).outcome, PutOutcome::Unchanged);
    for number in (0..count).step_by(4999).chain([PART_RAYS as u64 - 1, PART_RAYS as u64 + 1, count - 1]) {
        let expected = vec![("large".to_owned(), vec![(number % 900) as u32])];
        assert_eq!(shard.find(&id(number * 1000)), expected, "{number}");
        assert!(shard.find(&id(number * 1000 + 1)).is_empty());
    }
    let at_border = shard.find(&id(border));
    assert_eq!(at_border.len(), 1, "one candidate, though two parts may hold it");
    assert_eq!(at_border[0].1.len(), 301);
    assert!(at_border[0].1.is_sorted());
    shard.put(&entry(version("large", "e2", 6), &[(7, 0)]));
    assert_eq!(shard.sql.rows().len(), 2);
    assert!(shard.find(&id(border)).is_empty());
}

#[test]
fn equal_rays_in_two_parts_are_one_candidate() {
    let shard = Shard::new();
    let count = PART_RAYS as u64 - 100;
    let mut places: Vec<(u64, u32)> = (0..count).map(|number| (number, 0)).collect();
    places.extend((0..300).map(|span| (count, span)));
    let put = entry(version("a", "e", 1), &places);
    assert_eq!((put.parts.len(), put.parts[0].last_suffix, put.parts[1].first_suffix), (2, count, count));
    shard.put(&put);
    assert_eq!(shard.find(&id(count)), [("a".to_owned(), (0..300).collect::<Vec<u32>>())]);
}

#[test]
fn unreadable_part_is_not_kept() {
    let shard = Shard::new();
    shard.put(&entry(version("a", "e1", 5), &[(1, 0)]));
    let rows = shard.sql.rows();
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x02\0\0\0\0\0\0\0\0\0\0\0",
        b"\x02\x01\0\0\0\0\0\0\x01\0\0\0\x05",
        &vec![1; SQL_BLOB_MAX + 1],
    ] {
        let mut put = entry(version("b", "e1", 5), &[(1, 0)]);
        put.parts[0].bytes = bytes.to_vec();
        assert!(shard.call(&put).is_err());
        assert_eq!(shard.sql.rows(), rows);
    }
}
