//! Batches of other forms than NDJSON: quarantined whole with the option that is to blame, whatever their length; and the
//! converse, damaged lines among good ones.

use crate::support;

mod cases;
mod damage;
mod honest;
mod repairs;
mod wrong;
mod wrong_forms;

use raydex::backend::BackendError;
use raydex::batch::BatchError;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::DeliveryWindow;
use raydex::ledger::plan::DeliveryRequest;
use raydex::pipeline::{BatchOutcome, BatchRequest, options_of, process_batch};
use raydex::record::Dataset;

use support::partner::delivering;
use support::{Fakes, run};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// Stores the object, and has it indexed and delivered.
fn process(fakes: &Fakes, stored: &[u8]) -> BatchOutcome {
    fakes.bucket.store(KEY, stored);
    process_again(fakes)
}

/// Has the object read as it is.
fn process_again(fakes: &Fakes) -> BatchOutcome {
    try_process(fakes).unwrap()
}

/// The same where the world may fail.
fn try_process(fakes: &Fakes) -> Result<BatchOutcome, BackendError> {
    let wish = DeliveryRequest::new(DeliveryWindow::EVER, options_of(&delivering(&[])));
    let named = BatchRequest::new(KEY, Dataset::HttpRequests.into(), &fakes.log_prefixes);
    let work = BatchRequest { deliver: Some(wish), ..named };
    run(process_batch(fakes, KEY, &work))
}

/// The object is quarantined under this code with a reason that has these words, and nothing of it is left.
fn is_quarantined_whole(what: &str, stored: &[u8], code: &str, option: &str) {
    let why = quarantined(what, stored);
    assert_eq!(why.code(), code, "{what}: {why}");
    assert!(why.to_string().contains(option), "{what}: {why}");
}

/// Why the object is quarantined. Nothing of it is indexed, sealed for the partner, or announced.
fn quarantined(what: &str, stored: &[u8]) -> BatchError {
    let fakes = Fakes::new();
    let outcome = process(&fakes, stored);
    let BatchOutcome::Quarantined(why) = outcome else { panic!("{what}: {outcome:?}") };
    assert!(fakes.shards.rows().is_empty(), "{what}: an entry");
    assert!(fakes.sends.sent().is_empty(), "{what}: a message");
    let kept = fakes.kept(KEY);
    let batch = kept.batch.unwrap();
    assert_eq!((batch.state.name(), batch.code.as_deref()), ("quarantined", Some(why.code())), "{what}");
    assert!(kept.payloads.is_empty() && kept.shards.is_empty(), "{what}");
    let totals = fakes.ledgers.totals();
    assert_eq!((totals.lines.lines_in, totals.batches.get("quarantined")), (0, Some(&1)), "{what}");
    why
}

/// The bytes of a case.
fn case(path: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cases/");
    std::fs::read(format!("{folder}{path}")).unwrap_or_else(|why| panic!("{path}: {why}"))
}
