//! The datasets that a record may be of, by the names of its members.
//!
//! Each documented name rules out the datasets that do not document it; an undocumented name is no evidence. One or two
//! names alone are no evidence either, unless one of them is a ray or a time: `Type` and `Name` occur in files of every
//! kind. A dataset with a marker ([`Dataset::marker`]) is ruled out as long as that is not among the names, so that records
//! without it are of the datasets that they would be of if there were no such dataset. Evidence combines by OR, so that of a run of names is a single value, independent of their order.
//!
//! # Invariants
//!
//! A record whose documented fields are all of one dataset may be of that dataset.

use std::sync::LazyLock;

use super::fields::ANYWHERE;
use super::{Dataset, DatasetSpec};

/// A set of datasets, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetSet(u64);

const _: () = assert!(Dataset::ALL.len() <= 64);

impl DatasetSet {
    /// Every dataset.
    pub const ALL: Self = Self(u64::MAX >> (64 - Dataset::ALL.len()));

    /// Returns the set of this dataset alone.
    #[must_use]
    pub const fn only(dataset: Dataset) -> Self {
        Self(1 << dataset as u64)
    }

    /// Returns whether the set contains the dataset.
    #[must_use]
    pub const fn contains(self, dataset: Dataset) -> bool {
        self.0 & Self::only(dataset).0 != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the intersection.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the union.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the datasets in their order.
    pub fn iter(self) -> impl Iterator<Item = Dataset> {
        Dataset::ALL.into_iter().filter(move |dataset| self.contains(*dataset))
    }

    /// Returns the only dataset in the set, if there is exactly one.
    #[must_use]
    pub fn single(self) -> Option<Dataset> {
        if self.0.is_power_of_two() { self.iter().next() } else { None }
    }
}

/// The evidence that some member names give about their record's dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetEvidence {
    /// The datasets that do not document all of the names.
    ruled_out: u64,
    /// The datasets whose marker is among them.
    marked: u64,
    /// The telling names among them, one bit each.
    telling: u128,
    /// A bit for each name, or [`KEY_WEIGHT`] for a ray or a time.
    weight: u32,
}

/// The weight of a ray or a time: enough on its own.
const KEY_WEIGHT: u32 = 0b111 << 29;

/// Number of names that count as evidence.
const ENOUGH_NAMES: u32 = 3;

impl DatasetEvidence {
    /// Returns the evidence of one name.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let place = NAMES.binary_search_by_key(&name, |(known, _)| *known).ok();
        place.and_then(|place| NAMES.get(place)).map_or(Self::default(), |(_, evidence)| *evidence)
    }

    /// Combines the evidence of both.
    #[must_use]
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self {
            ruled_out: self.ruled_out | other.ruled_out,
            marked: self.marked | other.marked,
            telling: self.telling | other.telling,
            weight: self.weight | other.weight,
        }
    }

    /// Returns whether too few of the names are documented to be evidence.
    #[must_use]
    pub const fn says_nothing(self) -> bool {
        self.weight.count_ones() < ENOUGH_NAMES
    }

    /// Returns the datasets that the record may be of; never empty. If no dataset documents all names, as after a job
    /// added some, the telling names decide.
    #[must_use]
    pub fn possible(self) -> DatasetSet {
        if self.says_nothing() {
            return DatasetSet::ALL;
        }
        let documenting = self.documenting();
        if !documenting.is_empty() {
            return documenting;
        }
        let named = self.by_telling_names();
        if named.is_empty() { DatasetSet::ALL } else { named }
    }

    /// Returns the dataset of the record, if its names settle it.
    #[must_use]
    pub fn settled(self) -> Option<Dataset> {
        let possible = self.possible();
        possible.single().or_else(|| possible.and(self.by_telling_names()).single())
    }

    /// Returns the datasets that document all names, and whose marker is one of them if they have one.
    fn documenting(self) -> DatasetSet {
        DatasetSet::ALL.and(DatasetSet(!(self.ruled_out | *MARKED & !self.marked)))
    }

    /// Returns the datasets whose telling names are all present.
    fn by_telling_names(self) -> DatasetSet {
        let named = TELLING.iter().filter(|(_, names)| self.telling & names == *names);
        named.fold(DatasetSet::default(), |named, (dataset, _)| named.or(DatasetSet::only(*dataset)))
    }
}

