//! The page of a search: what `GET /v1/logs` and `GET /v1/counts` answer the same caller.

use std::rc::Rc;

use futures_util::StreamExt;

use super::api_request::api_request;
use super::html::page_reply;
use super::problem::words_of;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::{counts, logs};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, parse_instant, problems};
use crate::limits::{PAGE_ROOM, SEARCH_BARS, SEARCH_RECORDS, SEARCH_TABLE_BYTES};
use crate::memory::ReservedBytes;
use crate::page::SearchPage;
use crate::page::plots::{CountRowDocument, PlotRange};
use crate::page::search::{SearchQuery, SearchRefusal, SearchResult, search_columns};
use crate::record::Dataset;
use crate::services::Services;

/// Steps of the histogram, in seconds: a range of 15 days or more has none, since all its batches would be read for it.
const STEPS_S: [u32; 7] = [10, 60, 300, 900, 3_600, 10_800, 21_600];

/// How the page has the times of records, whatever form they are stored in.
const TIMES: (&str, &str) = ("timestamps", "rfc3339ms");

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
    let cursor = request.parameter("cursor");
    let answer = if query.is_empty() {
        Ok(None)
    } else {
        find_records(config, services, caller, (&query, &columns, cursor.as_deref()), now_ms).await.map(Some)
    };
    let (found, status, refusal) = match answer {
        Ok(found) => (found, 200, None),
        // What was typed stays, with what is wrong beside it.
        Err(problem) if problem.status == 400 || problem.code == "field_masked" => {
            (None, problem.status, Some(SearchRefusal::new(&query, problem.code, &words_of(&problem))))
        }
        Err(problem) => return Err(problem),
    };
    let counts =
        if found.is_some() && cursor.is_none() { count_records(services, caller, &query, now_ms).await } else { None };
    let histogram = counts.as_ref().map(|(range, rows)| query.histogram(*range, rows));
    let page = SearchPage::new(&frame, (&query, &columns), found.as_ref(), histogram, now_ms).with_refusal(refusal);
    Ok(page_reply(services.memory(), status, &page)?)
}

/// Reads the first records of a search, or those after a cursor.
async fn find_records<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    (query, columns, cursor): (&SearchQuery, &[&str], Option<&str>),
    now_ms: i64,
) -> Result<SearchResult, Problem> {
    let (fields, rows) = (columns.join(","), SEARCH_RECORDS.to_string());
    let mut more = vec![("fields", fields.as_str()), ("limit", rows.as_str()), ("format", "native"), TIMES];
    more.extend(cursor.map(|cursor| ("cursor", cursor)));
    // A cursor belongs to this range.
    let asked = api_request(query.pinned(now_ms).api_query(now_ms, &more));
    let reply = logs::search_logs(config, services, caller, &asked).await?;
    let mut found = SearchResult::default();
    let ReplyBody::Stream(mut pieces) = reply.body else { return Ok(found) };
    let mut lines = StreamLines::default();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| problems::unavailable())?;
        let _room = services.memory().reserve(PAGE_ROOM * piece.len())?;
        lines.take(&piece, |line| found.take_line(line, query, columns));
    }
    Ok(found)
}

/// Counts the records of a search by time and, where they have one, by status; `None` where the range is too long for a page,
/// or the counts are not to be had.
async fn count_records<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    query: &SearchQuery,
    now_ms: i64,
) -> Option<(PlotRange, Vec<CountRowDocument>)> {
    let pinned = query.pinned(now_ms);
    let second = |text: &str| parse_instant(text).ok().map(|ns| ns.div_euclid(1_000_000_000));
    let (start_s, end_s) = (second(&pinned.start)?, second(&pinned.end)? + 1);
    let step_s = STEPS_S.into_iter().find(|step_s| (end_s - start_s) / i64::from(*step_s) < SEARCH_BARS)?;
    let step = step_s.to_string();
    let mut more = vec![("step", step.as_str())];
    if query.dataset() == Some(Dataset::HttpRequests) {
        more.extend([("by", "EdgeResponseStatus"), ("top", "6")]);
    }
    let asked = api_request(pinned.api_query(now_ms, &more));
    let ReplyBody::Stream(mut pieces) = counts::count_records(services, caller, &asked).await.ok()?.body else {
        return None;
    };
    let (mut rows, mut lines) = (Vec::new(), StreamLines::default());
    while let Some(piece) = pieces.next().await {
        let piece = piece.ok()?;
        let _room = services.memory().reserve(PAGE_ROOM * piece.len()).ok()?;
        lines.take(&piece, |line| rows.extend(CountRowDocument::read_lines(line)));
    }
    Some((PlotRange { start_s, end_s, step_s: Some(step_s) }, rows))
}

/// Puts the pieces of a stream together to lines.
#[derive(Debug, Default)]
struct StreamLines {
    rest: Vec<u8>,
}

impl StreamLines {
    /// Takes a piece, and hands out the lines that end in it.
    fn take(&mut self, piece: &ReservedBytes, mut on_line: impl FnMut(&[u8])) {
        for part in piece.chunks().flat_map(|chunk| chunk.split_inclusive(|byte| *byte == b'\n')) {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                on_line(&self.rest);
                self.rest.clear();
            }
        }
    }
}
