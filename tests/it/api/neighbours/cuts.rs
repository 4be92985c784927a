//! Answers that are cut: by failures, by memory, by damaged batches. What they count is counted once.

use raydex::limits::{CALLER_SHARES, NEIGHBOURS_BYTES, REQUEST_BYTES, STREAM_BYTES};
use raydex::mask::Role;
use raydex::memory::MemoryBudget;
use serde_json::Value;

use super::super::support::Fault;
use super::model::{Expected, Found, Question, expected};
use super::{Answer, Followed, SHOWN, Store, add, ask, at, follow, header, ndjson, path_of, ray, sorted, world};
use crate::support::random::Random;

/// A world, and a question with many neighbours, with what the model expects of its answer.
fn asked() -> (Store, String, Found) {
    for seed in 0..50 {
        let (store, rays) = world(&mut Random::new(seed));
        for ray in rays {
            let (role, zone, limit, fields) = (Role::Forensics, None, 500, SHOWN.to_vec());
            let question = Question { ray: ray.clone(), by: "client", within_s: 3_600, role, zone, limit, fields };
            if let Expected::Found(found) = expected(&store, &question)
                && found.all.len() > 20
            {
                return (store, path_of(&ray, "by=client&within=60m&limit=500"), found);
            }
        }
    }
    panic!("no ray has neighbours");
}

/// Checks that an answer and those that its cursor continues have everything once.
fn check_finished(store: &Store, path: &str, answer: &Answer, found: &Found, what: &str) {
    let (mut rows, mut sums) = match answer.cursor() {
        Some(cursor) => {
            let Followed { rows, sums, .. } = follow(store, "forensics", &format!("{path}&cursor={cursor}"), 7);
            (rows, sums)
        }
        None => (Vec::new(), serde_json::json!({})),
    };
    rows.extend(answer.rows());
    add(&mut sums, &answer.counts());
    let all = found.all.iter().map(|(_, row)| row.clone()).collect();
    assert_eq!((sums, sorted(rows)), (found.counts.clone(), sorted(all)), "{what}");
}

#[test]
fn failures_lose_nothing_and_count_nothing_twice() {
    let (store, path, found) = asked();
    let before = store.fakes.faults.calls();
    follow(&store, "forensics", &path, 7);
    let calls = store.fakes.faults.calls() - before;
    assert!(calls > 10, "{calls}");
    let (mut refused, mut cut) = (0, 0);
    for nth in 1..calls {
        store.fakes.faults.plan(None, nth, Fault::Fails);
        let reply = ask(&store, "forensics", &path, 7);
        assert!(store.fakes.faults.clear(), "call {nth}");
        if reply.status == 503 {
            refused += 1;
            continue;
        }
        let answer = Answer::of(&reply);
        if answer.trailer.get("error").is_some() {
            assert_eq!(answer.trailer["error"]["code"], "unavailable", "call {nth}");
            assert_eq!(answer.trailer["complete"], false);
            assert!(answer.summary["searched_until"].is_string(), "call {nth}: {}", answer.summary);
            cut += 1;
        }
        check_finished(&store, &path, &answer, &found, &format!("call {nth}"));
    }
    assert!(refused > 1 && cut > 5, "{refused} refused, {cut} cut of {calls}");
}

#[test]
fn memory_that_ends_leaves_exact_counts() {
    let (mut store, path, found) = asked();
    // The first cursor makes the key of cursors.
    follow(&store, "forensics", &path, 300_000);
    let (mut early, mut whole) = (0, 0);
    for extra in (0..160).step_by(4) {
        let share = REQUEST_BYTES + 3_000 + STREAM_BYTES + NEIGHBOURS_BYTES + extra * 1024;
        let all = std::mem::replace(&mut store.fakes.memory, MemoryBudget::new(CALLER_SHARES * share));
        let reply = ask(&store, "forensics", &path, 7);
        assert_eq!(store.fakes.memory.available(), CALLER_SHARES * share, "memory is kept");
        store.fakes.memory = all;
        if reply.status != 200 || reply.is_broken {
            continue;
        }
        let answer = Answer::of(&reply);
        early += usize::from(answer.trailer.get("error").is_some());
        whole += usize::from(answer.cursor().is_none());
        check_finished(&store, &path, &answer, &found, &format!("{extra} KiB"));
    }
    assert!(early > 0 && whole > 0, "{early} ended early, {whole} are whole");
}

