//! The way of every request: find its route, authenticate the caller, record and count the request, answer it.
//!
//! # Invariants
//! No service but the audit log is asked before the caller is known, and no audited request is answered before the audit
//! log has recorded it; until then one that shows records asks the index, and nothing else. What a request is answered
//! from is what was recorded of it. A request without room for its base amount is answered 503 at once, unless it asks for
//! the health.

use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};

use super::admission_watch::watch_admission;
use super::audience::Audience;
use super::audit_trail::{AuditTrail, record_failure};
use super::authenticate::{AuthenticatedCaller, authenticate, check_scope, failure_problem};
use super::canonical::{CanonicalRequest, RequestRecord};
use super::foreign_routes::{CloudflareRoute, TempoRoute};
use super::health::{HEALTH_DEEP, answer_health, is_deep};
use super::page_forms::{answer_entrance, find_pasted};
use super::page_operations::{ApiOperation, OperationBody, check_ops_answer, read_operation};
use super::request_services::{RequestServices, reserve_base};
use super::routes::{Route, RouteSpec, find_route};
use super::same_origin::{check_media_type, check_origin};
use super::tool_call::{ToolRequest, read_message};
use super::tool_routes::MCP_SIMPLE;
use super::upload;
use crate::access::Caller;
use crate::api::{
    audit_log, backfills, batches, costs, counts, coverage, dead_letters, deliveries, erasures, health, logs, metrics,
    neighbours, openapi, partner, payloads, ray_diff, ray_explain, ray_har, ray_list, ray_otlp, rays, self_check,
    stats, tokens,
};
use crate::backend::ByteStream;
use crate::cloudflare_api::{self, logpull, logs_engine};
use crate::config::{Config, ConfigFault};
use crate::http::{HttpRequest, Problem, Reply, TimedBody, problems, read_body};
use crate::mcp::{McpRequest, ToolCall, call_tool};
use crate::memory::Reservation;
use crate::services::Services;
use crate::tempo;
use crate::web::{self, OpsAnswer, PageRoute, Visit, open_file};

/// Answers one request, an invalid one with a problem in the format of the API that its path belongs to.
pub async fn answer_request<D: Services + 'static>(
    config: &Result<Config, Vec<ConfigFault>>,
    services: &Rc<D>,
    request: HttpRequest<impl ByteStream>,
) -> Reply {
    let audience = Audience::of_request(&request);
    let (body, head) = request.replace_body(());
    let (body, watch) = TimedBody::new(services, body);
    let request = head.with_body(body);
    let reply = async {
        let base = reserve_base(services.memory(), &request);
        let (spec, arguments) = match find_route(&request.method, &request.path) {
            Ok(found) => found,
            Err(lost) => {
                if let (Ok(config), Ok(_base)) = (config, &base)
                    && let Ok(caller) = authenticate(config, services.as_ref(), &request).await
                {
                    audience.set_budget_of(config, &caller.caller);
                }
                return Err(lost);
            }
        };
        let spec = if config.is_ok() && is_deep(spec, &request) { &HEALTH_DEEP } else { spec };
        if spec.route == Route::GetHealth {
            return Ok(match base {
                Ok(_base) => answer_health(config, services.as_ref(), request).await,
                Err(_) => health::get_health(config),
            });
        }
        let base = base?;
        if let Route::Page(route) = spec.route
            && let Some(reply) = open_file(route, &request, &arguments)
        {
            return reply;
        }
        let config = config.as_ref().map_err(|_| problems::not_configured())?;
        admit_request(config, services, base, (spec, &arguments, &audience), request).await
    };
    let reply = reply.await.map_err(|problem| watch.problem(problem));
    audience.reply(services.as_ref(), reply)
}

