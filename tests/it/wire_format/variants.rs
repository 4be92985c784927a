//! The variants of answers: each is played at least once in the stories of `calls/`.

use super::calls::story_of;

/// What the answers of each object must show at least once.
const ANSWERS: [(&str, &[&str]); 6] = [
    (
        "audit",
        &[
            r#"{"is":"written""#,
            r#"{"is":"passed"}"#,
            r#"{"is":"limited""#,
            r#"{"is":"stale""#,
            r#"{"is":"erased""#,
            r#"{"is":"budgeted","seq":"#,
            r#"{"is":"budgeted","spent":"#,
            r#"{"is":"spent""#,
            r#""segment":{"#,
            r#""segment":null"#,
        ],
    ),
    (
        "ledger",
        &[
            r#"{"state":"work""#,
            r#"{"state":"complete"}"#,
            r#"{"state":"quarantined""#,
            r#"{"state":"superseded"}"#,
            r#""repair":{"#,
            r#""replay":{"#,
            r#"{"claim":"granted""#,
            r#""unanswered":false,"backfill":{"#,
            r#""place_ms":"#,
            r#""why":"busy""#,
            r#""why":"not_due""#,
            r#""why":"breaker_open""#,
            r#"{"claim":"terminal""#,
            r#"{"claim":"unknown"}"#,
            r#""sealed""#,
            r#""open""#,
            r#""void""#,
        ],
    ),
    (
        "partner",
        &[
            r#"{"state":"closed""#,
            r#"{"state":"probing""#,
            r#"{"state":"open""#,
            r#""closed":true"#,
            r#""closed":false"#,
            r#"{"turn":"granted""#,
            r#"{"turn":"later""#,
        ],
    ),
    (
        "registry",
        &[
            r#"{"known":true}"#,
            r#"{"known":false}"#,
            r#"{"kept":true}"#,
            r#"{"kept":false}"#,
            r#"{"is_new":true}"#,
            r#"{"is_new":false}"#,
            r#"{"is":"made""#,
            r#"{"is":"id_taken"}"#,
        ],
    ),
    (
        "shard",
        &[
            r#""outcome":"stored""#,
            r#""outcome":"unchanged""#,
            r#""outcome":"superseded""#,
            r#""extents":[{"#,
            r#""more":true"#,
            r#""is_same":true"#,
            r#""families":[{"#,
            r#""places":[{"#,
        ],
    ),
    ("spool", &[r#"{"is_new":true}"#, r#"{"is_new":false}"#]),
];

#[test]
fn every_variant_of_an_answer_is_played() {
    for (object, variants) in ANSWERS {
        let story = story_of(object);
        let answers: Vec<&str> = story.lines().filter_map(|line| line.strip_prefix("= ")).collect();
        for variant in variants {
            assert!(answers.iter().any(|answer| answer.contains(variant)), "{object}: {variant}");
        }
    }
}
