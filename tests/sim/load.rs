//! Hours of traffic at a steady rate, in which nothing goes wrong: whether everything is out soon after it came in.
//!
//! Calls to an object wait for each other; buckets, queues and the partner take their time; no more messages are handled at once than
//! there are consumers. The lines stand in for those of real files: each payload has one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use raydex::services::IsolateMemory;

use super::judge::judge;
use super::run::Run;
use super::setting::Setting;
use super::world::{ISOLATES, Isolate, Platform};

/// The reference load: files and payloads of so many minutes.
const FILES: u64 = 355;
const PAYLOADS: u64 = 14_900;
const MINUTES: u64 = 360;
/// How long an object takes for a call: half of the calls a second that Cloudflare names as the soft limit of an object.
const CALL_MS: i64 = 2;
/// The shortest and the longest time of an effect, as parts of the longest one before it fails: 5 to 29 ms for a call, 30 to 150 for
/// the bucket.
const EFFECT_PARTS: [i64; 2] = [5_000, 1_000];
/// Messages of each queue that are handled at once: Cloudflare's number of consumers at most, each with one.
pub(crate) const CONSUMERS: usize = 250;

/// What comes in: a multiple of the reference load, for so many minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) times: u64,
    pub(crate) minutes: u64,
}

impl Load {
    /// Returns the number of files.
    fn files(self) -> u64 {
        FILES * self.times * self.minutes / MINUTES
    }

    /// Returns how long after the first file the nth one is written.
    pub(crate) fn due_ms(self, nth: usize) -> i64 {
        i64::try_from(nth as u64 * MINUTES * 60_000 / (FILES * self.times)).unwrap()
    }

    /// Returns the number of lines of the nth file.
    pub(crate) fn lines(nth: usize) -> usize {
        let before = |nth: u64| nth * PAYLOADS / FILES;
        usize::try_from(before(nth as u64 + 1) - before(nth as u64)).unwrap()
    }

    fn setting(self) -> Setting {
        let files = usize::try_from(self.files()).unwrap();
        Setting { steps: u64::MAX, whole: true, batch_size: 1, load: Some(self), ..Setting::calm(self.times, files) }
    }
}

/// What the parts of a platform under load are asked for, and what its isolates remember.
#[derive(Debug, Default)]
pub(crate) struct LoadedParts {
    /// When each object has answered what it was asked.
    free_ms: RefCell<BTreeMap<String, i64>>,
    /// Calls to each object in each second.
    calls: RefCell<BTreeMap<(String, i64), u64>>,
    /// The most messages that waited or were handled at a time.
    pub(crate) most_messages: Cell<usize>,
    memories: [IsolateMemory; ISOLATES + 1],
    /// Whether nothing takes time any more: the judge does not wait.
    is_over: Cell<bool>,
}

impl LoadedParts {
    /// Returns what an isolate remembers.
    pub(crate) fn memory(&self, isolate: usize) -> IsolateMemory {
        self.memories[isolate].clone()
    }

    /// Returns when an object answers a call that is made now.
    fn take_turn(&self, object: &str, now_ms: i64) -> i64 {
        *self.calls.borrow_mut().entry((object.to_owned(), now_ms / 1_000)).or_default() += 1;
        let mut free = self.free_ms.borrow_mut();
        let free_ms = free.entry(object.to_owned()).or_default();
        *free_ms = now_ms.max(*free_ms) + CALL_MS;
        *free_ms
    }

    /// Returns the object with the busiest second, and its calls in it.
    fn busiest(&self) -> (String, u64) {
        let calls = self.calls.borrow();
        let most = calls.iter().max_by_key(|(_, calls)| **calls);
        most.map(|((object, _), calls)| (object.clone(), *calls)).unwrap_or_default()
    }
}

impl Platform {
    /// Notes how many messages wait, beside those of so many tasks.
    pub(crate) fn count_messages(&self, tasks: usize) {
        if let Some(parts) = &self.loaded {
            let messages = self.parses.borrow().len() + self.sends.borrow().len() + tasks;
            parts.most_messages.set(parts.most_messages.get().max(messages));
        }
    }
}

impl Isolate {
    /// Returns the parts of the platform, while they take their time.
    fn busy_parts(&self) -> Option<&LoadedParts> {
        self.platform.loaded.as_ref().filter(|parts| !parts.is_over.get())
    }

    /// Waits until an object has answered the calls before this one and this one, where calls take time.
    pub(crate) async fn wait_for_object(&self, object: &str) {
        if let Some(parts) = self.busy_parts() {
            let now_ms = self.platform.time.now_ms();
            self.platform.time.sleep(parts.take_turn(object, now_ms) - now_ms).await;
        }
    }

    /// Waits as long as an effect takes, where effects take time.
    pub(crate) async fn wait_for_effect(&self, slowest: i64) {
        if self.busy_parts().is_some() {
            let [least, most] = EFFECT_PARTS.map(|part| slowest / part);
            let ms = self.platform.random.borrow_mut().between(least, most);
            self.platform.time.sleep(ms).await;
        }
    }
}

/// What a load came to.
#[derive(Debug, Clone)]
pub(crate) struct LoadFigures {
    pub(crate) files: usize,
    pub(crate) payloads: u64,
    /// The longest time from a file's writing to the POST of one of its lines.
    pub(crate) slowest_ms: i64,
    /// From the last file's writing until everything was at rest.
    pub(crate) drained_ms: i64,
    /// The object with the busiest second, and its calls in it.
    pub(crate) busiest: (String, u64),
    pub(crate) most_messages: usize,
}

impl Display for LoadFigures {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { files, payloads, slowest_ms, drained_ms, busiest: (object, calls), most_messages } = self;
        let [slowest_s, drained_s] = [slowest_ms, drained_ms].map(|ms| ms / 1_000);
        write!(
            out,
            "{files} files, {payloads} payloads, each delivered once, none parked, no dead letter; the slowest line was posted {slowest_s} s \
             after its file was written, and all was done {drained_s} s after the last one; busiest second: {calls} calls to {object}; \
             at most {most_messages} messages at a time"
        )
    }
}

/// Runs a load to its end and judges it; an error says what is not as it must be.
pub(crate) fn simulate_load(load: Load) -> Result<LoadFigures, String> {
    let mut run = Run::new(load.setting());
    while !run.is_at_rest() {
        run.step();
    }
    let drained_ms = run.platform.time.now_ms() - run.batches.last().map_or(0, |batch| batch.uploaded_ms);
    let parts = run.platform.loaded.as_ref().unwrap();
    parts.is_over.set(true);
    let (figures, _) = judge(&run)?;
    if (figures.duplicates, figures.parked) != (0, 0) {
        return Err(format!("{figures:?}"));
    }
    let written: BTreeMap<&str, i64> =
        run.batches.iter().flat_map(|batch| batch.lines.iter().map(|line| (&*line.ray, batch.uploaded_ms))).collect();
    let partner = run.platform.partner.borrow();
    let delays = partner.seen.iter().flat_map(|seen| seen.rays.iter().map(|ray| seen.at_ms - written[&**ray]));
    Ok(LoadFigures {
        files: run.batches.len(),
        payloads: figures.posts,
        slowest_ms: delays.max().unwrap_or_default(),
        drained_ms,
        busiest: parts.busiest(),
        most_messages: parts.most_messages.get(),
    })
}
