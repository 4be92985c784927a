//! What tabs of a ray show beside its answer: its neighbours, and another ray beside it.
//!
//! # Invariants
//! All of it is what the functions of the API answer the caller. A tab that cannot be shown says why, and leaves the page as it is.

use std::rc::Rc;

use super::api_request::api_request;
use crate::access::Caller;
use crate::api::neighbours::{find_neighbours, parse_within};
use crate::api::ray_diff::diff_rays;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{NEIGHBOURS_DEFAULT_WITHIN_S, PAGE_NEIGHBOURS, PAGE_ROOM};
use crate::memory::Reservation;
use crate::page::answer::{
    AnswerError, AnswerPart, AnswerTab, ComparisonDocument, NeighbourKind, NeighboursAsked, NeighboursDocument,
};
use crate::record::{Dataset, ray_from_user};
use crate::services::Services;

/// What a person reads who compares with a text that holds no ray.
const NO_RAY: &str = "No Ray ID was found in what you pasted: it has 16 hexadecimal digits.";

/// A document of a tab, with the memory that it takes; or why there is none, in words.
type TabDocument<T> = Result<(T, Reservation), String>;

/// What a tab shows beside the answer.
pub(super) enum TabAnswer {
    /// Nothing.
    Answer,
    /// The neighbours.
    Neighbours(NeighboursAsked, TabDocument<NeighboursDocument>),
    /// Another ray, if one is chosen.
    Comparison(String, Option<TabDocument<ComparisonDocument>>),
}

impl TabAnswer {
    /// Reads what the tab shows.
    ///
    /// # Errors
    /// The [`Problem`] of a parameter.
    pub(super) async fn read<D: Services + 'static>(
        config: &Config,
        services: &Rc<D>,
        caller: &Caller,
        (request, tab): (&HttpRequest<Vec<u8>>, AnswerTab),
        argument: &str,
    ) -> Result<Self, Problem> {
        let dataset = request.parameter("dataset").unwrap_or_else(|| default_dataset(caller).name().to_owned());
        Ok(match tab {
            AnswerTab::Neighbours => {
                let asked = parse_asked(request)?;
                let query = neighbours_query(asked, &dataset, request.parameter("cursor").as_deref());
                let request = api_request(query);
                let reply = find_neighbours(config, services, caller, &request, argument).await;
                Self::Neighbours(asked, document(services.as_ref(), reply, NeighboursDocument::read).await)
            }
            AnswerTab::Compare => {
                let Some(with) = request.parameter("with") else { return Ok(Self::Comparison(String::new(), None)) };
                let Ok(other) = ray_from_user(&with) else {
                    return Ok(Self::Comparison(String::new(), Some(Err(NO_RAY.to_owned()))));
                };
                let request = api_request(pairs(&[("dataset", dataset.as_str())]));
                let rays = [argument.to_owned(), other.to_string()];
                let reply = diff_rays(config, services.as_ref(), caller, &request, &rays).await;
                let found = document(services.as_ref(), reply, ComparisonDocument::read).await;
                Self::Comparison(other.to_string(), Some(found))
            }
            _ => Self::Answer,
        })
    }

    /// Adds what the tab shows to the part of its page.
    pub(super) fn show<'a>(&self, part: AnswerPart<'a>) -> AnswerPart<'a> {
        match self {
            Self::Answer => part,
            Self::Neighbours(asked, found) => part.with_neighbours(*asked, shown(found)),
            Self::Comparison(with, found) => part.with_comparison(with, found.as_ref().map(shown)),
        }
    }
}

fn shown<T>(found: &TabDocument<T>) -> Result<&T, &str> {
    found.as_ref().map(|(document, _)| document).map_err(String::as_str)
}

/// The dataset of the ray's record, where none is named.
fn default_dataset(caller: &Caller) -> Dataset {
    if caller.may_dataset(Dataset::HttpRequests) { Dataset::HttpRequests } else { Dataset::FirewallEvents }
}

/// Reads which neighbours are asked for.
fn parse_asked<B>(request: &HttpRequest<B>) -> Result<NeighboursAsked, Problem> {
    let by = match request.parameter("by") {
        None => NeighbourKind::default(),
        Some(name) => {
            NeighbourKind::from_name(&name).ok_or_else(|| problems::bad_parameter("by", "client, path or status"))?
        }
    };
    let within_s = match request.parameter("within") {
        None => NEIGHBOURS_DEFAULT_WITHIN_S,
        Some(text) => parse_within(&text)
            .ok_or_else(|| problems::bad_parameter("within", "a time from 1s to 3600s, such as 300s or 5m"))?,
    };
    Ok(NeighboursAsked { by, within_s })
}

fn neighbours_query(asked: NeighboursAsked, dataset: &str, cursor: Option<&str>) -> String {
    let (within, limit) = (asked.within_s.to_string(), PAGE_NEIGHBOURS.to_string());
    let mut query =
        vec![("by", asked.by.name()), ("within", within.as_str()), ("limit", limit.as_str()), ("dataset", dataset)];
    if dataset == Dataset::HttpRequests.name() {
        query.push(("fields", NeighboursAsked::FIELDS));
    }
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    pairs(&query)
}

fn pairs(query: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
}

/// Reads the document of a reply, with the memory that it takes.
async fn document<T>(
    services: &impl Services,
    reply: Result<Reply, Problem>,
    read: impl FnOnce(&[u8]) -> Result<T, AnswerError>,
) -> TabDocument<T> {
    let read = async {
        let body = reply?.body.whole().await.map_err(|_| problems::unavailable())?;
        let room = services.memory().reserve(PAGE_ROOM * body.len())?;
        let document = read(&body).map_err(|_| problems::unavailable())?;
        Ok((document, room))
    };
    read.await.map_err(|problem: Problem| problem.words())
}
