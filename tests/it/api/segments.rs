//! The audit log goes on in the bucket: what lies where, and what is read of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use raydex::audit::AUDIT;
use raydex::audit::calls::{
    AppendAnswer, AppendEvent, AuditEvent, AuditMode, AuditSegment, ChainEntry, EntryPage, ReadEntries,
};
use raydex::audit::segment::SegmentWriter;
use raydex::backend::{BackendError, SqlDatabase, SqlValue};
use raydex::limits::{AUDIT_ALARM_MS, AUDIT_SEGMENT_INFLATED, MEMORY_BUDGET, READER_BYTES, REQUEST_BYTES};
use raydex::rpc;
use raydex::time::rfc3339;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::support::gzip::{gunzip, gzip, gzip_at};
use super::support::records::noise;
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, Reply, json as body, problem};

/// No bound of bytes.
pub(super) const ANY: u64 = u64::MAX;

/// What must be in the log, kept by the simplest means.
#[derive(Default)]
pub(super) struct Naive {
    /// Text and hash.
    pub(super) entries: Vec<(String, String)>,
}

impl Naive {
    fn hash_before(&self, number: usize) -> String {
        number.checked_sub(1).map_or_else(|| "0".repeat(64), |last| self.entries[last].1.clone())
    }

    fn push(&mut self, now_ms: i64, who: &str, role: &str, did: &str, about: &str, asked: &Value) {
        let (seq, at) = (self.entries.len() + 1, rfc3339(now_ms));
        let text = format!(
            r#"{{"v":1,"seq":{seq},"time":"{at}","actor":"{who}","auth_method":"token","role":"{role}","address":"","action":"{did}","resource":"{about}","request":{asked},"outcome":"admitted"}}"#
        );
        let hash = hex::encode(Sha256::digest(format!("{}\n{text}", self.hash_before(seq - 1))));
        self.entries.push((text, hash));
    }
}

/// A page as the API tells it.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Told {
    entries: Vec<ToldEntry>,
    before: String,
    chain_valid: bool,
    head: Value,
    after: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ToldEntry {
    seq: u64,
    hash: String,
    entry: Box<RawValue>,
}

impl PartialEq for ToldEntry {
    fn eq(&self, other: &Self) -> bool {
        (self.seq, &self.hash, self.entry.get()) == (other.seq, &other.hash, other.entry.get())
    }
}

/// A world with a log, and what must be in it.
pub(super) struct Log {
    pub(super) fakes: Fakes,
    pub(super) naive: Naive,
}

impl Log {
    pub(super) fn of(entries: u64, bytes: u64) -> Self {
        let fakes = Fakes::new();
        fakes.audits.set_bounds(entries, bytes);
        Self { fakes, naive: Naive::default() }
    }

    /// The same, with so many entries.
    pub(super) fn with(entries: u64, count: usize) -> Self {
        let mut log = Self::of(entries, ANY);
        (0..count).for_each(|_| log.append(1));
        log
    }

    pub(super) fn deed(number: usize, size: usize) -> AppendEvent {
        let text = |text: &str| text.to_owned();
        let (action, request) = (text("GET /v1/rays/{ray}"), [(text("x"), "x".repeat(size).into())].into());
        let event = AuditEvent {
            auth_method: text("token"),
            role: text("viewer"),
            address: String::new(),
            action,
            resource: format!("r{number}"),
            request,
            reason: None,
        };
        let (actor, mode) = (text("eye"), AuditMode::Admit);
        AppendEvent {
            actor,
            per_minute: 0,
            event,
            mode,
            token_generation: None,
            refused: Vec::new(),
            cost: 0,
            budget: None,
            over_budget: false,
            erasures: None,
            costs: Vec::new(),
        }
    }

    pub(super) fn try_append(&self, size: usize) -> Result<AppendAnswer, BackendError> {
        run(rpc::call(&self.fakes.audits, AUDIT, &Self::deed(self.naive.entries.len(), size)))
    }

