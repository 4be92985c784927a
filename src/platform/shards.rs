//! Calls to the Durable Objects of the index.
//!
//! What always holds: a call ends. An object that traps never answers, so there is a limit of time.

use std::time::Duration;

use futures_util::future::{Either, select};
use worker::js_sys::Uint8Array;
use worker::{Delay, Method, ObjectNamespace, Request, RequestInit, Response};

use super::{failed, noted};
use crate::backend::{BackendError, Shards};
use crate::limits::OBJECT_CALL_MS;

/// The namespace of the shards.
#[derive(Debug)]
pub(super) struct ShardObjects(ObjectNamespace);

impl ShardObjects {
    pub(super) const fn new(namespace: ObjectNamespace) -> Self {
        Self(namespace)
    }

    async fn ask(&self, name: &str, call: &str, body: &[u8]) -> worker::Result<Response> {
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(Uint8Array::from(body).into()));
        // The host is a place holder: the stub decides where the request goes.
        let request = Request::new_with_init(&format!("http://shard/{call}"), &init)?;
        self.0.get_by_name(name)?.fetch_with_request(request).await
    }
}

impl Shards for ShardObjects {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let asked = async {
            let mut response = self.ask(name, call, &body).await?;
            Ok((response.status_code(), response.bytes().await?))
        };
        let time_is_up = Delay::from(Duration::from_millis(OBJECT_CALL_MS));
        let answer = match select(Box::pin(asked), Box::pin(time_is_up)).await {
            Either::Left((answer, _)) => answer.map_err(failed("calling a shard"))?,
            Either::Right(_) => return Err(noted(BackendError::new("calling a shard", "it did not answer in time"))),
        };
        match answer {
            (200, body) => Ok(body),
            (status, body) => {
                let words = String::from_utf8_lossy(&body).into_owned();
                Err(noted(BackendError::new("calling a shard", format!("status {status}: {words}"))))
            }
        }
    }
}