/// Authenticates, records and answers a request of a configured deployment.
async fn admit_request<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    base: Reservation,
    (spec, arguments, audience): (&'static RouteSpec, &[String], &Audience),
    request: HttpRequest<impl ByteStream>,
) -> Result<Reply, Problem> {
    if spec.route == Route::GetOpenApi {
        return Ok(openapi::get_openapi());
    }
    let (body, head) = request.replace_body(());
    if let Route::Page(route) = spec.route
        && route.is_entrance()
    {
        return answer_entrance(config, services.as_ref(), &base, (spec, route), (&head, body)).await;
    }
    let record = || RequestRecord::of_head(spec, &config.log_prefix, arguments, &head);
    let caller = match authenticate(config, services.as_ref(), &head).await {
        Ok(caller) => caller,
        Err(failure) => {
            record_failure(config, services.as_ref(), spec, &record(), &head, &failure).await;
            return Err(failure_problem(&failure));
        }
    };
    audience.set_viewer(&caller.caller);
    audience.set_budget_of(config, &caller.caller);
    if spec.is_upload() {
        let asked = (spec, &caller, audience);
        return ingest(config, services.as_ref(), asked, head.with_body(body), arguments).await;
    }
    let services = &Rc::new(RequestServices::new(config, services, &caller.caller, base)?);
    let trail = AuditTrail::new(config, services.of_deployment(), spec, &caller, &head);
    if let Err(problem) = check_scope(spec, &caller.caller).and_then(|()| check_origin(spec, &head)) {
        let denied = trail.deny(&record(), problem).await;
        audience.set_budget(&trail);
        return Err(denied);
    }
    if spec.route == Route::Page(PageRoute::GoToRays) {
        return find_pasted(&trail, services.base(), (spec, &caller), (&head, body)).await;
    }
    if spec.route == Route::Mcp {
        return Box::pin(answer_message(config, services, (spec, &caller, audience), (&head, body))).await;
    }
    if let Route::Page(PageRoute::Operate(target)) = spec.route {
        let form = (spec, target, &caller.caller);
        let operation = match read_operation(services.base(), form, arguments, (&head, body)).await {
            Ok(operation) => operation,
            Err(problem) => return Err(trail.deny(&record(), problem).await),
        };
        let ApiOperation { spec, arguments, head, body, decision } = operation;
        let asked = (spec, &caller, audience);
        let reply = Box::pin(answer_admitted(config, services, asked, &arguments, (&head, body))).await?;
        let viewer = (&Visit::new(&head), &caller.caller);
        return web::after_operation(services.memory(), viewer, (target, decision), reply);
    }
    answer_admitted(config, services, (spec, &caller, audience), arguments, (&head, body)).await
}

/// Answers a message of an assistant. One that asks for no log line is counted; a call goes the way of what it asks.
async fn answer_message<D: Services + 'static>(
    config: &Config,
    services: &Rc<RequestServices<D>>,
    (spec, caller, audience): (&'static RouteSpec, &AuthenticatedCaller, &Audience),
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Reply, Problem> {
    let trail = |spec| AuditTrail::new(config, services.of_deployment(), spec, caller, head);
    let message = match read_message(services, spec, (head, body)).await {
        Ok(message) => message,
        Err(problem) => return Err(trail(spec).deny(&RequestRecord::default(), problem).await),
    };
    if let McpRequest::Call(call) = message {
        let found = answer_call(config, services, (caller, audience), head, &call).await;
        return Ok(call.reply(services.memory(), found)?);
    }
    let trail = trail(&MCP_SIMPLE);
    let admitted = trail.admit(&RequestRecord::default()).await;
    audience.set_budget(&trail);
    admitted?;
    match message {
        McpRequest::Simple(request) => Ok(request.answer(services.memory())?),
        McpRequest::Notification | McpRequest::Call(_) => Ok(McpRequest::accepted()),
    }
}

/// Answers what a tool asks of the API.
async fn answer_call<D: Services + 'static>(
    config: &Config,
    services: &Rc<RequestServices<D>>,
    (caller, audience): (&AuthenticatedCaller, &Audience),
    head: &HttpRequest<()>,
    call: &ToolCall,
) -> Result<Reply, Problem> {
    let ToolRequest { spec, caller, asked } = ToolRequest::new(caller, head, call)?;
    match asked {
        Ok((head, arguments)) => {
            let asked = (spec, &caller, audience);
            Box::pin(answer_admitted(config, services, asked, &arguments, (&head, OperationBody::default()))).await
        }
        Err(problem) => {
            let trail = AuditTrail::new(config, services.of_deployment(), spec, &caller, head);
            Err(trail.deny(&RequestRecord::default(), problem).await)
        }
    }
}

