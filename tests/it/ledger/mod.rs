//! One ledger over SQLite: its stored forms, what each of its calls does, its alarm, and that a call which fails has
//! done nothing.

use crate::support::{self, random};

mod alarm;
mod atomic;
mod backoff;
mod begin;
mod breaker;
mod erased;
mod expiry;
mod groups;
mod lifecycle;
mod loss;
mod occupancy;
mod pacer;
mod packs;
mod partitions;
mod payloads;
mod plans;
mod refusals;
mod replays;
mod seal;

use std::cell::Cell;
use std::collections::BTreeMap;

use raydex::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use raydex::index::{LineCounts, ObjectVersion, RejectedLines};
use raydex::ledger::books::ChangedLines;
use raydex::ledger::breaker::{BreakerState, PartnerStanding};
use raydex::ledger::calls::{
    BeginBatch, ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, SealBatch, SealedPlan,
};
use raydex::ledger::delivery::{BodyLocation, Payload};
use raydex::ledger::duplicates::PlanDuplicates;
use raydex::ledger::plan::{DeliveryRequest, FORMAT};
use raydex::ledger::{AttemptFacts, AttemptOutcome, DeliveryId, DeliveryWindow, PlanOptions, SourceId, answer};
use raydex::limits::{BREAKER_FAILURES, BREAKER_MIN_MS};
use raydex::partner::{DuplicatePolicy, EdgeRecords, OnUnknown, Subrequests};
use raydex::rpc::{Call, CallReply};

use support::{Faults, LEASE_MS, NOW_MS, SqliteSql};

/// The name of the ledger.
const NAME: &str = "v1/20260328T08";
/// The key of the object that most tests are about.
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_a.log.gz";
/// Lines of a payload.
const LINES: u64 = 10;

/// One ledger, with a clock that stands still.
struct Ledger {
    sql: SqliteSql,
    faults: Faults,
    now_ms: Cell<i64>,
}

impl Ledger {
    fn new() -> Self {
        let faults = Faults::default();
        let sql = SqliteSql::new(&faults);
        raydex::ledger::open(&sql, NAME).unwrap();
        Self { sql, faults, now_ms: Cell::new(NOW_MS) }
    }

    /// A ledger with one sealed source of so many payloads.
    fn sealed(payloads: usize) -> Self {
        let ledger = Self::new();
        ledger.ask(&begin());
        ledger.ask(&seal(1, payloads));
        ledger
    }

    /// Lets time go on.
    fn pass(&self, ms: i64) -> &Self {
        self.now_ms.set(self.now_ms.get() + ms);
        self
    }

    fn now(&self) -> i64 {
        self.now_ms.get()
    }

    /// What a call comes to, and when the ledger must wake because of it.
    fn answer<C: Call>(&self, call: &C) -> Result<(C::Answer, Option<i64>), BackendError> {
        let CallReply { body, wake_ms } = answer(&self.sql, NAME, C::NAME, &call.to_body(), self.now())?;
        Ok((serde_json::from_slice(&body).unwrap(), wake_ms))
    }

    fn ask<C: Call>(&self, call: &C) -> C::Answer {
        self.answer(call).unwrap().0
    }

    /// The words with which a call is refused, which changes nothing.
    fn refusal<C: Call>(&self, call: &C) -> String {
        let rows = self.sql.rows();
        let Err(why) = self.answer(call) else { panic!("{} is not refused", C::NAME) };
        assert_eq!(self.sql.rows(), rows, "{why}");
        why.to_string()
    }

    /// The same answer again, and not a row changed by it.
    fn again_is_the_same<C: Call>(&self, call: &C, rows: &[String]) -> C::Answer {
        let answer = self.ask(call);
        assert_eq!(self.sql.rows(), rows, "{} again", C::NAME);
        answer
    }

    /// Claims the nth payload; the token.
    fn claim(&self, number: usize, claimant: &str) -> u32 {
        match self.ask(&claim(number, claimant)) {
            ClaimAnswer::Granted { token, .. } => token,
            other => panic!("payload {number} is not {claimant}'s: {other:?}"),
        }
    }

