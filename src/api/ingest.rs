//! `POST /v1/ingest/{dataset}`: Logpush's HTTP destination.
//!
//! The body becomes a batch in the bucket, named as Logpush names its own, and a message on `parse-queue`; from
//! there on it is like any other. gzip is stored as it comes, plain NDJSON is compressed on the way.
//!
//! # Invariants
//! Memory holds at most one part of the body, reserved in the memory budget first. The object appears complete or not
//! at all. Success is answered only after the object is stored and its message is sent. A body whose beginning shows
//! that it is not NDJSON, or of another dataset, is refused before anything of it is stored, with the words of its
//! quarantine.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::retry::retry_for;
use crate::backend::{BackendError, Bucket, ByteStream, MultipartUpload, ObjectHead, Queue};
use crate::batch::{BatchError, GZIP_MAGIC, is_test_upload};
use crate::bucket_keys::batch_key;
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{
    BESIDE_UPLOADS, HEAD_STORED, INGEST_MAX, TEST_UPLOAD_MAX, UPLOAD_BESIDE, UPLOAD_BUSY_MS, UPLOAD_PART, UPLOAD_STEP,
};
use crate::memory::Reservation;
use crate::pipeline::{BatchHead, DatasetChoice, choose_dataset};
use crate::r2_event::R2Event;
use crate::record::Dataset;
use crate::services::Services;

/// The gzip level for plain bodies, which gives the sizes of Logpush's own files.
const LEVEL: Compression = Compression::new(6);

/// The answer to an upload.
#[derive(Serialize)]
struct IngestResponse<'a> {
    /// `batch`, or `test` for Logpush's test upload, which is not kept.
    accepted: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// Stores one upload as a batch and announces it; a test upload is accepted and not stored. `audit` records the key once
/// the body was read, before the object appears.
pub(crate) async fn ingest_batch<Y: ByteStream>(
    config: &Config,
    services: &impl Services,
    mut request: HttpRequest<Y>,
    argument: &str,
    audit: impl AsyncFnOnce(&str) -> Result<(), Problem>,
) -> Result<Reply, Problem> {
    let dataset = Dataset::from_name(argument).ok_or_else(problems::unknown_dataset)?;
    // Logpush makes headers of the parameters of a destination that begin so.
    if request.parameter_names().any(|name| !name.starts_with("header_")) {
        return Err(problems::unknown_parameter(&[]));
    }
    if request.content_length().is_some_and(|length| length > INGEST_MAX) {
        return Err(problems::too_large());
    }
    let mut head = Vec::new();
    let mut is_whole = read_to(&mut head, TEST_UPLOAD_MAX, &mut request.body).await?;
    if is_test_upload(&head) {
        return Ok(reply(&IngestResponse { accepted: "test", key: None, size: None }));
    }
    let part = part_bytes(request.content_length());
    let _reservation = reserve_part(services, part).await?;
    is_whole = is_whole || read_to(&mut head, HEAD_STORED, &mut request.body).await?;
    check_head(dataset, &head, is_whole)?;
    let now = services.now_ms();
    let folder = config.log_prefix.upload_folder(dataset);
    let key = batch_key(folder, dataset, now, now, services.random_bits());
    let object = store(services.bucket(), &key, part, head, &mut request.body, audit).await?;
    let event = R2Event::put_object(services.bucket_name(), &key, object.size, &object.etag, now);
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(reply(&IngestResponse { accepted: "batch", key: Some(&key), size: Some(object.size) }))
}

/// The size of a part in bytes: [`UPLOAD_PART`], or less if the body is announced as shorter.
fn part_bytes(length: Option<u64>) -> usize {
    length.and_then(|length| usize::try_from(length).ok()).map_or(UPLOAD_PART, |length| length.min(UPLOAD_PART))
}

/// Reserves the memory of a part, and waits while other requests hold it.
async fn reserve_part(services: &impl Services, part: usize) -> Result<Reservation, Problem> {
    let reservation = services.memory().reservation();
    let reserve = async || Ok(reservation.reserve_leaving(part + UPLOAD_BESIDE, BESIDE_UPLOADS)?);
    retry_for(UPLOAD_BUSY_MS, services, &reservation, reserve).await?;
    Ok(reservation)
}

fn reply(answer: &IngestResponse<'_>) -> Reply {
    Reply::new(200, JSON, serde_json::to_vec(answer).unwrap_or_default())
}

/// Reads the body into `head` until that has more than `most` bytes; returns whether the body ended.
async fn read_to(head: &mut Vec<u8>, most: usize, body: &mut impl ByteStream) -> Result<bool, Problem> {
    while head.len() <= most {
        let Some(piece) = body.next().await.map_err(|_| problems::body_broken())? else { return Ok(true) };
        head.extend_from_slice(&piece);
    }
    Ok(false)
}

/// Refuses a body whose beginning shows that it is no batch of the dataset.
fn check_head(dataset: Dataset, head: &[u8], is_whole: bool) -> Result<(), Problem> {
    if head.trim_ascii().is_empty() {
        return if is_whole { Err(problems::empty_body()) } else { Ok(()) };
    }
    let stored = head.get(..HEAD_STORED.min(head.len())).unwrap_or_default();
    let found = BatchHead::of(stored, is_whole && stored.len() == head.len());
    if let Some(form) = found.form.or(found.form_without_records) {
        return Err(problems::not_a_batch(BatchError::Form(form)));
    }
    match choose_dataset(dataset.into(), &found.records) {
        DatasetChoice::Contradiction { named, found } => Err(problems::records_of_other_dataset(named, found)),
        DatasetChoice::Read(_) | DatasetChoice::Unknown => Ok(()),
    }
}

