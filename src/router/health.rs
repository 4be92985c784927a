//! The three answers of `GET /healthz`: for anyone, for callers who may see totals, and, asked for with `deep=1`, for
//! administrators.

use super::audit_trail::AuditTrail;
use super::authenticate::{authenticate, check_scope, failure_problem};
use super::canonical::RequestRecord;
use super::routes::{ADMIN, Route, RouteSpec, WATCH};
use crate::api::health;
use crate::backend::ByteStream;
use crate::config::{Config, ConfigFault};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::services::Services;

/// The row by which `GET /healthz` says why payloads wait: to callers who may see totals.
const HEALTH_DETAILS: RouteSpec = RouteSpec::new("GET", "/healthz", Route::GetStats, WATCH);

/// The row by which `GET /healthz` asks each part of the deployment, for its administrators.
pub(super) const HEALTH_DEEP: RouteSpec =
    RouteSpec::new("GET", "/healthz", Route::GetSelfCheck, ADMIN).taking(&["deep"]);

/// Whether a request for the health asks each part of the deployment.
pub(super) fn is_deep<B>(spec: &RouteSpec, request: &HttpRequest<B>) -> bool {
    spec.route == Route::GetHealth && request.parameter("deep").is_some()
}

/// Answers `GET /healthz`, which never fails: a caller who may not see more, or asks too often, sees whether the Worker is
/// configured.
pub(super) async fn answer_health(
    config: &Result<Config, Vec<ConfigFault>>,
    services: &impl Services,
    request: HttpRequest<impl ByteStream>,
) -> Reply {
    let admitted = async {
        let config = config.as_ref().map_err(|_| problems::not_configured())?;
        let failed = |failure| failure_problem(&failure);
        let caller = authenticate(config, services, &request).await.map_err(failed)?;
        check_scope(&HEALTH_DETAILS, &caller.caller)?;
        let trail = AuditTrail::new(config, services, &HEALTH_DETAILS, &caller, &request);
        trail.admit(&RequestRecord::default()).await?;
        Ok::<_, Problem>(config)
    };
    match admitted.await {
        Ok(config) => health::get_delivery_health(config, services).await,
        Err(_) => health::get_health(config),
    }
}
