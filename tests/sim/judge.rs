//! The judge: counts every line at the partner, and holds the ledger's books against that.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::bufread::GzDecoder;
use raydex::ledger::books::{LedgerTotals, PayloadView};
use raydex::ledger::calls::{
    BatchDetails, DecideDelivery, DecisionAnswer, DeliveryDecision, GetBatch, GetTotals, PayloadSelection,
};
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::registry::ListDeadLetters;
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::limits::UNANSWERED_MAX;
use raydex::lookup::lookup;
use raydex::memory::MemoryBudget;
use raydex::record::{Dataset, RayKey};
use raydex::rpc::Call;
use raydex::services::Services;
use sha2::{Digest, Sha256};

use super::partitions::{judge_partitions, ledger_of};
use super::partner::Seen;
use super::rates::judge_rates;
use super::repetitions::judge_repetitions;
use super::run::Run;
use super::setting::Setting;
use super::task::TaskWorld;
use super::traffic::Batch;
use super::world::Isolate;
use crate::support::run as finish;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) steps: u64,
    pub(crate) effects: u64,
    pub(crate) faulty: u64,
    pub(crate) lines: u64,
    pub(crate) posts: u64,
    pub(crate) duplicates: u64,
    pub(crate) parked: u64,
    /// Lines that backfills delivered once more.
    pub(crate) repeated: u64,
    /// Stops of backfills.
    pub(crate) interruptions: u64,
    /// Payloads that share a pack with others.
    pub(crate) in_packs: u64,
    /// Bodies that were removed while their batch was there.
    pub(crate) lost: u64,
    /// Rays whose batch was not read whole, and that were judged as if nobody had their records.
    pub(crate) unread: u64,
    /// Rays whose batch was, and that then counted as not logged.
    pub(crate) not_logged: u64,
    /// Batches in another ledger than the first of their hour.
    pub(crate) partitioned: u64,
    /// Effects before the first batch was moved, where it is.
    pub(crate) effects_before_move: u64,
}

impl Figures {
    /// The figures as words that [`Figures::from_words`] reads.
    pub(crate) fn words(&self) -> String {
        let Self {
            steps,
            effects,
            faulty,
            lines,
            posts,
            duplicates,
            parked,
            repeated,
            interruptions,
            in_packs,
            lost,
            unread,
            not_logged,
            partitioned,
            ..
        } = self;
        format!(
            "{steps} {effects} {faulty} {lines} {posts} {duplicates} {parked} {repeated} {interruptions} {in_packs} {lost} {unread} \
             {not_logged} {partitioned}"
        )
    }

    pub(crate) fn from_words(words: &str) -> Option<Self> {
        let numbers: Vec<u64> = words.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [
            steps,
            effects,
            faulty,
            lines,
            posts,
            duplicates,
            parked,
            repeated,
            interruptions,
            in_packs,
            lost,
            unread,
            not_logged,
            partitioned,
        ] = numbers[..]
        else {
            return None;
        };
        Some(Self {
            steps,
            effects,
            faulty,
            lines,
            posts,
            duplicates,
            parked,
            repeated,
            interruptions,
            in_packs,
            lost,
            unread,
            not_logged,
            partitioned,
            effects_before_move: 0,
        })
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.effects += other.effects;
        self.faulty += other.faulty;
        self.lines += other.lines;
        self.posts += other.posts;
        self.duplicates += other.duplicates;
        self.parked += other.parked;
        self.repeated += other.repeated;
        self.interruptions += other.interruptions;
        self.in_packs += other.in_packs;
        self.lost += other.lost;
        self.unread += other.unread;
        self.not_logged += other.not_logged;
        self.partitioned += other.partitioned;
    }
}

/// Runs a world to its end and judges it.
pub(crate) fn simulate(setting: Setting) -> Result<Figures, String> {
    let mut run = Run::new(setting);
    run.go()?;
    let (figures, mut books) = judge(&run)?;
    let confirmed = confirm_some(&run, &mut books);
    run.age()?;
    judge_bodies(&run, &books)?;
    judge_confirmed(&run, &books, &confirmed)?;
    Ok(figures)
}

