//! `GET /v1/logs`: all records of a time range that pass a filter, as a stream.
//!
//! What always holds: a record is returned by its own timestamp, whichever batch carried it; a stream that ends before
//! its range ends with a trailer that says why, and where to continue.

use std::rc::Rc;

use super::form::{Form, Format};
use super::range::{self, RangeRequest, StreamFormat, parse_share};
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
    let trailer = match request.parameter("summary").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(problems::bad_parameter("summary", "true or false")),
    };
    let limit = request.parameter("limit").map(|_| request.number("limit", 1, u64::MAX)).transpose()?;
    let (sample, cursor) = (sample_of(request)?, request.parameter("cursor"));
    let stream_request = RangeRequest { sight, range, sample, limit, cursor, key_prefix: None };
    let format = match form.format {
        Format::Json => StreamFormat::Document,
        Format::Native => StreamFormat::Lines { trailer },
        Format::Partner | Format::Csv => StreamFormat::Text { trailer },
    };
    let media_type = form.format.media_type();
    range::stream(desk, stream_request, form, format, media_type).await
}

/// The share of the records that the query asks for.
fn sample_of<B>(request: &Request<B>) -> Result<Option<f64>, Problem> {
    let Some(text) = request.parameter("sample") else { return Ok(None) };
    parse_share(&text)
        .map(Some)
        .ok_or_else(|| problems::bad_parameter("sample", "a number greater than 0 and at most 1"))
}
