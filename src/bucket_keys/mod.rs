//! Every object key of the system: the classes of keys in the log bucket, and the names of the objects that raydex
//! writes.
//!
//! All of raydex's own objects are in one folder, [`FOLDER`]: lifecycle rules, event notifications and listings need to
//! know only that. It is in the log bucket, or in a bucket of its own.
//!
//! ```text
//! {prefix}{dataset}/{day}/{start}_{end}_{id}.log.gz              a batch, by Logpush, by an upload or by the edge logger
//! raydex/payloads/v1/{source}/{plan}/{first}-{digest}            the bodies of payloads
//! raydex/windows/v1/{source}                                     the windows of a batch's access points
//! raydex/summaries/v1/{source}                                   the summaries of a batch's spans
//! raydex/first-start/v1                                          that there was a first start, and when
//! raydex/audit/v1/{first}-{last}-{hash}.ndjson.gz                a segment of the audit log
//! raydex/audit/v1/chain-{chain}-{first}-{last}-{hash}.ndjson.gz  one of another chain than the first
//! ```

pub mod foreign;
mod prefixes;

use sha2::{Digest, Sha256};

use crate::record::Dataset;
use crate::time;

pub use prefixes::{DatasetClaim, LogPrefixes, PrefixRule};

/// The folder of all objects that raydex writes for itself.
pub const FOLDER: &str = "raydex/";

/// The folders whose objects are never read as logs: raydex's own, and those of the usual JavaScript Worker and its backfill.
pub const UNREAD_FOLDERS: [&str; 4] = [FOLDER, "processed/", "processed-backfill/", "backfill-state/"];

/// The folder of the bodies of payloads.
pub const PAYLOADS: &str = "raydex/payloads/v1/";

/// The folder of the windows of access points.
const WINDOWS: &str = "raydex/windows/v1/";

/// The folder of the summaries of spans.
pub const SUMMARIES: &str = "raydex/summaries/v1/";

/// The object that says that there was a first start.
pub const FIRST_START: &str = "raydex/first-start/v1";

/// The folder of the segments of the audit log.
pub const AUDIT_SEGMENTS: &str = "raydex/audit/v1/";

/// What precedes the number of the chain in the name of a segment.
const AUDIT_CHAIN: &str = "chain-";

/// The end of the names of segments.
pub const AUDIT_SEGMENT_END: &str = ".ndjson.gz";

/// The class of an object in the log bucket, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClass {
    /// A batch, with the key's claim of its dataset.
    Batch(DatasetClaim),
    /// An object that is not indexed.
    Ignored(IgnoreReason),
}

/// The reason why an object is not indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IgnoreReason {
    /// It is outside the watched folders, or in raydex's own folder.
    OtherPrefix,
    /// Logpush's ownership challenge, or its test upload.
    LogpushCheck,
    /// A folder's placeholder: the key ends with a slash.
    Folder,
    /// Its name shows that it is not a log.
    NotALog,
    /// Its folder names no known dataset, and its records are of none.
    UnknownDataset,
}

impl IgnoreReason {
    /// Returns the stable code of the reason for logs and counts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherPrefix => "other_prefix",
            Self::LogpushCheck => "logpush_check",
            Self::Folder => "folder",
            Self::NotALog => "not_a_log",
            Self::UnknownDataset => "unknown_dataset",
        }
    }
}

/// Classifies the object at `key` of the log bucket, given the folders that Logpush writes to.
#[must_use]
pub fn classify(key: &str, prefixes: &LogPrefixes) -> KeyClass {
    let Some(path) = prefixes.path(key) else { return KeyClass::Ignored(IgnoreReason::OtherPrefix) };
    if path.is_empty() || path.ends_with('/') {
        return KeyClass::Ignored(IgnoreReason::Folder);
    }
    // `ownership-challenge-1a2b.txt` and `test.txt.gz`: Logpush never names a batch like that.
    if foreign::is_logpush_check(path) {
        return KeyClass::Ignored(IgnoreReason::LogpushCheck);
    }
    if foreign::is_foreign(path) {
        return KeyClass::Ignored(IgnoreReason::NotALog);
    }
    KeyClass::Batch(prefixes.claim(key))
}