/// A payload that a person confirmed: its name at the partner, and how often it had been posted.
type Confirmed = (String, usize);

/// A person confirms every other parked payload: the partner has it, whatever it answered.
fn confirm_some(run: &Run, books: &mut Books) -> Vec<Confirmed> {
    let parked = books.payloads.iter_mut().filter(|(payload, _)| payload.state == DeliveryState::Parked);
    let mut confirmed = Vec::new();
    for (payload, _) in parked.step_by(2) {
        let id = DeliveryId::from_handle(&payload.id).unwrap();
        let call = DecideDelivery { id: id.clone(), decision: DeliveryDecision::Confirm, reason: "it is there".into() };
        // The database may fail; the person asks again.
        let answer = (0..100).find_map(|_| run.platform.answer(&id.ledger, DecideDelivery::NAME, &call.to_body()).ok());
        let decided: DecisionAnswer = serde_json::from_slice(&answer.unwrap()).unwrap();
        assert_eq!(decided.state, Some(DeliveryState::Confirmed), "{payload:?}");
        payload.state = DeliveryState::Confirmed;
        confirmed.push((payload.partner_batch_id.clone(), posts(run, &payload.partner_batch_id)));
    }
    confirmed
}

/// How often a payload was posted.
fn posts(run: &Run, batch_id: &str) -> usize {
    run.platform.partner.borrow().seen.iter().filter(|seen| seen.batch_id == batch_id).count()
}

/// What a person confirmed is never posted again, and never counts as confirmed by the partner.
fn judge_confirmed(run: &Run, books: &Books, confirmed: &[Confirmed]) -> Result<(), String> {
    if let Some((name, _)) = confirmed.iter().find(|(name, before)| posts(run, name) != *before) {
        return Err(format!("payload {name} was confirmed, and posted after that"));
    }
    let of_confirmed = books.payloads.iter().filter(|(payload, _)| payload.state == DeliveryState::Confirmed);
    let expected: u64 = of_confirmed.map(|(payload, _)| payload.payload.lines).sum();
    let (now, before) = (self::books(run).totals, &books.totals);
    let confirmed = now.lines.confirmed + now.again.confirmed;
    let is_kept = (now.lines.delivered, now.again.delivered) == (before.lines.delivered, before.again.delivered);
    if confirmed != expected || !is_kept || now.lines.unaccounted != 0 {
        return Err(format!("{expected} lines were confirmed, and the books say {now:?}"));
    }
    Ok(())
}

/// Codes under which a payload may be parked whatever the settings say.
const PARKED_FOR: [&str; 2] = ["permanent", "too_large"];
/// Codes under which it may where doubt is to be parked.
const PARKED_IN_DOUBT: [&str; 3] = ["no_answer", "lease_ended", "unknown"];

/// What the ledger says of every payload.
pub(super) struct Books {
    pub(super) totals: LedgerTotals,
    pub(super) payloads: Vec<(PayloadView, Vec<String>)>,
    /// Of each payload, the backfill whose plan it belongs to, and whether that is a repetition.
    pub(super) backfills: Vec<Option<(i64, bool)>>,
    /// The objects that the payloads' bodies lie in.
    keys: Vec<String>,
}

/// Judges a world that has come to rest.
pub(crate) fn judge(run: &Run) -> Result<(Figures, Books), String> {
    let books = books(run);
    let partner = run.platform.partner.borrow();
    let mut copies: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for seen in partner.seen.iter().filter(|seen| seen.stored) {
        for ray in &seen.rays {
            copies.entry(ray).or_default().push(seen);
        }
    }
    let parked = parked_rays(run, &books)?;
    let mut figures = Figures {
        steps: run.steps,
        posts: partner.seen.len() as u64,
        unread: run.judged.unread,
        not_logged: run.judged.not_logged,
        ..Figures::default()
    };
    for (ray, claim) in claims(run) {
        let stored = copies.get(ray).map_or(&[][..], Vec::as_slice);
        judge_line(run, ray, &claim, stored, &parked)?;
        figures.lines += 1;
        figures.duplicates += stored.len().saturating_sub(1 + claim.again.len()) as u64;
    }
    figures.parked = parked.len() as u64;
    let mut sharing: BTreeMap<&String, u64> = BTreeMap::new();
    books.keys.iter().for_each(|key| *sharing.entry(key).or_default() += 1);
    figures.in_packs = sharing.into_values().filter(|payloads| *payloads > 1).sum();
    judge_books(run, &books, &partner.seen, &copies)?;
    figures.repeated = judge_repetitions(run, &books)?;
    figures.interruptions = run.stops.count();
    figures.partitioned = judge_partitions(run)?;
    judge_rates(run, &partner.seen, books.payloads.iter().map(|(payload, _)| payload))?;
    judge_index(run)?;
    judge_odd_messages(run)?;
    figures.effects_before_move = run.effects_before_move;
    figures.lost = run.platform.lost.borrow().len() as u64;
    let faults = run.platform.faults.borrow();
    (figures.effects, figures.faulty) = (faults.effects, faults.faulty);
    Ok((figures, books))
}

