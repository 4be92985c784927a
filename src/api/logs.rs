//! `GET /v1/logs`: all records of a time range that pass a filter, as a stream.
//!
//! # Invariants
//! A record is returned by its own timestamp, whichever batch carried it. A stream that ends before its range ends with
//! a trailer that has the reason and the cursor to continue at.

use std::rc::Rc;

use super::field_warnings::UnseenFields;
use super::range_stream::{self, RangeRequest, StreamFormat, parse_share};
use super::record_view::{RecordView, parse_dataset, parse_filter};
use super::record_writer::{RecordFormat, RecordWriter};
use super::time_range::parse_range;
use crate::access::Caller;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::services::Services;

/// The formats of a search.
const FORMATS: &str = "json, native, partner or csv";

/// Answers with a stream of records in the format that the client accepts.
pub(crate) async fn search_logs<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let dataset = parse_dataset(request)?;
    let form = RecordWriter::from_request(config, request, dataset, (RecordFormat::Native, FORMATS))?;
    let filter = parse_filter(request)?;
    let unseen = UnseenFields::new(caller.role, &[dataset], filter.as_ref(), form.projection.fields.as_deref());
    let view = RecordView::new(caller, dataset, filter)?;
    let range = parse_range(request, services.now_ms())?;
    let trailer = match request.parameter("summary").as_deref() {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(problems::bad_parameter("summary", "true or false")),
    };
    let limit = request.parameter("limit").map(|_| request.number_parameter("limit", 1, u64::MAX)).transpose()?;
    let (sample, cursor) = (sample_of(request)?, request.parameter("cursor"));
    let stream_request = RangeRequest { view, range, sample, limit, cursor, key_prefix: None, unseen };
    let format = match form.format {
        RecordFormat::Json => StreamFormat::Document,
        RecordFormat::Native => StreamFormat::Lines { trailer },
        RecordFormat::Partner | RecordFormat::Csv => StreamFormat::Text { trailer },
    };
    let media_type = form.format.media_type();
    range_stream::stream_range(services, caller, stream_request, form, format, media_type).await
}

/// The parameter `sample`: a share of the records.
fn sample_of<B>(request: &HttpRequest<B>) -> Result<Option<f64>, Problem> {
    let Some(text) = request.parameter("sample") else { return Ok(None) };
    parse_share(&text)
        .map(Some)
        .ok_or_else(|| problems::bad_parameter("sample", "a number greater than 0 and at most 1"))
}
