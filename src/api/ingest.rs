//! `POST /v1/ingest/{dataset}`: Logpush's HTTP destination.
//!
//! The body becomes a batch in the bucket, named as Logpush names its own, and a message on `parse-queue`; from
//! there on it is like any other. gzip is stored as it comes, plain NDJSON is compressed on the way.
//!
//! # Invariants
//! Memory holds at most one part of the body, reserved as it grows: a client that sends little and stalls holds little. The object appears complete or not
//! at all. Success is answered only after the object is stored and its message is sent. A body whose beginning shows
//! that it is not NDJSON, or of another dataset, is refused before anything of it is stored, with the words of its
//! quarantine. A caller uploads only records that they could see: the dataset is checked at the door, the zone of each
//! line before the object appears. The object keeps who uploaded it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::retry::retry_for;
use super::upload_gate::UploadGate;
use crate::access::Caller;
use crate::backend::{BackendError, Bucket, ByteStream, MultipartUpload, ObjectHead, Queue};
use crate::batch::{BatchError, GZIP_MAGIC, is_test_upload};
use crate::bucket_keys::batch_key;
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{
    HEAD_STORED, INGEST_MAX, READER_BYTES, TEST_UPLOAD_MAX, UPLOAD_BESIDE, UPLOAD_BUFFERS, UPLOAD_BUSY_MS,
    UPLOAD_COMPRESSOR, UPLOAD_HEAD_COPIES, UPLOAD_LEAVES, UPLOAD_PART, UPLOAD_STEP,
};
use crate::memory::Reservation;
use crate::pipeline::delivered_from;
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
    caller: &Caller,
    mut request: HttpRequest<Y>,
    argument: &str,
    audit: impl AsyncFnOnce(&str) -> Result<(), Problem>,
) -> Result<Reply, Problem> {
    let dataset = Dataset::from_name(argument).ok_or_else(problems::unknown_dataset)?;
    if !caller.may_dataset(dataset) {
        return Err(problems::other_dataset());
    }
    // Logpush makes headers of the parameters of a destination that begin so.
    if request.parameter_names().any(|name| !name.starts_with("header_")) {
        return Err(problems::unknown_parameter(&[]));
    }
    if request.content_length().is_some_and(|length| length > INGEST_MAX) {
        return Err(problems::too_large());
    }
    let room = UploadRoom::new(services, &caller.name, part_bytes(request.content_length()));
    let mut head = Vec::new();
    let mut is_whole = read_to(&room, &mut head, TEST_UPLOAD_MAX, &mut request.body).await?;
    if is_test_upload(&head) {
        return Ok(reply(&IngestResponse { accepted: "test", key: None, size: None }));
    }
    is_whole = is_whole || read_to(&room, &mut head, HEAD_STORED, &mut request.body).await?;
    check_head(dataset, &head, is_whole)?;
    // An upload is never what lay in the bucket before the first start.
    delivered_from(services, config).await.map_err(|_| problems::unavailable())?;
    let now = services.now_ms();
    let folder = config.log_prefix.upload_folder(dataset);
    let key = batch_key(folder, dataset, now, now, services.random_bits());
    let gate = UploadGate::new(caller, dataset, config.log_prefix.zone(&key));
    let target = UploadTarget { bucket: services.bucket(), key: &key, uploader: &caller.name };
    let object = store((room, &target), (head, &mut request.body), gate, audit).await?;
    let event = R2Event::put_object(services.bucket_name(), &key, object.size, &object.etag, now);
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(reply(&IngestResponse { accepted: "batch", key: Some(&key), size: Some(object.size) }))
}

/// The size of a part in bytes: [`UPLOAD_PART`], or less if the body is announced as shorter.
fn part_bytes(length: Option<u64>) -> usize {
    length.and_then(|length| usize::try_from(length).ok()).map_or(UPLOAD_PART, |length| length.min(UPLOAD_PART))
}

fn reply(answer: &IngestResponse<'_>) -> Reply {
    Reply::small(200, JSON, &serde_json::to_vec(answer).unwrap_or_default())
}

