//! The consumer of `send-queue`: handles the messages of a batch concurrently and independently.
//!
//! Each payload of a message holds one connection at a time, so as many are sent at once as the platform opens connections. With
//! more, a POST could wait for its connection until its time is up, without proof that it was never sent.
//!
//! # Invariants
//!
//! A POST that hangs keeps the other messages' acks waiting no longer than it must: once nothing else remains to be done,
//! and what is left of its time limit fits behind the batch, the batch ends. Messages still in progress are then
//! acknowledged too, since the ledger holds their payloads, and continue after the batch; a lease ends whatever does not
//! finish there. No message is begun so late that the platform could end the batch in the middle of its claim.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::prelude::JsValue;
use worker::{Context, Delay, Env};

use super::env;
use super::log::{self, EventLog};
use super::messages::{MessageBatchSummary, QueueBatch, QueueMessage};
use super::sending::SendDependencies;
use crate::pipeline::{MessageLoad, PostSlots, ReceivedMessage, run_messages};

/// Consumes a batch of messages.
pub(super) async fn consume(batch: &QueueBatch, env: &Env, context: &Context) -> Result<(), JsValue> {
    let run = Rc::new(SendBatchRun::new(batch, env));
    run.sending.ask_partner().await;
    let (each, messages) = (Rc::clone(&run), run.messages.clone());
    let weighed = messages.into_iter().map(|message| (Rc::clone(&message), message.payloads()));
    let mut all = Box::pin(run_messages(weighed, PostSlots::default(), move |message, load| {
        let run = Rc::clone(&each);
        async move { run.take(&message, load).await }
    }));
    while let Some(patience) = run.patience() {
        match select(all, Delay::from(patience)).await {
            Either::Left(_) => return run.end(),
            Either::Right(((), rest)) => all = rest,
        }
    }
    run.leave();
    context.wait_until(all);
    run.end()
}

/// A message, and whether it was acked or given a delay.
struct SendMessage {
    message: QueueMessage,
    received: ReceivedMessage,
    settled: Cell<bool>,
}

impl SendMessage {
    fn new(message: QueueMessage) -> Rc<Self> {
        let received = message.received(env::SEND_QUEUE_NAME);
        Rc::new(Self { message, received, settled: Cell::new(false) })
    }

    /// Returns the number of payloads that it names, at least one.
    fn payloads(&self) -> usize {
        self.received.payloads().map_or(1, |group| group.payloads())
    }
}

/// The processing of a batch.
struct SendBatchRun {
    sending: SendDependencies,
    log: EventLog,
    messages: Vec<Rc<SendMessage>>,
    /// Unix milliseconds at which the batch began.
    started_ms: i64,
    /// Number of messages begun, and the time of the last one's start.
    begun: Cell<(usize, i64)>,
    summary: RefCell<MessageBatchSummary>,
    fault: Cell<Option<JsValue>>,
}

impl SendBatchRun {
    fn new(batch: &QueueBatch, env: &Env) -> Self {
        let sending = SendDependencies::from_env(env);
        Self {
            log: EventLog::for_config(&sending.config),
            sending,
            messages: batch.messages().into_iter().map(SendMessage::new).collect(),
            started_ms: log::now_ms(),
            begun: Cell::new((0, log::now_ms())),
            summary: RefCell::new(MessageBatchSummary::new(batch.queue())),
            fault: Cell::new(None),
        }
    }

    /// Returns the remaining time to wait; `None` once every message was begun and the last POST had its time.
    fn patience(&self) -> Option<Duration> {
        let (begun, last_ms) = self.begun.get();
        let last_ms = last_ms.max(self.sending.last_post_ms());
        let spent_ms = if begun < self.messages.len() { 0 } else { log::now_ms() - last_ms };
        let left_ms = u64::try_from(self.sending.patience_ms() - spent_ms).ok().filter(|left_ms| *left_ms > 0);
        left_ms.map(Duration::from_millis)
    }

    /// Handles one message of the batch.
    async fn take(&self, message: &SendMessage, load: MessageLoad) {
        let (begun, _) = self.begun.get();
        let now_ms = log::now_ms();
        self.begun.set((begun + 1, now_ms));
        let verdicts = if now_ms - self.started_ms <= self.sending.begin_within_ms() {
            self.sending.send(&message.received, load).await
        } else {
            self.sending.hand_on(&message.received).await
        };
        let counted = verdicts.iter().map(|verdict| (verdict.verdict.name(), verdict.code.as_deref()));
        self.settle(message, counted, verdicts.iter().filter_map(|verdict| verdict.retry_s).max());
        for verdict in &verdicts {
            self.log.write(verdict.level(), "send_message", verdict);
        }
    }

    /// Acks every message that is still in progress.
    fn leave(&self) {
        self.messages.iter().for_each(|message| self.settle(message, [("under_way", None)], None));
    }

    /// Settles a message, once; it is tried again if any of its payloads is.
    fn settle<'a>(
        &self,
        message: &SendMessage,
        verdicts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        retry_s: Option<u32>,
    ) {
        if !message.settled.replace(true) {
            self.summary.borrow_mut().count_each(verdicts);
            if let Err(fault) = message.message.settle(retry_s) {
                self.fault.set(Some(fault));
            }
        }
    }

    /// Logs the outcome of the batch.
    fn end(&self) -> Result<(), JsValue> {
        self.log.info("send_batch", &*self.summary.borrow());
        self.fault.take().map_or(Ok(()), Err)
    }
}
