//! The scheduler: one task at a time, whichever the seed says; then peace, until everything has come to rest.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use raydex::backend::SqlDatabase;
use raydex::config::Config;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryWindow, PlanBackfill, alarm};
use raydex::limits::{BODIES_KEPT_MS, SWEEP_ROUND_MS};
use raydex::pipeline::{
    BatchRequest, PartnerWatch, PayloadSender, PostSlots, options_of, parse_message, process_batch, run_sweep,
    send_message,
};
use raydex::record::Dataset;

use super::absence::{Judged, STEPS_A_QUESTION, judge_absence};
use super::faults::{Faults, Plan};
use super::load::CONSUMERS;
use super::random::Random;
use super::setting::{Changes, Setting};
use super::stops::Stops;
use super::task::TaskWorld;
use super::traffic::{self, BEGIN_MS, Batch};
use super::violations::ContractViolation;
use super::world::{ISOLATES, Isolate, LedgerAlarm, Message, Platform};
use crate::support::queue::message;

/// How often the cron runs.
const CRON_MS: i64 = 600_000;
/// When a message comes again whose task has ended without a word.
const AGAIN_MS: i64 = 30_000;
/// Steps in which everything must come to rest once nothing goes wrong any more.
const PATIENCE: u64 = 300_000;
/// Rounds of the sweep within which all is done.
const ROUNDS: u32 = 4;
/// Steps in which things go wrong while bodies are removed.
const STEPS_OF_AGE: u64 = 300;
/// Steps of a thousand in which a body is removed, in worlds where bodies are.
const BODIES_LOST: u64 = 10;
/// Tries of a message of each queue, the first one included.
const PARSE_TRIES: u32 = 3;
const SEND_TRIES: u32 = 6;

/// What a task does.
#[derive(Debug, Clone)]
enum Job {
    Parse(Message),
    Send(Message),
    Backfill(usize, DeliveryWindow, Option<i64>),
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
    /// Effects before the first batch was moved, where it is.
    pub(crate) effects_before_move: u64,
    tasks: Vec<Task>,
    /// Batch, window, the number of the backfill if it delivers once more, and when it is asked for.
    pub(super) backfills: Vec<(usize, DeliveryWindow, Option<i64>, i64)>,
    /// Events of deletions that are not sent yet.
    pub(super) deletions: Vec<String>,
    pub(super) next_batch_ms: i64,
    next_cron_ms: i64,
    /// Nobody writes batches any more.
    is_over: bool,
    sweeps: u32,
    /// Messages of batches that were tried for the last time.
    given_up: u32,
    claimants: u64,
    /// The rays that were judged as if nobody had their records.
    pub(crate) judged: Judged,
    /// Draws the bodies that are removed, apart from everything else: other seeds have the schedules that they had.
    removals: Random,
    /// Draws how many partitions hours get, likewise.
    partitions: Random,
    /// Draws what is delivered once more, likewise.
    pub(super) repetitions: Random,
    /// The latest backfill that repeats a window of the whole bucket: its number, and until when it lists.
    pub(super) campaign: Option<(i64, DeliveryWindow, i64)>,
    /// The backfills that a person stops.
    pub(super) stops: Stops,
}

impl Run {
    pub(crate) fn new(setting: Setting) -> Self {
        let (removals, repetitions) = (Random::new(setting.seed ^ 0x11fe), Random::new(setting.seed ^ 0x00a6));
        let (stops, partitions) = (Stops::new(setting.seed), Random::new(setting.seed ^ 0x9a27));
        let platform = Platform::new(setting.seed, Faults::new(setting.plan.clone()), BEGIN_MS, setting.load);
        platform.partner.borrow_mut().moods = setting.moods;
        platform.violation.set(setting.violation);
        if setting.starts_first {
            platform.start_at(BEGIN_MS);
        }
        let config = Rc::new(setting.config());
        Self {
            setting,
            platform,
            config,
            batches: Vec::new(),
            steps: 0,
            odd_acked: Vec::new(),
            effects_before_move: 0,
            tasks: Vec::new(),
            backfills: Vec::new(),
            deletions: Vec::new(),
            next_batch_ms: BEGIN_MS,
            next_cron_ms: BEGIN_MS + CRON_MS,
            is_over: false,
            sweeps: 0,
            given_up: 0,
            claimants: 0,
            judged: Judged::default(),
            removals,
            partitions,
            repetitions,
            campaign: None,
            stops,
        }
    }

