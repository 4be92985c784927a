//! The settings of deliveries: endpoint, keys, and the policy for unknown outcomes.
//!
//! # Invariants
//! Address, path and key are set together or not at all; without them nothing is sent. No error contains a secret.

use super::reader::{SettingsReader, not_valid, one_of};
use super::settings::{ENDPOINT, KEY, ON_UNKNOWN, PLAIN_HTTP, SECOND_KEY, SERVER_ERRORS, URI};
use crate::partner::{OnUnknown, PartnerEndpoint, PrivateKey, ServerErrors};

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
}

/// Reads the settings of deliveries. `None` if they are off or the reader has an error; every setting is read in any
/// case, so that every error is reported.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<DeliverySettings> {
    let on_unknown = reader.read(&ON_UNKNOWN, |name| one_of(name, OnUnknown::ALL, OnUnknown::name));
    let server_errors = reader.read(&SERVER_ERRORS, |name| one_of(name, ServerErrors::ALL, ServerErrors::name));
    let allow = |allow| if allow { "allow" } else { "refuse" };
    let allow_http = reader.read(&PLAIN_HTTP, |name| one_of(name, &[false, true], allow));
    let together = [ENDPOINT, URI, KEY];
    let (given, missing): (Vec<_>, Vec<_>) = together.iter().partition(|setting| reader.given(setting).is_some());
    if !given.is_empty() {
        for setting in missing {
            reader.missing(setting);
        }
    }
    let endpoint = endpoint(reader, allow_http != Some(false));
    let key = reader.read(&KEY, private_key);
    let second_key = reader.read(&SECOND_KEY, private_key);
    let (on_unknown, server_errors) = (on_unknown?, server_errors?);
    Some(DeliverySettings { endpoint: endpoint?, key: key?, second_key, on_unknown, server_errors })
}

/// Reads the endpoint. Address and path are each checked with a valid counterpart, so that errors in both are reported.
fn endpoint<G: Fn(&str) -> Option<String>>(
    reader: &mut SettingsReader<G>,
    allow_http: bool,
) -> Option<PartnerEndpoint> {
    let checked = |endpoint: &str, uri: &str| PartnerEndpoint::new(endpoint, uri, allow_http).map_err(not_valid);
    let endpoint = reader.read(&ENDPOINT, |endpoint| checked(endpoint, "/").map(|_| endpoint.to_owned()));
    let uri = reader.read(&URI, |uri| checked("https://localhost", uri).map(|_| uri.to_owned()))?;
    let endpoint = endpoint?;
    reader.read(&URI, |_| checked(&endpoint, &uri))
}

fn private_key(text: &str) -> Result<PrivateKey, String> {
    PrivateKey::new(text).map_err(not_valid)
}
