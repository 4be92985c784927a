//! Damaged lines among good ones: rejected alone, counted exactly, and the rest is sealed.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, any, prop, proptest};
use proptest::test_runner::FileFailurePersistence;

use super::support::Fakes;
use super::support::gzip::gzip;
use super::support::records::{noise, ray};
use super::{BatchOutcome, KEY, process};

/// How a line is damaged.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Its end is missing.
    CutOff,
    /// Its beginning is missing.
    Beheaded,
    /// It is bytes of no text.
    Noise,
    /// Some of its bytes are others.
    Overwritten,
}

const KINDS: [Damage; 4] = [Damage::CutOff, Damage::Beheaded, Damage::Noise, Damage::Overwritten];

fn record(number: usize) -> String {
    let id = ray(number as u64);
    format!(
        r#"{{"ClientIP":"192.0.2.1","Cookies":{{"a":"{{"}},"Subrequests":[{{"RayID":"{id}"}}],"RayID":"{id}","EdgeStartTimestamp":1774687320,"tags":[1,2]}}"#
    )
}

/// The line with this damage, of which nothing is a record.
fn damaged(number: usize, damage: Damage, seed: u32) -> Vec<u8> {
    let line = record(number).into_bytes();
    let at = 5 + seed as usize % (line.len() - 10);
    match damage {
        Damage::CutOff => line[..at].to_vec(),
        Damage::Beheaded => line[at..].to_vec(),
        Damage::Noise => noise(seed, 80).into_iter().map(|byte| byte | 0x80).collect(),
        Damage::Overwritten => [b"{\"ClientIP\xfe\xff\0\0", &line[14..]].concat(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..ProptestConfig::default() })]

    #[test]
    fn a_tenth_of_damaged_lines_is_rejected_alone(
        count in 20_usize..300,
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..KINDS.len(), any::<u32>()), 0..30),
        is_crlf in any::<bool>(),
        is_ended in any::<bool>(),
    ) {
        let mut lines: Vec<Vec<u8>> = (0..count).map(|number| record(number).into_bytes()).collect();
        let mut places = BTreeSet::new();
        for (place, kind, seed) in damage.iter().take(count / 10) {
            let place = place.index(count);
            lines[place] = damaged(place, KINDS[*kind], *seed);
            places.insert(place);
        }
        let newline: &[u8] = if is_crlf { b"\r\n" } else { b"\n" };
        let mut text = lines.join(newline);
        if is_ended {
            text.extend_from_slice(newline);
        }
        let fakes = Fakes::new();
        let outcome = process(&fakes, &gzip(&text));
        let BatchOutcome::Sealed(done) = outcome else { panic!("{places:?}: {outcome:?}") };
        let rejected = places.len() as u64;
        assert_eq!((done.counts.lines, done.counts.rejected_lines()), (count as u64, rejected));
        assert_eq!(done.payload_lines, count as u64 - rejected);
        for number in 0..count {
            let found = fakes.lines(&ray(number as u64).to_string()).len();
            assert_eq!(found, usize::from(!places.contains(&number)), "{number}");
        }
        let kept = fakes.kept(KEY);
        assert_eq!(kept.totals.lines.unaccounted, 0);
        let starts = lines.iter().scan(0, |at, line| {
            let start = *at;
            *at += (line.len() + newline.len()) as u64;
            Some(start)
        });
        let expected: Vec<u64> = (0..).zip(starts).filter(|(place, _)| places.contains(place)).map(|(_, at)| at).collect();
        assert_eq!(kept.rejected.iter().map(|line| line.offset).collect::<Vec<_>>(), expected);
    }
}
