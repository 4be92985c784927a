//! The list of settings: name, aliases, secrecy and default. No other file spells the name of a setting, and a test
//! compares the list with `schemas/config.json` and the documentation.

/// The effect of not setting a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The deployment is not configured without it.
    Required,
    /// The feature that it configures is off.
    Optional,
    /// The setting has this value by default.
    Default(&'static str),
}

/// The definition of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name of the variable or secret.
    pub name: &'static str,
    /// Other names, read in order if the name itself is not set.
    pub aliases: &'static [&'static str],
    /// Whether it is a secret of the Worker, not a variable.
    pub secret: bool,
    /// The effect of not setting it.
    pub need: Need,
}

impl Setting {
    const fn variable(name: &'static str, need: Need) -> Self {
        Self { name, aliases: &[], secret: false, need }
    }

    const fn secret(name: &'static str, need: Need) -> Self {
        Self { name, aliases: &[], secret: true, need }
    }

    const fn formerly(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The default value, if it has one.
    #[must_use]
    pub const fn default(&self) -> Option<&'static str> {
        match self.need {
            Need::Default(value) => Some(value),
            Need::Required | Need::Optional => None,
        }
    }
}

/// The SHA-256 of the main token, which has every right, in 64 hexadecimal digits.
pub const TOKEN: Setting = Setting::secret("API_TOKEN_SHA256", Need::Optional);
/// The other tokens with their grants, as a JSON array.
pub const TOKENS: Setting = Setting::secret("API_TOKENS", Need::Optional);
/// The team name or issuer address of Cloudflare Access.
pub const ACCESS_TEAM: Setting = Setting::variable("ACCESS_TEAM", Need::Optional);
/// The audience tag of the Access application.
pub const ACCESS_AUD: Setting = Setting::variable("ACCESS_AUD", Need::Optional);
/// The grants to the bearers of Access assertions, as a JSON array.
pub const ACCESS_GRANTS: Setting = Setting::variable("ACCESS_GRANTS", Need::Optional);
/// Whether the issuer's address may be plain HTTP on the local host.
pub const ACCESS_PLAIN_HTTP: Setting = Setting::variable("ACCESS_PLAIN_HTTP", Need::Default("refuse"));
/// The name of the log bucket in the default deployment.
pub const DEFAULT_BUCKET_NAME: &str = "cdn-logs-raw";

/// The name of the bucket that Logpush writes to: part of every batch's identity, and what its events must say.
pub const BUCKET_NAME: Setting = Setting::variable("BUCKET_NAME", Need::Default(DEFAULT_BUCKET_NAME));
/// The prefix of the keys that Logpush writes.
pub const PREFIX: Setting = Setting::variable("LOG_PREFIX", Need::Default("logs/"));
/// Requests that one caller may send per minute.
pub const RATE: Setting = Setting::variable("API_RATE_PER_MINUTE", Need::Default("600"));
/// Zone ids and zone names, as a JSON object.
pub const ZONES: Setting = Setting::variable("API_ZONES", Need::Optional);
/// The value of column 58 of the partner's lines.
pub const TENANT: Setting = Setting::variable("PARTNER_TENANT", Need::Default("-"));
/// The value of column 45 of the partner's lines if the airport is unknown.
pub const COUNTRY: Setting = Setting::variable("PARTNER_UNKNOWN_COUNTRY", Need::Default("CN"));
/// The origin that receives deliveries.
pub const ENDPOINT: Setting = Setting::secret("PARTNER_ENDPOINT", Need::Optional).formerly(&["CTYUN_ENDPOINT"]);
/// The path at that origin, which the signature covers.
pub const URI: Setting = Setting::secret("PARTNER_URI", Need::Optional).formerly(&["CTYUN_URI_EDGE"]);
/// The private key that signs deliveries.
pub const KEY: Setting = Setting::secret("PARTNER_PRIVATE_KEY", Need::Optional).formerly(&["CTYUN_PRIVATE_KEY"]);
/// The key to retry with once if the partner refuses the first.
pub const SECOND_KEY: Setting = Setting::secret("PARTNER_PRIVATE_KEY_2", Need::Optional);
/// Whether the endpoint may be plain HTTP, as in tests.
pub const PLAIN_HTTP: Setting = Setting::variable("PARTNER_PLAIN_HTTP", Need::Default("refuse"));
/// The policy for a delivery with an unknown outcome.
pub const ON_UNKNOWN: Setting = Setting::variable("PARTNER_ON_UNKNOWN", Need::Default("resend"));
/// Whether a 5xx of the partner means that the payload was not stored.
pub const SERVER_ERRORS: Setting = Setting::variable("PARTNER_SERVER_ERRORS", Need::Default("not_stored"));
/// Whether subrequests of Workers are delivered.
pub const SUBREQUESTS: Setting = Setting::variable("PARTNER_SUBREQUESTS", Need::Default("include"));
/// The filter of records to deliver; empty for all.
pub const FILTER: Setting = Setting::variable("PARTNER_FILTER", Need::Optional);
/// Lines of one payload, at most.
pub const BATCH_SIZE: Setting = Setting::variable("BATCH_SIZE", Need::Default("1000"));
/// The RFC 3339 instant before which requests are not delivered.
pub const PUSH_START: Setting = Setting::variable("PUSH_START_TIME", Need::Optional);
/// The least severe level that is logged.
pub const LOG_LEVEL: Setting = Setting::variable("LOG_LEVEL", Need::Default("info"));

/// Every setting, in the order of the documentation.
pub const SETTINGS: [Setting; 24] = [
    TOKEN,
    TOKENS,
    ACCESS_TEAM,
    ACCESS_AUD,
    ACCESS_GRANTS,
    ACCESS_PLAIN_HTTP,
    RATE,
    ZONES,
    BUCKET_NAME,
    PREFIX,
    TENANT,
    COUNTRY,
    ENDPOINT,
    URI,
    KEY,
    SECOND_KEY,
    PLAIN_HTTP,
    ON_UNKNOWN,
    SERVER_ERRORS,
    SUBREQUESTS,
    FILTER,
    BATCH_SIZE,
    PUSH_START,
    LOG_LEVEL,
];
