//! Numbers and instants of the API's answers, as every page reads and writes them.

use chrono::DateTime;

/// Returns a number with its thousands apart: `1,048,576`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns the Unix milliseconds of a time in RFC 3339.
pub(super) fn unix_ms(time: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp_millis())
}

/// Returns the Unix seconds of a time in RFC 3339, rounded down.
pub(super) fn unix_s(time: &str) -> Option<i64> {
    unix_ms(time).map(|ms| ms.div_euclid(1_000))
}
