//! Writes the records of a tree as a trace in OpenTelemetry's form, ray by ray.
//!
//! # Invariants
//! A trace is a function of its records as the caller sees them, of their order and of its form, as far as memory has room for it. A
//! part of one ray's spans is held at a time, beside the records that no span was made of yet. What has no room is the last of it, and
//! is left out whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message;

use super::field_warnings::UnseenFields;
use super::record_view::DatasetViews;
use crate::backend::Turns;
use crate::limits::{
    INFLATED_BYTE_NS, MASKED_BYTE_NS, MASKING_ROOM, OTLP_PART_ROOM, OTLP_PLANNED_BYTES, OTLP_RECORD_NS, WORK_SLICE_NS,
};
use crate::lookup::FoundRecord;
use crate::memory::{OutOfMemory, Reservation, ReservedWriter};
use crate::otlp::OtlpResourceSpans;
use crate::record::fields::line_text;
use crate::record::{Dataset, RayId};
use crate::services::Services;
use crate::story::{KinRecord, LinkKind, NO_RAY, RaySpanParts, SpanIds, SpanRecords};

/// The field `resource_spans` of a trace in protobuf: number 1, with a length.
const RESOURCE_SPANS: u8 = 0x0a;

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TraceForm {
    /// JSON, between brackets that the caller writes.
    Json,
    /// The same with the names of enumerations, as Tempo writes it.
    TempoJson,
    /// Protobuf: each of the spans by resource with its field.
    Protobuf,
}

/// The records of a ray.
struct RayGroup {
    ray: RayId,
    parent: Option<(LinkKind, RayId)>,
    records: Vec<FoundRecord>,
}

/// What a trace is made of.
pub(crate) struct TraceRecords<'a> {
    pub(crate) views: &'a DatasetViews,
    /// The unlisted fields of the request that no record has had so far.
    pub(crate) unseen: UnseenFields,
    /// What the lookup reserved: each record is dropped when it was written.
    pub(crate) reservation: Reservation,
    /// Sees each line before it is written.
    pub(crate) on_line: &'a mut dyn FnMut(&[u8]),
}

/// What is written of a trace.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WrittenTrace {
    /// The number of rays.
    pub(crate) rays: usize,
    /// Whether spans are missing that memory has no room for.
    pub(crate) is_cut: bool,
    /// Whether there is anything.
    has_any: bool,
}

