//! The settings of deliveries: endpoint, keys, and the policy for unknown outcomes.
//!
//! # Invariants
//! Address, path and key are set together or not at all; without them nothing is sent. No error contains a secret.

use super::reader::{SettingsReader, not_valid, one_of, whole};
use super::settings::{
    ENDPOINT, KEY, LINES_PER_SECOND, ON_UNKNOWN, PLAIN_HTTP, SECOND_KEY, SERVER_ERRORS, TIMEOUT, URI,
};
use crate::limits::{LINES_PER_SECOND as RATES, POST_S, lease_ms};
use crate::partner::{EndpointError, OnUnknown, PartnerEndpoint, PrivateKey, ServerErrors};

/// The endpoint, the keys and the policies of deliveries.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// The URL and path that receive deliveries.
    pub endpoint: PartnerEndpoint,
    /// The private key that signs deliveries.
    pub key: PrivateKey,
    /// The key to retry with once if the partner refuses the first.
    pub second_key: Option<PrivateKey>,
    /// The policy for a delivery with an unknown outcome.
    pub on_unknown: OnUnknown,
    /// Whether a 5xx means that the payload was not stored.
    pub server_errors: ServerErrors,
    /// Time limit of a POST, in milliseconds.
    pub post_ms: i64,
    /// Maximum number of lines per second of everything that is sent; `None` for no limit.
    pub lines_per_second: Option<u64>,
}

impl DeliverySettings {
    /// Returns a name for the endpoint and the keys in stored rows, which does not reveal them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        PrivateKey::fingerprint(&self.endpoint, [Some(&self.key), self.second_key.as_ref()].into_iter().flatten())
    }

    /// Returns the duration of a claim, in milliseconds.
    #[must_use]
    pub const fn lease_ms(&self) -> i64 {
        lease_ms(self.post_ms)
    }
}

/// Reads the settings of deliveries. `None` if they are off or the reader has an error; every setting is read in any
/// case, so that every error is reported.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<DeliverySettings> {
    let on_unknown = reader.read(&ON_UNKNOWN, |name| one_of(name, OnUnknown::ALL, OnUnknown::name));
    let server_errors = reader.read(&SERVER_ERRORS, |name| one_of(name, ServerErrors::ALL, ServerErrors::name));
    let post_ms = reader.read(&TIMEOUT, post_ms);
    let lines_per_second = reader.read(&LINES_PER_SECOND, lines_per_second);
    let allow = |allow| if allow { "allow" } else { "refuse" };
    let allow_http = reader.read(&PLAIN_HTTP, |name| one_of(name, &[false, true], allow));
    let together = [ENDPOINT, URI, KEY];
    let (given, missing): (Vec<_>, Vec<_>) = together.iter().partition(|setting| reader.given(setting).is_some());
    if !given.is_empty() {
        for setting in missing {
            reader.missing(setting, &together);
        }
    }
    let endpoint = endpoint(reader, allow_http != Some(false));
    let key = reader.read(&KEY, private_key);
    let second_key = reader.read(&SECOND_KEY, private_key);
    let (on_unknown, server_errors, post_ms) = (on_unknown?, server_errors?, post_ms?);
    let (endpoint, key) = (endpoint?, key?);
    Some(DeliverySettings { endpoint, key, second_key, on_unknown, server_errors, post_ms, lines_per_second })
}

/// Reads the endpoint. Address and path are each checked with a valid counterpart, so that errors in both are reported.
fn endpoint<G: Fn(&str) -> Option<String>>(
    reader: &mut SettingsReader<G>,
    allow_http: bool,
) -> Option<PartnerEndpoint> {
    let checked = |endpoint: &str, uri: &str| {
        PartnerEndpoint::new(endpoint, uri, allow_http).map_err(|error| match error {
            EndpointError::Scheme if endpoint.to_ascii_lowercase().starts_with("http://") => {
                format!(
                    "begins with http://, which would send log lines unencrypted; use https://, or set {}=allow",
                    PLAIN_HTTP.name
                )
            }
            error => not_valid(error),
        })
    };
    let endpoint = reader.read(&ENDPOINT, |endpoint| checked(endpoint, "/").map(|_| endpoint.to_owned()));
    let uri = reader.read(&URI, |uri| checked("https://localhost", uri).map(|_| uri.to_owned()))?;
    let endpoint = endpoint?;
    reader.read(&URI, |_| checked(&endpoint, &uri))
}

