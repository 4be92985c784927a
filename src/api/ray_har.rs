//! `GET /v1/rays/{ray}?format=har`: the requests of a ray and of all that it caused, as an HTTP archive that developers'
//! tools open.
//!
//! # Invariants
//! An archive is a file that is passed on: whatever the caller's role, it shows what `support` may see at most. It has the
//! records of `http_requests` alone, each once, in the order of their times as far as the caller sees these.

use std::borrow::Cow;

use ::http::header::{ACCEPT, IF_NONE_MATCH};
use serde::Serialize;

use super::family_wish::{FamilyWish, SubrequestForm};
use super::field_warnings::{FieldWarning, UnseenFields};
use super::ray_document::merged_in;
use super::ray_story::find_story;
use super::rays::{ShownRecords, begin_story_tag, with_figures, with_next_cursor};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::requested_key::parse_ray;
use super::scan::acquire_lookup;
use crate::access::Caller;
use crate::backend::Turns;
use crate::config::Config;
use crate::http::media_type::{CSV, HAR, JSON, NDJSON, TEXT};
use crate::http::{HttpRequest, Problem, Reply, preferred, problems};
use crate::limits::{HAR_RECORD_NS, INFLATED_BYTE_NS, RENDERING_ROOM, WORK_SLICE_NS};
use crate::lookup::{FoundRecord, LookupResult};
use crate::mask::{Role, prunes};
use crate::memory::{OutOfMemory, Reservation, ReservedBytes, ReservedWriter};
use crate::record::fields::line_text;
use crate::record::{Dataset, RayKey};
use crate::services::Services;
use crate::story::{HarEntry, HarReader, started_ns};

/// The only page of an archive.
const PAGE: &str = "ray";

/// Whether a request asks for its ray in this format: by name, or as what it accepts before all others.
pub(crate) fn is_asked<B>(request: &HttpRequest<B>) -> bool {
    if let Some(format) = request.parameter("format") {
        return format == "har";
    }
    let accept = request.header(ACCEPT).unwrap_or_default();
    let offers = [JSON, NDJSON, TEXT, CSV, HAR];
    let offered = |name: &str| offers.into_iter().find(|offer| offer.split(';').next() == Some(name));
    preferred(&accept, offered) == Some(HAR)
}

/// Answers with the archive of the ray's requests, or 404.
pub(crate) async fn archive_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    check_parameters(request)?;
    let mut caller = caller.clone();
    caller.role = caller.role.for_sharing();
    let filter = parse_filter(request)?;
    let wish = FamilyWish::parse(request, false, SubrequestForm::Listed)?;
    let views = DatasetViews::new(&caller, Some(Dataset::HttpRequests), filter.as_ref())?;
    let unseen = UnseenFields::new(caller.role, &views.datasets(), filter.as_ref(), None);
    let key = parse_ray(argument, || problems::trace_without_format("har"))?;
    let _permit = acquire_lookup(services, &caller).await?;
    let reservation = services.memory().reservation();
    let cursor = request.parameter("cursor");
    let asked = (&wish, cursor.as_deref());
    let mut story = find_story((config, services), &views, &key, asked, &reservation).await?;
    let truncated = story.found.cut.truncated;
    let mut tag = begin_story_tag(&caller, request, HAR, &story).with(env!("CARGO_PKG_VERSION").as_bytes());
    let next_cursor = story.seal_cursors(services, &caller).await?;
    let mut found = std::mem::take(&mut story.found);
    let on_line = |line: &[u8]| tag.add(line);
    let reader = HarReader::new();
    sort_by_time(services, (&reader, caller.role), &mut found.records, &reservation).await?;
    let shown = ShownRecords { views: &views, unseen, reservation, record_ns: HAR_RECORD_NS, on_line };
    let (body, warnings) = write_archive(services, &reader, (&key, found), shown).await?;
    let reply = with_figures(Reply::new(200, HAR, body), story.cost.as_ref(), truncated, &warnings);
    let reply = with_next_cursor(reply, next_cursor);
    let reply = reply.with_header("content-disposition", format!("attachment; filename=\"{}\"", file_name(&key)));
    Ok(reply.with_entity_tag(tag.finish(), request.header(IF_NONE_MATCH).as_deref()))
}

/// Refuses parameters that have no place in an archive.
fn check_parameters<B>(request: &HttpRequest<B>) -> Result<(), Problem> {
    let dataset = parse_lookup_dataset(request)?.unwrap_or(Dataset::HttpRequests);
    let is_narrowed = ["fields", "timestamps"].iter().any(|name| request.parameter(name).is_some());
    if dataset == Dataset::HttpRequests && !is_narrowed {
        return Ok(());
    }
    let takes =
        "har only for http_requests and without fields and timestamps, because an archive has members of its own";
    Err(problems::bad_parameter("format", takes))
}

