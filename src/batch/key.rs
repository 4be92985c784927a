//! The keys of the bucket: which objects are batches, and how ours are named.
//!
//! What always holds: every object name that raydex writes or expects is spelled here; an object's name is a
//! hint of its dataset, never of the times of its records.

use sha2::{Digest, Sha256};

use crate::record::Dataset;
use crate::time;

/// The bucket that Logpush writes to, as `wrangler.toml` and its events spell it.
pub const BUCKET_NAME: &str = "cdn-logs-raw";

/// Where payloads lie that lie alone. It stands outside any watched prefix, so that writing one is no event.
const PAYLOADS: &str = "processed/v1/";

/// Where packs of payloads lie: outside any watched prefix, too.
const PACKS: &str = "processed/v2/";

/// Where the windows of access points lie: outside any watched prefix, too.
const WINDOWS: &str = "windows/v1/";

/// Where the summaries of spans lie: outside any watched prefix, too.
const SUMMARIES: &str = "summaries/v1/";

/// Where the segments of the audit log lie: outside any watched prefix, too.
pub const AUDIT_SEGMENTS: &str = "audit/v1/";

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
}

impl Ignored {
    /// The stable code that logs and counts name it by.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherPrefix => "other_prefix",
            Self::LogpushCheck => "logpush_check",
            Self::Folder => "folder",
        }
    }
}

