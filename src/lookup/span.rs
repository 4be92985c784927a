//! Reads the lines of one ray out of one span: a ranged read of the batch, and beside it one of its windows.
//!
//! What always holds: all lines come that the index counted in the span, or none and the reason; what a damaged
//! access point makes up is never returned, since each line is checked to carry the ray.

use std::ops::ControlFlow;

use futures_util::future::try_join;

use super::gather::{Gathering, Look, Wanted};
use super::{Cost, LookupError};
use crate::backend::{BackendError, BatchStore, Bucket, Bytes, Ranged, WholeBody};
use crate::batch::{BatchReader, SpanPlace};
use crate::bucket_keys::windows_key;
use crate::index::ObjectVersion;

/// A span that holds lines of the ray.
#[derive(Debug)]
pub(super) struct WantedSpan<'a> {
    /// Where it lies.
    pub(super) place: &'a SpanPlace,
    /// How many lines of the ray begin in it.
    pub(super) lines: usize,
}

/// What reading a span came to.
#[derive(Debug)]
pub(super) enum SpanRead<'a> {
    /// All of its lines.
    All(Gathering<'a>),
    /// The batch is gone.
    Gone,
    /// The batch is another one now, or the access point is gone or no window.
    Useless,
    /// Fewer lines than there should be: the access point is damaged, or they spell the ray in another way.
    Less,
}

/// Reads the lines of the ray that begin in this span, and says what that cost.
pub(super) async fn read<'a>(
    store: BatchStore<'_, impl Bucket>,
    wanted: &'a Wanted<'a>,
    object: &ObjectVersion,
    span: &WantedSpan<'_>,
) -> Result<(SpanRead<'a>, Cost), LookupError> {
    wanted.reserve_reader()?;
    let read = twice(store, wanted, object, span).await;
    wanted.release_reader();
    read
}

async fn twice<'a>(
    store: BatchStore<'_, impl Bucket>,
    wanted: &'a Wanted<'a>,
    object: &ObjectVersion,
    span: &WantedSpan<'_>,
) -> Result<(SpanRead<'a>, Cost), LookupError> {
    let (read, cost) = once(store, wanted, object, span, true).await?;
    if !matches!(read, SpanRead::Less) {
        return Ok((read, cost));
    }
    // The lines that are missing spell the ray in another way.
    let (read, more) = once(store, wanted, object, span, false).await?;
    Ok((read, cost.add(more)))
}

async fn once<'a>(
    store: BatchStore<'_, impl Bucket>,
    wanted: &'a Wanted<'a>,
    object: &ObjectVersion,
    span: &WantedSpan<'_>,
    spelled: bool,
) -> Result<(SpanRead<'a>, Cost), LookupError> {
    let place = span.place;
    let range = place.first_byte()..place.first_byte().saturating_add(place.bytes);
    let mut cost = Cost::default();
    let batch = store.logs.get_range(&object.key, Some(&object.etag), range);
    let (window, batch) = try_join(window(store, object, place), batch).await?;
    cost.bytes_read = window.as_ref().map_or(0, Vec::len) as u64;
    cost.objects_read = u64::from(cost.bytes_read > 0) + u64::from(matches!(batch, Ranged::Body(_)));
    let body = match batch {
        Ranged::Gone => return Ok((SpanRead::Gone, cost)),
        Ranged::Changed => return Ok((SpanRead::Useless, cost)),
        Ranged::Body(body) => WholeBody::new(body, place.bytes),
    };
    let Some(reader) = window.and_then(|window| BatchReader::of_span(place, &window)) else {
        return Ok((SpanRead::Useless, cost));
    };
    let look = Look::For { lines: span.lines, text_end: place.text_end(), spelled };
    let mut gathering = Gathering::new(wanted, look, object.clone());
    let ends_object = place.first_byte().saturating_add(place.bytes) >= object.size;
    inflate(body, reader, ends_object, &mut gathering, &mut cost).await?;
    gathering.check_memory()?;
    let read = if gathering.is_complete() { SpanRead::All(gathering) } else { SpanRead::Less };
    Ok((read, cost))
}

/// The packed window of the span; `None` where it is not there any more.
async fn window(
    store: BatchStore<'_, impl Bucket>,
    object: &ObjectVersion,
    place: &SpanPlace,
) -> Result<Option<Vec<u8>>, BackendError> {
    if place.window.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let key = windows_key(&store.version_digest(&object.key, &object.etag));
    match store.data.get_range(&key, None, place.window.clone()).await? {
        Ranged::Body(body) => body.all().await.map(Some),
        Ranged::Changed | Ranged::Gone => Ok(None),
    }
}

/// Reads until there is nothing more to find. What cannot be read ends it early.
async fn inflate(
    mut body: impl Bytes,
    mut reader: BatchReader,
    ends_object: bool,
    gathering: &mut Gathering<'_>,
    cost: &mut Cost,
) -> Result<(), BackendError> {
    while let Some(piece) = body.next().await? {
        cost.bytes_read += piece.len() as u64;
        let pushed = reader.push(&piece, |line| gathering.line(line));
        cost.bytes_inflated = reader.totals().inflated;
        if !matches!(pushed, Ok(ControlFlow::Continue(()))) {
            return Ok(());
        }
    }
    if ends_object {
        // A last line without a newline comes now; damage shows in what was found.
        let _totals = reader.finish(|line| gathering.line(line));
    }
    Ok(())
}
