//! The way of every request: find its route, authenticate the caller, record and count the request, answer it.
//!
//! # Invariants
//! No service is asked before the caller is known, and nothing is served before the audit log has recorded it.

use std::rc::Rc;

use super::audit_and_rate_limit::audit_and_rate_limit;
use super::authenticate::authenticate;
use super::routes::{ClientRoute, Route, Row, is_client, route};
use crate::access::Caller;
use crate::api::{
    audit_log, backfills, batches, coverage, dead_letters, deliveries, health, ingest, logs, many, metrics, openapi,
    payloads, rays, stats,
};
use crate::backend::Bytes;
use crate::cloudflare_api::{self, logpull, logs_engine};
use crate::config::{Config, ConfigFault};
use crate::http::{Problem, Reply, Request, problems, with_body};
use crate::services::Services;

/// Answers one request.
pub async fn answer<D: Services + 'static>(
    config: &Result<Config, Vec<ConfigFault>>,
    desk: &Rc<D>,
    request: Request<impl Bytes>,
) -> Reply {
    let is_clients = is_client(&request.path);
    let reply = async {
        let (row, arguments) = route(&request.method, &request.path)?;
        if row.route == Route::Health {
            return Ok(health::answer(config));
        }
        let config = config.as_ref().map_err(|_| problems::not_configured())?;
        admitted(config, desk, row, &arguments, request).await
    };
    reply.await.unwrap_or_else(|problem| if is_clients { cloudflare_api::reply_of(&problem) } else { problem.into() })
}

/// Answers where there are settings: behind the door and the gate.
async fn admitted<D: Services + 'static>(
    config: &Config,
    desk: &Rc<D>,
    row: &'static Row,
    arguments: &[String],
    request: Request<impl Bytes>,
) -> Result<Reply, Problem> {
    let argument = arguments.first().map_or("", String::as_str);
    if row.route == Route::OpenApi {
        return Ok(openapi::answer());
    }
    let caller = authenticate(config, desk.as_ref(), row, &request).await?;
    if row.route == Route::Ingest {
        return ingest::answer(config, desk.as_ref(), request, argument).await;
    }
    if !is_client(&request.path) {
        request.takes_only(row.parameters)?;
    }
    let request = with_body(request).await?;
    audit_and_rate_limit(config, desk.as_ref(), &caller, row, &request, arguments).await?;
    Visit { config, desk, caller, request, arguments }.answer(row.route).await
}

/// A request that was let in.
struct Visit<'a, D> {
    config: &'a Config,
    desk: &'a Rc<D>,
    caller: Caller,
    request: Request<Vec<u8>>,
    arguments: &'a [String],
}

impl<D: Services + 'static> Visit<'_, D> {
    async fn answer(&self, route: Route) -> Result<Reply, Problem> {
        let (config, request, body) = (self.config, &self.request, self.request.body.as_slice());
        let desk = self.desk.as_ref();
        let argument = self.arguments.first().map_or("", String::as_str);
        match route {
            Route::Ray => rays::answer(config, desk, &self.caller, request, argument).await,
            Route::Rays => many::answer(config, self.desk, &self.caller, request),
            Route::Deliveries => deliveries::answer(desk, &self.caller, argument).await,
            Route::Coverage => coverage::answer(config, desk, request).await,
            Route::Audit => audit_log::answer(desk, request).await,
            Route::Metrics => metrics::answer(desk).await,
            Route::Stats => stats::answer(desk, request).await,
            Route::Batches => batches::list(desk, request).await,
            Route::Batch => batches::one(desk, argument).await,
            Route::Replay => batches::replay(desk, body, argument).await,
            Route::Payload(decision) => payloads::decide(desk, body, argument, decision).await,
            Route::Backfill => backfills::start(config, desk, body).await,
            Route::Backfills => backfills::list(desk).await,
            Route::BackfillJob => backfills::one(desk, argument).await,
            Route::BackfillTurn(run) => backfills::turn(desk, argument, run).await,
            Route::DeadLetters => dead_letters::list(desk, request).await,
            Route::Redrive => dead_letters::redrive(desk, body, argument).await,
            Route::Logs => logs::answer(config, self.desk, &self.caller, request).await,
            Route::Client(route) => {
                let (caller, arguments) = (&self.caller, self.arguments);
                let client = cloudflare_api::Client { config, desk: self.desk, caller, request, arguments };
                answer_client(&client, route).await
            }
            Route::Ingest | Route::OpenApi | Route::Health => Err(problems::no_such_path()),
        }
    }
}

/// Answers a route of Cloudflare's API.
async fn answer_client<D: Services + 'static>(
    client: &cloudflare_api::Client<'_, D>,
    route: ClientRoute,
) -> Result<Reply, Problem> {
    match route {
        ClientRoute::Received => logpull::received(client).await,
        ClientRoute::Fields => logpull::fields(client),
        ClientRoute::ZoneRay => logpull::ray(client).await,
        ClientRoute::Retention => logpull::retention(client),
        ClientRoute::SetRetention => logpull::set_retention(client),
        ClientRoute::List => logs_engine::list(client).await,
        ClientRoute::Retrieve => logs_engine::retrieve(client).await,
        ClientRoute::Index => Ok(logs_engine::index(client)),
        ClientRoute::AccountRay => logs_engine::ray(client).await,
    }
}
