//! `GET /v1/counts`: how many records of a time range there are, by time and by the values of up to two fields.
//!
//! # Invariants
//! Values are counted as the caller sees them, and a field that is hidden from the caller is refused. The rows of an answer and
//! of those that its cursors continue add up to the range.

use std::rc::Rc;

use super::count_stream::{CountRequest, stream_counts};
use super::field_warnings::UnseenFields;
use super::record_view::{RecordView, parse_dataset, parse_filter};
use super::record_writer::parse_names;
use super::response_stream::parse_row_format;
use super::time_range::{TimeRange, parse_range};
use crate::access::Caller;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{COUNT_FIELDS, COUNT_STEP_MAX_S, COUNT_STEPS, COUNT_TOP};
use crate::services::Services;

const NS_PER_S: i64 = 1_000_000_000;

/// The parameter with the fields.
const BY: &str = "by";

/// Answers with a stream of counts in the format that the client accepts.
pub(crate) async fn count_records<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let (format, media_type) = parse_row_format(request, false)?;
    let dataset = parse_dataset(request)?;
    let filter = parse_filter(request)?;
    let by = parse_names(request, BY, COUNT_FIELDS)?.unwrap_or_default();
    let unseen = UnseenFields::new(caller.role, &[dataset], filter.as_ref(), None).with_names(&[dataset], BY, &by);
    let view = RecordView::new(caller, dataset, filter)?;
    view.check_names(&by)?;
    let range = parse_range(request, services.now_ms())?;
    let step_s = step_of(request, range)?;
    let top = top_of(request, &by)?;
    let request = CountRequest { view, range, step_s, by, top, cursor: request.parameter("cursor"), unseen };
    stream_counts(services, caller, request, format, media_type).await
}

/// The parameter `step` in seconds. A range has a bounded number of steps.
fn step_of<B>(request: &HttpRequest<B>, range: TimeRange) -> Result<Option<i64>, Problem> {
    let Some(text) = request.parameter("step") else { return Ok(None) };
    let step_s = parse_step(&text).ok_or_else(|| {
        problems::bad_parameter("step", "a time of up to 366 days, such as 60s, 5m, 1h or 1d, or a number of seconds")
    })?;
    let number = |ns: i64| ns.div_euclid(step_s.saturating_mul(NS_PER_S));
    let most = i64::from(COUNT_STEPS);
    if number(range.end_ns - 1) - number(range.start_ns) < most {
        return Ok(Some(step_s));
    }
    // A range of this many steps may touch one more.
    let range_s = (range.end_ns - range.start_ns).div_euclid(NS_PER_S) + 1;
    let least_s = range_s.div_euclid(most - 1) + 1;
    Err(problems::too_many_steps(Some(least_s).filter(|least_s| *least_s <= COUNT_STEP_MAX_S)))
}

/// Parses the length of a step: a number of seconds, or of the unit after it.
pub(crate) fn parse_step(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit_s = match text.strip_prefix(digits)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.checked_mul(unit_s).filter(|step_s| (1..=COUNT_STEP_MAX_S).contains(step_s))
}

/// The parameter `top`: how many values have counts of their own.
fn top_of<B>(request: &HttpRequest<B>, by: &[String]) -> Result<Option<usize>, Problem> {
    if request.parameter("top").is_none() {
        return Ok(None);
    }
    if by.is_empty() {
        return Err(problems::bad_parameter("top", "a number only together with the parameter by"));
    }
    let top = request.number_parameter("top", COUNT_TOP, COUNT_TOP)?;
    Ok(usize::try_from(top).ok())
}

#[cfg(test)]
mod tests {
    use super::parse_step;

    #[test]
    fn step_is_read_in_every_unit() {
        for (text, step_s) in [
            ("60", Some(60)),
            ("60s", Some(60)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("366d", Some(31_622_400)),
            ("31622400", Some(31_622_400)),
            ("367d", None),
            ("0", None),
            ("0m", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1w", None),
            ("1M", None),
            ("1 h", None),
            ("1hh", None),
            ("h1", None),
            ("99999999999999999999", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(parse_step(text), step_s, "{text}");
        }
    }
}
