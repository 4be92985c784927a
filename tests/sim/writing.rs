//! What is written to the bucket in a run: new batches, and others moved, copied or written anew.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::DeliveryWindow;
use raydex::r2_event::R2Event;

use super::load::Load;
use super::run::Run;
use super::setting::Changes;
use super::traffic::{self, BEGIN_MS, Batch};

/// The number of the first backfill that repeats a window of the whole bucket.
const CAMPAIGNS_FROM: i64 = 1_000_000;
/// Time in which such a backfill lists the bucket.
const CAMPAIGN_MS: i64 = 300_000;

impl Run {
    /// Writes a batch, new or made of others, and asks for the backfills that it is to have.
    pub(super) fn write_batch(&mut self, now: i64) {
        if let Some(load) = self.setting.load {
            return self.write_file(load, now);
        }
        let number = self.batches.len();
        let moves = self.setting.changes == Changes::OneMove && number > 0;
        let rewrites =
            self.setting.changes == Changes::Any && number > 0 && self.platform.random.borrow_mut().chance(250);
        let kind = (self.setting.exclude, self.setting.whole);
        let batch = {
            let random = &mut self.platform.random.borrow_mut();
            self.next_batch_ms = now + random.between(1_000, 60_000);
            if rewrites || moves { None } else { Some(traffic::batch(random, number, now, kind)) }
        };
        let batch = batch.unwrap_or_else(|| if moves { self.move_first(now) } else { self.rewrite(now) });
        for window in &batch.windows {
            let at = now + self.platform.random.borrow_mut().between(0, 120_000);
            self.backfills.push((number, *window, None, at));
        }
        let batch = if self.setting.repeats { self.repeat(batch, number, now) } else { batch };
        self.store(batch, now);
        if self.setting.repeats {
            self.repeat_many(now);
        }
        for event in std::mem::take(&mut self.deletions) {
            self.platform.enqueue(&self.platform.parses, event);
        }
        for (number, queue) in [&self.platform.parses, &self.platform.sends].into_iter().enumerate() {
            if let Some(body) = traffic::odd_message(self.batches.len(), number) {
                self.platform.enqueue(queue, body);
            }
        }
    }

    /// Writes the next file of a steady load.
    fn write_file(&mut self, load: Load, now: i64) {
        let number = self.batches.len();
        self.next_batch_ms = BEGIN_MS + load.due_ms(number + 1);
        self.store(traffic::file(number, now, Load::lines(number)), now);
    }

    /// Asks for some of a batch to be delivered once more, before or after its first delivery.
    fn repeat(&mut self, batch: Batch, number: usize, now: i64) -> Batch {
        let random = &mut self.repetitions;
        if !random.chance(300) {
            return Batch { again: Vec::new(), ..batch };
        }
        let start_ms = now - 60_000 + random.between(0, 5) * 10;
        let window = DeliveryWindow { start_ms, end_ms: start_ms + random.between(1, 9) * 10 };
        let id = i64::try_from(number).unwrap() + 1;
        self.backfills.push((number, window, Some(id), now + random.between(0, 900_000)));
        Batch { again: vec![(id, window)], ..batch }
    }

    /// Asks for a window of the bucket to be delivered once more, as one backfill: of each batch that is there, and of those that
    /// are written until it has listed the whole bucket, such as a batch that is moved meanwhile.
    fn repeat_many(&mut self, now: i64) {
        if self.repetitions.chance(60) {
            let start_ms = now - self.repetitions.between(60_000, 600_000);
            let window = DeliveryWindow { start_ms, end_ms: start_ms + self.repetitions.between(1_000, 600_000) };
            let id = CAMPAIGNS_FROM + i64::try_from(self.batches.len()).unwrap();
            self.campaign = Some((id, window, now + CAMPAIGN_MS));
            (0..self.batches.len() - 1).for_each(|number| self.repeat_in(number, (id, window), now));
        }
        if let Some((id, window, until_ms)) = self.campaign.filter(|(_, _, until_ms)| now < *until_ms) {
            self.repeat_in(self.batches.len() - 1, (id, window), until_ms);
        }
    }

