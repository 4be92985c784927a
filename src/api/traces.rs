//! `POST /v1/traces`: what an exporter of OpenTelemetry sends, as a batch of the dataset `traces`.
//!
//! # Invariants
//! Success is answered only after the batch is stored and its message is sent. A span that cannot be kept is rejected and counted
//! alone; a body that is no request as a whole. A caller brings only spans that they could see. Answers, those of problems too, have
//! the form of the request.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::export_body::{grow, read_export};
use crate::access::Caller;
use crate::backend::{Bucket, ByteStream, Queue};
use crate::bucket_keys::batch_key;
use crate::config::Config;
use crate::http::media_type::{JSON, OTLP_PROTOBUF};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{TRACE_FACTS_BYTES, TRACES_BODY_BYTES, TRACES_ROOM, TRACES_SPANS, TRACES_STEP, TRACES_TEXT_BYTES};
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{ExportForm, each_span};
use crate::pipeline::delivered_from;
use crate::r2_event::R2Event;
use crate::record::{Dataset, repair_halves};
use crate::services::Services;
use crate::traces::{ExportFacts, SpanFault, SpanOrigin, name_sender, span_line};

/// The gzip level of batches, as that of uploads.
const LEVEL: Compression = Compression::new(6);

/// Returns the form that a request names for its body, and so for its answer.
pub(crate) fn export_form<B>(request: &HttpRequest<B>) -> Option<ExportForm> {
    let media_type = request.header(CONTENT_TYPE)?;
    match media_type.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        JSON => Some(ExportForm::Json),
        OTLP_PROTOBUF => Some(ExportForm::Protobuf),
        _ => None,
    }
}

/// Stores the spans of a request as a batch and announces it. `audit` records the key once the body was read, before the object
/// appears.
pub(crate) async fn ingest_traces<Y: ByteStream>(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    mut request: HttpRequest<Y>,
    audit: impl AsyncFnOnce(&str) -> Result<(), Problem>,
) -> Result<Reply, Problem> {
    request.check_parameters(&[])?;
    let form = export_form(&request).ok_or_else(problems::unsupported_media_type)?;
    let is_gzip = is_gzip(&request)?;
    if !caller.may_dataset(Dataset::Traces) {
        return Err(problems::other_dataset());
    }
    if request.content_length().is_some_and(|length| length > TRACES_BODY_BYTES as u64) {
        return Err(problems::export_too_large());
    }
    // An upload is never what lay in the bucket before the first start.
    delivered_from(services, config).await.map_err(|_| problems::unavailable())?;
    let room = services.memory().for_upload_of(&caller.name).reservation();
    let mut body = read_export(&room, &mut request.body, is_gzip).await?;
    if form == ExportForm::Json {
        repair_halves(&mut body);
    }
    let now = services.now_ms();
    let folder = config.log_prefix.upload_folder(Dataset::Traces);
    let key = batch_key(folder, Dataset::Traces, now, now, services.random_bits());
    let mut packer = SpanPacker::new(&room, caller, config.log_prefix.zone(&key))?;
    packer.pack(form, &body)?;
    drop(body);
    let (batch, rejected) = packer.finish()?;
    if let Some(batch) = batch {
        audit(&key).await?;
        let stored = services.bucket().put_upload(&key, batch, &caller.name).await;
        let object = stored.map_err(|_| problems::unavailable())?;
        let event = R2Event::put_object(services.bucket_name(), &key, object.size, &object.etag, now);
        services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    }
    Ok(answer(form, &rejected))
}

/// Returns whether a body is compressed.
fn is_gzip<B>(request: &HttpRequest<B>) -> Result<bool, Problem> {
    let coding = request.header(CONTENT_ENCODING).unwrap_or_default();
    match coding.trim().to_ascii_lowercase().as_str() {
        "gzip" => Ok(true),
        "" | "identity" => Ok(false),
        _ => Err(problems::unsupported_media_type()),
    }
}

/// The number of spans that were rejected, by reason.
type RejectedSpans = BTreeMap<SpanFault, u64>;

/// Writes the lines of a request, compressed.
struct SpanPacker<'a> {
    room: &'a Reservation,
    caller: &'a Caller,
    /// The zone of lines that do not name it themselves.
    zone: Option<&'a str>,
    facts: ExportFacts,
    /// What the last spans were of.
    origin: SpanOrigin,
    encoder: GzEncoder<Vec<u8>>,
    spans: usize,
    lines: usize,
    text_bytes: usize,
    rejected: RejectedSpans,
}

impl<'a> SpanPacker<'a> {
    fn new(room: &'a Reservation, caller: &'a Caller, zone: Option<&'a str>) -> Result<Self, OutOfMemory> {
        room.reserve(TRACES_ROOM)?;
        let encoder = GzEncoder::new(Vec::new(), LEVEL);
        let (facts, origin, rejected) = (ExportFacts::default(), SpanOrigin::default(), RejectedSpans::new());
        Ok(Self { room, caller, zone, facts, origin, encoder, spans: 0, lines: 0, text_bytes: 0, rejected })
    }

