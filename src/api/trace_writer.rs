//! Writes the records of a tree as a trace in OpenTelemetry's form, ray by ray.
//!
//! # Invariants
//! A trace is a function of its records as the caller sees them, of their order and of its form. One ray's records are held at a
//! time, beside those that are not written yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message;

use super::field_warnings::UnseenFields;
use super::record_view::DatasetViews;
use crate::backend::Turns;
use crate::limits::{INFLATED_BYTE_NS, MASKED_BYTE_NS, MASKING_ROOM, OTLP_RECORD_NS, RENDERING_ROOM, WORK_SLICE_NS};
use crate::lookup::FoundRecord;
use crate::memory::{OutOfMemory, Reservation, ReservedWriter};
use crate::otlp::OtlpResourceSpans;
use crate::record::fields::line_text;
use crate::record::{Dataset, RayId};
use crate::services::Services;
use crate::story::{KinRecord, LinkKind, NO_RAY, SpanIds, SpanRecords, spans_of_ray};

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

impl TraceRecords<'_> {
    /// Writes the spans of these records, of the trace with this root, with other spans of a ray of it, and returns the number of
    /// rays. With the root [`NO_RAY`] they are those of a trace of no known request.
    ///
    /// # Errors
    /// [`OutOfMemory`] if a ray does not fit.
    pub(crate) async fn write(
        &mut self,
        services: &impl Services,
        (root, records, (others_ray, others)): (RayId, Vec<FoundRecord>, (RayId, Vec<FoundRecord>)),
        form: TraceForm,
        out: &mut ReservedWriter,
    ) -> Result<usize, OutOfMemory> {
        let _list = self.reservation.budget().reserve(4 * (records.len() + others.len()) * size_of::<RayGroup>())?;
        let mut groups = if root == NO_RAY {
            vec![RayGroup { ray: NO_RAY, parent: None, records }]
        } else {
            groups_of(services, records)
        };
        add_others(&mut groups, others_ray, others);
        let mut ids = SpanIds::new(self.reservation.budget());
        groups.iter().try_for_each(|group| ids.claim(group.ray).map(drop))?;
        let (mut work_ns, mut rays, mut is_first) = (0, 0, true);
        for group in groups {
            let lines: usize = group.records.iter().map(|record| record.line.len()).sum();
            let byte_ns = if self.views.is_verbatim() { INFLATED_BYTE_NS } else { MASKED_BYTE_NS };
            work_ns += lines as u64 * byte_ns + group.records.len() as u64 * OTLP_RECORD_NS;
            if work_ns >= WORK_SLICE_NS {
                work_ns = 0;
                services.pass().await;
            }
            let mut spans = self.spans_of(services, (root, &group), &mut ids)?;
            rays += usize::from(!spans.0.is_empty());
            for resource in &mut spans.0 {
                write_resource(resource, form, is_first, out)?;
                is_first = false;
            }
            group.records.iter().for_each(|record| self.reservation.release(record.held_bytes()));
        }
        Ok(rays)
    }

    /// Makes the spans of a ray, with the memory that they take.
    fn spans_of(
        &mut self,
        services: &impl Services,
        (root, group): (RayId, &RayGroup),
        ids: &mut SpanIds,
    ) -> Result<(Vec<OtlpResourceSpans>, Reservation), OutOfMemory> {
        let (is_verbatim, memory) = (self.views.is_verbatim(), services.memory());
        let held = memory.reserve(0)?;
        let mut shown: Vec<(Dataset, Cow<'_, [u8]>)> = Vec::with_capacity(group.records.len());
        for record in &group.records {
            if is_verbatim {
                self.unseen.take(&record.line);
            }
            let masking = memory.reserve(if is_verbatim { 0 } else { MASKING_ROOM * record.line.len() })?;
            let Some(line) = self.views.view(record) else { continue };
            drop(masking);
            held.reserve(if let Cow::Owned(masked) = &line { masked.capacity() } else { 0 })?;
            held.reserve(RENDERING_ROOM * line.len())?;
            if !is_verbatim {
                self.unseen.take(&line);
            }
            (self.on_line)(&line);
            shown.push((record.dataset, line));
        }
        if shown.is_empty() {
            return Ok((Vec::new(), held));
        }
        let texts: Vec<_> = shown.iter().map(|(dataset, line)| (*dataset, line_text(line))).collect();
        let parent = group.parent.map(|(_, parent)| parent);
        let spans = spans_of_ray(root, &SpanRecords { ray: group.ray, parent, records: &texts }, ids, &held)?;
        Ok((spans, held))
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
fn add_others(groups: &mut Vec<RayGroup>, ray: RayId, others: Vec<FoundRecord>) {
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
