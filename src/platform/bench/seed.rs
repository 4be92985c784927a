//! Index entries of invented batches: for measuring a lookup among many of them.
//!
//! An entry is built and stored in the same way as that of a real batch. A batch is determined by its number.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use super::Result;
use crate::batch::{BatchLine, ObjectSpans, PointForm, SpanExtent};
use crate::index::calls::PutEntry;
use crate::index::{BatchIndex, IndexBuilder, ObjectVersion};
use crate::limits::SPAN_BYTES;
use crate::record::{Dataset, IndexedFields, RayId, read_key};
use crate::rpc::Call;

/// Average size of a line in bytes.
const LINE_BYTES: u64 = 1_600;
/// Compression ratio of a batch.
const RATIO: u64 = 13;
/// Average size of a window in bytes.
const WINDOW_BYTES: u64 = 2_200;
/// An odd number that spreads the low bits of rays.
const SPREAD: u32 = 0x9E37_79B1;

/// Returns the spans of a batch with this number of text bytes, as a real one has them.
fn spans_of(text: u64) -> ObjectSpans {
    let extent = |number: u32| SpanExtent {
        number,
        form: PointForm::Block,
        bit: u64::from(number) * SPAN_BYTES / RATIO * 8 + 3,
        bytes: SPAN_BYTES / RATIO + 1_500,
        offset: u64::from(number) * SPAN_BYTES,
        head: 700,
        text: Some(SPAN_BYTES),
        window: u64::from(number) * WINDOW_BYTES..u64::from(number + 1) * WINDOW_BYTES,
    };
    let spans = u32::try_from(text.div_ceil(SPAN_BYTES)).unwrap_or(u32::MAX);
    ObjectSpans { extents: (0..spans).map(extent).collect(), windows: Vec::new() }
}

/// Returns the calls that put batch `number` into the index: `[name of the shard, name of the call, its body]` for each
/// of its shards. It has `records` records, over the 30 seconds from `start_ms` on.
///
/// # Errors
/// An error if the instant has no ray.
#[wasm_bindgen]
pub fn bench_puts(number: u32, start_ms: f64, records: u32) -> Result<Array> {
    #[expect(clippy::cast_possible_truncation, reason = "an instant of JavaScript is a whole number below 2^53")]
    let start_ms = start_ms as i64;
    let mut index = IndexBuilder::new(Dataset::HttpRequests, start_ms);
    for record in 0..records {
        let at = start_ms + i64::from(record) * 30_000 / i64::from(records.max(1));
        let random = (record ^ number.rotate_left(16)).wrapping_mul(SPREAD);
        let ray = RayId::at(at, random).ok_or_else(|| JsError::new("there are no rays of that time"))?;
        let line = format!(r#"{{"RayID":"{ray}"}}"#);
        let offset = u64::from(record) * LINE_BYTES;
        let span = u32::try_from(offset / SPAN_BYTES).unwrap_or(u32::MAX);
        let (bytes, indexed_fields) = (line.as_bytes(), IndexedFields::read(line.as_bytes()));
        let key = read_key(Dataset::HttpRequests, bytes);
        index.take(BatchLine::Text { offset, span, bytes }, key.map(|key| (key, &indexed_fields)))?;
    }
    let object = ObjectVersion {
        key: format!("logs/http_requests/seeded/{number:08}.log.gz"),
        etag: format!("{number:032x}"),
        uploaded_ms: start_ms + 60_000,
        size: u64::from(records) * LINE_BYTES / RATIO,
        origin: None,
    };
    let BatchIndex { entries, summaries, .. } = index.finish(&spans_of(u64::from(records) * LINE_BYTES))?;
    let calls = entries.into_iter().map(|entry| {
        let put = PutEntry {
            dataset: Dataset::HttpRequests,
            object: object.clone(),
            time_slots: entry.time_slots,
            parts: entry.parts,
            link_slots: entry.link_slots,
            links: entry.links,
            summary: summaries.batch.clone(),
            rewrites: false,
        };
        Array::of3(&entry.shard.to_string().into(), &PutEntry::NAME.into(), &Uint8Array::from(put.to_body().as_slice()))
    });
    Ok(calls.collect())
}
