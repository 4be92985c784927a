//! Delivery plans: which lines of a source go to the partner, and in which format. Pinned by the first attempt, used by
//! every later one.
//!
//! A source may have several plans, since a backfill may request times that no earlier plan covered. Their windows
//! never overlap, with two exceptions. A repair covers only lines that the earlier plan rejected. A repetition delivers
//! once more what other plans cover, because a person asked for it; it covers nothing for anyone else. Apart from
//! repetitions, no line is in the payloads of two plans.
//!
//! # Invariants
//! A window is half-open, `[start, end)`. A plan's options are stored with it, and never change with the settings.

use serde::{Deserialize, Serialize};

use crate::index::LineOffsets;
use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};
use crate::record::Dataset;

/// The version of the payload format: its columns, and the conversion of lines.
pub const FORMAT: u32 = 1;

/// A half-open window of request times, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryWindow {
    /// The start in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// The end in Unix milliseconds, exclusive.
    pub end_ms: i64,
}

impl DeliveryWindow {
    /// The window of all instants.
    pub const EVER: Self = Self { start_ms: i64::MIN, end_ms: i64::MAX };

    /// The window of no instant.
    pub const NEVER: Self = Self { start_ms: 0, end_ms: 0 };

    /// Returns whether the window contains an instant.
    #[must_use]
    pub fn holds(&self, unix_ms: i64) -> bool {
        self.start_ms <= unix_ms && unix_ms < self.end_ms
    }

    /// Returns the parts of this window that no other window covers, in order.
    #[must_use]
    pub fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left: Vec<Self> = (self.start_ms < self.end_ms).then_some(self).into_iter().collect();
        for other in others {
            left = left.into_iter().flat_map(|window| window.cut(*other)).collect();
        }
        left
    }

    /// Returns the parts of this window before and after the other one.
    fn cut(self, other: Self) -> impl Iterator<Item = Self> {
        let before = Self { end_ms: self.end_ms.min(other.start_ms), ..self };
        let after = Self { start_ms: self.start_ms.max(other.end_ms), ..self };
        [before, after].into_iter().filter(|part| part.start_ms < part.end_ms)
    }
}

/// The options that determine how lines become payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanOptions {
    /// The version of the payload format: [`FORMAT`].
    pub format: u32,
    /// Maximum number of lines of a payload.
    pub lines: u32,
    /// Whether requests made by Workers are delivered.
    pub subrequests: Subrequests,
    /// Whether records of the edge logger are delivered.
    #[serde(skip_serializing_if = "EdgeRecords::is_default", default)]
    pub edge_records: EdgeRecords,
    /// A filter in Logpush's language; only records that match are delivered.
    pub filter: Option<String>,
    /// A filter of the backfill that asked for the plan; only records that match both are delivered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backfill_filter: Option<String>,
    /// The value of the partner's column 1.
    pub version: String,
    /// The value of the partner's column 58.
    pub tenant: String,
    /// The value of column 45 if the airport is unknown.
    pub unknown_country: String,
    /// The treatment of lines that are already in another payload.
    pub duplicates: DuplicatePolicy,
}

impl PlanOptions {
    /// Returns whether records of the dataset are delivered.
    #[must_use]
    pub fn delivers(&self, dataset: Dataset) -> bool {
        delivers(dataset, self.edge_records)
    }
}

/// Returns whether records of the dataset are delivered, if those of the edge logger are or are not.
#[must_use]
pub fn delivers(dataset: Dataset, edge_records: EdgeRecords) -> bool {
    match dataset {
        Dataset::EdgeRequests => edge_records == EdgeRecords::Include,
        dataset => dataset.is_deliverable(),
    }
}

/// A plan of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPlan {
    /// Its number in the source, from 1.
    pub number: u32,
    /// The times that it covers, disjoint from each other and from those of other plans.
    pub windows: Vec<DeliveryWindow>,
    /// The options that determine how its lines become payloads.
    pub options: PlanOptions,
    /// The lines that it is limited to; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repair: Option<PlanRepair>,
    /// The backfill that asked for it; `None` for live traffic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backfill: Option<PlanBackfill>,
}