/// Days later: whatever waits for a person has its body, and of what came to rest there is none.
fn judge_bodies(run: &Run, books: &Books) -> Result<(), String> {
    let mut needed = BTreeSet::new();
    for ((payload, _), key) in books.payloads.iter().zip(&books.keys) {
        if payload.state == DeliveryState::Parked {
            needed.insert(key);
            let is_lost = run.platform.lost.borrow().contains_key(key);
            let body = body(run, key, payload).unwrap_or_default();
            if !is_lost && hex::encode(Sha256::digest(&body)) != payload.payload.sha256 {
                return Err(format!("payload {} is parked, and its body is gone", payload.id));
            }
        }
    }
    let bucket = run.platform.data().borrow();
    match books.keys.iter().find(|key| !needed.contains(key) && bucket.contains_key(*key)) {
        Some(key) => Err(format!("{key} is of no use to anyone, and still there")),
        None => Ok(()),
    }
}

/// The body of a payload, as it lies in the bucket, or lay there until it was removed.
fn body(run: &Run, key: &str, view: &PayloadView) -> Option<Vec<u8>> {
    let (bucket, lost) = (run.platform.data().borrow(), run.platform.lost.borrow());
    let at = view.payload.pack.as_ref().map_or(0, |place| usize::try_from(place.offset).unwrap());
    bucket
        .get(key)
        .or_else(|| lost.get(key))?
        .bytes
        .get(at..at + usize::try_from(view.payload.bytes).unwrap())
        .map(<[u8]>::to_vec)
}

/// What the partner may have of a record, and what it must.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    may: bool,
    must: bool,
    /// The backfills that may deliver it once more.
    pub(super) again: BTreeSet<i64>,
    /// Those that must: a batch with it is there that they were to read.
    pub(super) must_again: BTreeSet<i64>,
}

/// Rays that the partner must have of the batches so far, and lacks.
pub(crate) fn missing(run: &Run) -> Vec<String> {
    let partner = run.platform.partner.borrow();
    let stored: BTreeSet<&String> =
        partner.seen.iter().filter(|seen| seen.stored).flat_map(|seen| &seen.rays).collect();
    let owed = claims(run).into_iter().filter(|(_, claim)| claim.must).map(|(ray, _)| ray.to_owned());
    owed.filter(|ray| !stored.contains(ray)).collect()
}

/// What the batches say of each ray: a batch that was removed may have been delivered, one that is there must be.
pub(super) fn claims(run: &Run) -> BTreeMap<&str, Claim> {
    let mut claims: BTreeMap<&str, Claim> = BTreeMap::new();
    // Bytes that lay there before the first start may be known again where they are copied to.
    let kept_back: BTreeSet<&str> =
        run.batches.iter().filter(|batch| is_before_start(run, batch)).map(|batch| batch.etag.as_str()).collect();
    for batch in &run.batches {
        let (is_old, is_live) = (is_before_start(run, batch), batch.windows.is_empty());
        let is_new = is_live && !kept_back.contains(batch.etag.as_str());
        for line in &batch.lines {
            let again = batch.again.iter().filter(|(_, window)| window.holds(line.unix_ms)).map(|(id, _)| *id);
            let again: BTreeSet<i64> = again.collect();
            let may_again = batch.may_again.iter().filter(|(_, window)| window.holds(line.unix_ms)).map(|(id, _)| *id);
            let is_in_window = !again.is_empty() || batch.windows.iter().any(|window| window.holds(line.unix_ms));
            let claim = claims.entry(&line.ray).or_default();
            if line.owed && !batch.damaged && !batch.removed {
                claim.must_again.extend(&again);
            }
            claim.again.extend(again);
            claim.again.extend(may_again);
            claim.may |= line.owed && !batch.damaged && (!is_old || is_in_window);
            claim.must |= line.owed && !batch.damaged && !batch.removed && (is_new || is_in_window);
        }
    }
    claims
}

