//! The list of settings: name, secrecy and default. No other file spells the name of a setting, and a test compares the
//! list with `schemas/config.json` and the documentation.

/// The effect of not setting a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingRequirement {
    /// The feature that it configures is off.
    Optional,
    /// The setting has this value by default.
    Default(&'static str),
}

/// The definition of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingSpec {
    /// The name of the variable or secret.
    pub name: &'static str,
    /// The name that the JavaScript Worker has for it, which is read where this one is not set.
    pub other_name: Option<&'static str>,
    /// Whether it is a secret of the Worker rather than a variable.
    pub secret: bool,
    /// The effect of not setting it.
    pub need: SettingRequirement,
}

impl SettingSpec {
    const fn variable(name: &'static str, need: SettingRequirement) -> Self {
        Self { name, other_name: None, secret: false, need }
    }

    const fn secret(name: &'static str, need: SettingRequirement) -> Self {
        Self { name, other_name: None, secret: true, need }
    }

    const fn also(self, other_name: &'static str) -> Self {
        Self { other_name: Some(other_name), ..self }
    }

    /// Returns the default value, if it has one.
    #[must_use]
    pub const fn default(&self) -> Option<&'static str> {
        match self.need {
            SettingRequirement::Default(value) => Some(value),
            SettingRequirement::Optional => None,
        }
    }
}

/// The SHA-256 of the main token, which grants every right, in 64 hexadecimal digits.
pub const TOKEN: SettingSpec = SettingSpec::secret("API_TOKEN_SHA256", SettingRequirement::Optional);
/// The other tokens with their grants, as a JSON array.
pub const TOKENS: SettingSpec = SettingSpec::secret("API_TOKENS", SettingRequirement::Optional);
/// The team name or issuer address of Cloudflare Access.
pub const ACCESS_TEAM: SettingSpec = SettingSpec::variable("ACCESS_TEAM", SettingRequirement::Optional);
/// The audience tag of the Access application.
pub const ACCESS_AUD: SettingSpec = SettingSpec::variable("ACCESS_AUD", SettingRequirement::Optional);
/// The grants to the bearers of Access assertions, as a JSON array.
pub const ACCESS_GRANTS: SettingSpec = SettingSpec::variable("ACCESS_GRANTS", SettingRequirement::Optional);
/// Number of hours after which an assertion is refused, whatever its expiry.
pub const ACCESS_SESSION: SettingSpec =
    SettingSpec::variable("ACCESS_SESSION_HOURS", SettingRequirement::Default("24"));
/// Whether the issuer's address may be plain HTTP on localhost.
pub const ACCESS_PLAIN_HTTP: SettingSpec =
    SettingSpec::variable("ACCESS_PLAIN_HTTP", SettingRequirement::Default("refuse"));
/// The roles that must give a reason for each request that shows log lines, separated by commas.
pub const REASON_ROLES: SettingSpec = SettingSpec::variable("API_REASON_ROLES", SettingRequirement::Optional);
/// The name of the log bucket in the default deployment.
pub const DEFAULT_BUCKET_NAME: &str = "cdn-logs-raw";

/// The name of the bucket that Logpush writes to: part of every batch's identity, and required in its events.
pub const BUCKET_NAME: SettingSpec =
    SettingSpec::variable("BUCKET_NAME", SettingRequirement::Default(DEFAULT_BUCKET_NAME)).also("R2_BUCKET_NAME");
/// Where the Durable Objects are.
pub const JURISDICTION: SettingSpec = SettingSpec::variable("JURISDICTION", SettingRequirement::Optional);
/// The folders that Logpush writes to, separated by commas; empty for the whole bucket.
pub const PREFIX: SettingSpec =
    SettingSpec::variable("LOG_PREFIX", SettingRequirement::Default("logs/")).also("RAW_LOG_PREFIX");
/// The rules for the batches under a prefix, as a JSON object.
pub const DATASETS: SettingSpec = SettingSpec::variable("DATASETS", SettingRequirement::Optional);
/// Number of days that the bucket's lifecycle rules keep logs.
pub const RETENTION: SettingSpec = SettingSpec::variable("LOG_RETENTION_DAYS", SettingRequirement::Optional);
/// Number of days that ledgers keep the accounts of a batch.
pub const ACCOUNTS_RETENTION: SettingSpec =
    SettingSpec::variable("ACCOUNTS_RETENTION_DAYS", SettingRequirement::Optional);
