//! Claims of lines: their numbers, what they share, and how long they stay.

use raydex::index::claims::{ClaimKind, ClaimLines, ClaimPart, ClaimsRemoved, EarlierClaim, PlanName, RemoveClaims};
use raydex::index::entry::{RayLocation, pack};

use super::{ObjectSpans, Shard};

pub(super) fn plan(key: &str, plan: u32) -> PlanName {
    PlanName { key: key.into(), etag: format!("etag of {key}"), plan }
}

/// When the objects are written.
pub(super) const WRITTEN_MS: i64 = 1_774_680_000_000;

/// Claims these numbers; returns the keys and plans of the earlier claims, each with whether it is the same.
pub(super) fn claim(shard: &Shard, key: &str, number: u32, rays: &[u64], digests: &[u64]) -> Vec<(String, u32, bool)> {
    let parts = [(ClaimKind::Rays, rays), (ClaimKind::Digests, digests)].into_iter().flat_map(|(kind, numbers)| {
        let locations = numbers.iter().map(|number| RayLocation::from_suffix(*number)).collect();
        pack(locations, &ObjectSpans::default()).into_iter().map(move |part| ClaimPart { kind, part })
    });
    let ask = ClaimLines { plan: plan(key, number), written_ms: WRITTEN_MS, parts: parts.collect() };
    let claims = shard.call(&ask).unwrap().claims;
    claims.into_iter().map(|EarlierClaim { plan, is_same }| (plan.key, plan.plan, is_same)).collect()
}

fn earlier(key: &str, plan: u32, is_same: bool) -> (String, u32, bool) {
    (key.into(), plan, is_same)
}

#[test]
fn later_claim_learns_of_earlier_ones_only() {
    let shard = Shard::new();
    assert_eq!(claim(&shard, "a", 1, &[1, 5, 9], &[]), []);
    assert_eq!(claim(&shard, "b", 1, &[2, 4, 8], &[]), [], "its range overlaps, its rays do not");
    assert_eq!(claim(&shard, "c", 1, &[5, 8], &[]), [earlier("a", 1, false), earlier("b", 1, false)]);
    assert_eq!(claim(&shard, "d", 1, &[1, 5, 9], &[]), [earlier("a", 1, true), earlier("c", 1, false)]);
    // Repeated, each has the answer that it had.
    assert_eq!(claim(&shard, "a", 1, &[1, 5, 9], &[]), []);
    assert_eq!(claim(&shard, "c", 1, &[5, 8], &[]), [earlier("a", 1, false), earlier("b", 1, false)]);
    // Another plan of the same batch comes after all of them.
    assert_eq!(claim(&shard, "b", 2, &[2, 4, 8], &[]), [earlier("b", 1, true), earlier("c", 1, false)]);
}

#[test]
fn rays_and_digests_are_told_apart() {
    let shard = Shard::new();
    assert_eq!(claim(&shard, "a", 1, &[1], &[7]), []);
    assert_eq!(claim(&shard, "b", 1, &[7], &[1]), []);
    assert_eq!(claim(&shard, "c", 1, &[3], &[7]), [earlier("a", 1, false)]);
    assert_eq!(claim(&shard, "d", 1, &[1], &[7]), [earlier("a", 1, true), earlier("c", 1, false)]);
}

#[test]
fn equal_rays_more_often_are_not_the_same() {
    let shard = Shard::new();
    claim(&shard, "a", 1, &[1, 1, 2], &[]);
    assert_eq!(claim(&shard, "b", 1, &[1, 2], &[]), [earlier("a", 1, false)]);
    assert_eq!(claim(&shard, "c", 1, &[2, 1, 1], &[]), [earlier("a", 1, true), earlier("b", 1, false)]);
}

#[test]
fn removed_claims_leave_no_row() {
    let shard = Shard::new();
    claim(&shard, "a", 1, &[1], &[2]);
    claim(&shard, "a", 2, &[1], &[]);
    claim(&shard, "b", 1, &[1], &[]);
    assert_eq!(shard.call(&RemoveClaims { key: "a".into() }), Ok(ClaimsRemoved {}));
    assert_eq!(claim(&shard, "c", 1, &[1], &[2]), [earlier("b", 1, false)]);
}

#[test]
fn damaged_part_is_refused() {
    let shard = Shard::new();
    let mut parts = pack(vec![RayLocation::from_suffix(7)], &ObjectSpans::default());
    parts[0].bytes.truncate(9);
    let parts = parts.into_iter().map(|part| ClaimPart { kind: ClaimKind::Rays, part }).collect();
    assert!(shard.call(&ClaimLines { plan: plan("a", 1), written_ms: WRITTEN_MS, parts }).is_err());
    assert_eq!(claim(&shard, "b", 1, &[7], &[]), [], "nothing of it stays");
}
