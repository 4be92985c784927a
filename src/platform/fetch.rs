//! The HTTP entry point: the platform's request to the core's, the core's reply to the platform's.
//!
//! What always holds: every request is answered by `api::answer`, whose reply is passed on unchanged; `HEAD` has no
//! body.

use std::rc::Rc;

use futures_util::TryStreamExt;
use worker::{Context, Env, Headers, Method, Request, Response, ResponseBuilder, Result, event};

use super::streams::Body as Stream;
use super::world::Bindings;
use super::{env, log};
use crate::api::{Body, Reply, answer};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let desk = Rc::new(Bindings::of(&env)?);
    let config = env::config(&env);
    if let Err(faults) = &config {
        log::not_configured(faults);
    }
    let is_head = request.method() == Method::Head;
    let reply = answer(&config, &desk, from_platform(request)?).await;
    to_platform(reply, is_head)
}

fn from_platform(mut request: Request) -> Result<crate::api::Request<Stream>> {
    let url = request.url()?;
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let (authorization, accept) = (header("authorization"), header("accept"));
    let (access_jwt, if_none_match) = (header("cf-access-jwt-assertion"), header("if-none-match"));
    let content_length = header("content-length").and_then(|length| length.parse().ok());
    Ok(crate::api::Request {
        method: request.method().to_string(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        authorization,
        access_jwt,
        accept,
        if_none_match,
        content_length,
        body: Stream(request.stream().ok()),
    })
}

fn to_platform(reply: Reply, is_head: bool) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &reply.headers {
        headers.set(name, value)?;
    }
    let builder = ResponseBuilder::new().with_status(reply.status).with_headers(headers);
    match reply.body {
        _ if is_head => Ok(builder.empty()),
        Body::Whole(bytes) => Ok(builder.fixed(bytes)),
        Body::Stream(pieces) => {
            builder.from_stream(pieces.map_err(|error| worker::Error::RustError(error.to_string())))
        }
    }
}