/// What the object at `key` is, given the watched prefix.
#[must_use]
pub fn classify(key: &str, prefix: &str) -> KeyClass {
    // What we write beside batches is none even where the prefix covers it: else each would bring the next.
    let is_ours = [PAYLOADS, PACKS, WINDOWS, SUMMARIES, AUDIT_SEGMENTS].iter().any(|ours| key.starts_with(ours));
    let Some(path) = key.strip_prefix(prefix).filter(|_| !is_ours) else {
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

/// The instants that the name of a batch tells, in Unix milliseconds: its start and its end, which are one where the
/// name has one stamp only.
#[must_use]
pub fn batch_times(key: &str) -> Option<(i64, i64)> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let mut stamps = name.split(['_', '.', '-']).filter_map(time::from_stamp);
    let first = stamps.next()?;
    Some((first, stamps.next().unwrap_or(first)))
}

/// The day that a folder is named after: `20260328` of `logs/http_requests/20260328/`.
#[must_use]
pub fn folder_day(folder: &str) -> Option<&str> {
    let name = folder.strip_suffix('/')?.rsplit('/').next()?;
    (name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// The key of a payload: of which source (64 hexadecimal digits), in which plan, at which place, with which content.
/// It holds nothing that anyone else chose, so two can only meet if they are one.
#[must_use]
pub fn payload_key(source: &str, plan: u32, index: &str, sha256: &str) -> String {
    format!("{PAYLOADS}{source}/{plan}/{index}-{sha256}")
}

/// The key of a pack of payloads: of which source, in which plan, from which place on, with which content. As that of a
/// payload, it holds nothing that anyone else chose.
#[must_use]
pub fn pack_key(source: &str, plan: u32, first: &str, digest: &str) -> String {
    format!("{PACKS}{source}/{plan}/{first}-{digest}")
}

/// The SHA-256 of bucket, key and eTag, in hexadecimal digits: which version of which object it is.
#[must_use]
pub fn version_digest(bucket: &str, key: &str, etag: &str) -> String {
    let mut hash = Sha256::new();
    for part in [bucket, "\0", key, "\0", etag] {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// The key of the windows of a batch, by the digest of its version.
#[must_use]
pub fn windows_key(digest: &str) -> String {
    format!("{WINDOWS}{digest}")
}

/// The key of the summaries of a batch's spans, by the digest of its version.
#[must_use]
pub fn summaries_key(digest: &str) -> String {
    format!("{SUMMARIES}{digest}")
}

/// The key of a segment of the audit log: from which entry to which, and the hash of the last one, which stands for all
/// that is in it. In the order of the keys, the entries are in theirs.
#[must_use]
pub fn segment_key(first: u64, last: u64, hash: &str) -> String {
    format!("{AUDIT_SEGMENTS}{first:020}-{last:020}-{hash}.ndjson.gz")
}

/// The first entry of the segment at `key`; `None` where that is no key of one.
#[must_use]
pub fn segment_first(key: &str) -> Option<u64> {
    key.strip_prefix(AUDIT_SEGMENTS)?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{
        BUCKET_NAME, Ignored, KeyClass, batch_key, batch_times, classify, folder_day, pack_key, payload_key,
        segment_first, segment_key, summaries_key, version_digest, windows_key,
    };
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
    fn the_times_of_a_batch_are_told_by_its_name() {
        let (start, end) = (1_774_687_320_000, 1_774_687_345_000);
        for (key, times) in [
            (batch_key("logs/", Dataset::HttpRequests, start, end, 1), Some((start, end))),
            ("logs/20260328T084200Z_ab12.log.gz".into(), Some((start, start))),
            ("logs/20260328T084160Z_x.log.gz".into(), Some((start, start))),
            ("logs/20260328T084200Z/x.log.gz".into(), None),
            ("logs/20261328T084200Z.log.gz".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(batch_times(&key), times, "{key}");
        }
    }

    #[test]
    fn a_folder_of_a_day_has_the_name_of_one() {
        assert_eq!(folder_day("logs/http_requests/20260328/"), Some("20260328"));
        for folder in ["20260328", "logs/", "", "/", "logs/2026032/", "logs/2026032x/"] {
            assert_eq!(folder_day(folder), None, "{folder}");
        }
    }

    #[test]
    fn the_key_of_a_payload_never_changes() {
        assert_eq!(payload_key("5a", 1, "000003", "3c"), "processed/v1/5a/1/000003-3c");
        assert_eq!(classify("processed/v1/5a/1/000003-3c", ""), KeyClass::Ignored(Ignored::OtherPrefix));
    }

    #[test]
    fn the_key_of_a_pack_never_changes() {
        assert_eq!(pack_key("5a", 1, "000003", "3c"), "processed/v2/5a/1/000003-3c");
        assert_eq!(classify("processed/v2/5a/1/000003-3c", ""), KeyClass::Ignored(Ignored::OtherPrefix));
    }

    #[test]
    fn the_key_of_a_segment_never_changes() {
        let key = segment_key(1, 10_000, "5a3c");
        assert_eq!(key, "audit/v1/00000000000000000001-00000000000000010000-5a3c.ndjson.gz");
        assert_eq!(classify(&key, ""), KeyClass::Ignored(Ignored::OtherPrefix));
        assert_eq!(segment_first(&segment_key(10_001, 20_000, "5a")), Some(10_001));
        for other in ["audit/v1/", "audit/v1/a-b", "audit/v1/12", "logs/00000000000000000001-2"] {
            assert_eq!(segment_first(other), None, "{other}");
        }
    }

    #[test]
    fn the_key_of_windows_never_changes() {
        let key = windows_key(&version_digest(BUCKET_NAME, "logs/a.log.gz", "e"));
        assert_eq!(key, "windows/v1/2bcd0b16ae698e62246dd054e0380dc98dc4a6faa19b82c2c9318762fc2c5a41");
        assert_eq!(classify(&key, ""), KeyClass::Ignored(Ignored::OtherPrefix));
    }

    #[test]
    fn the_key_of_summaries_never_changes() {
        let key = summaries_key(&version_digest(BUCKET_NAME, "logs/a.log.gz", "e"));
        assert_eq!(key, "summaries/v1/2bcd0b16ae698e62246dd054e0380dc98dc4a6faa19b82c2c9318762fc2c5a41");
        assert_eq!(classify(&key, ""), KeyClass::Ignored(Ignored::OtherPrefix));
    }
}
