//! Writes the records of a tree as a trace in OpenTelemetry's form, ray by ray.
//!
//! # Invariants
//! A trace is a function of its records as the caller sees them, of their order and of its form. A part of one ray's spans is held
//! at a time, beside the records of that ray and of those that are not written yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message;

use super::field_warnings::UnseenFields;
use super::record_view::DatasetViews;
use crate::backend::Turns;
use crate::limits::{INFLATED_BYTE_NS, MASKED_BYTE_NS, MASKING_ROOM, OTLP_RECORD_NS, WORK_SLICE_NS};
use crate::lookup::FoundRecord;
use crate::memory::{OutOfMemory, Reservation, ReservedWriter};
use crate::otlp::OtlpResourceSpans;
use crate::record::RayId;
use crate::record::fields::line_text;
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
        let (mut work, mut rays, mut is_first) = (WorkSlice::default(), 0, true);
        for mut group in groups {
            let held = self.mask(services, &mut group, &mut work).await?;
            let texts: Vec<_> = group.records.iter().map(|record| (record.dataset, line_text(&record.line))).collect();
            let parent = group.parent.map(|(_, parent)| parent);
            let of_ray = SpanRecords { ray: group.ray, parent, records: &texts };
            let mut spans = RaySpanParts::new(root, &of_ray, &mut ids, services.memory())?;
            let mut has_any = false;
            while let Some((mut resources, _room)) = spans.next_part()? {
                has_any = true;
                for resource in &mut resources {
                    write_resource(resource, form, is_first, out)?;
                    is_first = false;
                }
                let spans = resources.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len());
                work.spend(services, spans.sum::<usize>() as u64 * OTLP_RECORD_NS).await;
            }
            rays += usize::from(has_any);
            self.reservation.release(held);
        }
        Ok(rays)
    }

    /// Leaves of the records of a ray what the caller sees; returns the memory that they take.
    async fn mask(
        &mut self,
        services: &impl Services,
        group: &mut RayGroup,
        work: &mut WorkSlice,
    ) -> Result<usize, OutOfMemory> {
        let (is_verbatim, memory) = (self.views.is_verbatim(), services.memory());
        let byte_ns = if is_verbatim { INFLATED_BYTE_NS } else { MASKED_BYTE_NS };
        let (mut shown, mut held) = (Vec::with_capacity(group.records.len()), 0);
        for mut record in std::mem::take(&mut group.records) {
            work.spend(services, record.line.len() as u64 * byte_ns).await;
            if is_verbatim {
                self.unseen.take(&record.line);
            }
            let before = record.held_bytes();
            let masking = memory.reserve(if is_verbatim { 0 } else { MASKING_ROOM * record.line.len() })?;
            let masked = match self.views.view(&record) {
                Some(Cow::Owned(masked)) => Some(masked),
                Some(Cow::Borrowed(_)) => None,
                None => {
                    self.reservation.release(before);
                    continue;
                }
            };
            if let Some(masked) = masked {
                record.line = masked;
                record.line.shrink_to_fit();
            }
            drop(masking);
            self.reservation.reserve(record.held_bytes().saturating_sub(before))?;
            self.reservation.release(before.saturating_sub(record.held_bytes()));
            if !is_verbatim {
                self.unseen.take(&record.line);
            }
            (self.on_line)(&record.line);
            held += record.held_bytes();
            shown.push(record);
        }
        group.records = shown;
        Ok(held)
    }
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