/// What becomes of the batches that hold erased lines.
pub const ERASURES: SettingSpec = SettingSpec::variable("ERASURES", SettingRequirement::Default("rewrite"));
/// Number of requests that a caller may send per minute.
pub const RATE: SettingSpec = SettingSpec::variable("API_RATE_PER_MINUTE", SettingRequirement::Default("600"));
/// Dollars that a caller may cost in a day, unless its token says another budget.
pub const DAILY_BUDGET: SettingSpec = SettingSpec::variable("DAILY_BUDGET", SettingRequirement::Optional);
/// Number of chains of the audit log, among which callers are spread.
pub const AUDIT_CHAINS: SettingSpec = SettingSpec::variable("AUDIT_CHAINS", SettingRequirement::Default("1"));
/// Number of ledgers among which the batches of an hour are spread.
pub const PARTITIONS: SettingSpec = SettingSpec::variable("PARTITIONS", SettingRequirement::Default("1"));
/// Zone ids and zone names, as a JSON object.
pub const ZONES: SettingSpec = SettingSpec::variable("API_ZONES", SettingRequirement::Optional);
/// The name of the queue of objects to parse.
pub const PARSE_QUEUE: SettingSpec =
    SettingSpec::variable("PARSE_QUEUE_NAME", SettingRequirement::Default("parse-queue"));
/// The name of the queue of payloads to send.
pub const SEND_QUEUE: SettingSpec = SettingSpec::variable("SEND_QUEUE_NAME", SettingRequirement::Default("send-queue"));
/// The name of the queue for messages that the first one gave up on.
pub const PARSE_DLQ: SettingSpec = SettingSpec::variable("PARSE_DLQ_NAME", SettingRequirement::Default("parse-dlq"));
/// The name of the queue for messages that the second one gave up on.
pub const SEND_DLQ: SettingSpec = SettingSpec::variable("SEND_DLQ_NAME", SettingRequirement::Default("send-dlq"));
/// The name of the queue of the edge logger's batches.
pub const EDGE_QUEUE: SettingSpec = SettingSpec::variable("EDGE_QUEUE_NAME", SettingRequirement::Default("edge-queue"));
/// The first column of the partner's lines.
pub const FORMAT_VERSION: SettingSpec =
    SettingSpec::variable("PARTNER_FORMAT_VERSION", SettingRequirement::Default("cs_vod_v3.0"));
/// The value of column 58 of the partner's lines.
pub const TENANT: SettingSpec = SettingSpec::variable("PARTNER_TENANT", SettingRequirement::Default("-"));
/// The value of column 45 of the partner's lines if the airport is unknown.
pub const COUNTRY: SettingSpec = SettingSpec::variable("PARTNER_UNKNOWN_COUNTRY", SettingRequirement::Default("CN"));
/// The origin that receives deliveries.
pub const ENDPOINT: SettingSpec =
    SettingSpec::secret("PARTNER_ENDPOINT", SettingRequirement::Optional).also("CTYUN_ENDPOINT");
/// The path at that origin, which the signature covers.
pub const URI: SettingSpec = SettingSpec::secret("PARTNER_URI", SettingRequirement::Optional).also("CTYUN_URI_EDGE");
/// The private key that signs deliveries.
pub const KEY: SettingSpec =
    SettingSpec::secret("PARTNER_PRIVATE_KEY", SettingRequirement::Optional).also("CTYUN_PRIVATE_KEY");
/// The key to retry with once if the partner refuses the first.
pub const SECOND_KEY: SettingSpec = SettingSpec::secret("PARTNER_PRIVATE_KEY_2", SettingRequirement::Optional);
/// Whether the endpoint may be plain HTTP, as in tests.
pub const PLAIN_HTTP: SettingSpec = SettingSpec::variable("PARTNER_PLAIN_HTTP", SettingRequirement::Default("refuse"));
/// The policy for a delivery with an unknown outcome.
pub const ON_UNKNOWN: SettingSpec = SettingSpec::variable("PARTNER_ON_UNKNOWN", SettingRequirement::Default("resend"));
/// Time limit of a POST to the partner, in seconds.
pub const TIMEOUT: SettingSpec = SettingSpec::variable("PARTNER_TIMEOUT_S", SettingRequirement::Default("120"));
/// Maximum number of lines that go to the partner in a second.
pub const LINES_PER_SECOND: SettingSpec =
    SettingSpec::variable("PARTNER_LINES_PER_SECOND", SettingRequirement::Optional);
