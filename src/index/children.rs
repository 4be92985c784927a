//! Gathers the rays of records inside of the lines of one batch, and their parents, beside those of the lines.
//!
//! # Invariants
//!
//! A batch that can be indexed without them can be indexed with them: what has no room is left out, and counted.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::RayLocation;
use super::links::{LinkGatherer, ParentLink};
use crate::limits::{
    BATCH_CHILDREN, CHILD_SHARDS, LINK_PART, MAX_LINES, MAX_LINKS_BYTES, MAX_NONSTANDARD_BYTES, MAX_SHARDS,
};
use crate::record::{MergedChild, RayKey};

/// The nonstandard ids of a batch, each with the number of its span.
pub(super) type NonstandardIds = Vec<(Box<str>, u32)>;

/// What the lines of a batch take of the memory that they share with the records inside of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinesHeld {
    /// Number of lines.
    pub(super) lines: u64,
    /// Size of their packed links in bytes.
    pub(super) links_bytes: usize,
}

/// The rays of the records inside of lines.
#[derive(Debug, Default)]
pub(super) struct ChildRays {
    shards: BTreeMap<u32, Vec<RayLocation>>,
    links: BTreeMap<u32, LinkGatherer>,
    nonstandard: NonstandardIds,
    nonstandard_bytes: usize,
    /// Number of records that were taken.
    taken: u64,
    open_links: usize,
    links_bytes: usize,
    /// Whether the lines needed the memory.
    is_given_up: bool,
    /// Number of records that are not found by their rays.
    unindexed: u64,
}

impl ChildRays {
    /// Takes the records inside of a line of this span, `beyond` of which are too many for one line.
    pub(super) fn take(&mut self, (children, beyond): (&[MergedChild], usize), span: u32, held: LinesHeld) {
        self.unindexed += beyond as u64;
        for child in children {
            let has_room = !self.is_given_up && self.taken < BATCH_CHILDREN;
            if has_room && self.take_child(child, span) {
                self.taken += 1;
            } else {
                self.unindexed += 1;
            }
        }
        if self.open_links >= LINK_PART {
            self.pack_links();
        }
        self.make_room(held);
    }

    /// Gives the records up if the lines need their memory.
    pub(super) fn make_room(&mut self, LinesHeld { lines, links_bytes }: LinesHeld) {
        let fits = lines + self.taken <= MAX_LINES && links_bytes + self.links_bytes <= MAX_LINKS_BYTES;
        if !fits && !self.is_given_up {
            let unindexed = self.unindexed + self.taken;
            *self = Self { is_given_up: true, unindexed, ..Self::default() };
        }
    }

    /// Returns whether there is room for a record.
    fn take_child(&mut self, child: &MergedChild, span: u32) -> bool {
        match &child.ray {
            RayKey::Ray(ray) => {
                if self.shards.len() >= CHILD_SHARDS && !self.shards.contains_key(&ray.prefix()) {
                    return false;
                }
                self.shards.entry(ray.prefix()).or_default().push(RayLocation::new(*ray, span.into()));
                if let Some(parent) = child.parent.filter(|parent| parent != ray) {
                    self.link(ParentLink { parent, child: *ray });
                }
            }
            RayKey::Nonstandard(id) => {
                let bytes = self.nonstandard_bytes + id.len() + size_of::<(Box<str>, u32)>();
                if bytes > MAX_NONSTANDARD_BYTES {
                    return false;
                }
                self.nonstandard_bytes = bytes;
                self.nonstandard.push((id.clone(), span));
            }
        }
        true
    }

    /// Keeps the request that caused a record's request, if there is room: the record itself names it too.
    fn link(&mut self, link: ParentLink) {
        let prefix = link.parent.prefix();
        if self.links.len() < CHILD_SHARDS || self.links.contains_key(&prefix) {
            self.links.entry(prefix).or_default().take(link);
            self.open_links += 1;
        }
    }

    fn pack_links(&mut self) {
        self.open_links = 0;
        self.links_bytes += self.links.values_mut().map(LinkGatherer::pack).sum::<usize>();
    }