/// Parses the time limit of a POST into milliseconds.
fn post_ms(text: &str) -> Result<i64, String> {
    let (least, most) = POST_S;
    let seconds = whole(text).filter(|seconds: &u32| (least..=most).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("must be a whole number of seconds from {least} to {most}"))?;
    Ok(i64::from(seconds) * 1_000)
}

/// Parses the maximum rate.
fn lines_per_second(text: &str) -> Result<u64, String> {
    let (least, most) = RATES;
    let rate = whole(text).filter(|rate| (least..=most).contains(rate));
    rate.ok_or_else(|| {
        format!("must be a whole number of lines from {least} to {most}; remove it to send without a limit")
    })
}

fn private_key(text: &str) -> Result<PrivateKey, String> {
    PrivateKey::new(text).map_err(not_valid)
}

#[cfg(test)]
mod tests {
    use crate::bucket_keys::LogPrefixes;
    use crate::config::{Config, ConfigFault};

    /// Reads a deployment with a token and these settings.
    fn read(set: &[(&str, &str)]) -> Result<Config, Vec<ConfigFault>> {
        Config::read(|name| {
            let found = set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            found.or_else(|| (name == "API_TOKEN_SHA256").then(|| "5a".repeat(32)))
        })
    }

    /// Returns the faults that stop delivery alone, which show none of its values.
    fn faults(set: &[(&str, &str)]) -> Vec<String> {
        let config = read(set).unwrap_or_else(|faults| panic!("everything stops: {faults:?}"));
        let words = ConfigFault::words(&config.delivery_faults);
        assert!(!words.contains("hunter2"), "{words}");
        config.delivery_faults.iter().map(ToString::to_string).collect()
    }

    /// A deployment that delivers, with one setting more.
    fn delivering(set: (&str, &str)) -> Result<Config, Vec<ConfigFault>> {
        let partner = [("PARTNER_ENDPOINT", "https://a.example"), ("PARTNER_URI", "/"), ("PARTNER_PRIVATE_KEY", "k")];
        let others = partner.into_iter().filter(|(name, _)| *name != set.0);
        read(&others.chain([set]).collect::<Vec<_>>())
    }

