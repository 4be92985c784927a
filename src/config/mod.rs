//! The settings of a deployment, read and checked once.
//!
//! `settings` is the list, compared with `schemas/config.json` by a test; `reader` reads the values; `access` has the
//! settings of authentication, `budget` that of daily budgets, `edge` and `collect` those of the edge logger, `plan` those of what is delivered, `kept` those of what is kept, `delivery` those of sending.
//!
//! # Invariants
//! Every missing or invalid setting is reported, all at once, by the name that the deployment has for it. No message
//! contains a secret. A fault of the settings of delivery stops delivery alone.

mod access;
mod budget;
mod collect;
mod datasets;
mod delivery;
mod edge;
mod kept;
mod log_level;
mod plan;
mod queues;
mod reader;
pub mod settings;
mod start_time;
mod webhook;

use std::collections::BTreeMap;

use crate::access::{AccessRules, Dollars};
use crate::bucket_keys::LogPrefixes;
use crate::filter::Filter;
use crate::limits::{AUDIT_CHAINS_MAX, PARTITIONS_MAX};
use crate::mask::{Role, is_listed, nearest_field};
use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};
use crate::record::Dataset;
use crate::render::PartnerOptions;

pub use collect::read_collect_settings;
pub use delivery::DeliverySettings;
pub use edge::{read_edge_mode, read_edge_settings};
pub use kept::KeptLogs;
pub use log_level::LogLevel;
pub use queues::QueueNames;
pub use reader::ConfigFault;
pub use settings::{DEFAULT_BUCKET_NAME, SETTINGS, SettingRequirement, SettingSpec};
pub use webhook::{WebhookForm, WebhookSettings};

use reader::{SettingsReader, count, one_of, whole};

/// The settings of a deployment, each parsed and checked.
#[derive(Clone)]
pub struct Config {
    /// The tokens and the grants of Cloudflare Access.
    pub access: AccessRules,
    /// Number of requests that a caller may send per minute; 0 for no limit.
    pub per_minute: u32,
    /// What a caller may cost in a day whose grant does not say it; `None` for no bound.
    pub daily_budget: Option<Dollars>,
    /// Number of chains of the audit log.
    pub audit_chains: u8,
    /// Number of ledgers that an hour gets.
    pub partitions: u8,
    /// The roles that must give a reason for each request that shows log lines.
    pub reason_roles: Vec<Role>,
    /// Pairs of zone id and zone name, for clients that name zones by id; `None` to accept any id and show every zone.
    pub zones: Option<Vec<(String, String)>>,
    /// The name of the bucket that Logpush writes to.
    pub bucket_name: String,
    /// The folders that Logpush writes to, with the rules for the batches in them.
    pub log_prefix: LogPrefixes,
    /// What is kept, and for how long.
    pub kept: KeptLogs,
    /// The values of the partner's lines that the deployment sets.
    pub partner: PartnerOptions,
    /// Maximum number of lines in a payload.
    pub batch_size: u32,
    /// Whether requests made by Workers are delivered.
    pub subrequests: Subrequests,
    /// Whether records of the edge logger are delivered.
    pub edge_records: EdgeRecords,
    /// Whether lines that are already in another payload are delivered again.
    pub duplicates: DuplicatePolicy,
    /// The filter of records to deliver; `None` for all.
    pub filter: Option<Filter>,
    /// The time, in Unix milliseconds, before which requests are not delivered.
    pub push_start_ms: Option<i64>,
    /// The least severe level that is logged.
    pub log_level: LogLevel,
    /// Where the cron sends what needs someone; `None` if nowhere.
    pub webhook: Option<WebhookSettings>,
    /// The names of the queues.
    pub queues: QueueNames,
    /// The settings of deliveries; `None` if nothing is delivered.
    pub delivery: Option<DeliverySettings>,
    /// The faults that stop delivery; everything else goes on.
    pub delivery_faults: Vec<ConfigFault>,
}

