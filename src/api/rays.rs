//! `GET /v1/rays/{ray}`: the records of one ray, of the dataset that the query names or of every dataset that the
//! caller may see, the tree of requests that it belongs to, and the deliveries of the records. A format with columns shows one dataset, by default
//! `http_requests`, and no tree.
//!
//! # Invariants
//! The native format is the stored lines, byte for byte, each with a newline. A record that the caller may not see is
//! indistinguishable from one that does not exist: where batches may hold such records, no answer says what it cost, and
//! all are answered at the same multiples of a time.

use std::borrow::Cow;

use ::http::header::IF_NONE_MATCH;

use super::family_wish::{FamilyWish, SubrequestForm};
use super::field_warnings::{FieldWarning, UnseenFields, header_of};
use super::list_document::ListDocument;
use super::ray_document::{RayHead, RayTail, push_record};
use super::ray_story::{RayStory, find_story};
use super::record_deliveries::{RecordDelivery, each_delivery};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::record_writer::{RecordFormat, RecordWriter};
use super::requested_key::{find_named, parse_ray};
use super::scan::acquire_lookup;
use crate::access::Caller;
use crate::backend::{Turns, to_json};
use crate::config::Config;
use crate::http::entity_tag::EntityTagHasher;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, problems};
use crate::limits::{INFLATED_BYTE_NS, MASKED_BYTE_NS, MASKING_ROOM, WORK_SLICE_NS};
use crate::lookup::{FoundRecord, LookupResult};
use crate::memory::{OutOfMemory, Reservation, ReservedBytes, ReservedWriter};
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::services::Services;

/// The formats of a lookup: those of records, and those of [`super::ray_explain`], [`super::ray_har`] and [`super::ray_otlp`].
const FORMATS: &str = "json, native, partner, csv, explain, har or otlp";

/// Answers with the records of the ray in the format that the client accepts, or 404.
pub(crate) async fn get_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    let named = parse_lookup_dataset(request)?;
    let dataset = named.unwrap_or(Dataset::HttpRequests);
    let form = RecordWriter::from_request(config, request, dataset, (RecordFormat::Json, FORMATS))?;
    let named = if form.format.is_of_one_dataset() { Some(dataset) } else { named };
    let filter = parse_filter(request)?;
    let wish = FamilyWish::parse(request, form.format == RecordFormat::Json, SubrequestForm::Omitted)?;
    let views = DatasetViews::new(caller, named, filter.as_ref())?;
    check_deliveries(&wish, &views)?;
    let fields = form.projection.fields.as_deref();
    let unseen = UnseenFields::new(caller.role, &views.datasets(), filter.as_ref(), fields);
    let key = if form.format == RecordFormat::Partner {
        parse_ray(argument, || problems::trace_without_format("partner"))?
    } else {
        ray_from_user(argument).map_err(|_| problems::not_a_ray())?
    };
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let cursor = request.parameter("cursor");
    let asked = (&wish, cursor.as_deref());
    let find = async |key: &RayKey| find_story((config, services), &views, key, asked, &reservation).await;
    let (key, mut story) = find_named(key, find).await?;
    let (truncated, media_type) = (story.found.cut.truncated, form.format.media_type());
    let mut tag = begin_story_tag(caller, request, media_type, &story);
    let next_cursor = story.seal_cursors(services, caller).await?;
    let on_line = |line: &[u8]| tag.add(line);
    let mut shown = ShownRecords { views: &views, unseen, reservation, record_ns: 0, on_line };
    let (body, warnings) = if form.format == RecordFormat::Json {
        write_document(services, &key, &mut story, (&wish, next_cursor.as_deref()), &mut shown, &form).await?
    } else {
        let mut page = ReservedWriter::new(services.memory());
        form.begin(&mut page)?;
        let found = std::mem::take(&mut story.found);
        shown.each(services, found, |_, line| form.write(&mut page, line)).await?;
        (page.finish()?, shown.unseen.warnings())
    };
    let reply = with_figures(Reply::new(200, media_type, body), story.cost.as_ref(), truncated, &warnings);
    let reply = with_next_cursor(reply, next_cursor.filter(|_| form.format != RecordFormat::Json));
    Ok(reply.with_entity_tag(tag.finish(), request.header(IF_NONE_MATCH).as_deref()))
}

/// Begins the tag of an answer with what it depends on beside the records: the cursors of later pages are not the same twice.
pub(super) fn begin_story_tag<B>(
    caller: &Caller,
    request: &HttpRequest<B>,
    media_type: &str,
    story: &RayStory,
) -> EntityTagHasher {
    let tree = story.tree.as_ref().map(to_json).unwrap_or_default();
    let goes_on = story.goes_on().map(u8::from);
    begin_tag(caller, request, media_type).with(&tree).with(&goes_on)
}

/// Adds the cursor of the next records to an answer whose body has no place for it.
pub(super) fn with_next_cursor(reply: Reply, cursor: Option<String>) -> Reply {
    if let Some(cursor) = cursor { reply.with_header("raydex-next-cursor", cursor) } else { reply }
}

