//! The code that `scripts/bench` measures: the crate's own work, over bytes in the isolate's memory. Built only with
//! the feature `bench`, and never into the Worker.
//!
//! Each export calls the same functions as the Worker, and measures nothing itself. With `check` the answer has a
//! digest of the result, to compare with other implementations; such a call is not timed.

#![expect(unreachable_pub, reason = "JavaScript reaches what the attribute exports")]

mod memory;
mod miniz;
mod seed;

use std::ops::ControlFlow;

use js_sys::Uint8Array;
use serde_json::json;
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use self::memory::{MemoryBucket, MemoryShards, run};
use self::miniz::MinizInflater;
use crate::backend::{BatchStore, ByteStream};
use crate::batch::{BatchLine, BatchReader, Inflater};
use crate::bucket_keys::LogPrefixes;
use crate::erasure::KnownErasures;
use crate::index::ShardEntry;
use crate::index::entry::PartView;
use crate::ledger::{DeliveryPlan, DeliveryWindow, PlanOptions, SourceId};
use crate::limits::PACK_BYTES;
use crate::lookup::{LookupResult, lookup};
use crate::memory::MemoryBudget;
use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};
use crate::pipeline::payload::PayloadPacker;
use crate::pipeline::plan_rules::PlanRules;
use crate::pipeline::scan::{BatchContext, BatchScan, scan_batch};
use crate::pipeline::transform::PartnerTransformer;
use crate::record::{Dataset, KeyNames, LineScanner, RayId, RayKey, RecordScan};
use crate::render::{PartnerOptions, write_partner_fields};
use crate::span_reader::ReadStats;

type Result<T> = std::result::Result<T, JsError>;

/// The name of the bucket, which has no effect.
const BUCKET_NAME: &str = "bench";
/// The key for a batch that has none of its own.
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084230Z_bench.log.gz";
/// Number of lines in a payload.
const LINES: u32 = 1000;
/// Bytes of rendered text that are buffered before they are dropped.
const TEXT: usize = 65_536;

/// Returns the size that the module's memory has grown to, in bytes.
#[wasm_bindgen]
#[must_use]
pub fn bench_memory() -> usize {
    core::arch::wasm32::memory_size(0) * 65_536
}

/// Inflates a batch; returns the number of bytes.
///
/// # Errors
/// An error if the batch is damaged.
#[wasm_bindgen]
pub fn bench_inflate(gzip: Uint8Array) -> Result<String> {
    let mut body = MemoryBucket::new(KEY, gzip).body();
    let mut inflater = Inflater::new();
    while let Some(piece) = run(body.next())? {
        let _flow = inflater.push(&piece, |_, _| ControlFlow::Continue(()))?;
    }
    Ok(json!({ "inflated": inflater.finish()?.inflated }).to_string())
}

/// Inflates a batch with `miniz_oxide`, stopping at each block; returns the number of bytes and blocks, and with
/// `check` the text's CRC-32. Without it no checksum is computed.
///
/// # Errors
/// An error if the batch is damaged.
#[wasm_bindgen]
pub fn bench_inflate_miniz(gzip: Uint8Array, check: bool) -> Result<String> {
    let mut body = MemoryBucket::new(KEY, gzip).body();
    let mut inflater = MinizInflater::default();
    let (mut bytes, mut sum) = (0, check.then(flate2::Crc::new));
    while let Some(piece) = run(body.next())? {
        inflater.push(&piece, |text| {
            bytes += text.len();
            if let Some(sum) = &mut sum {
                sum.update(text);
            }
        })?;
    }
    if !inflater.is_done() {
        return Err(JsError::new("the stream has no end"));
    }
    let crc = sum.map(|sum| sum.sum());
    Ok(json!({ "inflated": bytes, "blocks": inflater.blocks, "crc": crc }).to_string())
}