impl Config {
    /// Reads the settings from the deployment. Faults of the settings of delivery are part of the result.
    ///
    /// # Errors
    /// Every [`ConfigFault`] found, if one of them concerns more than delivery.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<ConfigFault>> {
        let mut reader = SettingsReader::new(get);
        let config = Self::from(&mut reader);
        let mut faults = reader.take_faults();
        let mut found = config.filter(|_| faults.is_empty());
        // They are read in any case, so that every fault is reported.
        let mut other = Self::without_delivery();
        let config = found.as_mut().unwrap_or(&mut other);
        plan::read(&mut reader, config);
        config.delivery = delivery::read(&mut reader);
        let delivery_faults = reader.take_faults();
        if !delivery_faults.is_empty() {
            config.delivery = None;
            config.delivery_faults.clone_from(&delivery_faults);
        }
        faults.extend(delivery_faults);
        found.ok_or(faults)
    }

    /// Returns warnings about settings that are valid but most likely a mistake. No text contains a value.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let datasets = [Dataset::HttpRequests];
        let fields = self.filter.iter().flat_map(Filter::fields_with_places);
        let unlisted = fields.filter(|(name, _)| !is_listed(&datasets, name));
        let warning = |(name, at): (&str, &str)| {
            let hint = nearest_field(&datasets, name).map(|known| format!("; did you mean {known}?"));
            let setting = settings::FILTER.name;
            format!("{setting} names a field at {at} that http_requests does not list{}", hint.unwrap_or_default())
        };
        unlisted.map(warning).collect()
    }

    /// Whether something is to be delivered, now or after its settings are mended.
    #[must_use]
    pub const fn is_meant_to_deliver(&self) -> bool {
        self.delivery.is_some() || !self.delivery_faults.is_empty()
    }

    /// A deployment with defaults, of which nothing is delivered.
    fn without_delivery() -> Self {
        Self {
            access: AccessRules::default(),
            per_minute: 0,
            daily_budget: None,
            audit_chains: 1,
            partitions: 1,
            reason_roles: Vec::new(),
            zones: None,
            bucket_name: DEFAULT_BUCKET_NAME.to_owned(),
            log_prefix: LogPrefixes::default(),
            kept: KeptLogs::default(),
            partner: PartnerOptions::default(),
            batch_size: 1_000,
            subrequests: Subrequests::default(),
            edge_records: EdgeRecords::default(),
            duplicates: DuplicatePolicy::default(),
            filter: None,
            push_start_ms: None,
            log_level: LogLevel::default(),
            webhook: None,
            queues: QueueNames::read(|_| None),
            delivery: None,
            delivery_faults: Vec::new(),
        }
    }

    /// Reads the settings apart from those of delivery; `None` after an error. Every setting is read before the first one
    /// is needed.
    fn from<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<Self> {
        let access = access::read(reader);
        let per_minute = reader
            .read(&settings::RATE, |value| whole(value).ok_or_else(|| "must be a whole number, 0 or greater".into()));
        let daily_budget = budget::read(reader);
        let audit_chains = reader.read(&settings::AUDIT_CHAINS, |value| count(value, AUDIT_CHAINS_MAX));
        let partitions = reader.read(&settings::PARTITIONS, |value| count(value, PARTITIONS_MAX));
        let reason_roles = reader.read(&settings::REASON_ROLES, access::roles);
        let zones = reader.read(&settings::ZONES, zones);
        let bucket_name = reader.read(&settings::BUCKET_NAME, bucket_name);
        // Only the platform uses it; a wrong one must not be passed over until then.
        let _jurisdiction = reader.read(&settings::JURISDICTION, |name| one_of(name, &JURISDICTIONS, |known| known));
        let log_prefix = datasets::read(reader);
        let kept = kept::read(reader, log_prefix.as_ref().unwrap_or(&LogPrefixes::default()));
        let queues = queues::read(reader);
        let log_level = reader.read(&settings::LOG_LEVEL, |name| one_of(name, LogLevel::ALL, LogLevel::name));
        let webhook = webhook::read(reader);
        Some(Self {
            access,
            per_minute: per_minute?,
            daily_budget,
            audit_chains: audit_chains?,
            partitions: partitions?,
            reason_roles: reason_roles.unwrap_or_default(),
            zones,
            bucket_name: bucket_name?,
            log_prefix: log_prefix?,
            kept,
            queues,
            log_level: log_level?,
            webhook,
            ..Self::without_delivery()
        })
    }
}