/// Whether the batch was written before the first start, by the registry's own words.
fn is_before_start(run: &Run, batch: &Batch) -> bool {
    run.first_start_ms().is_some_and(|start_ms| batch.uploaded_ms < start_ms)
}

/// One record at the partner.
fn judge_line(run: &Run, ray: &str, claim: &Claim, stored: &[&Seen], parked: &BTreeSet<String>) -> Result<(), String> {
    if !claim.may && !stored.is_empty() {
        return Err(format!("record {ray} is not the partner's, and it has it"));
    }
    if claim.must && stored.is_empty() && !parked.contains(ray) {
        return Err(format!("record {ray} is lost"));
    }
    let excused = stored.iter().filter(|seen| seen.in_doubt).count();
    let extra = stored.len().saturating_sub(1 + claim.again.len());
    if extra > excused {
        return Err(format!("record {ray} came {} times, {excused} of them in doubt", stored.len()));
    }
    if run.setting.park && extra > 0 {
        return Err(format!("record {ray} came twice, though doubt is to be parked"));
    }
    Ok(())
}

/// The rays of parked payloads, each parked for a reason that there is.
fn parked_rays(run: &Run, books: &Books) -> Result<BTreeSet<String>, String> {
    let mut parked = BTreeSet::new();
    for (payload, rays) in books.payloads.iter().filter(|(payload, _)| payload.state == DeliveryState::Parked) {
        let code = payload.code.as_deref().unwrap_or_default();
        let fits = PARKED_FOR.contains(&code)
            || run.setting.park && PARKED_IN_DOUBT.contains(&code)
            || code == "no_answer" && is_left_alone(run, payload);
        if !fits {
            return Err(format!("payload {} is parked for {code}", payload.id));
        }
        parked.extend(rays.iter().cloned());
    }
    Ok(parked)
}

/// Whether the partner left so many POSTs of a payload without an answer that it may be parked for that. In an outage it
/// answers nothing, and none may be.
fn is_left_alone(run: &Run, payload: &PayloadView) -> bool {
    let partner = run.platform.partner.borrow();
    let silent = partner.seen.iter().filter(|seen| seen.batch_id == payload.partner_batch_id && seen.in_doubt).count();
    payload.unknown_outcomes >= UNANSWERED_MAX && silent >= UNANSWERED_MAX as usize
}

/// The books balance, and say of each payload what the partner says.
fn judge_books(run: &Run, books: &Books, seen: &[Seen], copies: &BTreeMap<&str, Vec<&Seen>>) -> Result<(), String> {
    let lines = &books.totals.lines;
    // Versions of objects, each once: what was removed in time was not read.
    let versions = |removed: bool| {
        let whole = run.batches.iter().filter(|batch| !batch.damaged && (removed || !batch.removed));
        let lines: BTreeMap<_, u64> = whole.map(|batch| ((&batch.key, &batch.etag), batch.lines_in)).collect();
        lines.into_values().sum::<u64>()
    };
    let (least, most) = (versions(false), versions(true));
    if lines.unaccounted != 0 || lines.pending != 0 || !(least..=most).contains(&lines.lines_in) {
        return Err(format!("{least} to {most} lines went in, and the books say {lines:?}"));
    }
    let names: BTreeSet<&str> = books.payloads.iter().map(|(payload, _)| payload.partner_batch_id.as_str()).collect();
    if let Some(stranger) = seen.iter().find(|seen| !names.contains(seen.batch_id.as_str())) {
        return Err(format!("no payload is called {}", stranger.batch_id));
    }
    for (payload, rays) in &books.payloads {
        let is_there = rays.iter().all(|ray| copies.contains_key(ray.as_str()));
        if payload.state == DeliveryState::Delivered && !is_there {
            return Err(format!("payload {} is delivered, and the partner lacks lines of it", payload.id));
        }
        let stored = seen.iter().filter(|seen| seen.stored && seen.batch_id == payload.partner_batch_id).count() as u64;
        if payload.state == DeliveryState::Delivered && stored == 0 {
            return Err(format!("payload {} is delivered, and never came", payload.id));
        }
        if stored.saturating_sub(1) > u64::from(payload.unknown_outcomes) {
            return Err(format!(
                "payload {} was stored {stored} times, {} in doubt",
                payload.id, payload.unknown_outcomes
            ));
        }
    }
    Ok(())
}

