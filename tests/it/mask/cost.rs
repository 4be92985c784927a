//! What masking costs: printed, to compare two builds in turns.

use std::time::{Duration, Instant};

use raydex::mask::{Role, mask_line};
use raydex::sample::DATASETS;

/// Rounds of which the fastest counts.
const ROUNDS: usize = 9;

#[test]
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's time")]
#[ignore = "a measurement: cargo test --release --test it mask::cost -- --ignored --nocapture"]
fn cost_of_a_record_is_printed() {
    for dataset in DATASETS {
        let lines = super::sample(dataset);
        let bytes: usize = lines.iter().map(String::len).sum();
        for role in [Role::Viewer, Role::Support] {
            let (mut best, mut out) = (Duration::MAX, Vec::new());
            for _ in 0..ROUNDS {
                let start = Instant::now();
                for line in &lines {
                    out.clear();
                    mask_line(role, dataset, line.as_bytes(), &mut out).unwrap();
                }
                best = best.min(start.elapsed());
            }
            let count = u128::try_from(lines.len()).unwrap();
            println!("{dataset} {role}: {} ns a record of {} bytes", best.as_nanos() / count, bytes / lines.len());
        }
    }
}
