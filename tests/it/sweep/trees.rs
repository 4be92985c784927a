//! Trees of folders and files at random, written at random times: every object is announced within the time that is
//! promised for its place.

use std::collections::BTreeMap;

use super::support::random::Random;
use super::support::records::{http, ray};
use super::support::slices::slice_of;
use super::{DAY, HOUR, MINUTE, Scene};

/// 2026-03-28T00:00:00Z.
const MIDNIGHT: i64 = 1_774_656_000_000;
/// Between two runs of the cron.
const TURN: i64 = 10 * MINUTE;
/// An object of the folders of now: its event may be under way for ten minutes, then the next run finds it.
const SOON: i64 = 2 * TURN;
/// Any other object: the next round has come to its key.
const IN_TIME: i64 = DAY + 2 * TURN;

/// The names of folders: of zones and hours, of days that are now and others, of stamps.
const FOLDERS: [&str; 14] = [
    "zone",
    "http_requests",
    "00-eu",
    "02",
    "14",
    "!",
    "é",
    "zz",
    "dt=20260328",
    "20260328",
    "20260328",
    "20260329",
    "20260101",
    "20260328T02",
];

/// Whether the listing of now looks into the folders of this key: no name is of another time than that of the upload.
fn is_of_now(key: &str, at_ms: i64) -> bool {
    let (day, hour) = (raydex::time::day(at_ms), raydex::time::stamp(at_ms));
    let (folders, name) = key.rsplit_once('/').unwrap();
    let names: Vec<&str> = folders.split('/').collect();
    let is_day = |name: &str| name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit());
    let below_day = |at: usize| at.checked_sub(1).is_some_and(|above| is_day(names[above]));
    let stamps_fit = names
        .iter()
        .enumerate()
        .all(|(at, name)| !below_day(at) || !is_stamped(name) || name.get(..11) >= hour.get(..11));
    names.iter().all(|name| !is_day(name) || *name == day)
        && stamps_fit
        && (!below_day(names.len()) || !is_stamped(name) || name.get(..16) >= hour.get(..16))
}

/// Whether a name begins as those of Logpush do.
fn is_stamped(name: &str) -> bool {
    name.len() >= 11 && name.as_bytes()[8] == b'T' && name.bytes().take(8).all(|byte| byte.is_ascii_digit())
}

/// A key in a tree at random; half of the names say when they were written, or another time.
fn key(random: &mut Random, number: usize, at_ms: i64) -> String {
    let depth = random.below(5);
    let folders: Vec<&str> = (0..depth).flat_map(|_| [*random.of(&FOLDERS), "/"]).collect();
    let folders = folders.concat();
    let stamp = raydex::time::stamp(at_ms - random.of(&[0, 0, HOUR / 60, 30 * HOUR]));
    let name = if random.chance(500) { format!("{stamp}_{number}") } else { format!("{}-{number}", random.below(3)) };
    format!("logs/{folders}{name}.log.gz")
}

#[test]
fn every_object_is_announced_in_time() {
    let (mut soon, mut late) = (0, 0);
    for seed in 0..slice_of(12, 4) as u64 {
        let mut random = Random::new(seed);
        let scene = Scene::new();
        scene.0.fakes.clock_ms.set(MIDNIGHT - HOUR);
        scene.0.fakes.bucket.set_page(*random.of(&[2, 3, 10, 1000]));
        let text = http(&ray(1).to_string(), 0);
        // When each object was written, until it is found.
        let mut written: BTreeMap<String, i64> = BTreeMap::new();
        let end = MIDNIGHT + 30 * HOUR;
        while scene.0.now() < end + IN_TIME {
            let now = scene.0.now();
            if now < end && random.chance(300) {
                let key = key(&mut random, written.len() + 1000 * usize::try_from(now % 997).unwrap(), now);
                scene.write_text(&key, text.as_bytes());
                written.insert(key, now);
            }
            // Draws as a generator makes them.
            scene.0.fakes.bits.set(u32::try_from(random.below(1 << 31)).unwrap());
            scene.try_sweep().unwrap();
            for message in scene.0.fakes.queue.take() {
                let verdict = scene.0.parse(&message, 1);
                let key = verdict.key.unwrap();
                let since =
                    now - written.remove(&key).unwrap_or_else(|| panic!("seed {seed}: {key} is announced twice"));
                assert_eq!(verdict.verdict.name(), "sealed", "seed {seed}: {key}");
                soon += usize::from(since <= SOON);
                late += usize::from(since > SOON);
            }
            for (key, at) in &written {
                let most = if is_of_now(key, *at) { SOON } else { IN_TIME };
                assert!(now - at <= most, "seed {seed}: {key}, written at {}", raydex::time::rfc3339(*at));
            }
            scene.0.pass(TURN);
        }
        assert!(written.is_empty(), "seed {seed}: {written:?}");
    }
    assert!(soon > slice_of(100, 4) && late > slice_of(100, 4), "{soon} soon, {late} late");
}
