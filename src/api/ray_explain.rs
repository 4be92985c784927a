//! `GET /v1/rays/{ray}?format=explain`: each column of the partner's line of each record, with the way to its value.
//!
//! # Invariants
//! A value is the one of the line that `format=partner` shows the caller. A field is shown as `format=json` shows it, and
//! whether it was masked depends on what the caller sees alone.

use std::borrow::Cow;

use ::http::header::{ACCEPT, IF_NONE_MATCH};
use serde::{Serialize, Serializer};

use super::family_wish::{FamilyWish, SubrequestForm};
use super::field_warnings::{FieldWarning, UnseenFields};
use super::list_document::ListDocument;
use super::ray_document::{RayHead, RayTail, RecordPlaces};
use super::ray_story::{RayStory, find_story};
use super::rays::{ShownRecords, begin_story_tag, with_figures, with_next_cursor};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::requested_key::parse_ray;
use super::scan::acquire_lookup;
use crate::access::{Caller, Visibility};
use crate::config::Config;
use crate::http::media_type::{JSON, TEXT};
use crate::http::{HttpRequest, LookupCost, Problem, Reply, preferred, problems};
use crate::limits::{EXPLAINED_RECORD_NS, EXPLAINED_SLACK, EXPLAINING_ROOM, RENDERING_ROOM};
use crate::lookup::{FoundRecord, LookupResult};
use crate::mask::{Role, may_be_altered};
use crate::memory::{OutOfMemory, Reservation, ReservedBytes, ReservedWriter};
use crate::record::fields::line_text;
use crate::record::{Dataset, Field, RayKey};
use crate::render::{ExplainedLine, PartnerOptions};
use crate::services::Services;

/// Whether a request asks for its ray in this format.
pub(crate) fn is_asked<B>(request: &HttpRequest<B>) -> bool {
    request.parameter("format").as_deref() == Some("explain")
}

/// Answers with the explained lines of the ray's records, as JSON or as a table, or 404.
pub(crate) async fn explain_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    check_parameters(request)?;
    let filter = parse_filter(request)?;
    let wish = FamilyWish::parse(request, false, SubrequestForm::Omitted)?;
    let views = DatasetViews::new(caller, Some(Dataset::HttpRequests), filter.as_ref())?;
    let unseen = UnseenFields::new(caller.role, &views.datasets(), filter.as_ref(), None);
    let key = parse_ray(argument, || problems::trace_without_format("explain"))?;
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let cursor = request.parameter("cursor");
    let asked = (&wish, cursor.as_deref());
    let mut story = find_story((config, services), &views, &key, asked, &reservation).await?;
    let (truncated, options) = (story.found.cut.truncated, &config.partner);
    let media_type = accepted(request);
    let settings = [&options.version, &options.tenant, &options.unknown_country];
    let tag = begin_story_tag(caller, request, media_type, &story);
    let next_cursor = story.seal_cursors(services, caller).await?;
    let RayStory { found, cost, .. } = story;
    let mut tag = settings.iter().fold(tag, |tag, setting| tag.with(setting.as_bytes()));
    let on_line = |line: &[u8]| tag.add(line);
    let shown = ShownRecords { views: &views, unseen, reservation, record_ns: EXPLAINED_RECORD_NS, on_line };
    let explainer = Explainer { role: caller.role, visibility: views.visibility(), options };
    let (body, warnings) = if media_type == JSON {
        explainer.write_document(services, &key, (found, cost, next_cursor.as_deref()), shown).await?
    } else {
        explainer.write_tables(services, found, shown).await?
    };
    let reply = with_figures(Reply::new(200, media_type, body), cost.as_ref(), truncated, &warnings);
    let reply = with_next_cursor(reply, next_cursor.filter(|_| media_type != JSON));
    Ok(reply.with_entity_tag(tag.finish(), request.header(IF_NONE_MATCH).as_deref()))
}

/// Refuses parameters that have no place beside the partner's columns.
fn check_parameters<B>(request: &HttpRequest<B>) -> Result<(), Problem> {
    let dataset = parse_lookup_dataset(request)?.unwrap_or(Dataset::HttpRequests);
    let is_narrowed = ["fields", "timestamps"].iter().any(|name| request.parameter(name).is_some());
    if dataset == Dataset::HttpRequests && !is_narrowed {
        return Ok(());
    }
    let takes =
        "explain only for http_requests and without fields and timestamps, because the partner's columns are fixed";
    Err(problems::bad_parameter("format", takes))
}