    /// Adds what was gathered to what the lines have, as far as it fits; returns how many records are not found by their
    /// rays. The prefixes `times` are written in any case.
    pub(super) fn join(
        mut self,
        (shards, links, nonstandard): (
            &mut BTreeMap<u32, Vec<RayLocation>>,
            &mut BTreeMap<u32, LinkGatherer>,
            &mut NonstandardIds,
        ),
        (times, nonstandard_bytes): (&BTreeSet<u32>, usize),
    ) -> u64 {
        self.pack_links();
        // That of the nonstandard ids is one more.
        let mut known: BTreeSet<u32> = shards.keys().chain(times).chain(links.keys()).copied().collect();
        let mut fits = |prefix: u32| known.contains(&prefix) || known.len() + 1 < MAX_SHARDS && known.insert(prefix);
        for (prefix, locations) in self.shards {
            if fits(prefix) {
                shards.entry(prefix).or_default().extend(locations);
            } else {
                self.unindexed += locations.len() as u64;
            }
        }
        for (prefix, gathered) in self.links {
            if fits(prefix) {
                links.entry(prefix).or_default().join(gathered);
            }
        }
        if nonstandard_bytes + self.nonstandard_bytes <= MAX_NONSTANDARD_BYTES
            && (known.len() < MAX_SHARDS || !nonstandard.is_empty())
        {
            nonstandard.extend(self.nonstandard);
        } else {
            self.unindexed += self.nonstandard.len() as u64;
        }
        self.unindexed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{ChildRays, LinesHeld};
    use crate::limits::{CHILD_SHARDS, MAX_LINES, MAX_LINKS_BYTES, MAX_SHARDS};
    use crate::record::{Dataset, MergedChild, read_key};

    const HELD: LinesHeld = LinesHeld { lines: 1, links_bytes: 0 };

    /// A child of each of these prefixes.
    fn children(prefixes: std::ops::Range<u32>) -> Vec<MergedChild> {
        let child = |prefix| {
            let line = format!(
                r#"{{"RayID":"76466{prefix:05x}000000","Subrequests":[{{"RayID":"{prefix:05x}00000000001"}}]}}"#
            );
            read_key(Dataset::HttpRequests, line.as_bytes()).unwrap().children().to_vec()
        };
        prefixes.flat_map(child).collect()
    }

    /// Joins them to these shards of lines; the shards then, and what is not indexed.
    fn joined(rays: ChildRays, times: &BTreeSet<u32>) -> (usize, usize, u64) {
        let (mut shards, mut links, mut nonstandard) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let unindexed = rays.join((&mut shards, &mut links, &mut nonstandard), (times, 0));
        let all: BTreeSet<u32> = shards.keys().chain(links.keys()).chain(times).copied().collect();
        (shards.values().map(Vec::len).sum(), all.len(), unindexed)
    }

    #[test]
    fn shards_of_children_never_exceed_the_bound() {
        let asked = 500_u32;
        let most = u32::try_from(MAX_SHARDS).unwrap();
        for (of_lines, room) in [(most - 100, 100), (10, CHILD_SHARDS)] {
            let mut rays = ChildRays::default();
            for start in (0..asked).step_by(50) {
                rays.take((&children(start..start + 50), 1), 0, HELD);
            }
            let times: BTreeSet<u32> = (1 << 19..(1 << 19) + of_lines).collect();
            let (indexed, shards, unindexed) = joined(rays, &times);
            assert!(shards <= MAX_SHARDS && indexed + 2 > room && indexed <= room, "{indexed} in {shards}");
            assert_eq!(indexed as u64 + unindexed, u64::from(asked + asked / 50));
        }
    }

    #[test]
    fn children_give_way_to_lines() {
        for held in [LinesHeld { lines: MAX_LINES, ..HELD }, LinesHeld { links_bytes: MAX_LINKS_BYTES + 1, ..HELD }] {
            let mut rays = ChildRays::default();
            rays.take((&children(0..40), 2), 0, HELD);
            rays.take((&children(40..50), 0), 0, held);
            rays.take((&children(50..60), 0), 0, HELD);
            assert_eq!(joined(rays, &BTreeSet::new()), (0, 0, 62));
        }
        let mut rays = ChildRays::default();
        rays.take((&children(0..40), 2), 0, LinesHeld { lines: MAX_LINES - 40, ..HELD });
        assert_eq!(joined(rays, &BTreeSet::new()).2, 2);
    }
}
