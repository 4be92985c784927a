//! What a request asks of the world before the audit log has admitted it: the index, where it shows records, and nothing
//! else.

use raydex::config::{Config, ConfigFault};
use raydex::router::{Route, find_route};

use super::every_route::world;
use super::support::partner::delivering;
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, Reply, problem};

/// The kinds of calls before the audit log's first answer, and those after it.
type Calls = (Vec<Kind>, Vec<Kind>);

/// Answers a request while the audit log takes its time.
fn answer_slowly(fakes: &Fakes, ask: Ask, config: &Result<Config, Vec<ConfigFault>>) -> (Reply, Calls) {
    fakes.audits.waits.set(9);
    fakes.faults.keep_order();
    let reply = ask.of_deployment(fakes, config);
    let order = fakes.faults.order();
    let recorded = order.iter().position(|kind| *kind == Kind::Audit).expect("it is recorded");
    (reply, (order[..recorded].to_vec(), order[recorded + 1..].to_vec()))
}

fn is_lookup(route: Route) -> bool {
    matches!(route, Route::GetRay | Route::GetDeliveries | Route::LookUpRays | Route::DiffRays)
}

#[test]
fn lookups_ask_the_index_while_they_are_recorded() {
    let mut lookups = 0;
    for place in 0..world().1.len() {
        let (fakes, mut asks) = world();
        let ask = asks.remove(place);
        let (row, _) = find_route(&ask.method, &ask.path).unwrap();
        if matches!(row.route, Route::GetOpenApi | Route::IngestBatch) {
            continue;
        }
        let config = Ok(delivering(&[]));
        let usual = ask.clone().of_deployment(&world().0, &config).status;
        let (reply, (before, after)) = answer_slowly(&fakes, ask, &config);
        assert_eq!(reply.status, usual, "{}", row.name());
        assert!(before.iter().all(|kind| *kind == Kind::Shard), "{}: {before:?}", row.name());
        assert!(before.is_empty() || row.shows_records(), "{}: {before:?}", row.name());
        if is_lookup(row.route) {
            assert!(!before.is_empty() && !after.contains(&Kind::Shard), "{}: {before:?}, {after:?}", row.name());
            assert!(after.contains(&Kind::GetRange), "{}: {after:?}", row.name());
            lookups += 1;
        }
    }
    assert!(lookups >= 9, "{lookups}");
}

#[test]
fn caller_over_the_rate_reads_no_bucket() {
    let (fakes, _) = world();
    let hasty = Ok(config_with(&[("API_RATE_PER_MINUTE", "1")]));
    let ask = Ask::get(&format!("/v1/rays/{}", ray(1)));
    assert_eq!(ask.clone().of_deployment(&fakes, &hasty).status, 200);
    let entries = fakes.audits.count();
    let (reply, (before, after)) = answer_slowly(&fakes, ask.clone(), &hasty);
    assert_eq!(problem(&reply), (429, "too_many_requests".into()));
    assert!(!before.is_empty() && before.iter().all(|kind| *kind == Kind::Shard), "{before:?}");
    assert_eq!((after, fakes.audits.count() - entries), (Vec::new(), 1));
    // From now on the isolate refuses by itself, and asks nothing.
    fakes.faults.keep_order();
    assert_eq!(ask.of_deployment(&fakes, &hasty).status, 429);
    assert_eq!(fakes.faults.order(), []);
}

#[test]
fn lookup_without_its_entry_serves_nothing() {
    for fault in Fault::BOTH {
        let (fakes, _) = world();
        fakes.faults.plan(Some(Kind::Audit), 0, fault);
        let ask = Ask::get(&format!("/v1/rays/{}", ray(1)));
        let (reply, (_, after)) = answer_slowly(&fakes, ask, &Ok(config_with(&[])));
        assert_eq!((problem(&reply).0, after), (503, Vec::new()));
    }
}

#[test]
fn failing_index_leaves_the_entry() {
    let (fakes, _) = world();
    let entries = fakes.audits.count();
    fakes.faults.plan(Some(Kind::Shard), 0, Fault::Fails);
    let ask = Ask::get(&format!("/v1/rays/{}", ray(1)));
    let (reply, _) = answer_slowly(&fakes, ask, &Ok(config_with(&[])));
    assert_eq!((reply.status, fakes.audits.count() - entries), (503, 1));
}
