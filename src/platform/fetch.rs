//! The HTTP entry point: converts the platform's request for the core, and the core's reply for the platform.
//!
//! The runtime compresses a body if the reply's header says gzip; this sets it if the client accepts gzip.
//! `router::answer_request` answers every request, and only the encoding of its reply changes. `HEAD` has no body.

use std::rc::Rc;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::FutureExt;
use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::Reflect;
use worker::web_sys::ReadableStream;
use worker::{Context, Env, Headers, Request, Response, ResponseBuilder, Result, event};

use super::bindings::Bindings;
use super::hang_up::ClientConnection;
use super::streams::StreamedBody as Stream;
use super::{env, log};
use crate::http::{BodyPieces, HttpRequest, Reply, ReplyBody, accepts_gzip, broken_line};
use crate::limits::SMALL_BODY;
use crate::memory::ReservedBytes;
use crate::router::answer_request;

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let config = env::config(&env);
    let context = Rc::new(context);
    let services = Rc::new(Bindings::new(&env, config.as_ref().ok())?.in_context(&context));
    if let Err(faults) = &config {
        log::not_configured(faults);
    }
    let (is_head, takes_gzip) = (request.inner().method() == "HEAD", takes_gzip(&request));
    let (client, request) = (ClientConnection::from_request(&request), from_platform(request)?);
    let answer = async move { answer_request(&config, &services, request).await };
    match client.wants(answer.boxed_local()).await {
        Some(reply) => {
            let last_line = broken_line(&reply);
            to_platform(reply, is_head, takes_gzip, |pieces| client.body(&context, pieces, &last_line))
        }
        None => Response::empty(),
    }
}

/// Returns whether the client itself accepts gzip. The platform replaces the client's `Accept-Encoding` with its own,
/// and keeps the original with the request.
fn takes_gzip(request: &Request) -> bool {
    let member = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok();
    let kept = member(request.inner(), "cf").and_then(|cf| member(&cf, "clientAcceptEncoding")?.as_string());
    let accepted = kept.or_else(|| request.headers().get("accept-encoding").ok().flatten());
    accepted.is_some_and(|accepted| accepts_gzip(&accepted))
}

fn from_platform(mut request: Request) -> Result<HttpRequest<Stream>> {
    let url = request.url()?;
    Ok(HttpRequest {
        // The enumeration of `worker` has `GET` for every method that it does not know.
        method: request.inner().method(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers: headers_of(&request),
        body: Stream(request.stream().ok()),
    })
}

/// Returns the headers of a request. The platform joins repeated ones.
fn headers_of(request: &Request) -> HeaderMap {
    let header = |(name, value): (String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    request.headers().entries().filter_map(header).collect()
}

fn to_platform(
    reply: Reply,
    is_head: bool,
    takes_gzip: bool,
    stream: impl FnOnce(BodyPieces) -> ReadableStream,
) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &reply.headers {
        headers.set(name, value)?;
    }
    headers.set("vary", "accept-encoding")?;
    let has_body = !is_head && !matches!(&reply.body, ReplyBody::Whole(bytes) if bytes.is_empty());
    if has_body && takes_gzip {
        headers.set("content-encoding", "gzip")?;
    }
    let builder = ResponseBuilder::new().with_status(reply.status).with_headers(headers);
    match reply.body {
        _ if !has_body => Ok(builder.empty()),
        ReplyBody::Whole(bytes) => fixed(builder, &bytes),
        ReplyBody::Stream(pieces) => Ok(builder.stream(stream(pieces))),
    }
}

/// A response with a complete body, which is copied out of the module chunk by chunk.
fn fixed(builder: ResponseBuilder, bytes: &ReservedBytes) -> Result<Response> {
    if bytes.len() <= SMALL_BODY {
        return Ok(builder.fixed(bytes.to_vec()));
    }
    let whole: JsValue = super::js_bytes(bytes).into();
    let response = worker::web_sys::Response::new_with_opt_buffer_source(Some(whole.unchecked_ref()))?;
    match response.body() {
        Some(body) => Ok(builder.stream(body)),
        None => Ok(builder.empty()),
    }
}
