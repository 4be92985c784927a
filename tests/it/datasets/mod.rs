//! Which dataset a batch is of, and what follows from it.

mod cases;
mod edge;
mod folders;
mod missing;
mod mixes;
mod names;
mod table;

use raydex::config::{Config, DEFAULT_BUCKET_NAME as BUCKET_NAME};
use raydex::pipeline::{ParseVerdict, parse_message};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;

use crate::api::{Ask, without_trailer};
use crate::support::gzip::gunzip;
use crate::support::queue::message;
use crate::support::{Fakes, NOW_MS, run};

/// Stores an object and has its event handled by these settings.
fn arrive(fakes: &mut Fakes, config: &Config, key: &str, stored: &[u8]) -> ParseVerdict {
    fakes.bucket.store(key, stored);
    announce(fakes, config, key)
}

/// Has the event of an object handled, which may not exist.
fn announce(fakes: &mut Fakes, config: &Config, key: &str) -> ParseVerdict {
    fakes.log_prefixes = config.log_prefix.clone();
    let event = serde_json::to_string(&R2Event::put_object(BUCKET_NAME, key, 1, "e", NOW_MS)).unwrap();
    run(parse_message(fakes, config, &message("parse-queue", &event, 1)))
}

/// The partner's lines of the batch at `key`.
fn delivered(fakes: &Fakes, key: &str) -> Vec<String> {
    let kept = fakes.kept(key);
    let bodies = kept.payloads.iter().map(|view| gunzip(&fakes.body(key, view).unwrap()));
    let text = String::from_utf8(bodies.collect::<Vec<_>>().concat()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The lines of a dataset from 2026-11-22T08:00:00Z on, for an hour.
fn searched(fakes: &Fakes, dataset: Dataset) -> Vec<String> {
    let range = "start=2026-11-22T08:00:00Z&end=2026-11-22T09:00:00Z";
    let ask = Ask::get(&format!("/v1/logs?{range}&dataset={dataset}&format=native"));
    let reply = ask.of(&Fakes { clock_ms: std::rc::Rc::new(std::cell::Cell::new(1_795_341_600_000)), ..fakes.clone() });
    assert_eq!(reply.status, 200);
    String::from_utf8(without_trailer(&reply.body)).unwrap().lines().map(str::to_owned).collect()
}