    /// Has a backfill read a batch of its window, at some time after the given one.
    fn repeat_in(&mut self, number: usize, (id, window): (i64, DeliveryWindow), from_ms: i64) {
        let batch = &mut self.batches[number];
        if !batch.removed && batch.lines.iter().any(|line| window.holds(line.unix_ms)) {
            batch.again.push((id, window));
            let at = from_ms + self.repetitions.between(0, CAMPAIGN_MS);
            self.backfills.push((number, window, Some(id), at));
        }
    }

    /// Writes a batch's object; that of live traffic has an event.
    fn store(&mut self, mut batch: Batch, now: i64) {
        let head = self.platform.store(&batch.key, batch.bytes.clone());
        if batch.windows.is_empty() && batch.has_event {
            let event = R2Event::put_object(BUCKET_NAME, &batch.key, head.size, &head.etag, now);
            self.platform.enqueue(&self.platform.parses, serde_json::to_string(&event).unwrap());
        }
        (batch.etag, batch.uploaded_ms) = (head.etag, head.uploaded_ms);
        batch.may_again = self.pending_repetitions(&batch.key);
        self.batches.push(batch);
    }

    /// A batch made of one or two others: a copy, or one written anew, under a key of its own or theirs, while they stay
    /// or go.
    fn rewrite(&mut self, now: i64) -> Batch {
        let number = self.batches.len();
        let mut drawn = self.platform.random.borrow_mut();
        let random = &mut *drawn;
        let whole: Vec<usize> =
            (0..number).rev().take(12).filter(|&at| !self.batches[at].damaged && !self.batches[at].removed).collect();
        let kind = (self.setting.exclude, self.setting.whole);
        let Some(&first) = whole.first() else { return traffic::batch(random, number, now, kind) };
        let sources = [if random.chance(500) { first } else { *random.of(&whole) }, *random.of(&whole)];
        let sources = if sources[0] != sources[1] && random.chance(400) { &sources[..] } else { &sources[..1] };
        let (in_place, stays) = (random.chance(250), random.chance(400));
        let old_key = self.batches[sources[0]].key.clone();
        let key = if in_place { old_key.clone() } else { traffic::key(number, now) };
        let of: Vec<&Batch> = sources.iter().map(|&at| &self.batches[at]).collect();
        let batch = if sources.len() == 1 && random.chance(500) {
            Batch { key: key.clone(), windows: Vec::new(), again: Vec::new(), has_event: true, ..of[0].clone() }
        } else {
            traffic::rewritten(random, &of, key.clone())
        };
        let gone: Vec<String> = of.iter().map(|batch| batch.key.clone()).filter(|of| *of == key || !stays).collect();
        for removed in self.batches.iter_mut().filter(|batch| gone.contains(&batch.key)) {
            removed.removed = true;
        }
        drop(drawn);
        for key in gone.iter().filter(|gone| **gone != key) {
            self.delete(key);
        }
        batch
    }

    /// The first batch under another key: its object is copied, then deleted.
    fn move_first(&mut self, now: i64) -> Batch {
        self.effects_before_move = self.platform.faults.borrow().effects;
        let key = traffic::key(self.batches.len(), now);
        let moved = Batch { key, windows: Vec::new(), has_event: true, ..self.batches[0].clone() };
        self.batches[0].removed = true;
        let old_key = self.batches[0].key.clone();
        self.delete(&old_key);
        moved
    }

    /// Deletes an object, of which an event is still to be sent.
    fn delete(&mut self, key: &str) {
        self.platform.bucket.borrow_mut().remove(key);
        let event = format!(r#"{{"action":"DeleteObject","bucket":"{BUCKET_NAME}","object":{{"key":"{key}"}}}}"#);
        self.deletions.push(event);
    }
}
