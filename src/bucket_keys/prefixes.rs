//! The folders that Logpush writes to, and the properties of a batch that its key implies: its dataset, its zone, and
//! the names of the members with ray and time in its records.
//!
//! # Invariants
//!
//! The whole key counts, including the watched folder. A setting takes precedence over the folders' names.

use super::UNREAD_FOLDERS;
use crate::record::{Dataset, KeyNames};

/// The claim of a key about its batch's dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetClaim {
    /// A folder has the dataset's own name, or a setting names it.
    Named(Dataset),
    /// A folder has a common name for the dataset, and possibly for another one.
    Alias(Dataset),
    /// No folder names anything: they are days, hours, zones.
    Unnamed,
    /// A folder has a name that is not a dataset's.
    Unknown,
}

impl From<Dataset> for DatasetClaim {
    fn from(dataset: Dataset) -> Self {
        Self::Named(dataset)
    }
}

/// A rule of the setting `DATASETS` for the batches under a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefixRule {
    /// The prefix of the batches' keys.
    pub prefix: String,
    /// The dataset of the batches.
    pub dataset: Option<Dataset>,
    /// The zone of records that do not name it themselves, in lower case.
    pub zone: Option<String>,
    /// The name that the job gives to the ray's field.
    pub ray: Option<String>,
    /// The name that the job gives to the time's field.
    pub time: Option<String>,
    /// The name that the job gives to the field of the parent's ray.
    pub parent: Option<String>,
    /// Number of days that the bucket keeps the batches; `None` for the number of all others.
    pub retention_days: Option<u32>,
}

impl PrefixRule {
    /// Returns the names of the members with ray and time in records of the dataset.
    #[must_use]
    pub fn key_names(&self, dataset: Dataset) -> KeyNames {
        if self.dataset.is_some_and(|of| of != dataset) {
            return KeyNames::of(dataset);
        }
        KeyNames::renamed(dataset, self.ray.as_deref(), self.time.as_deref(), self.parent.as_deref())
    }
}

/// The folders that Logpush writes to, and the rules for prefixes in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPrefixes {
    /// The folders, each ending with a slash; an empty one is the whole bucket.
    folders: Vec<String>,
    /// The rules, longest prefixes first.
    rules: Vec<PrefixRule>,
}

impl LogPrefixes {
    /// Creates a set of folders, without those nested in others.
    #[must_use]
    pub fn new(mut folders: Vec<String>, mut rules: Vec<PrefixRule>) -> Self {
        folders.sort();
        folders.dedup_by(|inner, outer| inner.starts_with(outer.as_str()));
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Self { folders, rules }
    }

    /// Creates a set of a single folder.
    #[must_use]
    pub fn one(folder: &str) -> Self {
        Self::new(vec![folder.to_owned()], Vec::new())
    }

    /// Returns the folders, in order.
    #[must_use]
    pub fn folders(&self) -> &[String] {
        &self.folders
    }