/// Indexes a batch in one pass, as the Worker does if nothing is delivered.
///
/// # Errors
/// An error if it is not a batch.
#[wasm_bindgen]
pub fn bench_index(gzip: Uint8Array, check: bool) -> Result<String> {
    let scan = scan_whole(&MemoryBucket::new(KEY, gzip), None)?;
    let packed: usize = scan.entries.iter().flat_map(|entry| &entry.parts).map(|part| part.bytes.len()).sum();
    let mut said = json!({ "rays": scan.counts.rays, "shards": scan.entries.len(), "packed": packed });
    if check && let Some(said) = said.as_object_mut() {
        said.insert("sha256".into(), digest_of_rays(&scan.entries)?.into());
    }
    Ok(said.to_string())
}

/// Indexes a batch, renders it for the partner, and packs the payloads, as the Worker does with delivery.
///
/// # Errors
/// An error if it is not a batch.
#[wasm_bindgen]
pub fn bench_parse(gzip: Uint8Array) -> Result<String> {
    let options = PlanOptions {
        format: crate::ledger::plan::FORMAT,
        lines: LINES,
        subrequests: Subrequests::Include,
        edge_records: EdgeRecords::default(),
        filter: None,
        backfill_filter: None,
        version: "cs_vod_v3.0".into(),
        tenant: "-".into(),
        unknown_country: "CN".into(),
        duplicates: DuplicatePolicy::Hold,
    };
    let windows = vec![DeliveryWindow::EVER];
    let rules = PlanRules::new(DeliveryPlan { number: 1, windows, options, repair: None, backfill: None });
    let rules = rules.ok_or_else(|| JsError::new("the bench's plan is not valid"))?;
    let scan = scan_whole(&MemoryBucket::new(KEY, gzip), Some(PartnerTransformer::new(rules, 0, PACK_BYTES)))?;
    let payloads = scan.plan.map(|plan| plan.payloads).unwrap_or_default();
    let lines: u64 = payloads.iter().map(|payload| payload.lines).sum();
    Ok(json!({ "rays": scan.counts.rays, "lines": lines, "payloads": payloads.len() }).to_string())
}

/// Renders every record of a batch for the partner.
///
/// # Errors
/// An error if it is not a batch.
#[wasm_bindgen]
pub fn bench_transform(gzip: Uint8Array, check: bool) -> Result<String> {
    let options = PartnerOptions::default();
    let (mut text, mut bytes, mut lines) = (Vec::new(), 0, 0_u64);
    let mut digest = check.then(Sha256::new);
    let mut drain = |text: &mut Vec<u8>| {
        bytes += text.len();
        if let Some(digest) = &mut digest {
            digest.update(&*text);
        }
        text.clear();
    };
    let mut scanner = LineScanner::new(Dataset::HttpRequests);
    let mut sink = |line: BatchLine<'_>| {
        if let BatchLine::Text { bytes, .. } = line
            && let Ok(RecordScan { fields, .. }) = scanner.record(bytes)
        {
            write_partner_fields(&mut text, &fields, &options);
            lines += 1;
        }
        if text.len() >= TEXT {
            drain(&mut text);
        }
        ControlFlow::Continue(())
    };
    let mut reader = BatchReader::default();
    let mut body = MemoryBucket::new(KEY, gzip).body();
    while let Some(piece) = run(body.next())? {
        let _flow = reader.push(&piece, &mut sink)?;
    }
    reader.finish(&mut sink)?;
    drain(&mut text);
    let sha256 = digest.map(|digest| hex::encode(digest.finalize()));
    Ok(json!({ "lines": lines, "bytes": bytes, "sha256": sha256 }).to_string())
}

/// Packs lines into payloads.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BenchPacker(PayloadPacker);

#[wasm_bindgen]
impl BenchPacker {
    /// Creates an empty packer.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self(PayloadPacker::new(LINES))
    }

    /// Returns the body of a payload of these lines, at most [`LINES`].
    #[must_use]
    pub fn pack(&mut self, text: &Uint8Array) -> Vec<u8> {
        let text = text.to_vec();
        let (mut full, mut begin) = (None, 0);
        // The Worker knows where the lines end: it writes them.
        for newline in memchr::memchr_iter(b'\n', &text) {
            self.0.text().extend_from_slice(text.get(begin..=newline).unwrap_or_default());
            full = full.or(self.0.end_line(0));
            begin = newline + 1;
        }
        full.or_else(|| self.0.finish()).map(|packed| packed.body).unwrap_or_default()
    }
}

