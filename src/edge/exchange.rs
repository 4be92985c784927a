//! What the platform saw of one request and its response.
//!
//! # Invariants
//! Nothing here fails because of what a client sent: a header or a figure of an unexpected form is absent.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::record::RayId;
use crate::record::fields::line_text;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassOutcome {
    /// The response was passed on to its end.
    Completed,
    /// The client went away before the end.
    ClientGone,
    /// The origin gave no response.
    OriginFailed,
    /// The origin broke the body of its response off.
    OriginBroke,
    /// The connection became a WebSocket; how long that lasted is not recorded.
    Upgraded,
}

impl PassOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::ClientGone, Self::OriginFailed, Self::OriginBroke, Self::Upgraded];

    /// Returns the name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::OriginFailed => "origin_failed",
            Self::OriginBroke => "origin_broke",
            Self::Upgraded => "upgraded",
        }
    }
}

/// One request with its response, as the shell describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeExchange {
    /// The method of the request.
    pub method: String,
    /// The URL of the request.
    pub url: String,
    /// Names and values of the request's headers, by turns, with line feeds between them: no header contains one.
    pub headers: String,
    /// What the platform knows of the client (`request.cf`); empty locally.
    #[serde(default)]
    pub cf: Option<Map<String, Value>>,
    /// When the request arrived, in Unix milliseconds.
    pub start_ms: i64,
    /// When the head of the response arrived; absent if there was none.
    pub headers_ms: Option<i64>,
    /// When the body of the response ended.
    pub end_ms: i64,
    /// The status of the response.
    pub status: Option<u16>,
    /// The content type of the response.
    pub response_type: Option<String>,
    /// Number of bytes of the response's body that the client took.
    pub response_bytes: u64,
    /// How the request ended.
    pub outcome: PassOutcome,
    /// Number of bytes of the request's body, where a payload was kept.
    pub payload_bytes: Option<u64>,
}

impl EdgeExchange {
    /// Parses the shell's description; `None` if it is not in this form.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        // A half surrogate pair is an escape here, which no text can represent.
        serde_json::from_str(&line_text(description.as_bytes())).ok()
    }

    /// Returns the value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header_in(&self.headers, name)
    }

    /// Returns the ray that the platform gave the request.
    #[must_use]
    pub fn ray(&self) -> Option<RayId> {
        ray_in(&self.headers)
    }

    /// Returns the data centre: the platform's, or that of the ray.
    #[must_use]
    pub fn colo(&self) -> Option<&str> {
        self.cf_text("colo").or_else(|| Some(self.header("cf-ray")?.split_once('-')?.1))
    }

    /// Returns a text that the platform knows of the client.
    #[must_use]
    pub fn cf_text(&self, name: &str) -> Option<&str> {
        self.cf.as_ref()?.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Returns a whole number that the platform knows of the client.
    #[must_use]
    pub fn cf_number(&self, name: &str) -> Option<u64> {
        self.cf.as_ref()?.get(name)?.as_u64()
    }
}

/// Returns the host and the path of a URL, without scheme and query: what a route is compared with.
pub(super) fn route_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['?', '#']).next().unwrap_or_default()
}

/// Returns the value of a header among names and values by turns, by its name in lower case.
pub(super) fn header_in<'h>(headers: &'h str, name: &str) -> Option<&'h str> {
    let mut parts = headers.split('\n');
    while let (Some(found), Some(value)) = (parts.next(), parts.next()) {
        if found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
    }
    None
}

/// Returns the ray that the platform gave a request with these headers.
pub(super) fn ray_in(headers: &str) -> Option<RayId> {
    let header = header_in(headers, "cf-ray")?;
    RayId::from_hex(header.split_once('-').map_or(header, |(ray, _)| ray).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{EdgeExchange, PassOutcome};

    fn exchange(headers: &str, cf: &str) -> EdgeExchange {
        let description = format!(
            r#"{{"method":"GET","url":"https://a.example/","headers":{},"cf":{cf},"startMs":1,"headersMs":2,"endMs":3,
            "status":200,"responseType":null,"responseBytes":0,"outcome":"completed"}}"#,
            serde_json::to_string(headers).unwrap()
        );
        EdgeExchange::parse(&description).unwrap()
    }

    #[test]
    fn outcomes_have_one_name_each() {
        for outcome in PassOutcome::ALL {
            let read: PassOutcome = serde_json::from_value(outcome.name().into()).unwrap();
            assert_eq!(read, outcome);
        }
    }

    #[test]
    fn ray_and_data_centre_come_from_the_platform() {
        let found = exchange("cf-ray\n9efa0d09391dabcb-HKG\naccept\n*/*", "{}");
        assert_eq!(found.ray().unwrap().bits(), 0x9efa_0d09_391d_abcb);
        assert_eq!((found.colo(), found.header("accept"), found.header("*/*")), (Some("HKG"), Some("*/*"), None));
        assert_eq!(exchange("cf-ray\n9efa0d09391dabcb-HKG", r#"{"colo":"FRA"}"#).colo(), Some("FRA"));
        for odd in ["cf-ray\nxyz", "cf-ray\n9efa0d09391dabcb0", "cf-ray", ""] {
            assert_eq!(exchange(odd, "null").ray(), None, "{odd}");
        }
    }

    #[test]
    fn figures_of_odd_types_are_absent() {
        let found = exchange("", r#"{"asn":"13335","country":7,"city":"","clientTcpRtt":12,"region":"\ud800"}"#);
        assert_eq!((found.cf_number("asn"), found.cf_text("country"), found.cf_text("city")), (None, None, None));
        assert_eq!((found.cf_number("clientTcpRtt"), found.cf_text("region")), (Some(12), Some("\u{fffd}")));
    }
}
