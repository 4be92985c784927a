//! Queries of time ranges over the fakes, against an oracle that reads everything.

use crate::support::{self, random};

mod cursors;
mod damage;
pub(crate) mod generate;
mod large;
mod networks;
mod occupancy;
pub(crate) mod oracle;
mod pruning;
mod ranges;
mod summaries;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use raydex::backend::{BackendError, ByteStream};
use raydex::index::{OccupancyMap, OccupancyRow};
use raydex::limits::{OCCUPANCY_ROW, OCCUPANCY_ROW_BYTES};
use raydex::query::{QueryEnd, QueryError, QueryLine, QueryRun, QueryStep, RangeQuery, RecordSink, ShardDirectory};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;
use raydex::span_reader::ReadStats;

use support::{Fakes, NOW_MS, run};

/// An hour after every record that the tests make.
const LATER_MS: i64 = NOW_MS + 3_600_000;

/// A sink that shows every line as it is stored.
struct EveryLine;

impl RecordSink for EveryLine {
    fn view<'l>(&mut self, _zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        Some(Cow::Borrowed(line))
    }
}

/// A directory with one answer, whatever it is asked.
struct FixedDirectory(OccupancyMap);

impl FixedDirectory {
    /// Rules out nothing.
    fn of_any() -> Self {
        Self::from_prefix(0)
    }

    /// Rules out what is before this prefix or after the present, and nothing else.
    fn from_prefix(first: u32) -> Self {
        let last = RayId::prefix_at(LATER_MS * 1_000_000) + 1;
        let full = OccupancyRow::from_bytes(&[0xff; OCCUPANCY_ROW_BYTES]).unwrap();
        let numbers = OccupancyRow::number_of(first)..=OccupancyRow::number_of(last);
        let row = |number: u32| {
            let all = number * OCCUPANCY_ROW..(number + 1) * OCCUPANCY_ROW;
            if first <= all.start && all.end - 1 <= last {
                return (number, full.clone());
            }
            let mut row = OccupancyRow::default();
            all.filter(|prefix| (first..=last).contains(prefix)).for_each(|prefix| assert!(row.insert(prefix)));
            (number, row)
        };
        let rows = numbers.map(row).collect();
        Self(OccupancyMap { rows, until: u32::MAX })
    }
}

impl ShardDirectory for FixedDirectory {
    async fn occupancy(&self, _: Dataset, _: RangeInclusive<u32>) -> Result<OccupancyMap, BackendError> {
        Ok(self.0.clone())
    }
}

/// What a whole answer came to.
#[derive(Debug)]
struct Answer {
    lines: Vec<QueryLine>,
    stats: ReadStats,
    end: QueryEnd,
}

impl Answer {
    /// The lines as text.
    fn texts(&self) -> Vec<String> {
        self.lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }
}

/// Runs a query to its end, over a directory that rules out nothing.
fn answer(fakes: &Fakes, query: RangeQuery) -> Answer {
    answer_by(fakes, &FixedDirectory::of_any(), query)
}

/// Runs a query to its end by what a directory says.
fn answer_by(fakes: &Fakes, directory: &impl ShardDirectory, query: RangeQuery) -> Answer {
    let mut run = QueryRun::new(query).unwrap();
    finish_by(fakes, directory, &mut run).unwrap()
}

/// Runs on to the end, or to the first error.
fn finish<Y: ByteStream>(fakes: &Fakes, run: &mut QueryRun<Y>) -> Result<Answer, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    finish_by(fakes, &FixedDirectory::of_any(), run)
}

fn finish_by<Y: ByteStream>(
    fakes: &Fakes,
    directory: &impl ShardDirectory,
    run: &mut QueryRun<Y>,
) -> Result<Answer, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    let mut lines = Vec::new();
    loop {
        match step_by(fakes, directory, run)? {
            QueryStep::Lines(more) => {
                assert!(!more.is_empty());
                lines.extend(more);
            }
            QueryStep::Pause => {}
            QueryStep::End(end) => return Ok(Answer { lines, stats: *run.stats(), end }),
        }
    }
}

fn step<Y: ByteStream>(fakes: &Fakes, asked: &mut QueryRun<Y>) -> Result<QueryStep, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    step_by(fakes, &FixedDirectory::of_any(), asked)
}

fn step_by<Y: ByteStream>(
    fakes: &Fakes,
    directory: &impl ShardDirectory,
    asked: &mut QueryRun<Y>,
) -> Result<QueryStep, QueryError>
where
    support::MemoryBucket: raydex::backend::Bucket<Body = Y>,
{
    run(asked.next(fakes.batch_store(), &fakes.shards, directory, &|| LATER_MS, &mut EveryLine))
}