    /// An entry that was appended must be in the log.
    pub(super) fn appended(&mut self, size: usize) {
        let (at, about) = (self.fakes.clock_ms.get(), format!("r{}", self.naive.entries.len()));
        self.naive.push(at, "eye", "viewer", "GET /v1/rays/{ray}", &about, &json!({ "x": "x".repeat(size) }));
    }

    pub(super) fn append(&mut self, size: usize) {
        let appended = self.try_append(size).unwrap();
        self.appended(size);
        assert_eq!(appended, AppendAnswer::Written { seq: self.naive.entries.len() as u64 });
    }

    /// What a page must be, when its reading is an entry already.
    pub(super) fn expected(&self, after: usize, limit: usize) -> Told {
        let all = &self.naive.entries;
        let from = after.min(all.len());
        let until = all.len().min(from.saturating_add(limit));
        let entry = |number: usize| ToldEntry {
            seq: number as u64 + 1,
            hash: all[number].1.clone(),
            entry: RawValue::from_string(all[number].0.clone()).unwrap(),
        };
        Told {
            entries: (from..until).map(entry).collect(),
            before: self.naive.hash_before(from),
            chain_valid: true,
            head: json!({ "seq": all.len(), "hash": self.naive.hash_before(all.len()) }),
            after: (from < until && until < all.len()).then_some(until as u64),
        }
    }

    pub(super) fn reply(&mut self, after: usize, limit: usize) -> Reply {
        let query = format!("after={after}&limit={limit}");
        let asked = json!({ "after": after, "limit": limit });
        self.naive.push(self.fakes.clock_ms.get(), "main", "forensics", "GET /v1/audit", "", &asked);
        Ask::get(&format!("/v1/audit?{query}")).of(&self.fakes)
    }

    /// Reads a page; says where it is not what it must be.
    pub(super) fn look(&mut self, after: usize, limit: usize) -> Result<(), String> {
        let reply = self.reply(after, limit);
        if reply.status != 200 {
            return Err(format!("after {after}: {}", String::from_utf8_lossy(&reply.body)));
        }
        let told: Told = serde_json::from_slice(&reply.body).unwrap();
        let expected = self.expected(after, limit);
        if told == expected { Ok(()) } else { Err(format!("after {after}: {told:?} is not {expected:?}")) }
    }

    /// Reads all there is, in pages of several sizes.
    pub(super) fn look_at_all(&mut self) -> Result<(), String> {
        for limit in [3, 50, 200] {
            let mut after = 0;
            while after < self.naive.entries.len() {
                self.look(after, limit)?;
                after += limit;
            }
        }
        Ok(())
    }

    pub(super) fn settle(&self) -> Vec<AuditSegment> {
        self.fakes.audits.settle(&self.fakes.bucket)
    }

    pub(super) fn ring(&self) -> Result<Option<AuditSegment>, BackendError> {
        run(self.fakes.audits.ring(&self.fakes.bucket))
    }

    /// How many entries the object has itself.
    pub(super) fn kept(&self) -> u64 {
        let ask = ReadEntries::default();
        let page: EntryPage = run(rpc::call(&self.fakes.audits, AUDIT, &ask)).unwrap();
        page.head.seq + 1 - page.kept_from
    }
}

#[test]
fn entries_are_archived_and_read_by_segments() {
    let mut log = Log::with(10, 35);
    assert_eq!(log.fakes.audits.alarms.get(), 1, "one alarm is set, however many wait");
    let segments = log.settle();
    let borders: Vec<_> = segments.iter().map(|segment| (segment.first, segment.last)).collect();
    assert_eq!(borders, [(1, 10), (11, 20), (21, 30)]);
    for (number, segment) in segments.iter().enumerate() {
        assert_eq!(segment.hash, log.naive.entries[number * 10 + 9].1);
        assert_eq!(segment.before, log.naive.hash_before(number * 10));
    }
    let keys: Vec<_> = segments.into_iter().map(|segment| segment.key).collect();
    assert_eq!(log.fakes.bucket.contents().into_keys().collect::<Vec<_>>(), keys, "in the order of the entries");
    assert_eq!(log.kept(), 5);
    log.look_at_all().unwrap();
    log.look(usize::MAX, 5).unwrap();
}