/// Writes the body as one object: at once if it fits in a part, else in parts.
async fn store<B: Bucket>(
    bucket: &B,
    key: &str,
    part: usize,
    head: Vec<u8>,
    body: &mut impl ByteStream,
    audit: impl AsyncFnOnce(&str) -> Result<(), Problem>,
) -> Result<ObjectHead, Problem> {
    let mut received = 0;
    let mut packer = BodyPacker::new(&head);
    let mut upload: Option<B::Upload> = None;
    let mut piece = Some(head);
    let failure = loop {
        let Some(bytes) = piece else { break None };
        received += bytes.len() as u64;
        if received > INGEST_MAX {
            break Some(problems::too_large());
        }
        if store_piece(bucket, key, part, &bytes, &mut packer, &mut upload).await.is_err() {
            break Some(problems::unavailable());
        }
        match body.next().await {
            Ok(next) => piece = next,
            Err(_) => break Some(problems::body_broken()),
        }
    };
    let failure = match failure {
        None => audit(key).await.err(),
        failure => failure,
    };
    if let Some(problem) = failure {
        abort_upload(upload).await;
        return Err(problem);
    }
    finish_object(bucket, key, packer, upload).await.map_err(|_| problems::unavailable())
}

/// Drops the parts of an upload. Those that cannot be dropped now expire by themselves after a week.
async fn abort_upload(upload: Option<impl MultipartUpload>) {
    if let Some(upload) = upload {
        let _dropped = upload.abort().await;
    }
}

/// Packs a piece of the body in steps, and sends each part that fills up.
async fn store_piece<B: Bucket>(
    bucket: &B,
    key: &str,
    part: usize,
    bytes: &[u8],
    packer: &mut BodyPacker,
    upload: &mut Option<B::Upload>,
) -> Result<(), BackendError> {
    for step in bytes.chunks(UPLOAD_STEP) {
        packer.make_room(part);
        packer.push(step).map_err(|error| packing_error(&error))?;
        send_parts(bucket, key, packer, upload).await?;
    }
    Ok(())
}

/// Sends every full part that the packer holds.
async fn send_parts<B: Bucket>(
    bucket: &B,
    key: &str,
    packer: &mut BodyPacker,
    upload: &mut Option<B::Upload>,
) -> Result<(), BackendError> {
    while let Some(part) = packer.take_part() {
        let upload = match upload {
            Some(upload) => upload,
            None => upload.insert(bucket.upload(key).await?),
        };
        upload.part(part).await?;
    }
    Ok(())
}

/// Sends the rest, and completes the object.
async fn finish_object<B: Bucket>(
    bucket: &B,
    key: &str,
    packer: BodyPacker,
    mut upload: Option<B::Upload>,
) -> Result<ObjectHead, BackendError> {
    match send_rest(bucket, key, packer, &mut upload).await {
        Ok(rest) => match upload {
            Some(upload) => upload.complete().await,
            None => bucket.put(key, rest).await,
        },
        Err(error) => {
            abort_upload(upload).await;
            Err(error)
        }
    }
}

/// Sends the rest as the last part if an upload has begun; else returns it, since it is the complete body.
async fn send_rest<B: Bucket>(
    bucket: &B,
    key: &str,
    packer: BodyPacker,
    upload: &mut Option<B::Upload>,
) -> Result<Vec<u8>, BackendError> {
    // The end of the compression may fill one more part.
    let mut last = BodyPacker::AsIs(packer.finish().map_err(|error| packing_error(&error))?);
    send_parts(bucket, key, &mut last, upload).await?;
    let rest = last.finish().map_err(|error| packing_error(&error))?;
    match upload {
        Some(upload) if !rest.is_empty() => upload.part(rest).await.map(|()| Vec::new()),
        _ => Ok(rest),
    }
}

/// The error of a body that cannot be compressed.
fn packing_error(error: &std::io::Error) -> BackendError {
    BackendError::new("compressing a body", error.to_string())
}

/// Collects the bytes to store. Before the first byte of each part its buffer has the capacity for a part and a step,
/// since a buffer that doubles as it grows would exist twice for a moment, and be larger.
enum BodyPacker {
    /// A gzip body, stored as it arrives.
    AsIs(Vec<u8>),
    /// A plain body, compressed while it arrives.
    Compress(Box<GzEncoder<Vec<u8>>>),
}

impl BodyPacker {
    fn new(head: &[u8]) -> Self {
        match head.first() {
            Some(&GZIP_MAGIC) => Self::AsIs(Vec::new()),
            _ => Self::Compress(Box::new(GzEncoder::new(Vec::new(), LEVEL))),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::AsIs(packed) => packed.write_all(bytes),
            Self::Compress(encoder) => encoder.write_all(bytes),
        }
    }

    /// Takes the first full part out of the buffer.
    fn take_part(&mut self) -> Option<Vec<u8>> {
        let packed = self.packed();
        if packed.len() < UPLOAD_PART {
            return None;
        }
        let rest = packed.split_off(UPLOAD_PART);
        Some(std::mem::replace(packed, rest))
    }

    /// Grows the capacity to a part of this size and a step.
    fn make_room(&mut self, part: usize) {
        let packed = self.packed();
        packed.reserve_exact((part + 2 * UPLOAD_STEP).saturating_sub(packed.len()));
    }

    fn packed(&mut self) -> &mut Vec<u8> {
        match self {
            Self::AsIs(packed) => packed,
            Self::Compress(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::AsIs(packed) => Ok(packed),
            Self::Compress(encoder) => encoder.finish(),
        }
    }
}
