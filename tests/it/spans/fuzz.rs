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
use raydex_test_support::command_line::read_options;
use raydex_test_support::{lines, random};
use writers::Writer;

const USAGE: &str = "\
Reads spans of random objects at random offsets and compares them with the complete text.

Usage: scripts/fuzz [options]

  --minutes N    running time in minutes (default 10)
  --seeds A..B   run these seeds instead, excluding B
  --quick        exclude compressors that are separate programs (changes the object of each seed)
  --help         show this help";

/// How often it prints its progress.
const PRINT_EVERY: Duration = Duration::from_secs(15);

struct Options {
    minutes: u64,
    seeds: Option<Range<u64>>,
    quick: bool,
}

fn main() -> ExitCode {
    match options() {
        Ok(options) => fuzz(&options),
        Err(code) => code,
    }
}

fn options() -> Result<Options, ExitCode> {
    let defaults = Options { minutes: 10, seeds: None, quick: false };
    read_options("scripts/fuzz", USAGE, defaults, |options, name, line| {
        match name {
            "minutes" => options.minutes = line.number()?,
            "seeds" => options.seeds = Some(line.seeds()?),
            "quick" => options.quick = true,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// Runs seed after seed until the time is over, or until one shows a difference.
fn fuzz(options: &Options) -> ExitCode {
    let mut programs = Writer::here().0;
    programs.retain(|writer| !options.quick && !Writer::QUICK.contains(writer));
    let begun = Instant::now();
    // Without --seeds each run has seeds of its own, since no run knows where the last one ended.
    let day = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let seeds = options.seeds.clone().unwrap_or(day << 24..u64::MAX);
    let minutes = if options.seeds.is_some() { u64::MAX / 60 } else { options.minutes };
    eprintln!("  from seed {}, with {programs:?} beside {:?}", seeds.start, Writer::QUICK);
    let (next, all, failed) = (AtomicU64::new(seeds.start), Mutex::new(Figures::default()), Mutex::new(None));
    let printed = Mutex::new(begun);
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
                    let mut printed = printed.lock().unwrap();
                    if printed.elapsed() > PRINT_EVERY {
                        *printed = Instant::now();
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