    #[test]
    fn fault_of_delivery_stops_delivery_alone() {
        for (name, value, words) in [
            (
                "PARTNER_ENDPOINT",
                "http://a.example",
                "PARTNER_ENDPOINT begins with http://, which would send log lines unencrypted; use https://, or set PARTNER_PLAIN_HTTP=allow",
            ),
            ("PARTNER_ENDPOINT", "", "PARTNER_ENDPOINT is not set"),
            (
                "PARTNER_URI",
                "edge",
                "PARTNER_URI is not valid: the URI must be a path that begins with one slash and does not need percent-encoding or contain . or .. segments",
            ),
            ("PARTNER_ON_UNKNOWN", "retry", "PARTNER_ON_UNKNOWN must be one of resend, park"),
            ("PARTNER_SERVER_ERRORS", "x", "PARTNER_SERVER_ERRORS must be one of not_stored, unknown"),
            (
                "PARTNER_LINES_PER_SECOND",
                "0",
                "PARTNER_LINES_PER_SECOND must be a whole number of lines from 1 to 1000000; remove it to send without a limit",
            ),
            ("PARTNER_SUBREQUESTS", "no", "PARTNER_SUBREQUESTS must be one of include, exclude"),
            ("PARTNER_EDGE_RECORDS", "yes", "PARTNER_EDGE_RECORDS must be one of exclude, include"),
            ("PARTNER_DUPLICATES", "drop", "PARTNER_DUPLICATES must be one of hold, send"),
            ("PARTNER_PLAIN_HTTP", "yes", "PARTNER_PLAIN_HTTP must be one of refuse, allow"),
            (
                "PARTNER_TENANT",
                "a\u{1}b",
                "PARTNER_TENANT is not valid: the tenant must not be empty or contain control characters; use - for no tenant",
            ),
            (
                "PARTNER_UNKNOWN_COUNTRY",
                "China",
                "PARTNER_UNKNOWN_COUNTRY is not valid: the country must be two uppercase letters, such as CN",
            ),
            (
                "PARTNER_FORMAT_VERSION",
                "v 3",
                "PARTNER_FORMAT_VERSION is not valid: the version must have 1 to 64 visible ASCII characters, such as cs_vod_v3.0",
            ),
            ("BATCH_SIZE", "10001", "BATCH_SIZE must be a whole number from 1 to 10000"),
            (
                "PUSH_START_TIME",
                "soon",
                "PUSH_START_TIME must be a time such as 2026-03-28T16:42:25+08:00, 2026-03-28T08:42Z or 2026-03-28 (UTC), or Unix seconds, milliseconds, microseconds or nanoseconds",
            ),
        ] {
            let config = delivering((name, value)).unwrap_or_else(|_| panic!("{name}: everything stops"));
            let faults: Vec<String> = config.delivery_faults.iter().map(ToString::to_string).collect();
            assert_eq!(faults, [words], "{name}");
            assert!(config.delivery.is_none(), "{name}: nothing is sent");
            assert_eq!((config.bucket_name.as_str(), config.access.tokens.len()), ("cdn-logs-raw", 1), "{name}");
        }
        let fine = delivering(("PARTNER_FORMAT_VERSION", "cf_vod_v3.0")).ok().unwrap();
        assert!(fine.delivery.is_some() && fine.delivery_faults.is_empty());
        assert_eq!(&*fine.partner.version, "cf_vod_v3.0");
    }

    #[test]
    fn rate_is_limited_only_if_it_is_set() {
        let rate = |value| delivering(("PARTNER_LINES_PER_SECOND", value)).ok()?.delivery?.lines_per_second;
        assert_eq!([rate("1"), rate(" 1000000 "), rate("")], [Some(1), Some(1_000_000), None]);
        for value in ["0", "1000001", "-1", "1e3", "1000/s", "10.5"] {
            assert_eq!(faults(&[("PARTNER_LINES_PER_SECOND", value)]).len(), 1, "{value}");
        }
    }

    #[test]
    fn names_of_the_predecessor_are_read_and_repeated() {
        let partner =
            [("CTYUN_ENDPOINT", "https://a.example"), ("CTYUN_URI_EDGE", "/edge"), ("CTYUN_PRIVATE_KEY", "k")];
        let others = [("R2_BUCKET_NAME", "example-com"), ("RAW_LOG_PREFIX", "raw/")];
        let config = read(&[&partner[..], &others].concat()).ok().unwrap();
        assert_eq!(config.delivery.unwrap().endpoint.url("k"), "https://a.example/edge?auth_key=k");
        assert_eq!((config.bucket_name.as_str(), config.log_prefix), ("example-com", LogPrefixes::one("raw/")));
        assert_eq!(faults(&partner[..2]), ["CTYUN_PRIVATE_KEY is not set"]);
        let plain = [("CTYUN_ENDPOINT", "http://hunter2.example"), partner[1], partner[2]];
        let words = "CTYUN_ENDPOINT begins with http://, which would send log lines unencrypted; use https://, or set \
                     PARTNER_PLAIN_HTTP=allow";
        assert_eq!(faults(&plain), [words]);
        let both = [("PARTNER_ENDPOINT", "https://b.example"), partner[0], partner[1], partner[2]];
        let config = read(&both).ok().unwrap();
        assert_eq!(
            config.delivery.unwrap().endpoint.url("k"),
            "https://b.example/edge?auth_key=k",
            "its own name counts"
        );
    }
}
