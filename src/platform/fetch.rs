//! The HTTP entry point: the platform's request to the core's, the core's reply to the platform's.
//!
//! What always holds: every request is answered by `api::answer`, whose reply is passed on unchanged; `HEAD` has no
//! body.

use worker::{Context, Env, Headers, Method, Request, Response, ResponseBuilder, Result, event};

use super::streams::Body;
use super::world::Bindings;
use super::{env, log};
use crate::api::{Reply, answer};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let world = Bindings::of(&env)?;
    let config = env::config(&env);
    if let Err(faults) = &config {
        log::not_configured(faults);
    }
    let is_head = request.method() == Method::Head;
    let reply = answer(&config, &world, from_platform(request)?).await;
    to_platform(reply, is_head)
}

fn from_platform(mut request: Request) -> Result<crate::api::Request<Body>> {
    let url = request.url()?;
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let (authorization, accept) = (header("authorization"), header("accept"));
    let content_length = header("content-length").and_then(|length| length.parse().ok());
    Ok(crate::api::Request {
        method: request.method().to_string(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        authorization,
        accept,
        content_length,
        body: Body(request.stream().ok()),
    })
}

fn to_platform(reply: Reply, is_head: bool) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &reply.headers {
        headers.set(name, value)?;
    }
    let builder = ResponseBuilder::new().with_status(reply.status).with_headers(headers);
    Ok(if is_head { builder.empty() } else { builder.fixed(reply.body) })
}
