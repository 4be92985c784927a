//! Codes of the API as words: what a person reads in place of `not_swept`.

use super::numbers::grouped;

/// Returns a code in words: `server_error` is `server error`. What has spaces is no code, and stays.
#[must_use]
pub(super) fn plain_code(code: &str) -> String {
    let is_code = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_code { code.replace('_', " ") } else { code.to_owned() }
}

/// Returns what an answer about a time range may lack, as a sentence, by the code of the reason and its count.
#[must_use]
pub(super) fn words_of_missing(code: &str, count: Option<u64>) -> String {
    let count = count.unwrap_or_default();
    match code {
        "ends_after_now" => "The range ends after now: its last records are still to come.".to_owned(),
        "not_swept" => "The bucket was not yet searched for batches of this range that nothing announced.".to_owned(),
        "not_checked" => "The range has more batches than can be checked for what they lack.".to_owned(),
        "open_batches" => counted(
            count,
            ["batch of this range is still being indexed.", "batches of this range are still being indexed."],
        ),
        "quarantined_batches" => counted(
            count,
            ["batch was not read: it is in quarantine.", "batches were not read: they are in quarantine."],
        ),
        "rejected_lines" => counted(count, ["line of a batch is no record.", "lines of batches are no records."]),
        other => format!("Not known to be complete: {}.", plain_code(other)),
    }
}

/// A number with what it counts: one, or several.
fn counted(count: u64, [one, several]: [&str; 2]) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::{plain_code, words_of_missing};

    #[test]
    fn codes_become_words_and_texts_stay() {
        assert_eq!(plain_code("server_error"), "server error");
        assert_eq!(plain_code("Some_Text of a person_"), "Some_Text of a person_");
    }

    #[test]
    fn every_reason_has_a_sentence() {
        let reasons =
            ["ends_after_now", "not_swept", "open_batches", "quarantined_batches", "rejected_lines", "not_checked"];
        for code in reasons {
            for count in [1, 1_200] {
                let words = words_of_missing(code, Some(count));
                assert!(words.ends_with('.') && !words.contains('_') && !words.starts_with("Not known"), "{words}");
            }
        }
        assert_eq!(words_of_missing("quarantined_batches", Some(1)), "1 batch was not read: it is in quarantine.");
        assert_eq!(words_of_missing("rejected_lines", Some(1_200)), "1,200 lines of batches are no records.");
        assert_eq!(words_of_missing("novel_code", None), "Not known to be complete: novel code.");
    }
}
