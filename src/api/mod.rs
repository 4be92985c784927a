//! The HTTP surface: requests in, replies out, in types of its own.
//!
//! Reading order: `request` and `reply` are the two ends, `routes` the table, `auth` the door, then one file per
//! resource; `views`, `ledgers`, `body` and `reason` are what several of these share.
//!
//! What always holds: nothing is asked of the world before the caller is known; an error is
//! `application/problem+json` with a stable code and never repeats input bytes; every answer of a lookup says
//! what it cost.

mod auth;
mod backfills;
mod batches;
mod body;
mod dead_letters;
mod deliveries;
mod health;
mod ingest;
mod ledgers;
mod payloads;
mod problem;
mod rays;
mod reason;
mod reply;
mod request;
mod routes;
mod stats;
mod views;

pub use problem::{Problem, problems};
pub use reply::Reply;
pub use request::Request;
pub use routes::{Route, route};

use crate::backend::Bytes;
use crate::config::{Config, ConfigFault};
use crate::pipeline::World;

/// Answers one request.
pub async fn answer(
    config: &Result<Config, Vec<ConfigFault>>,
    world: &impl World,
    request: Request<impl Bytes>,
) -> Reply {
    let reply = async {
        let (route, argument) = route(&request.method, &request.path)?;
        let admitted = match route {
            Route::Health => None,
            _ => Some(auth::admit(config, request.authorization.as_deref(), || world.now_ms())?),
        };
        match (route, admitted) {
            (Route::Health, _) | (_, None) => Ok(health::answer(config)),
            (Route::Ray, Some(config)) => rays::answer(config, world, &request, &argument).await,
            (Route::Deliveries, _) => deliveries::answer(world, &request, &argument).await,
            (Route::Ingest, Some(config)) => ingest::answer(config, world, request, &argument).await,
            (Route::Stats, _) => stats::answer(world, &request).await,
            (Route::Batches, _) => batches::list(world, &request).await,
            (Route::Batch, _) => batches::one(world, &request, &argument).await,
            (Route::Replay, _) => batches::replay(world, request, &argument).await,
            (Route::Payload(decision), _) => payloads::decide(world, request, &argument, decision).await,
            (Route::Backfill, Some(config)) => backfills::start(config, world, request).await,
            (Route::Backfills, _) => backfills::list(world, &request).await,
            (Route::BackfillJob, _) => backfills::one(world, &argument).await,
            (Route::BackfillTurn(run), _) => backfills::turn(world, &argument, run).await,
            (Route::DeadLetters, _) => dead_letters::list(world, &request).await,
            (Route::Redrive, _) => dead_letters::redrive(world, request, &argument).await,
        }
    };
    reply.await.unwrap_or_else(Reply::from)
}
