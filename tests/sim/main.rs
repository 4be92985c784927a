//! The simulator: the Worker's own code over a simulated platform, in which one seed decides every interleaving and
//! every fault; an independent count of lines is the judge.
//!
//! `setting.rs` is what a seed decides, `run.rs` schedules, `writing.rs` writes to the bucket, `stops.rs` stops backfills,
//! `world.rs` and `bucket.rs` are the platform, `post.rs` the way to the partner, `faults.rs` what goes wrong,
//! `violations.rs` what the platform promises never to do, `traffic.rs` what comes in (`load.rs` hours of it at a steady rate), `judge.rs` what must hold at the end
//! (`rates.rs` of rates, `repetitions.rs` of what is delivered once more), `lifecycle.rs` the exhaustive schedules. Here is a
//! slice of fixed seeds; `scripts/simulate` (`simulate.rs`, over the same files) runs any others.
//!
//! # Invariants
//!
//! A run is a function of its seed: a seed that fails, fails again.

#![cfg(test)]

mod absence;
mod bucket;
mod faults;
#[expect(dead_code, reason = "some is for scripts/simulate alone")]
mod judge;
#[expect(dead_code, reason = "some is for scripts/simulate alone")]
mod lifecycle;
mod load;
mod outage;
mod pace;
mod partitions;
mod partner;
mod post;
mod rates;
mod repetitions;
mod run;
mod setting;
mod stops;
mod task;
mod time;
mod traffic;
mod violations;
mod world;
mod writing;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use raydex_test_support::{self as support, random};

use judge::{Figures, simulate};
use lifecycle::{Life, pairs, singles};
use load::{Load, simulate_load};
use setting::Setting;
use violations::ContractViolation;

/// Steps of a seed of the slice, in which things go wrong.
const STEPS: u64 = 5_000;
/// Of a thousand effects so many go wrong.
const PER_MILLE: u64 = 175;
/// Seeds of the slice.
const SEEDS: u64 = 120;
/// Seeds in which a violation must have shown.
const ENOUGH_SEEDS: u64 = 60;

/// The command that repeats a seed.
fn replay(seed: u64) -> String {
    format!("scripts/simulate --seeds {seed}..{} --steps {STEPS}", seed + 1)
}

#[test]
fn nothing_is_lost_or_doubled_without_a_reason() {
    let mut all = Figures::default();
    for seed in 0..SEEDS {
        let figures = simulate(Setting::of_seed(seed, STEPS, PER_MILLE));
        all.add(figures.unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", replay(seed))));
    }
    println!("{all:?}");
    assert!(all.faulty * 10 > all.effects && all.lines > 10_000, "{all:?} shows little");
    assert!(all.in_packs > 1_000, "{all:?}: few payloads lay together");
    assert!(all.interruptions > 20, "{all:?}: few backfills were stopped");
    assert!(all.repeated > 100, "{all:?}: few lines were delivered once more");
    assert!(all.unread > 100 && all.not_logged > 100, "{all:?}: few rays were judged");
    assert!(all.partitioned > 100, "{all:?}: few batches were in other partitions");
    assert!(all.lost > 100, "{all:?}: few bodies were removed");
    assert!(all.duplicates > 0 && all.parked > 0, "{all:?}: no doubt ever came up");
}

#[test]
fn ten_times_the_load_drains() {
    let figures = simulate_load(Load { times: 10, minutes: 12 }).unwrap();
    println!("{figures:?}");
    assert_eq!((figures.files, figures.payloads), (118, 4_952));
    // The alarms of the ledgers ring a minute later for the last time.
    assert!(figures.slowest_ms < 30_000 && figures.drained_ms < 120_000, "{figures:?}");
    assert!((1..500).contains(&figures.busiest.1), "{figures:?}");
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let run = || format!("{:?}", simulate(Setting::of_seed(7, STEPS, PER_MILLE)).unwrap());
    assert_eq!(run(), run());
}

#[test]
fn every_single_fault_in_a_batchs_life_recovers() {
    for life in [Life::Delivered, Life::Moved] {
        let schedules = singles(life).unwrap_or_else(|why| panic!("{why}"));
        println!("{schedules} schedules of one fault: {life:?}");
        assert!(schedules > 100, "{life:?}");
    }
}

/// Runs each `nth` schedule of two faults; `scripts/simulate --pairs` runs them all.
fn assert_pairs_recover(life: Life, nth: u64) {
    let schedules = pairs(life, nth, &|_| ()).unwrap_or_else(|why| panic!("{why}"));
    println!("{schedules} schedules of two faults: {life:?}");
    assert!(schedules > 100, "{life:?}");
}

#[test]
fn pairs_of_faults_in_a_batchs_life_recover() {
    assert_pairs_recover(Life::Delivered, 20);
}

#[test]
fn fault_pairs_in_a_moved_batchs_life_recover() {
    assert_pairs_recover(Life::Moved, 200);
}

/// The first seed that shows the violation, and what the judge says.
fn first_to_see(violation: ContractViolation) -> Option<(u64, String)> {
    (0..ENOUGH_SEEDS).find_map(|seed| {
        let setting = Setting { violation: Some(violation), ..Setting::of_seed(seed, STEPS, PER_MILLE) };
        match catch_unwind(AssertUnwindSafe(|| simulate(setting))) {
            Ok(Ok(_)) => None,
            Ok(Err(why)) => Some((seed, why)),
            Err(_) => Some((seed, "an accusation of the platform's".into())),
        }
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it says how long each takes")]
fn every_violation_by_the_platform_is_seen() {
    for violation in ContractViolation::ALL {
        let begun = Instant::now();
        let (seed, why) = first_to_see(violation).unwrap_or_else(|| panic!("{violation:?} is not seen"));
        println!("{violation:?}: seed {seed}, {:.1} s: {why}", begun.elapsed().as_secs_f64());
    }
}
