//! The steps of a lookup, one behind the other: what does not need another's answer is asked beside it.

use std::rc::Rc;

use raydex::pipeline::BatchOutcome;
use raydex::record::{Dataset, RayId};
use raydex::router::answer_request;

use super::support::Kind::{Audit, GetRange, Ledger, Shard};
use super::support::gzip::gzip;
use super::support::records::{PREFIX, ndjson, noise};
use super::support::world::config;
use super::support::{Fakes, Kind};
use super::{Ask, read_pieces};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_a.log.gz";

/// A ray of the batch.
fn ray(number: u64) -> String {
    RayId::from_parts(PREFIX, number).to_string()
}

/// A record of 700 bytes, most of which do not compress.
fn record(number: u32) -> String {
    let (id, uri) = (ray(number.into()), hex::encode(noise(number, 320)));
    format!(r#"{{"ClientIP":"192.0.2.1","RayID":"{id}","ClientRequestURI":"/{uri}"}}"#)
}

/// A deployment with a batch of 4 MB, which has windows.
fn deployment() -> Rc<Fakes> {
    let fakes = Fakes::new();
    let (_, outcome) = fakes.index(KEY, Dataset::HttpRequests, &gzip(&ndjson((0..6_000).map(record))));
    assert!(matches!(outcome, BatchOutcome::Sealed(_)), "{outcome:?}");
    Rc::new(fakes)
}

/// The steps of the request, and the status and size of its answer.
fn steps_of(fakes: &Rc<Fakes>, ask: Ask) -> (Vec<Vec<Kind>>, u16, usize) {
    let request = ask.into_request(fakes);
    let answer = async {
        let reply = answer_request(&Ok(config()), fakes, request).await;
        (reply.status, read_pieces(reply.body).await.0.len())
    };
    let ((status, size), mut steps) = fakes.faults.count_steps(answer);
    for calls in &mut steps {
        calls.sort_unstable();
    }
    (steps, status, size)
}

#[test]
fn lookup_takes_two_steps() {
    let fakes = deployment();
    let lookup = |number| Ask::get(&format!("/v1/rays/{}?format=native", ray(number)));
    for number in [4_500, 5_999] {
        let (steps, status, size) = steps_of(&fakes, lookup(number));
        println!("{steps:?}");
        // The entry of the audit log beside the index; then the range of the batch beside that of its windows.
        assert_eq!(steps, [vec![Shard, Audit], vec![GetRange, GetRange]], "{number}");
        assert!(status == 200 && size > 600, "{status} {size}");
    }
    // The beginning of a batch needs no window.
    assert_eq!(steps_of(&fakes, lookup(0)).0, [vec![Shard, Audit], vec![GetRange]]);
}

#[test]
fn refused_lookup_reads_nothing() {
    let fakes = deployment();
    let by_a_stranger = Ask::get(&format!("/v1/rays/{}", ray(7))).by("n0t-a-token");
    let (steps, status, _) = steps_of(&fakes, by_a_stranger);
    let reads = [Shard, GetRange, Ledger];
    assert!(status == 401 && !steps.iter().flatten().any(|kind| reads.contains(kind)), "{steps:?}");
}
