//! The world over the bindings: what every entry point answers from.
//!
//! What always holds: whoever has it has every binding.

use std::time::Duration;

use worker::{Delay, Env, Result};

use super::bucket::R2Bucket;
use super::objects::NamedObjects;
use super::producer::Producer;
use super::{access, env, log, random};
use crate::access::{Caller, Denied, Presented, Rules};
use crate::api::Desk;
use crate::memory::{Memory, Turn};
use crate::pipeline::World;

thread_local! {
    /// The one account of this isolate.
    static MEMORY: Memory = Memory::default();
    /// The one turn of this isolate.
    static TURN: Turn = Turn::default();
}

/// The bindings of the deployment.
#[derive(Debug)]
pub(super) struct Bindings {
    bucket: R2Bucket,
    shards: NamedObjects,
    ledgers: NamedObjects,
    audits: NamedObjects,
    memory: Memory,
    turn: Turn,
    parses: Producer,
    sends: Producer,
}

impl Bindings {
    /// The bindings, if none is missing.
    pub(super) fn of(env: &Env) -> Result<Self> {
        Ok(Self {
            bucket: env::bucket(env)?,
            shards: env::shards(env)?,
            ledgers: env::ledgers(env)?,
            audits: env::audits(env)?,
            memory: MEMORY.with(Memory::clone),
            turn: TURN.with(Turn::clone),
            parses: env::parses(env)?,
            sends: env::sends(env)?,
        })
    }
}

impl World for Bindings {
    type Bucket = R2Bucket;
    type Shards = NamedObjects;
    type Ledgers = NamedObjects;
    type Parses = Producer;
    type Sends = Producer;

    fn bucket(&self) -> &R2Bucket {
        &self.bucket
    }

    fn shards(&self) -> &NamedObjects {
        &self.shards
    }

    fn ledgers(&self) -> &NamedObjects {
        &self.ledgers
    }

    fn parses(&self) -> &Producer {
        &self.parses
    }

    fn sends(&self) -> &Producer {
        &self.sends
    }

    fn now_ms(&self) -> i64 {
        log::now_ms()
    }

    fn random(&self) -> u32 {
        random::word()
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    async fn pause(&self, ms: i64) {
        Delay::from(Duration::from_millis(u64::try_from(ms).unwrap_or_default())).await;
    }
}

impl Desk for Bindings {
    type Audits = NamedObjects;

    async fn admit(&self, rules: &Rules, presented: Presented<'_>) -> std::result::Result<Caller, Denied> {
        access::admit(rules, presented, log::now_ms()).await
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn audits(&self) -> &NamedObjects {
        &self.audits
    }
}