/// Parses a JSON object of zone ids and zone names.
fn zones(value: &str) -> Result<Vec<(String, String)>, String> {
    let zones: BTreeMap<String, String> = serde_json::from_str(value).map_err(|_| {
        "must be a JSON object of zone IDs and names, such as {\"023e105f…\":\"example.com\"}".to_owned()
    })?;
    Ok(zones.into_iter().collect())
}

/// The jurisdictions in which Durable Objects can be kept.
const JURISDICTIONS: [&str; 2] = ["eu", "fedramp"];

/// Checks the name of a bucket by the rules of R2.
fn bucket_name(value: &str) -> Result<String, String> {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let fits = (3..=63).contains(&value.len())
        && value.as_bytes().iter().all(is_inner)
        && !value.starts_with('-')
        && !value.ends_with('-');
    let wrong = "is not a bucket's name: 3 to 63 small letters, digits and inner hyphens";
    if fits { Ok(value.to_owned()) } else { Err(wrong.into()) }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigFault, LogLevel, LogPrefixes, SETTINGS};
    use crate::access::{Grant, Scope};
    use crate::mask::Role;
    use crate::partner::{OnUnknown, ServerErrors, Subrequests};
    use crate::render::PartnerOptions;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// Reads a deployment with a token and these settings.
    fn read(set: &[(&str, &str)]) -> Result<Config, Vec<ConfigFault>> {
        Config::read(|name| {
            let found = set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            found.or_else(|| (name == "API_TOKEN_SHA256").then(|| HASH.to_owned()))
        })
    }

    /// Returns the faults of a deployment, which show none of its values.
    fn faults(set: &[(&str, &str)]) -> Vec<String> {
        let faults = read(set).map_or_else(|faults| faults, |config| config.delivery_faults);
        let words = ConfigFault::words(&faults);
        assert!(!words.contains("hunter2"), "{words}");
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_token_is_all_that_must_be_set() {
        let config = read(&[]).ok().unwrap();
        assert_eq!(hex::encode(config.access.tokens[0].sha256), HASH);
        assert!(config.access.tokens[0].grant == Grant::everything() && config.access.sign_on.is_none());
        assert_eq!((config.bucket_name.as_str(), config.log_prefix), ("cdn-logs-raw", LogPrefixes::one("logs/")));
        assert_eq!(config.partner, PartnerOptions::default());
        assert_eq!((config.batch_size, config.subrequests), (1_000, Subrequests::Include));
        assert_eq!((config.filter, config.push_start_ms, config.log_level), (None, None, LogLevel::Info));
        assert!(config.delivery.is_none(), "nothing is sent");
        assert_eq!(Config::read(|_| None).err(), Some(vec![ConfigFault::Missing("API_TOKEN_SHA256")]));
    }

    /// Returns the faults of a deployment with these settings alone.
    fn faults_alone(set: &[(&str, &str)]) -> Vec<String> {
        let read = Config::read(|name| Some(set.iter().find(|(set, _)| *set == name)?.1.to_owned()));
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn any_way_in_makes_a_deployment() {
        let tokens = format!(r#"[{{"id":"desk","sha256":"{HASH}","scopes":["read"],"role":"support"}}]"#);
        let grants = r#"[{"email_domain":"a.example","scopes":["read","admin"],"role":"viewer"}]"#;
        let access = [("ACCESS_TEAM", "acme"), ("ACCESS_AUD", "tag"), ("ACCESS_GRANTS", grants)];
        assert!(faults_alone(&[("API_TOKENS", &tokens)]).is_empty() && faults_alone(&access).is_empty());
        assert_eq!(faults_alone(&access[..1]), ["ACCESS_AUD is not set", "ACCESS_GRANTS is not set"]);
        assert_eq!(faults_alone(&access[1..]), ["API_TOKEN_SHA256 is not set", "ACCESS_TEAM is not set"]);
        assert_eq!(
            faults(&[("API_TOKENS", &tokens)]),
            ["API_TOKENS is not valid: an entry has the same hash as API_TOKEN_SHA256"]
        );
        let config = read(&[&access[..], &[("API_TOKENS", &tokens.replace('9', "8"))]].concat()).ok().unwrap();
        let sign_on = config.access.sign_on.unwrap();
        assert_eq!(sign_on.issuer.certs(), "https://acme.cloudflareaccess.com/cdn-cgi/access/certs");
        assert!(sign_on.grants[0].grant.scopes.iter().eq([Scope::Read, Scope::Admin]));
        let tokens: Vec<_> = config.access.tokens.iter().map(|rule| (rule.id.as_str(), rule.grant.role)).collect();
        assert_eq!(tokens, [("desk", Role::Support), ("main", Role::Forensics)]);
    }

    #[test]
    fn plain_http_issuer_is_for_local_tests_only() {
        let with = |team, http| {
            let grants = r#"[{"service":"x","scopes":["read"],"role":"viewer"}]"#;
            let set =
                [("ACCESS_TEAM", team), ("ACCESS_AUD", "a"), ("ACCESS_GRANTS", grants), ("ACCESS_PLAIN_HTTP", http)];
            faults(&set).is_empty()
        };
        assert!(with("https://login.example", "refuse") && with("http://127.0.0.1:8788", "allow"));
        for (team, http) in [
            ("http://127.0.0.1:8788", "refuse"),
            ("http://login.example", "allow"),
            ("https://ann:hunter2@login.example", "allow"),
            ("https://login.example/path", "allow"),
            ("acme.cloudflareaccess.com", "allow"),
            ("http://localhost", "hunter2"),
        ] {
            assert!(!with(team, http), "{team} {http}");
        }
    }

    #[test]
    fn a_deployment_sets_what_it_wants() {
        let filter = r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"a.example"}}"#;
        let config = read(&[
            ("PARTNER_FILTER", filter),
            ("BATCH_SIZE", " 10000 "),
            ("PUSH_START_TIME", "2026-03-28T16:42:25.5+08:00"),
            ("PARTNER_SUBREQUESTS", "exclude"),
            ("LOG_LEVEL", "warn"),
        ]);
        let config = config.ok().unwrap();
        assert_eq!(config.filter.unwrap().text(), filter);
        assert_eq!((config.batch_size, config.subrequests), (10_000, Subrequests::Exclude));
        assert_eq!((config.push_start_ms, config.log_level), (Some(1_774_687_345_500), LogLevel::Warn));
    }

    #[test]
    fn three_settings_turn_sending_on() {
        let config = read(&[
            ("PARTNER_ENDPOINT", "https://hunter2.example/v1"),
            ("PARTNER_URI", "/hunter2"),
            ("PARTNER_PRIVATE_KEY", "hunter2"),
        ]);
        let delivery = config.ok().unwrap().delivery.unwrap();
        assert_eq!(delivery.endpoint.url("k"), "https://hunter2.example/v1/hunter2?auth_key=k");
        assert_eq!((delivery.on_unknown, delivery.server_errors), (OnUnknown::Resend, ServerErrors::NotStored));
        assert!(delivery.second_key.is_none());
        assert!(!format!("{delivery:?}").contains("hunter2"), "{delivery:?}");
    }

    #[test]
    fn policies_of_deliveries_are_settings() {
        let delivery = read(&[
            ("PARTNER_ENDPOINT", "http://a.example"),
            ("PARTNER_URI", " /path "),
            ("PARTNER_PRIVATE_KEY", "k"),
            ("PARTNER_PRIVATE_KEY_2", "second"),
            ("PARTNER_PLAIN_HTTP", "allow"),
            ("PARTNER_ON_UNKNOWN", "park"),
            ("PARTNER_SERVER_ERRORS", "unknown"),
        ]);
        let delivery = delivery.ok().unwrap().delivery.unwrap();
        assert_eq!(delivery.endpoint.url("k"), "http://a.example/path?auth_key=k");
        assert_eq!((delivery.on_unknown, delivery.server_errors), (OnUnknown::Park, ServerErrors::Unknown));
        assert!(delivery.second_key.is_some());
    }

    #[test]
    fn empty_value_counts_as_not_set() {
        let set = [("PARTNER_ENDPOINT", "https://a.example"), ("PARTNER_URI", " "), ("PARTNER_PRIVATE_KEY", "k")];
        assert_eq!(faults(&set), ["PARTNER_URI is not set"]);
        assert_eq!(read(&[("BATCH_SIZE", "")]).ok().unwrap().batch_size, 1_000);
    }

    #[test]
    fn sending_is_on_or_off_and_never_half() {
        let (endpoint, uri, key) =
            ("PARTNER_ENDPOINT is not set", "PARTNER_URI is not set", "PARTNER_PRIVATE_KEY is not set");
        assert_eq!(faults(&[("PARTNER_ENDPOINT", "https://hunter2.example")]), [uri, key]);
        assert_eq!(faults(&[("PARTNER_URI", "/hunter2")]), [endpoint, key]);
        assert_eq!(faults(&[("PARTNER_PRIVATE_KEY", "hunter2")]), [endpoint, uri]);
        assert_eq!(faults(&[("PARTNER_PRIVATE_KEY", "hunter2"), ("PARTNER_URI", "/hunter2")]), [endpoint]);
        assert!(faults(&[("PARTNER_PRIVATE_KEY_2", "hunter2")]).is_empty(), "a second key alone turns nothing on");
    }

    #[test]
    fn all_faults_are_named_and_no_value_shown() {
        let wrong = [
            ("API_TOKEN_SHA256", "hunter2"),
            ("API_TOKENS", r#"[{"hunter2":"hunter2"}]"#),
            ("ACCESS_PLAIN_HTTP", "hunter2"),
            ("ACCESS_TEAM", "https://hunter2@hunter2"),
            ("ACCESS_GRANTS", r#"[{"email":"hunter2","scopes":["hunter2"],"role":"hunter2"}]"#),
            ("BUCKET_NAME", "-hunter2"),
            ("JURISDICTION", "hunter2"),
            ("LOG_PREFIX", "hunter2"),
            ("LOG_RETENTION_DAYS", "hunter2"),
            ("PARTNER_TENANT", "hunter2\u{1}x"),
            ("PARTNER_UNKNOWN_COUNTRY", "hunter2"),
            ("BATCH_SIZE", "10001"),
            ("PARTNER_SUBREQUESTS", "hunter2"),
            ("PARTNER_FILTER", r#"{"where":{"or":[{"key":"hunter2","operator":"hunter2","value":"hunter2"}]}}"#),
            ("PUSH_START_TIME", "hunter2"),
            ("LOG_LEVEL", "hunter2"),
            ("ALERT_WEBHOOK_URL", "hunter2"),
            ("ALERT_WEBHOOK_FORM", "hunter2"),
            ("PARTNER_ON_UNKNOWN", "hunter2"),
            ("PARTNER_SERVER_ERRORS", "hunter2"),
            ("PARTNER_ENDPOINT", "https://user:hunter2@hunter2.example"),
            ("PARTNER_URI", "//hunter2"),
            ("PARTNER_PRIVATE_KEY", "hunter2"),
            ("ACCESS_AUD", "hunter2"),
        ];
        let found = faults(&wrong);
        let named: Vec<&str> = found.iter().filter_map(|fault| fault.split(' ').next()).collect();
        let expected: Vec<&str> = wrong
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !["PARTNER_PRIVATE_KEY", "ACCESS_AUD"].contains(name))
            .collect();
        let of_delivery = |name: &&str| {
            !name.starts_with("ACCESS")
                && !name.starts_with("API")
                && !name.starts_with("LOG")
                && !name.starts_with("ALERT")
                && !["BUCKET_NAME", "JURISDICTION"].contains(name)
        };
        let (delivery, base): (Vec<&str>, Vec<&str>) = expected.into_iter().partition(of_delivery);
        assert_eq!(named, [base, delivery].concat(), "those of delivery come last");
        assert!(found.contains(&"PARTNER_ON_UNKNOWN must be one of resend, park".to_owned()));
        assert!(found.contains(&"PARTNER_SUBREQUESTS must be one of include, exclude".to_owned()));
        assert!(found.iter().any(|fault| fault.starts_with("PARTNER_FILTER is not valid: where.or[0]: the operator")));
    }

    #[test]
    fn bucket_names_follow_the_rules_of_r2() {
        for (value, fits) in [("logs-2", true), ("abc", true), ("ab", false), ("Logs", false), ("logs-", false)] {
            assert_eq!(read(&[("BUCKET_NAME", value)]).is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn unlisted_fields_of_the_filter_are_named() {
        let warnings = |key: &str| {
            let condition = format!(r#"{{"key":"{key}","operator":"eq","value":1}}"#);
            let filter = format!(r#"{{"where":{{"and":[{{"key":"RayID","operator":"eq","value":1}},{condition}]}}}}"#);
            read(&[("PARTNER_FILTER", &filter)]).ok().unwrap().warnings()
        };
        assert!(warnings("EdgeResponseStatus").is_empty() && read(&[]).ok().unwrap().warnings().is_empty());
        let words = "PARTNER_FILTER names a field at where.and[1] that http_requests does not list";
        assert_eq!(warnings("hunter2"), [words]);
        assert_eq!(warnings("edgeResponseStatus"), [format!("{words}; did you mean EdgeResponseStatus?")]);
    }

    #[test]
    fn the_own_folder_is_no_log_prefix() {
        let words = "LOG_PREFIX is in raydex/, a folder that is never read as logs";
        assert_eq!(faults(&[("LOG_PREFIX", "raydex/logs/")]), [words]);
        let config = read(&[("LOG_PREFIX", "")]).ok().unwrap();
        assert_eq!(config.log_prefix.folders(), [""], "the whole bucket");
        assert_eq!(faults(&[("DATASETS", "hunter2")]).len(), 1);
    }

    #[test]
    fn plain_http_is_refused_until_it_is_allowed() {
        let plain = [("PARTNER_ENDPOINT", "http://a.example"), ("PARTNER_URI", "/"), ("PARTNER_PRIVATE_KEY", "k")];
        let words = "PARTNER_ENDPOINT begins with http://, which would send log lines unencrypted; use https://, or set \
                     PARTNER_PLAIN_HTTP=allow";
        assert_eq!(faults(&plain), [words]);
        let odd = [("PARTNER_ENDPOINT", "ftp://a.example"), plain[1], plain[2]];
        assert_eq!(faults(&odd), ["PARTNER_ENDPOINT is not valid: the endpoint must begin with https://"]);
        let with = |value| faults(&[&plain[..], &[("PARTNER_PLAIN_HTTP", value)]].concat());
        assert!(with("allow").is_empty());
        assert_eq!(with("hunter2"), ["PARTNER_PLAIN_HTTP must be one of refuse, allow"]);
    }

    #[test]
    fn a_batch_has_one_line_to_ten_thousand() {
        for (value, lines) in [("1", Some(1)), ("10000", Some(10_000)), ("0", None), ("-1", None), ("1e3", None)] {
            let set = [("BATCH_SIZE", value)];
            let read = read(&set).ok().unwrap();
            assert_eq!(faults(&set).is_empty().then_some(read.batch_size), lines, "{value}");
        }
    }

    #[test]
    fn no_name_stands_for_two_settings() {
        let mut names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