/// Checks that deliveries are asked for only of records that are delivered, and that the caller may see.
fn check_deliveries(wish: &FamilyWish, views: &DatasetViews) -> Result<(), Problem> {
    if !wish.deliveries || views.datasets().contains(&Dataset::HttpRequests) {
        Ok(())
    } else if views.caller().may_dataset(Dataset::HttpRequests) {
        Err(problems::bad_parameter("parts", "deliveries for http_requests alone"))
    } else {
        Err(problems::other_dataset())
    }
}

/// Begins the tag of an answer with what it depends on beside the records.
pub(super) fn begin_tag<B>(caller: &Caller, request: &HttpRequest<B>, media_type: &str) -> EntityTagHasher {
    let parts = [caller.role.name(), request.query.as_str(), media_type];
    parts.iter().fold(EntityTagHasher::default(), |tag, part| tag.with(part.as_bytes()))
}

/// Adds what a lookup cost and missed to the headers of its answer.
pub(super) fn with_figures(
    reply: Reply,
    cost: Option<&LookupCost>,
    truncated: bool,
    warnings: &[FieldWarning],
) -> Reply {
    let reply = if let Some(cost) = cost { reply.with_cost(cost) } else { reply };
    let reply = if truncated { reply.with_header("raydex-truncated", "true") } else { reply };
    let header = header_of(warnings);
    if let Some(header) = header { reply.with_header("raydex-warnings", header) } else { reply }
}

/// The records of a lookup as the caller sees them, one after the other.
pub(crate) struct ShownRecords<'a, F> {
    pub(crate) views: &'a DatasetViews,
    /// The unlisted fields of the request that no record has had so far.
    ///
    /// A role that sees records masked judges by those alone that it sees: a name that looks like a token is masked too.
    pub(crate) unseen: UnseenFields,
    /// What the lookup reserved: each record is dropped when it was written.
    pub(crate) reservation: Reservation,
    /// The work of writing a record, in nanoseconds, where that counts beside the work of its bytes.
    pub(crate) record_ns: u64,
    /// Sees each line before it is written.
    pub(crate) on_line: F,
}

impl<F: FnMut(&[u8])> ShownRecords<'_, F> {
    /// Returns the HTTP requests among the records that pass the filter.
    fn selected<'f>(&self, found: &'f LookupResult) -> Result<Vec<&'f FoundRecord>, OutOfMemory> {
        let mut selected = Vec::new();
        for record in found.records.iter().filter(|record| record.dataset == Dataset::HttpRequests) {
            if self.views.selects(record, self.reservation.budget())? {
                selected.push(record);
            }
        }
        Ok(selected)
    }

    /// Writes each record that passes the filter, masked for the caller, and passes the turn after each slice of work.
    ///
    /// # Errors
    /// [`OutOfMemory`] if one does not fit.
    pub(crate) async fn each(
        &mut self,
        turns: &impl Turns,
        found: LookupResult,
        mut write: impl FnMut(&FoundRecord, &[u8]) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        let is_verbatim = self.views.is_verbatim();
        let byte_ns = if is_verbatim { INFLATED_BYTE_NS } else { MASKED_BYTE_NS };
        let mut work_ns = 0;
        for record in found.records {
            work_ns += record.line.len() as u64 * byte_ns + self.record_ns;
            if work_ns >= WORK_SLICE_NS {
                work_ns = 0;
                turns.pass().await;
            }
            if is_verbatim {
                self.unseen.take(&record.line);
            }
            let room = if is_verbatim { 0 } else { MASKING_ROOM * record.line.len() };
            let room = self.reservation.budget().reserve(room)?;
            if let Some(line) = self.views.view(&record) {
                room.shrink_to(if let Cow::Owned(masked) = &line { masked.capacity() } else { 0 });
                if !is_verbatim {
                    self.unseen.take(&line);
                }
                (self.on_line)(&line);
                write(&record, &line)?;
            }
            self.reservation.release(record.held_bytes());
        }
        Ok(())
    }
}

/// Writes the parts that are wished for as a JSON document.
async fn write_document<F: FnMut(&[u8])>(
    services: &impl Services,
    key: &RayKey,
    story: &mut RayStory,
    (wish, next_cursor): (&FamilyWish, Option<&str>),
    shown: &mut ShownRecords<'_, F>,
    form: &RecordWriter,
) -> Result<(ReservedBytes, Vec<FieldWarning>), Problem> {
    let visibility = shown.views.visibility();
    let mut found = std::mem::take(&mut story.found);
    let head = RayHead::new(key, &found, story.cost.as_ref());
    let mut document =
        ListDocument::begin(services.memory(), &head, if wish.deliveries { "deliveries" } else { "records" })?;
    if wish.deliveries {
        let started = services.now_ms();
        let selected = shown.selected(&found)?;
        let write = |delivery: &RecordDelivery| {
            (shown.on_line)(&to_json(delivery));
            document.push(delivery)
        };
        each_delivery(services, &selected, visibility, write).await?;
        if let Some(cost) = &mut story.cost {
            cost.elapsed_ms += services.now_ms() - started;
        }
        document.begin_next("records")?;
    }
    if !wish.records {
        found.records.clear();
    }
    shown.each(services, found, |record, line| push_record(&mut document, (record, visibility), line, form)).await?;
    let warnings = shown.unseen.warnings();
    let tail = RayTail { next_cursor, tree: story.tree.take(), warnings: &warnings, cost: story.cost };
    Ok((document.end(&tail)?, warnings))
}