    /// Unix milliseconds of the first start, once it was made.
    pub(crate) fn first_start_ms(&self) -> Option<i64> {
        let made = self.platform.ledger(REGISTRY).sql.run("SELECT at_ms FROM first_start_v1", &[]).ok()?;
        made.rows.first()?.first()?.as_integer()
    }

    /// Runs to the end; an error is a world that does not come to rest.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        while self.steps < self.setting.steps && !self.is_at_rest() {
            self.step();
            if self.steps.is_multiple_of(STEPS_A_QUESTION) {
                let nth = usize::try_from(self.steps / STEPS_A_QUESTION).unwrap() % self.batches.len().max(1);
                self.judge_absence(nth)?;
            }
        }
        self.come_to_rest()?;
        (0..self.batches.len()).try_for_each(|nth| self.judge_absence(nth))
    }

    fn judge_absence(&mut self, nth: usize) -> Result<(), String> {
        let mut judged = self.judged;
        judge_absence(self, nth, &mut judged)?;
        self.judged = judged;
        Ok(())
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

    /// Nothing goes wrong any more, for a round of the sweep, too; an error is a world that does not come to rest. Batches that share
    /// lines may wait for each other longer than their messages come again: the next round goes on.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.platform.faults.borrow_mut().plan = Plan::Never;
        self.resume_all();
        self.rest(1)?;
        for _ in 0..ROUNDS {
            self.given_up = 0;
            self.platform.time.advance_to(self.platform.time.now_ms() + SWEEP_ROUND_MS);
            self.rest(2)?;
            if self.given_up == 0 {
                return Ok(());
            }
        }
        Err(format!("{} messages were given up in the last of {ROUNDS} rounds", self.given_up))
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

    /// Goes on until something is so; an error is a world in which it never is.
    pub(crate) fn go_until(&mut self, is_so: impl Fn(&Self) -> bool) -> Result<(), String> {
        let end = self.steps + PATIENCE;
        while !is_so(self) {
            self.step();
            if self.steps > end {
                return Err(format!("it does not come to that: {}", self.what_is_left()));
            }
        }
        Ok(())
    }

    /// Whether nothing is under way, apart from the cron.
    pub(super) fn is_at_rest(&self) -> bool {
        self.setting.batches.is_none_or(|batches| self.batches.len() >= batches)
            && (self.setting.batches.is_some() || matches!(self.platform.faults.borrow().plan, Plan::Never))
            && self.is_idle()
    }

    /// Whether nothing is under way, whatever is still to be written.
    fn is_idle(&self) -> bool {
        let platform = &self.platform;
        self.tasks.is_empty()
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
    pub(super) fn step(&mut self) {
        self.steps += 1;
        if self.setting.repartitions {
            self.platform.partitions.change(&mut self.partitions);
        }
        if self.setting.loses_bodies && self.removals.chance(BODIES_LOST) {
            self.platform.lose_body(&mut self.removals);
        }
        self.switch_some();
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
        self.backfills.iter().for_each(|(_, _, _, ms)| at(*ms));
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
        // A batch is moved once nothing of it is under way.
        let is_due = self.setting.changes != Changes::OneMove || self.batches.is_empty() || self.is_idle();
        is_due && self.setting.batches.map_or(!peace, |batches| self.batches.len() < batches)
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
        let at = self.backfills.iter().position(|(_, _, _, at)| *at <= now);
        if let Some((batch, window, again, _)) = at.map(|at| self.backfills.swap_remove(at)) {
            let isolate = self.platform.random.borrow_mut().below(ISOLATES);
            self.begin(Job::Backfill(batch, window, again), isolate);
            return true;
        }
        let Some(job) = self.take_job(now) else { return false };
        let isolate = self.platform.random.borrow_mut().below(ISOLATES);
        self.begin(job, isolate);
        true
    }

    /// What is to be done for a message of either queue, as far as there are consumers.
    fn take_job(&self, now: i64) -> Option<Job> {
        self.platform.count_messages(self.tasks.len());
        let is_free = |of: fn(&Job) -> bool| self.tasks.iter().filter(|task| of(&task.job)).count() < CONSUMERS;
        let parse = || self.take_message(now, |platform| &platform.parses).map(Job::Parse);
        let send = || self.take_message(now, |platform| &platform.sends).map(Job::Send);
        let job = is_free(|job| matches!(job, Job::Parse(_))).then(parse).flatten();
        job.or_else(|| is_free(|job| matches!(job, Job::Send(_))).then(send).flatten())
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

    fn begin(&mut self, job: Job, isolate: usize) {
        self.claimants += 1;
        // Every clock is wrong by up to ten minutes.
        let skew = if self.setting.load.is_some() { 0 } else { [-600_000, 600_000, 0][isolate] };
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
                    let watch = &PartnerWatch::default();
                    let load = PostSlots::default().begin(1);
                    let sender =
                        PayloadSender { services: &world, partner, settings, nonce: || 5, claimant, watch, load };
                    let message = message("send-queue", &body, attempts + 1);
                    let verdicts = send_message(&sender, &message).await;
                    verdicts.iter().filter_map(|verdict| verdict.retry_s).max().map_or(Ended::Acked, Ended::Again)
                })
            }
            Job::Backfill(batch, window, again) => {
                let key = self.batches[batch].key.clone();
                let mut work = BatchRequest::new(&key, Dataset::HttpRequests.into(), &config.log_prefix);
                let backfill = self.backfill(batch, again);
                let request = DeliveryRequest::new(window, options_of(&config));
                work.deliver = Some(DeliveryRequest { backfill, ..request });
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

    /// The backfill that reads a batch, with an identity if it delivers once more. Where rates are given, two share the others.
    fn backfill(&self, batch: usize, again: Option<i64>) -> Option<PlanBackfill> {
        let rate = self.setting.rates.map(|rates| rates.backfill);
        let shared = rate.map(|_| -1 - i64::from(batch.is_multiple_of(2)));
        let lines_per_second = rate.unwrap_or(1_000);
        again.or(shared).map(|id| PlanBackfill { id, lines_per_second, again: again.is_some() })
    }

    /// The backfills that deliver once more and have not read what is under a key, each with its window.
    pub(super) fn pending_repetitions(&self, key: &str) -> Vec<(i64, DeliveryWindow)> {
        let waiting = self.backfills.iter().map(|(batch, window, again, _)| (*batch, *window, *again));
        let running = self.tasks.iter().filter_map(|task| match task.job {
            Job::Backfill(batch, window, again) => Some((batch, window, again)),
            _ => None,
        });
        let is_under = |batch: usize| self.batches.get(batch).is_some_and(|batch| batch.key == key);
        let of_key = waiting.chain(running).filter(|(batch, ..)| is_under(*batch));
        of_key.filter_map(|(_, window, again)| again.map(|id| (id, window))).collect()
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
            Job::Parse(message) => {
                let again = again(message, PARSE_TRIES);
                self.given_up += u32::from(again.is_none());
                self.platform.parses.borrow_mut().extend(again);
            }
            Job::Send(message) => self.platform.sends.borrow_mut().extend(again(message, SEND_TRIES)),
            Job::Backfill(batch, window, again) => self.backfills.push((batch, window, again, now + after_ms)),
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
