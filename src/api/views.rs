//! What several answers show alike: books, batches, plans, payloads.
//!
//! What always holds: an instant is RFC 3339, or null where there is none; what can be acted upon is named by its
//! handle.

use serde::Serialize;

use crate::index::{Counts, ObjectVersion};
use crate::ledger::books::{Batch, PayloadView, Totals};
use crate::ledger::delivery::Payload;
use crate::ledger::{DeliveryId, OPEN, Plan, PlanForm, SEALED, SET_ASIDE, State, Window};
use crate::time::rfc3339;

/// The states of a batch, as they are asked for and counted by.
pub(crate) const BATCH_STATES: [&str; 3] = [OPEN, SEALED, SET_ASIDE];
/// Payloads that wait to be sent, as whoever waits for them counts them.
const PENDING: &str = "pending";

/// The books with every count, zeroes too.
pub(crate) fn whole(mut books: Totals) -> Totals {
    for state in BATCH_STATES {
        books.sources.entry(state.into()).or_default();
    }
    for state in State::ALL {
        books.payloads.entry(state.name().into()).or_default();
    }
    let prepared = books.payloads.get(State::Prepared.name()).copied().unwrap_or_default();
    books.payloads.insert(PENDING.into(), prepared);
    books
}

/// A batch.
#[derive(Serialize)]
pub(crate) struct BatchShown {
    id: String,
    object: ObjectShown,
    dataset: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    indexed: bool,
    gone: bool,
    begun: String,
    sealed: Option<String>,
    inflated: u64,
    counts: Counts,
}

/// A version of an object.
#[derive(Serialize)]
struct ObjectShown {
    key: String,
    etag: String,
    size: u64,
    uploaded: String,
}

impl From<Batch> for BatchShown {
    fn from(batch: Batch) -> Self {
        let Batch { id, object, dataset, state, code, reason, indexed, gone, begun_ms, sealed_ms, counts, inflated } =
            batch;
        let ObjectVersion { key, etag, size, uploaded_ms } = object;
        let object = ObjectShown { key, etag, size, uploaded: rfc3339(uploaded_ms) };
        let (begun, sealed) = (rfc3339(begun_ms), sealed_ms.map(rfc3339));
        Self { id, object, dataset, state, code, reason, indexed, gone, begun, sealed, inflated, counts }
    }
}

/// A plan.
#[derive(Serialize)]
pub(crate) struct PlanShown {
    number: u32,
    windows: Vec<WindowShown>,
    form: PlanForm,
}

/// A window; null where it has no end.
#[derive(Serialize)]
struct WindowShown {
    start: Option<String>,
    end: Option<String>,
}

impl From<Plan> for PlanShown {
    fn from(Plan { number, windows, form }: Plan) -> Self {
        let instant = |at: i64, never: i64| (at != never).then(|| rfc3339(at));
        let windows = windows.iter().map(|window| WindowShown {
            start: instant(window.start_ms, Window::EVER.start_ms),
            end: instant(window.end_ms, Window::EVER.end_ms),
        });
        Self { number, windows: windows.collect(), form }
    }
}

/// A payload.
#[derive(Serialize)]
pub(crate) struct PayloadShown {
    id: String,
    batch_id: String,
    plan: u32,
    #[serde(flatten)]
    payload: Payload,
    state: State,
    attempts: u32,
    ambiguous: u32,
    status: Option<u16>,
    code: Option<String>,
    /// Why a person decided against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    due: Option<String>,
    settled: Option<String>,
    /// Those that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    halves: Option<[String; 2]>,
}

impl From<PayloadView> for PayloadShown {
    fn from(view: PayloadView) -> Self {
        let halves = (view.state == State::Split).then(|| halves(&view.id)).flatten();
        let (code, reason) = if view.state == State::Dropped { (None, view.code) } else { (view.code, None) };
        let (due, settled) = (view.due_ms.map(rfc3339), view.settled_ms.map(rfc3339));
        let PayloadView { id, batch_id, plan, payload, state, attempts, ambiguous, status, .. } = view;
        Self { id, batch_id, plan, payload, state, attempts, ambiguous, status, code, reason, due, settled, halves }
    }
}

/// The handles of a payload's halves.
fn halves(handle: &str) -> Option<[String; 2]> {
    let whole = DeliveryId::from_handle(handle)?;
    Some(whole.halves().map(|index| DeliveryId { index, ..whole.clone() }.handle()))
}
