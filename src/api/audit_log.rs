//! `GET /v1/audit`: the entries of the audit log, oldest first, all of them or those that are searched for.
//!
//! # Invariants
//! Entries come in order with their hashes, those of several chains by time, and `chain_valid` says whether each hash follows from the one before, across
//! the borders of segments too, and of entries that are not searched for. Reading the audit log is itself recorded in it.

use std::net::IpAddr;
use std::rc::Rc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::audit_export;
use super::audit_merge::{AfterResponse, ChainMerge, ChainReader, MergedEntry};
use super::scan::acquire_scan;
use crate::access::Caller;
use crate::audit::calls::{ChainEntry, ChainHead};
use crate::audit::positions::ChainPositions;
use crate::audit::search::EntryFilter;
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
    /// The chains, where there are several; `before` and `head` are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chains: Vec<ChainPageResponse>,
    /// The parameter `after` of the next page; null on the last page.
    after: Option<AfterResponse>,
}

/// A chain of several on a page.
#[derive(Serialize)]
struct ChainPageResponse {
    chain: u8,
    /// Null where the page did not come to the chain; so is `head`.
    before: Option<String>,
    chain_valid: bool,
    head: Option<ChainHead>,
}

#[derive(Serialize)]
struct AuditEntryResponse {
    /// The number of its chain, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<u8>,
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
        None => ChainPositions::default(),
        Some(text) => ChainPositions::parse(&text)
            .ok_or_else(|| problems::bad_parameter("after", "the sequence number of an entry, or `after` of a page"))?,
    };
    let filter = parse_entry_filter(request)?;
    match request.parameter("format").as_deref() {
        None | Some("json") => {
            let limit = request.number_parameter("limit", LISTED, AUDIT_PAGE)?;
            let _permit = acquire_scan(services.as_ref(), caller).await?;
            Box::pin(list_page(services.as_ref(), after, filter, limit)).await
        }
        Some("ndjson") => {
            let limit = request.number_parameter("limit", u64::MAX, u64::MAX)?;
            audit_export::export_entries(services, caller, (after, filter), limit).await
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
async fn list_page(
    services: &impl Services,
    after: ChainPositions,
    filter: EntryFilter,
    limit: u64,
) -> Result<Reply, Problem> {
    let mut merge = ChainMerge::new(services, after, filter);
    let entries = merge.next_entries(services, limit).await?;
    let has_several = merge.readers().len() > 1;
    let shown = |MergedEntry { chain, kept: ChainEntry { seq, entry, hash } }| AuditEntryResponse {
        chain: has_several.then_some(chain.number()),
        seq,
        hash,
        entry: RawValue::from_string(entry).ok(),
    };
    let mut chains: Vec<_> = merge.readers().iter().map(ChainPageResponse::from).collect();
    let first = chains.first().and_then(|first| first.before.clone().zip(first.head.clone()));
    let (before, head) = first.ok_or_else(problems::not_audited)?;
    if !has_several {
        chains.clear();
    }
    let answer = AuditPageResponse {
        before,
        chain_valid: merge.is_valid(),
        after: (!merge.is_at_end()).then(|| merge.positions().into()),
        head,
        chains,
        entries: entries.into_iter().map(shown).collect(),
    };
    Ok(Reply::json(services.memory(), &answer)?)
}

impl From<&ChainReader> for ChainPageResponse {
    fn from(reader: &ChainReader) -> Self {
        let (before, head) = (reader.before.clone(), reader.head.clone());
        Self { chain: reader.chain.number(), before, chain_valid: reader.chain_valid, head }
    }
}