    fn commit(&self, number: usize, token: u32, outcome: AttemptOutcome) -> CommitAnswer {
        self.ask(&CommitAttempt { id: id(number), token, outcome, refusal: None, facts: AttemptFacts::default() })
    }

    /// Claims the nth payload, and the attempt ends so.
    fn attempt(&self, number: usize, outcome: AttemptOutcome) {
        let token = self.claim(number, "an attempt");
        assert!(self.commit(number, token, outcome).counted);
    }

    /// Columns of the row of a payload.
    fn row(&self, index: &str, columns: &str) -> SqlRow {
        let statement = format!("SELECT {columns} FROM delivery_v1 WHERE number = ?");
        let rows = self.sql.run(&statement, &[SqlValue::text(index)]).unwrap().rows;
        let [row] = &rows[..] else { panic!("{} payloads {index}", rows.len()) };
        row.clone()
    }

    /// One integer of the row of the nth payload.
    fn number(&self, number: usize, column: &str) -> Option<i64> {
        self.row(&index(number), column)[0].as_integer()
    }

    /// The state of the nth payload.
    fn state(&self, number: usize) -> String {
        self.row(&index(number), "state")[0].as_text().unwrap().to_owned()
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// The source whose 64 digits are all this one.
fn source(digit: char) -> SourceId {
    SourceId::from_digits(&digit.to_string().repeat(64)).unwrap()
}

fn index(number: usize) -> String {
    format!("{number:06}")
}

/// The nth payload of the first plan of the source.
fn id(number: usize) -> DeliveryId {
    DeliveryId { ledger: NAME.into(), source: source('a'), plan: 1, index: index(number) }
}

fn object(etag: &str, uploaded_ms: i64) -> ObjectVersion {
    ObjectVersion { key: KEY.into(), etag: etag.into(), uploaded_ms, size: 1000, origin: None }
}

fn window(start_ms: i64, end_ms: i64) -> DeliveryWindow {
    DeliveryWindow { start_ms, end_ms }
}

fn plan_options() -> PlanOptions {
    PlanOptions {
        format: FORMAT,
        lines: 1000,
        subrequests: Subrequests::Include,
        edge_records: EdgeRecords::Exclude,
        filter: None,
        backfill_filter: None,
        version: "cs_vod_v3.0".into(),
        tenant: "-".into(),
        unknown_country: "CN".into(),
        duplicates: DuplicatePolicy::Hold,
    }
}

/// All of a window, in the usual form.
fn wish(window: DeliveryWindow) -> DeliveryRequest {
    DeliveryRequest::new(window, plan_options())
}

/// Someone is about to read the source `a`, to index and deliver all of it.
fn begin() -> BeginBatch {
    begin_of('a', 5)
}

/// Someone is about to read this version of the object, written at that instant.
fn begin_of(digit: char, uploaded_ms: i64) -> BeginBatch {
    BeginBatch {
        source: source(digit),
        object: object(&digit.to_string(), uploaded_ms),
        dataset: "http_requests".into(),
        possible_datasets: vec![raydex::record::Dataset::HttpRequests],
        times: None,
        index: true,
        deliver: Some(wish(DeliveryWindow::EVER)),
        rebuild: None,
    }
}

/// The nth payload, as the seal tells of it.
fn payload(number: usize) -> Payload {
    let at = 1000 * number as u64;
    Payload {
        index: index(number),
        sha256: format!("{number:064x}"),
        lines: LINES,
        bytes: 500,
        first_offset: at,
        last_offset: at + 999,
        pack: Some(place(number, 0)),
    }
}

/// The place of a body of 500 bytes, the nth in the pack that begins with that payload.
fn place(first: usize, nth: usize) -> BodyLocation {
    BodyLocation { first: index(first), digest: format!("{first:064x}"), offset: 500 * nth as u64, erased: false }
}

/// The halves of the nth payload with so many lines each, in a pack of their own.
fn halves(number: usize, lines: [u64; 2]) -> Vec<Payload> {
    halves_of(&id(number), lines)
}

/// The same of any payload.
fn halves_of(id: &DeliveryId, lines: [u64; 2]) -> Vec<Payload> {
    let [first, second] = id.split_indexes();
    let place = |at| Some(BodyLocation { first: first.clone(), digest: "5a".into(), offset: at, erased: false });
    let half = |index: &str, lines, at| Payload { index: index.into(), lines, pack: place(at), ..payload(0) };
    vec![half(&first, lines[0], 0), half(&second, lines[1], 500)]
}

/// So many records, and nothing else.
fn counts(records: u64) -> LineCounts {
    LineCounts { lines: records, records, rays: records, ..LineCounts::default() }
}

/// The seal of the source `a`: this plan came to so many payloads, and all records are in them.
fn seal(plan: u32, payloads: usize) -> SealBatch {
    let lines = LINES * payloads as u64;
    let plan = SealedPlan {
        number: plan,
        in_window: lines,
        filtered: BTreeMap::new(),
        changed: ChangedLines::default(),
        payloads: (0..payloads).map(payload).collect(),
        together: 1,
        duplicates: PlanDuplicates::default(),
    };
    SealBatch {
        revision: 0,
        revised: None,
        source: source('a'),
        counts: counts(lines),
        rejected: RejectedLines::default(),
        inflated: 9000,
        times: Some((1, 2)),
        indexed: Some(true),
        plan: Some(plan),
        edge: None,
        replay: None,
    }
}

/// The seal of a plan with one payload of so many lines, which are all that is in its windows.
fn seal_of_lines(plan: u32, lines: u64) -> SealBatch {
    let mut seal = seal(plan, 1);
    let sealed = seal.plan.as_mut().unwrap();
    (sealed.in_window, sealed.payloads[0].lines) = (lines, lines);
    seal
}

/// The same seal of an object that has so many lines more, which are no records.
fn with_rejected(mut seal: SealBatch, lines: u64) -> SealBatch {
    seal.counts.lines += lines;
    seal.counts.rejected = BTreeMap::from([("not_json".to_owned(), lines)]);
    seal.rejected = rejected_lines(&seal.counts);
    seal
}

/// Places for the rejected lines: the nth of each reason is at 10 n.
fn rejected_lines(counts: &LineCounts) -> RejectedLines {
    let mut lines = RejectedLines::default();
    for (code, count) in &counts.rejected {
        (0..*count).for_each(|line| lines.push(code, 10 * line));
    }
    lines
}

fn claim(number: usize, claimant: &str) -> ClaimPayload {
    let (id, on_unknown) = (id(number), OnUnknown::Resend);
    let standing = PartnerStanding::default();
    ClaimPayload { id, claimant: claimant.into(), standing, lease_ms: LEASE_MS, on_unknown }
}

/// What the partner's breaker says while it is open, as of now.
fn open(ledger: &Ledger) -> PartnerStanding {
    PartnerStanding {
        state: BreakerState::Open,
        as_of_ms: ledger.now(),
        failures: BREAKER_FAILURES,
        since_ms: Some(ledger.now()),
        until_ms: Some(ledger.now() + BREAKER_MIN_MS),
        reason: Some("busy".into()),
        status: Some(503),
    }
}

/// The same while it is closed.
fn closed(ledger: &Ledger) -> PartnerStanding {
    PartnerStanding { as_of_ms: ledger.now(), ..PartnerStanding::default() }
}

fn delivered() -> AttemptOutcome {
    AttemptOutcome::Delivered { status: 200 }
}

fn not_stored() -> AttemptOutcome {
    AttemptOutcome::NotStored { status: Some(500), code: "server_error".into(), wait_ms: None }
}

fn refused() -> AttemptOutcome {
    AttemptOutcome::Refused { status: Some(400), code: "permanent".into() }
}

fn unknown() -> AttemptOutcome {
    AttemptOutcome::Unknown { code: "no_answer".into() }
}

fn endpoint() -> AttemptOutcome {
    AttemptOutcome::Endpoint { status: 401, code: "auth".into() }
}