impl TraceRecords<'_> {
    /// Writes the spans of these records, of the trace with this root, with other spans of a ray of it. With the root [`NO_RAY`] they
    /// are those of a trace of no known request. Of a trace that one caller may not hold, as many records are written as fit.
    ///
    /// # Errors
    /// [`OutOfMemory`] if others hold the memory, or nothing fits.
    pub(crate) async fn write(
        &mut self,
        services: &impl Services,
        (root, records, others): (RayId, Vec<FoundRecord>, (RayId, Vec<FoundRecord>)),
        form: TraceForm,
        out: &mut ReservedWriter,
    ) -> Result<WrittenTrace, OutOfMemory> {
        let list = self.reservation.budget().reserve(4 * (records.len() + others.1.len()) * size_of::<RayGroup>())?;
        let mut groups = if root == NO_RAY {
            vec![RayGroup { ray: NO_RAY, parent: None, records }]
        } else {
            groups_of(services, records)
        };
        add_others(&mut groups, others);
        list.shrink_to(2 * groups.len() * size_of::<RayGroup>());
        let mut written = WrittenTrace::default();
        match self.write_groups(services, (root, groups), &mut written, (form, out)).await {
            Err(OutOfMemory::TooLarge) if written.has_any => written.is_cut = true,
            outcome => outcome?,
        }
        self.reservation.release_all();
        Ok(written)
    }

    async fn write_groups(
        &mut self,
        services: &impl Services,
        (root, groups): (RayId, Vec<RayGroup>),
        written: &mut WrittenTrace,
        (form, out): (TraceForm, &mut ReservedWriter),
    ) -> Result<(), OutOfMemory> {
        let mut ids = SpanIds::new(self.reservation.budget());
        groups.iter().try_for_each(|group| ids.claim(group.ray).map(drop))?;
        let mut work = WorkSlice::default();
        for mut group in groups {
            let mut is_cut = self.mask(services, &mut group, &mut work).await?;
            is_cut |= self.leave_out_unplanned(&mut group.records);
            let parent = group.parent.map(|(_, parent)| parent);
            let (records, held) = self.texts_of(group.records);
            let of_ray = SpanRecords { ray: group.ray, parent, records, held };
            let mut spans = RaySpanParts::new(root, of_ray, &mut ids, services.memory())?;
            let mut has_any = false;
            while let Some((resources, _room)) = spans.next_part()? {
                let made = resources.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len());
                let made = made.sum::<usize>() as u64;
                write_part(resources, form, !written.has_any, out)?;
                written.rays += usize::from(!has_any);
                (has_any, written.has_any) = (true, true);
                work.spend(services, made * OTLP_RECORD_NS).await;
            }
            if is_cut {
                return Err(OutOfMemory::TooLarge);
            }
        }
        Ok(())
    }

    /// Leaves of the records of a ray what the caller sees; returns whether memory has no room for some of them.
    async fn mask(
        &mut self,
        services: &impl Services,
        group: &mut RayGroup,
        work: &mut WorkSlice,
    ) -> Result<bool, OutOfMemory> {
        let byte_ns = if self.views.is_verbatim() { INFLATED_BYTE_NS } else { MASKED_BYTE_NS };
        let mut shown = Vec::with_capacity(group.records.len());
        let mut records = std::mem::take(&mut group.records).into_iter();
        let mut is_cut = false;
        while let Some(record) = records.next() {
            work.spend(services, record.line.len() as u64 * byte_ns).await;
            match self.mask_one(record) {
                Ok(masked) => shown.extend(masked),
                Err(OutOfMemory::TooLarge) => {
                    is_cut = true;
                    records.by_ref().for_each(|record| self.reservation.release(record.held_bytes()));
                }
                Err(error) => return Err(error),
            }
        }
        group.records = shown;
        Ok(is_cut)
    }

    /// Leaves of a record what the caller sees; `None` if that is nothing.
    fn mask_one(&mut self, mut record: FoundRecord) -> Result<Option<FoundRecord>, OutOfMemory> {
        let (is_verbatim, before) = (self.views.is_verbatim(), record.held_bytes());
        if is_verbatim {
            self.unseen.take(&record.line);
        }
        let room = if is_verbatim { 0 } else { MASKING_ROOM * record.line.len() };
        let masked = self.reservation.budget().reserve(room).map(|room| (self.views.view(&record), room));
        let masked = masked.map(|(view, room)| match view {
            Some(Cow::Owned(masked)) => Some((Some(masked), room)),
            Some(Cow::Borrowed(_)) => Some((None, room)),
            None => None,
        });
        let Some((masked, room)) = masked.inspect_err(|_| self.reservation.release(before))? else {
            self.reservation.release(before);
            return Ok(None);
        };
        if let Some(masked) = masked {
            record.line = masked;
            record.line.shrink_to_fit();
        }
        drop(room);
        self.reservation.reserve(record.held_bytes().saturating_sub(before))?;
        self.reservation.release(before.saturating_sub(record.held_bytes()));
        if !is_verbatim {
            self.unseen.take(&record.line);
        }
        (self.on_line)(&record.line);
        Ok(Some(record))
    }

    /// Leaves out the last spans of a ray if memory has no room for what has to be known of each of them; returns whether there are
    /// such.
    fn leave_out_unplanned(&self, records: &mut Vec<FoundRecord>) -> bool {
        let is_planned = |records: &[FoundRecord]| {
            let spans = records.iter().filter(|record| record.dataset == Dataset::Traces).count();
            self.reservation.budget().reserve(spans * OTLP_PLANNED_BYTES + OTLP_PART_ROOM).err()
        };
        let before = records.len();
        while records.len() > 1 && is_planned(records) == Some(OutOfMemory::TooLarge) {
            let gone = records.split_off(records.len() - records.len().div_ceil(16));
            self.reservation.release(gone.iter().map(FoundRecord::held_bytes).sum());
        }
        records.len() < before
    }

    /// Returns the texts of records with the memory that they take.
    fn texts_of(&self, records: Vec<FoundRecord>) -> (Vec<(Dataset, String)>, Reservation) {
        let held: usize = records.iter().map(FoundRecord::held_bytes).sum();
        let text =
            |line: Vec<u8>| String::from_utf8(line).unwrap_or_else(|line| line_text(line.as_bytes()).into_owned());
        let texts: Vec<_> = records.into_iter().map(|record| (record.dataset, text(record.line))).collect();
        let held = self.reservation.split_off(held);
        held.shrink_to(texts.iter().map(|(_, text)| text.len()).sum());
        (texts, held)
    }
}

