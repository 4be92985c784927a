//! A backfill with a filter of its own.

use super::support::partner::Reply;
use super::*;

const COLO: &str = r#"{"where":{"key":"EdgeColoID","operator":"eq","value":5}}"#;

/// The deployment's batches, with one record of another place in each.
fn deployment_of_two_places() -> Consumers {
    let consumers = deployment(0, || Reply::Status(200));
    // All of it lay there at the first start.
    consumers.fakes.isolate.first_start_ms.set(Some(i64::MAX));
    for batch in 0..3 {
        let line = |record: i64| {
            let (name, at, colo) = (name(batch, record), instant(batch, record), 4 + i64::from(record == 1));
            format!(r#"{{"RayID":"{name}","EdgeStartTimestamp":{at},"EdgeColoID":{colo}}}"#)
        };
        let text: Vec<String> = (0..5).map(line).collect();
        consumers.fakes.bucket.store(&key(batch), &gzip(text.join("\n").as_bytes()));
    }
    consumers
}

fn finish(consumers: &Consumers, id: i64) -> BackfillJob {
    for _ in 0..20 {
        work(consumers);
    }
    let job = job(&consumers.fakes, id);
    assert_eq!(job.state, BackfillState::Done, "{job:?}");
    job
}

#[test]
fn only_matching_records_go_to_the_partner() {
    let consumers = deployment_of_two_places();
    let window = (instant(0, 0), instant(3, 0));
    let id = begin(&consumers, BackfillRequest { filter: Some(COLO.into()), ..ask(window.0, window.1) });
    let job = finish(&consumers, id);
    let matching: BTreeMap<String, usize> = (0..3).map(|batch| (name(batch, 1), 1)).collect();
    assert_eq!(consumers.partner.stored(), matching);
    assert_eq!((job.sums.lines.delivered, job.sums.lines.filtered["backfill_filter"]), (3, 12));
    assert_eq!(consumers.fakes.ledgers.totals().lines.filtered["backfill_filter"], 12);
    // The plan covers its window; what it left out goes out when it is asked for again.
    let plain = begin(&consumers, ask(window.0, window.1));
    assert_eq!(finish(&consumers, plain).sums.lines.lines_in, 0);
    let others = r#"{"where":{"key":"EdgeColoID","operator":"!eq","value":5}}"#;
    let reason = Some("now the others".into());
    let again = BackfillRequest { again: true, reason, filter: Some(others.into()), ..ask(window.0, window.1) };
    let again = begin(&consumers, again);
    assert_eq!(finish(&consumers, again).sums.lines.delivered, 12);
    assert_eq!(consumers.partner.stored(), expected(3, &[window]));
}

#[test]
fn filter_takes_nothing_from_live_traffic() {
    let consumers = deployment_of_two_places();
    consumers.fakes.isolate.first_start_ms.set(Some(0));
    let window = (instant(0, 0), instant(3, 0));
    // The events of the batches are late.
    let id = begin(&consumers, BackfillRequest { filter: Some(COLO.into()), ..ask(window.0, window.1) });
    finish(&consumers, id);
    arrive(&consumers, 0..3);
    consumers.settle(TURN_MS);
    assert_eq!(consumers.partner.stored(), expected(3, &[window]));
}

#[test]
fn filter_of_the_settings_holds_as_well() {
    let mut consumers = deployment_of_two_places();
    let none = r#"{"where":{"key":"EdgeColoID","operator":"eq","value":6}}"#;
    consumers.config = delivering(&[("BATCH_SIZE", "3"), ("PARTNER_FILTER", none)]);
    let id = begin(&consumers, BackfillRequest { filter: Some(COLO.into()), ..ask(instant(0, 0), instant(3, 0)) });
    let job = finish(&consumers, id);
    assert_eq!((job.sums.lines.delivered, job.sums.lines.filtered["filter"]), (0, 15));
}
