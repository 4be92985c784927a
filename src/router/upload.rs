//! Uploads: their bytes are counted and hashed on the way to the bucket, for their entry in the audit log.
//!
//! # Invariants
//! The entry is written once the body was read to its end, and before the object appears in the bucket: it has the key,
//! the number of bytes and their SHA-256.

use std::cell::RefCell;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::audit_trail::AuditTrail;
use super::canonical::RequestRecord;
use crate::access::Caller;
use crate::api::{ingest, traces};
use crate::backend::{BackendError, ByteStream};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply};
use crate::record::Dataset;
use crate::services::Services;

/// What was received of a body.
#[derive(Debug, Default)]
struct UploadDigest {
    bytes: u64,
    sha256: Sha256,
}

/// A body whose pieces are counted and hashed as they are taken.
struct HashedBody<Y> {
    body: Y,
    digest: Rc<RefCell<UploadDigest>>,
}

impl<Y: ByteStream> ByteStream for HashedBody<Y> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let piece = self.body.next().await?;
        if let Some(piece) = &piece {
            let mut digest = self.digest.borrow_mut();
            digest.bytes += piece.len() as u64;
            digest.sha256.update(piece);
        }
        Ok(piece)
    }
}

/// Stores an upload of the dataset that the path names, or else the spans of an exporter, and records it.
///
/// # Errors
/// The [`Problem`] of the upload, or of an audit log that does not respond; nothing was stored then.
pub(super) async fn ingest<D: Services>(
    config: &Config,
    services: &D,
    (trail, caller): (&AuditTrail<'_, D>, &Caller),
    request: HttpRequest<impl ByteStream>,
    dataset: Option<&str>,
) -> Result<Reply, Problem> {
    let digest = Rc::<RefCell<UploadDigest>>::default();
    let (body, head) = request.replace_body(());
    let request = head.with_body(HashedBody { body, digest: digest.clone() });
    let audit = async |key: &str| {
        let record = upload_record(key, dataset.unwrap_or(Dataset::Traces.name()), &digest.borrow());
        trail.admit_upload(&record).await
    };
    match dataset {
        Some(dataset) => ingest::ingest_batch(config, services, caller, request, dataset, audit).await,
        None => traces::ingest_traces(config, services, caller, request, audit).await,
    }
}

/// What the audit log keeps of an upload.
fn upload_record(key: &str, dataset: &str, digest: &UploadDigest) -> RequestRecord {
    let values = [
        ("bytes".to_owned(), digest.bytes.into()),
        ("dataset".to_owned(), dataset.into()),
        ("sha256".to_owned(), hex::encode(digest.sha256.clone().finalize()).into()),
    ];
    RequestRecord { resource: key.to_owned(), values: values.into(), reason: None }
}