    /// Returns the part of a log's key after the folder.
    #[must_use]
    pub fn path<'k>(&self, key: &'k str) -> Option<&'k str> {
        let is_log = !is_never_log(key);
        self.folders.iter().find_map(|folder| key.strip_prefix(folder.as_str())).filter(|_| is_log)
    }

    /// Returns the folders between the watched one and the log at `key`, the outermost first, each with its final
    /// slash.
    pub fn folders_below<'k>(&self, key: &'k str) -> impl Iterator<Item = &'k str> {
        let below = self.path(key).map_or(key.len(), |path| key.len() - path.len());
        key.match_indices('/').filter(move |(at, _)| *at >= below).filter_map(|(at, _)| key.get(..=at))
    }

    /// Returns the folders that remain in a listing in key order after the key `after`, beginning with the one that
    /// contains it.
    #[must_use]
    pub fn folders_from(&self, after: Option<&str>) -> &[String] {
        let is_listed =
            |folder: &String| after.is_some_and(|after| folder.as_str() < after && !after.starts_with(folder));
        let listed = self.folders.iter().take_while(|folder| is_listed(folder)).count();
        self.folders.get(listed..).unwrap_or_default()
    }

    /// Returns whether keys with this prefix may be logs: the prefix is in one of the folders, or contains one.
    #[must_use]
    pub fn may_hold(&self, prefix: &str) -> bool {
        !is_never_log(prefix)
            && self.folders.iter().any(|folder| prefix.starts_with(folder.as_str()) || folder.starts_with(prefix))
    }

    /// Returns the key's claim about its batch's dataset.
    #[must_use]
    pub fn claim(&self, key: &str) -> DatasetClaim {
        if let Some(dataset) = self.rule(key).and_then(|rule| rule.dataset) {
            return DatasetClaim::Named(dataset);
        }
        let folders =
            |path: &str| path.rsplit_once('/').map_or(String::new(), |(folders, _)| folders.to_ascii_lowercase());
        let whole = folders(key);
        let words = || whole.rsplit('/').map(word);
        if let Some(dataset) = words().find_map(|word| Dataset::from_name(&word?)) {
            return DatasetClaim::Named(dataset);
        }
        if let Some(dataset) = words().find_map(|word| known_as(&word?)) {
            return DatasetClaim::Alias(dataset);
        }
        let inside = folders(self.path(key).unwrap_or(key));
        let is_named = inside.split('/').any(|folder| word(folder).is_some());
        if is_named { DatasetClaim::Unknown } else { DatasetClaim::Unnamed }
    }

    /// Returns the names of the members with ray and time in records of this dataset in the batch at `key`.
    #[must_use]
    pub fn key_names(&self, key: &str, dataset: Dataset) -> KeyNames {
        self.rule(key).map_or_else(|| KeyNames::of(dataset), |rule| rule.key_names(dataset))
    }

    /// Returns the zone of records that do not name it themselves in the batch at `key`.
    #[must_use]
    pub fn zone(&self, key: &str) -> Option<&str> {
        self.rule(key)?.zone.as_deref()
    }

    /// Returns the folder for uploads of a dataset: the first whose name does not contradict it.
    #[must_use]
    pub fn upload_folder(&self, dataset: Dataset) -> &str {
        let fits = |folder: &&String| self.claim(&format!("{folder}{dataset}/x")) == DatasetClaim::Named(dataset);
        let folder = self.folders.iter().find(fits).or_else(|| self.folders.first());
        folder.map_or("", String::as_str)
    }

    /// Returns the first folder in the key without a known meaning; it stands for all batches under it.
    #[must_use]
    pub fn unknown_folder<'k>(&self, key: &'k str) -> &'k str {
        let path = self.path(key).unwrap_or(key);
        let mut end = key.len() - path.len();
        for folder in path.split_inclusive('/') {
            end += folder.len();
            if word(&folder.to_ascii_lowercase()).is_some() {
                break;
            }
        }
        key.get(..end).unwrap_or(key)
    }

    /// Returns the rule for the object at `key`: that with the longest prefix.
    #[must_use]
    pub fn rule(&self, key: &str) -> Option<&PrefixRule> {
        self.rules.iter().find(|rule| key.starts_with(&rule.prefix))
    }

    /// Returns the rules, that of the longest prefix first.
    #[must_use]
    pub fn rules(&self) -> &[PrefixRule] {
        &self.rules
    }
}

/// Returns whether a key is in a folder whose objects are never read as logs.
fn is_never_log(key: &str) -> bool {
    UNREAD_FOLDERS.into_iter().any(|folder| key.starts_with(folder))
}

/// Returns the word in a folder's name that may name a dataset, with underscores. `None` for days, hours, zones and the
/// like.
fn word(folder: &str) -> Option<String> {
    const NAMING: [&str; 8] = ["dataset", "type", "table", "stream", "source", "kind", "log_type", "logtype"];
    let folder = folder.trim_end_matches('/');
    let name = match folder.split_once('=') {
        Some((key, name)) if NAMING.contains(&key) => name,
        Some(_) => return None,
        None => folder,
    };
    let is_word = name.bytes().any(|byte| byte.is_ascii_alphabetic() && !b"tz".contains(&byte));
    // A zone's name has a dot, its identifier 32 digits; Logpush's placeholders have braces.
    let is_id = name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_word = is_word && !is_id && !name.contains(['.', '{', '}']);
    is_word.then(|| name.replace(['-', ' '], "_"))
}

