//! The scheduler: one task at a time, whichever the seed says; then peace, until everything has come to rest.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use raydex::config::{Config, DEFAULT_BUCKET_NAME as BUCKET_NAME};
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryWindow, alarm};
use raydex::limits::{BODIES_KEPT_MS, SWEEP_ROUND_MS};
use raydex::pipeline::{
    BatchRequest, PayloadSender, options_of, parse_message, process_batch, run_sweep, send_message,
};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use sha2::{Digest, Sha256};

use super::faults::{Faults, Plan};
use super::partner::{ENDPOINT, KEY, Moods, URI};
use super::random::Random;
use super::task::TaskWorld;
use super::traffic::{self, BEGIN_MS, Batch};
use super::violations::ContractViolation;
use super::world::{Isolate, LedgerAlarm, Message, Platform};
use crate::support::queue::message;

/// Isolates of the Worker; one more runs the ledgers.
const ISOLATES: usize = 2;
/// How often the cron runs.
const CRON_MS: i64 = 600_000;
/// When a message comes again whose task has ended without a word.
const AGAIN_MS: i64 = 30_000;
/// Steps in which everything must come to rest once nothing goes wrong any more.
const PATIENCE: u64 = 300_000;
/// Steps in which things go wrong while bodies are removed.
const STEPS_OF_AGE: u64 = 300;
/// Tries of a message of each queue, the first one included.
const PARSE_TRIES: u32 = 3;
const SEND_TRIES: u32 = 6;

/// What is to be simulated.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// Steps in which things go wrong.
    pub(crate) steps: u64,
    pub(crate) plan: Plan,
    pub(crate) park: bool,
    pub(crate) exclude: bool,
    pub(crate) batch_size: usize,
    pub(crate) moods: Moods,
    /// Batches to write; `None`: as long as the steps last.
    pub(crate) batches: Option<usize>,
    /// The promise that the platform breaks.
    pub(crate) violation: Option<ContractViolation>,
    /// Whether batches are moved, copied and written anew.
    pub(crate) rewrites: bool,
}

impl Setting {
    /// What the seed says: everything at random.
    pub(crate) fn of_seed(seed: u64, steps: u64, per_mille: u64) -> Self {
        let mut random = Random::new(seed ^ 0xfeed);
        let poison = if random.chance(200) { 7 } else { 0 };
        let most_lines = if random.chance(200) { 2 } else { 0 };
        Self {
            seed,
            steps,
            plan: Plan::Share(per_mille),
            park: random.chance(300),
            exclude: random.chance(300),
            batch_size: 1 + random.below(4),
            moods: Moods { poison, most_lines },
            batches: None,
            violation: None,
            rewrites: true,
        }
    }

    fn config(&self) -> Config {
        let token = hex::encode(Sha256::digest("token"));
        let (lines, park) = (self.batch_size.to_string(), if self.park { "park" } else { "resend" });
        let subrequests = if self.exclude { "exclude" } else { "include" };
        let config = Config::read(|name| {
            let value = match name {
                "API_TOKEN_SHA256" => &token,
                "PARTNER_ENDPOINT" => ENDPOINT,
                "PARTNER_URI" => URI,
                "PARTNER_PRIVATE_KEY" => KEY,
                "BATCH_SIZE" => &lines,
                "PARTNER_ON_UNKNOWN" => park,
                "PARTNER_SUBREQUESTS" => subrequests,
                _ => return None,
            };
            Some(value.to_owned())
        });
        config.unwrap_or_else(|_| panic!("settings that are right"))
    }
}

/// What a task does.
#[derive(Debug, Clone)]
enum Job {
    Parse(Message),
    Send(Message),
    Backfill(usize, DeliveryWindow),
    Alarm(String),
    Cron,
}

/// How a task ended.
enum Ended {
    /// Whatever it stood for is done with.
    Acked,
    /// It comes again after so many seconds.
    Again(u32),
}

struct Task {
    job: Job,
    isolate: Isolate,
    wake_ms: i64,
    future: Pin<Box<dyn Future<Output = Ended>>>,
}