/// An indexed batch, for lookups.
#[wasm_bindgen]
#[derive(Debug)]
pub struct BenchBatch {
    bucket: MemoryBucket,
    shards: MemoryShards,
}

#[wasm_bindgen]
impl BenchBatch {
    /// Indexes a batch.
    ///
    /// # Errors
    /// An error if it is not a batch.
    #[wasm_bindgen(constructor)]
    pub fn new(key: &str, gzip: Uint8Array) -> Result<Self> {
        let bucket = MemoryBucket::new(key, gzip);
        let scan = scan_whole(&bucket, None)?;
        let shards = MemoryShards::new(bucket.object(), scan.entries);
        Ok(Self { bucket: bucket.with_windows(&scan.windows), shards })
    }

    /// Looks up rays one after another; returns the number of records and bytes found, and the cost.
    ///
    /// # Errors
    /// An error if one of them is not a ray.
    pub fn lookup(&self, rays: Vec<String>) -> Result<String> {
        let (mut records, mut bytes, mut cost) = (0, 0, ReadStats::default());
        for ray in rays {
            let found = self.find(&ray)?;
            records += found.records.len();
            bytes += found.records.iter().map(|record| record.line.len()).sum::<usize>();
            cost += found.stats;
        }
        Ok(json!({ "records": records, "bytes": bytes, "cost": cost }).to_string())
    }

    /// Returns the lines of one ray, each with its newline.
    ///
    /// # Errors
    /// An error if it is not a ray.
    pub fn lines(&self, ray: &str) -> Result<Vec<u8>> {
        let records = self.find(ray)?.records;
        Ok(records.iter().flat_map(|record| [&record.line, &b"\n"[..]].concat()).collect())
    }

    fn find(&self, ray: &str) -> Result<LookupResult> {
        let key = RayKey::from_logged(ray).ok_or_else(|| JsError::new("the bench asks for no ray"))?;
        let (bucket, prefixes, erasures) = (&self.bucket, LogPrefixes::default(), KnownErasures::default());
        let (logs, data, prefixes, erasures) = (bucket, bucket, &prefixes, &erasures);
        let store = BatchStore { logs, data, bucket_name: BUCKET_NAME, prefixes, erasures };
        let datasets = [Dataset::HttpRequests];
        Ok(run(lookup(store, &self.shards, &datasets, &key, &MemoryBudget::default().reservation()))?)
    }
}

/// Scans the batch once.
fn scan_whole(bucket: &MemoryBucket, transform: Option<PartnerTransformer>) -> Result<BatchScan> {
    let object = bucket.object();
    let source = SourceId::for_object(BUCKET_NAME, &object.key, &object.etag);
    let names = KeyNames::of(Dataset::HttpRequests);
    let context = BatchContext { source: &source, names, default_ms: 0, is_judged: false };
    Ok(run(scan_batch(bucket, bucket.body(), context, transform))?)
}

/// Returns the SHA-256 of all rays in the entries: unpacked, sorted, one per line.
fn digest_of_rays(entries: &[ShardEntry]) -> Result<String> {
    let mut rays = Vec::new();
    for entry in entries {
        let name = entry.shard.to_string();
        let prefix = u32::from_str_radix(name.rsplit('/').next().unwrap_or_default(), 16)?;
        for part in &entry.parts {
            let locations = PartView::open(&part.bytes)?.locations()?;
            rays.extend(locations.iter().map(|location| RayId::from_parts(prefix, location.suffix())));
        }
    }
    rays.sort_unstable();
    rays.dedup();
    let mut digest = Sha256::new();
    for ray in rays {
        digest.update(format!("{ray}\n"));
    }
    Ok(hex::encode(digest.finalize()))
}
