//! Whether a request took longer than those around it.

use super::texts::{counted, duration_text};

/// The fewest requests that say what is usual.
const FEWEST: usize = 5;

/// Compares a duration with those of the requests around it, in words; `None` if these are too few to say.
pub(super) fn usual_time(own: i64, others: impl Iterator<Item = i64>) -> Option<String> {
    let mut others: Vec<i64> = others.collect();
    others.sort_unstable();
    let count = others.len();
    let median = *others.get(count / 2).filter(|_| count >= FEWEST)?;
    let faster = others.iter().filter(|other| **other < own).count();
    let slower = others.iter().filter(|other| **other > own).count();
    // Two thirds were faster, and half took at most half as long; or the other way round.
    let verdict = if faster * 3 >= count * 2 && own >= median.saturating_mul(2) {
        "Slower than usual"
    } else if slower * 3 >= count * 2 && own <= median / 2 {
        "Faster than usual"
    } else {
        "About as fast as usual"
    };
    let listed = counted(u64::try_from(count).unwrap_or(u64::MAX), "listed request");
    let (own, median) = (duration_text(own), duration_text(median));
    Some(format!(
        "{verdict}: it took {own}, longer than {faster} of {listed} with a duration, half of which took at most {median}."
    ))
}

#[cfg(test)]
mod tests {
    use super::usual_time;

    #[test]
    fn duration_is_held_against_those_around() {
        let of = |own_ms: i64, others: &[i64]| {
            usual_time(own_ms * 1_000_000, others.iter().map(|ms| ms * 1_000_000))
                .map(|words| words.split(':').next().unwrap().to_owned())
        };
        let others = [90, 100, 110, 120, 130];
        assert_eq!(of(500, &others).as_deref(), Some("Slower than usual"));
        assert_eq!(of(140, &others).as_deref(), Some("About as fast as usual"));
        assert_eq!(of(20, &others).as_deref(), Some("Faster than usual"));
        assert_eq!(of(0, &[0, 0, 0, 0, 0]).as_deref(), Some("About as fast as usual"));
        assert_eq!(of(500, &[90, 100, 110, 120, 130, 900]).as_deref(), Some("Slower than usual"));
        assert_eq!(of(500, &[90, 100, 110, 600, 900]).as_deref(), Some("About as fast as usual"));
        assert_eq!(of(500, &others[1..]), None);
        assert_eq!(of(i64::MAX / 1_500_000, &[i64::MAX / 1_000_000; 5]).as_deref(), Some("About as fast as usual"));
        assert_eq!(
            usual_time(3_100_000_000, others.iter().map(|ms| ms * 1_000_000)).unwrap(),
            "Slower than usual: it took 3.1 s, longer than 5 of 5 listed requests with a duration, half of which took at most 110 ms."
        );
    }
}
