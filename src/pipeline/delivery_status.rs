//! Finds the delivery status of one record: the payload that it is assigned to, or the reason why there is none; and those of
//! its deliveries once more.
//!
//! # Invariants
//! A record is judged by the same rules as when its payloads were made. The status depends only on the line, its offset
//! and the ledger's answer.

use super::plan_rules::{Exclusion, PlanRules};
use crate::ledger::books::PayloadView;
use crate::ledger::calls::BatchDetails;
use crate::ledger::{DeliveryPlan, DeliveryState};
use crate::limits::REPETITIONS_SHOWN;
use crate::record::{KeyNames, read_key_by};

/// The status that the delivery plans of a batch give to one of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStatus<'a> {
    /// No plan covers its time.
    NoPlan,
    /// This version does not know the format of its plan.
    UnknownPlan {
        /// The plan's number.
        plan: u32,
    },
    /// Its plan excludes it.
    Excluded {
        /// The plan's number.
        plan: u32,
        /// The reason of the exclusion.
        why: Exclusion,
    },
    /// Its plan delivers it, but has no payload for it yet.
    Pending {
        /// The plan's number.
        plan: u32,
    },
    /// Its plan delivers it in one of these payloads.
    Assigned {
        /// The plan's number.
        plan: u32,
        /// The payloads that cover the record's offset; a split payload precedes the two that replaced it.
        payloads: Vec<&'a PayloadView>,
    },
}

impl DeliveryStatus<'_> {
    /// Returns the stable name of the status in answers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoPlan => "no_plan",
            Self::UnknownPlan { .. } => "unknown_plan",
            Self::Excluded { .. } => "excluded",
            Self::Pending { .. } => "pending",
            Self::Assigned { .. } => "assigned",
        }
    }

    /// Returns whether exactly one payload can hold the record. Both payloads that replace a split one cover its full
    /// range of offsets, so which of them holds the record is unknown.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let Self::Assigned { payloads, .. } = self else { return true };
        payloads.iter().filter(|payload| payload.state != DeliveryState::Split).count() == 1
    }
}

/// A delivery of a record once more, for a backfill that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRepetition<'a> {
    /// The number of the backfill's job.
    pub backfill: i64,
    /// The status that the repetition gives to the record.
    pub status: DeliveryStatus<'a>,
}

/// A record whose delivery is looked for.
#[derive(Debug, Clone, Copy)]
pub struct PlacedLine<'l> {
    /// The names of the members that its job uses.
    pub names: &'l KeyNames,
    /// Its stored line.
    pub line: &'l [u8],
    /// The inflated offset at which it begins.
    pub at: u64,
    /// The instant of a record without a time, in Unix milliseconds.
    pub default_ms: i64,
}

impl PlacedLine<'_> {
    /// Returns its time in Unix milliseconds.
    fn unix_ms(&self) -> i64 {
        read_key_by(self.names, self.line).unwrap_or_default().unix_ms().unwrap_or(self.default_ms)
    }
}

/// Finds the status of a record's first delivery in this batch.
#[must_use]
pub fn find_delivery_status<'a>(batch: &'a BatchDetails, record: &PlacedLine<'_>) -> DeliveryStatus<'a> {
    let unix_ms = record.unix_ms();
    let covers = |plan: &&DeliveryPlan| plan.repetition().is_none() && plan.covers(unix_ms, record.at);
    let plan = batch.plans.iter().rfind(covers);
    plan.map_or(DeliveryStatus::NoPlan, |plan| status_under(batch, plan, record))
}

/// Finds the latest deliveries of a record once more, at most [`REPETITIONS_SHOWN`], in the order of their plans.
#[must_use]
pub fn find_repetitions<'a>(batch: &'a BatchDetails, record: &PlacedLine<'_>) -> Vec<RecordRepetition<'a>> {
    let unix_ms = record.unix_ms();
    let covers = |plan: &&DeliveryPlan| plan.covers(unix_ms, record.at);
    let repeats = |plan: &'a DeliveryPlan| {
        let backfill = plan.repetition()?;
        Some(RecordRepetition { backfill, status: status_under(batch, plan, record) })
    };
    let mut found: Vec<_> =
        batch.plans.iter().rev().filter(covers).filter_map(repeats).take(REPETITIONS_SHOWN).collect();
    found.reverse();
    found
}