#[test]
fn a_border_that_does_not_fit_is_seen() {
    let mut log = Log::with(10, 11);
    log.settle();
    // Only who changes the object itself can do this: the last entry begins a chain of its own.
    let (zeroes, text) = ("0".repeat(64), log.naive.entries[10].0.clone());
    let forged = raydex::audit::chain::hash(&zeroes, &text);
    let values = [&log.naive.entries[10].1, &forged, &forged].map(SqlValue::text);
    log.fakes.audits.sql.run("UPDATE audit_frame_v1_11 SET lines = replace(lines, ?, ?), hash = ?", &values).unwrap();
    log.fakes.audits.sql.run("UPDATE audit_frame_table_v1 SET before = ?", &[SqlValue::text(zeroes)]).unwrap();
    assert_eq!(body(&log.reply(10, 5))["chain_valid"], true);
    assert_eq!(body(&log.reply(9, 5))["chain_valid"], false);
}

#[test]
fn a_segment_is_full_by_its_bytes_too() {
    let mut log = Log::of(1_000, 2_000);
    (0..20).for_each(|_| log.append(700));
    let sizes: Vec<u64> = log.settle().iter().map(|segment| segment.last + 1 - segment.first).collect();
    assert_eq!(sizes, [3; 6], "with the entry that reaches it");
    log.look_at_all().unwrap();
}

#[test]
fn the_form_of_a_segment_never_changes() {
    let mut log = Log::with(2, 3);
    let segment = log.settle().remove(0);
    let text = gunzip(&log.fakes.bucket.object(&segment.key).unwrap().bytes);
    let lines = [
        r#"{"seq":1,"hash":"0d412bc4ce54f3471e08ddadb3c57cf95c6f7039caea281864c829d9f8a30c71","entry":"{\"v\":1,\"seq\":1,\"time\":\"2026-03-28T08:42:25.000Z\",\"actor\":\"eye\",\"auth_method\":\"token\",\"role\":\"viewer\",\"address\":\"\",\"action\":\"GET /v1/rays/{ray}\",\"resource\":\"r0\",\"request\":{\"x\":\"x\"},\"outcome\":\"admitted\"}"}"#,
        r#"{"seq":2,"hash":"fa21e91afa5edb076fb064203db03d9861f3140d9b9d1120297d7c95412e356c","entry":"{\"v\":1,\"seq\":2,\"time\":\"2026-03-28T08:42:25.000Z\",\"actor\":\"eye\",\"auth_method\":\"token\",\"role\":\"viewer\",\"address\":\"\",\"action\":\"GET /v1/rays/{ray}\",\"resource\":\"r1\",\"request\":{\"x\":\"x\"},\"outcome\":\"admitted\"}"}"#,
    ];
    assert_eq!(String::from_utf8(text).unwrap(), format!("{}\n{}\n", lines[0], lines[1]));
    assert_eq!(
        segment.key,
        "raydex/audit/v1/00000000000000000001-00000000000000000002-fa21e91afa5edb076fb064203db03d9861f3140d9b9d1120297d7c95412e356c.ndjson.gz"
    );
    log.look_at_all().unwrap();
}

#[test]
fn missing_segment_is_reported_with_where_to_continue() {
    let mut log = Log::with(10, 35);
    let segments = log.settle();
    let remove = |log: &Log, at: usize| assert!(log.fakes.bucket.delete(&segments[at].key));
    let hint = |reply: &Reply| body(reply)["hint"].as_str().unwrap().to_owned();
    remove(&log, 0);
    let reply = log.reply(4, 5);
    assert_eq!(problem(&reply), (404, "audit_gone".into()));
    assert_eq!(hint(&reply), "Continue with after=10, which skips the missing entries.");
    log.look(10, 25).unwrap();
    remove(&log, 1);
    assert!(hint(&log.reply(0, 5)).contains("after=20,"));
    remove(&log, 2);
    assert!(hint(&log.reply(0, 5)).contains("after=30,"), "the object has the others");
    log.look(30, 5).unwrap();
}

