//! The header `traceparent` of W3C's Trace Context: the span of another trace that sent a request.
//!
//! # Invariants
//! What is no header of that form, or has an ID of zeros alone, is none.

use crate::otlp::OtlpLink;

/// The header's name.
pub const TRACE_PARENT: &str = "traceparent";

/// Returns the span that a header names.
pub(super) fn link_of(header: &str) -> Option<OtlpLink> {
    let mut parts = header.split('-');
    let mut next = |length: usize| {
        let digits = parts.next().filter(|digits| digits.len() == length)?;
        let is_lower = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_lower.then(|| hex::decode(digits).ok()).flatten()
    };
    let (version, trace_id, span_id, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let is_known = |id: &[u8]| id.iter().any(|byte| *byte != 0);
    // Version ff is forbidden, and that of today has no other parts.
    let is_whole = version != [0xff] && (version != [0] || parts.next().is_none());
    (is_whole && is_known(&trace_id) && is_known(&span_id)).then(|| OtlpLink {
        trace_id,
        span_id,
        attributes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::link_of;

    #[test]
    fn header_names_a_span_or_none() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let zeros = "00000000000000000000000000000000";
        let link = link_of(&format!("00-{trace}-{span}-01")).unwrap();
        assert_eq!((hex::encode(link.trace_id), hex::encode(link.span_id)), (trace.into(), span.into()));
        assert!(link_of(&format!("01-{trace}-{span}-01-more")).is_some());
        for header in [
            String::new(),
            "[masked]".into(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{zeros}-{span}-01"),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.get(1..).unwrap_or_default()),
        ] {
            assert!(link_of(&header).is_none(), "{header}");
        }
    }
}
