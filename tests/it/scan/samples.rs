//! Lines as jobs write them, under many settings.

use raydex::record::{Dataset, LineScanner};
use raydex::sample::{DATASETS, FieldSet, PlanUnits, SamplePlan, TimestampUnit};

use super::{check, check_all, scanners};

/// The settings of jobs that differ in what their lines are like, so many records each.
pub(crate) fn jobs(records: u32) -> Vec<SamplePlan> {
    let plan = SamplePlan { batches: 1, records, window_ms: 60_000, subrequests: 300, ..SamplePlan::default() };
    let units = TimestampUnit::ALL.map(|unit| SamplePlan { units: PlanUnits::Always(unit), ..plan.clone() });
    let mut jobs = units.to_vec();
    jobs.extend([
        SamplePlan { fields: FieldSet::All, seed: 2, ..plan.clone() },
        SamplePlan { merged: true, seed: 3, ..plan.clone() },
        SamplePlan { preserve_duplicates: true, seed: 4, ..plan.clone() },
        SamplePlan { fields: FieldSet::All, merged: true, preserve_duplicates: true, seed: 5, ..plan },
    ]);
    jobs
}

/// The lines of one dataset of a job.
pub(crate) fn lines(plan: &SamplePlan, dataset: Dataset) -> Vec<Vec<u8>> {
    let batch = plan.batch(dataset, 0);
    batch.lines.iter().map(|place| batch.line(place).to_vec()).collect()
}

#[test]
fn every_line_of_every_job_is_read_alike() {
    for dataset in DATASETS {
        let mut mixed = LineScanner::new(dataset);
        for job in jobs(150) {
            let mut scanner = LineScanner::new(dataset);
            for line in lines(&job, dataset) {
                check(&mut scanner, dataset, &line);
                check(&mut mixed, dataset, &line);
            }
        }
    }
}

#[test]
fn lines_of_several_jobs_and_datasets_may_mix() {
    let jobs = jobs(40);
    let each: Vec<_> = DATASETS.iter().flat_map(|set| jobs.iter().map(|job| lines(job, *set))).collect();
    let mut scanners = scanners();
    for number in 0..40 {
        for line in each.iter().filter_map(|lines| lines.get(number)) {
            check_all(&mut scanners, line);
        }
    }
}

#[test]
fn ordinary_lines_are_read_the_fast_way() {
    for dataset in DATASETS {
        for job in jobs(300) {
            let mut scanner = LineScanner::new(dataset);
            let lines = lines(&job, dataset);
            for line in &lines {
                assert!(scanner.key(line).is_ok());
                assert!(scanner.record(line).is_ok_and(|found| !found.lossy));
                let text = [line, &b"\n{\"RayID\":"[..]].concat();
                assert!(scanner.next_key(&text).is_some() && scanner.next_record(&text).is_some());
            }
            let counts = scanner.counts();
            assert_eq!((counts.scanned, counts.parsed), (4 * lines.len() as u64, 0), "{dataset}: {job:?}");
            // The names of the first line, and few more.
            assert!(counts.missed < 250, "{dataset}: {counts:?}: {job:?}");
        }
    }
}

#[test]
fn two_alternating_jobs_are_read_fast() {
    let [first, second] = [FieldSet::Usual, FieldSet::All].map(|fields| {
        let plan = SamplePlan { fields, batches: 1, records: 200, window_ms: 60_000, ..SamplePlan::default() };
        lines(&plan, Dataset::HttpRequests)
    });
    let mut scanner = LineScanner::new(Dataset::HttpRequests);
    for line in first.iter().zip(&second).flat_map(|(a, b)| [a, b]) {
        check(&mut scanner, Dataset::HttpRequests, line);
    }
    let counts = scanner.counts();
    // Each line is read as it is, and as the first of four texts, by key and in whole.
    assert_eq!((counts.scanned, counts.parsed), (400 * 2 * 5, 0));
    assert!(counts.missed < 250, "{counts:?}");
}