/// Returns the key of an uploaded batch, in Logpush's form.
#[must_use]
pub fn batch_key(prefix: &str, dataset: Dataset, start_ms: i64, end_ms: i64, id: u32) -> String {
    let (day, start, end) = (time::day(start_ms), time::stamp(start_ms), time::stamp(end_ms));
    format!("{prefix}{dataset}/{day}/{start}_{end}_{id:08x}.log.gz")
}

/// Returns the key of a batch of the edge logger, in Logpush's form: its isolate and its number there are its ID.
#[must_use]
pub fn edge_batch_key(prefix: &str, start_ms: i64, end_ms: i64, isolate: &str, sequence: u64) -> String {
    let (day, start, end) = (time::day(start_ms), time::stamp(start_ms), time::stamp(end_ms));
    format!("{prefix}{}/{day}/{start}_{end}_{isolate}-{sequence}.log.gz", Dataset::EdgeRequests)
}

/// Parses the start and the end of a batch from its name, in Unix milliseconds. They are equal if the name has only one
/// timestamp.
#[must_use]
pub fn batch_times(key: &str) -> Option<(i64, i64)> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let mut stamps = name.split(['_', '.', '-']).filter_map(time::from_stamp);
    let first = stamps.next()?;
    Some((first, stamps.next().unwrap_or(first)))
}

