//! Reads the chains of the audit log as one list, by time; of equal times the lower chain comes first.
//!
//! Each chain is read ahead by some entries. The next of the list is the earliest of those, which is known once each chain has
//! one or is at its end.
//!
//! # Invariants
//! Every entry that is searched for is in the list once. A position says of its chain that all up to it was in the list or is
//! not searched for. Times of a chain never go back, so the list of entries that exist when the reading begins is in order;
//! those that are appended meanwhile come later, each once.

use std::collections::VecDeque;

use serde::Serialize;

use super::audit_read::{ChainRead, FoundEntries, collect_entries};
use super::retry::retry_while_out_of_memory;
use crate::access::ChainNumber;
use crate::audit::calls::{ChainEntry, ChainHead, ReadEntries};
use crate::audit::positions::ChainPositions;
use crate::audit::search::EntryFilter;
use crate::audit::time_of;
use crate::http::Problem;
use crate::limits::{AUDIT_CHAIN_ENTRIES, AUDIT_PAGE_BYTES, AUDIT_SEARCH, LINE_COPIES};
use crate::memory::Reservation;
use crate::services::Services;

/// Where the next page begins: a number in a log with one chain, a text for several.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum AfterResponse {
    Number(u64),
    Text(String),
}

impl From<ChainPositions> for AfterResponse {
    fn from(positions: ChainPositions) -> Self {
        positions.single().map_or_else(|| Self::Text(positions.to_string()), Self::Number)
    }
}

/// An entry of a chain.
pub(super) struct MergedEntry {
    pub(super) chain: ChainNumber,
    pub(super) kept: ChainEntry,
}

/// What was read of a chain.
pub(super) struct ChainReader {
    pub(super) chain: ChainNumber,
    /// The hash of the entry before the first that was looked at; `None` before any was.
    pub(super) before: Option<String>,
    /// The last entry that was looked at.
    pub(super) last: Option<ChainHead>,
    /// The end of the chain.
    pub(super) head: Option<ChainHead>,
    /// Whether each hash follows from the one before it.
    pub(super) chain_valid: bool,
    /// The number of the entry that it was read from.
    from: u64,
    /// It has no further entry that is searched for.
    is_over: bool,
    /// Entries that were found, each with its time.
    ahead: VecDeque<(String, ChainEntry)>,
    /// Of the entries that were read ahead.
    reservation: Reservation,
}

/// The chains, while they are read.
pub(super) struct ChainMerge {
    filter: EntryFilter,
    start: ChainPositions,
    readers: Vec<ChainReader>,
    /// Whether the first chain has said how many there are.
    has_all: bool,
    /// How often a chain was read.
    pub(super) reads: u64,
    /// Number of entries that were looked at.
    pub(super) scanned: u64,
}

impl ChainReader {
    fn new(chain: ChainNumber, from: u64, reservation: Reservation) -> Self {
        let (before, last, head, ahead) = (None, None, None, VecDeque::new());
        Self { chain, before, last, head, chain_valid: true, from, is_over: false, ahead, reservation }
    }

    /// The number of the last entry that was looked at.
    fn looked_at(&self) -> u64 {
        self.last.as_ref().map_or(self.from, |last| last.seq)
    }

    /// The number of the entry after which reading continues.
    fn position(&self) -> u64 {
        self.ahead.front().map_or_else(|| self.looked_at(), |(_, kept)| kept.seq.saturating_sub(1))
    }

    /// Whether nothing of it is left.
    fn is_at_end(&self) -> bool {
        self.is_over && self.ahead.is_empty()
    }

    /// Releases the memory of entries that were taken before.
    fn release_taken(&self) {
        let ahead: usize = self.ahead.iter().map(|(_, kept)| kept.entry.len()).sum();
        self.reservation.shrink_to(ahead * LINE_COPIES);
    }

    /// Takes what was found. Returns the number of entries that were looked at.
    fn take(&mut self, FoundEntries { scan, head, .. }: FoundEntries) -> u64 {
        let follows = self.last.as_ref().is_none_or(|last| last.hash == scan.before);
        self.chain_valid &= scan.chain_valid && follows;
        let looked_at = scan.last.seq.saturating_sub(self.looked_at());
        self.is_over = scan.last.seq >= head.seq || scan.is_over;
        self.before.get_or_insert(scan.before);
        (self.last, self.head) = (Some(scan.last), Some(head));
        // What has no time is damaged, and comes first, so that it does not stay unseen.
        self.ahead.extend(scan.entries.into_iter().map(|kept| (time_of(&kept.entry).unwrap_or_default(), kept)));
        looked_at
    }
}

impl ChainMerge {
    /// Begins after these positions.
    pub(super) fn new(services: &impl Services, start: ChainPositions, filter: EntryFilter) -> Self {
        let first = ChainNumber::FIRST;
        let reader = ChainReader::new(first, start.of(first), services.memory().reservation());
        Self { filter, start, readers: vec![reader], has_all: false, reads: 0, scanned: 0 }
    }