/// Records and answers a request whose caller may make it.
async fn answer_admitted<D: Services + 'static>(
    config: &Config,
    services: &Rc<RequestServices<D>>,
    (spec, caller, audience): (&'static RouteSpec, &AuthenticatedCaller, &Audience),
    arguments: &[String],
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Reply, Problem> {
    let trail = AuditTrail::new(config, services.of_deployment(), spec, caller, head);
    let answer = answer_recorded(config, services, (&trail, spec, caller), arguments, (head, body)).await;
    audience.set_budget(&trail);
    answer
}

/// Answers a request once it is recorded.
async fn answer_recorded<D: Services + 'static>(
    config: &Config,
    services: &Rc<RequestServices<D>>,
    (trail, spec, caller): (&AuditTrail<'_, D>, &'static RouteSpec, &AuthenticatedCaller),
    arguments: &[String],
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<Reply, Problem> {
    let record = || RequestRecord::of_head(spec, &config.log_prefix, arguments, head);
    if let Some(reply) = cloudflare_api::repeated_parameter_reply(head, spec.parameters).filter(|_| spec.is_client()) {
        let denied = trail.deny(&record(), problems::repeated_parameter("")).await;
        return if denied.status == reply.status { Ok(reply) } else { Err(denied) };
    }
    let canonical = match read_request(config, services, (spec, &caller.caller), arguments, (head, body)).await {
        Ok(canonical) => canonical,
        Err(problem) => return Err(trail.deny(&record(), problem).await),
    };
    let CanonicalRequest { request, arguments, record } = canonical;
    let AuthenticatedCaller { caller: of_request, .. } = caller.clone();
    services.advance(trail.advance());
    let admission = async {
        let seq = trail.admit(&record).await?;
        services.admit();
        Ok(seq)
    };
    let admitted = AdmittedRequest { config, services, caller: of_request, request, arguments: &arguments };
    let answer = Box::pin(admitted.answer(spec.route));
    let (seq, answer) =
        if spec.shows_records() { join_admission(admission, answer).await? } else { (admission.await?, answer.await) };
    record_refusal(trail, spec, &record, &answer, seq).await;
    answer.map(|reply| watch_admission(services, caller, reply))
}

/// Returns the number of a request's entry and its answer, which begins beside its admission: nothing of it is served, and
/// nothing behind the gate is asked, before the request is admitted.
///
/// # Errors
/// The [`Problem`] of a request that is not admitted; its answer is given up.
async fn join_admission<T>(
    admission: impl Future<Output = Result<Option<u64>, Problem>>,
    answer: impl Future<Output = T> + Unpin,
) -> Result<(Option<u64>, T), Problem> {
    match select(pin!(admission), answer).await {
        Either::Left((seq, answer)) => Ok((seq?, answer.await)),
        Either::Right((answer, admission)) => Ok((admission.await?, answer)),
    }
}

/// Reads the values of a request, and checks that it has a reason where its caller must give one.
async fn read_request<D: Services>(
    config: &Config,
    services: &RequestServices<D>,
    (spec, caller): (&RouteSpec, &Caller),
    arguments: &[String],
    (head, body): (&HttpRequest<()>, impl ByteStream),
) -> Result<CanonicalRequest, Problem> {
    if !spec.ignores_parameters() {
        head.check_parameters(spec.parameters)?;
    } else if let Some(name) = head.repeated_parameter(spec.parameters).filter(|_| !spec.is_client()) {
        return Err(problems::repeated_parameter(name));
    }
    let body = read_body(head, body, services.base()).await?;
    check_media_type(spec, head, !body.is_empty())?;
    let canonical = CanonicalRequest::read(spec, &config.log_prefix, arguments, head, &body)?;
    let must_say_why = spec.shows_records() && config.reason_roles.contains(&caller.role);
    if must_say_why && canonical.record.reason.is_none() {
        return Err(problems::reason_required());
    }
    Ok(canonical)
}

/// Stores an upload, and records it.
async fn ingest<D: Services>(
    config: &Config,
    services: &D,
    (spec, caller, audience): (&RouteSpec, &AuthenticatedCaller, &Audience),
    request: HttpRequest<impl ByteStream>,
    arguments: &[String],
) -> Result<Reply, Problem> {
    let trail = AuditTrail::new(config, services, spec, caller, &request);
    let checked = check_scope(spec, &caller.caller)
        .and_then(|()| check_origin(spec, &request))
        .and_then(|()| check_media_type(spec, &request, true));
    if let Err(problem) = checked {
        let (_, head) = request.replace_body(());
        let record = RequestRecord::of_head(spec, &config.log_prefix, arguments, &head);
        let denied = trail.deny(&record, problem).await;
        audience.set_budget(&trail);
        return Err(denied);
    }
    let dataset = arguments.first().map(String::as_str);
    let answer = upload::ingest(config, services, (&trail, &caller.caller), request, dataset).await;
    record_refusal(&trail, spec, &RequestRecord::default(), &answer, None).await;
    audience.set_budget(&trail);
    answer
}

/// Records that a request was denied after its entry was written, or while it was uploaded; or that it was to change
/// something, and was refused.
async fn record_refusal<D: Services>(
    trail: &AuditTrail<'_, D>,
    spec: &RouteSpec,
    record: &RequestRecord,
    answer: &Result<Reply, Problem>,
    seq: Option<u64>,
) {
    let changes = spec.method != "GET" && !spec.shows_records();
    let is_refused_change = |status| seq.is_some() && changes && (400..500).contains(&status);
    match answer {
        Ok(reply) if reply.status == 403 => trail.deny_after(record, 403, "forbidden", seq).await,
        Err(problem) if problem.status == 403 || is_refused_change(problem.status) => {
            trail.deny_after(record, problem.status, problem.code, seq).await;
        }
        Ok(_) | Err(_) => {}
    }
}

/// A request whose caller is authenticated.
struct AdmittedRequest<'a, D> {
    config: &'a Config,
    services: &'a Rc<D>,
    caller: Caller,
    request: HttpRequest<Vec<u8>>,
    arguments: &'a [String],
}