/// The documented names, sorted, with the evidence of each.
static NAMES: LazyLock<Vec<(&'static str, DatasetEvidence)>> = LazyLock::new(|| {
    let mut names: Vec<(&'static str, DatasetSet)> = Dataset::ALL
        .into_iter()
        .flat_map(|dataset| dataset.spec().fields.iter().map(move |name| (*name, DatasetSet::only(dataset))))
        .collect();
    names.sort_unstable_by_key(|(name, _)| *name);
    names.dedup_by(|(name, set), (kept, sum)| {
        let is_same = name == kept;
        if is_same {
            *sum = sum.or(*set);
        }
        is_same
    });
    let evidence = |(place, (name, set)): (usize, (&'static str, DatasetSet))| {
        let says_nothing = ANYWHERE.contains(&name);
        let ruled_out = if says_nothing { 0 } else { !set.0 };
        let weight = if is_key(name) { KEY_WEIGHT } else { u32::from(!says_nothing) << (place % 29) };
        (
            name,
            DatasetEvidence {
                ruled_out,
                marked: marked_by(|marker| marker == name),
                telling: telling_bit(name),
                weight,
            },
        )
    };
    names.into_iter().enumerate().map(evidence).collect()
});

/// The datasets that have a marker.
static MARKED: LazyLock<u64> = LazyLock::new(|| marked_by(|_| true));

/// Returns the datasets with such a marker.
fn marked_by(is_such: impl Fn(&str) -> bool) -> u64 {
    let marked = Dataset::ALL.into_iter().filter(|dataset| dataset.marker().is_some_and(&is_such));
    marked.fold(0, |set, dataset| set | DatasetSet::only(dataset).0)
}

/// Returns whether this is the name of a dataset's ray or time.
fn is_key(name: &str) -> bool {
    Dataset::ALL.into_iter().any(|dataset| {
        let DatasetSpec { ray, time, also, .. } = dataset.spec();
        let outer = ray.and_then(|path| path.split('.').next());
        outer == Some(name) || *time == name || also.is_some_and(|(ray, time)| ray == name || time == name)
    })
}

/// The telling names, sorted and unique; the index of a name is that of its bit.
static TELLING_NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<&str> = telling_sets().flat_map(|(_, names)| names.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The sets of telling names, as bits.
static TELLING: LazyLock<Vec<(Dataset, u128)>> = LazyLock::new(|| {
    let bits = |names: &[&str]| names.iter().fold(0, |bits, name| bits | telling_bit(name));
    telling_sets().map(|(dataset, names)| (dataset, bits(names))).collect()
});

fn telling_sets() -> impl Iterator<Item = (Dataset, &'static [&'static str])> {
    Dataset::ALL.into_iter().flat_map(|dataset| dataset.spec().telling.iter().map(move |names| (dataset, *names)))
}

fn telling_bit(name: &str) -> u128 {
    let place = TELLING_NAMES.binary_search(&name).ok().and_then(|place| u32::try_from(place).ok());
    place.and_then(|place| 1_u128.checked_shl(place)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::{DatasetEvidence, TELLING_NAMES, telling_sets};
    use crate::record::Dataset;

    fn evidence<'n>(names: impl IntoIterator<Item = &'n str>) -> DatasetEvidence {
        names.into_iter().map(DatasetEvidence::of_name).fold(DatasetEvidence::default(), DatasetEvidence::and)
    }

    fn possible(names: &str) -> (Vec<Dataset>, Option<Dataset>) {
        let evidence = evidence(names.split_whitespace());
        (evidence.possible().iter().collect(), evidence.settled())
    }

    #[test]
    fn telling_names_settle_their_dataset_alone() {
        assert!(TELLING_NAMES.len() <= 128, "{}", TELLING_NAMES.len());
        for (dataset, names) in telling_sets() {
            assert_eq!(evidence(names.iter().copied()).settled(), Some(dataset), "{names:?}");
            assert!(names.iter().all(|name| dataset.spec().fields.contains(name)), "{names:?}");
        }
        assert!(Dataset::ALL.iter().all(|dataset| !dataset.spec().telling.is_empty()));
    }

    #[test]
    fn all_fields_of_a_dataset_settle_it() {
        for dataset in Dataset::ALL {
            assert_eq!(evidence(dataset.spec().fields.iter().copied()).settled(), Some(dataset));
        }
    }

    #[test]
    fn names_differ_as_in_real_jobs() {
        use Dataset::{
            AccessRequests, AccountAbuseProtectionEvents, DnsFirewallLogs, DnsLogs, EdgeRequests, FirewallEvents,
            HttpRequests, Traces, WebsocketAnalytics,
        };
        let has_ray_id = |set: &Dataset| ![Dataset::WorkersTraceEvents, EdgeRequests, Traces].contains(set);
        let with_ray_id = Dataset::WITH_RAY.into_iter().filter(has_ray_id).collect();
        let http = |others: &[Dataset]| [&[HttpRequests], others].concat();
        for (names, datasets, settled) in [
            ("RayID EdgeStartTimestamp ClientRequestHost", http(&[WebsocketAnalytics]), None),
            ("RayID EdgeStartTimestamp EdgeResponseStatus", http(&[]), Some(HttpRequests)),
            ("RayID EdgeStartTimestamp ClientIP", http(&[WebsocketAnalytics]), None),
            (
                "EdgeStartTimestamp ClientRequestHost ConnectionCloseReason",
                vec![WebsocketAnalytics],
                Some(WebsocketAnalytics),
            ),
            ("RayID Datetime", vec![FirewallEvents], Some(FirewallEvents)),
            ("RayID ParentRayID", http(&[]), Some(HttpRequests)),
            ("RayID ClientRequestHost", http(&[FirewallEvents, WebsocketAnalytics]), None),
            ("RayID CreatedAt Email", vec![AccessRequests], Some(AccessRequests)),
            ("RayID Timestamp Email", vec![AccountAbuseProtectionEvents], Some(AccountAbuseProtectionEvents)),
            ("QueryName QueryType SourceIP Timestamp", vec![DnsFirewallLogs, DnsLogs], None),
            // A field that only another dataset has had so far.
            ("EdgeStartTimestamp ClientRequestHost EdgeResponseStatus QueryName", http(&[]), Some(HttpRequests)),
            ("Datetime Action Kind Source RayID JA4", vec![FirewallEvents], Some(FirewallEvents)),
            ("RayID ZoneName Cookies", with_ray_id, None),
            ("my_own_name", Dataset::ALL.to_vec(), None),
            ("RayID EdgeStartTimestamp EdgeResponseStatus EdgeLoggerIsolateID", vec![EdgeRequests], Some(EdgeRequests)),
            ("EdgeLoggerIsolateID RayID ClientIP", vec![EdgeRequests], Some(EdgeRequests)),
            ("SpanID TraceID SpanName", vec![Traces], Some(Traces)),
            // One or two names that occur in files of every kind.
            ("Type", Dataset::ALL.to_vec(), None),
            ("Type Name my_own_name", Dataset::ALL.to_vec(), None),
            ("ClientRequestURI", Dataset::ALL.to_vec(), None),
            ("ClientRequestURI EdgeColoID OriginIP", http(&[]), Some(HttpRequests)),
        ] {
            assert_eq!(possible(names), (datasets, settled), "{names}");
        }
    }

    proptest! {
        #[test]
        fn record_of_a_dataset_is_never_ruled_out(
            dataset in prop::sample::select(&Dataset::ALL[..]),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            custom in "[a-z_]{0,9}",
        ) {
            let fields = dataset.spec().fields;
            let picked = picks.iter().map(|pick| *pick.get(fields)).chain(dataset.marker());
            let names = picked.chain([custom.as_str()]);
            prop_assert!(evidence(names).possible().contains(dataset));
        }
    }
}
