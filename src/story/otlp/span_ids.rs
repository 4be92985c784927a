//! The IDs of the spans of an answer.

use std::collections::BTreeSet;

use crate::limits::OTLP_ID_BYTES;
use crate::memory::{MemoryBudget, OutOfMemory, Reservation};
use crate::record::RayId;

/// The IDs that spans of an answer have.
pub(crate) struct SpanIds {
    taken: BTreeSet<u64>,
    room: Reservation,
}

impl SpanIds {
    pub(crate) fn new(memory: &MemoryBudget) -> Self {
        Self { taken: BTreeSet::new(), room: memory.reservation() }
    }

    /// Takes the ID that the span of a ray has; returns whether no span had it.
    pub(crate) fn claim(&mut self, ray: RayId) -> Result<bool, OutOfMemory> {
        self.room.reserve(OTLP_ID_BYTES)?;
        Ok(self.taken.insert(ray.bits()))
    }

    /// Takes an ID of 8 bytes; returns whether no span had it.
    pub(super) fn claim_bytes(&mut self, id: &[u8]) -> Result<bool, OutOfMemory> {
        id.try_into().map_or(Ok(false), |id| self.claim(RayId::from_bits(u64::from_be_bytes(id))))
    }
}
