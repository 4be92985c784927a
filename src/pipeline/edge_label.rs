//! The label of a batch of the edge logger: what its isolate counted, for the ledger to add up.

use crate::backend::{BackendError, Bucket};
use crate::edge::BatchLabel;
use crate::index::ObjectVersion;
use crate::record::Dataset;

/// Returns the label of a batch; `None` for a batch of another dataset, or without a valid label.
pub(super) async fn edge_label(
    bucket: &impl Bucket,
    dataset: Dataset,
    object: &ObjectVersion,
) -> Result<Option<BatchLabel>, BackendError> {
    if dataset != Dataset::EdgeRequests {
        return Ok(None);
    }
    let label = bucket.edge_label(&object.key, &object.etag).await?;
    Ok(label.and_then(|label| BatchLabel::parse(&label)))
}