/// Returns the day in a folder's name: `20260328` of `logs/http_requests/20260328/`.
#[must_use]
pub fn folder_day(folder: &str) -> Option<&str> {
    let name = folder.strip_suffix('/')?.rsplit('/').next()?;
    (name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// Returns the key after which a listing that reached `last` continues: it skips folders whose objects are never read.
#[must_use]
pub fn skip_unread_folder(last: &str) -> String {
    let folder = UNREAD_FOLDERS.into_iter().find(|folder| last.starts_with(folder));
    folder.map_or_else(|| last.to_owned(), |folder| format!("{folder}{}", char::MAX))
}

/// Returns the key of a pack of payload bodies: source (64 hexadecimal digits), plan, number of the first payload,
/// [`pack_digest`]. Every part is derived, none is chosen by a client, so equal keys mean equal objects.
#[must_use]
pub fn pack_key(source: &str, plan: u32, first: &str, digest: &str) -> String {
    format!("{PAYLOADS}{source}/{plan}/{first}-{digest}")
}

/// Returns the digest that names a pack: the SHA-256 of the hexadecimal SHA-256 digests of its bodies, in order. The
/// bodies are hashed already, so their bytes are not hashed again.
#[must_use]
pub fn pack_digest<'a>(sha256_of_bodies: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    sha256_of_bodies.into_iter().for_each(|sha256| hash.update(sha256));
    hex::encode(hash.finalize())
}

/// Returns the identity of an object version: the hexadecimal SHA-256 of bucket, key and `ETag`, separated by NUL.
#[must_use]
pub fn version_digest(bucket: &str, key: &str, etag: &str) -> String {
    let mut hash = Sha256::new();
    for part in [bucket, "\0", key, "\0", etag] {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Returns the key of the windows of a batch's access points, by its [`version_digest`].
#[must_use]
pub fn windows_key(digest: &str) -> String {
    format!("{WINDOWS}{digest}")
}

/// Returns the key of the summaries of a batch's spans, by its [`version_digest`].
#[must_use]
pub fn summaries_key(digest: &str) -> String {
    format!("{SUMMARIES}{digest}")
}

/// Returns the keys of all that is stored beside a version of a batch, by its [`version_digest`].
#[must_use]
pub fn sidecar_keys(digest: &str) -> [String; 2] {
    [windows_key(digest), summaries_key(digest)]
}

/// Returns the start of the keys of the segments of a chain of the audit log. That of the first chain is also the start of
/// the others' keys, which sort after its own.
#[must_use]
pub fn segments_prefix(chain: u8) -> String {
    if chain == 0 { AUDIT_SEGMENTS.to_owned() } else { format!("{AUDIT_SEGMENTS}{AUDIT_CHAIN}{chain:02}-") }
}

/// Returns the key of a segment of the audit log: its chain unless that is the first, its first and last entry, and the hash
/// of the last one, which covers the whole chain up to it. Keys of a chain sort in the order of their entries.
#[must_use]
pub fn segment_key(chain: u8, first: u64, last: u64, hash: &str) -> String {
    format!("{}{first:020}-{last:020}-{hash}{AUDIT_SEGMENT_END}", segments_prefix(chain))
}

/// What the name of a segment of the audit log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentName<'a> {
    /// The number of its chain.
    pub chain: u8,
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The hash of its last entry.
    pub hash: &'a str,
}

impl<'a> SegmentName<'a> {
    /// Parses the key or the file name of a segment; `None` if it is not a segment's.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        let name = key.rsplit('/').next()?.strip_suffix(AUDIT_SEGMENT_END)?;
        let (chain, name) = match name.strip_prefix(AUDIT_CHAIN) {
            Some(rest) => rest.split_once('-').and_then(|(chain, name)| Some((chain.parse().ok()?, name)))?,
            None => (0, name),
        };
        let (first, (last, hash)) =
            name.split_once('-').and_then(|(first, rest)| Some((first, rest.split_once('-')?)))?;
        Some(Self { chain, first: first.parse().ok()?, last: last.parse().ok()?, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DatasetClaim, FOLDER, IgnoreReason, KeyClass, LogPrefixes, SegmentName, batch_key, batch_times, classify,
        edge_batch_key, folder_day, pack_digest, pack_key, segment_key, segments_prefix, skip_unread_folder,
        summaries_key, version_digest, windows_key,
    };
    use crate::record::Dataset;

    fn logs() -> LogPrefixes {
        LogPrefixes::one("logs/")
    }

    #[test]
    fn batches_are_classified_by_their_folders() {
        use DatasetClaim::{Alias, Named, Unknown, Unnamed};
        let cases = [
            ("logs/20260328/20260328T084200Z_20260328T084225Z_ab12.log.gz", Unnamed),
            ("logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_ab12.log.gz", Named(Dataset::HttpRequests)),
            ("logs/firewall/20260328/20260328T084260Z_ab12.log.gz", Alias(Dataset::FirewallEvents)),
            ("logs/zone/workers_trace_events/x.log", Named(Dataset::WorkersTraceEvents)),
            ("logs/no-stamps-at-all", Unnamed),
            ("logs/x/a.json.gz", Unknown),
            ("logs/../é/\u{1}.log.gz", Unnamed),
        ];
        for (key, claim) in cases {
            assert_eq!(classify(key, &logs()), KeyClass::Batch(claim), "{key}");
        }
    }

    #[test]
    fn edge_batches_have_names_like_those_of_logpush() {
        let key = edge_batch_key("logs/", 1_774_687_320_000, 1_774_687_330_000, "00c0ffee00c0ffee", 7);
        assert_eq!(key, "logs/edge_requests/20260328/20260328T084200Z_20260328T084210Z_00c0ffee00c0ffee-7.log.gz");
        assert_eq!(classify(&key, &logs()), KeyClass::Batch(DatasetClaim::Named(Dataset::EdgeRequests)));
        assert_eq!(batch_times(&key), Some((1_774_687_320_000, 1_774_687_330_000)));
    }

    #[test]
    fn objects_that_are_not_batches_have_a_reason() {
        let cases = [
            ("processed/logs/x.log.gz", IgnoreReason::OtherPrefix),
            ("", IgnoreReason::OtherPrefix),
            ("logs/ownership-challenge-5a3c.txt", IgnoreReason::LogpushCheck),
            ("logs/http_requests/20261122/ownership_challenge_0a1b2c3d", IgnoreReason::LogpushCheck),
            ("logs/http_requests/20260328/test.txt.gz", IgnoreReason::LogpushCheck),
            ("logs/20260328/", IgnoreReason::Folder),
            ("logs/", IgnoreReason::Folder),
            ("logs/_SUCCESS", IgnoreReason::NotALog),
            ("logs/_temporary/0/part-00000", IgnoreReason::NotALog),
            ("logs/.DS_Store", IgnoreReason::NotALog),
            ("logs/a/._b.log.gz", IgnoreReason::NotALog),
            ("logs/manifest.json", IgnoreReason::NotALog),
            ("logs/http_requests/20261122/part-0.snappy.parquet", IgnoreReason::NotALog),
            ("logs/export.CSV.gz", IgnoreReason::NotALog),
            ("logs/a.log.gz.md5", IgnoreReason::NotALog),
        ];
        for (key, why) in cases {
            assert_eq!(classify(key, &logs()), KeyClass::Ignored(why), "{key}");
        }
    }

    #[test]
    fn an_uploaded_batch_is_named_as_by_logpush() {
        let key = batch_key("logs/", Dataset::HttpRequests, 1_774_687_320_000, 1_774_687_345_000, 0x5a_3c);
        assert_eq!(key, "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_00005a3c.log.gz");
        for dataset in Dataset::ALL {
            let key = batch_key("logs/", dataset, 1_774_687_320_000, 1_774_687_345_000, 1);
            assert_eq!(classify(&key, &logs()), KeyClass::Batch(DatasetClaim::Named(dataset)));
        }
    }

    #[test]
    fn batch_times_come_from_the_name() {
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
    fn folder_days_are_eight_digits() {
        assert_eq!(folder_day("logs/http_requests/20260328/"), Some("20260328"));
        for folder in ["20260328", "logs/", "", "/", "logs/2026032/", "logs/2026032x/"] {
            assert_eq!(folder_day(folder), None, "{folder}");
        }
    }

    #[test]
    fn unread_folders_are_passed_over() {
        assert_eq!(skip_unread_folder("logs/a"), "logs/a");
        let after = skip_unread_folder("raydex/audit/v1/x");
        assert!(after > windows_key("ff") && after.as_str() < "raydex0", "{after}");
        assert!(skip_unread_folder("processed/a").as_str() > "processed/z");
    }

    #[test]
    fn own_keys_never_change() {
        let digest = version_digest("cdn-logs-raw", "logs/a.log.gz", "e");
        // printf 'cdn-logs-raw\0logs/a.log.gz\0e' | sha256sum
        assert_eq!(digest, "2bcd0b16ae698e62246dd054e0380dc98dc4a6faa19b82c2c9318762fc2c5a41");
        let segment = "raydex/audit/v1/00000000000000000001-00000000000000010000-5a3c.ndjson.gz".to_owned();
        for (key, expected) in [
            (pack_key("5a", 1, "000003", "3c"), "raydex/payloads/v1/5a/1/000003-3c".to_owned()),
            (windows_key(&digest), format!("raydex/windows/v1/{digest}")),
            (summaries_key(&digest), format!("raydex/summaries/v1/{digest}")),
            (segment_key(0, 1, 10_000, "5a3c"), segment),
        ] {
            assert_eq!(key, expected);
            assert!(key.starts_with(FOLDER));
            for prefix in ["", FOLDER] {
                let class = classify(&key, &LogPrefixes::one(prefix));
                assert_eq!(class, KeyClass::Ignored(IgnoreReason::OtherPrefix), "{key}");
            }
        }
    }

    #[test]
    fn segment_keys_name_chain_and_entries() {
        let name = |chain| SegmentName { chain, first: 10_001, last: 20_000, hash: "5a" };
        for chain in [0, 1, 15] {
            let key = segment_key(chain, 10_001, 20_000, "5a");
            assert_eq!(SegmentName::parse(&key), Some(name(chain)));
            assert!(key.starts_with(&segments_prefix(chain)));
        }
        let key = "raydex/audit/v1/chain-03-00000000000000010001-00000000000000020000-5a.ndjson.gz";
        assert_eq!((segment_key(3, 10_001, 20_000, "5a").as_str(), SegmentName::parse(key)), (key, Some(name(3))));
        let others = ["", "a-b.ndjson.gz", "12.ndjson.gz", "1-2.ndjson.gz", "1-2-5a", "chain-x-1-2-5a.ndjson.gz"];
        for other in others {
            assert_eq!(SegmentName::parse(&format!("raydex/audit/v1/{other}")), None, "{other}");
        }
    }

    #[test]
    fn pack_digests_cover_every_body_in_order() {
        // printf 'abcd' | sha256sum
        let expected = "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589";
        assert_eq!(pack_digest(["ab", "cd"]), expected);
        assert_ne!(pack_digest(["cd", "ab"]), expected);
    }
}
