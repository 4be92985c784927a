//! The whole life of one batch, with every fault at every effect of it, alone and in pairs.

use super::faults::{Fault, Plan};
use super::judge::simulate;
use super::partner::Moods;
use super::run::Setting;

/// A batch of which two payloads are made, and what goes wrong with it.
fn one_batch(faults: &[(u64, Fault)], park: bool) -> Setting {
    Setting {
        seed: 3,
        steps: 100_000,
        plan: Plan::At(faults.to_vec()),
        park,
        exclude: false,
        batch_size: 2,
        moods: Moods::default(),
        batches: Some(1),
        violation: None,
        rewrites: false,
    }
}

/// How many effects the life of that batch has, when the given ones go wrong.
fn effects(faults: &[(u64, Fault)], park: bool) -> Result<u64, String> {
    let figures = simulate(one_batch(faults, park)).map_err(|why| format!("park {park}, {faults:?}: {why}"))?;
    if figures.in_packs == 2 { Ok(figures.effects) } else { Err(format!("{} payloads lie together", figures.in_packs)) }
}

/// Every fault alone; says how many schedules that were.
pub(crate) fn singles() -> Result<u64, String> {
    let mut schedules = 0;
    for park in [false, true] {
        for at in 0..effects(&[], park)? {
            for fault in Fault::KINDS {
                effects(&[(at, fault)], park)?;
                schedules += 1;
            }
        }
    }
    Ok(schedules)
}

/// Each nth pair of faults; says how many schedules that were. `tell` hears of progress.
pub(crate) fn pairs(nth: u64, tell: &impl Fn(u64)) -> Result<u64, String> {
    let (mut schedules, mut run) = (0, 0);
    for park in [false, true] {
        for first in 0..effects(&[], park)? {
            for fault in Fault::KINDS {
                // The first one may make the life longer.
                for second in first + 1..effects(&[(first, fault)], park)? {
                    for other in Fault::KINDS {
                        schedules += 1;
                        if schedules % nth == 0 {
                            effects(&[(first, fault), (second, other)], park)?;
                            run += 1;
                            tell(run);
                        }
                    }
                }
            }
        }
    }
    Ok(run)
}
