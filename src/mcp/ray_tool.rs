//! The tool `ray`: the tree of requests and the records of one, as `GET /v1/rays/{ray}` answers.
//!
//! # Invariants
//! The skeleton comes before the fields: where a person asked for a ray, its place in the tree is in the answer, if anything is.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::outline::{AnswerOutline, page_address};
use super::record_outline::{RecordOutline, write_records};
use super::search_tool::asked_of_api;
use crate::access::Caller;
use crate::api::rays;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::{MCP_RECORDS, MCP_TREE_ROWS, MCP_TREE_SHARE, RENDERING_ROOM};
use crate::memory::Reservation;
use crate::record::Dataset;
use crate::services::Services;

/// What to do to see what is left out.
const HINT: &str = "Name fields or a dataset, or ask for a ray of the tree by itself; limit makes pages of the tree. The page shows all.";

/// The answer of the API.
#[derive(Deserialize)]
struct ApiRay<'a> {
    ray: String,
    ray_time: Option<String>,
    #[serde(default)]
    truncated: bool,
    #[serde(borrow, default)]
    records: Vec<ApiRecord<'a>>,
    next_cursor: Option<String>,
    #[serde(borrow)]
    tree: Option<ApiTree<'a>>,
    #[serde(default)]
    warnings: Vec<Value>,
}

/// A record of it.
#[derive(Deserialize)]
struct ApiRecord<'a> {
    dataset: String,
    merged_in: Option<String>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
}

/// The tree of requests.
#[derive(Deserialize)]
struct ApiTree<'a> {
    root: String,
    truncated: bool,
    #[serde(default)]
    cyclic: bool,
    #[serde(borrow)]
    nodes: Vec<&'a RawValue>,
    next_cursor: Option<String>,
}

/// What decides whether a node is in the answer.
#[derive(Deserialize)]
struct ApiNode {
    ray: String,
    parent: Option<String>,
}

/// An answer of the API as text, with the memory that it takes.
pub(super) struct ApiText {
    pub(super) text: String,
    _room: Reservation,
}

impl ApiText {
    /// Reads the body of a reply.
    ///
    /// # Errors
    /// The [`Problem`] of memory.
    pub(super) fn read(services: &impl Services, reply: Reply) -> Result<Self, Problem> {
        let ReplyBody::Whole(body) = reply.body else { return Err(problems::unavailable()) };
        let room = services.memory().reserve(2 * body.len())?;
        let text = String::from_utf8(body.to_vec()).map_err(|_| problems::unavailable())?;
        Ok(Self { text, _room: room })
    }

    /// Parses it. It is the API's own, so it can be read unless this module lags behind it.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        serde_json::from_str(&self.text).map_err(|_| problems::unavailable())
    }
}

/// Finds the tree and the records, and shows what fits.
pub(super) async fn find_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    (request, argument): (&HttpRequest<Vec<u8>>, &str),
) -> Result<String, Problem> {
    request.number_parameter("limit", MCP_TREE_ROWS, MCP_TREE_ROWS)?;
    let read = async |more: &[(&str, &str)]| {
        let asked = asked_of_api(request, more);
        let reply = Box::pin(rays::get_ray(config, services, caller, &asked, argument)).await?;
        ApiText::read(services, reply)
    };
    let whole = [("format", "json"), ("parts", "records,tree"), ("timestamps", "rfc3339ms")];
    let (text, has_records) = match read(&whole).await {
        // Records that are too large to be read leave the tree.
        Err(problem) if problem.status == 413 => {
            (read_tree(config, services, caller, (request, argument)).await?, false)
        }
        text => (text?, true),
    };
    let mut found: ApiRay<'_> = text.parse()?;
    let mut outline = begin(request, &found);
    outline.left_out.all_records = !has_records;
    let share = if found.records.is_empty() { 100 } else { MCP_TREE_SHARE };
    if let Some(tree) = found.tree.take() {
        push_tree(&mut outline, &found.ray, tree, share);
    }
    push_records(services, &mut outline, request, &found)?;
    Ok(outline.end(HINT))
}

/// Reads the tree alone.
async fn read_tree(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    (request, argument): (&HttpRequest<Vec<u8>>, &str),
) -> Result<ApiText, Problem> {
    let kept = |name: &str| matches!(name, "dataset" | "depth" | "limit" | "cursor");
    let limit = MCP_TREE_ROWS.to_string();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(request.parameters().filter(|(name, _)| kept(name)));
    if request.parameter("limit").is_none() {
        query.append_pair("limit", &limit);
    }
    let query = query.append_pair("format", "json").append_pair("parts", "tree").finish();
    let asked = HttpRequest { query, ..asked_of_api(request, &[]) };
    let reply = Box::pin(rays::get_ray(config, services, caller, &asked, argument)).await?;
    ApiText::read(services, reply)
}

