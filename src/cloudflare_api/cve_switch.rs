//! The switch `CVE-2021-44228` of a request: no value in the answer may contain `${`.
//!
//! # Invariants
//! The switch is obeyed or refused, never ignored. It applies to every route that returns records, whether or not
//! Cloudflare documents it there, in upper and lower case.

use crate::http::HttpRequest;

/// The name of the parameter.
pub(crate) const CVE_SWITCH: &str = "CVE-2021-44228";

/// Whether a parameter is the switch.
pub(crate) fn is_cve_switch(name: &str) -> bool {
    name.eq_ignore_ascii_case(CVE_SWITCH)
}

/// Whether the switch is on. The spellings of a truth value are those that Logpull's own clients may send.
///
/// # Errors
/// The message for a switch with another value, or for a repeated one.
pub(super) fn parse_cve_switch<B>(request: &HttpRequest<B>) -> Result<bool, String> {
    let pairs = form_urlencoded::parse(request.query.as_bytes());
    let mut values = pairs.filter(|(name, _)| is_cve_switch(name)).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(false) };
    if values.next().is_some() {
        return Err(format!("error parsing {CVE_SWITCH}: must not be given more than once"));
    }
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(format!("error parsing {CVE_SWITCH}: must be true or false")),
    }
}
