//! `GET /v1/rays/{a}/diff/{b}`: how the first record of one ray differs from that of another, in one dataset.
//!
//! # Invariants
//! What is compared is what the caller sees: values that are masked alike are equal. A ray of hidden records is answered like
//! one without any, after as long a time; the problem says which of the two rays is meant.

use std::borrow::Cow;

use ::http::header::IF_NONE_MATCH;
use memchr::memchr_iter;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::absence::explain_absence;
use super::ray_document::{LostBatches, RecordPlaces};
use super::ray_story::find_ray;
use super::rays::begin_tag;
use super::record_view::{DatasetViews, parse_lookup_dataset};
use super::requested_key::find_named;
use super::scan::acquire_lookup;
use crate::access::{Caller, Visibility};
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, LookupCost, Problem, RayArgument, Reply, problems};
use crate::limits::{DIFF_MEMBER_BYTES, DIFF_ROOM, MASKING_ROOM, RENDERING_ROOM};
use crate::lookup::{FoundRecord, LookupResult};
use crate::memory::{MemoryBudget, OutOfMemory, Reservation, ReservedBytes, ReservedWriter};
use crate::record::fields::line_text;
use crate::record::{Dataset, RayKey, RecordMembers, ray_from_user};
use crate::services::Services;
use crate::story::{FieldPair, RecordDiff, TIMINGS, TimingUnit, milliseconds};
use crate::time::rfc3339;

/// Answers with the differences of two rays' first records, or 404 if either has none.
pub(crate) async fn diff_rays(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    arguments: &[String],
) -> Result<Reply, Problem> {
    let started = services.now_ms();
    let dataset = parse_lookup_dataset(request)?.unwrap_or(Dataset::HttpRequests);
    let views = DatasetViews::new(caller, Some(dataset), None)?;
    let mut keys =
        [RayArgument::A, RayArgument::B].into_iter().zip(arguments).map(|(argument, text)| parse_ray(argument, text));
    let (Some(first), Some(second)) = (keys.next(), keys.next()) else { return Err(problems::no_such_path()) };
    let (first, second) = (first?, second?);
    let _permit = acquire_lookup(services, caller).await?;
    let first = ComparedRay::find((config, services), &views, first).await?;
    let second = ComparedRay::find((config, services), &views, second).await?;
    let (mut stats, has_cost) = (first.found.stats, first.cost.is_some() && second.cost.is_some());
    stats += second.found.stats;
    let cost = has_cost.then(|| LookupCost::new(&stats, services.now_ms() - started));
    let seen = [first.seen(&views, services.memory())?, second.seen(&views, services.memory())?];
    let mut tag = begin_tag(caller, request, JSON);
    for (ray, seen) in [&first, &second].into_iter().zip(&seen) {
        tag = tag.with(ray.key.to_string().as_bytes()).with(&ray.records.to_le_bytes()).with(&seen.line);
    }
    let body = write_differences((dataset, views.visibility()), [&first, &second], &seen, cost)?;
    let reply = Reply::new(200, JSON, body);
    let reply = if let Some(cost) = &cost { reply.with_cost(cost) } else { reply };
    Ok(reply.with_entity_tag(tag.finish(), request.header(IF_NONE_MATCH).as_deref()))
}

/// Reads an argument of the path.
fn parse_ray(argument: RayArgument, text: &str) -> Result<(RayArgument, RayKey), Problem> {
    let key = ray_from_user(text).map_err(|_| problems::not_a_ray().with_argument(argument))?;
    Ok((argument, key))
}

/// One of the rays, with its first record.
struct ComparedRay {
    key: RayKey,
    /// What the lookup found, without the records after the first.
    found: LookupResult,
    /// How many records it found.
    records: usize,
    cost: Option<LookupCost>,
    /// The memory of the first record.
    _reservation: Reservation,
}

impl ComparedRay {
    /// Looks up a ray. A problem names the argument that it is.
    async fn find(
        (config, services): (&Config, &impl Services),
        views: &DatasetViews,
        (argument, key): (RayArgument, RayKey),
    ) -> Result<Self, Problem> {
        // What waits for memory releases all of its own, and so has one of its own.
        let reservation = services.memory().reservation();
        let find = async |key: &RayKey| find_ray(services, views, key, &reservation).await;
        let (key, (mut found, cost)) = match find_named(key.clone(), find).await {
            Ok(found) => found,
            Err(problem) => {
                let problem = explain_absence(config, services, (views, &key), problem).await;
                let is_of_ray = matches!(problem.status, 400 | 404 | 502);
                return Err(if is_of_ray { problem.with_argument(argument) } else { problem });
            }
        };
        let records = found.records.len();
        let others: usize = found.records.iter().skip(1).map(FoundRecord::held_bytes).sum();
        found.records.truncate(1);
        reservation.release(others);
        Ok(Self { key, found, records, cost, _reservation: reservation })
    }

    /// Returns the first record as the caller sees it.
    fn seen(&self, views: &DatasetViews, memory: &MemoryBudget) -> Result<SeenLine<'_>, OutOfMemory> {
        let Some(record) = self.found.records.first() else { return Ok(SeenLine::empty(memory)) };
        let room = memory.reserve(if views.is_verbatim() { 0 } else { MASKING_ROOM * record.line.len() })?;
        let Some(line) = views.view(record) else { return Ok(SeenLine::empty(memory)) };
        room.shrink_to(if let Cow::Owned(masked) = &line { masked.capacity() } else { 0 });
        Ok(SeenLine { line, room })
    }

    /// Returns what the answer says of it.
    fn response(&self, visibility: Visibility) -> RayResponse<'_> {
        RayResponse {
            ray: self.key.to_string(),
            ray_time: self.key.ray().map(|ray| rfc3339(ray.unix_ms())),
            records: self.records,
            truncated: self.found.cut.truncated,
            lost: LostBatches::of(&self.found, self.cost.as_ref()),
            places: self.found.records.first().map(|record| RecordPlaces::new(record, visibility)),
        }
    }
}

