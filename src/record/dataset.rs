//! The Logpush datasets that raydex understands, and where each keeps its ray and its time.
//!
//! # Invariants
//!
//! A dataset's name is spelled here and nowhere else. It is a part of stored names (shards, batches), so it never
//! changes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Logpush dataset that raydex indexes, by the name of its folder, which is its name in JSON too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dataset {
    /// One record for each HTTP request, subrequests included.
    HttpRequests,
    /// One record for each firewall rule that a request matched.
    FirewallEvents,
    /// One record for each invocation of a Worker.
    WorkersTraceEvents,
}

impl Dataset {
    /// All of them, in the order in which answers list them.
    pub const ALL: [Self; 3] = [Self::HttpRequests, Self::FirewallEvents, Self::WorkersTraceEvents];

    /// The name that Cloudflare uses in its API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpRequests => "http_requests",
            Self::FirewallEvents => "firewall_events",
            Self::WorkersTraceEvents => "workers_trace_events",
        }
    }

    /// The dataset of that name, if raydex knows it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dataset| dataset.name() == name)
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Dataset;

    #[test]
    fn dataset_is_found_by_its_own_name_only() {
        for dataset in Dataset::ALL {
            assert_eq!(Dataset::from_name(dataset.name()), Some(dataset));
            assert_eq!(serde_json::to_value(dataset).unwrap(), dataset.name());
        }
        assert_eq!(Dataset::from_name("dns_logs"), None);
        assert_eq!(Dataset::from_name("HTTP_REQUESTS"), None);
    }
}
