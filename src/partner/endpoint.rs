//! The address of deliveries: the partner's endpoint and the path after it, checked once and afterwards only printed.
//!
//! URL parsers are lenient: they drop tabs, turn `\` into `/`, resolve `..`, decode hosts. So the parsed address is
//! compared with the original, and refused if it does not mean what it says.
//!
//! # Invariants
//!
//! The scheme, host and port of a request are those of the endpoint, whatever the path says. The signed path is the end
//! of the path that is sent, byte for byte. Only [`PartnerEndpoint::url`] prints an address.

use std::fmt;

use sha2::{Digest, Sha256};
use url::Url;

/// The reason why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is not an address: it lacks a scheme or host, or has characters that addresses cannot have.
    #[error("the endpoint must be an address such as https://logs.example.com")]
    NotAnAddress,
    /// It is not HTTPS, and plain HTTP is not allowed.
    #[error("the endpoint must begin with https://")]
    Scheme,
    /// It contains a user or a password.
    #[error("the endpoint must not contain a user name or a password")]
    UserInfo,
    /// The host or port is not in its normalised spelling.
    #[error("the endpoint's host and port must be in canonical form")]
    Host,
    /// Nothing can listen on port 0.
    #[error("the endpoint's port must not be 0")]
    Port,
    /// Its path is followed by a query or fragment.
    #[error("the endpoint must not contain a query or a fragment")]
    Query,
    /// Its path would not be sent as written.
    #[error("the endpoint's path must not need percent-encoding or contain . or .. segments")]
    Path,
    /// The URI is not a path that would be sent as written.
    #[error(
        "the URI must be a path that begins with one slash and does not need percent-encoding or contain . or .. segments"
    )]
    Uri,
}

/// The address of the partner's receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct PartnerEndpoint {
    /// Scheme, host, port and complete path.
    address: Box<str>,
    /// The end of the path, which the signature covers.
    uri: Box<str>,
}

impl PartnerEndpoint {
    /// Creates the address of `uri` at `endpoint`; the endpoint's own path precedes the URI and is not signed.
    ///
    /// # Errors
    /// [`EndpointError`] names the fault, and repeats no part of the address.
    pub fn new(endpoint: &str, uri: &str, allow_http: bool) -> Result<Self, EndpointError> {
        let base = base(endpoint, allow_http)?;
        if !is_plain_path(uri) {
            return Err(EndpointError::Uri);
        }
        let path = format!("{}{uri}", base.path().trim_end_matches('/'));
        let address = format!("{}{path}", base.origin().ascii_serialization());
        let joined = Url::parse(&address).map_err(|_| EndpointError::Uri)?;
        let unchanged = joined.origin() == base.origin() && joined.path() == path && joined.as_str() == address;
        if unchanged { Ok(Self { address: address.into(), uri: uri.into() }) } else { Err(EndpointError::Uri) }
    }

    /// Returns the URL of a request signed with `auth_key`.
    #[must_use]
    pub fn url(&self, auth_key: &str) -> String {
        format!("{}?auth_key={auth_key}", self.address)
    }

    /// Returns the URL of the host's root, which needs no signature.
    #[must_use]
    pub fn root(&self) -> String {
        let path_from = self.address.find("://").map_or(0, |scheme| scheme + 3);
        let host_end = self.address.get(path_from..).and_then(|rest| rest.find('/')).map_or(0, |at| path_from + at);
        format!("{}/", self.address.get(..host_end).unwrap_or_default())
    }

    /// Returns the signed path.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns a name for the address in logs and stored rows: 16 hexadecimal digits that do not reveal it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut digits = hex::encode(Sha256::digest(self.address.as_bytes()));
        digits.truncate(16);
        digits
    }
}

impl fmt::Debug for PartnerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.fingerprint())
    }
}

/// Parses the endpoint, and checks that it means what it says.
fn base(endpoint: &str, allow_http: bool) -> Result<Url, EndpointError> {
    let (scheme, rest) = endpoint.split_once("://").ok_or(EndpointError::NotAnAddress)?;
    if !(scheme.eq_ignore_ascii_case("https") || allow_http && scheme.eq_ignore_ascii_case("http")) {
        return Err(EndpointError::Scheme);
    }
    if rest.contains(['?', '#']) {
        return Err(EndpointError::Query);
    }
    let (authority, path) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, "/"));
    if authority.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    if authority.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EndpointError::NotAnAddress);
    }
    if !is_plain_path(path) {
        return Err(EndpointError::Path);
    }
    let url = Url::parse(endpoint).map_err(|_| EndpointError::NotAnAddress)?;
    match url.port() {
        Some(0) => Err(EndpointError::Port),
        _ if !reads_as(&url, authority) => Err(EndpointError::Host),
        _ if url.path() != path => Err(EndpointError::Path),
        _ => Ok(url),
    }
}

/// Returns whether `authority` spells the host and port of `url` and nothing else: no `0x7f.1`, no `%6d`, no `:00443`.
fn reads_as(url: &Url, authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let port = |port: Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    [url.port(), url.port_or_known_default()].into_iter().any(|known| authority == format!("{host}{}", port(known)))
}

