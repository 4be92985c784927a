//! Calls to Durable Objects by name: the shards, the ledgers, the audit log.
//!
//! A call is `POST /{call}?{name}`: the platform does not tell an object its name, which a ledger must know. Every call
//! has a time limit, since an object that traps never answers.

use std::time::Duration;

use futures_util::future::{Either, select};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use wasm_bindgen_futures::JsFuture;
use worker::js_sys::Uint8Array;
use worker::web_sys;
use worker::{Delay, Method, ObjectNamespace, Request, RequestInit, Response, Url};

use super::{failed, noted};
use crate::backend::{BackendError, CallError, DurableObjects};
use crate::limits::{ANSWER_ROOM, OBJECT_CALL_MS};
use crate::memory::Reservation;

/// The Durable Objects of one class.
#[derive(Debug, Clone)]
pub(super) struct NamedObjects {
    namespace: ObjectNamespace,
    /// The description of its calls in log lines.
    what: &'static str,
}

/// Parses the URL of a call: its name, and that of the object.
pub(super) fn read_call(url: &Url) -> (String, String) {
    let name = percent_decode_str(url.query().unwrap_or_default()).decode_utf8_lossy().into_owned();
    (url.path().trim_start_matches('/').to_owned(), name)
}

/// Returns the response to a call: the answer, or a plain message with the reason for refusing it.
pub(super) fn answer_call(answer: Result<Vec<u8>, BackendError>) -> worker::Result<Response> {
    match answer {
        Ok(answer) => Response::from_bytes(answer),
        Err(error) => Response::error(error.to_string(), 500),
    }
}

impl NamedObjects {
    pub(super) const fn new(namespace: ObjectNamespace, what: &'static str) -> Self {
        Self { namespace, what }
    }

    async fn ask(&self, name: &str, call: &str, body: &[u8]) -> worker::Result<Response> {
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(Uint8Array::from(body).into()));
        // The host is a placeholder: the stub decides where the request goes.
        let url = format!("http://object/{call}?{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
        let request = Request::new_with_init(&url, &init)?;
        self.namespace.get_by_name(name)?.fetch_with_request(request).await
    }
}

impl NamedObjects {
    /// The answer of an object, which the module's memory does not hold yet.
    async fn answer(&self, name: &str, call: &str, body: &[u8]) -> Result<Uint8Array, BackendError> {
        let asked = async {
            let response: web_sys::Response = self.ask(name, call, body).await?.into();
            let bytes = JsFuture::from(response.array_buffer()?).await?;
            Ok((response.status(), Uint8Array::new(&bytes)))
        };
        let time_is_up = Delay::from(Duration::from_millis(OBJECT_CALL_MS));
        let answer = match select(Box::pin(asked), Box::pin(time_is_up)).await {
            Either::Left((answer, _)) => answer.map_err(failed(self.what))?,
            Either::Right(_) => return Err(noted(BackendError::new(self.what, "timed out"))),
        };
        match answer {
            (200, body) => Ok(body),
            (status, body) => {
                let words = String::from_utf8_lossy(&body.to_vec()).into_owned();
                Err(noted(BackendError::new(self.what, format!("status {status}: {words}"))))
            }
        }
    }
}

impl DurableObjects for NamedObjects {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        Ok(self.answer(name, call, &body).await?.to_vec())
    }

    async fn call_reserving(
        &self,
        name: &str,
        call: &str,
        body: Vec<u8>,
        reservation: &Reservation,
    ) -> Result<Vec<u8>, CallError> {
        let answer = self.answer(name, call, &body).await?;
        reservation.grow_to(usize::try_from(answer.length()).unwrap_or(usize::MAX).saturating_mul(ANSWER_ROOM))?;
        Ok(answer.to_vec())
    }
}
