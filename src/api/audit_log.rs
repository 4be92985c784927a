//! `GET /v1/audit`: who asked for what.
//!
//! What always holds: entries come in their order and with their hashes, and the answer says whether these follow from
//! the hash before them; reading them is itself an entry.

use serde::Serialize;
use serde_json::value::RawValue;

use super::reply::Reply;
use super::{Desk, Problem, Request, problems};
use crate::audit::AUDIT;
use crate::audit::calls::{Head, Kept, Page, Read};
use crate::audit::chain::is_whole;
use crate::ledger::calls;
use crate::limits::{AUDIT_PAGE, LISTED};

/// The answer.
#[derive(Serialize)]
struct Answer {
    entries: Vec<EntryShown>,
    /// The hash that stands before the first of them.
    before: String,
    /// Whether each hash follows from the one before it.
    whole: bool,
    /// The last entry there is.
    head: Head,
    /// Where the next page begins; null at the end.
    after: Option<u64>,
}

/// One entry.
#[derive(Serialize)]
struct EntryShown {
    seq: u64,
    hash: String,
    /// The very text that was hashed.
    entry: Option<Box<RawValue>>,
}

/// Answers with a page of entries.
pub(super) async fn answer<B>(desk: &impl Desk, request: &Request<B>) -> Result<Reply, Problem> {
    let after = match request.parameter("after") {
        None => 0,
        Some(number) => number.parse().map_err(|_| problems::bad_parameter("after", "the number of an entry"))?,
    };
    let limit = request.number("limit", LISTED, AUDIT_PAGE)?;
    let page = calls::call(desk.audits(), AUDIT, &Read { after, limit }).await.map_err(|_| problems::not_audited())?;
    let Page { entries, before, head } = page;
    let whole = is_whole(&before, &entries);
    let last = entries.last().map(|kept| kept.seq);
    let shown = |Kept { seq, entry, hash }| EntryShown { seq, hash, entry: RawValue::from_string(entry).ok() };
    Ok(Reply::json(&Answer {
        before,
        whole,
        after: last.filter(|last| *last < head.seq),
        head,
        entries: entries.into_iter().map(shown).collect(),
    }))
}
