//! The world as one task takes it.

use raydex::memory::Turn;
use raydex::pipeline::World;

use super::world::{Isolate, Ledgers, Shards};

/// Most bytes of a pack: of a batch's one to eight bodies of some 200 bytes, some lie together and some alone.
const PACK_BYTES: usize = 700;

/// The world as the stages take it.
#[derive(Debug, Clone)]
pub(crate) struct TaskWorld {
    pub(crate) isolate: Isolate,
    shards: Shards,
    ledgers: Ledgers,
    /// Each task's own, as if it ran in an isolate of its own: so that all orders of their steps come about.
    turn: Turn,
}

impl TaskWorld {
    pub(crate) fn new(isolate: Isolate) -> Self {
        Self { shards: Shards(isolate.clone()), ledgers: Ledgers(isolate.clone()), turn: Turn::default(), isolate }
    }
}

impl World for TaskWorld {
    type Bucket = Isolate;
    type Shards = Shards;
    type Ledgers = Ledgers;
    type Parses = Isolate;
    type Sends = Isolate;

    fn bucket(&self) -> &Isolate {
        &self.isolate
    }

    fn shards(&self) -> &Shards {
        &self.shards
    }

    fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    fn parses(&self) -> &Isolate {
        &self.isolate
    }

    fn sends(&self) -> &Isolate {
        &self.isolate
    }

    fn now_ms(&self) -> i64 {
        self.isolate.platform.time.now_ms() + self.isolate.skew_ms
    }

    fn random(&self) -> u32 {
        7
    }

    fn pack_bytes(&self) -> usize {
        PACK_BYTES
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    async fn pause(&self, ms: i64) {
        self.isolate.platform.time.sleep(ms).await;
    }
}
