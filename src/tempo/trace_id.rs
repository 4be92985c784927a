//! The IDs of traces as Grafana sends them: 16 or 32 hexadecimal digits, with or without zeros before them.

use crate::record::{RayId, RayKey};

/// Digits of a trace ID.
const DIGITS: usize = 32;

/// What a trace ID names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TraceKey {
    /// A ray: the upper 64 bits are 0.
    Ray(RayId),
    /// A trace that requests belong to by their header `traceparent`.
    Foreign(u128),
}

impl TraceKey {
    /// Returns the key by which it is found.
    pub(super) fn to_ray_key(self) -> RayKey {
        match self {
            Self::Ray(ray) => RayKey::Ray(ray),
            Self::Foreign(_) => RayKey::Nonstandard(self.digits().into()),
        }
    }

    /// Returns the ID as it is named: 16 digits of a ray, 32 of any other trace.
    pub(crate) fn digits(self) -> String {
        match self {
            Self::Ray(ray) => ray.to_string(),
            Self::Foreign(id) => format!("{id:032x}"),
        }
    }
}

/// Parses the ID of a trace; `None` for what is none, and for 0.
pub(crate) fn parse_trace_id(text: &str) -> Option<TraceKey> {
    let is_id = !text.is_empty() && text.len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u128::from_str_radix(text, 16).ok().filter(|id| is_id && *id != 0)?;
    Some(u64::try_from(id).map_or(TraceKey::Foreign(id), |bits| TraceKey::Ray(RayId::from_bits(bits))))
}

#[cfg(test)]
mod tests {
    use super::{TraceKey, parse_trace_id};
    use crate::record::RayId;

    #[test]
    fn zeros_before_an_id_say_nothing() {
        let ray = Some(TraceKey::Ray(RayId::from_bits(0x0e35_56d8_c2ab_1c05)));
        for text in ["e3556d8c2ab1c05", "0e3556d8c2ab1c05", "0E3556D8C2AB1C05", "00000000000000000e3556d8c2ab1c05"] {
            assert_eq!(parse_trace_id(text), ray, "{text}");
        }
        let foreign = parse_trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(foreign, Some(TraceKey::Foreign(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736)));
        assert_eq!(foreign.map(TraceKey::digits).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for text in ["", "0", "00000000000000000000000000000000", "x", "+1", "000000000000000000e3556d8c2ab1c055"] {
            assert_eq!(parse_trace_id(text), None, "{text}");
        }
    }
}
