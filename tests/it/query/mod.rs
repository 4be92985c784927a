//! Queries of time ranges over the fakes, against an oracle that reads everything.

use crate::support::{self, random};

mod calendar;
mod cursors;
mod damage;
pub(crate) mod generate;
mod large;
pub(crate) mod oracle;
mod pruning;
mod ranges;
mod summaries;

use raydex::backend::Bytes;
use raydex::query::{Ask, Ended, LogLine, QueryError, Run, Step, Told};
use raydex::services::Services;

use support::{Fakes, NOW_MS, run};

/// An hour behind every record that the tests make.
const LATER_MS: i64 = NOW_MS + 3_600_000;

/// What a whole answer came to.
#[derive(Debug)]
struct Answer {
    lines: Vec<LogLine>,
    told: Told,
    ended: Ended,
}

impl Answer {
    /// The lines as text.
    fn texts(&self) -> Vec<String> {
        self.lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }
}

/// Runs a question to its end; every line is kept.
fn answer(fakes: &Fakes, ask: Ask) -> Answer {
    let mut run = Run::new(ask, LATER_MS).unwrap();
    finish(fakes, &mut run).unwrap()
}

/// Runs on to the end, or to the first error.
fn finish<Y: Bytes>(fakes: &Fakes, run: &mut Run<Y>) -> Result<Answer, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    let mut lines = Vec::new();
    loop {
        match step(fakes, run)? {
            Step::Lines(more) => {
                assert!(!more.is_empty());
                lines.extend(more);
            }
            Step::Unknown => panic!("no calendar was learnt that knows a part alone"),
            Step::End(ended) => return Ok(Answer { lines, told: *run.told(), ended }),
        }
    }
}

fn step<Y: Bytes>(fakes: &Fakes, asked: &mut Run<Y>) -> Result<Step, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    run(asked.next(fakes.batch_store(), &fakes.shards, &|| fakes.clock_ms.get(), &mut |_: &[u8]| true))
}
