//! The forms of the page of operations, as the requests of the API that they stand for, and what that page may show.
//!
//! # Invariants
//! The row of the API decides who may see and change what, not the row of the page.

use ::http::HeaderValue;
use ::http::header::{CONTENT_TYPE, ORIGIN};

use super::authenticate::check_scope;
use super::page_forms::read_form;
use super::routes::{ROUTES, Route, RouteSpec, find_route};
use crate::access::Caller;
use crate::backend::{BackendError, ByteStream};
use crate::http::{HttpRequest, Problem, problems};
use crate::memory::Reservation;
use crate::web::{OperationForm, OperationTarget, OpsAnswer};

/// A request of the API, with its row and its arguments.
pub(super) struct ApiOperation {
    pub(super) spec: &'static RouteSpec,
    pub(super) arguments: Vec<String>,
    pub(super) head: HttpRequest<()>,
    pub(super) body: OperationBody,
    /// What the person decided.
    pub(super) decision: &'static str,
}

/// The body of a request that a form stands for; an empty one, of a request that a tool makes.
#[derive(Default)]
pub(super) struct OperationBody(Vec<u8>);

impl ByteStream for OperationBody {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, BackendError> {
        let bytes = std::mem::take(&mut self.0);
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

/// Reads a form of the page itself as the request that it stands for.
///
/// # Errors
/// The [`Problem`] of a form of another site, of one that decides nothing, or of a request that the caller may not make.
pub(super) async fn read_operation(
    base: &Reservation,
    (spec, target, caller): (&RouteSpec, OperationTarget, &Caller),
    arguments: &[String],
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<ApiOperation, Problem> {
    let form = read_form(spec, base, (head, body)).await?;
    let argument = arguments.first().map_or("", String::as_str);
    let OperationForm { path, body, decision } =
        OperationForm::parse(target, argument, &form).ok_or_else(problems::not_a_decision)?;
    let (spec, arguments) = find_route("POST", &path)?;
    check_scope(spec, caller)?;
    let mut headers = head.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // A page without a referrer sends its forms with the origin `null`; that it is the page itself is checked.
    if headers.get(ORIGIN).is_some_and(|origin| origin == "null") {
        headers.remove(ORIGIN);
    }
    let head = HttpRequest { method: head.method.clone(), path, query: String::new(), headers, body: () };
    Ok(ApiOperation { spec, arguments, head, body: OperationBody(body), decision })
}

/// Checks whether a caller may have what the page of operations shows or offers.
///
/// # Errors
/// The [`Problem`] that the route of the API would answer with.
pub(super) fn check_ops_answer(answer: OpsAnswer, caller: &Caller) -> Result<(), Problem> {
    let route = match answer {
        OpsAnswer::Stats => Route::GetStats,
        OpsAnswer::Coverage => Route::GetCoverage,
        OpsAnswer::Batches => Route::ListBatches,
        OpsAnswer::Payloads => Route::ListPayloads,
        OpsAnswer::DeadLetters => Route::ListDeadLetters,
        OpsAnswer::Backfills => Route::ListBackfills,
        OpsAnswer::Costs => Route::GetCosts,
        OpsAnswer::Audit => Route::ListAuditEntries,
        OpsAnswer::Decisions => Route::TryPartner,
        OpsAnswer::DecideMany => Route::DecidePayloads,
    };
    let spec = ROUTES.iter().find(|spec| spec.route == route).ok_or_else(problems::no_such_path)?;
    check_scope(spec, caller)
}
