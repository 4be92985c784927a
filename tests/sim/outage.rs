//! The partner fails as a whole and recovers, and nothing else goes wrong: what was due is out within a minute, nothing is
//! parked, and only what it left without an answer can be there twice.

use std::collections::BTreeSet;

use raydex::limits::BREAKER_MIN_MS;

use super::judge::{missing, simulate};
use super::partner::{Moods, Outage, OutageKind};
use super::run::Run;
use super::setting::Setting;
use super::traffic::BEGIN_MS;

/// After the partner's recovery everything that was due is out within this time.
const SOON_MS: i64 = 60_000;
/// Batches, about half a minute apart.
const BATCHES: usize = 24;

/// Batches arrive while the partner fails so, for so many minutes.
fn setting(seed: u64, kind: OutageKind, minutes: i64) -> Setting {
    let from_ms = BEGIN_MS + 60_000;
    let outage = Some(Outage { from_ms, until_ms: from_ms + minutes * 60_000, kind });
    Setting { moods: Moods { outage, ..Moods::default() }, ..Setting::calm(seed, BATCHES) }
}

/// The lines that the partner lacks of batches that R2 announced: others wait for the sweep, whatever the partner does.
fn announced_and_missing(run: &Run) -> Vec<String> {
    let announced: BTreeSet<&str> = run
        .batches
        .iter()
        .filter(|batch| batch.has_event)
        .flat_map(|batch| batch.lines.iter().map(|line| line.ray.as_str()))
        .collect();
    missing(run).into_iter().filter(|ray| announced.contains(ray.as_str())).collect()
}

#[test]
fn all_is_out_within_a_minute_of_recovery() {
    for kind in OutageKind::ALL {
        for seed in 0..6 {
            let setting = setting(seed, kind, 20);
            let until_ms = setting.moods.outage.unwrap().until_ms;
            let mut run = Run::new(setting);
            run.go_until(|run| run.platform.time.now_ms() >= until_ms).unwrap();
            let due = announced_and_missing(&run);
            assert!(due.len() > 20, "{kind:?}, seed {seed}: {} lines waited", due.len());
            run.go_until(|run| announced_and_missing(run).is_empty()).unwrap();
            let took_ms = run.platform.time.now_ms() - until_ms;
            assert!(took_ms <= SOON_MS, "{kind:?}, seed {seed}: {took_ms} ms after the recovery");
        }
    }
}

#[test]
fn outage_of_any_kind_parks_and_doubles_nothing() {
    for kind in OutageKind::ALL {
        for seed in 0..3 {
            let figures =
                simulate(setting(seed, kind, 20)).unwrap_or_else(|why| panic!("{kind:?}, seed {seed}: {why}"));
            assert_eq!((figures.parked, figures.duplicates), (0, 0), "{kind:?}, seed {seed}");
            // Each payload once, what was in flight when it began, and the probes.
            let probes = 20 * 60_000 / u64::try_from(BREAKER_MIN_MS).unwrap();
            assert!(figures.posts < figures.lines + 60 + probes, "{kind:?}, seed {seed}: {figures:?}");
        }
    }
}
