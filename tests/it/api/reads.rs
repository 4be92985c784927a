//! Reading writes nothing, and what is made up leads nowhere.

use raydex::ledger::calls::GetTotals;
use raydex::ledger::ids::REGISTRY;
use raydex::router::{ROUTES, RouteSpec};

use super::every_route::RANGE;
use super::story::{KEYS, batch, batch_of, records, wish};
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Kind};
use super::{Ask, problem};

/// A handle of a batch that does not exist, in a ledger that does not.
fn batch_handle(hour: u32) -> String {
    format!("20260101T{hour:02}.{}", "5a".repeat(32))
}

/// Requests of the row with names that are made up; those with a body change nothing that exists.
fn made_up(row: &RouteSpec, number: u32) -> Ask {
    let path = row
        .path
        .replace("{ray}", &ray(u64::from(number)).to_string())
        .replace("{batch}", &batch_handle(number % 24))
        .replace("{payload}", &format!("{}.1.000000", batch_handle(number % 24)))
        .replace("{dead_letter}", &number.to_string())
        .replace("{id}", &number.to_string())
        .replace("{token}", &format!("made-up-{number}"))
        .replace("{dataset}", "http_requests")
        .replace("{trace}", &ray(u64::from(number)).to_string())
        .replace("{tag}", "service.name")
        .replace("{zone}", "z")
        .replace("{account}", "a");
    let query = if row.parameters.contains(&"end") { format!("?{RANGE}") } else { String::new() };
    let bucket = if row.parameters.contains(&"bucket") { "bucket=cdn-logs-raw" } else { "" };
    let query = match (query.as_str(), bucket) {
        (_, "") => query,
        ("", bucket) => format!("?{bucket}"),
        (query, bucket) => format!("{query}&{bucket}"),
    };
    let body = match row.path {
        "/v1/rays" => format!(r#"{{"rays":["{}"]}}"#, ray(u64::from(number))),
        "/v1/batches" => r#"{"key":"logs/made-up.log.gz"}"#.to_owned(),
        "/v1/backfills" | "/v1/tokens" => "{}".to_owned(),
        path if path.ends_with("/flag") => r#"{"flag":true}"#.to_owned(),
        path if path.ends_with("/rayids/index") => "{}".to_owned(),
        _ => r#"{"reason":"it is made up"}"#.to_owned(),
    };
    Ask { body: body.into(), ..Ask::new(row.method, &(path + &query)) }
}

#[test]
fn asking_for_made_up_names_leaves_no_table() {
    let fakes = Fakes::new();
    let config = Ok(config_with(&[("API_RATE_PER_MINUTE", "0")]));
    for row in ROUTES {
        for number in 0..3 {
            let reply = made_up(row, number).of_deployment(&fakes, &config);
            assert!(reply.status < 500, "{}: {}", row.name(), reply.status);
            assert_eq!(fakes.shards.tables(), [""; 0], "{}", row.name());
            assert_eq!(fakes.ledgers.tables(), [""; 0], "{}", row.name());
            assert_eq!(fakes.ledgers.alarms(), [""; 0], "{}", row.name());
        }
    }
}

#[test]
fn many_made_up_rays_leave_no_table() {
    let fakes = Fakes::new();
    let rays: Vec<String> = (0..100).map(|number| format!("\"{:05x}00000000000\"", 0x9_0000 + number)).collect();
    let body = format!(r#"{{"rays":[{}]}}"#, rays.join(","));
    let reply = Ask { body: body.into(), ..Ask::new("POST", "/v1/rays") }.of(&fakes);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body.split(|byte| *byte == b'\n').count(), 102, "and the end");
    assert_eq!(fakes.shards.tables(), [""; 0]);
}

#[test]
fn made_up_handles_end_at_the_registry() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..2), Some(wish()));
    let names = fakes.ledgers.names();
    for hour in 0..24 {
        let (handle, payload) = (batch_handle(hour), format!("{}.1.000000", batch_handle(hour)));
        for (ask, code) in [
            (Ask::get(&format!("/v1/batches/{handle}")), "no_such_batch"),
            (Ask::post(&format!("/v1/batches/{handle}/replay"), "why"), "no_such_batch"),
            (Ask::post(&format!("/v1/payloads/{payload}/drop"), "why"), "no_such_payload"),
        ] {
            assert_eq!(problem(&ask.of(&fakes)), (404, code.into()));
        }
    }
    assert_eq!(fakes.ledgers.names(), names, "no ledger was called");
    // A ledger that exists is asked, and the registry only the first time.
    let get = || Ask::get(&format!("/v1/batches/{}", batch_of(&ids[0]))).of(&fakes);
    assert_eq!(get().status, 200);
    let calls = fakes.faults.count(Kind::Ledger);
    assert_eq!(get().status, 200);
    assert_eq!(fakes.faults.count(Kind::Ledger) - calls, 1);
}

#[test]
fn tables_come_with_the_first_write() {
    let fakes = Fakes::new();
    let totals = fakes.ledgers.ask("v1/20260328T08", &GetTotals {});
    assert_eq!((totals.totals.lines.lines_in, fakes.ledgers.tables().len()), (0, 0));
    batch(&fakes, KEYS[0], &records(0..2), None);
    assert_eq!(fakes.ledgers.tables(), ["v1/20260328T08", REGISTRY]);
    assert_eq!(fakes.shards.tables().len(), 1);
    assert_eq!(Ask::get(&format!("/v1/rays/{}", ray(1))).of(&fakes).status, 200);
}