#[test]
fn page_ends_before_an_unreadable_segment() {
    let mut log = Log::with(10, 35);
    let segments = log.settle();
    log.fakes.bucket.delete(&segments[1].key);
    let told = body(&log.reply(5, 20));
    assert_eq!((told["entries"].as_array().unwrap().len(), &told["after"]), (5, &10.into()));
    assert_eq!(problem(&log.reply(10, 20)), (404, "audit_gone".into()));
}

/// The entries of a segment, written again with a change.
pub(super) fn rewritten(stored: &[u8], change: impl Fn(&mut Vec<ChainEntry>)) -> Vec<u8> {
    let text = gunzip(stored);
    let mut kept = serde_json::Deserializer::from_slice(&text).into_iter().collect::<Result<_, _>>().unwrap();
    change(&mut kept);
    let mut writer = SegmentWriter::default();
    for kept in &kept {
        writer.push(kept).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn whoever_changes_a_segment_is_seen() {
    let mut log = Log::with(10, 25);
    let key = log.settle().remove(0).key;
    let stored = log.fakes.bucket.contents().remove(&key).unwrap();
    let forged = rewritten(&stored, |kept| {
        // All hashes fit one another again: the object knows that of the last one.
        kept[4].entry = kept[4].entry.replace("eye", "nobody");
        for at in 4..10 {
            kept[at].hash = raydex::audit::chain::hash(&kept[at - 1].hash, &kept[at].entry);
        }
    });
    let changed = rewritten(&stored, |kept| kept[7].entry.push(' '));
    for object in [forged, changed] {
        log.fakes.bucket.store(&key, &object);
        let told = body(&log.reply(0, 3));
        assert_eq!((told["entries"].as_array().unwrap().len(), &told["chain_valid"]), (3, &false.into()));
        assert_eq!(body(&log.reply(8, 5))["chain_valid"], false, "its border is that of the page, too");
    }
    log.fakes.bucket.store(&key, &stored);
    log.look(0, 3).unwrap();
}

#[test]
fn damaged_segment_is_reported() {
    let mut log = Log::with(10, 25);
    let key = log.settle().remove(0).key;
    let stored = log.fakes.bucket.contents().remove(&key).unwrap();
    // Blank lines are none, and these are not even packed well.
    let blank: Vec<u8> =
        noise(3, 12 << 20).iter().flat_map(|byte| if byte % 2 == 0 { "\n" } else { "\r\n" }.bytes()).collect();
    assert!(blank.len() as u64 > AUDIT_SEGMENT_INFLATED);
    let large = [stored.clone(), gzip_at(1, &blank)].concat();
    for (why, object) in [
        ("empty", vec![]),
        ("cut", stored[..stored.len() - 1].to_vec()),
        ("no gzip", b"not gzip".to_vec()),
        ("no lines of ours", gzip(b"{\"seq\":1}\n")),
        ("one is missing", rewritten(&stored, |kept| drop(kept.remove(3)))),
        ("the last one is missing", rewritten(&stored, |kept| drop(kept.pop()))),
        ("one is twice", rewritten(&stored, |kept| kept.insert(3, kept[3].clone()))),
        ("one too many", rewritten(&stored, |kept| kept.push(ChainEntry { seq: 11, ..kept[9].clone() }))),
        ("much more than was written", large),
    ] {
        log.fakes.bucket.store(&key, &object);
        let reply = log.reply(2, 3);
        assert_eq!(problem(&reply), (502, "audit_damaged".into()), "{why}");
        assert!(body(&reply)["hint"].as_str().unwrap().contains("after=10;"), "{why}");
    }
    log.look(10, 5).unwrap();
}

#[test]
fn page_reserves_and_returns_its_memory() {
    let mut log = Log::with(10, 35);
    log.settle();
    let others = log.fakes.memory.reservation();
    others.reserve(MEMORY_BUDGET - 100_000).unwrap();
    assert_eq!(problem(&log.reply(0, 30)), (503, "busy".into()), "no room for a reader");
    others.release_all();
    others.reserve(MEMORY_BUDGET - READER_BYTES - REQUEST_BYTES - 10_000).unwrap();
    assert_eq!(problem(&log.reply(0, 30)), (503, "busy".into()), "no room for the entries");
    assert_eq!(log.reply(30, 30).status, 200, "these are no segment's");
    others.reserve(log.fakes.memory.available() - REQUEST_BYTES - 6_000).unwrap();
    assert_eq!(problem(&log.reply(30, 30)), (503, "busy".into()), "nor for those that the object has");
    drop(others);
    log.look(0, 30).unwrap();
    assert_eq!(log.fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn bucket_failing_during_a_read_is_503() {
    for kind in [Kind::Get, Kind::Body, Kind::List] {
        let mut log = Log::with(10, 35);
        let key = log.settle().remove(0).key;
        if kind == Kind::List {
            log.fakes.bucket.delete(&key);
        }
        // The body of the request itself is one, too.
        log.fakes.faults.plan(Some(kind), usize::from(kind == Kind::Body), Fault::Fails);
        let reply = log.reply(0, 5);
        assert!(log.fakes.faults.clear());
        assert_eq!(problem(&reply), (503, "unavailable".into()), "{kind:?}");
    }
}

/// What can happen to a log.
#[derive(Debug, Clone)]
enum Step {
    Append(usize, usize),
    Look(usize, usize),
    Ring(Option<(Kind, Fault)>),
    AlarmFails,
    AlarmIsLost,
    Restart,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = (select(vec![Kind::PutNew, Kind::Get, Kind::Alarm, Kind::Audit]), select(Fault::BOTH.to_vec()));
    prop_oneof![
        6 => (1..9_usize, 0..400_usize).prop_map(|(count, size)| Step::Append(count, size)),
        4 => (0..60_usize, 1..30_usize).prop_map(|(after, limit)| Step::Look(after, limit)),
        4 => proptest::option::of(fault).prop_map(Step::Ring),
        1 => Just(Step::AlarmFails),
        1 => Just(Step::AlarmIsLost),
        1 => Just(Step::Restart),
        1 => Just(Step::Wait),
    ]
}

impl Log {
    fn take(&mut self, step: &Step) -> Result<(), String> {
        let (faults, audits) = (self.fakes.faults.clone(), self.fakes.audits.clone());
        match step {
            Step::Append(count, size) => (0..*count).for_each(|_| self.append(*size)),
            Step::Look(after, limit) => return self.look(*after, *limit),
            Step::Ring(fault) => {
                if audits.alarm_ms.get().is_some() {
                    if let Some((kind, fault)) = fault {
                        faults.plan(Some(*kind), 0, *fault);
                    }
                    let _failed = self.ring();
                    faults.clear();
                }
            }
            Step::AlarmFails => {
                faults.plan(Some(Kind::Alarm), 0, Fault::Fails);
                self.append(1);
                faults.clear();
            }
            Step::AlarmIsLost => audits.alarm_ms.set(None),
            Step::Restart => audits.restart(),
            Step::Wait => self.fakes.clock_ms.set(self.fakes.clock_ms.get() + AUDIT_ALARM_MS / 2),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn log_is_the_list_of_its_entries_always(
        entries in 1..8_u64, bytes in 300..3_000_u64, steps in vec(step(), 1..40),
    ) {
        let mut log = Log::of(entries, bytes);
        for step in &steps {
            prop_assert_eq!(log.take(step), Ok(()));
        }
        // Whatever was lost, a later entry sets it going again, and the object holds no more than one table.
        log.fakes.clock_ms.set(log.fakes.clock_ms.get() + 2 * AUDIT_ALARM_MS);
        log.append(1);
        log.settle();
        prop_assert!(log.kept() <= entries, "{} entries are kept", log.kept());
        prop_assert_eq!(log.look_at_all(), Ok(()));
    }
}