/// The backfill that asked for a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBackfill {
    /// The number of the backfill's job.
    pub id: i64,
    /// Lines per second that all plans of the backfill together may send to the partner.
    pub lines_per_second: u64,
    /// Whether it delivers once more what other plans cover: the plan is a repetition.
    pub again: bool,
}

/// The limits of a plan made by a replay: only lines that an earlier plan could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRepair {
    /// The number of the earlier plan; the windows of both are equal.
    pub plan: u32,
    /// The number of the replay that made the plan.
    pub replay: u32,
    /// The lines that the earlier plan rejected.
    pub lines: LineOffsets,
}

impl DeliveryPlan {
    /// Returns the number of the backfill that it is a repetition for; `None` if it is no repetition.
    #[must_use]
    pub fn repetition(&self) -> Option<i64> {
        self.backfill.filter(|backfill| backfill.again).map(|backfill| backfill.id)
    }

    /// Returns whether an instant is in one of its windows.
    #[must_use]
    pub fn holds(&self, unix_ms: i64) -> bool {
        self.windows.iter().any(|window| window.holds(unix_ms))
    }

    /// Returns whether it covers a record of this instant on the line at the inflated offset `at`.
    #[must_use]
    pub fn covers(&self, unix_ms: i64, at: u64) -> bool {
        let is_of_lines = self.repair.as_ref().is_none_or(|repair| repair.lines.iter().any(|line| line == at));
        is_of_lines && self.holds(unix_ms)
    }
}

/// The delivery that an attempt requests, and gets unless an earlier attempt has pinned one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRequest {
    /// The times of the records to deliver.
    pub window: DeliveryWindow,
    /// How lines are to become payloads.
    pub options: PlanOptions,
    /// Unix milliseconds; of an object written before, nothing is delivered. `None` to deliver any object.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written_from_ms: Option<i64>,
    /// The backfill that asks for the delivery; `None` for live traffic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backfill: Option<PlanBackfill>,
}

impl DeliveryRequest {
    /// Creates a request to deliver the records of these times, whenever their object was written.
    #[must_use]
    pub const fn new(window: DeliveryWindow, options: PlanOptions) -> Self {
        Self { window, options, written_from_ms: None, backfill: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{DeliveryPlan, DeliveryWindow, PlanOptions};
    use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};

    #[test]
    fn the_stored_form_is_unchanged() {
        let stored = r#"{"number":1,"windows":[{"start_ms":-9223372036854775808,"end_ms":9223372036854775807}],"options":{"format":1,"lines":1000,"subrequests":"include","filter":null,"version":"cs_vod_v3.0","tenant":"-","unknown_country":"CN","duplicates":"hold"}}"#;
        let options = PlanOptions {
            format: 1,
            lines: 1000,
            subrequests: Subrequests::Include,
            edge_records: EdgeRecords::Exclude,
            filter: None,
            backfill_filter: None,
            version: "cs_vod_v3.0".into(),
            tenant: "-".into(),
            unknown_country: "CN".into(),
            duplicates: DuplicatePolicy::Hold,
        };
        let plan =
            DeliveryPlan { number: 1, windows: vec![DeliveryWindow::EVER], options, repair: None, backfill: None };
        assert_eq!(serde_json::to_string(&plan).unwrap(), stored);
        assert_eq!(serde_json::from_str::<DeliveryPlan>(stored).unwrap(), plan);
    }

    proptest! {
        #[test]
        fn window_remainder_is_what_no_other_holds(
            start in 0_i64..30,
            length in 0_i64..30,
            others in prop::collection::vec((0_i64..30, 0_i64..10), 0..5),
        ) {
            let window = DeliveryWindow { start_ms: start, end_ms: start + length };
            let others: Vec<DeliveryWindow> =
                others.into_iter().map(|(start_ms, length)| DeliveryWindow { start_ms, end_ms: start_ms + length }).collect();
            let left = window.without(&others);
            for at in -1..70 {
                let expected = window.holds(at) && !others.iter().any(|other| other.holds(at));
                prop_assert_eq!(left.iter().filter(|window| window.holds(at)).count(), usize::from(expected));
            }
        }
    }
}