/// Whether a 5xx of the partner means that the payload was not stored.
pub const SERVER_ERRORS: SettingSpec =
    SettingSpec::variable("PARTNER_SERVER_ERRORS", SettingRequirement::Default("not_stored"));
/// Whether requests made by Workers are delivered.
pub const SUBREQUESTS: SettingSpec =
    SettingSpec::variable("PARTNER_SUBREQUESTS", SettingRequirement::Default("include"));
/// Whether records of the edge logger are delivered.
pub const EDGE_RECORDS: SettingSpec =
    SettingSpec::variable("PARTNER_EDGE_RECORDS", SettingRequirement::Default("exclude"));
/// Whether lines that are already in another payload are delivered again.
pub const DUPLICATES: SettingSpec = SettingSpec::variable("PARTNER_DUPLICATES", SettingRequirement::Default("hold"));
/// The filter of records to deliver; empty for all.
pub const FILTER: SettingSpec = SettingSpec::variable("PARTNER_FILTER", SettingRequirement::Optional);
/// Maximum number of lines in a payload.
pub const BATCH_SIZE: SettingSpec = SettingSpec::variable("BATCH_SIZE", SettingRequirement::Default("1000"));
/// The instant before which requests are not delivered.
pub const PUSH_START: SettingSpec = SettingSpec::variable("PUSH_START_TIME", SettingRequirement::Optional);
/// The least severe level that is logged.
pub const LOG_LEVEL: SettingSpec = SettingSpec::variable("LOG_LEVEL", SettingRequirement::Default("info"));
/// The address that hears of what needs someone.
pub const WEBHOOK_URL: SettingSpec = SettingSpec::secret("ALERT_WEBHOOK_URL", SettingRequirement::Optional);
/// What that address expects.
pub const WEBHOOK_FORM: SettingSpec = SettingSpec::variable("ALERT_WEBHOOK_FORM", SettingRequirement::Default("json"));
/// What the Worker of environment `edge` does: records requests, collects reports, or only passes requests on.
pub const EDGE_MODE: SettingSpec = SettingSpec::variable("EDGE_MODE", SettingRequirement::Default("log"));
/// The key of the fingerprints of bearer tokens, in 64 hexadecimal digits.
pub const EDGE_FINGERPRINT_KEY: SettingSpec = SettingSpec::secret("EDGE_FINGERPRINT_KEY", SettingRequirement::Optional);
/// The rules of the edge logger by route, as a JSON array.
pub const EDGE_ROUTES: SettingSpec = SettingSpec::variable("EDGE_ROUTES", SettingRequirement::Optional);
/// The request headers that the edge logger records, separated by commas.
pub const EDGE_HEADERS: SettingSpec = SettingSpec::variable("EDGE_HEADERS", SettingRequirement::Optional);
/// The parameters whose values the edge logger redacts, separated by commas.
pub const EDGE_REDACT_QUERY: SettingSpec = SettingSpec::variable("EDGE_REDACT_QUERY", SettingRequirement::Optional);
/// The paths in which the edge logger redacts segments, separated by commas.
pub const EDGE_REDACT_PATHS: SettingSpec = SettingSpec::variable("EDGE_REDACT_PATHS", SettingRequirement::Optional);
/// Names of parameters and members whose values the edge logger keeps although they look like those of secrets.
pub const EDGE_KEEP_NAMES: SettingSpec = SettingSpec::variable("EDGE_KEEP_NAMES", SettingRequirement::Optional);
/// Number of records after which the edge logger closes a batch.
pub const EDGE_FLUSH_LINES: SettingSpec = SettingSpec::variable("EDGE_FLUSH_LINES", SettingRequirement::Default("500"));
/// Number of seconds after which the edge logger closes a batch.
pub const EDGE_FLUSH_SECONDS: SettingSpec =
    SettingSpec::variable("EDGE_FLUSH_SECONDS", SettingRequirement::Default("10"));
