//! The bytes themselves: that they never change, and how many they are.

use raydex::index::entry::PartView;
use raydex::index::part::EntryError;
use raydex::limits::{BLOCK_RAYS, PART_RAYS, SPAN_BITS, SQL_BLOB_MAX};
use raydex::record::RayId;

use super::support::records::noise;
use super::{Pair, one_part, packed, pairs};

#[test]
fn the_stored_form_is_unchanged() {
    let few = [(0x0d8_ec5c_2ab1, 3), (0x0d8_ec5c_2ab1, 5), (7, 0), (0xfff_ffff_ffff, 4), (0x0d8_ec5c_2ab2, 3)];
    assert_eq!(hex::encode(one_part(&few)), FEW);
    assert_eq!(hex::encode(one_part(&[(9, 0)])), ONE);
    // More than a block: 256 neighbours and a straggler, all in the first span.
    let many: Vec<Pair> = (0..256).map(|suffix| (1000 + suffix, 0)).chain([(1 << 40, 0)]).collect();
    assert_eq!(hex::encode(one_part(&many)), MANY);
    // Nine rays in spans 10 to 12, and one far behind: its span is escaped.
    let late: Vec<Pair> =
        (0..9).map(|suffix| (1000 + u64::from(suffix), 10 + suffix % 3)).chain([(1009, 400)]).collect();
    assert_eq!(hex::encode(one_part(&late)), LATE);
}

const FEW: &str =
    "01000000000000000500000001000000070000000000000000002900000003a8aac2c58e6d01000000007400000000800136558f4e9c24";
const ONE: &str = "01000000000000000100000001000000090000000000000000000000000000";
const MANY: &str = "01000000000000000101000002000000e80300000000000000000000000000000000000001fe0100000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2a";

const LATE: &str = "01000000000000000a00000001000000e8030000000000000000000a000082988aa9983a4042";

#[test]
fn packing_does_not_depend_on_order() {
    let pair = |number: u32| (u64::from(number * number % 4099 * 77), number % 5);
    let pairs: Vec<Pair> = (0..700).map(pair).collect();
    let mut shuffled = pairs.clone();
    shuffled.reverse();
    shuffled.rotate_left(100);
    assert_eq!(one_part(&shuffled), one_part(&pairs));
}

#[test]
fn other_versions_and_kinds_are_refused_by_name() {
    let bytes = one_part(&[(1, 1), (2, 2)]);
    for (version, kind) in [(0, 0), (2, 0), (3, 0), (255, 0), (2, 1), (2, 2), (1, 255), (1, 1)] {
        let mut other = bytes.clone();
        (other[0], other[1]) = (version, kind);
        assert_eq!(PartView::open(&other).err(), Some(EntryError::Unknown { version, kind }));
    }
}

#[test]
fn no_rays_are_no_part() {
    assert!(packed(&[]).is_empty());
}

#[test]
fn rays_beyond_a_part_start_another() {
    for (count, parts) in [(PART_RAYS, 1), (PART_RAYS + 1, 2), (2 * PART_RAYS + 7, 3)] {
        let all: Vec<Pair> = (0..count as u64).map(|number| (number << 20, 0)).collect();
        let packed = packed(&all);
        assert_eq!(packed.len(), parts);
        assert!(packed.iter().all(|part| part.bytes.len() <= SQL_BLOB_MAX));
        assert!(packed.windows(2).all(|pair| pair[0].last_suffix < pair[1].first_suffix));
        let back: Vec<Pair> = packed.iter().flat_map(|part| pairs(&part.bytes)).collect();
        assert!(back == all);
        assert!(packed.iter().all(|part| {
            let pairs = pairs(&part.bytes);
            (part.first_suffix, part.last_suffix) == (pairs[0].0, pairs[pairs.len() - 1].0)
        }));
    }
}

#[test]
fn worst_rays_fit_in_a_blob() {
    let (last, span) = ((1 << RayId::SUFFIX_BITS) - 1, (1 << SPAN_BITS) - 1);
    let step = last / PART_RAYS as u64;
    // Equal distances, all rays in one block but one, and a straggler in every block.
    let even = |number: u64| number * step;
    let split = |number: u64| if number < 100_000 { number } else { last - PART_RAYS as u64 + number };
    let block = BLOCK_RAYS as u64;
    let stragglers = |number: u64| number / block * block * step + number % block;
    let random = noise(4, PART_RAYS * 8);
    let words = random.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word) & last);
    let all = |suffix: &dyn Fn(u64) -> u64| (0..PART_RAYS as u64).map(suffix).collect();
    let sets: [Vec<u64>; 4] = [all(&even), all(&split), all(&stragglers), words.collect()];
    for suffixes in sets {
        let pairs: Vec<Pair> = suffixes.into_iter().map(|suffix| (suffix, span)).collect();
        let packed = packed(&pairs);
        assert_eq!(packed.len(), 1);
        assert!(packed[0].bytes.len() <= SQL_BLOB_MAX, "{} bytes", packed[0].bytes.len());
    }
}

/// Bytes a ray of 100,000 rays over so many seconds, 100 spans, in random order within the batch.
fn bytes_per_ray(seconds: u64) -> f64 {
    const RAYS: u32 = 100_000;
    let random = noise(11, RAYS as usize * 8);
    let words = random.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    // A ray is a tick of 10 ms above 28 random bits; the windows lie inside of one shard's.
    let window = (seconds * 100) << 28;
    let pairs: Vec<Pair> = words.zip(0..).map(|(word, number)| (word % window, number / 1000)).collect();
    let bytes: usize = packed(&pairs).iter().map(|part| part.bytes.len()).sum();
    f64::from(u32::try_from(bytes).unwrap()) / f64::from(RAYS)
}

#[test]
fn a_ray_takes_few_bytes() {
    let (minute, five) = (bytes_per_ray(60), bytes_per_ray(300));
    println!("bytes a ray: {minute:.3} over 60 s, {five:.3} over 300 s");
    assert!(minute <= 4.5, "{minute} over 60 s");
    assert!(five <= 6.0, "{five} over 300 s");
}
