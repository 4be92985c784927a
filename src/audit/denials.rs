//! Denials that repeat: the first is an entry at once, the others of its minute are one more entry with their number.
//!
//! The counts are in memory alone, and an alarm brings them into the log at the end of the minute. Where the object is
//! started anew in between, the first entry of each denial is still there.
//!
//! # Invariants
//! In any minute a caller adds two entries for each route, address and code, however often it asks. The memory is bounded;
//! beyond [`DENIALS_WATCHED`] denials at a time, the others of a caller count as equal.

use std::collections::BTreeMap;

use super::calls::{AuditEvent, Denial};
use crate::limits::{DENIAL_WINDOW_MS, DENIALS_WATCHED};

/// The code of denials that are counted together.
const SEVERAL: &str = "several";

/// Two denials are equal if they have the same actor, action, address, status and code.
type DenialKey = (String, String, String, u16, String);

/// The denials of the last minute.
#[derive(Debug, Default)]
pub(super) struct DenialWindows(BTreeMap<DenialKey, DenialWindow>);

/// Equal denials within a minute.
#[derive(Debug, Clone)]
struct DenialWindow {
    until_ms: i64,
    /// The number of the entry of the first one.
    first: u64,
    /// How many followed.
    repeats: u64,
    /// The last one that followed.
    event: AuditEvent,
}

/// The changes of a call's transaction, applied to the memory once it is committed.
#[derive(Debug, Default)]
pub(super) struct DenialChanges {
    /// The windows whose repeats are entries now.
    ended: Vec<DenialKey>,
    denied: Vec<NotedDenial>,
}

/// A denial that was recorded, or is to be counted.
#[derive(Debug)]
struct NotedDenial {
    key: DenialKey,
    event: AuditEvent,
    count: u64,
    /// The number of its entry; `None` for a repeat.
    entry: Option<u64>,
    now_ms: i64,
}

impl DenialWindows {
    /// When the first of the windows with repeats ends.
    pub(super) fn due_ms(&self) -> Option<i64> {
        self.0.values().filter(|window| window.repeats > 0).map(|window| window.until_ms).min()
    }

    /// The entries for the repeats of all windows that have ended, and the windows to forget.
    pub(super) fn ended(&self, now_ms: i64) -> (Vec<(String, AuditEvent, Denial)>, DenialChanges) {
        let ended = || self.0.iter().filter(|(_, window)| window.until_ms <= now_ms);
        let entry = |(key, window): (&DenialKey, &DenialWindow)| {
            let (actor, _, _, status, code) = key.clone();
            let denial = Denial { status, code, count: window.repeats, refers_to: Some(window.first) };
            (actor, window.event.clone(), denial)
        };
        let entries = ended().filter(|(_, window)| window.repeats > 0).map(entry).collect();
        (entries, DenialChanges { ended: ended().map(|(key, _)| key.clone()).collect(), denied: Vec::new() })
    }

    /// Whether an equal denial is an entry of this minute.
    pub(super) fn is_repeat(&self, key: &DenialKey, now_ms: i64) -> bool {
        self.0.get(key).is_some_and(|window| now_ms < window.until_ms)
    }

    /// Returns the key under which equal denials are counted.
    pub(super) fn key(&self, actor: &str, event: &AuditEvent, denial: &Denial, changes: &DenialChanges) -> DenialKey {
        let AuditEvent { action, address, .. } = event;
        let key = (actor.to_owned(), action.clone(), address.clone(), denial.status, denial.code.clone());
        let watched = self.0.len() + changes.denied.iter().filter(|noted| noted.entry.is_some()).count();
        let has_room = watched < DENIALS_WATCHED || self.0.contains_key(&key) || changes.has(&key);
        if has_room { key } else { (actor.to_owned(), String::new(), String::new(), denial.status, SEVERAL.into()) }
    }

    /// Notes what was committed.
    pub(super) fn apply(&mut self, changes: DenialChanges) {
        for key in changes.ended {
            self.0.remove(&key);
        }
        for NotedDenial { key, event, count, entry, now_ms } in changes.denied {
            if let Some(first) = entry {
                let until_ms = now_ms + DENIAL_WINDOW_MS;
                self.0.insert(key, DenialWindow { until_ms, first, repeats: 0, event });
            } else if let Some(window) = self.0.get_mut(&key) {
                window.repeats += count;
                window.event = event;
            }
        }
    }
}

impl DenialChanges {
    /// Notes a denial: its entry's number where it has one of its own.
    pub(super) fn deny(&mut self, key: DenialKey, event: &AuditEvent, count: u64, entry: Option<u64>, now_ms: i64) {
        self.denied.push(NotedDenial { key, event: event.clone(), count, entry, now_ms });
    }

    /// Whether an equal denial has become an entry in the same call.
    pub(super) fn has(&self, key: &DenialKey) -> bool {
        self.denied.iter().any(|noted| noted.key == *key && noted.entry.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditEvent, BTreeMap, Denial, DenialChanges, DenialWindows};
    use crate::limits::{DENIAL_WINDOW_MS, DENIALS_WATCHED};

    fn event(address: usize) -> AuditEvent {
        AuditEvent {
            auth_method: "token".into(),
            role: "viewer".into(),
            address: address.to_string(),
            action: "GET /v1/audit".into(),
            resource: String::new(),
            request: BTreeMap::new(),
            reason: None,
        }
    }

    /// Denies a request; says whether it needs an entry of its own.
    fn deny(windows: &mut DenialWindows, address: usize, now_ms: i64) -> bool {
        let (event, mut changes) = (event(address), DenialChanges::default());
        let denial = Denial { status: 403, code: "forbidden".into(), count: 1, refers_to: None };
        let key = windows.key("eye", &event, &denial, &changes);
        let is_repeat = windows.is_repeat(&key, now_ms);
        changes.deny(key, &event, 1, (!is_repeat).then_some(7), now_ms);
        windows.apply(changes);
        !is_repeat
    }

    #[test]
    fn denials_beyond_the_bound_count_as_equal() {
        let mut windows = DenialWindows::default();
        let entries = (0..3 * DENIALS_WATCHED).filter(|address| deny(&mut windows, *address, 0)).count();
        assert_eq!((entries, windows.0.len()), (DENIALS_WATCHED + 1, DENIALS_WATCHED + 1));
        assert_eq!(windows.due_ms(), Some(DENIAL_WINDOW_MS));
        let (ended, changes) = windows.ended(DENIAL_WINDOW_MS);
        let counts: Vec<_> = ended.iter().map(|(_, _, denial)| (denial.code.as_str(), denial.count)).collect();
        assert_eq!(counts, [("several", 2 * DENIALS_WATCHED as u64 - 1)]);
        windows.apply(changes);
        assert!(windows.0.is_empty() && windows.due_ms().is_none());
    }

    #[test]
    fn repeats_are_due_when_their_minute_ends() {
        let mut windows = DenialWindows::default();
        assert!(deny(&mut windows, 1, 1_000) && windows.due_ms().is_none(), "one alone is an entry already");
        assert!(!deny(&mut windows, 1, 1_000 + DENIAL_WINDOW_MS - 1));
        assert!(windows.ended(1_000 + DENIAL_WINDOW_MS - 1).0.is_empty());
        assert_eq!(windows.ended(1_000 + DENIAL_WINDOW_MS).0[0].2.refers_to, Some(7));
        assert!(deny(&mut windows, 1, 1_000 + DENIAL_WINDOW_MS), "the next minute begins with an entry");
    }
}