/// The sinks of the edge logger, as a JSON array.
pub const EDGE_SINKS: SettingSpec =
    SettingSpec::variable("EDGE_SINKS", SettingRequirement::Default(r#"[{"kind":"r2"}]"#));
/// The headers of collectors by the names of their sinks, as a JSON object.
pub const EDGE_SINK_HEADERS: SettingSpec = SettingSpec::secret("EDGE_SINK_HEADERS", SettingRequirement::Optional);
/// Whether collectors may be plain HTTP, as in tests.
pub const EDGE_SINK_PLAIN_HTTP: SettingSpec =
    SettingSpec::variable("EDGE_SINK_PLAIN_HTTP", SettingRequirement::Default("refuse"));
/// Number of milliseconds after which the edge logger hands records over to the durable buffer.
pub const EDGE_HANDOVER_MS: SettingSpec = SettingSpec::variable("EDGE_HANDOVER_MS", SettingRequirement::Default("250"));
/// Number of objects of the durable buffer.
pub const EDGE_OBJECTS: SettingSpec = SettingSpec::variable("EDGE_OBJECTS", SettingRequirement::Default("1"));

/// The address to which mode `collect` sends its windows.
pub const EDGE_COLLECT_URL: SettingSpec = SettingSpec::variable("EDGE_COLLECT_URL", SettingRequirement::Optional);
/// The rules of mode `collect` by route, as a JSON array.
pub const EDGE_COLLECT: SettingSpec = SettingSpec::variable("EDGE_COLLECT", SettingRequirement::Optional);
/// The form of a window.
pub const EDGE_COLLECT_FORM: SettingSpec =
    SettingSpec::variable("EDGE_COLLECT_FORM", SettingRequirement::Default("map"));
/// Number of seconds after which a window closes.
pub const EDGE_COLLECT_SECONDS: SettingSpec =
    SettingSpec::variable("EDGE_COLLECT_SECONDS", SettingRequirement::Default("5"));
/// The headers of a window's POST, as a JSON object.
pub const EDGE_COLLECT_HEADERS: SettingSpec = SettingSpec::secret("EDGE_COLLECT_HEADERS", SettingRequirement::Optional);
/// Whether the distinct reports of a window are stored as edge records too.
pub const EDGE_COLLECT_STORE: SettingSpec =
    SettingSpec::variable("EDGE_COLLECT_STORE", SettingRequirement::Default("off"));
/// The address that answers for the quota of a key.
pub const EDGE_QUOTA_URL: SettingSpec = SettingSpec::variable("EDGE_QUOTA_URL", SettingRequirement::Optional);

/// All settings in the order of the documentation.
pub const SETTINGS: [SettingSpec; 67] = [
    TOKEN,
    TOKENS,
    ACCESS_TEAM,
    ACCESS_AUD,
    ACCESS_GRANTS,
    ACCESS_SESSION,
    ACCESS_PLAIN_HTTP,
    RATE,
    DAILY_BUDGET,
    REASON_ROLES,
    AUDIT_CHAINS,
    PARTITIONS,
    ZONES,
    BUCKET_NAME,
    JURISDICTION,
    PREFIX,
    DATASETS,
    RETENTION,
    ACCOUNTS_RETENTION,
    ERASURES,
    PARSE_QUEUE,
    SEND_QUEUE,
    PARSE_DLQ,
    SEND_DLQ,
    EDGE_QUEUE,
    FORMAT_VERSION,
    TENANT,
    COUNTRY,
    ENDPOINT,
    URI,
    KEY,
    SECOND_KEY,
    PLAIN_HTTP,
    TIMEOUT,
    LINES_PER_SECOND,
    ON_UNKNOWN,
    SERVER_ERRORS,
    SUBREQUESTS,
    EDGE_RECORDS,
    DUPLICATES,
    FILTER,
    BATCH_SIZE,
    PUSH_START,
    LOG_LEVEL,
    WEBHOOK_URL,
    WEBHOOK_FORM,
    EDGE_MODE,
    EDGE_FINGERPRINT_KEY,
    EDGE_ROUTES,
    EDGE_HEADERS,
    EDGE_REDACT_QUERY,
    EDGE_REDACT_PATHS,
    EDGE_KEEP_NAMES,
    EDGE_FLUSH_LINES,
    EDGE_FLUSH_SECONDS,
    EDGE_COLLECT_URL,
    EDGE_COLLECT,
    EDGE_COLLECT_FORM,
    EDGE_COLLECT_SECONDS,
    EDGE_COLLECT_HEADERS,
    EDGE_COLLECT_STORE,
    EDGE_QUOTA_URL,
    EDGE_SINKS,
    EDGE_SINK_HEADERS,
    EDGE_SINK_PLAIN_HTTP,
    EDGE_HANDOVER_MS,
    EDGE_OBJECTS,
];
