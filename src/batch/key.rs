//! The keys of the bucket: which objects are batches, and how ours are named.
//!
//! What always holds: every object name that raydex writes or expects is spelled here; an object's name is a
//! hint of its dataset, never of the times of its records.

use sha2::{Digest, Sha256};

use crate::record::Dataset;
use crate::time;

/// The bucket that Logpush writes to, as `wrangler.toml` and its events spell it.
pub const BUCKET_NAME: &str = "cdn-logs-raw";

/// Where the records about objects lie. It stands outside any watched prefix, so that writing one is no event.
const SOURCE_RECORDS: &str = "raydex/sources/v1/";

/// What an object is, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClass {
    /// A batch of this dataset.
    Batch(Dataset),
    /// Nothing to index.
    Ignored(Ignored),
}

/// Why an object is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// It lies outside the watched prefix.
    OtherPrefix,
    /// Logpush's ownership challenge, or its test upload.
    LogpushCheck,
    /// A folder's place holder: the key ends with a slash.
    Folder,
    /// An object was deleted, or something else happened to it that brings no lines.
    NoNewObject,
}

impl Ignored {
    /// The stable code that logs and counts name it by.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherPrefix => "other_prefix",
            Self::LogpushCheck => "logpush_check",
            Self::Folder => "folder",
            Self::NoNewObject => "no_new_object",
        }
    }
}

/// What the object at `key` is, given the watched prefix.
#[must_use]
pub fn classify(key: &str, prefix: &str) -> KeyClass {
    // A record of ours is no batch even where the prefix covers it: else each would bring the next.
    let Some(path) = key.strip_prefix(prefix).filter(|_| !key.starts_with(SOURCE_RECORDS)) else {
        return KeyClass::Ignored(Ignored::OtherPrefix);
    };
    if path.is_empty() || path.ends_with('/') {
        return KeyClass::Ignored(Ignored::Folder);
    }
    let plain = path.strip_suffix(".gz").unwrap_or(path);
    // `ownership-challenge-1a2b.txt` and `test.txt.gz`: Logpush names no batch so.
    if std::path::Path::new(plain).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt")) {
        return KeyClass::Ignored(Ignored::LogpushCheck);
    }
    let dataset = path.split('/').find_map(Dataset::from_name);
    KeyClass::Batch(dataset.unwrap_or(Dataset::HttpRequests))
}

/// The key of a batch that raydex writes itself, as Logpush would name it.
#[must_use]
pub fn batch_key(prefix: &str, dataset: Dataset, start_ms: i64, end_ms: i64, id: u32) -> String {
    let (day, start, end) = (time::day(start_ms), time::stamp(start_ms), time::stamp(end_ms));
    format!("{prefix}{dataset}/{day}/{start}_{end}_{id:08x}.log.gz")
}

/// The key of the record that says what became of the object at `key`.
#[must_use]
pub fn source_record_key(key: &str) -> String {
    format!("{SOURCE_RECORDS}{}.json", hex::encode(Sha256::digest(key)))
}

#[cfg(test)]
mod tests {
    use super::{Ignored, KeyClass, batch_key, classify, source_record_key};
    use crate::record::Dataset;

    #[test]
    fn batches_are_told_by_their_folders() {
        let cases = [
            ("logs/20260328/20260328T084200Z_20260328T084225Z_ab12.log.gz", Dataset::HttpRequests),
            ("logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_ab12.log.gz", Dataset::HttpRequests),
            ("logs/firewall_events/20260328/20260328T084260Z_ab12.log.gz", Dataset::FirewallEvents),
            ("logs/zone/workers_trace_events/x.log", Dataset::WorkersTraceEvents),
            ("logs/no-stamps-at-all", Dataset::HttpRequests),
            ("logs/../é/\u{1}.log.gz", Dataset::HttpRequests),
        ];
        for (key, dataset) in cases {
            assert_eq!(classify(key, "logs/"), KeyClass::Batch(dataset), "{key}");
        }
    }

    #[test]
    fn what_is_no_batch_says_why() {
        let cases = [
            ("processed/logs/x.log.gz", Ignored::OtherPrefix),
            ("", Ignored::OtherPrefix),
            ("logs/ownership-challenge-5a3c.txt", Ignored::LogpushCheck),
            ("logs/http_requests/20260328/test.txt.gz", Ignored::LogpushCheck),
            ("logs/20260328/", Ignored::Folder),
            ("logs/", Ignored::Folder),
        ];
        for (key, why) in cases {
            assert_eq!(classify(key, "logs/"), KeyClass::Ignored(why), "{key}");
        }
    }

    #[test]
    fn a_batch_of_our_own_is_named_as_logpush_names_its_own() {
        let key = batch_key("logs/", Dataset::HttpRequests, 1_774_687_320_000, 1_774_687_345_000, 0x5a_3c);
        assert_eq!(key, "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_00005a3c.log.gz");
        assert_eq!(classify(&key, "logs/"), KeyClass::Batch(Dataset::HttpRequests));
    }

    #[test]
    fn the_name_of_a_source_record_never_changes() {
        assert_eq!(
            source_record_key("logs/a.log.gz"),
            "raydex/sources/v1/840571bb3dcdcdca3c9dbe671d033c6dbc9679e86bbd14ee8aa9aa41589203c1.json"
        );
    }
}
