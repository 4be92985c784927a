//! A batch that is worked through, and how it is planned what to read of it.
//!
//! What always holds: what lies beside a batch and cannot be read costs reading the batch in full, and nothing else.

use std::collections::VecDeque;
use std::rc::Rc;

use super::plan::{Plan, Read, plan};
use super::prune::{Window, is_worth_it};
use super::read::Reading;
use super::{Ask, Told};
use crate::backend::{BackendError, BatchStore, Bucket, Bytes, WholeBody};
use crate::bucket_keys::{summaries_key, version_digest};
use crate::index::{ObjectVersion, SpanSummaries, Summary};
use crate::limits::SUMMARIES_OBJECT_MAX;

/// The batch that is worked through.
#[derive(Debug)]
pub(super) struct Open<Y> {
    pub(super) place: i64,
    pub(super) object: Rc<ObjectVersion>,
    pub(super) window: Window,
    pub(super) summary: Option<Summary>,
    /// What is to be read of it; `None` before that is known, and again after an error.
    pub(super) reads: Option<VecDeque<Read>>,
    /// It is to be read in full.
    pub(super) in_full: bool,
    pub(super) reading: Option<Box<Reading<Y>>>,
    /// Where its text began for this run.
    pub(super) from: u64,
    pub(super) was_counted: bool,
    pub(super) was_read: bool,
}

impl<Y> Open<Y> {
    /// A batch before anything of it was read, from this place of its text on.
    pub(super) fn new(place: i64, object: ObjectVersion, window: Window, summary: Option<Summary>, from: u64) -> Self {
        Self {
            place,
            object: Rc::new(object),
            window,
            summary,
            reads: None,
            in_full: false,
            reading: None,
            from,
            was_counted: false,
            was_read: false,
        }
    }
}

/// What is to be read of a batch, from this place of its text on.
pub(super) async fn plan_of<Y>(
    ask: &Ask,
    open: &Open<Y>,
    store: BatchStore<'_, impl Bucket>,
    from: u64,
    told: &mut Told,
) -> Result<Plan, BackendError> {
    let whole = Plan { reads: [Read::Whole].into(), skipped: 0 };
    let has_spans = open
        .summary
        .as_ref()
        .is_some_and(|summary| is_worth_it(ask, open.window, summary) || (from > 0 && summary.spans > 1));
    if open.in_full || !has_spans {
        return Ok(whole);
    }
    let summaries = summaries_of(store, &open.object, told).await?;
    Ok(summaries.map_or(whole, |summaries| plan(ask, open.window, &summaries, open.object.size, from)))
}

/// The summaries of the batch's spans; `None` where they are gone or damaged, so that all of it is read.
async fn summaries_of(
    store: BatchStore<'_, impl Bucket>,
    object: &ObjectVersion,
    told: &mut Told,
) -> Result<Option<SpanSummaries>, BackendError> {
    told.objects_read += 1;
    let key = summaries_key(&store.version_digest(&object.key, &object.etag));
    let Some((head, body)) = store.data.get(&key).await? else { return Ok(None) };
    if head.size > SUMMARIES_OBJECT_MAX {
        return Ok(None);
    }
    let bytes = WholeBody::new(body, head.size).all().await?;
    told.bytes_read += bytes.len() as u64;
    Ok(SpanSummaries::from_bytes(&bytes))
}

/// A hash of the version, which is never 0. All batches of a query are in one bucket, so its name is left out.
pub(super) fn version_of(object: &ObjectVersion) -> u64 {
    let digest = version_digest("", &object.key, &object.etag);
    u64::from_str_radix(digest.get(..16).unwrap_or_default(), 16).unwrap_or_default() | 1
}
