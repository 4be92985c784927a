//! What Logpush uploads becomes a batch like any other.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::limits::{
    BESIDE_UPLOADS, CALLER_SHARES, INGEST_MAX, MEMORY_BUDGET, MIB, UPLOAD_BUSY_MS, UPLOAD_LEAVES, UPLOAD_PART,
};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;

use super::support::gzip::{gunzip, gzip, members};
use super::support::records::{http, marked, ndjson, noise, ray};
use super::support::{Fakes, Kind};
use super::{Ask, header, json, problem};

/// The only object of the world, after an upload that was taken.
fn stored(fakes: &Fakes, ask: Ask) -> Vec<u8> {
    let reply = ask.of(fakes);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/json")));
    assert_eq!(fakes.bucket.aborted_uploads(), 0);
    let contents = fakes.bucket.contents();
    assert_eq!(contents.len(), 1);
    let (key, bytes) = contents.into_iter().next().unwrap();
    assert_eq!(json(&reply), serde_json::json!({"accepted": "batch", "key": key, "size": bytes.len()}));
    assert_eq!(fakes.queue.sent().len(), 1);
    bytes
}

/// The upload is refused, and leaves nothing.
fn refused(ask: Ask, expected: (u16, &str)) {
    let what = format!("{:.200}", format!("{ask:?}"));
    let fakes = Fakes::new();
    let reply = ask.of(&fakes);
    assert_eq!(problem(&reply), (expected.0, expected.1.to_owned()), "{what}");
    assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty(), "{what}");
    fakes.bucket.aborted_uploads();
}

fn text() -> Vec<u8> {
    ndjson((0..50).map(|number| http(&ray(number).to_string(), 30)))
}

#[test]
fn gzip_is_stored_unchanged_in_any_pieces() {
    for body in [gzip(&text()), members(&[&text(), b"", &text()])] {
        for pieces in [vec![1], vec![511], vec![512, 1], vec![513], vec![1, 700], vec![100_000]] {
            let ask = Ask { pieces, ..Ask::upload(&body) };
            assert_eq!(stored(&Fakes::new(), ask), body);
        }
    }
}

#[test]
fn text_is_stored_as_gzip_in_any_pieces() {
    let marked = [b"\xef\xbb\xbf", text().as_slice()].concat();
    let spaced = [b"\r\n  ", text().as_slice()].concat();
    let short = b"{}".to_vec();
    for body in [text(), marked, spaced, short] {
        for pieces in [vec![1], vec![511], vec![512, 1], vec![3, 100_000]] {
            let bytes = stored(&Fakes::new(), Ask { pieces, ..Ask::upload(&body) });
            assert_eq!((bytes[0], gunzip(&bytes)), (0x1f, body.clone()));
        }
    }
}