/// Returns the dataset commonly known by this name, or whose name is a part of the word.
fn known_as(word: &str) -> Option<Dataset> {
    let called = Dataset::ALL.into_iter().find(|dataset| dataset.spec().folders.contains(&word));
    let padded = format!("_{word}_");
    let within = || Dataset::ALL.into_iter().filter(|dataset| padded.contains(&format!("_{dataset}_")));
    called.or_else(|| within().max_by_key(|dataset| dataset.name().len()))
}

#[cfg(test)]
mod tests {
    use super::{DatasetClaim, LogPrefixes, PrefixRule};
    use crate::record::{Dataset, KeyNames};

    fn prefixes(folders: &[&str], rules: &[(&str, Option<Dataset>)]) -> LogPrefixes {
        let rule = |(prefix, dataset): &(&str, Option<Dataset>)| PrefixRule {
            prefix: (*prefix).into(),
            dataset: *dataset,
            zone: Some(format!("{}.example", prefix.len())),
            ray: Some("my_ray".into()),
            ..PrefixRule::default()
        };
        LogPrefixes::new(folders.iter().map(|folder| (*folder).to_owned()).collect(), rules.iter().map(rule).collect())
    }

    #[test]
    fn keys_claim_datasets_as_people_name_folders() {
        use DatasetClaim::{Alias, Named, Unknown, Unnamed};
        let logs = prefixes(&["logs/"], &[]);
        for (key, claim) in [
            ("logs/20260328/a.log.gz", Unnamed),
            ("logs/a.log.gz", Unnamed),
            ("logs/2026/03/28/08/a.log.gz", Unnamed),
            ("logs/dt=2026-03-28/hour=08/a.log.gz", Unnamed),
            ("logs/example.com/20260328/a.log.gz", Unnamed),
            ("logs/http_requests/20260328/a.log.gz", Named(Dataset::HttpRequests)),
            ("logs/HTTP-Requests/20260328/a.log.gz", Named(Dataset::HttpRequests)),
            ("logs/dataset=firewall_events/dt=20260328/a.log.gz", Named(Dataset::FirewallEvents)),
            ("logs/example.com/dns_logs/20260328/a.log.gz", Named(Dataset::DnsLogs)),
            ("logs/http_requests/firewall_events/a.log.gz", Named(Dataset::FirewallEvents)),
            ("logs/firewall/20260328/a.log.gz", Alias(Dataset::FirewallEvents)),
            ("logs/firewall_event/a.log.gz", Alias(Dataset::FirewallEvents)),
            ("logs/waf/a.log.gz", Alias(Dataset::FirewallEvents)),
            ("logs/http/a.log.gz", Alias(Dataset::HttpRequests)),
            ("logs/prod-http_requests/a.log.gz", Alias(Dataset::HttpRequests)),
            ("logs/audit_logs_v2-eu/a.log.gz", Alias(Dataset::AuditLogsV2)),
            ("logs/waf/http_requests/a.log.gz", Named(Dataset::HttpRequests)),
            ("logs/prod/20260328/a.log.gz", Unknown),
            ("logs/new_dataset/20260328/a.log.gz", Unknown),
            // The name of a file does not count as a folder's.
            ("logs/http_requests", Unnamed),
        ] {
            assert_eq!(logs.claim(key), claim, "{key}");
        }
    }

    #[test]
    fn watched_folder_names_datasets_too() {
        let named = prefixes(&["logs/firewall_events/", "trace/"], &[]);
        let claim = |key| named.claim(key);
        assert_eq!(claim("logs/firewall_events/20260328/a.log.gz"), DatasetClaim::Named(Dataset::FirewallEvents));
        assert_eq!(claim("trace/20260328/a.log.gz"), DatasetClaim::Alias(Dataset::WorkersTraceEvents));
        assert_eq!(named.upload_folder(Dataset::HttpRequests), "logs/firewall_events/");
        let by_rule = prefixes(&["a/", "b/"], &[("a/", Some(Dataset::DnsLogs))]);
        assert_eq!(by_rule.upload_folder(Dataset::DnsLogs), "a/");
        assert_eq!(by_rule.upload_folder(Dataset::HttpRequests), "b/");
    }

