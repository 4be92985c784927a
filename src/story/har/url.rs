//! The URL of a request, and the parameters of its query.
//!
//! # Invariants
//! A URL is one by RFC 3986, whatever the record says: what it does not allow is percent-encoded, a mask's brackets too.
//! It is written piece by piece.

use std::borrow::Cow;
use std::fmt::{self, Write};

use percent_encoding::percent_decode_str;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::headers::NameValue;
use super::reader::HarRecord;

/// The host of a request whose record has none: a name that RFC 2606 keeps from ever being used.
const NO_HOST: &str = "unknown.invalid";

/// The URL that a record says was requested.
pub(super) struct HarUrl<'a> {
    scheme: &'static str,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
}

impl<'a> HarUrl<'a> {
    /// The URL of a record.
    pub(super) fn new(record: &HarRecord<'a>) -> Self {
        let is_secure = match record.text("ClientRequestScheme") {
            Some(scheme) => scheme.eq_ignore_ascii_case("https"),
            None => record.text("ClientSSLProtocol").is_some_and(|protocol| !protocol.eq_ignore_ascii_case("none")),
        };
        Self {
            scheme: if is_secure { "https" } else { "http" },
            host: record.text("ClientRequestHost").unwrap_or(Cow::Borrowed(NO_HOST)),
            path: record.text("ClientRequestURI").unwrap_or(Cow::Borrowed("/")),
        }
    }

    /// The parameters of the query.
    pub(super) fn query(&self) -> QueryParameters<'_> {
        QueryParameters(self.path.split_once('?').map_or("", |(_, query)| query))
    }
}

impl fmt::Display for HarUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        // A literal address of IPv6 has brackets, which are allowed here alone.
        let is_literal = self.host.starts_with('[') && url_literal_end(&self.host).is_some();
        if is_literal {
            f.write_str(&self.host)?;
        } else {
            push_encoded(f, &self.host, is_host_sign)?;
        }
        f.write_str(if self.path.starts_with('/') { "" } else { "/" })?;
        push_encoded(f, &self.path, is_path_sign)
    }
}

impl Serialize for HarUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the rest after an address of IPv6 in brackets, if that is a port or nothing.
fn url_literal_end(host: &str) -> Option<&str> {
    let (address, rest) = host.strip_prefix('[')?.split_once(']')?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    let is_port = rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    (rest.is_empty() || is_port).then_some(rest)
}

fn is_host_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte)
}

fn is_path_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte)
}

/// Writes a text, percent-encoded but for these signs and for what is encoded already.
fn push_encoded(f: &mut fmt::Formatter<'_>, text: &str, is_plain: fn(u8) -> bool) -> fmt::Result {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_escape =
            *byte == b'%' && bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if is_escape || is_plain(*byte) { f.write_char(char::from(*byte))? } else { write!(f, "%{byte:02X}")? }
    }
    Ok(())
}

/// The parameters of a query, decoded as a form's: `+` is a space.
pub(super) struct QueryParameters<'a>(&'a str);

impl Serialize for QueryParameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for pair in self.0.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let [name, value] = [name, value].map(decoded);
            list.serialize_element(&NameValue { name: &name, value: &value })?;
        }
        list.end()
    }
}

/// Returns a name or a value as it was before it was encoded.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::HarReader;
    use super::HarUrl;

    fn url(line: &str) -> (String, String) {
        let reader = HarReader::new();
        let record = reader.read(line).unwrap();
        let url = HarUrl::new(&record);
        (url.to_string(), serde_json::to_string(&url.query()).unwrap())
    }

    #[test]
    fn url_is_one_whatever_the_record_says() {
        for (line, expected) in [
            ("{}", "http://unknown.invalid/"),
            (r#"{"ClientSSLProtocol":"TLSv1.3","ClientRequestHost":"a.example"}"#, "https://a.example/"),
            (
                r#"{"ClientRequestScheme":"https","ClientRequestHost":"a.example:8443","ClientRequestURI":"/a b?c=[masked]#d"}"#,
                "https://a.example:8443/a%20b?c=%5Bmasked%5D%23d",
            ),
            (r#"{"ClientRequestHost":"[::1]:80","ClientRequestURI":"*"}"#, "http://[::1]:80/*"),
            (r#"{"ClientRequestHost":"[masked]","ClientRequestURI":"/%4"}"#, "http://%5Bmasked%5D/%254"),
            (r#"{"ClientRequestHost":"a/@b","ClientRequestURI":"/%41ü\\\""}"#, "http://a%2F%40b/%41%C3%BC%5C%22"),
            (r#"{"ClientRequestScheme":"javascript","ClientRequestURI":7}"#, "http://unknown.invalid/7"),
        ] {
            assert_eq!(url(line).0, expected, "{line}");
        }
    }

    #[test]
    fn query_is_listed_pair_by_pair() {
        let (_, query) = url(r#"{"ClientRequestURI":"/a?b=1+2&&c&d=%C3%BC%ff=x&token=[masked]"}"#);
        let value = |value: &str| format!(r#""value":"{value}"}}"#);
        let expected = [("b", "1 2"), ("c", ""), ("d", "ü\u{fffd}=x"), ("token", "[masked]")];
        let expected = expected.map(|(name, of)| format!(r#"{{"name":"{name}",{}"#, value(of))).join(",");
        assert_eq!(query, format!("[{expected}]"));
        assert_eq!(url(r#"{"ClientRequestURI":"/a"}"#).1, "[]");
    }
}