/// Writes the spans of a part, or nothing.
fn write_part(
    resources: Vec<OtlpResourceSpans>,
    form: TraceForm,
    mut is_first: bool,
    out: &mut ReservedWriter,
) -> Result<(), OutOfMemory> {
    let before = out.len();
    for mut resource in resources {
        if let Err(error) = write_resource(&mut resource, form, is_first, out) {
            out.cut_to(before);
            return Err(error);
        }
        is_first = false;
    }
    Ok(())
}

/// The work since others had their turn.
#[derive(Default)]
struct WorkSlice(u64);

impl WorkSlice {
    /// Counts nanoseconds of work, and passes the turn after each slice of it.
    async fn spend(&mut self, turns: &impl Turns, work_ns: u64) {
        self.0 += work_ns;
        if self.0 >= WORK_SLICE_NS {
            self.0 = 0;
            turns.pass().await;
        }
    }
}

/// Returns the records by their rays, these in the order in which they are found.
fn groups_of(services: &impl Services, records: Vec<FoundRecord>) -> Vec<RayGroup> {
    let (mut groups, mut places) = (Vec::<RayGroup>::new(), BTreeMap::new());
    for kin in records.into_iter().filter_map(|record| KinRecord::read(services.batch_store(), record)) {
        let (ray, link) = (kin.ray, kin.link());
        let place = *places.entry(ray).or_insert(groups.len());
        if place == groups.len() {
            groups.push(RayGroup { ray, parent: None, records: Vec::new() });
        }
        if let Some(group) = groups.get_mut(place) {
            // As in a tree: the request that sent it, or else the first by its digits.
            group.parent = group.parent.into_iter().chain(link).min();
            group.records.push(kin.record);
        }
    }
    groups
}

/// Adds spans that the records of a ray do not have.
fn add_others(groups: &mut Vec<RayGroup>, (ray, others): (RayId, Vec<FoundRecord>)) {
    if others.is_empty() {
        return;
    }
    match groups.iter_mut().find(|group| group.ray == ray) {
        Some(group) => group.records.extend(others),
        None => groups.push(RayGroup { ray, parent: None, records: others }),
    }
}

/// Writes spans of one resource.
fn write_resource(
    resource: &mut OtlpResourceSpans,
    form: TraceForm,
    is_first: bool,
    out: &mut ReservedWriter,
) -> Result<(), OutOfMemory> {
    match form {
        TraceForm::Json | TraceForm::TempoJson => {
            if form == TraceForm::TempoJson {
                resource.name_enumerations();
            }
            out.push(if is_first { b"" } else { b"," })?;
            out.push_json(resource)
        }
        TraceForm::Protobuf => {
            let _room = out.working_memory(resource.encoded_len() + 16)?;
            out.push(&[RESOURCE_SPANS])?;
            out.push(&resource.encode_length_delimited_to_vec())
        }
    }
}