/// A world that runs.
pub(crate) struct Run {
    pub(crate) setting: Setting,
    pub(crate) platform: Rc<Platform>,
    pub(crate) config: Rc<Config>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) steps: u64,
    /// Messages that raydex does not understand, once they are acked.
    pub(crate) odd_acked: Vec<String>,
    tasks: Vec<Task>,
    backfills: Vec<(usize, DeliveryWindow, i64)>,
    /// Events of deletions that are not sent yet.
    deletions: Vec<String>,
    next_batch_ms: i64,
    next_cron_ms: i64,
    /// Nobody writes batches any more.
    is_over: bool,
    sweeps: u32,
    claimants: u64,
}

impl Run {
    pub(crate) fn new(setting: Setting) -> Self {
        let platform = Platform::new(setting.seed, Faults::new(setting.plan.clone()), BEGIN_MS);
        platform.partner.borrow_mut().moods = setting.moods;
        platform.violation.set(setting.violation);
        let config = Rc::new(setting.config());
        Self {
            setting,
            platform,
            config,
            batches: Vec::new(),
            steps: 0,
            odd_acked: Vec::new(),
            tasks: Vec::new(),
            backfills: Vec::new(),
            deletions: Vec::new(),
            next_batch_ms: BEGIN_MS,
            next_cron_ms: BEGIN_MS + CRON_MS,
            is_over: false,
            sweeps: 0,
            claimants: 0,
        }
    }

