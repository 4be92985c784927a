//! Batches as people met them, and what is right for each.

use raydex::record::Dataset;
use raydex::time::rfc3339;

use super::super::api::{Ask, json};
use super::support::Fakes;
use super::{BatchOutcome, KEY, case, is_quarantined_whole, process};

/// The rays of a case, in their order.
fn rays(folder: &str) -> Vec<String> {
    String::from_utf8(case(&format!("{folder}/rays.txt"))).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn glued_records_name_the_record_suffix() {
    is_quarantined_whole("glued", &case("01-glued-records/glued.log.gz"), "glued_records", "record_suffix");
    assert_eq!(rays("01-glued-records").len(), 5);
}

#[test]
fn single_record_without_newline_is_a_batch() {
    let fakes = Fakes::new();
    let BatchOutcome::Sealed(done) = process(&fakes, &case("01-glued-records/single.log.gz")) else { panic!("sealed") };
    assert_eq!((done.counts.lines, done.counts.rays, done.payload_lines), (1, 1, 1));
    assert_eq!(fakes.lines("a5e676045cc22af5").len(), 1);
}

#[test]
fn array_of_many_lines_names_the_batch_prefix() {
    let stored = case("02-array-one-record-a-line/array.log.gz");
    is_quarantined_whole("array", &stored, "json_array", "batch_prefix");
    let fakes = Fakes::new();
    process(&fakes, &stored);
    for ray in rays("02-array-one-record-a-line") {
        assert!(fakes.lines(&ray).is_empty(), "{ray}");
    }
}

#[test]
fn twice_and_otherwise_compressed_name_the_compression() {
    let folder = "15-gzip-in-gzip-and-wrong-suffix";
    let twice = case(&format!("{folder}/twice.log.gz"));
    is_quarantined_whole("twice", &twice, "compressed_twice", "gzip inside of gzip");
    let bzip2 = case(&format!("{folder}/bzip2.log.gz"));
    is_quarantined_whole("bzip2", &bzip2, "other_compression", "bzip2");
}

#[test]
fn byte_order_mark_alone_is_an_empty_batch() {
    let fakes = Fakes::new();
    let outcome = process(&fakes, &case("16-empty-and-foreign-objects/bom-only.log.gz"));
    let BatchOutcome::Sealed(done) = outcome else { panic!("{outcome:?}") };
    assert_eq!(done.counts.lines, 0);
    assert!(fakes.shards.rows().is_empty());
}

#[test]
fn runs_without_a_ray_are_found_by_time() {
    let fakes = Fakes::new();
    let dataset = Dataset::WorkersTraceEvents;
    let stored = case("20-trace-without-ray/only-cron-and-queue.log.gz");
    let (_, outcome) = fakes.index(KEY, dataset, &stored);
    let BatchOutcome::Sealed(done) = outcome else { panic!("{outcome:?}") };
    let counts = &done.counts;
    assert_eq!((counts.lines, counts.records, counts.rays, counts.no_ray, counts.clock_skewed), (7, 7, 0, 7, 0));
    let start_ms = 1_795_335_060_000;
    fakes.clock_ms.set(start_ms + 3_600_000);
    let (start, end) = (rfc3339(start_ms), rfc3339(start_ms + 7_000));
    let path = format!("/v1/logs?dataset={dataset}&start={start}&end={end}");
    let reply = Ask::get(&path).of(&fakes);
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(reply.body).unwrap();
    let kinds = ["scheduled", "queue", "alarm", "rpc", "email", "fetch", "tail"];
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"raydex\"")).collect();
    assert_eq!(lines.len(), kinds.len(), "{text}");
    for (line, kind) in lines.iter().zip(kinds) {
        assert!(line.contains(&format!("\"EventType\":\"{kind}\"")), "{line}");
    }
    let stats = json(&Ask::get("/v1/stats").of(&fakes));
    assert!(stats.get("alarm").is_none(), "{stats}");
}
