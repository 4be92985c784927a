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

mod faults;
mod judge;
mod lifecycle;
mod partner;
mod post;
mod run;
mod task;
mod time;
mod traffic;
mod violations;
mod world;

use std::ops::Range;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use judge::{Figures, simulate};
use raydex_test_support::command_line::read_options;
use raydex_test_support::{self as support, random};
use run::Setting;

const USAGE: &str = "\
Runs the simulator: the Worker's code, with every interleaving and fault determined by a seed.

Usage: scripts/simulate [options]

  --seeds A..B   seeds to run, excluding B (default 0..1000)
  --steps N      steps with faults per seed (default 20000)
  --faults N     number of effects per 1000 that fail (default 150)
  --park         park unknown outcomes in every seed, instead of in three of ten
  --pairs        instead run every single fault and every pair of faults in the processing of one batch
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
    pairs: bool,
    /// Run the seeds here, for the process that asked.
    chunk: bool,
}

fn main() -> ExitCode {
    match options() {
        Ok(options) if options.pairs => run_pairs(),
        Ok(options) if options.chunk => run_chunk(&options),
        Ok(options) => run_all(&options),
        Err(code) => code,
    }
}

fn options() -> Result<Options, ExitCode> {
    let defaults = Options { seeds: 0..1000, steps: 20_000, faults: 150, park: false, pairs: false, chunk: false };
    read_options("scripts/simulate", USAGE, defaults, |options, name, line| {
        match name {
            "seeds" => options.seeds = line.seeds()?,
            "steps" => options.steps = line.number()?,
            "faults" => options.faults = line.number()?,
            "park" => options.park = true,
            "pairs" => options.pairs = true,
            "chunk" => options.chunk = true,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// Runs every schedule of one and of two faults.
fn run_pairs() -> ExitCode {
    let begun = Instant::now();
    let tell = |run: u64| {
        if run.is_multiple_of(10_000) {
            eprintln!("  {run} schedules of two faults in {} s", begun.elapsed().as_secs());
        }
    };
    match lifecycle::singles().and_then(|singles| Ok((singles, lifecycle::pairs(1, &tell)?))) {
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
    let Figures { steps, effects, faulty, lines, posts, duplicates, parked, in_packs } = all;
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = *steps as f64 / seconds;
    format!(
        "{steps} steps in {seconds:.0} s ({rate:.0} a second), {faulty} of {effects} effects faulty, {lines} lines, \
         {posts} posts: 0 lost, {duplicates} lines twice (each in doubt), {parked} parked; {in_packs} \
         payloads shared a pack"
    )
}
