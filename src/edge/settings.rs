//! What a deployment of the edge logger wants. `config` reads it.

use super::buffer::FlushBounds;
use super::exchange::route_of;
use super::fingerprint::FingerprintKey;
use super::redaction::RedactionRules;
use super::route::RouteRule;
use super::sink::SinkSettings;

/// What the Worker in front of a site does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EdgeMode {
    /// It passes requests on and records them.
    #[default]
    Log,
    /// It takes reports, and passes nothing on.
    Collect,
    /// It passes requests on.
    Off,
}

impl EdgeMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Log, Self::Collect, Self::Off];

    /// Returns the name in the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Collect => "collect",
            Self::Off => "off",
        }
    }
}

/// The settings of the edge logger.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeSettings {
    /// What it does.
    pub mode: EdgeMode,
    /// The name of the bucket that batches go to.
    pub bucket_name: String,
    /// The folder of the batches' folder, with its slash.
    pub folder: String,
    /// The key of the fingerprints of tokens; `None` for none.
    pub fingerprint_key: Option<FingerprintKey>,
    /// The rules by route; the first that matches holds.
    pub routes: Vec<RouteRule>,
    /// The names of the request headers that are recorded, in lower case.
    pub headers: Vec<String>,
    /// What is redacted.
    pub redaction: RedactionRules,
    /// When a batch is closed.
    pub flush: FlushBounds,
    /// Where batches go.
    pub sinks: SinkSettings,
}

impl EdgeSettings {
    /// Returns the rule of a URL; `None` where none of the rules is.
    #[must_use]
    pub fn route(&self, url: &str) -> Option<&RouteRule> {
        let address = route_of(url);
        self.routes.iter().find(|rule| rule.matches(address))
    }

    /// Returns how many bytes of the payload of a request are kept.
    #[must_use]
    pub fn payload_bytes(&self, url: &str, content_type: &str) -> usize {
        if self.mode != EdgeMode::Log {
            return 0;
        }
        self.route(url).map_or(0, |rule| rule.payload_bytes(content_type))
    }
}
