//! How many records an answer has: those of senders with zones are counted apart, each zone for itself.
//!
//! # Invariants
//! Whether a record has room depends on no span of another zone's sender, and that of a record without such a sender on none at
//! all. What has none is left out with all that follows of the same sender.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{LOOKUP_BYTES, SENDER_ZONES, SENDER_ZONES_CUT, ZONE_SPAN_BYTES, ZONE_SPANS};

/// What is missing of records because there was no room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordCut {
    /// Whether records are that no sender with zones brought.
    pub truncated: bool,
    /// The zones of senders of whose spans some are.
    pub senders: BTreeSet<String>,
    /// Whether it is the memory that has no room.
    pub(crate) lacks_memory: bool,
}

impl RecordCut {
    /// Notes that a record of this sender is missing.
    fn note(&mut self, sender: Option<&str>) {
        match sender {
            Some(zone) if self.senders.contains(zone) => {}
            Some(zone) if self.senders.len() < SENDER_ZONES_CUT => {
                self.senders.insert(zone.to_owned());
            }
            _ => self.truncated = true,
        }
    }

    /// Notes what else is missing.
    pub(crate) fn add(&mut self, other: &Self) {
        self.truncated |= other.truncated;
        self.lacks_memory |= other.lacks_memory;
        other.senders.iter().for_each(|zone| self.note(Some(zone)));
    }

    /// Counts what is missing of each sender as missing: its spans are shown.
    pub(crate) fn settle(&mut self) {
        self.truncated |= !std::mem::take(&mut self.senders).is_empty();
    }

    /// Returns whether anything is missing.
    pub(crate) fn is_any(&self) -> bool {
        self.truncated || !self.senders.is_empty()
    }
}

/// The records of a sender that have room so far.
#[derive(Debug, Clone, Copy, Default)]
struct RoomTaken {
    records: usize,
    bytes: usize,
    is_full: bool,
}

/// The room for records.
#[derive(Debug, Clone)]
pub(crate) struct RecordRoom {
    most: usize,
    /// Those without a sender, or of one without zones.
    free: RoomTaken,
    zones: BTreeMap<String, RoomTaken>,
    /// What had no room.
    pub(crate) cut: RecordCut,
}

impl RecordRoom {
    /// Room for this number of records that no sender with zones brought.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, free: RoomTaken::default(), zones: BTreeMap::new(), cut: RecordCut::default() }
    }

    /// Takes the room of a record of this length; returns whether it has any.
    pub(crate) fn take(&mut self, sender: Option<&str>, bytes: usize) -> bool {
        let (most, most_bytes) =
            if sender.is_some() { (self.most.min(ZONE_SPANS), ZONE_SPAN_BYTES) } else { (self.most, LOOKUP_BYTES) };
        let has_room = self.taken_by(sender).is_some_and(|taken| {
            taken.is_full |= taken.records >= most || taken.bytes + bytes > most_bytes;
            if !taken.is_full {
                taken.records += 1;
                taken.bytes += bytes;
            }
            !taken.is_full
        });
        if !has_room {
            self.cut.note(sender);
        }
        has_room
    }

    /// Closes the room of a sender whose record the memory has no room for.
    pub(crate) fn close(&mut self, sender: Option<&str>) {
        if let Some(taken) = self.taken_by(sender) {
            taken.is_full = true;
        }
        self.cut.lacks_memory = true;
        self.cut.note(sender);
    }

    /// Returns what a sender has taken; `None` for one of a zone too many.
    fn taken_by(&mut self, sender: Option<&str>) -> Option<&mut RoomTaken> {
        let Some(zone) = sender else { return Some(&mut self.free) };
        if !self.zones.contains_key(zone) && self.zones.len() < SENDER_ZONES {
            self.zones.insert(zone.to_owned(), RoomTaken::default());
        }
        self.zones.get_mut(zone)
    }
}

#[cfg(test)]
mod tests {
    use super::RecordRoom;
    use crate::limits::{LOOKUP_BYTES, SENDER_ZONES, SENDER_ZONES_CUT, ZONE_SPAN_BYTES, ZONE_SPANS};

    #[test]
    fn no_sender_takes_the_room_of_another() {
        let mut room = RecordRoom::new(1_000);
        let taken = |room: &mut RecordRoom, sender| (0..2_000).filter(|_| room.take(sender, 100)).count();
        let one = "a.example";
        assert_eq!([taken(&mut room, Some(one)), taken(&mut room, None)], [ZONE_SPANS, 1_000]);
        assert_eq!([taken(&mut room, Some("b.example")), taken(&mut room, Some(one))], [ZONE_SPANS, 0]);
        assert!(room.cut.truncated && room.cut.senders.iter().eq(["a.example", "b.example"]));
        let mut room = RecordRoom::new(10);
        assert_eq!([taken(&mut room, Some(one)), taken(&mut room, None)], [10, 10]);
    }

    #[test]
    fn what_follows_a_record_without_room_has_none() {
        let mut room = RecordRoom::new(1_000);
        assert!(room.take(None, LOOKUP_BYTES - 1) && !room.take(None, 2) && !room.take(None, 1));
        assert!(room.take(Some("a"), ZONE_SPAN_BYTES) && !room.take(Some("a"), 1));
        assert!(room.take(Some("b"), 1), "others have theirs");
        room.close(Some("b"));
        assert!(!room.take(Some("b"), 1));
    }

    #[test]
    fn zones_with_room_are_few() {
        let mut room = RecordRoom::new(1_000);
        let zones: Vec<String> = (0..2 * SENDER_ZONES_CUT).map(|number| format!("{number:03}.example")).collect();
        let taken = zones.iter().filter(|zone| room.take(Some(zone), 1)).count();
        assert_eq!((taken, room.cut.senders.len()), (SENDER_ZONES, SENDER_ZONES_CUT));
        assert!(room.cut.truncated, "of more, it is said that there are some");
        assert!(room.take(Some(&zones[0]), 1) && !room.take(None, LOOKUP_BYTES + 1));
    }
}
