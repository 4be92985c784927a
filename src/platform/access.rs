//! Fetches the keys of Cloudflare Access, and verifies signatures with the platform's own cryptography.
//!
//! [`admit`] is called by entry points. The keys are kept for the lifetime of the isolate.
//!
//! # Invariants
//!
//! A fetch ends within [`JWKS_FETCH_MS`], follows no redirect, and holds at most [`JWKS_MAX`] bytes. No borrow of the
//! cached keys outlives a step.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::js_sys::{Array, JSON, Uint8Array};
use worker::{AbortController, AbortSignal, Delay, Fetch, Method, Request, RequestInit, RequestRedirect};

use super::{failed, noted, sleep};
use crate::access::{AccessRules, AuthFailure, Caller, Credentials, JwksCache, TokenIssuer, admit_any};
use crate::backend::{AssertionKeys, BackendError, Jwk};
use crate::limits::{JWKS_FETCH_MS, JWKS_MAX};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
    async fn import_key(form: &str, key: &JsValue, how: &JsValue, out: bool, uses: &Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
    async fn verify(how: &str, key: &JsValue, signature: &Uint8Array, signed: &Uint8Array) -> Result<JsValue, JsValue>;
}

/// The algorithm, in the form that importing a key requires.
const RS256: &str = r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#;

thread_local! {
    /// The keys cached by this isolate.
    static KEYS: Rc<RefCell<JwksCache>> = Rc::default();
}

/// Authenticates the sender of a request.
pub(super) async fn admit(rules: &AccessRules, presented: Credentials<'_>, now_ms: i64) -> Result<Caller, AuthFailure> {
    let cache = KEYS.with(Rc::clone);
    let certs = rules.sign_on.as_ref().map(|sign_on| TokenIssuer::certs(&sign_on.issuer));
    admit_any(rules, presented, &IssuerKeys { certs: certs.unwrap_or_default() }, &cache, now_ms).await
}

/// The keys of an issuer, published at this address.
struct IssuerKeys {
    certs: String,
}

impl AssertionKeys for IssuerKeys {
    async fn fetch(&self) -> Result<Vec<u8>, BackendError> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let time_is_up = Delay::from(Duration::from_millis(JWKS_FETCH_MS));
        let fetched = match select(Box::pin(fetch(&self.certs, &signal)), Box::pin(time_is_up)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(refused("timed out")),
        };
        controller.abort();
        fetched
    }

    async fn pause(&self, ms: i64) {
        sleep::sleep(ms).await;
    }

    async fn verify(&self, key: &Jwk, signed: &[u8], signature: &[u8]) -> Result<bool, BackendError> {
        let jwk = serde_json::json!({ "kty": "RSA", "n": key.n, "e": key.e, "alg": "RS256", "ext": true }).to_string();
        let key = async {
            let uses = Array::of1(&"verify".into());
            let key = import_key("jwk", &JSON::parse(&jwk)?, &JSON::parse(RS256)?, false, &uses).await?;
            verify("RSASSA-PKCS1-v1_5", &key, &Uint8Array::from(signature), &Uint8Array::from(signed)).await
        };
        let verified =
            key.await.map_err(|_| noted(BackendError::new("verifying a signature", "the platform rejected it")))?;
        Ok(verified.is_truthy())
    }
}

/// Fetches the document at `url`.
async fn fetch(url: &str, signal: &AbortSignal) -> Result<Vec<u8>, BackendError> {
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let failed = || failed("fetching the keys of Access");
    let request = Request::new_with_init(url, &init).map_err(failed())?;
    let mut response = Fetch::Request(request).send_with_signal(signal).await.map_err(failed())?;
    if response.status_code() != 200 {
        return Err(refused("the status was not 200"));
    }
    let mut body = response.stream().map_err(failed())?;
    let mut document = Vec::new();
    while let Some(piece) = body.next().await {
        document.extend_from_slice(&piece.map_err(failed())?);
        if document.len() > JWKS_MAX {
            return Err(refused("the response is too long"));
        }
    }
    Ok(document)
}

fn refused(why: &str) -> BackendError {
    noted(BackendError::new("fetching the keys of Access", why))
}
