//! The timings of an entry, in milliseconds with as many decimals as the record has.

use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::{Phase, Phases, milliseconds};

/// A number of nanoseconds, written as milliseconds; `None` is -1, which says that it does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HarMilliseconds(Option<i64>);

impl Serialize for HarMilliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.map_or_else(|| "-1".to_owned(), milliseconds);
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The timings that the format knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct HarTimings {
    blocked: HarMilliseconds,
    dns: HarMilliseconds,
    connect: HarMilliseconds,
    ssl: HarMilliseconds,
    send: HarMilliseconds,
    wait: HarMilliseconds,
    receive: HarMilliseconds,
}

impl HarTimings {
    /// Makes them from phases. The edge's own time is a part of `wait`: the client waited for it.
    pub(super) fn new(phases: &Phases) -> Self {
        let lasted = |phase| phases.lasted_ns(phase).unwrap_or_default();
        // A step that took no time did not happen: the connection was open already, or the origin was not asked.
        let step = |ns: i64| HarMilliseconds(Some(ns).filter(|ns| *ns > 0));
        let always = |ns: i64| HarMilliseconds(Some(ns));
        Self {
            blocked: HarMilliseconds(None),
            dns: step(lasted(Phase::Dns)),
            connect: step(lasted(Phase::Tcp) + lasted(Phase::Tls)),
            ssl: step(lasted(Phase::Tls)),
            send: always(lasted(Phase::Send)),
            wait: always(lasted(Phase::Edge) + lasted(Phase::Wait)),
            receive: always(lasted(Phase::Receive)),
        }
    }

    /// Returns the time of the entry: the sum of its timings.
    pub(super) fn time(&self) -> HarMilliseconds {
        let parts = [self.blocked, self.dns, self.connect, self.send, self.wait, self.receive];
        HarMilliseconds(Some(parts.into_iter().filter_map(|part| part.0).sum()))
    }
}

/// The phases by their own names, which the timings join.
pub(super) struct HarPhases(pub(super) Phases);

impl Serialize for HarPhases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut phases = serializer.serialize_map(None)?;
        for span in self.0.spans() {
            phases.serialize_entry(span.phase.name(), &HarMilliseconds(Some(span.lasted_ns)))?;
        }
        phases.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::super::Phases;
    use super::HarTimings;

    proptest! {
        #[test]
        fn timings_add_up_as_the_format_wants(ms in proptest::collection::vec(0_u32..500, 7), decimals in 0_u32..1_000) {
            let names = [
                "OriginDNSResponseTimeMs", "OriginTCPHandshakeDurationMs", "OriginTLSHandshakeDurationMs",
                "OriginRequestHeaderSendDurationMs", "OriginResponseHeaderReceiveDurationMs", "EdgeTimeToFirstByteMs",
            ];
            let texts: Vec<String> = ms.iter().map(|ms| format!("{ms}.{decimals:03}")).collect();
            let begin = 1_774_687_345_000_000_001;
            let [start, end] = [begin, begin + u64::from(ms[6]) * 1_000_000].map(|ns| ns.to_string());
            let phases = Phases::from_record(|name| match name {
                "EdgeStartTimestamp" => Some(&start),
                "EdgeEndTimestamp" => Some(&end),
                name => names.iter().position(|known| *known == name).map(|place| &texts[place]),
            }.map(String::as_str));
            let timings = HarTimings::new(&phases);
            let json = serde_json::to_value(timings).unwrap();
            let number = |name: &str| json[name].as_f64().unwrap();
            let parts = ["blocked", "dns", "connect", "send", "wait", "receive"].map(number);
            let sum: f64 = parts.into_iter().filter(|part| *part >= 0.0).sum();
            prop_assert!(parts.into_iter().all(|part| part >= 0.0 || part.to_bits() == (-1.0_f64).to_bits()));
            prop_assert!((sum - serde_json::to_value(timings.time()).unwrap().as_f64().unwrap()).abs() < 1e-6);
            prop_assert!(number("ssl") <= number("connect"));
            prop_assert_eq!(timings.time(), super::HarMilliseconds(Some(phases.total_ns())));
        }
    }
}
