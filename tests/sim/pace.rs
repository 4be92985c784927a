//! Rates, where nothing goes wrong: what is due goes out at its rate, without a burst and without idling, also after an outage.

use raydex::backend::SqlDatabase;
use raydex::ledger::ids::{PARTNER, REGISTRY};

use super::judge::simulate;
use super::partner::{Moods, Outage, OutageKind};
use super::run::Run;
use super::setting::{Rates, Setting};
use super::traffic::BEGIN_MS;

/// What was due goes out at its rate, and within this time more.
const SOON_MS: i64 = 60_000;
/// Batches, about half a minute apart.
const BATCHES: usize = 30;

/// Batches arrive, go out at these rates, and the partner fails at first.
fn setting(seed: u64, rates: Rates, outage: Option<OutageKind>) -> Setting {
    let outage = outage.map(|kind| Outage { from_ms: BEGIN_MS + 5_000, until_ms: BEGIN_MS + 1_800_000, kind });
    Setting { moods: Moods { outage, ..Moods::default() }, rates: Some(rates), ..Setting::calm(seed, BATCHES) }
}

/// Payloads that are not at the partner yet.
const PENDING: &str = "state IN ('prepared', 'sending')";
/// All payloads.
const SEALED: &str = "state <> 'split'";

/// The lines of such payloads in all ledgers.
fn lines(run: &Run, which: &str) -> i64 {
    let statement = format!("SELECT coalesce(sum(lines), 0) FROM delivery_v1 WHERE {which}");
    let ledgers = run.platform.ledgers.borrow();
    let hours = ledgers.iter().filter(|(name, _)| ![REGISTRY, PARTNER].contains(&name.as_str()));
    hours.map(|(_, ledger)| ledger.sql.run(&statement, &[]).unwrap().rows[0][0].as_integer().unwrap()).sum()
}

#[test]
fn what_waited_goes_out_at_the_cap() {
    for kind in [OutageKind::Status(503), OutageKind::Status(401), OutageKind::Closed] {
        for seed in 0..4 {
            let cap = 1 + seed % 2;
            let setting = setting(seed, Rates { cap, backfill: 100 }, Some(kind));
            let until_ms = setting.moods.outage.unwrap().until_ms;
            let mut run = Run::new(setting);
            run.go_until(|run| run.platform.time.now_ms() >= until_ms).unwrap();
            let (due, sealed) = (lines(&run, PENDING), lines(&run, SEALED));
            assert!(due > 40, "{kind:?}, seed {seed}: {due} lines waited");
            run.go_until(|run| lines(run, PENDING) == 0).unwrap();
            let took_ms = run.platform.time.now_ms() - until_ms;
            // What the sweep found meanwhile goes out, too.
            let all = due + lines(&run, SEALED) - sealed;
            let [least_ms, most_ms] = [due, all].map(|lines| lines * 1_000 / i64::try_from(cap).unwrap());
            let within = least_ms - 5_000..=most_ms + SOON_MS;
            assert!(within.contains(&took_ms), "{kind:?}, seed {seed}: {due} to {all} lines in {took_ms} ms at {cap}");
        }
    }
}

#[test]
fn paced_worlds_park_and_double_nothing() {
    for seed in 0..12 {
        let rates = Rates { cap: 1 + seed % 3, backfill: 1 };
        let figures = simulate(setting(seed, rates, None)).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert_eq!((figures.parked, figures.duplicates), (0, 0), "seed {seed}");
        assert!(figures.posts <= figures.lines && figures.lines > 60, "seed {seed}: {figures:?}");
    }
}
