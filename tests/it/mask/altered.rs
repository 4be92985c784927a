//! Whether a value may be another one than the record has: no altered value is taken for the record's own.

use raydex::mask::{Role, may_be_altered};
use raydex::record::fields::line_text;
use raydex::record::{Dataset, RecordMembers};

use super::plant::Places;
use super::{Canary, Random, masked, sample};

/// The members of a record that `role` sees altered, those that may be, and all.
fn counts(role: Role, dataset: Dataset, line: &str) -> [usize; 3] {
    let (text, seen) = (line_text(line.as_bytes()), masked(role, dataset, line));
    let (record, seen) = (RecordMembers::parse(&text).unwrap(), RecordMembers::parse(&seen).unwrap());
    let [mut altered, mut doubtful, mut all] = [0; 3];
    for ((name, stored), (_, shown)) in record.iter().zip(seen.iter()) {
        let may_be = may_be_altered(role, dataset, name, shown);
        assert!(may_be || stored == shown, "{role} {name}: {stored} is shown as {shown}");
        altered += usize::from(stored != shown);
        doubtful += usize::from(may_be);
        all += 1;
    }
    [altered, doubtful, all]
}

#[test]
fn altered_values_are_never_taken_for_stored_ones() {
    let (mut random, mut altered) = (Random::new(0xa17), 0);
    for _ in 0..4 {
        for canary in [Canary::draw(&mut random), Canary::draw_address(&mut random)] {
            for (dataset, _, line) in Places::of(&canary, &mut random) {
                altered +=
                    [Role::Viewer, Role::Support].map(|role| counts(role, dataset, &line)[0]).iter().sum::<usize>();
            }
        }
    }
    assert!(altered > 1_000, "{altered}");
}

#[test]
fn shown_values_of_a_shape_count_as_stored() {
    for (role, most) in [(Role::Viewer, 60), (Role::Support, 40), (Role::Forensics, 0)] {
        let [mut doubtful, mut all] = [0; 2];
        for line in sample(Dataset::HttpRequests) {
            let [_, of_line, members] = counts(role, Dataset::HttpRequests, &line);
            (doubtful, all) = (doubtful + of_line, all + members);
        }
        assert!(all > 1_000 && doubtful * 100 <= all * most, "{role}: {doubtful} of {all}");
        assert!(doubtful > 0 || role == Role::Forensics, "{role}");
    }
}
