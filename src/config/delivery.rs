//! The settings of sending: where to, signed by what, and what follows an answer that leaves things open.
//!
//! What always holds: address, path and key are set together or not at all, and without them nothing is sent; no
//! secret is part of a fault.

use super::reader::{Reader, not_valid, one_of};
use super::settings::{ENDPOINT, KEY, ON_UNKNOWN, PLAIN_HTTP, SECOND_KEY, SERVER_ERRORS, URI};
use crate::partner::{Endpoint, OnUnknown, PrivateKey, ServerErrors};

/// What sending needs.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// Where deliveries go.
    pub endpoint: Endpoint,
    /// What signs them.
    pub key: PrivateKey,
    /// What is tried once where the first key is refused.
    pub second_key: Option<PrivateKey>,
    /// What follows when nobody knows whether a delivery was stored.
    pub on_unknown: OnUnknown,
    /// What a 5xx means.
    pub server_errors: ServerErrors,
}

/// The settings of sending. `None` where it is off, or where the reader has noted a fault; every setting is read
/// all the same, so that all faults are named.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut Reader<G>) -> Option<DeliverySettings> {
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

/// The address. Each half is tried beside another that is right, so that faults of both are named.
fn endpoint<G: Fn(&str) -> Option<String>>(reader: &mut Reader<G>, allow_http: bool) -> Option<Endpoint> {
    let checked = |endpoint: &str, uri: &str| Endpoint::new(endpoint, uri, allow_http).map_err(not_valid);
    let endpoint = reader.read(&ENDPOINT, |endpoint| checked(endpoint, "/").map(|_| endpoint.to_owned()));
    let uri = reader.read(&URI, |uri| checked("https://localhost", uri).map(|_| uri.to_owned()))?;
    let endpoint = endpoint?;
    reader.read(&URI, |_| checked(&endpoint, &uri))
}

fn private_key(text: &str) -> Result<PrivateKey, String> {
    PrivateKey::new(text).map_err(not_valid)
}
