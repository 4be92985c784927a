//! How the time of one request divides: what the edge did itself, each step on the way to the origin, and the response.
//!
//! # Invariants
//! A step that the record measures is as long as it says. The steps follow each other without a gap, and add up to
//! [`Phases::total_ns`] exactly. What the record does not say has no step, rather than one without length.

use super::TimingUnit;

/// The longest duration that counts, in nanoseconds: 18 years, so that the sum of all phases is a number.
const LONGEST_NS: i64 = i64::MAX / 16;
/// The nanoseconds of a second.
const SECOND_NS: i64 = 1_000_000_000;

/// A step of a request, in the order in which they follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// What the edge took until the first byte of its response, without the origin: rules, Workers, caches, routes.
    Edge,
    /// The origin's name was resolved.
    Dns,
    /// A connection to the origin was opened.
    Tcp,
    /// The connection to the origin was encrypted.
    Tls,
    /// The request's headers were sent to the origin.
    Send,
    /// The origin was waited for, until its headers had arrived.
    Wait,
    /// The rest of the response was sent to the client.
    Receive,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [Self::Edge, Self::Dns, Self::Tcp, Self::Tls, Self::Send, Self::Wait, Self::Receive];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Receive => "receive",
        }
    }

    /// The field that measures it; `None` for what is the rest of others.
    #[must_use]
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::Edge | Self::Receive => None,
            Self::Dns => Some("OriginDNSResponseTimeMs"),
            Self::Tcp => Some("OriginTCPHandshakeDurationMs"),
            Self::Tls => Some("OriginTLSHandshakeDurationMs"),
            Self::Send => Some("OriginRequestHeaderSendDurationMs"),
            Self::Wait => Some("OriginResponseHeaderReceiveDurationMs"),
        }
    }
}

/// A phase with its place in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseSpan {
    /// The phase.
    pub phase: Phase,
    /// Nanoseconds from the start of the request until it began.
    pub after_ns: i64,
    /// Its duration in nanoseconds; 0 for a connection that was open already, or an origin that was not asked.
    pub lasted_ns: i64,
}

/// The phases of one request.
///
/// The edge's own time stands before the origin's, although a Worker may also work after it: a record does not say how it
/// divides. Where the phases that were measured are longer than the request (its clocks differ), they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    /// When the request arrived, in Unix nanoseconds.
    pub start_ns: Option<i64>,
    /// From its arrival to the end of the response as the timestamps have it, in nanoseconds; `None` where they are of whole
    /// seconds and less than two apart, which says nothing of a request.
    pub measured_ns: Option<i64>,
    lasted_ns: [Option<i64>; Phase::ALL.len()],
}

impl Phases {
    /// Reads the phases of a record of `http_requests`: `value_of` returns the JSON of a field, if the record has it.
    #[must_use]
    pub fn from_record<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Self {
        let read = |name: &str, unit: TimingUnit| value_of(name).and_then(|value| unit.nanoseconds(value));
        let duration = |name: &str, unit| read(name, unit).filter(|ns| (0..=LONGEST_NS).contains(ns));
        let instant = |name: &str| read(name, TimingUnit::Instant);
        let start_ns = instant("EdgeStartTimestamp");
        let measured_ns = start_ns.zip(instant("EdgeEndTimestamp")).and_then(|(start, end)| elapsed(start, end));
        let of_field = |phase: Phase| duration(phase.field()?, TimingUnit::Milliseconds);
        let [_, dns, tcp, tls, send, wait, _] = Phase::ALL.map(of_field);
        let before: i64 = [dns, tcp, tls, send].into_iter().flatten().sum();
        // Jobs without the time to the headers may have that of the whole response of the origin.
        let whole = || {
            duration("OriginResponseDurationMs", TimingUnit::Milliseconds)
                .or_else(|| duration("OriginResponseTime", TimingUnit::Nanoseconds))
        };
        let wait = wait.or_else(|| whole().map(|whole| (whole - before).max(0)));
        let origin = before + wait.unwrap_or_default();
        let first_byte = duration("EdgeTimeToFirstByteMs", TimingUnit::Milliseconds);
        let until_first = first_byte.or(measured_ns).map(|ns| ns.max(origin));
        let edge = until_first.map(|ns| ns - origin);
        let receive = measured_ns.zip(until_first).filter(|_| first_byte.is_some());
        let receive = receive.map(|(all, first)| (all - first).max(0));
        Self { start_ns, measured_ns, lasted_ns: [edge, dns, tcp, tls, send, wait, receive] }
    }