/// A line as the caller sees it, with the memory that it takes.
struct SeenLine<'a> {
    line: Cow<'a, [u8]>,
    room: Reservation,
}

impl SeenLine<'_> {
    /// A record without members.
    fn empty(memory: &MemoryBudget) -> Self {
        Self { line: Cow::Borrowed(b"{}"), room: memory.reservation() }
    }

    /// Returns the text of the line, once there is memory for it and for its members in two lists.
    fn text(&self) -> Result<Cow<'_, str>, OutOfMemory> {
        let held = self.room.bytes();
        self.room.reserve(RENDERING_ROOM * self.line.len())?;
        let text = line_text(&self.line);
        self.room.shrink_to(held + if let Cow::Owned(text) = &text { text.len() } else { 0 });
        // Each member has a colon.
        self.room.reserve(DIFF_MEMBER_BYTES * memchr_iter(b':', text.as_bytes()).count())?;
        Ok(text)
    }
}

/// Writes the answer.
fn write_differences(
    (dataset, visibility): (Dataset, Visibility),
    [first, second]: [&ComparedRay; 2],
    [first_seen, second_seen]: &[SeenLine<'_>; 2],
    cost: Option<LookupCost>,
) -> Result<ReservedBytes, Problem> {
    let (first_text, second_text) = (first_seen.text()?, second_seen.text()?);
    let [first_members, second_members] =
        [&first_text, &second_text].map(|text| RecordMembers::parse(text).map_err(|_| problems::batch_unreadable()));
    let (first_members, second_members) = (first_members?, second_members?);
    let mut body = ReservedWriter::new(first_seen.room.budget());
    let _room = body.working_memory(DIFF_ROOM)?;
    let diff = RecordDiff::new(&first_members, &second_members);
    body.push_json(&DiffResponse {
        a: first.response(visibility),
        b: second.response(visibility),
        equal: diff.pairs().filter(|pair| matches!(pair, FieldPair::Equal(_))).count(),
        different: ListedFields { diff: &diff, list: FieldList::Different },
        only_a: ListedFields { diff: &diff, list: FieldList::OnlyFirst },
        only_b: ListedFields { diff: &diff, list: FieldList::OnlySecond },
        timings: if dataset == Dataset::HttpRequests { timings(&diff) } else { Vec::new() },
        cost,
    })?;
    body.push(b"\n")?;
    Ok(body.finish()?)
}

/// The differences of two records.
#[derive(Serialize)]
struct DiffResponse<'a> {
    a: RayResponse<'a>,
    b: RayResponse<'a>,
    /// Number of fields with equal values.
    equal: usize,
    different: ListedFields<'a>,
    only_a: ListedFields<'a>,
    only_b: ListedFields<'a>,
    timings: Vec<TimingResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
}

/// One of the rays, and where its first record was found.
#[derive(Serialize)]
struct RayResponse<'a> {
    ray: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    /// How many records it has in the dataset.
    records: usize,
    truncated: bool,
    #[serde(flatten)]
    lost: Option<LostBatches>,
    #[serde(flatten)]
    places: Option<RecordPlaces<'a>>,
}

/// Which fields a list has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldList {
    Different,
    OnlyFirst,
    OnlySecond,
}

/// Some of the fields of two records, written one by one.
struct ListedFields<'a> {
    diff: &'a RecordDiff<'a>,
    list: FieldList,
}

impl Serialize for ListedFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.diff.pairs().filter_map(|pair| ListedField::new(self.list, pair)))
    }
}

/// A field with its values, as the records spell them.
#[derive(Serialize)]
struct ListedField<'a> {
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<&'a RawValue>,
}

impl<'a> ListedField<'a> {
    /// Returns the field if the list has it.
    fn new(list: FieldList, pair: FieldPair<'a>) -> Option<Self> {
        let raw = |text: &'a str| serde_json::from_str(text).ok();
        match (list, pair) {
            (FieldList::Different, FieldPair::Different(field, [a, b])) => Some(Self { field, a: raw(a), b: raw(b) }),
            (FieldList::OnlyFirst, FieldPair::OnlyFirst(field, a)) => Some(Self { field, a: raw(a), b: None }),
            (FieldList::OnlySecond, FieldPair::OnlySecond(field, b)) => Some(Self { field, a: None, b: raw(b) }),
            _ => None,
        }
    }
}

/// A time or a duration of both requests, in milliseconds; null where a record has none.
#[derive(Serialize)]
struct TimingResponse {
    field: &'static str,
    a_ms: Option<Box<RawValue>>,
    b_ms: Option<Box<RawValue>>,
    /// That of the second less that of the first.
    difference_ms: Option<Box<RawValue>>,
}

/// Returns the times and durations that either of the requests has.
fn timings(diff: &RecordDiff<'_>) -> Vec<TimingResponse> {
    let number = |ns: Option<i64>| RawValue::from_string(milliseconds(ns?)).ok();
    let timing = |(field, unit): &(&'static str, TimingUnit)| {
        let [a, b] = diff.values(field).map(|value| unit.nanoseconds(value?));
        let difference = a.zip(b).and_then(|(a, b)| b.checked_sub(a));
        let timing = TimingResponse { field, a_ms: number(a), b_ms: number(b), difference_ms: number(difference) };
        (a.is_some() || b.is_some()).then_some(timing)
    };
    TIMINGS.iter().filter_map(timing).collect()
}