/// Begins the answer with what is always in it.
fn begin(request: &HttpRequest<Vec<u8>>, found: &ApiRay<'_>) -> AnswerOutline {
    let mut outline = AnswerOutline::new();
    push_ray(&mut outline, request, &found.ray, found.ray_time.as_deref());
    if found.truncated {
        outline.push("truncated", "true");
    }
    outline.push_text("next_cursor", found.next_cursor.as_deref());
    outline.push_warnings(&found.warnings);
    outline
}

/// Adds the ray with its time and its page.
pub(super) fn push_ray(outline: &mut AnswerOutline, request: &HttpRequest<Vec<u8>>, ray: &str, ray_time: Option<&str>) {
    outline.push_text("ray", Some(&super::untrusted::visible(ray)));
    outline.push_text("ray_time", ray_time);
    let path = format!("/r/{}", utf8_percent_encode(ray, NON_ALPHANUMERIC));
    outline.push_text("page", Some(&page_address(&request.headers, &path)));
}

/// Adds the tree, with the nodes that fit: those above the ray and itself first, then those below it, then the others.
fn push_tree(outline: &mut AnswerOutline, ray: &str, tree: ApiTree<'_>, share: usize) {
    let ApiTree { root, truncated, cyclic, nodes, next_cursor } = tree;
    let mut budget = outline.budget.split(share);
    let parsed: Vec<Option<ApiNode>> = nodes.iter().map(|node| serde_json::from_str(node.get()).ok()).collect();
    let mut line = BTreeSet::from([ray]);
    let mut above = Some(ray);
    while let Some(at) = above {
        let node = parsed.iter().flatten().find(|node| node.ray == at);
        above = node.and_then(|node| node.parent.as_deref()).filter(|parent| line.insert(*parent));
    }
    let rank = |node: Option<&ApiNode>| match node {
        Some(ApiNode { ray: at, .. }) if line.contains(at.as_str()) => 0,
        Some(ApiNode { parent: Some(parent), .. }) if parent == ray => 1,
        _ => 2,
    };
    let ranks: Vec<u8> = parsed.iter().map(|node| rank(node.as_ref())).collect();
    let of_rank = |rank: u8| ranks.iter().enumerate().filter(move |(_, of)| **of == rank).map(|(place, _)| place);
    let order = of_rank(0).chain(of_rank(1)).chain(of_rank(2));
    let head = format!("\"root\":{},\"truncated\":{truncated}", Value::from(root));
    let cyclic = if cyclic { ",\"cyclic\":true" } else { "" };
    let next = next_cursor.map_or_else(String::new, |cursor| format!(",\"next_cursor\":{}", Value::from(cursor)));
    let frame = format!("\"tree\":{{{head}{cyclic}{next},\"nodes\":[]}},");
    let mut shown = BTreeSet::new();
    if budget.take(&frame) {
        let fits = |place: &usize| {
            let node = nodes.get(*place).map_or("", |node| node.get());
            budget.take(node) && budget.take(",")
        };
        shown = order.take_while(fits).collect();
        let texts: Vec<&str> =
            shown.iter().filter_map(|place: &usize| nodes.get(*place)).map(|node| node.get()).collect();
        outline.push_taken("tree", &format!("{{{head}{cyclic}{next},\"nodes\":[{}]}}", texts.join(",")));
    }
    outline.left_out.tree_nodes += nodes.len() - shown.len();
    outline.budget.join(&budget);
}

/// Adds the records, with as much of each as fits.
fn push_records(
    services: &impl Services,
    outline: &mut AnswerOutline,
    request: &HttpRequest<Vec<u8>>,
    found: &ApiRay<'_>,
) -> Result<(), Problem> {
    let order: Vec<String> =
        request.parameter("fields").unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect();
    let mut records = Vec::new();
    for ApiRecord { dataset, merged_in, record } in found.records.iter().take(MCP_RECORDS) {
        let text = record.map_or("{}", RawValue::get);
        let _room = services.memory().reserve(2 * RENDERING_ROOM * text.len())?;
        let merged =
            merged_in.as_ref().map(|ray| format!(",\"merged_in\":{}", Value::from(super::untrusted::visible(ray))));
        let head = format!("\"dataset\":{}{}", Value::from(dataset.as_str()), merged.unwrap_or_default());
        let dataset = Dataset::from_name(dataset).unwrap_or(Dataset::HttpRequests);
        records.push(RecordOutline::read(head, dataset, text, &order));
    }
    let AnswerOutline { budget, left_out, .. } = outline;
    left_out.records += found.records.len().saturating_sub(MCP_RECORDS);
    let json = write_records(records, budget, left_out);
    outline.push_taken("records", &json);
    Ok(())
}