/// Returns whether `path` would be sent as written: it begins with exactly one slash, and contains neither segments
/// that a parser resolves nor characters that it encodes or that end a path.
fn is_plain_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(plain)
        && path.split('/').all(|segment| segment != "." && segment != "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};
    use proptest::sample::select;
    use url::Url;

    use super::{EndpointError, PartnerEndpoint};

    fn url(endpoint: &str, uri: &str) -> Result<String, EndpointError> {
        PartnerEndpoint::new(endpoint, uri, true).map(|endpoint| endpoint.url("K"))
    }

    #[test]
    fn the_uri_stands_behind_the_endpoint() {
        for (endpoint, uri, expected) in [
            ("https://logs.example.com", "/edge", "https://logs.example.com/edge?auth_key=K"),
            ("https://logs.example.com/", "/a/b-1.log", "https://logs.example.com/a/b-1.log?auth_key=K"),
            ("HTTPS://Logs.Example.COM:443", "/", "https://logs.example.com/?auth_key=K"),
            ("https://logs.example.com:8443/v1/", "/edge", "https://logs.example.com:8443/v1/edge?auth_key=K"),
            ("http://127.0.0.1:8790/v1", "/edge/", "http://127.0.0.1:8790/v1/edge/?auth_key=K"),
            ("https://[::1]:1", "/%41@b:c", "https://[::1]:1/%41@b:c?auth_key=K"),
        ] {
            assert_eq!(url(endpoint, uri).as_deref(), Ok(expected));
            let address = PartnerEndpoint::new(endpoint, uri, true).unwrap();
            assert_eq!(address.uri(), uri, "the uri alone is signed");
            let root = Url::parse(expected).unwrap().origin().ascii_serialization();
            assert_eq!(address.root(), format!("{root}/"));
        }
    }

    #[test]
    fn plain_http_is_taken_only_where_allowed() {
        assert!(PartnerEndpoint::new("http://logs.example.com", "/edge", true).is_ok());
        assert_eq!(PartnerEndpoint::new("http://logs.example.com", "/edge", false).err(), Some(EndpointError::Scheme));
    }

    #[test]
    fn ambiguous_endpoint_is_refused() {
        for (endpoint, error) in [
            ("", EndpointError::NotAnAddress),
            ("logs.example.com", EndpointError::NotAnAddress),
            ("https:logs.example.com", EndpointError::NotAnAddress),
            ("https://", EndpointError::NotAnAddress),
            ("https:///logs.example.com", EndpointError::NotAnAddress),
            ("https://logs.example.com/a\tb", EndpointError::NotAnAddress),
            ("https://logs.example\n.com", EndpointError::NotAnAddress),
            ("https://例え.jp", EndpointError::NotAnAddress),
            ("https://logs.example.com:99999", EndpointError::NotAnAddress),
            (" https://logs.example.com", EndpointError::Scheme),
            ("ftp://logs.example.com", EndpointError::Scheme),
            ("javascript://logs.example.com", EndpointError::Scheme),
            ("https://user@logs.example.com", EndpointError::UserInfo),
            ("https://user:password@logs.example.com", EndpointError::UserInfo),
            ("https://@logs.example.com", EndpointError::UserInfo),
            ("https://logs.example.com:0", EndpointError::Port),
            ("https://logs.example.com:00443", EndpointError::Host),
            ("https://0x7f.1", EndpointError::Host),
            ("https://logs%2eexample.com", EndpointError::Host),
            ("https://logs.example.com\\.evil.example", EndpointError::Host),
            ("https://logs.example.com?", EndpointError::Query),
            ("https://logs.example.com/#a", EndpointError::Query),
            ("https://logs.example.com/a/../b", EndpointError::Path),
            ("https://logs.example.com/a/%2e%2e/b", EndpointError::Path),
            ("https://logs.example.com//a", EndpointError::Path),
            ("https://logs.example.com/\\a", EndpointError::Path),
        ] {
            assert_eq!(url(endpoint, "/edge"), Err(error), "{endpoint:?}");
        }
    }

    #[test]
    fn uri_is_a_path_sent_as_written() {
        for uri in [
            "",
            "edge",
            "//evil.example/edge",
            "/a?b",
            "/a#b",
            "/..",
            "/../a",
            "/a/./b",
            "/%2e%2e/a",
            "/a/.%2E",
            "\\a",
            "/\\evil.example",
            "/a b",
            "/a\tb",
            "/a\n",
            "/é",
            "/a<b",
            "/a\"b",
            "/a{b",
            "/a^b",
            "/a|b",
            "@evil.example/",
            ":1/",
            ".evil.example/",
        ] {
            assert_eq!(url("https://logs.example.com", uri), Err(EndpointError::Uri), "{uri:?}");
        }
    }

    #[test]
    fn only_the_fingerprint_prints() {
        let endpoint = PartnerEndpoint::new("https://logs.example.com", "/hunter2", false).unwrap();
        // printf %s https://logs.example.com/hunter2 | sha256sum
        assert_eq!(format!("{endpoint:?}"), "Endpoint(a92c2bbe2dddf2e3)");
        let other = PartnerEndpoint::new("https://logs.example.com", "/hunter3", false).unwrap();
        assert_ne!(endpoint.fingerprint(), other.fingerprint());
    }

    proptest! {
        #[test]
        fn no_uri_leads_to_another_host(
            base in select(vec!["https://a.example", "https://a.example:8443/v1", "http://[::1]:1/"]),
            uri in "/?[/.%2eE\\\\@:a?# \\PC]{0,12}",
        ) {
            if let Ok(endpoint) = PartnerEndpoint::new(base, &uri, true) {
                let (sent, base) = (Url::parse(&endpoint.url("k")).unwrap(), Url::parse(base).unwrap());
                prop_assert!(sent.origin() == base.origin());
                prop_assert!(sent.path().ends_with(&uri) && sent.query() == Some("auth_key=k"));
            }
        }

        #[test]
        fn no_endpoint_panics(endpoint in ".*", uri in ".*", allow_http in any::<bool>()) {
            let _endpoint = PartnerEndpoint::new(&endpoint, &uri, allow_http);
        }
    }
}
