//! The whole life of one batch, with every fault at every effect of it, alone and in pairs.

use super::faults::{Fault, Plan};
use super::judge::{Figures, simulate};
use super::setting::{Changes, Setting};

/// The part of a batch's life in which things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// From its arrival on.
    Delivered,
    /// Once it was moved after its delivery.
    Moved,
}

/// The settings that the schedules differ in.
#[derive(Debug, Clone, Copy)]
struct Case {
    life: Life,
    park: bool,
}

/// Payloads of the batch, each of which is sent once if nothing goes wrong.
const PAYLOADS: u64 = 2;

impl Case {
    /// Both ways of handling doubt.
    fn all(life: Life) -> [Self; 2] {
        [false, true].map(|park| Self { life, park })
    }

    /// A batch of which two payloads are made, and what goes wrong with it.
    fn setting(self, faults: &[(u64, Fault)]) -> Setting {
        let (batches, changes) = match self.life {
            Life::Delivered => (1, Changes::None),
            Life::Moved => (2, Changes::OneMove),
        };
        Setting { plan: Plan::At(faults.to_vec()), park: self.park, changes, ..Setting::calm(3, batches) }
    }

    /// The first effect of this part of the life, and the end of all, when the given ones go wrong.
    fn effects(self, faults: &[(u64, Fault)]) -> Result<std::ops::Range<u64>, String> {
        let Figures { in_packs, posts, effects, effects_before_move, .. } =
            simulate(self.setting(faults)).map_err(|why| format!("{self:?}, {faults:?}: {why}"))?;
        if in_packs != PAYLOADS {
            return Err(format!("{self:?}, {faults:?}: {in_packs} payloads lie together"));
        }
        if self.life == Life::Moved && posts != PAYLOADS {
            return Err(format!("{self:?}, {faults:?}: {posts} posts, though nothing of the moved batch is new"));
        }
        Ok(effects_before_move..effects)
    }
}

/// Every fault alone; says how many schedules that were.
pub(crate) fn singles(life: Life) -> Result<u64, String> {
    let mut schedules = 0;
    for case in Case::all(life) {
        for at in case.effects(&[])? {
            for fault in Fault::KINDS {
                case.effects(&[(at, fault)])?;
                schedules += 1;
            }
        }
    }
    Ok(schedules)
}

/// About how many pairs of faults there are; faults may make the life longer.
pub(crate) fn count_pairs(life: Life) -> Result<u64, String> {
    let kinds = Fault::KINDS.len() as u64;
    Case::all(life).into_iter().try_fold(0, |sum, case| {
        let effects = case.effects(&[])?;
        let count = effects.end - effects.start;
        Ok(sum + count * count.saturating_sub(1) / 2 * kinds * kinds)
    })
}

/// Each nth pair of faults; says how many schedules that were. `tell` hears of progress.
pub(crate) fn pairs(life: Life, nth: u64, tell: &impl Fn(u64)) -> Result<u64, String> {
    let (mut schedules, mut run) = (0, 0);
    for case in Case::all(life) {
        for first in case.effects(&[])? {
            for fault in Fault::KINDS {
                // The first one may make the life longer.
                for second in first + 1..case.effects(&[(first, fault)])?.end {
                    for other in Fault::KINDS {
                        schedules += 1;
                        if schedules % nth == 0 {
                            case.effects(&[(first, fault), (second, other)])?;
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
