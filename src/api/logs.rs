//! `GET /v1/logs`: all records of a time range that pass a filter, as a stream.
//!
//! What always holds: a record is told by its own time, whatever batch it came in; what was not told is said: a stream
//! that ends before its range does ends with a record that says why, and where to go on.

use std::rc::Rc;

use super::form::{Form, Format};
use super::range;
use super::range::{Question, Tail, share_of};
use super::sight::{Sight, dataset_of, filter_of};
use super::times::range_of;
use crate::access::Caller;
use crate::config::Config;
use crate::http::{Problem, Reply, Request, problems};
use crate::services::Services;

/// Answers with a stream.
pub(crate) async fn answer<D: Services + 'static>(
    config: &Config,
    desk: &Rc<D>,
    caller: &Caller,
    request: &Request<Vec<u8>>,
) -> Result<Reply, Problem> {
    let dataset = dataset_of(request)?;
    let form = Form::of(config, request, dataset, Format::Native)?;
    let sight = Sight::new(caller, dataset, filter_of(request)?)?;
    let range = range_of(request, desk.now_ms())?;
    let summary = match request.parameter("summary").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(problems::bad_parameter("summary", "true or false")),
    };
    let limit = request.parameter("limit").map(|_| request.number("limit", 1, u64::MAX)).transpose()?;
    let (sample, cursor) = (sample(request)?, request.parameter("cursor"));
    let question = Question { sight, range, sample, limit, cursor, prefix: None };
    let tail = match form.format {
        Format::Json => Tail::Document,
        Format::Native => Tail::Lines { summary },
        Format::Partner | Format::Csv => Tail::Text { summary },
    };
    let media_type = form.format.media_type();
    range::stream(desk, question, form, tail, media_type).await
}

/// Which part of the records is asked for.
fn sample<B>(request: &Request<B>) -> Result<Option<f64>, Problem> {
    let Some(text) = request.parameter("sample") else { return Ok(None) };
    share_of(&text).map(Some).ok_or_else(|| problems::bad_parameter("sample", "a number above 0, and 1 at most"))
}
