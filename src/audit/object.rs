//! The object that keeps a chain: calls that append wait for one another's commit, all others are answered at once.
//!
//! A commit is written at once where none is under way, and the next one once it is durable: what arrives in between shares
//! it. So an entry that comes alone waits for nothing but its own row, and many that come together cost few rows.
//!
//! # Invariants
//! A call that appends is answered only after its entries are durable. A commit runs without an `await`, so no other comes
//! between reading the end of the chain and appending to it.

use std::cell::{Cell, RefCell};

use super::calls::{
    AppendAnswer, AppendEvent, AppendEvents, ChainCount, CountWritten, ErasureGeneration, ForgetTokens, ListCosts,
    NoteErasures, RaiseChains, ReadEntries, ReportCosts, TokenGeneration,
};
use super::commit::{CommittedCalls, commit, report_costs};
use super::facts::{keep_chain, raise_chains, raise_erasures, stored_chains};
use super::{AuditMemory, OBJECT, chain, open, set_alarm};
use crate::access::ChainNumber;
use crate::backend::{BackendError, SqlDatabase, to_json};
use crate::ledger::Alarm;
use crate::rpc::{Call, CallReply, Dispatcher, GroupRun, ItemSize, ObjectDatabase, local_bell};

/// The object of a chain, as it is when a call comes.
#[derive(Debug)]
pub struct AuditObject<'a, S, A> {
    /// The chain that it keeps.
    pub chain: ChainNumber,
    /// Its database.
    pub sql: &'a S,
    /// Its alarm.
    pub alarm: &'a A,
    /// Whether its tables are known to exist.
    pub is_open: &'a Cell<bool>,
    /// What it has in memory.
    pub held: &'a RefCell<AuditMemory>,
}

impl<S: SqlDatabase, A: Alarm> AuditObject<'_, S, A> {
    /// Answers one call; the tables may not exist yet, and reading them makes none.
    ///
    /// # Errors
    /// [`BackendError`] where the call is unknown or the database failed; nothing was appended then, or it is not known to
    /// be durable.
    pub async fn serve(&self, (name, body): (&str, &[u8]), clock: impl Fn() -> i64) -> Result<Vec<u8>, BackendError> {
        match name {
            AppendEvent::NAME => {
                let answers = self.append(vec![AppendEvent::from_body(body)?], body.len(), clock).await?;
                let answer = answers.into_iter().next();
                answer.map(|answer| to_json(&answer)).ok_or_else(|| BackendError::new("appending", "no answer"))
            }
            AppendEvents::NAME => {
                let AppendEvents(events) = AppendEvents::from_body(body)?;
                Ok(to_json(&self.append(events, body.len(), clock).await?))
            }
            _ => {
                let reply = self.answer(name, body, clock()).inspect_err(|_| self.held.borrow_mut().forget_costs())?;
                if [RaiseChains::NAME, NoteErasures::NAME].contains(&name) {
                    self.sql.flushed().await?;
                }
                // The alarm is that of earlier entries, whether or not it can be set.
                let _logged = set_alarm(self.held, self.alarm, reply.wake_ms).await;
                Ok(reply.body)
            }
        }
    }

    /// Answers a call that appends nothing.
    fn answer(&self, name: &str, body: &[u8], now_ms: i64) -> Result<CallReply, BackendError> {
        let Self { chain, sql, is_open, held, .. } = *self;
        let answer = |sql: &ObjectDatabase<'_, S>| {
            Dispatcher::new(sql, name, body)
                .on(|ask: &ReadEntries| chain::read(sql, chain, ask))
                .on(|_: &CountWritten| Ok(held.borrow().written))
                .on(|_: &ForgetTokens| {
                    let generation = held.borrow_mut().forget_tokens(now_ms);
                    Ok(TokenGeneration { generation, chains: stored_chains(sql)? })
                })
                .on(|ask: &ReportCosts| report_costs(sql, &mut held.borrow_mut(), ask, now_ms))
                .on(|ask: &ListCosts| {
                    let costs = &mut held.borrow_mut().costs;
                    costs.restore(sql, now_ms)?;
                    Ok(costs.page(ask.limit))
                })
                .on(|ask: &NoteErasures| {
                    let generation = raise_erasures(sql, ask.generation)?;
                    held.borrow_mut().erasures = Some(generation);
                    Ok(ErasureGeneration { generation })
                })
                .on(|ask: &RaiseChains| Ok(ChainCount { chains: raise_chains(sql, ask.chains)? }))
                .finish()
        };
        let reply = ObjectDatabase::serve(sql, is_open, &OBJECT, || self.open_tables(), answer)?;
        let mut held = held.borrow_mut();
        let due_ms = held.denials.due_ms();
        Ok(CallReply { wake_ms: held.watch.wake_ms(false, due_ms, now_ms), ..reply })
    }

    /// Appends the events of a call, together with those of others that wait.
    async fn append(
        &self,
        events: Vec<AppendEvent>,
        bytes: usize,
        clock: impl Fn() -> i64,
    ) -> Result<Vec<AppendAnswer>, BackendError> {
        let group = self.held.borrow().group.0.clone();
        let size = ItemSize { entries: events.len(), bytes };
        let place = group.join(events, size)?;
        loop {
            if let Some(outcome) = place.outcome() {
                return outcome;
            }
            if let Some(run) = group.try_lead(&clock) {
                self.commit(run, clock()).await;
                continue;
            }
            let (bell, rung) = local_bell();
            place.set_bell(bell);
            rung.await;
        }
    }

    /// Writes what waits, and answers it once it is durable.
    async fn commit(&self, mut run: GroupRun<Vec<AppendEvent>, Vec<AppendAnswer>>, now_ms: i64) {
        let calls = run.take_items();
        let outcome = match self.write(&calls, now_ms) {
            Ok(CommittedCalls { answers, wake_ms }) => {
                // The entries are written, whether or not the alarm can be set.
                let _logged = set_alarm(self.held, self.alarm, wake_ms).await;
                self.sql.flushed().await.map(|()| answers)
            }
            Err(error) => Err(error),
        };
        run.finish(outcome);
    }

    fn write(&self, calls: &[Vec<AppendEvent>], now_ms: i64) -> Result<CommittedCalls, BackendError> {
        if !self.is_open.get() {
            if OBJECT.ensure(self.sql, &Cell::new(false))? {
                keep_chain(self.sql, self.chain)?;
            } else {
                self.sql.transaction(&mut || self.open_tables())?;
            }
            self.is_open.set(true);
        }
        commit(self.sql, &mut self.held.borrow_mut(), self.chain, calls, now_ms)
    }

    fn open_tables(&self) -> Result<(), BackendError> {
        open(self.sql)?;
        keep_chain(self.sql, self.chain)
    }
}
