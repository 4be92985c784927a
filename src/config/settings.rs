//! The list of settings: each one's name, older names, whether it is a secret, and what holds without it.
//!
//! What always holds: a setting is named here and nowhere else; `schemas/config.json` and README say the same,
//! held by a test.

/// What holds where a setting is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing works: it must be set.
    Required,
    /// What it is for is off.
    Optional,
    /// This value.
    Default(&'static str),
}

/// A setting of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Older names, which count where the name itself is not set.
    pub aliases: &'static [&'static str],
    /// Whether its value is a secret.
    pub secret: bool,
    /// What holds where it is not set.
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

    /// What holds where it is not set, if that is a value.
    #[must_use]
    pub const fn default(&self) -> Option<&'static str> {
        match self.need {
            Need::Default(value) => Some(value),
            Need::Required | Need::Optional => None,
        }
    }
}

/// The SHA-256 of the token that may do and see everything, in 64 hexadecimal digits.
pub const TOKEN: Setting = Setting::secret("API_TOKEN_SHA256", Need::Optional);
/// The other tokens, each with what it grants.
pub const TOKENS: Setting = Setting::secret("API_TOKENS", Need::Optional);
/// The team of Cloudflare Access.
pub const ACCESS_TEAM: Setting = Setting::variable("ACCESS_TEAM", Need::Optional);
/// The application of Access that its assertions are for.
pub const ACCESS_AUD: Setting = Setting::variable("ACCESS_AUD", Need::Optional);
/// What the assertions of Access grant, and to whom.
pub const ACCESS_GRANTS: Setting = Setting::variable("ACCESS_GRANTS", Need::Optional);
/// Whether the team's address may be plain HTTP on this machine.
pub const ACCESS_PLAIN_HTTP: Setting = Setting::variable("ACCESS_PLAIN_HTTP", Need::Default("refuse"));
/// The name of the log bucket in the default deployment.
pub const DEFAULT_BUCKET_NAME: &str = "cdn-logs-raw";

/// The name of the bucket that Logpush writes to: part of every batch's identity, and what its events must say.
pub const BUCKET_NAME: Setting = Setting::variable("BUCKET_NAME", Need::Default(DEFAULT_BUCKET_NAME));
/// The prefix of the bucket that Logpush writes under.
pub const PREFIX: Setting = Setting::variable("LOG_PREFIX", Need::Default("logs/"));
/// How often one caller may ask, per minute.
pub const RATE: Setting = Setting::variable("API_RATE_PER_MINUTE", Need::Default("600"));
/// The zones, by their identifiers.
pub const ZONES: Setting = Setting::variable("API_ZONES", Need::Optional);
/// Column 58 of the partner's lines.
pub const TENANT: Setting = Setting::variable("PARTNER_TENANT", Need::Default("-"));
/// Column 45 of the partner's lines where the airport is unknown.
pub const COUNTRY: Setting = Setting::variable("PARTNER_UNKNOWN_COUNTRY", Need::Default("CN"));
/// Where the partner receives deliveries.
pub const ENDPOINT: Setting = Setting::secret("PARTNER_ENDPOINT", Need::Optional).formerly(&["CTYUN_ENDPOINT"]);
/// The path there, which is signed.
pub const URI: Setting = Setting::secret("PARTNER_URI", Need::Optional).formerly(&["CTYUN_URI_EDGE"]);
/// The key that signs.
pub const KEY: Setting = Setting::secret("PARTNER_PRIVATE_KEY", Need::Optional).formerly(&["CTYUN_PRIVATE_KEY"]);
/// The key that is tried once where the first one is refused.
pub const SECOND_KEY: Setting = Setting::secret("PARTNER_PRIVATE_KEY_2", Need::Optional);
/// Whether the endpoint may be plain HTTP.
pub const PLAIN_HTTP: Setting = Setting::variable("PARTNER_PLAIN_HTTP", Need::Default("refuse"));
/// What follows when nobody knows whether a delivery was stored.
pub const ON_UNKNOWN: Setting = Setting::variable("PARTNER_ON_UNKNOWN", Need::Default("resend"));
/// What a 5xx of the partner means.
pub const SERVER_ERRORS: Setting = Setting::variable("PARTNER_SERVER_ERRORS", Need::Default("not_stored"));
/// Whether the requests of Workers are delivered.
pub const SUBREQUESTS: Setting = Setting::variable("PARTNER_SUBREQUESTS", Need::Default("include"));
/// Which records are delivered.
pub const FILTER: Setting = Setting::variable("PARTNER_FILTER", Need::Optional);
/// Lines of one delivery.
pub const BATCH_SIZE: Setting = Setting::variable("BATCH_SIZE", Need::Default("1000"));
/// What is older is not delivered.
pub const PUSH_START: Setting = Setting::variable("PUSH_START_TIME", Need::Optional);
/// The least grave lines of the log.
pub const LOG_LEVEL: Setting = Setting::variable("LOG_LEVEL", Need::Default("info"));

/// Every setting.
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