    /// Returns how long a phase lasted, in nanoseconds; `None` if the record does not say.
    #[must_use]
    pub fn lasted_ns(&self, phase: Phase) -> Option<i64> {
        self.lasted_ns.get(phase as usize).copied().flatten()
    }

    /// Returns the sum of all phases, in nanoseconds: 0 if the record says nothing of any.
    #[must_use]
    pub fn total_ns(&self) -> i64 {
        self.lasted_ns.iter().flatten().sum()
    }

    /// Returns the phases of which the record says something, in order.
    pub fn spans(&self) -> impl Iterator<Item = PhaseSpan> {
        let known = Phase::ALL.into_iter().zip(self.lasted_ns);
        known.filter_map(|(phase, lasted)| Some((phase, lasted?))).scan(0, |after, (phase, lasted_ns)| {
            let after_ns = *after;
            *after += lasted_ns;
            Some(PhaseSpan { phase, after_ns, lasted_ns })
        })
    }
}

/// Returns the nanoseconds between two instants, if they say how long a request took.
fn elapsed(start: i64, end: i64) -> Option<i64> {
    let lasted = end.checked_sub(start).filter(|ns| (0..=LONGEST_NS).contains(ns))?;
    let is_coarse = start % SECOND_NS == 0 && end % SECOND_NS == 0 && lasted < 2 * SECOND_NS;
    (!is_coarse).then_some(lasted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::{Phase, Phases};
    use crate::record::RecordMembers;

    fn phases(line: &str) -> Phases {
        let members = RecordMembers::parse(line).unwrap();
        Phases::from_record(|name| members.get(name))
    }

    /// The phases as `name after+lasted`, in milliseconds.
    fn shown(line: &str) -> String {
        let phases = phases(line);
        let spans = phases.spans().map(|span| {
            let [after, lasted] = [span.after_ns, span.lasted_ns].map(|ns| ns / 1_000_000);
            format!("{} {after}+{lasted}", span.phase.name())
        });
        itertools::join(spans, ", ")
    }

    const MISS: &str = r#"{"EdgeStartTimestamp":1774687345000000001,"EdgeEndTimestamp":1774687345200000001,
        "EdgeTimeToFirstByteMs":150,"OriginDNSResponseTimeMs":3,"OriginTCPHandshakeDurationMs":15,
        "OriginTLSHandshakeDurationMs":30,"OriginRequestHeaderSendDurationMs":2,
        "OriginResponseHeaderReceiveDurationMs":70,"OriginResponseDurationMs":140}"#;

    #[test]
    fn origin_follows_the_edge_until_first_byte() {
        assert_eq!(shown(MISS), "edge 0+30, dns 30+3, tcp 33+15, tls 48+30, send 78+2, wait 80+70, receive 150+50");
        assert_eq!(phases(MISS).total_ns(), 200_000_000);
        assert_eq!(phases(MISS).lasted_ns(Phase::Tls), Some(30_000_000));
    }

    #[test]
    fn what_a_record_lacks_has_no_phase() {
        for (line, expected) in [
            ("{}", ""),
            (r#"{"EdgeTimeToFirstByteMs":7}"#, "edge 0+7"),
            (r#"{"OriginResponseDurationMs":40}"#, "wait 0+40"),
            (r#"{"OriginResponseTime":40000000,"OriginTCPHandshakeDurationMs":15}"#, "tcp 0+15, wait 15+25"),
            (r#"{"EdgeTimeToFirstByteMs":-1,"OriginDNSResponseTimeMs":"x","OriginResponseDurationMs":null}"#, ""),
            (r#"{"EdgeStartTimestamp":1774687345000000001,"EdgeEndTimestamp":1774687345005000001}"#, "edge 0+5"),
            (
                r#"{"EdgeStartTimestamp":1774687345005000001,"EdgeEndTimestamp":1774687345000000001,"EdgeTimeToFirstByteMs":3}"#,
                "edge 0+3",
            ),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn measured_phases_outlast_a_shorter_request() {
        let line = r#"{"EdgeStartTimestamp":1774687345000000001,"EdgeEndTimestamp":1774687345005000001,"EdgeTimeToFirstByteMs":3,
            "OriginResponseHeaderReceiveDurationMs":9}"#;
        assert_eq!(shown(line), "edge 0+0, wait 0+9, receive 9+0");
        assert_eq!((phases(line).total_ns(), phases(line).measured_ns), (9_000_000, Some(5_000_000)));
    }

    #[test]
    fn whole_seconds_say_nothing_of_short_requests() {
        let line = |end: &str| {
            format!(
                r#"{{"EdgeStartTimestamp":"2026-03-28T08:42:25Z","EdgeEndTimestamp":"{end}","EdgeTimeToFirstByteMs":3}}"#
            )
        };
        assert_eq!(shown(&line("2026-03-28T08:42:26Z")), "edge 0+3");
        assert_eq!(shown(&line("2026-03-28T08:42:26.001Z")), "edge 0+3, receive 3+998");
        assert_eq!(shown(&line("2026-03-28T08:42:27Z")), "edge 0+3, receive 3+1997");
    }

    #[test]
    fn phases_that_never_end_are_none() {
        let line = r#"{"OriginDNSResponseTimeMs":9223372036854,"OriginTCPHandshakeDurationMs":1e300,
            "OriginTLSHandshakeDurationMs":4}"#;
        assert_eq!(shown(line), "tls 0+4");
    }

    /// The JSON of a duration: a number of milliseconds, an unset timer, or no number.
    fn duration() -> impl Strategy<Value = Option<String>> {
        prop_oneof![
            6 => (0_u32..400).prop_map(|ms| Some(ms.to_string())),
            1 => Just(Some("-1".to_owned())),
            1 => Just(Some("\"[masked]\"".to_owned())),
            2 => Just(None),
        ]
    }

    proptest! {
        #[test]
        fn phases_add_up_as_an_oracle_adds(durations in proptest::collection::vec(duration(), 6), all in 0_u32..900) {
            let names = [
                "OriginDNSResponseTimeMs", "OriginTCPHandshakeDurationMs", "OriginTLSHandshakeDurationMs",
                "OriginRequestHeaderSendDurationMs", "OriginResponseHeaderReceiveDurationMs", "EdgeTimeToFirstByteMs",
            ];
            let given: BTreeMap<&str, String> =
                names.into_iter().zip(durations).filter_map(|(name, value)| Some((name, value?))).collect();
            let ms = |name: &str| given.get(name).and_then(|value| value.parse::<i64>().ok()).filter(|ms| *ms >= 0);
            let begin = 1_774_687_345_000_000_001;
            let [start, end] = [begin, begin + u64::from(all) * 1_000_000].map(|ns| ns.to_string());
            let phases = Phases::from_record(|name| match name {
                "EdgeStartTimestamp" => Some(start.as_str()),
                "EdgeEndTimestamp" => Some(end.as_str()),
                name => given.get(name).map(String::as_str),
            });
            let origin: i64 = names.into_iter().take(5).filter_map(ms).sum();
            let longest = origin.max(i64::from(all)).max(ms("EdgeTimeToFirstByteMs").unwrap_or(0));
            prop_assert_eq!(phases.total_ns(), longest * 1_000_000);
            let mut end = 0;
            for span in phases.spans() {
                prop_assert_eq!(span.after_ns, end);
                prop_assert!(span.lasted_ns >= 0);
                if let Some(field) = span.phase.field() {
                    prop_assert_eq!(Some(span.lasted_ns), ms(field).map(|ms| ms * 1_000_000));
                }
                end += span.lasted_ns;
            }
            prop_assert_eq!(end, phases.total_ns());
        }
    }
}
