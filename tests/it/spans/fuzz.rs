//! Fuzzing of the span reader against the whole text, on all cores: `scripts/fuzz --minutes N`.
//!
//! It names a seed that shows a difference, which shows it again when it is run alone.

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
#![expect(clippy::disallowed_methods, reason = "it says how long it takes")]

mod case;
mod reading;
mod texts;
mod writers;

use std::ops::Range;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use case::Figures;
use lexopt::prelude::{Long, ValueExt};
use raydex_test_support::{lines, random};
use writers::Writer;

const USAGE: &str = "\
Reads spans of random objects at random offsets and compares them with the complete text.

Usage: scripts/fuzz [options]

  --minutes N    running time in minutes (default 10)
  --seeds A..B   run these seeds instead, excluding B
  --quick        exclude compressors that are separate programs (changes the object of each seed)
  --help         show this help";

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(15);

struct Options {
    minutes: u64,
    seeds: Option<Range<u64>>,
    quick: bool,
}

fn main() -> ExitCode {
    match options() {
        Ok(Some(options)) => fuzz(&options),
        Ok(None) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("scripts/fuzz: {why}\nSee scripts/fuzz --help.");
            ExitCode::from(2)
        }
    }
}

/// What the command line says; `None` where there is nothing to run.
fn options() -> Result<Option<Options>, String> {
    let mut options = Options { minutes: 10, seeds: None, quick: false };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next().map_err(|error| error.to_string())? {
        let name = match arg {
            Long(name) => name.to_owned(),
            other => return Err(format!("unknown option {other:?}")),
        };
        let mut value = || args.value().map_err(|error| error.to_string())?.string().map_err(|error| error.to_string());
        match name.as_str() {
            "minutes" => options.minutes = value()?.parse().map_err(|_| "--minutes must be a number")?,
            "seeds" => {
                let value = value()?;
                let bounds = value.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
                options.seeds = Some(bounds.ok_or("--seeds must be A..B")?);
            }
            "quick" => options.quick = true,
            // What cargo says to every bench.
            "bench" => {}
            "help" => {
                println!("{USAGE}");
                return Ok(None);
            }
            _ => return Err(format!("unknown option --{name}")),
        }
    }
    Ok(Some(options))
}

/// Runs seed after seed until the time is over, or until one shows a difference.
fn fuzz(options: &Options) -> ExitCode {
    let mut programs = Writer::here().0;
    programs.retain(|writer| !options.quick && !Writer::QUICK.contains(writer));
    let begun = Instant::now();
    // Without seeds, each run has its own: where the last one ended, nobody knows.
    let day = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let seeds = options.seeds.clone().unwrap_or(day << 24..u64::MAX);
    let minutes = if options.seeds.is_some() { u64::MAX / 60 } else { options.minutes };
    eprintln!("  from seed {}, with {programs:?} beside {:?}", seeds.start, Writer::QUICK);
    let (next, all, failed) = (AtomicU64::new(seeds.start), Mutex::new(Figures::default()), Mutex::new(None));
    let told = Mutex::new(begun);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() && begun.elapsed().as_secs() < minutes * 60 {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match catch_unwind(|| case::run(seed, &programs)) {
                        Ok(Ok(figures)) => all.lock().unwrap().add(figures),
                        Ok(Err(why)) => *failed.lock().unwrap() = Some((seed, why)),
                        Err(_) => *failed.lock().unwrap() = Some((seed, "a panic, see above".to_owned())),
                    }
                    let mut told = told.lock().unwrap();
                    if told.elapsed() > TELL_EVERY {
                        *told = Instant::now();
                        eprintln!("  {}", summary(&all.lock().unwrap(), begun));
                    }
                }
            });
        }
    });
    println!("{}", summary(&all.into_inner().unwrap(), begun));
    let Some((seed, why)) = failed.into_inner().unwrap() else { return ExitCode::SUCCESS };
    let quick = if options.quick { " --quick" } else { "" };
    println!("seed {seed} differs: {why}\nagain: scripts/fuzz --seeds {seed}..{}{quick}", seed + 1);
    ExitCode::FAILURE
}

fn summary(all: &Figures, begun: Instant) -> String {
    let Figures { cases, spans, damaged, text } = all;
    let (megabytes, seconds) = (text / 1_000_000, begun.elapsed().as_secs());
    format!(
        "{cases} objects of {megabytes} MB of text in {seconds} s: {spans} spans as in the whole, {damaged} damaged ones \
         ended"
    )
}