#[test]
fn damaged_batch_is_said_and_passed_over() {
    let mut store = Store::new();
    for (key, first) in [("logs/a.log.gz", 1), ("logs/b.log.gz", 11), ("logs/c.log.gz", 21)] {
        store.put(key, &ndjson((first..first + 4).map(|number| at(number, i64::from(number), &[]))), true);
    }
    store.fakes.bucket.store("logs/b.log.gz", b"\x1f\x8b\x08\0no gzip at all");
    let path = path_of(&ray(1).to_string(), "by=client");
    let first = Answer::of(&ask(&store, "forensics", &path, 7));
    assert_eq!((&first.summary["matched"], &first.trailer["complete"]), (&3.into(), &false.into()));
    assert_eq!(first.trailer["error"]["code"], "batch_unreadable", "{}", first.trailer);
    let cursor = first.cursor().unwrap();
    let rest = Answer::of(&ask(&store, "forensics", &format!("{path}&cursor={cursor}"), 7));
    assert_eq!((&rest.summary["matched"], &rest.trailer["complete"]), (&4.into(), &true.into()));
    // For a caller with zones, whose batches do not exist, it is passed over in silence, as in a search.
    let lines = |first: u32| {
        (first..first + 4).map(move |number| at(number, i64::from(number), &[("ZoneName", "\"a.example\"")]))
    };
    store.put("logs/a.log.gz", &ndjson(lines(1)), true);
    store.put("logs/c.log.gz", &ndjson(lines(21)), true);
    let zone = Answer::of(&ask(&store, "a-forensics", &path, 7));
    assert_eq!((&zone.summary["matched"], zone.trailer.get("error")), (&7.into(), None));
}

#[test]
fn missing_batches_are_said_as_in_searches() {
    let mut store = Store::new();
    let key =
        |number: u32| format!("logs/http_requests/20260328/{}_{number}.log.gz", raydex::time::stamp(super::start_ms()));
    store.put(&key(1), &ndjson([at(1, 0, &[]), at(2, 1, &[])]), true);
    super::super::story::batch(&store.fakes, &key(2), b"\x1f\x8bdamaged", None);
    let answer = Answer::of(&ask(&store, "forensics", &path_of(&ray(1).to_string(), "by=client"), 7));
    let codes: Vec<&Value> =
        answer.trailer["missing"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
    assert!(codes.contains(&&"quarantined_batches".into()), "{codes:?}");
    assert_eq!((&answer.trailer["complete"], &answer.summary["matched"]), (&false.into(), &1.into()));
    assert_eq!((answer.cursor(), answer.summary.get("searched_until")), (None, None));
}

#[test]
fn cursor_is_good_for_its_question_alone() {
    let (store, path, _) = asked();
    let cut = Answer::of(&ask(&store, "forensics", &path, 300_000));
    let cursor = format!("&cursor={}", cut.cursor().unwrap());
    for same in [path.clone(), path.replace("limit=500", "limit=1"), format!("{path}&fields=RayID&format=ndjson")] {
        assert_eq!(ask(&store, "forensics", &format!("{same}{cursor}"), 7).status, 200, "{same}");
    }
    for other in [path.replace("within=60m", "within=59m"), path.replace("by=client", "by=status")] {
        let refused = ask(&store, "forensics", &format!("{other}{cursor}"), 7);
        assert!(matches!(refused.status, 400 | 422), "{other}");
    }
    assert_eq!(ask(&store, "support", &format!("{path}{cursor}"), 7).status, 400);
}

#[test]
fn stream_has_its_end_in_both_formats() {
    let (store, path, _) = asked();
    for (format, media_type) in [("json", "application/json"), ("ndjson", "application/x-ndjson")] {
        let reply = ask(&store, "forensics", &format!("{path}&format={format}"), 7);
        assert_eq!(header(&reply, "content-type"), Some(media_type));
        let token = header(&reply, "raydex-end").unwrap().to_owned();
        assert_eq!(Answer::of(&reply).trailer["end"], token);
    }
}