/// Returns the media type that the request prefers: that of JSON or that of a table.
fn accepted<B>(request: &HttpRequest<B>) -> &'static str {
    let accept = request.header(ACCEPT).unwrap_or_default();
    let offered = |name: &str| [JSON, TEXT].into_iter().find(|offer| offer.split(';').next() == Some(name));
    preferred(&accept, offered).unwrap_or(JSON)
}

/// Explains records to a caller.
struct Explainer<'a> {
    role: Role,
    visibility: Visibility,
    options: &'a PartnerOptions,
}

impl Explainer<'_> {
    async fn write_document<F: FnMut(&[u8])>(
        &self,
        services: &impl Services,
        key: &RayKey,
        (found, cost, next_cursor): (LookupResult, Option<LookupCost>, Option<&str>),
        mut shown: ShownRecords<'_, F>,
    ) -> Result<(ReservedBytes, Vec<FieldWarning>), OutOfMemory> {
        let head = RayHead::new(key, &found, cost.as_ref());
        let mut document = ListDocument::begin(services.memory(), &head, "records")?;
        shown.each(services, found, |record, line| self.push_record(&mut document, record, line)).await?;
        let warnings = shown.unseen.warnings();
        let tail = RayTail { next_cursor, tree: None, warnings: &warnings, cost };
        Ok((document.end(&tail)?, warnings))
    }

    /// Appends a record as the caller sees it, with its columns; without them if it has no partner line.
    fn push_record(&self, document: &mut ListDocument, record: &FoundRecord, line: &[u8]) -> Result<(), OutOfMemory> {
        let room = document.working_memory(RENDERING_ROOM * line.len())?;
        self.explain(&room, line, |explained| {
            let columns = explained.map(|explained| ExplainedColumns { explained, role: self.role });
            document.push(&ExplainedRecord { places: RecordPlaces::new(record, self.visibility), columns })
        })
    }

    async fn write_tables<F: FnMut(&[u8])>(
        &self,
        services: &impl Services,
        found: LookupResult,
        mut shown: ShownRecords<'_, F>,
    ) -> Result<(ReservedBytes, Vec<FieldWarning>), OutOfMemory> {
        let mut page = ReservedWriter::new(services.memory());
        shown.each(services, found, |_, line| self.push_table(&mut page, line)).await?;
        Ok((page.finish()?, shown.unseen.warnings()))
    }

    /// Appends the table of a record as the caller sees it, after an empty line where there is one before it.
    fn push_table(&self, page: &mut ReservedWriter, line: &[u8]) -> Result<(), OutOfMemory> {
        let room = page.working_memory(RENDERING_ROOM * line.len())?;
        self.explain(&room, line, |explained| {
            let Some(explained) = explained else { return Ok(()) };
            page.push(if page.is_empty() { b"" } else { b"\n" })?;
            explained.push_table(is_masked_for(self.role), |text| page.push(text))
        })
    }

    /// Explains a line to `write`, with the memory that it takes beside the answer; `room` is that of its text.
    fn explain(
        &self,
        room: &Reservation,
        line: &[u8],
        write: impl FnOnce(Option<&ExplainedLine<'_>>) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        let text = line_text(line);
        room.shrink_to(if matches!(text, Cow::Owned(_)) { text.len() } else { 0 });
        room.reserve(EXPLAINING_ROOM * text.len() + EXPLAINED_SLACK)?;
        write(ExplainedLine::parse(&text, self.options).ok().as_ref())
    }
}

/// Returns whether the role may see another value of a field than the record has.
fn is_masked_for(role: Role) -> impl Fn(Field, &str) -> bool {
    move |field, seen| may_be_altered(role, Dataset::HttpRequests, field.name(), seen)
}

/// A record with the columns of its line.
#[derive(Serialize)]
struct ExplainedRecord<'a> {
    #[serde(flatten)]
    places: RecordPlaces<'a>,
    columns: Option<ExplainedColumns<'a>>,
}

/// The columns of a line, written one by one.
struct ExplainedColumns<'a> {
    explained: &'a ExplainedLine<'a>,
    role: Role,
}

impl Serialize for ExplainedColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.explained.columns(is_masked_for(self.role)))
    }
}