impl<D: Services + 'static> AdmittedRequest<'_, D> {
    async fn answer(&self, route: Route) -> Result<Reply, Problem> {
        let (config, request, body) = (self.config, &self.request, self.request.body.as_slice());
        let services = self.services.as_ref();
        let argument = self.arguments.first().map_or("", String::as_str);
        match route {
            Route::GetRay if ray_explain::is_asked(request) => {
                ray_explain::explain_ray(config, services, &self.caller, request, argument).await
            }
            Route::GetRay if ray_har::is_asked(request) => {
                ray_har::archive_ray(config, services, &self.caller, request, argument).await
            }
            Route::GetRay if ray_otlp::is_asked(request) => {
                ray_otlp::trace_ray(config, services, &self.caller, request, argument).await
            }
            Route::GetRay => rays::get_ray(config, services, &self.caller, request, argument).await,
            Route::LookUpRays => ray_list::look_up_rays(config, self.services, &self.caller, request).await,
            Route::GetDeliveries => deliveries::get_deliveries(config, services, &self.caller, argument).await,
            Route::DiffRays => ray_diff::diff_rays(config, services, &self.caller, request, self.arguments).await,
            Route::FindNeighbours => {
                neighbours::find_neighbours(config, self.services, &self.caller, request, argument).await
            }
            Route::GetCoverage => coverage::get_coverage(config, services, &self.caller, request).await,
            Route::ListAuditEntries => audit_log::list_audit_entries(self.services, &self.caller, request).await,
            Route::GetMetrics => metrics::get_metrics(config, services, &self.caller).await,
            Route::GetCosts => costs::get_costs(services).await,
            Route::GetSelfCheck => self_check::get_self_check(config, services, request).await,
            Route::GetStats => stats::get_stats(config, services, request).await,
            Route::ListBatches => batches::list_batches(services, &self.caller, request).await,
            Route::AnnounceBatch => batches::announce_batch(config, services, &self.caller, body).await,
            Route::GetBatch => batches::get_batch(services, &self.caller, argument).await,
            Route::ReplayBatch => batches::replay_batch(services, &self.caller, body, argument).await,
            Route::ListPayloads => payloads::list_payloads(services, &self.caller, request).await,
            Route::DecidePayloads => payloads::decide_payloads(config, services, body).await,
            Route::DecidePayload(decision) => {
                payloads::decide_payload(config, services, (&self.caller, body), argument, decision).await
            }
            Route::CreateBackfill => backfills::create_backfill(config, services, &self.caller, body).await,
            Route::ListBackfills => backfills::list_backfills(services, &self.caller).await,
            Route::GetBackfill => backfills::get_backfill(services, &self.caller, argument).await,
            Route::CreateErasure => erasures::create_erasure(config, services, &self.caller, body).await,
            Route::ListErasures => erasures::list_erasures(services).await,
            Route::GetErasure => erasures::get_erasure(services, request, argument).await,
            Route::TryPartner => partner::try_partner(config, services).await,
            Route::SetBackfillRunning(run) => {
                backfills::set_backfill_running(services, &self.caller, argument, run).await
            }
            Route::ListDeadLetters => dead_letters::list_dead_letters(services, request).await,
            Route::RedriveDeadLetter => dead_letters::redrive_dead_letter(services, body, argument).await,
            Route::DismissDeadLetter => dead_letters::dismiss_dead_letter(services, body, argument).await,
            Route::CreateToken => tokens::create_token(config, services, &self.caller, body).await,
            Route::ListTokens => tokens::list_tokens(config, services, &self.caller, request).await,
            Route::RevokeToken => tokens::revoke_token(config, services, &self.caller, (request, argument)).await,
            Route::SearchLogs => logs::search_logs(config, self.services, &self.caller, request).await,
            Route::CountRecords => counts::count_records(self.services, &self.caller, request).await,
            Route::Cloudflare(route) => {
                let (caller, arguments) = (&self.caller, self.arguments);
                let client =
                    cloudflare_api::ClientRequest { config, services: self.services, caller, request, arguments };
                answer_client(&client, route).await
            }
            Route::Tool(tool) => {
                Box::pin(call_tool(config, self.services, &self.caller, (tool, request, argument))).await
            }
            Route::Tempo(route) => Box::pin(self.answer_tempo(route)).await,
            // Kept out of the future of every request: pages ask for several answers.
            Route::Page(route) => Box::pin(self.show_page(route)).await,
            Route::IngestBatch | Route::IngestTraces | Route::GetOpenApi | Route::GetHealth | Route::Mcp => {
                Err(problems::no_such_path())
            }
        }
    }
}

