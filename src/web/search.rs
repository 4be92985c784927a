//! The page of a search: what `GET /v1/logs` and `GET /v1/counts` answer the same caller.

use std::rc::Rc;

use futures_util::StreamExt;

use super::html::page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::logs;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::{PAGE_ROOM, SEARCH_TABLE_BYTES, SEARCH_ROWS};
use crate::page::SearchPage;
use crate::page::search::{SearchQuery, SearchResult, search_columns};
use crate::record::Dataset;
use crate::services::Services;

/// Answers with the page of a search; with the form alone where nothing is asked for.
///
/// # Errors
/// The [`Problem`] of the search.
pub(crate) async fn show_search<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    (visit, caller): (&Visit, &Caller),
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let query = SearchQuery::read(|name| request.parameter(name));
    let columns = search_columns(query.dataset().unwrap_or(Dataset::HttpRequests));
    let now_ms = services.now_ms();
    let frame = visit.frame(Some(caller));
    let _room = services.memory().reserve(SEARCH_TABLE_BYTES)?;
    let found = if query.is_empty() {
        None
    } else {
        let cursor = request.parameter("cursor");
        Some(find_records(config, services, caller, (&query, &columns, cursor.as_deref()), now_ms).await?)
    };
    let page = SearchPage::new(&frame, (&query, &columns), found.as_ref(), None, now_ms);
    Ok(page_reply(services.memory(), 200, &page)?)
}

/// Reads the first records of a search, or those after a cursor.
async fn find_records<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    (query, columns, cursor): (&SearchQuery, &[&str], Option<&str>),
    now_ms: i64,
) -> Result<SearchResult, Problem> {
    let (fields, rows) = (columns.join(","), SEARCH_ROWS.to_string());
    let mut more = vec![("fields", fields.as_str()), ("limit", rows.as_str()), ("format", "native")];
    more.extend(cursor.map(|cursor| ("cursor", cursor)));
    let asked = HttpRequest {
        method: "GET".to_owned(),
        path: String::new(),
        // A cursor belongs to this range.
        query: query.pinned(now_ms).api_query(now_ms, &more),
        headers: ::http::HeaderMap::new(),
        body: Vec::new(),
    };
    let reply = logs::search_logs(config, services, caller, &asked).await?;
    let mut found = SearchResult::default();
    let ReplyBody::Stream(mut pieces) = reply.body else { return Ok(found) };
    let mut rest = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| problems::unavailable())?;
        let _room = services.memory().reserve(PAGE_ROOM * piece.len())?;
        for chunk in piece.chunks() {
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                rest.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    found.take_line(&rest, query, columns);
                    rest.clear();
                }
            }
        }
    }
    Ok(found)
}
