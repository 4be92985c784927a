//! `GET /v1/audit`: the entries of the audit log, oldest first, all of them or those that are searched for.
//!
//! # Invariants
//! Entries come in order with their hashes, and `chain_valid` says whether each hash follows from the one before, across
//! the borders of segments too, and of entries that are not searched for. Reading the audit log is itself recorded in it.

use std::net::IpAddr;
use std::rc::Rc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::audit_export;
use super::audit_read::collect_entries;
use super::retry::retry_while_out_of_memory;
use super::scan::acquire_scan;
use crate::access::Caller;
use crate::audit::calls::{ChainEntry, ChainHead, ReadEntries};
use crate::audit::search::{EntryFilter, EntryScan};
use crate::http::{HttpRequest, Problem, Reply, parse_instant, problems};
use crate::limits::{AUDIT_PAGE, LISTED};
use crate::record::ray_from_user;
use crate::services::Services;
use crate::time::rfc3339;

const NS_PER_MS: i64 = 1_000_000;

/// A page of at most [`AUDIT_PAGE`] entries.
#[derive(Serialize)]
struct AuditPageResponse {
    entries: Vec<AuditEntryResponse>,
    /// The hash of the entry before the first that was looked at.
    before: String,
    /// Whether each hash follows from the one before it.
    chain_valid: bool,
    /// The newest entry of the whole log.
    head: ChainHead,
    /// The parameter `after` of the next page; null on the last page.
    after: Option<u64>,
}

#[derive(Serialize)]
struct AuditEntryResponse {
    seq: u64,
    hash: String,
    /// The text that was hashed, byte for byte.
    entry: Option<Box<RawValue>>,
}

/// Answers with the entries after the parameter `after` that are searched for: a page of them, or a stream of all.
pub(crate) async fn list_audit_entries<B, D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<B>,
) -> Result<Reply, Problem> {
    let after = match request.parameter("after") {
        None => 0,
        Some(number) => {
            number.parse().map_err(|_| problems::bad_parameter("after", "the sequence number of an entry"))?
        }
    };
    let filter = parse_entry_filter(request)?;
    match request.parameter("format").as_deref() {
        None | Some("json") => {
            let limit = request.number_parameter("limit", LISTED, AUDIT_PAGE)?;
            let _permit = acquire_scan(services.as_ref(), caller).await?;
            list_page(services.as_ref(), ReadEntries { after, limit, filter }).await
        }
        Some("ndjson") => {
            let limit = request.number_parameter("limit", u64::MAX, u64::MAX)?;
            audit_export::export_entries(services, caller, ReadEntries { after, limit, filter }).await
        }
        Some(_) => Err(problems::bad_parameter("format", "json or ndjson")),
    }
}

/// Parses what is searched for.
fn parse_entry_filter<B>(request: &HttpRequest<B>) -> Result<EntryFilter, Problem> {
    let address = request.parameter("address");
    if address.as_ref().is_some_and(|address| address.parse::<IpAddr>().is_err()) {
        return Err(problems::bad_parameter("address", "an IP address"));
    }
    let outcome = request.parameter("outcome");
    if outcome.as_deref().is_some_and(|outcome| !matches!(outcome, "admitted" | "denied")) {
        return Err(problems::bad_parameter("outcome", "admitted or denied"));
    }
    let (start, end) = (time_parameter(request, "start")?, time_parameter(request, "end")?);
    if start.as_ref().zip(end.as_ref()).is_some_and(|(start, end)| start >= end) {
        return Err(problems::empty_range());
    }
    let (actor, resource) = (request.parameter("actor"), request.parameter("resource"));
    if actor.as_deref().is_some_and(|actor| !is_actor(actor)) {
        return Err(problems::bad_parameter("actor", "the ID of a token or the address of a person"));
    }
    if resource.as_deref().is_some_and(|resource| ray_from_user(resource).is_err() && !resource.contains(['.', '/'])) {
        return Err(problems::bad_parameter("resource", "a ray, a handle or the key of an object"));
    }
    Ok(EntryFilter { actor, resource, address, outcome, start, end })
}

/// Whether a caller can have this name.
fn is_actor(name: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b".@+-_".contains(&byte);
    !name.is_empty() && name.bytes().all(sign)
}

/// A time as entries spell theirs. Entries have whole milliseconds, so that it is rounded up.
fn time_parameter<B>(request: &HttpRequest<B>, name: &'static str) -> Result<Option<String>, Problem> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let ns = parse_instant(&text).map_err(|fault| problems::bad_time(name, fault))?;
    Ok(Some(rfc3339(ns.div_euclid(NS_PER_MS) + i64::from(ns.rem_euclid(NS_PER_MS) > 0))))
}

/// Answers with one page.
async fn list_page(services: &impl Services, ask: ReadEntries) -> Result<Reply, Problem> {
    let reservation = services.memory().reservation();
    let (EntryScan { entries, before, chain_valid, last, is_over, .. }, head) =
        retry_while_out_of_memory(services, &reservation, async || collect_entries(services, &ask, &reservation).await)
            .await?;
    let shown =
        |ChainEntry { seq, entry, hash }| AuditEntryResponse { seq, hash, entry: RawValue::from_string(entry).ok() };
    let answer = AuditPageResponse {
        before,
        chain_valid,
        after: (last.seq < head.seq && !is_over).then_some(last.seq),
        head,
        entries: entries.into_iter().map(shown).collect(),
    };
    Ok(Reply::json(services.memory(), &answer)?)
}
