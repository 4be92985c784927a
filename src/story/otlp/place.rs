//! Where spans are in their trace: their IDs, what they are parts of, and the services that they are of.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::limits::OTLP_SPAN_BYTES;
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{
    OtlpAnyValue, OtlpKeyValue, OtlpKind, OtlpResource, OtlpResourceSpans, OtlpScope, OtlpScopeSpans, OtlpSpan,
    OtlpValue,
};
use crate::record::RayId;

/// The service of a request whose record does not say its host.
pub(super) const NO_SERVICE: &str = "cloudflare";

/// Returns the ID of the trace whose root is this ray.
pub(crate) fn trace_id_of(root: RayId) -> [u8; 16] {
    u128::from(root.bits()).to_be_bytes()
}

/// What stands for the ray of spans that belong to no known request.
pub(crate) const NO_RAY: RayId = RayId::from_bits(0);

/// What a span is made of, beside its record.
#[derive(Clone, Copy)]
pub(super) struct SpanPlace<'r> {
    pub(super) root: RayId,
    pub(super) ray: RayId,
    pub(super) parent: Option<RayId>,
    /// Which of the ray's records it is of; the first one is the request itself.
    pub(super) nth: usize,
    pub(super) room: &'r Reservation,
}

impl SpanPlace<'_> {
    /// Returns a span of the record, which is the ray's own if the record is the first one, and else one below that.
    pub(super) fn span(&self, kind: OtlpKind, (start_ns, lasted_ns): (i64, i64)) -> OtlpSpan {
        if self.nth > 0 {
            return self.below(self.nth.to_string().as_str(), kind, (start_ns, lasted_ns));
        }
        let parent = self.parent.map_or_else(Vec::new, |parent| parent.bits().to_be_bytes().to_vec());
        self.timed(self.ray.bits().to_be_bytes().to_vec(), parent, kind, (start_ns, lasted_ns))
    }

    /// Returns a span that an exporter brought, with an ID of its own until that is known: in the trace of its request, or in the
    /// one that it names where it has no ray.
    pub(super) fn exported(&self, kind: OtlpKind, time: (i64, i64), trace: Option<Cow<'_, str>>) -> OtlpSpan {
        let span = self.timed(self.own_id(), Vec::new(), kind, time);
        let trace = trace.filter(|_| self.ray == NO_RAY).and_then(|trace| hex::decode(trace.as_bytes()).ok());
        OtlpSpan { trace_id: trace.unwrap_or_else(|| span.trace_id.clone()), ..span }
    }

    /// Returns the ID of the request's span, or `other` where the spans have no ray.
    pub(super) fn request_id(&self, other: Vec<u8>) -> Vec<u8> {
        if self.ray == NO_RAY { other } else { self.ray.bits().to_be_bytes().to_vec() }
    }

    /// Returns the span of a step of the record's span.
    pub(super) fn step(&self, name: &str, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        let parent = if self.nth == 0 { self.ray.bits().to_be_bytes().to_vec() } else { self.own_id() };
        let id = derived_id(self.ray, &format!("{} {name}", self.nth));
        self.timed(id, parent, kind, time)
    }

    /// Returns an ID for a span whose own ID another one has, by what its exporter calls trace, span and service; `nth` is how
    /// often that was tried.
    pub(super) fn other_id(&self, (trace, span, service): (&[u8], &[u8], &str), nth: usize) -> Vec<u8> {
        derived_id(self.ray, &format!("{} {} {nth} {service}", hex::encode(trace), hex::encode(span)))
    }

    fn own_id(&self) -> Vec<u8> {
        derived_id(self.ray, &self.nth.to_string())
    }

    fn below(&self, name: &str, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        self.timed(derived_id(self.ray, name), self.ray.bits().to_be_bytes().to_vec(), kind, time)
    }

    fn timed(&self, span_id: Vec<u8>, parent_span_id: Vec<u8>, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        let (start_ns, lasted_ns) = time;
        let instant = |ns: i64| u64::try_from(ns).unwrap_or_default();
        OtlpSpan {
            trace_id: trace_id_of(self.root).to_vec(),
            span_id,
            parent_span_id,
            kind: kind.into(),
            start_time_unix_nano: instant(start_ns),
            end_time_unix_nano: instant(start_ns.saturating_add(lasted_ns.max(0))),
            ..OtlpSpan::default()
        }
    }

    /// Returns when the ray began by its own clock, in Unix nanoseconds.
    pub(super) const fn ray_ns(&self) -> i64 {
        self.ray.unix_ms().saturating_mul(1_000_000)
    }
}

/// Returns the ID of a span that is no request: of these 64 bits no two of a trace are the same by chance.
fn derived_id(ray: RayId, name: &str) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix("raydex span");
    hash.update(ray.bits().to_be_bytes());
    hash.update(name);
    hash.finalize().into_iter().take(8).collect()
}

/// The spans of a ray, by their services.
#[derive(Default)]
pub(super) struct ServiceSpans(Vec<(String, Vec<OtlpSpan>)>);

impl ServiceSpans {
    pub(super) fn push(&mut self, service: &str, span: OtlpSpan, room: &Reservation) -> Result<(), OutOfMemory> {
        room.reserve(OTLP_SPAN_BYTES + service.len())?;
        match self.0.iter_mut().find(|(name, _)| name == service) {
            Some((_, spans)) => spans.push(span),
            None => self.0.push((service.to_owned(), vec![span])),
        }
        Ok(())
    }

    /// Hands each span on.
    pub(super) fn each(&self, take: impl FnMut(&OtlpSpan) -> Result<(), OutOfMemory>) -> Result<(), OutOfMemory> {
        self.0.iter().flat_map(|(_, spans)| spans).try_for_each(take)
    }

    pub(super) fn first(&mut self) -> Option<&mut OtlpSpan> {
        self.0.first_mut()?.1.first_mut()
    }

    pub(super) fn finish(self) -> Vec<OtlpResourceSpans> {
        let resource = |(service, spans)| {
            let name = OtlpAnyValue::from(OtlpValue::StringValue(service));
            let attributes = vec![OtlpKeyValue { key: "service.name".into(), value: Some(name) }];
            let scope = OtlpScope { name: "raydex".into(), version: env!("CARGO_PKG_VERSION").into() };
            OtlpResourceSpans {
                resource: Some(OtlpResource { attributes }),
                scope_spans: vec![OtlpScopeSpans { scope: Some(scope), spans }],
            }
        };
        self.0.into_iter().map(resource).collect()
    }
}
