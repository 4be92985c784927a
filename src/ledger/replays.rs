//! Replays: a source is read again at a person's request.
//!
//! # Invariants
//! A sealed source stays sealed while it waits for its replay; its accounts hold until the replay's seal changes them.

use super::calls::{ReplayAnswer, ReplayBatch};
use super::plans::owes_lines;
use super::state::BatchState;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};

/// The ledger's code of a source that waits for its replay.
const REPLAYED: &str = "replayed";

/// Returns whether a sealed source with this replay number waits to be read again.
pub(super) const fn is_due(replay: u32) -> bool {
    !replay.is_multiple_of(2)
}

/// Schedules a replay of a source, if it can change anything.
pub(super) fn replay(sql: &impl SqlDatabase, call: &ReplayBatch) -> Result<ReplayAnswer, BackendError> {
    let source = SqlValue::text(call.source.as_str());
    let known = sql.run("SELECT state, replay, rejected FROM source_v1 WHERE id = ?", std::slice::from_ref(&source))?;
    let Some(row) = known.rows.first().map(LedgerRow) else { return Ok(ReplayAnswer { state: None, due: false }) };
    let (state, number) = (row.batch_state(0)?, row.number::<u32>(1)?);
    let has_rejected = row.text(2)? != "{}" || owes_lines(sql, &call.source)?;
    let (state, number, due) = match state {
        BatchState::Open => return Ok(ReplayAnswer { state: Some(state), due: true }),
        BatchState::Quarantined => (BatchState::Open, number, true),
        BatchState::Sealed if is_due(number) => (state, number, true),
        BatchState::Sealed if has_rejected => (state, number + 1, true),
        BatchState::Sealed => (state, number, false),
    };
    if due {
        let reason = [SqlValue::text(REPLAYED), SqlValue::text(&*call.reason)];
        let parameters = [&[SqlValue::text(state.name()), SqlValue::number(number)], reason.as_slice(), &[source]];
        sql.run("UPDATE source_v1 SET state = ?, replay = ?, code = ?, reason = ? WHERE id = ?", &parameters.concat())?;
    }
    Ok(ReplayAnswer { state: Some(state), due })
}
