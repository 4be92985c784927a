//! The HTTP surface: requests in, replies out, in types of its own.
//!
//! Reading order: `request` and `reply` are the two ends, `routes` the table, `auth` the door, then one file per
//! resource.
//!
//! What always holds: nothing is asked of the world before the caller is known; an error is
//! `application/problem+json` with a stable code and never repeats input bytes; every answer of a lookup says
//! what it cost.

mod auth;
mod health;
mod ingest;
mod problem;
mod rays;
mod reply;
mod request;
mod routes;

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
        let admitted = || auth::admit(config, request.authorization.as_deref());
        match route {
            Route::Health => Ok(health::answer(config)),
            Route::Ray => rays::answer(admitted()?, world, &request, &argument).await,
            Route::Ingest => ingest::answer(admitted()?, world, request, &argument).await,
        }
    };
    reply.await.unwrap_or_else(Reply::from)
}