/// Rays of whole batches are found. That no shard lies where a search would not look, the shards see to.
fn judge_index(run: &Run) -> Result<(), String> {
    let world = TaskWorld::new(Isolate::new(&run.platform, 0, 0));
    for batch in run.batches.iter().filter(|batch| !batch.damaged && !batch.removed) {
        let Some(line) = batch.lines.last() else { continue };
        let key = RayKey::from_logged(&line.ray).unwrap();
        let found = finish(lookup(
            world.batch_store(),
            world.shards(),
            &[Dataset::HttpRequests],
            &key,
            &MemoryBudget::default().reservation(),
        ));
        if found.map_or(0, |found| found.records.len()) != 1 {
            return Err(format!("ray {} of {} is not found once", line.ray, batch.key));
        }
    }
    Ok(())
}

/// What raydex did not understand, and acked, is a dead letter.
fn judge_odd_messages(run: &Run) -> Result<(), String> {
    let every = ListDeadLetters { id: None, redriven: true, dismissed: true, limit: u64::from(u32::MAX), before: None };
    let letters = ask(run, REGISTRY, &every).dead_letters;
    let letters: BTreeSet<&String> = letters.iter().map(|kept| &kept.letter.body).collect();
    match run.odd_acked.iter().find(|body| !letters.contains(body)) {
        Some(body) => Err(format!("{body:?} was acked, and no dead letter has it")),
        None => Ok(()),
    }
}

/// Asks every ledger for everything.
fn books(run: &Run) -> Books {
    let (payloads, backfills, keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut books = Books { totals: LedgerTotals::default(), payloads, backfills, keys };
    let mut seen = BTreeSet::new();
    let names: Vec<String> = run
        .platform
        .ledgers
        .borrow()
        .keys()
        .filter(|name| ![REGISTRY, PARTNER].contains(&name.as_str()))
        .cloned()
        .collect();
    for name in names {
        books.totals.add(ask(run, &name, &GetTotals {}).totals);
    }
    for batch in &run.batches {
        let Some((ledger, source)) = ledger_of(run, batch) else { continue };
        if !seen.insert(source.clone()) {
            continue;
        }
        let answer: BatchDetails =
            ask(run, &ledger, &GetBatch { source: source.clone(), payloads: PayloadSelection::All });
        for payload in answer.payloads {
            // Without a pack there is no body left to look for.
            let key = payload.payload.pack.as_ref().map_or_else(String::new, |place| place.key(&source, payload.plan));
            let rays = body(run, &key, &payload).map_or_else(Vec::new, |body| rays_of(&body));
            let plan = answer.plans.iter().find(|plan| plan.number == payload.plan);
            let backfill = plan.and_then(|plan| plan.backfill).map(|backfill| (backfill.id, backfill.again));
            books.backfills.push(backfill);
            books.payloads.push((payload, rays));
            books.keys.push(key);
        }
    }
    books
}

fn ask<C: Call>(run: &Run, name: &str, call: &C) -> C::Answer {
    serde_json::from_slice(&run.platform.answer(name, C::NAME, &call.to_body()).unwrap()).unwrap()
}

fn rays_of(body: &[u8]) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    text.lines().map(|line| line.split('\u{1}').nth(2).unwrap().to_owned()).collect()
}
