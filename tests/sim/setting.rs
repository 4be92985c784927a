//! What a seed decides before anything happens: the faults, the partner's moods, the Worker's configuration.

use raydex::config::Config;
use sha2::{Digest, Sha256};

use super::faults::Plan;
use super::load::Load;
use super::partner::{ENDPOINT, KEY, Moods, Outage, OutageKind, URI};
use super::random::Random;
use super::traffic::BEGIN_MS;
use super::violations::ContractViolation;

/// The time limit of a POST, short enough for leases that end within the slowest effects.
pub(crate) const POST_MS: i64 = 30_000;

/// What is to be simulated.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// Steps in which things go wrong.
    pub(crate) steps: u64,
    pub(crate) plan: Plan,
    pub(crate) park: bool,
    pub(crate) exclude: bool,
    /// Whether every batch is whole and each of its lines a record.
    pub(crate) whole: bool,
    pub(crate) batch_size: usize,
    pub(crate) moods: Moods,
    /// Batches to write; `None`: as long as the steps last.
    pub(crate) batches: Option<usize>,
    /// The promise that the platform breaks.
    pub(crate) violation: Option<ContractViolation>,
    /// What becomes of batches that are already there.
    pub(crate) changes: Changes,
    /// The first start is made before the first batch is written. Otherwise whatever needs it first makes it, and what was
    /// written until then is not the partner's.
    pub(crate) starts_first: bool,
    /// Whether someone's lifecycle rule removes bodies of payloads. Each batch stays then, so that they can be made again.
    pub(crate) loses_bodies: bool,
    /// Whether some windows are delivered once more.
    pub(crate) repeats: bool,
    /// Whether the number of partitions changes, in one isolate after the other.
    pub(crate) repartitions: bool,
    /// The rates at which lines go to the partner; `None`: any.
    pub(crate) rates: Option<Rates>,
    /// The steady load that comes in, and that everything takes its time with; `None`: batches at random.
    pub(crate) load: Option<Load>,
}

/// Lines per second to the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Of everything.
    pub(crate) cap: u64,
    /// Of each backfill.
    pub(crate) backfill: u64,
}

/// What becomes of batches that are already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Nothing.
    None,
    /// Some are moved, copied and written anew.
    Any,
    /// The first one is moved once everything has come to rest.
    OneMove,
}

impl Setting {
    /// What the seed says: everything at random.
    pub(crate) fn of_seed(seed: u64, steps: u64, per_mille: u64) -> Self {
        let mut random = Random::new(seed ^ 0xfeed);
        // No draw: the schedules of other seeds are the same either way.
        let loses_bodies = seed % 7 == 5;
        let poison = if random.chance(200) { 7 } else { 0 };
        let most_lines = if random.chance(200) { 2 } else { 0 };
        let (park, exclude, batch_size) = (random.chance(300), random.chance(300), 1 + random.below(4));
        let outage = random.chance(400).then(|| {
            let from_ms = BEGIN_MS + random.between(0, 600_000);
            let until_ms = from_ms + random.between(2_000, 2_400_000);
            Outage { from_ms, until_ms, kind: *random.of(&OutageKind::ALL) }
        });
        Self {
            seed,
            steps,
            plan: Plan::Share(per_mille),
            park,
            exclude,
            // No draw: the schedules of a seed are the same either way.
            whole: seed % 8 == 5,
            batch_size,
            moods: Moods { poison, most_lines, outage },
            batches: None,
            violation: None,
            changes: if loses_bodies { Changes::None } else { Changes::Any },
            loses_bodies,
            repeats: seed % 7 == 3,
            // No draw: the schedules of a seed are the same either way.
            starts_first: !seed.is_multiple_of(3),
            // No draw: the schedules of a seed are the same either way.
            repartitions: seed % 4 >= 2,
            rates: (seed % 5 == 4).then_some(Rates { cap: 1 + seed % 3, backfill: 1 + seed % 2 }),
            load: None,
        }
    }

    /// A world in which nothing goes wrong, unless more is set: this number of batches, none of which changes.
    pub(crate) fn calm(seed: u64, batches: usize) -> Self {
        Self {
            seed,
            steps: 100_000,
            plan: Plan::Never,
            park: false,
            exclude: false,
            whole: false,
            batch_size: 2,
            moods: Moods::default(),
            batches: Some(batches),
            violation: None,
            changes: Changes::None,
            starts_first: true,
            loses_bodies: false,
            repeats: false,
            repartitions: false,
            rates: None,
            load: None,
        }
    }

    /// The Worker's configuration.
    pub(crate) fn config(&self) -> Config {
        let token = hex::encode(Sha256::digest("token"));
        let (lines, park) = (self.batch_size.to_string(), if self.park { "park" } else { "resend" });
        let cap = self.rates.map(|rates| rates.cap.to_string());
        let subrequests = if self.exclude { "exclude" } else { "include" };
        let config = Config::read(|name| {
            let value = match name {
                "API_TOKEN_SHA256" => &token,
                "PARTNER_ENDPOINT" => ENDPOINT,
                "PARTNER_URI" => URI,
                "PARTNER_PRIVATE_KEY" => KEY,
                "BATCH_SIZE" => &lines,
                "PARTNER_ON_UNKNOWN" => park,
                "PARTNER_SUBREQUESTS" => subrequests,
                "PARTNER_TIMEOUT_S" => "30",
                "PARTNER_LINES_PER_SECOND" => cap.as_ref()?,
                _ => return None,
            };
            Some(value.to_owned())
        });
        config.unwrap_or_else(|_| panic!("settings that are right"))
    }
}
