//! `GET /v1/rays/{ray}/deliveries`: the delivery of each record of a ray to the partner.

use serde::Serialize;

use super::absence::explain_absence;
use super::list_document::ListDocument;
use super::ray_document::RayHead;
use super::ray_story::find_ray;
use super::record_deliveries::each_delivery;
use super::record_view::DatasetViews;
use super::requested_key::parse_ray;
use super::scan::acquire_lookup;
use crate::access::Caller;
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{LookupCost, Problem, Reply, problems};
use crate::lookup::FoundRecord;
use crate::record::Dataset;
use crate::services::Services;

/// The member after the records.
#[derive(Serialize)]
struct DeliveriesTail {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
}

/// Answers with the delivery of every record of the ray that the caller may see.
pub(crate) async fn get_deliveries(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    argument: &str,
) -> Result<Reply, Problem> {
    let started = services.now_ms();
    let views = DatasetViews::new(caller, Some(Dataset::HttpRequests), None)?;
    let key = parse_ray(argument, problems::trace_without_deliveries)?;
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let (found, mut cost) = match find_ray(services, &views, &key, &reservation).await {
        Ok(found) => found,
        Err(problem) => return Err(explain_absence(config, services, (&views, &key), problem).await),
    };
    let head = RayHead::new(&key, &found, cost.as_ref());
    let mut document = ListDocument::begin(services.memory(), &head, "records")?;
    let records: Vec<&FoundRecord> = found.records.iter().collect();
    each_delivery(services, &records, caller.visibility(), |delivery| document.push(delivery)).await?;
    if let Some(cost) = &mut cost {
        cost.elapsed_ms = services.now_ms() - started;
    }
    let reply = Reply::new(200, JSON, document.end(&DeliveriesTail { cost })?);
    Ok(if let Some(cost) = &cost { reply.with_cost(cost) } else { reply })
}