    /// Packs the spans of a body, once it is known which traces they are of.
    fn pack(&mut self, form: ExportForm, body: &[u8]) -> Result<(), Problem> {
        // An exporter may flush without anything.
        if body.is_empty() && form == ExportForm::Protobuf {
            return Ok(());
        }
        let mut failure = None;
        let (mut spans, facts, room) = (0, &mut self.facts, self.room);
        each_span(form, body, &mut |exported| {
            spans += 1;
            let known = facts.len();
            if spans <= TRACES_SPANS {
                facts.take(&exported);
            }
            failure = if facts.len() > known { room.reserve(TRACE_FACTS_BYTES).err() } else { None };
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|_| problems::not_an_export())?;
        failure.map_or(Ok(()), Err)?;
        let read = each_span(form, body, &mut |exported| {
            let line = self.line(|facts, origin| span_line(exported, facts, origin));
            failure = match line {
                Ok(line) => self.write(&line).err(),
                Err(fault) => {
                    *self.rejected.entry(fault).or_default() += 1;
                    None
                }
            };
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        read.map_err(|_| problems::not_an_export())?;
        Ok(failure.map_or(Ok(()), Err)?)
    }

    /// Returns the line of the next span.
    fn line(
        &mut self,
        write: impl FnOnce(&ExportFacts, &mut SpanOrigin) -> Result<Vec<u8>, SpanFault>,
    ) -> Result<Vec<u8>, SpanFault> {
        self.spans += 1;
        if self.spans > TRACES_SPANS {
            return Err(SpanFault::TooMany);
        }
        if self.text_bytes >= TRACES_TEXT_BYTES {
            return Err(SpanFault::TooMany);
        }
        let mut line = write(&self.facts, &mut self.origin)?;
        if !self.caller.sees_whole(Dataset::Traces, self.zone, &line) {
            return Err(SpanFault::Zone);
        }
        if let Some(zone) = self.caller.sender_zone(Dataset::Traces, self.zone, &line) {
            name_sender(&mut line, zone);
        }
        if self.text_bytes + line.len() > TRACES_TEXT_BYTES { Err(SpanFault::TooMany) } else { Ok(line) }
    }

    fn write(&mut self, line: &[u8]) -> Result<(), OutOfMemory> {
        grow(self.room, self.encoder.get_mut(), line.len() + TRACES_STEP, usize::MAX)?;
        self.lines += 1;
        self.text_bytes += line.len() + 1;
        // Writing to memory does not fail.
        let _written = self.encoder.write_all(line).and_then(|()| self.encoder.write_all(b"\n"));
        Ok(())
    }

    /// Returns the batch, if it has lines, and how many spans were rejected.
    fn finish(mut self) -> Result<(Option<Vec<u8>>, RejectedSpans), Problem> {
        grow(self.room, self.encoder.get_mut(), TRACES_STEP, usize::MAX)?;
        let batch = self.encoder.finish().map_err(|_| problems::unavailable())?;
        Ok((Some(batch).filter(|_| self.lines > 0), self.rejected))
    }
}

/// Returns the answer to a request: which of its spans were rejected, and why.
fn answer(form: ExportForm, rejected: &RejectedSpans) -> Reply {
    let count: u64 = rejected.values().sum();
    let reasons = itertools::join(rejected.iter().map(|(fault, count)| format!("{count} {fault}")), "; ");
    let words = if count > 0 { format!("{count} spans were rejected: {reasons}.") } else { String::new() };
    match form {
        ExportForm::Json => {
            let partial = json!({ "rejectedSpans": count.to_string(), "errorMessage": words });
            let body = if count > 0 { json!({ "partialSuccess": partial }) } else { json!({}) };
            Reply::small(200, JSON, body.to_string().as_bytes())
        }
        ExportForm::Protobuf => {
            let mut partial = Vec::new();
            if count > 0 {
                put_number(&mut partial, 1, count);
                put_bytes(&mut partial, 2, words.as_bytes());
            }
            let mut body = Vec::new();
            if count > 0 {
                put_bytes(&mut body, 1, &partial);
            }
            Reply::small(200, OTLP_PROTOBUF, &body)
        }
    }
}

/// Converts a problem to a `google.rpc.Status` in the form of the request.
pub(crate) fn problem_reply(form: ExportForm, problem: &Problem) -> Reply {
    let code = status_code(problem.status);
    let words = problem.words();
    let reply = match form {
        ExportForm::Json => {
            Reply::small(problem.status, JSON, json!({ "code": code, "message": words }).to_string().as_bytes())
        }
        ExportForm::Protobuf => {
            let mut body = Vec::new();
            put_number(&mut body, 1, code);
            put_bytes(&mut body, 2, words.as_bytes());
            Reply::small(problem.status, OTLP_PROTOBUF, &body)
        }
    };
    let reply = match problem.retry_after() {
        Some(seconds) => reply.with_header("retry-after", seconds),
        None => reply,
    };
    match problem.status {
        401 => reply.with_header("www-authenticate", "Bearer"),
        405 => reply.with_header("allow", "POST"),
        _ => reply,
    }
}

/// Returns the code of gRPC for a status of HTTP.
const fn status_code(status: u16) -> u64 {
    match status {
        401 => 16,
        403 => 7,
        404 | 405 => 5,
        408 => 4,
        413 | 429 => 8,
        502..=504 => 14,
        400..500 => 3,
        _ => 13,
    }
}

fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    out.push(field << 3);
    prost::encoding::encode_varint(number, out);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
