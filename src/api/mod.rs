//! The HTTP surface: requests in, replies out, in types of its own.
//!
//! Reading order: `request` and `reply` are the two ends, `routes` the table, `auth` the door, `gate` what writes down
//! and counts, then one file per resource; `client` speaks as Cloudflare's own API; `views`, `ledgers`, `body` and
//! `reason` are what several of these share.
//!
//! What always holds: nothing is asked of the world before the caller is known, and nothing is served before the audit
//! log has it; an error is `application/problem+json` with a stable code (but where Cloudflare's clients expect their
//! own form) and never repeats input bytes; every answer of a lookup says what it cost.

mod audit_log;
mod auth;
mod backfills;
mod batches;
mod body;
mod client;
mod coverage;
mod dead_letters;
mod deliveries;
mod form;
mod gate;
mod health;
mod ingest;
mod ledgers;
mod logs;
mod many;
mod metrics;
mod openapi;
mod payloads;
mod problem;
pub mod problems;
mod range;
mod rays;
mod reason;
mod reply;
mod request;
mod retry;
mod routes;
mod sight;
mod stats;
mod times;
mod views;

pub use problem::Problem;
pub use reply::{Body, Reply};
pub use request::{Request, accepts_gzip};
pub use routes::{ClientRoute, ROUTES, Route, Row, route};

use std::rc::Rc;

use self::routes::is_client;
use crate::access::Caller;
use crate::backend::Bytes;
use crate::config::{Config, ConfigFault};
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
    reply.await.unwrap_or_else(|problem| if is_clients { client::reply_of(&problem) } else { problem.into() })
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
    let caller = auth::admit(config, desk.as_ref(), row, &request).await?;
    if row.route == Route::Ingest {
        return ingest::answer(config, desk.as_ref(), request, argument).await;
    }
    if !is_client(&request.path) {
        request.takes_only(row.parameters)?;
    }
    let request = body::with_body(request).await?;
    gate::pass(config, desk.as_ref(), &caller, row, &request, arguments).await?;
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
                client::Client { config, desk: self.desk, caller, request, arguments }.answer(route).await
            }
            Route::Ingest | Route::OpenApi | Route::Health => Err(problems::no_such_path()),
        }
    }
}