impl<D: Services + 'static> AdmittedRequest<'_, D> {
    /// Answers a route of the support desk's page.
    async fn show_page(&self, route: PageRoute) -> Result<Reply, Problem> {
        let (visit, argument) = (Visit::new(&self.request), self.arguments.first().map_or("", String::as_str));
        let viewer = (&visit, &self.caller);
        match route {
            PageRoute::Home => Ok(web::home(&visit, &self.caller)),
            PageRoute::ShowRay => web::show_ray(self.config, self.services, viewer, &self.request, argument).await,
            PageRoute::ShowRays => web::show_rays(self.config, self.services, viewer, &self.request).await,
            PageRoute::Search => web::show_search(self.config, self.services, viewer, &self.request).await,
            PageRoute::ShowOperations => {
                let check = |answer| check_ops_answer(answer, &self.caller);
                web::show_operations(self.config, self.services, viewer, check).await
            }
            PageRoute::CountPayloads => {
                check_ops_answer(OpsAnswer::DecideMany, &self.caller)?;
                web::count_payloads(self.config, self.services.as_ref(), viewer, &self.request).await
            }
            _ => Err(problems::no_such_path()),
        }
    }
}

impl<D: Services + 'static> AdmittedRequest<'_, D> {
    /// Answers a route of Tempo's API.
    async fn answer_tempo(&self, route: TempoRoute) -> Result<Reply, Problem> {
        let (services, caller, request) = (self.services, &self.caller, &self.request);
        let argument = self.arguments.first().map_or("", String::as_str);
        match route {
            TempoRoute::Echo => Ok(tempo::answer_echo()),
            TempoRoute::BuildInfo => Ok(tempo::build_info(services.memory())?),
            TempoRoute::GetTrace(version) => {
                tempo::get_trace(self.config, services, caller, request, (argument, version)).await
            }
            TempoRoute::Search => tempo::search_traces(services, caller, request).await,
            TempoRoute::ListTags(version) => tempo::list_tags(services.memory(), caller, request, version),
            TempoRoute::ListTagValues(version) => {
                tempo::list_tag_values(services, caller, request, (argument, version)).await
            }
        }
    }
}

/// Answers a route of Cloudflare's API.
async fn answer_client<D: Services + 'static>(
    client: &cloudflare_api::ClientRequest<'_, D>,
    route: CloudflareRoute,
) -> Result<Reply, Problem> {
    match route {
        CloudflareRoute::ReceivedLogs => logpull::received_logs(client).await,
        CloudflareRoute::ListFields => logpull::list_fields(client).await,
        CloudflareRoute::ZoneRay => logpull::zone_ray(client).await,
        CloudflareRoute::GetRetention => logpull::get_retention(client),
        CloudflareRoute::SetRetention => logpull::set_retention(client),
        CloudflareRoute::ListObjects => logs_engine::list_objects(client).await,
        CloudflareRoute::RetrieveLogs => logs_engine::retrieve_logs(client).await,
        CloudflareRoute::IndexRays => logs_engine::index_rays(client),
        CloudflareRoute::AccountRay => logs_engine::account_ray(client).await,
    }
}
