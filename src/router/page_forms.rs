//! What a browser sends from the page: a paste, a token to sign in with, and the wish to sign out.
//!
//! # Invariants
//! A form is believed only if it comes from the page itself. What is pasted, and a token, is recorded nowhere. Signing out works
//! whatever else fails.

use ::http::HeaderValue;
use ::http::header::{AUTHORIZATION, COOKIE};

use super::audit_trail::{AuditTrail, record_failure};
use super::authenticate::{AuthenticatedCaller, authenticate};
use super::canonical::RequestRecord;
use super::routes::RouteSpec;
use super::same_origin::{check_media_type, check_origin};
use crate::access::AuthFailure;
use crate::backend::ByteStream;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, begin_session, read_body};
use crate::memory::Reservation;
use crate::services::Services;
use crate::web::{PageRoute, SignInForm, Visit, go_to_rays, sign_in_form, sign_out};

/// Answers a route that signs in or out.
///
/// # Errors
/// The [`Problem`] of a form of another site, or of one that cannot be read.
pub(super) async fn answer_entrance(
    config: &Config,
    services: &impl Services,
    base: &Reservation,
    (spec, route): (&RouteSpec, PageRoute),
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Reply, Problem> {
    let visit = Visit::new(head);
    if route == PageRoute::SignInForm {
        return show_form(spec, &visit, head);
    }
    let form = read_form(spec, base, (head, body)).await?;
    if route == PageRoute::SignIn {
        return Ok(sign_in(config, services, spec, &visit, (head, &SignInForm::parse(&form))).await);
    }
    record_leaving(config, services, spec, head).await;
    Ok(sign_out(&visit))
}

fn show_form(spec: &RouteSpec, visit: &Visit, head: &HttpRequest<()>) -> Result<Reply, Problem> {
    head.check_parameters(spec.parameters)?;
    Ok(sign_in_form(visit, head.parameter("to").as_deref()))
}

/// Reads the body of a form of the page itself.
///
/// # Errors
/// The [`Problem`] of a form of another site, or of one that is too long.
pub(super) async fn read_form(
    spec: &RouteSpec,
    base: &Reservation,
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Vec<u8>, Problem> {
    head.check_parameters(spec.parameters)?;
    check_origin(spec, head)?;
    let form = read_body(head, body, base).await?;
    check_media_type(spec, head, !form.is_empty())?;
    Ok(form)
}

/// Signs in: the token is checked and recorded as in a request that the cookie proves.
async fn sign_in(
    config: &Config,
    services: &impl Services,
    spec: &RouteSpec,
    visit: &Visit,
    (head, form): (&HttpRequest<()>, &SignInForm),
) -> Reply {
    let Some(request) = with_cookie(head, &form.token) else { return form.refuse(visit, 401) };
    let record = RequestRecord::default();
    let caller = match authenticate(config, services, &request).await {
        Ok(caller) => caller,
        Err(failure) => {
            // A form without a token presents none, whatever else the browser adds.
            record_failure(config, services, spec, &record, &request, &failure).await;
            return form.refuse(visit, failure.status());
        }
    };
    match AuditTrail::new(config, services, spec, &caller, &request).admit(&record).await {
        Ok(_) => form.accept(visit),
        Err(problem) => form.refuse(visit, problem.status),
    }
}

/// The request as it will be once the cookie has the token; `None` without a token.
fn with_cookie(head: &HttpRequest<()>, token: &str) -> Option<HttpRequest<()>> {
    if token.is_empty() {
        return None;
    }
    let cookie = begin_session(&head.headers, token);
    let pair = cookie.split(';').next().and_then(|pair| HeaderValue::from_str(pair).ok())?;
    let HttpRequest { method, path, query, headers, body: () } = head;
    let mut request = HttpRequest {
        method: method.clone(),
        path: path.clone(),
        query: query.clone(),
        headers: headers.clone(),
        body: (),
    };
    request.headers.remove(AUTHORIZATION);
    request.headers.insert(COOKIE, pair);
    Some(request)
}

/// Records that a person signs out, if they are known.
async fn record_leaving(config: &Config, services: &impl Services, spec: &RouteSpec, head: &HttpRequest<()>) {
    let caller: Result<AuthenticatedCaller, AuthFailure> = authenticate(config, services, head).await;
    if let Ok(caller) = caller {
        let trail = AuditTrail::new(config, services, spec, &caller, head);
        let _as_well_as_can_be = trail.admit(&RequestRecord::default()).await;
    }
}

/// Goes to the rays that were pasted. What was pasted is recorded nowhere; the request counts.
///
/// # Errors
/// The [`Problem`] of a form that cannot be read, or of a caller over the rate limit.
pub(super) async fn find_pasted<D: Services>(
    trail: &AuditTrail<'_, D>,
    base: &Reservation,
    (spec, caller): (&RouteSpec, &AuthenticatedCaller),
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Reply, Problem> {
    let denied = match read_form(spec, base, (head, body)).await {
        Ok(form) => {
            trail.admit(&RequestRecord::default()).await?;
            return Ok(go_to_rays(&Visit::new(head), &caller.caller, &form));
        }
        Err(problem) => problem,
    };
    Err(trail.deny(&RequestRecord::default(), denied).await)
}