#[test]
fn upload_is_named_like_logpushs_and_gets_indexed() {
    for dataset in Dataset::WITH_RAY {
        let fakes = Fakes::new();
        let id = ray(1);
        let line = marked(dataset, &format!(r#"{{"RayID":"{id}","Event":{{"RayID":"{id}"}}}}"#));
        let ask = Ask { body: line.clone().into_bytes(), ..Ask::new("POST", &format!("/v1/ingest/{dataset}")) };
        let key = json(&ask.of(&fakes))["key"].as_str().unwrap().to_owned();
        let expected = format!("logs/{dataset}/20260328/20260328T084225Z_20260328T084225Z_00005a3c.log.gz");
        assert_eq!(key, expected);
        let [message] = fakes.queue.sent().try_into().unwrap();
        let event = R2Event::parse(&message).unwrap();
        let head = fakes.bucket.object(&key).unwrap().head;
        assert_eq!((event.bucket.as_str(), event.object.key.as_str()), (BUCKET_NAME, key.as_str()));
        assert_eq!((event.object.size, event.object.etag), (Some(head.size), Some(head.etag)));
        assert_eq!(event.event_time.as_deref(), Some("2026-03-28T08:42:25.000Z"));
        assert_eq!(fakes.parse(&message, 1).verdict.name(), "sealed");
        let found = Ask::get(&format!("/v1/rays/{id}?dataset={dataset}&format=native")).of(&fakes);
        assert_eq!(String::from_utf8(found.body).unwrap(), line + "\n");
    }
}

#[test]
fn large_body_is_uploaded_in_parts_and_complete() {
    for size in [12 * MIB, UPLOAD_PART - 1, UPLOAD_PART, UPLOAD_PART + 1, 2 * UPLOAD_PART] {
        let mut body = noise(3, size);
        body[0] = 0x1f;
        for pieces in [vec![4096], vec![UPLOAD_PART], vec![1, UPLOAD_PART / 2]] {
            let fakes = Fakes::new();
            assert!(stored(&fakes, Ask { pieces, ..Ask::upload(&body) }) == body, "{size} bytes");
            assert_eq!(fakes.faults.count(Kind::Part), if size < UPLOAD_PART { 0 } else { size.div_ceil(UPLOAD_PART) });
        }
    }
}

#[test]
fn large_text_goes_up_compressed_in_parts() {
    let body = ndjson(noise(9, 6 * MIB).chunks(1000).map(|noise| format!(r#"{{"x":"{}"}}"#, hex::encode(noise))));
    let fakes = Fakes::new();
    let bytes = stored(&fakes, Ask { pieces: vec![70_000], ..Ask::upload(&body) });
    assert!(gunzip(&bytes) == body);
    assert_eq!(fakes.faults.count(Kind::Part), 2);
}

#[test]
fn text_overflowing_a_part_gets_parts_of_size() {
    let text = |bytes: usize| hex::encode(noise(9, bytes)).into_bytes();
    let packed = |bytes| gzip(&[b"{", text(bytes).as_slice()].concat()).len();
    let border = UPLOAD_PART + 1..UPLOAD_PART + 500;
    // A size just past one part: the encoder still holds the last kilobytes when the body ends.
    let mut bytes = UPLOAD_PART;
    let mut size = packed(bytes);
    while !border.contains(&size) {
        bytes = bytes * (UPLOAD_PART + 250) / size;
        size = packed(bytes);
    }
    let fakes = Fakes::new();
    let body = [b"{", text(bytes).as_slice()].concat();
    let bytes = stored(&fakes, Ask { pieces: vec![70_000], ..Ask::upload(&body) });
    assert!(gunzip(&bytes) == body);
    assert_eq!(fakes.faults.count(Kind::Part), 2);
}

#[test]
fn upload_waits_for_memory_and_leaves_answers_theirs() {
    let small = Ask { content_length: Some(1_000), ..Ask::upload(&gzip(&text())) };
    let unknown = Ask::upload(&gzip(&text()));
    let ahead = BESIDE_UPLOADS + UPLOAD_LEAVES[0];
    for (left, ask, is_taken) in [
        (MEMORY_BUDGET, &unknown, true),
        (ahead + MIB, &unknown, true),
        (ahead + 64 * 1024, &unknown, false),
        (ahead + MIB / 2, &small, true),
        (ahead, &small, false),
    ] {
        let fakes = Fakes::new();
        let others = ["one", "another"].map(|caller| fakes.memory.for_upload_of(caller).reservation());
        let half = (MEMORY_BUDGET - left) / 2;
        for other in &others {
            other.reserve(half).unwrap();
        }
        let reply = ask.clone().of(&fakes);
        assert_eq!(fakes.memory.available(), left, "all of it comes back");
        if is_taken {
            assert_eq!((reply.status, fakes.paused_ms.get()), (200, 0), "{left}");
            continue;
        }
        assert_eq!((problem(&reply), header(&reply, "retry-after")), ((503, "busy".into()), Some("1")), "{left}");
        assert_eq!(fakes.paused_ms.get(), UPLOAD_BUSY_MS);
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
        drop(others);
        assert_eq!(ask.clone().of(&fakes).status, 200);
    }
}

#[test]
fn answers_of_one_caller_keep_no_upload_out() {
    let fakes = Fakes::new();
    let answers = fakes.memory.for_request_of("viewer").reservation();
    answers.reserve(MEMORY_BUDGET / CALLER_SHARES).unwrap();
    let reply = Ask::upload(&gzip(&text())).of(&fakes);
    assert_eq!((reply.status, fakes.paused_ms.get()), (200, 0));
}

#[test]
fn body_beyond_the_platforms_limit_is_refused() {
    let most = usize::try_from(INGEST_MAX).unwrap();
    let body = vec![0x1f; most + 1];
    refused(Ask { pieces: vec![MIB], ..Ask::upload(&body) }, (413, "too_large"));
    let announced = Ask { content_length: Some(INGEST_MAX + 1), ..Ask::upload(b"{}\n") };
    refused(announced.clone(), (413, "too_large"));
    let fakes = Fakes::new();
    announced.of(&fakes);
    assert_eq!(fakes.faults.calls(), 0, "not even the body is read");
    let ask = Ask { pieces: vec![MIB], content_length: Some(INGEST_MAX), ..Ask::upload(&body[..most]) };
    assert_eq!(stored(&Fakes::new(), ask).len(), most);
}

#[test]
fn neither_gzip_nor_lines_of_objects_is_refused() {
    for body in [&b""[..], b"\n", b" \r\n\t ", &[b' '; 512]] {
        for pieces in [vec![1], vec![1000]] {
            refused(Ask { pieces, ..Ask::upload(body) }, (400, "empty_body"));
        }
    }
    for (body, code) in [
        (&b"RayID,ClientIP\n"[..], "csv"),
        (b"[{}]", "json_array"),
        (b"null", "not_ndjson"),
        (b"<html>", "xml"),
        (b"\0\0", "not_ndjson"),
        (b" x", "not_ndjson"),
        (b"PK\x03\x04", "other_compression"),
        (b" \x1f\x8b\x08", "not_ndjson"),
    ] {
        refused(Ask::upload(body), (422, code));
    }
    let unknown = Ask { body: text(), ..Ask::new("POST", "/v1/ingest/no_such_logs") };
    refused(unknown, (404, "unknown_dataset"));
}

#[test]
fn body_beginning_with_many_blank_lines_is_taken() {
    for blank in [513, 5000] {
        let body = [vec![b'\n'; blank], text()].concat();
        assert_eq!(gunzip(&stored(&Fakes::new(), Ask::upload(&body))), body);
        let ask = Ask { pieces: vec![100], ..Ask::upload(&body) };
        assert_eq!(gunzip(&stored(&Fakes::new(), ask)), body);
    }
}

#[test]
fn logpushs_test_upload_is_welcome_and_not_kept() {
    let test: &[u8] = br#"{"content":"tests"}"#;
    for body in [test.to_vec(), gzip(test), [test, b"\n"].concat(), gzip(&[test, b"\r\n"].concat())] {
        for pieces in [vec![1], vec![1000]] {
            let fakes = Fakes::new();
            let reply = Ask { pieces, ..Ask::upload(&body) }.of(&fakes);
            assert_eq!((reply.status, json(&reply)), (200, serde_json::json!({"accepted": "test"})));
            assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
        }
    }
}

#[test]
fn other_spellings_of_test_upload_are_welcome() {
    let cases: [&[u8]; 2] = [
        include_bytes!("../../fixtures/cases/30-test-upload-spellings/singular.txt.gz"),
        include_bytes!("../../fixtures/cases/30-test-upload-spellings/spaces.txt.gz"),
    ];
    let texts = [r#"{"content":"Test"}"#, "{\n \"content\": \"tests\"\n}\n", r#"[{"content":"tests"}]"#];
    let texts = texts.map(|text| [text.as_bytes().to_vec(), gzip(text.as_bytes())]);
    for body in cases.map(<[u8]>::to_vec).into_iter().chain(texts.into_iter().flatten()) {
        let fakes = Fakes::new();
        let reply = Ask::upload(&body).of(&fakes);
        assert_eq!((reply.status, json(&reply)), (200, serde_json::json!({"accepted": "test"})));
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
    }
}

#[test]
fn what_only_resembles_the_test_upload_is_kept() {
    let test: &[u8] = br#"{"content":"tests"}"#;
    for body in [
        gzip(br#"{"content":"tests","RayID":"9e35512345678abc"}"#),
        gzip(&[test, b"\n", &text()].concat()),
        br#"{"content":"contest"}"#.to_vec(),
        br#"{"content":["tests"]}"#.to_vec(),
    ] {
        assert!(!stored(&Fakes::new(), Ask::upload(&body)).is_empty());
    }
}