    /// The chains. Once the first was read, they are all that there ever were.
    pub(super) fn readers(&self) -> &[ChainReader] {
        &self.readers
    }

    /// Where reading continues.
    pub(super) fn positions(&self) -> ChainPositions {
        let unread = self.start.numbers().skip(if self.has_all { usize::MAX } else { self.readers.len() });
        self.readers.iter().map(ChainReader::position).chain(unread).collect()
    }

    /// Whether no entry is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.has_all && self.readers.iter().all(ChainReader::is_at_end)
    }

    /// Whether each hash that was looked at follows from the one before it in its chain.
    pub(super) fn is_valid(&self) -> bool {
        self.readers.iter().all(|reader| reader.chain_valid)
    }

    /// Returns the next entries: fewer than `limit` where they are long, where a search comes to its bound, at the end, or
    /// before a segment that cannot be read.
    ///
    /// # Errors
    /// The [`Problem`] of a segment that cannot be read, or of an audit log that does not respond.
    pub(super) async fn next_entries(
        &mut self,
        services: &impl Services,
        limit: u64,
    ) -> Result<Vec<MergedEntry>, Problem> {
        self.readers.iter().for_each(ChainReader::release_taken);
        let (mut found, mut bytes, start, scanned) = (Vec::new(), 0, self.positions(), self.scanned);
        while (found.len() as u64) < limit && bytes < AUDIT_PAGE_BYTES {
            if let Some(reader) = self.readers.iter().position(|reader| reader.ahead.is_empty() && !reader.is_over) {
                let rest = AUDIT_SEARCH.saturating_sub(self.scanned - scanned);
                let missing = limit - found.len() as u64;
                let read = if rest == 0 { Ok(0) } else { self.read_ahead(services, reader, (missing, rest)).await };
                match read {
                    Ok(0) if self.lacks_entries(reader) => break,
                    Ok(_) => continue,
                    Err(problem) if found.is_empty() && self.positions() == start => return Err(problem),
                    // The next reading reports the problem.
                    Err(_) => break,
                }
            }
            let Some(next) = self.pop_earliest() else { break };
            bytes += next.kept.entry.len();
            found.push(next);
        }
        Ok(found)
    }

    /// Whether reading a chain brought nothing, although it has more.
    fn lacks_entries(&self, reader: usize) -> bool {
        self.readers.get(reader).is_none_or(|reader| reader.ahead.is_empty() && !reader.is_over)
    }

    /// Takes the earliest of the entries that were read ahead.
    fn pop_earliest(&mut self) -> Option<MergedEntry> {
        let fronts = self.readers.iter().filter_map(|reader| Some((&reader.ahead.front()?.0, reader.chain)));
        let (_, chain) = fronts.min()?;
        let reader = self.readers.get_mut(chain.place())?;
        reader.ahead.pop_front().map(|(_, kept)| MergedEntry { chain, kept })
    }

    /// Reads a chain on, for as many entries as are missing or its share of them. Returns the number of entries that were looked
    /// at.
    async fn read_ahead(
        &mut self,
        services: &impl Services,
        place: usize,
        (missing, search): (u64, u64),
    ) -> Result<u64, Problem> {
        let (positions, chains) = (self.positions(), self.readers.len() as u64);
        let share = (2 * missing).div_ceil(chains).max(AUDIT_CHAIN_ENTRIES);
        let limit = if chains == 1 { missing } else { share.min(missing) };
        let Some(reader) = self.readers.get_mut(place) else { return Ok(0) };
        let resume = |seq: u64| {
            let position = |(at, position)| if at == place { seq } else { position };
            positions.numbers().enumerate().map(position).collect::<ChainPositions>().to_string()
        };
        let ask = ReadEntries { after: reader.looked_at(), limit, filter: self.filter.clone() };
        let read = ChainRead { chain: reader.chain, ask, search, resume };
        let found = retry_while_out_of_memory(services, &reader.reservation, async || {
            collect_entries(services, &read, &reader.reservation).await
        });
        let found = found.await?;
        let known = found.chains;
        let looked_at = reader.take(found);
        (self.reads, self.scanned) = (self.reads + 1, self.scanned + looked_at);
        if place == ChainNumber::FIRST.place() {
            self.add_chains(services, known);
        }
        Ok(looked_at)
    }

    /// Adds the chains that the first one knows of.
    fn add_chains(&mut self, services: &impl Services, known: u8) {
        self.has_all = true;
        for chain in ChainNumber::first(known).skip(self.readers.len()) {
            self.readers.push(ChainReader::new(chain, self.start.of(chain), services.memory().reservation()));
        }
    }
}