    #[test]
    fn longest_rule_counts_and_more_than_folders() {
        let rules =
            [("logs/x/", Some(Dataset::DnsLogs)), ("logs/x/http_requests/", Some(Dataset::NelReports)), ("", None)];
        let all = prefixes(&["logs/"], &rules);
        assert_eq!(all.claim("logs/x/firewall_events/a"), DatasetClaim::Named(Dataset::DnsLogs));
        assert_eq!(all.claim("logs/x/http_requests/a"), DatasetClaim::Named(Dataset::NelReports));
        assert_eq!(all.claim("logs/http_requests/a"), DatasetClaim::Named(Dataset::HttpRequests));
        assert_eq!((all.zone("logs/x/a"), all.zone("logs/a")), (Some("7.example"), Some("0.example")));
        let renamed = KeyNames::renamed(Dataset::HttpRequests, Some("my_ray"), None, None);
        assert_eq!(all.key_names("logs/a", Dataset::HttpRequests), renamed);
        assert_eq!(all.key_names("logs/x/a", Dataset::HttpRequests), KeyNames::of(Dataset::HttpRequests));
        assert_eq!(prefixes(&["logs/"], &[]).zone("logs/a"), None);
    }

    #[test]
    fn folders_are_each_once_and_own_ones_never() {
        let all = prefixes(&["logs/a/", "logs/", "more/"], &[]);
        assert_eq!(all.folders(), ["logs/", "more/"]);
        assert_eq!((all.path("logs/a/x"), all.path("more/x"), all.path("other/x")), (Some("a/x"), Some("x"), None));
        let root = prefixes(&["", "logs/"], &[]);
        assert_eq!(root.folders(), [""]);
        assert_eq!(root.path("20260328/x"), Some("20260328/x"));
        for own in ["raydex/x", "raydex/payloads/v1/x", "processed/x", "processed/v1/logs/x"] {
            assert_eq!(root.path(own), None, "{own}");
            assert!(!root.may_hold(own));
        }
        assert!(
            root.may_hold("") && root.may_hold("20260328/") && all.may_hold("logs/20260328/") && all.may_hold("lo")
        );
        assert!(!all.may_hold("other/") && !all.may_hold("raydex/"));
    }

    #[test]
    fn folders_below_are_those_of_the_path() {
        let all = prefixes(&["logs/", "more/logs/"], &[]);
        let below = |key| all.folders_below(key).collect::<Vec<_>>();
        assert_eq!(
            below("logs/zone/20260328/é/a.log.gz"),
            ["logs/zone/", "logs/zone/20260328/", "logs/zone/20260328/é/"]
        );
        assert_eq!(below("more/logs/a/b.log.gz"), ["more/logs/a/"]);
        assert!(below("logs/a.log.gz").is_empty() && below("other/a/b").is_empty());
        assert_eq!(prefixes(&[""], &[]).folders_below("a/b").collect::<Vec<_>>(), ["a/"]);
    }

    #[test]
    fn listing_goes_from_folder_to_folder() {
        let all = prefixes(&["b/", "d/"], &[]);
        for (after, left) in [
            (None, &["b/", "d/"][..]),
            (Some("a"), &["b/", "d/"]),
            (Some("b/x"), &["b/", "d/"]),
            (Some("b0"), &["d/"]),
            (Some("d/"), &["d/"]),
            (Some("d0"), &[]),
        ] {
            assert_eq!(all.folders_from(after), left, "{after:?}");
        }
        assert_eq!(prefixes(&[""], &[]).folders_from(Some("z")), [""]);
    }

    #[test]
    fn unknown_folder_ends_with_the_unknown_word() {
        let logs = prefixes(&["logs/"], &[]);
        assert_eq!(logs.unknown_folder("logs/prod/20260328/a.log.gz"), "logs/prod/");
        assert_eq!(logs.unknown_folder("logs/20260328/prod/b/a.log.gz"), "logs/20260328/prod/");
    }
}