    /// Runs to the end; an error is a world that does not come to rest.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        while self.steps < self.setting.steps && !self.is_at_rest() {
            self.step();
        }
        self.come_to_rest()
    }

    /// Days later: the sweeps remove what is of no use any more, while things go wrong if they did, then in peace.
    pub(crate) fn age(&mut self) -> Result<(), String> {
        self.is_over = true;
        let time = self.platform.time.clone();
        time.advance_to(time.now_ms() + BODIES_KEPT_MS + 3_600_000);
        if matches!(self.setting.plan, Plan::Share(_)) {
            self.platform.faults.borrow_mut().plan = self.setting.plan.clone();
            (0..STEPS_OF_AGE).for_each(|_| self.step());
        }
        self.come_to_rest()
    }

    /// Nothing goes wrong any more, for a round of the sweep, too; an error is a world that does not come to rest.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.platform.faults.borrow_mut().plan = Plan::Never;
        self.rest(1)?;
        self.platform.time.advance_to(self.platform.time.now_ms() + SWEEP_ROUND_MS);
        self.rest(2)
    }

    /// Until everything has come to rest, and this many sweeps found it so.
    fn rest(&mut self, sweeps: u32) -> Result<(), String> {
        self.sweeps = 0;
        let end = self.steps + PATIENCE;
        while !(self.is_at_rest() && self.sweeps >= sweeps) {
            self.step();
            if self.steps > end {
                return Err(format!("it does not come to rest: {}", self.what_is_left()));
            }
        }
        Ok(())
    }

    /// Whether nothing is under way, apart from the cron.
    fn is_at_rest(&self) -> bool {
        let platform = &self.platform;
        self.setting.batches.is_none_or(|batches| self.batches.len() >= batches)
            && (self.setting.batches.is_some() || matches!(platform.faults.borrow().plan, Plan::Never))
            && self.tasks.is_empty()
            && self.backfills.is_empty()
            && platform.parses.borrow().is_empty()
            && platform.sends.borrow().is_empty()
            && platform.ledgers.borrow().values().all(|ledger| ledger.alarm_ms.get().is_none())
    }

    fn what_is_left(&self) -> String {
        let platform = &self.platform;
        let (parses, sends) = (platform.parses.borrow().len(), platform.sends.borrow().len());
        let jobs: Vec<&Job> = self.tasks.iter().map(|task| &task.job).take(3).collect();
        format!("{parses} and {sends} messages, {} backfills, tasks {jobs:?}", self.backfills.len())
    }

    /// One step: something is begun, a task goes on, or time does.
    fn step(&mut self) {
        self.steps += 1;
        let now = self.platform.time.now_ms();
        let runnable: Vec<usize> = (0..self.tasks.len()).filter(|&task| self.tasks[task].wake_ms <= now).collect();
        let begin = self.platform.random.borrow_mut().chance(150);
        if (runnable.is_empty() || begin) && self.begin_something(now) {
            return;
        }
        if runnable.is_empty() {
            return self.pass_time(now);
        }
        let chosen = *self.platform.random.borrow_mut().of(&runnable);
        self.poll(chosen);
    }

    /// Lets time go on to the next thing that can happen.
    fn pass_time(&mut self, now: i64) {
        let platform = &self.platform;
        let skew = platform.ledger_ms() - now;
        let mut next = self.next_cron_ms;
        let mut at = |ms: i64| next = next.min(ms);
        self.tasks.iter().for_each(|task| at(task.wake_ms));
        self.backfills.iter().for_each(|(_, _, ms)| at(*ms));
        platform.parses.borrow().iter().for_each(|message| at(message.visible_ms));
        platform.sends.borrow().iter().for_each(|message| at(message.visible_ms));
        platform.ledgers.borrow().values().filter_map(|ledger| ledger.alarm_ms.get()).for_each(|ms| at(ms - skew));
        if self.writes_more() {
            at(self.next_batch_ms);
        }
        platform.time.advance_to(next.max(now + 1));
    }

    fn writes_more(&self) -> bool {
        let peace = self.is_over || matches!(self.platform.faults.borrow().plan, Plan::Never);
        self.setting.batches.map_or(!peace, |batches| self.batches.len() < batches)
    }

    /// Begins something that is due; says whether there was anything.
    fn begin_something(&mut self, now: i64) -> bool {
        if self.writes_more() && self.next_batch_ms <= now {
            self.write_batch(now);
            return true;
        }
        if self.next_cron_ms <= now {
            self.next_cron_ms = now + CRON_MS;
            self.begin(Job::Cron, ISOLATES - 1);
            return true;
        }
        if let Some(name) = self.due_alarm() {
            self.begin(Job::Alarm(name), ISOLATES);
            return true;
        }
        let at = self.backfills.iter().position(|(_, _, at)| *at <= now);
        if let Some((batch, window, _)) = at.map(|at| self.backfills.swap_remove(at)) {
            let isolate = self.platform.random.borrow_mut().below(ISOLATES);
            self.begin(Job::Backfill(batch, window), isolate);
            return true;
        }
        let parse = self.take_message(now, |platform| &platform.parses);
        let message =
            parse.map(Job::Parse).or_else(|| self.take_message(now, |platform| &platform.sends).map(Job::Send));
        let Some(job) = message else { return false };
        let isolate = self.platform.random.borrow_mut().below(ISOLATES);
        self.begin(job, isolate);
        true
    }

    /// A message that is visible, in no order.
    fn take_message(&self, now: i64, queue: impl Fn(&Platform) -> &RefCell<Vec<Message>>) -> Option<Message> {
        let mut waiting = queue(&self.platform).borrow_mut();
        let visible: Vec<usize> = (0..waiting.len()).filter(|&at| waiting[at].visible_ms <= now).collect();
        (!visible.is_empty()).then(|| waiting.swap_remove(*self.platform.random.borrow_mut().of(&visible)))
    }

    /// A ledger whose alarm rings; it is off then, until the ledger sets it again.
    fn due_alarm(&self) -> Option<String> {
        let now = self.platform.ledger_ms();
        let ledgers = self.platform.ledgers.borrow();
        let (name, ledger) = ledgers.iter().find(|(_, ledger)| ledger.alarm_ms.get().is_some_and(|at| at <= now))?;
        ledger.alarm_ms.set(None);
        Some(name.clone())
    }

    fn write_batch(&mut self, now: i64) {
        let number = self.batches.len();
        let rewrites = self.setting.rewrites && number > 0 && self.platform.random.borrow_mut().chance(250);
        let batch = {
            let random = &mut self.platform.random.borrow_mut();
            self.next_batch_ms = now + random.between(1_000, 60_000);
            if rewrites { None } else { Some(traffic::batch(random, number, now, self.setting.exclude)) }
        };
        let batch = batch.unwrap_or_else(|| self.rewrite(now));
        for window in &batch.windows {
            let at = now + self.platform.random.borrow_mut().between(0, 120_000);
            self.backfills.push((number, *window, at));
        }
        self.store(batch, now);
        for event in std::mem::take(&mut self.deletions) {
            self.platform.enqueue(&self.platform.parses, event);
        }
        for (number, queue) in [&self.platform.parses, &self.platform.sends].into_iter().enumerate() {
            if let Some(body) = traffic::odd_message(self.batches.len(), number) {
                self.platform.enqueue(queue, body);
            }
        }
    }

    /// Writes a batch's object; that of live traffic has an event.
    fn store(&mut self, mut batch: Batch, now: i64) {
        let head = self.platform.store(&batch.key, batch.bytes.clone());
        if batch.windows.is_empty() && batch.has_event {
            let event = R2Event::put_object(BUCKET_NAME, &batch.key, head.size, &head.etag, now);
            self.platform.enqueue(&self.platform.parses, serde_json::to_string(&event).unwrap());
        }
        batch.etag = head.etag;
        self.batches.push(batch);
    }

    /// A batch made of one or two others: a copy, or one written anew, under a key of its own or theirs, while they stay
    /// or go.
    fn rewrite(&mut self, now: i64) -> Batch {
        let number = self.batches.len();
        let random = &mut self.platform.random.borrow_mut();
        let whole: Vec<usize> =
            (0..number).rev().take(12).filter(|&at| !self.batches[at].damaged && !self.batches[at].removed).collect();
        let Some(&first) = whole.first() else { return traffic::batch(random, number, now, self.setting.exclude) };
        let sources = [if random.chance(500) { first } else { *random.of(&whole) }, *random.of(&whole)];
        let sources = if sources[0] != sources[1] && random.chance(400) { &sources[..] } else { &sources[..1] };
        let (in_place, stays) = (random.chance(250), random.chance(400));
        let old_key = self.batches[sources[0]].key.clone();
        let key = if in_place { old_key.clone() } else { traffic::key(number, now) };
        let of: Vec<&Batch> = sources.iter().map(|&at| &self.batches[at]).collect();
        let batch = if sources.len() == 1 && random.chance(500) {
            Batch { key: key.clone(), windows: Vec::new(), has_event: true, ..of[0].clone() }
        } else {
            traffic::rewritten(random, &of, key.clone())
        };
        let gone: Vec<String> = of.iter().map(|batch| batch.key.clone()).filter(|of| *of == key || !stays).collect();
        for removed in self.batches.iter_mut().filter(|batch| gone.contains(&batch.key)) {
            removed.removed = true;
        }
        for key in gone.iter().filter(|gone| **gone != key) {
            self.platform.bucket.borrow_mut().remove(key);
            let event = format!(r#"{{"action":"DeleteObject","bucket":"{BUCKET_NAME}","object":{{"key":"{key}"}}}}"#);
            self.deletions.push(event);
        }
        batch
    }

    fn begin(&mut self, job: Job, isolate: usize) {
        self.claimants += 1;
        // Every clock is wrong by up to ten minutes.
        let skew = [-600_000, 600_000, 0][isolate];
        let isolate = Isolate::new(&self.platform, isolate, skew);
        let future = self.future(&job, TaskWorld::new(isolate.clone()));
        self.tasks.push(Task { job, isolate, wake_ms: self.platform.time.now_ms(), future });
    }

    fn future(&self, job: &Job, world: TaskWorld) -> Pin<Box<dyn Future<Output = Ended>>> {
        let config = self.config.clone();
        match job.clone() {
            Job::Parse(Message { body, attempts, .. }) => Box::pin(async move {
                let message = message("parse-queue", &body, attempts + 1);
                parse_message(&world, &config, &message).await.retry_s.map_or(Ended::Acked, Ended::Again)
            }),
            Job::Send(Message { body, attempts, .. }) => {
                let claimant = format!("claimant-{}", self.claimants);
                Box::pin(async move {
                    let settings = config.delivery.as_ref().unwrap();
                    let partner = &world.isolate;
                    let sender = PayloadSender { services: &world, partner, settings, nonce: || 5, claimant };
                    let message = message("send-queue", &body, attempts + 1);
                    send_message(&sender, &message).await.retry_s.map_or(Ended::Acked, Ended::Again)
                })
            }
            Job::Backfill(batch, window) => {
                let key = self.batches[batch].key.clone();
                let mut work = BatchRequest::new(&key, Dataset::HttpRequests.into(), &config.log_prefix);
                work.deliver = Some(DeliveryRequest { window, options: options_of(&config) });
                Box::pin(
                    async move { process_batch(&world, &key, &work).await.map_or(Ended::Again(60), |_| Ended::Acked) },
                )
            }
            Job::Alarm(name) => {
                let ledger = self.platform.ledger(&name);
                Box::pin(async move {
                    let isolate = &world.isolate;
                    let set = LedgerAlarm { alarm_ms: ledger.alarm_ms };
                    let clock = || isolate.platform.ledger_ms();
                    // The shell logs an error and goes on: only a crash makes the platform ring again.
                    let _logged = alarm(&ledger.sql, &name, isolate, &set, clock).await;
                    Ended::Acked
                })
            }
            Job::Cron if self.platform.violates(ContractViolation::CronSkipped) => Box::pin(async { Ended::Acked }),
            Job::Cron => {
                Box::pin(async move { run_sweep(&world, &config).await.map_or(Ended::Again(0), |_| Ended::Acked) })
            }
        }
    }

    fn poll(&mut self, chosen: usize) {
        let task = &mut self.tasks[chosen];
        let polled = task.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        task.wake_ms = self.platform.time.take_wake();
        if let Poll::Ready(ended) = polled {
            let task = self.tasks.swap_remove(chosen);
            self.settle(task.job, &ended);
        }
        if let Some(isolate) = self.platform.crashed.take() {
            let (gone, left) =
                std::mem::take(&mut self.tasks).into_iter().partition(|task| task.isolate.number == isolate);
            self.tasks = left;
            let gone: Vec<Task> = gone;
            for task in gone {
                task.isolate.doubt();
                let job = task.job.clone();
                drop(task);
                self.bring_again(job, AGAIN_MS);
            }
        }
    }

    fn settle(&mut self, job: Job, ended: &Ended) {
        if let (Job::Parse(message) | Job::Send(message), Ended::Acked) = (&job, ended) {
            self.odd_acked.extend(traffic::is_odd(&message.body).then(|| message.body.clone()));
        }
        let stormy = matches!(self.platform.faults.borrow().plan, Plan::Share(_));
        let ack_lost = stormy && self.platform.random.borrow_mut().chance(20);
        match (job, ended) {
            (Job::Cron, Ended::Acked) => self.sweeps += 1,
            (Job::Alarm(_) | Job::Cron, _) => {}
            (job, Ended::Again(seconds)) => self.bring_again(job, i64::from(*seconds) * 1000),
            (job, Ended::Acked) if ack_lost => self.bring_again(job, AGAIN_MS),
            (_, Ended::Acked) => {}
        }
    }

    /// A message comes again, as long as its queue has patience; what is then lost, the ledger and the sweep find.
    fn bring_again(&mut self, job: Job, after_ms: i64) {
        let now = self.platform.time.now_ms();
        let again = |message: Message, tries: u32| {
            let attempts = message.attempts + 1;
            (attempts < tries).then_some(Message { attempts, visible_ms: now + after_ms, ..message })
        };
        match job {
            Job::Parse(message) => self.platform.parses.borrow_mut().extend(again(message, PARSE_TRIES)),
            Job::Send(message) => self.platform.sends.borrow_mut().extend(again(message, SEND_TRIES)),
            Job::Backfill(batch, window) => self.backfills.push((batch, window, now + after_ms)),
            // The platform rings again after a crash.
            Job::Alarm(name) => {
                let ledger = self.platform.ledger(&name);
                let at = self.platform.ledger_ms() + 2_000;
                ledger.alarm_ms.set(Some(ledger.alarm_ms.get().map_or(at, |set| set.min(at))));
            }
            Job::Cron => {}
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Databases and platform hold each other.
        self.tasks.clear();
        self.platform.ledgers.borrow_mut().clear();
    }
}