/// Finds the status that a plan, which covers the record, gives to it.
fn status_under<'a>(batch: &'a BatchDetails, plan: &DeliveryPlan, record: &PlacedLine<'_>) -> DeliveryStatus<'a> {
    let PlacedLine { names, line, at, .. } = *record;
    let number = plan.number;
    let Some(rules) = PlanRules::new(plan.clone()) else { return DeliveryStatus::UnknownPlan { plan: number } };
    if let Err(why) = rules.write(&mut Vec::new(), names, line) {
        return DeliveryStatus::Excluded { plan: number, why };
    }
    let duplicates = batch.duplicates.iter().find(|of_plan| of_plan.plan == number && !of_plan.sent);
    if duplicates.is_some_and(|of_plan| of_plan.listed.iter().any(|line| line.offset == at)) {
        return DeliveryStatus::Excluded { plan: number, why: Exclusion::Duplicate };
    }
    let covers = |view: &&PayloadView| {
        view.plan == number && (view.payload.first_offset..=view.payload.last_offset).contains(&at)
    };
    let payloads: Vec<_> = batch.payloads.iter().filter(covers).collect();
    if payloads.is_empty() && duplicates.is_some() {
        DeliveryStatus::Excluded { plan: number, why: Exclusion::Duplicate }
    } else if payloads.is_empty() {
        DeliveryStatus::Pending { plan: number }
    } else {
        DeliveryStatus::Assigned { plan: number, payloads }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeliveryStatus, Exclusion, PlacedLine, find_delivery_status, find_repetitions};
    use crate::ledger::books::{LedgerTotals, PayloadView};
    use crate::ledger::calls::BatchDetails;
    use crate::ledger::delivery::Payload;
    use crate::ledger::plan::FORMAT;
    use crate::ledger::{DeliveryPlan, DeliveryState, DeliveryWindow, PlanBackfill, PlanOptions};
    use crate::limits::REPETITIONS_SHOWN;
    use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};
    use crate::record::{Dataset, KeyNames};

    fn status_of<'a>(batch: &'a BatchDetails, line: &[u8], at: u64, default_ms: i64) -> DeliveryStatus<'a> {
        find_delivery_status(batch, &PlacedLine { names: &KeyNames::of(Dataset::HttpRequests), line, at, default_ms })
    }

    /// A visitor's record, 10 seconds after the epoch.
    const LINE: &[u8] =
        br#"{"RayID":"9e35512345678abc","EdgeStartTimestamp":"1970-01-01T00:00:10Z","EdgeResponseStatus":200}"#;

    fn plan(number: u32, start_ms: i64, end_ms: i64) -> DeliveryPlan {
        let options = PlanOptions {
            format: FORMAT,
            lines: 10,
            subrequests: Subrequests::Exclude,
            edge_records: EdgeRecords::default(),
            filter: None,
            backfill_filter: None,
            version: "cs_vod_v3.0".into(),
            tenant: "-".into(),
            unknown_country: "CN".into(),
            duplicates: DuplicatePolicy::Hold,
        };
        DeliveryPlan {
            number,
            windows: vec![DeliveryWindow { start_ms, end_ms }],
            options,
            repair: None,
            backfill: None,
        }
    }

    fn payload(plan: u32, index: &str, state: DeliveryState, first_offset: u64, last_offset: u64) -> PayloadView {
        let (number, sha256) = (index.into(), String::new());
        let payload = Payload { index: number, sha256, lines: 1, bytes: 1, first_offset, last_offset, pack: None };
        PayloadView {
            id: format!("{plan}.{index}"),
            partner_batch_id: String::new(),
            plan,
            payload,
            state,
            attempts: 0,
            unknown_outcomes: 0,
            status: None,
            code: None,
            refusal: None,
            not_sent: 0,
            last_attempt_ms: None,
            last_post_ms: None,
            wait: None,
            next_attempt_ms: None,
            completed_ms: None,
        }
    }

    fn batch(plans: Vec<DeliveryPlan>, payloads: Vec<PayloadView>) -> BatchDetails {
        let (totals, duplicates) = (LedgerTotals::default(), Vec::new());
        let (batch, shards, rejected) = (None, Vec::new(), Vec::new());
        BatchDetails { batch, shards, totals, rejected, plans, duplicates, payloads, erased: Vec::new() }
    }

    fn ids(found: &DeliveryStatus<'_>) -> Vec<String> {
        let DeliveryStatus::Assigned { payloads, .. } = found else { return Vec::new() };
        payloads.iter().map(|payload| payload.id.clone()).collect()
    }

    #[test]
    fn record_is_in_the_payload_covering_its_place() {
        let payloads = vec![
            payload(1, "000000", DeliveryState::Delivered, 0, 500),
            payload(2, "000000", DeliveryState::Delivered, 0, 99),
            payload(2, "000001", DeliveryState::Parked, 100, 200),
            payload(2, "000002", DeliveryState::Prepared, 201, 300),
        ];
        let batch = batch(vec![plan(1, 0, 10_000), plan(2, 10_000, 20_000)], payloads);
        for (at, id) in [(0, "2.000000"), (99, "2.000000"), (100, "2.000001"), (200, "2.000001"), (300, "2.000002")] {
            let found = status_of(&batch, LINE, at, 0);
            assert_eq!((ids(&found), found.is_exact(), found.name()), (vec![id.to_owned()], true, "assigned"), "{at}");
        }
        assert_eq!(status_of(&batch, LINE, 301, 0), DeliveryStatus::Pending { plan: 2 });
    }

    #[test]
    fn halves_are_named_and_the_choice_stays_open() {
        let split = |last| {
            vec![
                payload(1, "000000", DeliveryState::Split, 0, 9),
                payload(1, "000000.0", DeliveryState::Delivered, 0, 9),
                payload(1, "000000.1", last, 0, 9),
                payload(1, "000001", DeliveryState::Prepared, 10, 19),
            ]
        };
        let books = batch(vec![plan(1, 0, 20_000)], split(DeliveryState::Parked));
        let found = status_of(&books, LINE, 5, 0);
        assert_eq!(ids(&found), ["1.000000", "1.000000.0", "1.000000.1"]);
        assert!(!found.is_exact());
        assert!(status_of(&books, LINE, 12, 0).is_exact());
    }

    #[test]
    fn timeless_record_takes_its_rays_or_objects_time() {
        let books = batch(vec![plan(1, 1000, 2000)], vec![payload(1, "000000", DeliveryState::Delivered, 0, 9)]);
        for (default_ms, name) in [(999, "no_plan"), (1000, "assigned"), (1999, "assigned"), (2000, "no_plan")] {
            assert_eq!(
                status_of(&books, br#"{"EdgeColoID":4,"EdgeServerIP":"","OriginIP":""}"#, 0, default_ms).name(),
                name,
                "{default_ms}"
            );
        }
        let of_its_ray = br#"{"RayID":"9e35512345678abc","EdgeColoID":4}"#;
        assert_eq!(status_of(&books, of_its_ray, 0, 1000), DeliveryStatus::NoPlan);
        let all = batch(vec![plan(1, 0, i64::MAX)], vec![payload(1, "000000", DeliveryState::Delivered, 0, 9)]);
        assert_eq!(status_of(&all, of_its_ray, 0, -1).name(), "assigned");
    }

    #[test]
    fn excluded_record_is_in_no_payload_with_reason() {
        let mut filtered = plan(1, 0, 20_000);
        filtered.options.filter = Some(r#"{"where":{"key":"EdgeResponseStatus","operator":"eq","value":404}}"#.into());
        let mut unknown = plan(1, 0, 20_000);
        unknown.options.format = FORMAT + 1;
        let payloads = || vec![payload(1, "000000", DeliveryState::Delivered, 0, 9)];
        let of_a_worker = br#"{"ParentRayID":"9e35512345678abd","EdgeStartTimestamp":"1970-01-01T00:00:10Z"}"#;
        let kept_back = |why| DeliveryStatus::Excluded { plan: 1, why };
        for (plan, line, expected) in [
            (plan(1, 0, 20_000), &of_a_worker[..], kept_back(Exclusion::Subrequest)),
            (filtered, LINE, kept_back(Exclusion::Filter)),
            (unknown, LINE, DeliveryStatus::UnknownPlan { plan: 1 }),
        ] {
            let books = batch(vec![plan], payloads());
            let found = status_of(&books, line, 0, 0);
            assert_eq!(found, expected);
            assert!(found.is_exact());
        }
        assert_eq!(status_of(&batch(Vec::new(), Vec::new()), LINE, 0, 0), DeliveryStatus::NoPlan);
    }

    #[test]
    fn repetitions_follow_in_order_with_their_backfills() {
        let repetition = |number, id| DeliveryPlan {
            backfill: Some(PlanBackfill { id, lines_per_second: 1, again: true }),
            ..plan(number, 0, 20_000)
        };
        let first = DeliveryPlan {
            backfill: Some(PlanBackfill { id: 3, lines_per_second: 1, again: false }),
            ..plan(1, 0, 20_000)
        };
        let elsewhere = DeliveryPlan { backfill: repetition(3, 6).backfill, ..plan(3, 20_000, 30_000) };
        let payloads = vec![
            payload(1, "000000", DeliveryState::Delivered, 0, 9),
            payload(2, "000000", DeliveryState::Parked, 0, 9),
            payload(4, "000000", DeliveryState::Prepared, 10, 19),
        ];
        let books = batch(vec![first, repetition(2, 5), elsewhere, repetition(4, 7)], payloads);
        assert_eq!(ids(&status_of(&books, LINE, 5, 0)), ["1.000000"]);
        let names = KeyNames::of(Dataset::HttpRequests);
        let record = PlacedLine { names: &names, line: LINE, at: 5, default_ms: 0 };
        let found: Vec<_> = find_repetitions(&books, &record)
            .iter()
            .map(|repetition| (repetition.backfill, repetition.status.name(), ids(&repetition.status)))
            .collect();
        assert_eq!(found, [(5, "assigned", vec!["2.000000".to_owned()]), (7, "pending", Vec::new())]);
        let plans = (1..=20).map(|number| repetition(number, i64::from(number))).collect();
        let many = batch(plans, Vec::new());
        let latest: Vec<i64> = find_repetitions(&many, &record).iter().map(|found| found.backfill).collect();
        assert_eq!((latest.len(), latest.last()), (REPETITIONS_SHOWN, Some(&20)));
    }
}