/// Returns the name under which a browser stores the archive. An ID of another form may hold any character.
fn file_name(key: &RayKey) -> String {
    key.ray().map_or_else(|| "ray.har".to_owned(), |ray| format!("{ray}.har"))
}

/// Sorts records by the times at which they began as the role sees these; those without one come first, as they were.
async fn sort_by_time(
    turns: &impl Turns,
    (reader, role): (&HarReader, Role),
    records: &mut Vec<FoundRecord>,
    reservation: &Reservation,
) -> Result<(), OutOfMemory> {
    let _list = reservation.budget().reserve(2 * records.len() * size_of::<(Option<i64>, FoundRecord)>())?;
    let mut timed = Vec::with_capacity(records.len());
    let mut work_ns = 0;
    for record in std::mem::take(records) {
        work_ns += record.line.len() as u64 * INFLATED_BYTE_NS;
        if work_ns >= WORK_SLICE_NS {
            work_ns = 0;
            turns.pass().await;
        }
        let _room = reservation.budget().reserve(RENDERING_ROOM * record.line.len())?;
        let text = line_text(&record.line);
        let shows = |field: &str, text: &str| prunes(role, Dataset::HttpRequests, field, text);
        let began = reader.read(&text).and_then(|record| started_ns(&record, shows));
        drop(text);
        timed.push((began, record));
    }
    timed.sort_by_key(|(began, _)| *began);
    records.extend(timed.into_iter().map(|(_, record)| record));
    Ok(())
}

/// Writes the archive, one record at a time.
async fn write_archive<F: FnMut(&[u8])>(
    services: &impl Services,
    reader: &HarReader,
    (key, found): (&RayKey, LookupResult),
    mut shown: ShownRecords<'_, F>,
) -> Result<(ReservedBytes, Vec<FieldWarning>), OutOfMemory> {
    let mut archive = ArchiveWriter { reader, body: ReservedWriter::new(services.memory()), first: None };
    archive.body.push(b"{\"log\":{\"version\":\"1.2\",\"creator\":")?;
    archive.body.push_json(&Creator { name: "raydex", version: env!("CARGO_PKG_VERSION") })?;
    archive.body.push(b",\"entries\":[")?;
    let truncated = found.cut.truncated;
    shown.each(services, found, |record, line| archive.push(record, line)).await?;
    Ok((archive.end(key, truncated)?, shown.unseen.warnings()))
}

/// What wrote the archive.
#[derive(Serialize)]
struct Creator {
    name: &'static str,
    version: &'static str,
}

/// The request of a person, with all that it caused.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArchivePage<'a> {
    id: &'static str,
    title: &'a str,
    started_date_time: &'a str,
    page_timings: PageTimings,
}

/// What a browser alone knows, and so no log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageTimings {
    on_content_load: i64,
    on_load: i64,
}

/// Writes the entries of an archive.
struct ArchiveWriter<'a> {
    reader: &'a HarReader,
    body: ReservedWriter,
    /// When the first entry began; `None` before there is one.
    first: Option<String>,
}

impl ArchiveWriter<'_> {
    /// Appends a record as the caller sees it.
    fn push(&mut self, found: &FoundRecord, line: &[u8]) -> Result<(), OutOfMemory> {
        let _room = self.body.working_memory(RENDERING_ROOM * line.len())?;
        let text: Cow<'_, str> = line_text(line);
        let Some(record) = self.reader.read(&text) else { return Ok(()) };
        let entry = HarEntry::new(&record, PAGE, merged_in(found.merged.as_ref()));
        self.body.push(if self.first.is_some() { b"," } else { b"" })?;
        self.first.get_or_insert_with(|| entry.started_date_time().to_owned());
        self.body.push_json(&entry)
    }

    /// Ends the archive with its page, if it has an entry.
    fn end(mut self, key: &RayKey, truncated: bool) -> Result<ReservedBytes, OutOfMemory> {
        self.body.push(b"],\"pages\":[")?;
        if let Some(first) = &self.first {
            let (title, timings) = (key.to_string(), PageTimings { on_content_load: -1, on_load: -1 });
            let page = ArchivePage { id: PAGE, title: &title, started_date_time: first, page_timings: timings };
            self.body.push_json(&page)?;
        }
        self.body.push(if truncated { b"],\"_truncated\":true}}\n" } else { b"],\"_truncated\":false}}\n" })?;
        self.body.finish()
    }
}