/// Reads the body into `head` until that has more than `most` bytes; returns whether the body ended.
async fn read_to<D: Services>(
    room: &UploadRoom<'_, D>,
    head: &mut Vec<u8>,
    most: usize,
    body: &mut impl ByteStream,
) -> Result<bool, Problem> {
    while head.len() <= most {
        let Some(piece) = body.next().await.map_err(|_| problems::body_broken())? else { return Ok(true) };
        if head.is_empty() {
            room.reserve(piece.len(), UPLOAD_LEAVES[0]).await?;
            *head = piece;
            continue;
        }
        room.reserve(UPLOAD_HEAD_COPIES * piece.len(), UPLOAD_LEAVES[0]).await?;
        head.reserve_exact(piece.len());
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
async fn store<D: Services>(
    (mut room, target): (UploadRoom<'_, D>, &UploadTarget<'_, D::Bucket>),
    (head, body): (Vec<u8>, &mut impl ByteStream),
    mut gate: Option<UploadGate<'_>>,
    audit: impl AsyncFnOnce(&str) -> Result<(), Problem>,
) -> Result<ObjectHead, Problem> {
    let mut head_bytes = room.reservation.bytes();
    let compressor = if head.first() == Some(&GZIP_MAGIC) { 0 } else { UPLOAD_COMPRESSOR };
    let judging = if gate.is_some() { READER_BYTES } else { 0 };
    room.reserve(UPLOAD_BESIDE + compressor + judging, UPLOAD_LEAVES[0]).await?;
    let mut received = 0;
    let mut packer = BodyPacker::new(&head);
    let mut upload: Option<<D::Bucket as Bucket>::Upload> = None;
    let mut piece = Some(head);
    let failure = loop {
        let Some(bytes) = piece else { break None };
        received += bytes.len() as u64;
        if received > INGEST_MAX {
            break Some(problems::too_large());
        }
        if let Some(gate) = &mut gate {
            gate.push(&bytes);
        }
        // The rest of a refused upload is read for the count of its lines alone.
        if !gate.as_ref().is_some_and(UploadGate::is_closed)
            && let Err(problem) = store_piece(&mut room, target, &bytes, &mut packer, &mut upload).await
        {
            break Some(problem);
        }
        // The first piece was the head, which the buffer has now.
        room.reservation.release(std::mem::take(&mut head_bytes));
        match body.next().await {
            Ok(next) => piece = next,
            Err(_) => break Some(problems::body_broken()),
        }
    };
    let failure = failure.or_else(|| gate.and_then(|gate| gate.finish().err()));
    let failure = match failure {
        None => audit(target.key).await.err(),
        failure => failure,
    };
    if let Some(problem) = failure {
        abort_upload(upload).await;
        return Err(problem);
    }
    finish_object(target, packer, upload).await.map_err(|_| problems::unavailable())
}

/// The object that an upload becomes, and who uploads it.
struct UploadTarget<'a, B> {
    bucket: &'a B,
    key: &'a str,
    uploader: &'a str,
}

/// Drops the parts of an upload. Those that cannot be dropped now expire by themselves after a week.
async fn abort_upload(upload: Option<impl MultipartUpload>) {
    if let Some(upload) = upload {
        let _dropped = upload.abort().await;
    }
}

/// Packs a piece of the body in steps, and sends each part that fills up.
async fn store_piece<D: Services>(
    room: &mut UploadRoom<'_, D>,
    target: &UploadTarget<'_, D::Bucket>,
    bytes: &[u8],
    packer: &mut BodyPacker,
    upload: &mut Option<<D::Bucket as Bucket>::Upload>,
) -> Result<(), Problem> {
    for step in bytes.chunks(UPLOAD_STEP) {
        room.grow(packer.packed()).await?;
        let pushed = packer.push(step).map_err(|error| packing_error(&error));
        let sent = match pushed {
            Ok(()) => send_parts(target, packer, upload).await,
            Err(error) => Err(error),
        };
        sent.map_err(|_| problems::unavailable())?;
    }
    Ok(())
}

/// Sends every full part that the packer holds.
async fn send_parts<B: Bucket>(
    target: &UploadTarget<'_, B>,
    packer: &mut BodyPacker,
    upload: &mut Option<B::Upload>,
) -> Result<(), BackendError> {
    while let Some(part) = packer.take_part() {
        let upload = match upload {
            Some(upload) => upload,
            None => upload.insert(target.bucket.upload(target.key, target.uploader).await?),
        };
        upload.part(part).await?;
    }
    Ok(())
}

/// Sends the rest, and completes the object.
async fn finish_object<B: Bucket>(
    target: &UploadTarget<'_, B>,
    packer: BodyPacker,
    mut upload: Option<B::Upload>,
) -> Result<ObjectHead, BackendError> {
    match send_rest(target, packer, &mut upload).await {
        Ok(rest) => match upload {
            Some(upload) => upload.complete().await,
            None => target.bucket.put_upload(target.key, rest, target.uploader).await,
        },
        Err(error) => {
            abort_upload(upload).await;
            Err(error)
        }
    }
}

/// Sends the rest as the last part if an upload has begun; else returns it, since it is the complete body.
async fn send_rest<B: Bucket>(
    target: &UploadTarget<'_, B>,
    packer: BodyPacker,
    upload: &mut Option<B::Upload>,
) -> Result<Vec<u8>, BackendError> {
    // The end of the compression may fill one more part.
    let mut last = BodyPacker::AsIs(packer.finish().map_err(|error| packing_error(&error))?);
    send_parts(target, &mut last, upload).await?;
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

/// The memory of an upload: its head, what is beside its part, and the buffer of the part, which grows in three steps.
///
/// # Invariants
/// An upload that takes a step leaves what others need to finish theirs, so that uploads never wait for each other in a
/// circle.
struct UploadRoom<'s, D> {
    services: &'s D,
    reservation: Reservation,
    /// The capacity of the largest buffer, in bytes.
    full: usize,
    /// The bytes reserved for the buffer.
    buffer: usize,
}

impl<'s, D: Services> UploadRoom<'s, D> {
    /// Creates the room of an upload of this caller whose parts have this size, with nothing reserved.
    fn new(services: &'s D, uploader: &str, part: usize) -> Self {
        Self {
            services,
            reservation: services.memory().for_upload_of(uploader).reservation(),
            full: part + 2 * UPLOAD_STEP,
            buffer: 0,
        }
    }

    /// Reserves bytes and waits while other requests hold them; leaves `spare` bytes to others.
    async fn reserve(&self, bytes: usize, spare: usize) -> Result<(), Problem> {
        let nothing = self.services.memory().reservation();
        let reserve = async || Ok(self.reservation.reserve_leaving(bytes, spare)?);
        retry_for(UPLOAD_BUSY_MS, self.services, &nothing, reserve).await
    }

    /// Gives the buffer the capacity for another step of the body, at most that of a part.
    async fn grow(&mut self, packed: &mut Vec<u8>) -> Result<(), Problem> {
        let needed = (packed.len() + 2 * UPLOAD_STEP).min(self.full);
        if packed.capacity() >= needed {
            return Ok(());
        }
        let mut small = UPLOAD_BUFFERS.into_iter().zip(UPLOAD_LEAVES);
        let small = small.find(|(bytes, _)| *bytes >= needed && *bytes < self.full);
        let (bytes, spare) = small.unwrap_or((self.full, UPLOAD_LEAVES[2]));
        if bytes > self.buffer {
            // For a moment both buffers exist.
            self.reserve(bytes, spare).await?;
            packed.reserve_exact(bytes.saturating_sub(packed.len()));
            self.reservation.release(self.buffer);
            self.buffer = bytes;
        } else {
            packed.reserve_exact(self.buffer.saturating_sub(packed.len()));
        }
        Ok(())
    }
}

/// Collects the bytes to store. Its buffer has the capacity for each step before that is pushed, since a buffer that
/// doubles as it grows would be larger than what is reserved.
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
