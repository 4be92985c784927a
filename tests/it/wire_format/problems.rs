//! The problems that requests end with: `problems.txt`, for each its name, its headers and its body.

use std::collections::BTreeSet;
use std::fmt::Write;

use raydex::access::{Dollars, SpentDailyBudget};
use raydex::batch::{BatchError, BatchForm};
use raydex::bucket_keys::IgnoreReason;
use raydex::filter::Filter;
use raydex::http::{InstantFault, Problem, problems};
use raydex::ledger::DeliveryState;
use raydex::record::{Dataset, RayKey};
use raydex::time::day_end_ms;
use regex::Regex;

use super::support::NOW_MS;
use super::{Fixture, api, compare};

/// The problems, as they are written.
const SOURCE: &str = concat!(
    include_str!("../../../src/http/problems.rs"),
    include_str!("../../../src/http/backfill_problems.rs"),
    include_str!("../../../src/http/budget_problems.rs"),
    include_str!("../../../src/http/delivery_problems.rs"),
    include_str!("../../../src/http/erasure_problems.rs"),
    include_str!("../../../src/http/neighbour_problems.rs"),
    include_str!("../../../src/http/token_problems.rs"),
    include_str!("../../../src/http/upload_problems.rs")
);

macro_rules! named {
    ($($name:ident($($argument:expr),*))*) => { vec![$((stringify!($name), problems::$name($($argument),*))),*] };
}

/// A budget of a tenth of a cent that is spent.
fn spent(nanos: Option<u64>) -> SpentDailyBudget {
    let (budget, spent) = (Dollars::from_nanos(1_000_000), nanos.map(Dollars::from_nanos));
    SpentDailyBudget { budget, spent, ends_ms: day_end_ms(NOW_MS) }
}

/// Every problem by the name of its function.
fn all() -> Vec<(&'static str, Problem)> {
    let filter = Filter::parse("{}").err().unwrap();
    let ray = RayKey::from_logged("9e3550d8ec5c2ab1").unwrap();
    named! {
        no_such_path() no_such_method("GET") not_configured() unauthorized() forbidden() too_many(2_500) budget_spent(&spent(Some(1_000_213)), NOW_MS) budget_spent(&spent(None), NOW_MS) busy()
        answer_too_large() cross_site() cross_site_read() no_tokens() not_a_token("must have an id") exceeds_own_rights() exceeds_own_budget(Dollars::from_nanos(3_000_000_000)) token_exists()
        token_of_settings() too_many_tokens() no_such_token()
        not_audited() audit_gone(7_u64) audit_damaged(7_u64) no_keys() bad_cursor() not_a_ray()
        bad_parameter("limit", "a number") missing_parameter("start", "a time") repeated_parameter("start")
        bad_time("start", InstantFault::Unclear) empty_parameter() bad_reason() reason_required() range_in_future() no_rays() bad_ray_list(7) too_many_rays()
        unknown_member(&["rays"]) repeated_member("rays") empty_range() range_too_long(3_600_000) too_many_steps(Some(61)) bad_filter(&filter)
        field_masked(Some("RayID")) compared_field_masked("ClientIP") not_comparable("ClientIP") other_dataset() bad_dataset(&Dataset::ALL) dataset_without_ray()
        unknown_parameter(&["start", "end"]) ray_not_found(&ray, NOW_MS)
        batch_unreadable() unavailable() unknown_dataset()
        records_of_other_dataset(Dataset::HttpRequests, Dataset::DnsLogs) empty_body() other_zone(50, 3, &[0, 214, 900])
        not_a_batch(BatchError::Form(BatchForm::GluedRecords)) too_large() body_broken() body_timeout() too_many_scans()
        unreadable_body() unsupported_media_type() not_an_export() export_too_large()
        reason_missing() operation_too_large() no_such_payload() not_parked(DeliveryState::Delivered) body_erased(DeliveryState::Delivered) no_such_batch()
        nothing_to_replay() object_gone() not_a_backfill() start_after_end() end_in_future() already_stopped() already_running()
        already_announced() already_done() delivery_off() delivery_stopped() not_a_decision() expected_missing() payloads_changed() not_an_erasure() bad_erasure_value(2) erasure_range_missing()
        too_many_erasures() erasures_lost(1, 3) no_such_erasure() no_such_backfill() no_such_dead_letter()
        not_redrivable() key_missing() no_such_object() not_a_batch_key(IgnoreReason::OtherPrefix)
        not_a_batch_key(IgnoreReason::LogpushCheck) not_a_batch_key(IgnoreReason::Folder)
    }
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let mut text = String::new();
    for (name, problem) in all() {
        let reply = api::Reply::of(problem.into());
        writeln!(text, "{name}: {}", reply.status).unwrap();
        for (name, value) in &reply.headers {
            writeln!(text, "{name}: {value}").unwrap();
        }
        writeln!(text, "{}\n", String::from_utf8(reply.body).unwrap()).unwrap();
    }
    vec![Fixture::new("problems.txt", text)]
}

#[test]
fn problems_match_their_fixture() {
    compare(&fixtures());
}

#[test]
fn every_problem_is_in_the_fixture() {
    let function = Regex::new(r"\npub fn ([a-z_]+)\(").unwrap();
    let written: BTreeSet<&str> = function.captures_iter(SOURCE).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(all().iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), written);
}
