//! What is packed is what is found: against a sorted list, for rays of every density.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use raydex::index::entry::{PartView, RayLocation};
use raydex::limits::{BLOCK_RAYS, SPAN_BITS};
use raydex::record::RayId;

use super::support::records::ray;
use super::{Pair, one_part, packed, pairs, spans};

const LAST: u64 = (1 << RayId::SUFFIX_BITS) - 1;
const LAST_SPAN: u32 = (1 << SPAN_BITS) - 1;

/// Whether the parts hold exactly these pairs, and find them.
fn holds(all: &[Pair]) {
    let mut oracle = all.to_vec();
    oracle.sort_unstable();
    let parts = packed(all);
    let back: Vec<Pair> = parts.iter().flat_map(|part| pairs(&part.bytes)).collect();
    assert!(back == oracle, "{} pairs", oracle.len());
    let suffixes: BTreeSet<u64> = oracle.iter().map(|pair| pair.0).collect();
    for &suffix in &suffixes {
        let from = oracle.partition_point(|pair| pair.0 < suffix);
        let expected: Vec<u32> = oracle[from..].iter().take_while(|pair| pair.0 == suffix).map(|pair| pair.1).collect();
        assert_eq!(spans(&parts, suffix), expected, "{suffix:#x}");
        for near in [suffix.wrapping_sub(1), suffix + 1] {
            if near <= LAST && !suffixes.contains(&near) {
                assert_eq!(spans(&parts, near), [0_u32; 0], "{near:#x}");
            }
        }
    }
}

#[test]
fn ray_counts_around_block_borders_are_exact() {
    for count in [1, 2, 255, 256, 257, 511, 512, 513] {
        for distance in [1, 1 << 20, LAST / 1000] {
            for spans in [1, 100] {
                let pair = |number: u32| (u64::from(number) * distance, number % spans);
                let pairs: Vec<Pair> = (0..count).map(pair).collect();
                holds(&pairs);
                let at_end: Vec<Pair> = pairs.iter().map(|&(suffix, span)| (LAST - suffix, span)).collect();
                holds(&at_end);
            }
        }
    }
}

#[test]
fn equal_rays_are_found_across_block_borders() {
    for before in [0, 1, 250, 255, 256, 257, 500, 511, 512] {
        for equal in [1_u32, 2, 5, 6, 7, 255, 256, 257, 600, 1024] {
            for behind in [0, 1, 300] {
                let mut pairs: Vec<Pair> = (0..before).map(|number| (number, 0)).collect();
                pairs.extend((0..equal).map(|span| (5000, span * 3)));
                pairs.extend((0..behind).map(|number| (9000 + number, 7)));
                holds(&pairs);
            }
        }
    }
}

#[test]
fn the_ends_of_both_ranges_are_exact() {
    holds(&[(0, 0)]);
    holds(&[(LAST, LAST_SPAN)]);
    holds(&[(0, LAST_SPAN), (LAST, 0), (0, 0), (LAST, LAST_SPAN)]);
    let mut block: Vec<Pair> = (0..BLOCK_RAYS as u64 - 1).map(|number| (number, 1)).collect();
    block.push((LAST, 1));
    holds(&block);
    // A span past the last possible number counts as that.
    assert_eq!(RayLocation::new(ray(1), u64::MAX).span(), LAST_SPAN);
}

/// Suffixes as batches have them: dense, sparse, in clusters, many times the same.
fn suffixes() -> impl Strategy<Value = Vec<u64>> {
    let dense = (0_u64..LAST - 5000).prop_flat_map(|from| vec(from..from + 2000, 0..900));
    let sparse = vec(0_u64..=LAST, 0..900);
    let clustered = vec((0_u64..5, 0_u64..100), 0..900)
        .prop_map(|pairs| pairs.into_iter().map(|(cluster, near)| cluster * (LAST / 5) + near).collect());
    let same = vec(0_u64..4, 0..1200);
    prop_oneof![dense, sparse, clustered, same]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_packed_is_found(suffixes in suffixes(), spans in prop_oneof![0_u32..1, 0_u32..3, 0_u32..1000, 0..=LAST_SPAN]) {
        let pairs: Vec<Pair> = suffixes.iter().zip(0_u32..).map(|(&suffix, number)| {
            (suffix, if spans == 0 { 0 } else { number.wrapping_mul(2_654_435_761) % (spans + 1) })
        }).collect();
        holds(&pairs);
    }

    #[test]
    fn no_suffix_that_is_not_there_is_found(suffixes in suffixes(), asked in vec(0_u64..=LAST, 50)) {
        let pairs: Vec<Pair> = suffixes.iter().map(|&suffix| (suffix, 1)).collect();
        let parts = packed(&pairs);
        for suffix in asked {
            prop_assert_eq!(!spans(&parts, suffix).is_empty(), suffixes.contains(&suffix));
        }
    }
}

#[test]
fn the_number_of_pairs_is_told() {
    let bytes = one_part(&[(1, 1), (1, 2), (1, 2), (9, 0)]);
    let view = PartView::open(&bytes).unwrap();
    assert_eq!((view.len(), view.is_empty()), (4, false));
}

proptest! {
    #[test]
    fn suffixes_outside_of_the_range_are_never_found(beyond in LAST + 1..=u64::MAX) {
        let bytes = one_part(&[(0, 0), (LAST, 3)]);
        prop_assert!(PartView::open(&bytes).unwrap().spans_of(beyond).unwrap().is_empty());
    }
}
