//! What the page of a ray reads: the API's answer with everything below the ray, a later page of its tree, and the records of
//! the requests above it.
//!
//! # Invariants
//! All of it is what the functions of the API answer the caller. What of it cannot be had beside the ray's own answer is missing,
//! and the page says so.

use std::rc::Rc;

use futures_util::StreamExt;
use serde_json::json;

use super::api_request::api_request;
use crate::access::Caller;
use crate::api::{ray_list, rays};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::{PAGE_ROOM, PAGE_TREE_LOOKUPS, PAGE_TREE_ROWS};
use crate::memory::Reservation;
use crate::page::answer::AnswerDocument;
use crate::record::Dataset;
use crate::services::Services;

/// An answer as it is read, with the memory that it takes.
pub(super) struct ReadAnswer {
    pub(super) document: AnswerDocument,
    _rooms: Vec<Reservation>,
}

/// The cursors of a later page of a tree: of its requests, and of their records.
pub(super) struct TreePage {
    pub(super) tree: String,
    pub(super) records: Option<String>,
}

impl TreePage {
    /// The page that the parameters name; `None` for the first one.
    pub(super) fn read<B>(request: &HttpRequest<B>) -> Option<Self> {
        Some(Self { tree: request.parameter("tree")?, records: request.parameter("records") })
    }
}

/// Reads the answer of a ray. Where a page of its tree is too large for the memory of one caller, a smaller one is read.
///
/// # Errors
/// The [`Problem`] of the lookup.
pub(super) async fn read_answer<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<ReadAnswer, Problem> {
    let read = async |limit| Box::pin(read_page(config, services, caller, (request, argument), limit)).await;
    match read(None).await {
        Err(problem) if problem.status == 413 => read(Some(PAGE_TREE_ROWS)).await,
        read => read,
    }
}

/// Reads the answer of a ray with a page of its tree, of at most `limit` requests.
async fn read_page<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    (request, argument): (&HttpRequest<Vec<u8>>, &str),
    limit: Option<usize>,
) -> Result<ReadAnswer, Problem> {
    let dataset = request.parameter("dataset");
    let dataset = dataset.as_deref();
    let limit = limit.map(|limit| limit.to_string());
    let reader = AnswerReader { config, services: services.as_ref(), caller, argument, dataset, limit };
    let page = TreePage::read(request);
    let deliveries = if has_deliveries(caller, dataset) { ",deliveries" } else { "" };
    let (parts, form) = if page.is_some() { ("records", "none") } else { ("records,tree", "list") };
    let parts = format!("{parts}{deliveries}");
    let asked = [("subrequests", form), ("parts", parts.as_str())];
    let (mut document, room) =
        if page.is_some() { reader.read(&asked).await? } else { reader.read_tree_page(&asked).await? };
    let mut rooms = vec![room];
    if let Some(TreePage { tree, records }) = page {
        let (tree_page, room) = reader.read_tree_page(&[("parts", "tree"), ("cursor", &tree)]).await?;
        rooms.push(room);
        let listed = match records {
            Some(records) => {
                let asked = [("parts", "records"), ("subrequests", "list"), ("cursor", records.as_str())];
                let (listed, room) = reader.read_tree_page(&asked).await?;
                rooms.push(room);
                Some(listed)
            }
            None => None,
        };
        document = document.with_tree_page(tree_page.tree, listed);
    }
    add_records(config, services, caller, (&mut document, dataset), &mut rooms).await;
    Ok(ReadAnswer { document, _rooms: rooms })
}

/// Whether records have deliveries that the caller may see.
fn has_deliveries(caller: &Caller, dataset: Option<&str>) -> bool {
    dataset.is_none_or(|name| name == Dataset::HttpRequests.name()) && caller.may_dataset(Dataset::HttpRequests)
}

/// Reads answers about one ray.
struct AnswerReader<'a, D> {
    config: &'a Config,
    services: &'a D,
    caller: &'a Caller,
    argument: &'a str,
    dataset: Option<&'a str>,
    /// Maximum number of requests of a page of the tree; `None` for that of the API.
    limit: Option<String>,
}

impl<D: Services> AnswerReader<'_, D> {
    /// Reads an answer with a page of the tree, or of its records.
    async fn read_tree_page(&self, asked: &[(&str, &str)]) -> Result<(AnswerDocument, Reservation), Problem> {
        let limit = self.limit.as_deref().map(|limit| ("limit", limit));
        self.read(&asked.iter().copied().chain(limit).collect::<Vec<_>>()).await
    }

    async fn read(&self, asked: &[(&str, &str)]) -> Result<(AnswerDocument, Reservation), Problem> {
        let request = api_request(query(asked, self.dataset));
        let reply = rays::get_ray(self.config, self.services, self.caller, &request, self.argument).await?;
        let (body, room) = whole_body(self.services, reply)?;
        // The document is the API's own, so it can be read unless the page lags behind it.
        let document = AnswerDocument::read(&body).map_err(|_| problems::unavailable())?;
        Ok((document, room))
    }
}

/// Adds the records of rays of the tree that the answer lacks, those above the ray first, as far as they can be had.
async fn add_records<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    (document, dataset): (&mut AnswerDocument, Option<&str>),
    rooms: &mut Vec<Reservation>,
) {
    let rays = document.rays_without_records(PAGE_TREE_LOOKUPS);
    if rays.is_empty() {
        return;
    }
    let body = json!({ "rays": rays }).to_string().into_bytes();
    let asked = HttpRequest { method: "POST".to_owned(), body, ..api_request(query(&[], dataset)) };
    let Ok(reply) = ray_list::look_up_rays(config, services, caller, &asked).await else { return };
    let ReplyBody::Stream(mut lines) = reply.body else { return };
    let mut found = Vec::new();
    while let Some(Ok(line)) = lines.next().await {
        let Ok(room) = services.memory().reserve(PAGE_ROOM * line.len()) else { break };
        found.push(line.to_vec());
        rooms.push(room);
    }
    document.add_records(&found);
}

/// The query of a request.
fn query(asked: &[(&str, &str)], dataset: Option<&str>) -> String {
    let dataset = dataset.map(|dataset| ("dataset", dataset));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).extend_pairs(dataset).finish()
}

/// The body of an answer of the API, with the memory that reading it takes.
fn whole_body(services: &impl Services, reply: Reply) -> Result<(Vec<u8>, Reservation), Problem> {
    let ReplyBody::Whole(body) = reply.body else { return Err(problems::answer_too_large()) };
    let room = services.memory().reserve(PAGE_ROOM * body.len())?;
    Ok((body.to_vec(), room))
}
