//! Any number of seeds of the simulator, on all cores: `scripts/simulate --seeds A..B --steps N`.
//!
//! It names the first seed that fails, which fails again when it is run alone.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for the terminal, which shares its files with the tests"
)]
#![expect(clippy::disallowed_methods, reason = "it says how fast it is")]

mod absence;
mod bucket;
mod faults;
mod judge;
mod lifecycle;
mod load;
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

use std::ops::Range;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use judge::{Figures, simulate};
use lifecycle::Life;
use load::{Load, simulate_load};
use raydex_test_support::command_line::read_options;
use raydex_test_support::{self as support, random};
use setting::Setting;

const USAGE: &str = "\
Runs the simulator: the Worker's code, with every interleaving and fault determined by a seed.

Usage: scripts/simulate [options]

  --seeds A..B   seeds to run, excluding B (default 0..1000)
  --steps N      steps with faults per seed (default 20000)
  --faults N     number of effects per 1000 that fail (default 150)
  --park         park unknown outcomes in every seed, instead of in three of ten
  --pairs        instead run every single fault and every pair of faults in the processing of one batch
  --moved        the same in the processing of a batch that is moved after its delivery
  --schedules N  at most about N of these pairs, evenly chosen (default: all)
  --load N       instead run N times the reference load (355 files and 14,900 payloads in six hours), without faults
  --minutes N    minutes of this load (default 360)
  --help         show this help";

/// Seeds of one process.
const CHUNK: u64 = 20;
/// How often it prints its progress.
const PRINT_EVERY: Duration = Duration::from_secs(10);

struct Options {
    seeds: Range<u64>,
    steps: u64,
    faults: u64,
    park: bool,
    /// The life of a batch in which pairs of faults are run, instead of seeds.
    pairs: Option<Life>,
    schedules: u64,
    /// The load that is run instead of seeds.
    load: Option<u64>,
    minutes: u64,
    /// Run the seeds here, for the process that asked.
    chunk: bool,
}

fn main() -> ExitCode {
    match options() {
        Ok(options) if options.chunk => run_chunk(&options),
        Ok(Options { load: Some(times), minutes, .. }) => run_load(Load { times, minutes }),
        Ok(options) => options.pairs.map_or_else(|| run_all(&options), |life| run_pairs(life, options.schedules)),
        Err(code) => code,
    }
}

fn options() -> Result<Options, ExitCode> {
    let defaults = Options {
        seeds: 0..1000,
        steps: 20_000,
        faults: 150,
        park: false,
        pairs: None,
        schedules: u64::MAX,
        load: None,
        minutes: 360,
        chunk: false,
    };
    read_options("scripts/simulate", USAGE, defaults, |options, name, line| {
        match name {
            "seeds" => options.seeds = line.seeds()?,
            "steps" => options.steps = line.number()?,
            "faults" => options.faults = line.number()?,
            "park" => options.park = true,
            "pairs" => options.pairs = options.pairs.or(Some(Life::Delivered)),
            "moved" => options.pairs = Some(Life::Moved),
            "schedules" => options.schedules = line.number()?,
            "load" => options.load = Some(line.number()?),
            "minutes" => options.minutes = line.number()?,
            "chunk" => options.chunk = true,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// Runs every schedule of one fault, and those of two faults.
fn run_pairs(life: Life, most: u64) -> ExitCode {
    match try_pairs(life, most) {
        Ok((singles, pairs)) => {
            println!("{singles} schedules of one fault and {pairs} of two came right");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a load without faults.
fn run_load(load: Load) -> ExitCode {
    match simulate_load(load) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn try_pairs(life: Life, most: u64) -> Result<(u64, u64), String> {
    let begun = Instant::now();
    let count = lifecycle::count_pairs(life)?;
    let nth = count.div_ceil(most.max(1)).max(1);
    let tell = |run: u64| {
        if run.is_multiple_of(10_000) {
            eprintln!("  {run} of about {} schedules of two faults in {} s", count / nth, begun.elapsed().as_secs());
        }
    };
    Ok((lifecycle::singles(life)?, lifecycle::pairs(life, nth, &tell)?))
}

/// Runs every seed, a chunk of them in each process; ends at the first that fails. (SQLite has one lock for all the
/// databases of a process, so threads would wait for each other.)
fn run_all(options: &Options) -> ExitCode {
    let (next, all, failed) = (AtomicU64::new(options.seeds.start), Mutex::new(Figures::default()), Mutex::new(None));
    let begun = Instant::now();
    let printed = Mutex::new(begun);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if first >= options.seeds.end {
                        break;
                    }
                    match chunk(options, first..options.seeds.end.min(first + CHUNK)) {
                        Ok(figures) => all.lock().unwrap().add(figures),
                        Err(words) => *failed.lock().unwrap() = Some(words),
                    }
                    let mut printed = printed.lock().unwrap();
                    if printed.elapsed() > PRINT_EVERY {
                        *printed = Instant::now();
                        eprintln!("  from seed {first}: {}", summary(&all.lock().unwrap(), begun));
                    }
                }
            });
        }
    });
    println!("{}", summary(&all.into_inner().unwrap(), begun));
    match failed.into_inner().unwrap() {
        None => ExitCode::SUCCESS,
        Some(words) => {
            println!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a chunk of seeds in a process of its own; an error is its words.
fn chunk(options: &Options, seeds: Range<u64>) -> Result<Figures, String> {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["--chunk", "--seeds", &format!("{}..{}", seeds.start, seeds.end)]);
    command.args(["--steps", &options.steps.to_string(), "--faults", &options.faults.to_string()]);
    command.args(options.park.then_some("--park"));
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = output.status.success().then(|| Figures::from_words(&words)).flatten();
    figures.ok_or(words)
}

/// Runs seeds one after the other in this process, and prints their figures or what is wrong.
fn run_chunk(options: &Options) -> ExitCode {
    let mut all = Figures::default();
    for seed in options.seeds.clone() {
        let mut setting = Setting::of_seed(seed, options.steps, options.faults);
        setting.park |= options.park;
        let why = match std::panic::catch_unwind(|| simulate(setting)) {
            Ok(Ok(figures)) => {
                all.add(figures);
                continue;
            }
            Ok(Err(why)) => why,
            Err(_) => "see above".to_owned(),
        };
        let Options { steps, faults, park, .. } = options;
        let park = if *park { " --park" } else { "" };
        println!("seed {seed} fails: {why}");
        println!("again: scripts/simulate --seeds {seed}..{} --steps {steps} --faults {faults}{park}", seed + 1);
        return ExitCode::FAILURE;
    }
    println!("{}", all.words());
    ExitCode::SUCCESS
}

fn summary(all: &Figures, begun: Instant) -> String {
    let Figures { steps, effects, faulty, lines, posts, duplicates, parked, repeated, interruptions, in_packs, .. } =
        all;
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = *steps as f64 / seconds;
    format!(
        "{steps} steps in {seconds:.0} s ({rate:.0} a second), {faulty} of {effects} effects faulty, {lines} lines, \
         {posts} posts: 0 lost, {duplicates} lines twice (each in doubt), {parked} parked, {repeated} delivered \
         once more; {interruptions} stops of backfills; {in_packs} payloads shared a pack; of rays judged as absent, none of {} in unread batches and {} of \
         the others counted as not logged; {} batches in other partitions",
        all.unread, all.not_logged, all.partitioned
    )
}
