//! What goes wrong, and how often.

use super::random::Random;

/// How an effect goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not happen, and the caller is told so.
    Fails,
    /// It happened, but the caller is told that it did not.
    FailsButHappened,
    /// The isolate ends before it.
    CrashBefore,
    /// It happens, and the isolate ends.
    CrashAfter,
    /// It happens late, by so many milliseconds.
    SlowBefore(i64),
    /// It happens at once, and the caller learns of it late.
    SlowAfter(i64),
}

impl Fault {
    /// One of each, for the exhaustive schedules.
    pub(crate) const KINDS: [Self; 6] = [
        Self::Fails,
        Self::FailsButHappened,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::SlowBefore(100_000),
        Self::SlowAfter(25_000),
    ];
}

/// Which effects go wrong.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// None.
    Never,
    /// So many of a thousand.
    Share(u64),
    /// These, by their number; each effect is counted from 0.
    At(Vec<(u64, Fault)>),
}

/// Draws the lots.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) plan: Plan,
    /// Effects so far.
    pub(crate) effects: u64,
    /// Those that went wrong.
    pub(crate) faulty: u64,
}

impl Faults {
    pub(crate) const fn new(plan: Plan) -> Self {
        Self { plan, effects: 0, faulty: 0 }
    }

    /// What happens to the next effect. `slowest` bounds how late it can be.
    pub(crate) fn next(&mut self, random: &mut Random, slowest: i64) -> Option<Fault> {
        let number = self.effects;
        self.effects += 1;
        let fault = match &self.plan {
            Plan::Never => None,
            Plan::Share(per_mille) => random.chance(*per_mille).then(|| draw(random, slowest)),
            Plan::At(faults) => faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault),
        };
        self.faulty += u64::from(fault.is_some());
        match fault {
            Some(Fault::SlowBefore(ms)) => Some(Fault::SlowBefore(ms.min(slowest))),
            Some(Fault::SlowAfter(ms)) => Some(Fault::SlowAfter(ms.min(slowest))),
            other => other,
        }
    }
}

fn draw(random: &mut Random, slowest: i64) -> Fault {
    match random.below(20) {
        0..5 => Fault::Fails,
        5..10 => Fault::FailsButHappened,
        10 => Fault::CrashBefore,
        11 => Fault::CrashAfter,
        12..16 => Fault::SlowBefore(late(random, slowest)),
        _ => Fault::SlowAfter(late(random, slowest)),
    }
}

/// Mostly a second, sometimes all there is.
fn late(random: &mut Random, slowest: i64) -> i64 {
    if random.chance(700) { random.between(1, 2_000) } else { random.between(1, slowest) }
}
