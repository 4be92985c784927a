//! The steps of a lookup, one behind the other: what does not need another's answer is asked beside it.

use std::rc::Rc;

use raydex::record::{Dataset, RayId};
use raydex::router::answer_request;

use super::support::Kind::{Audit, GetRange, Ledger, Shard};
use super::support::gzip::gzip;
use super::support::records::{PREFIX, http, ndjson};
use super::support::world::config;
use super::support::{Fakes, Kind};
use super::{Ask, read_pieces};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_a.log.gz";

/// A ray of the batch.
fn ray(number: u64) -> String {
    RayId::from_parts(PREFIX, number).to_string()
}

/// A deployment with a batch of 30 MB, which has windows.
fn deployment() -> Rc<Fakes> {
    let fakes = Fakes::new();
    let lines = (0..3_000).map(|number| http(&ray(number), 10_000));
    fakes.index(KEY, Dataset::HttpRequests, &gzip(&ndjson(lines)));
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
    for number in [1_500, 2_999] {
        let (steps, status, size) = steps_of(&fakes, lookup(number));
        println!("{steps:?}");
        // The entry of the audit log beside the index; then the range of the batch beside that of its windows.
        assert_eq!(steps, [vec![Shard, Audit], vec![GetRange, GetRange]], "{number}");
        assert!(status == 200 && size > 10_000, "{status} {size}");
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
