//! Cloudflare's own retrieval APIs over one's own bucket: Logpull under `/client/v4/zones/{zone}/logs`, the Logs Engine
//! under `/client/v4/accounts/{account}/logs`. A client needs another base URL and one of our tokens, nothing else.
//!
//! What always holds: parameters, defaults, status codes and the form of errors are those that Cloudflare documents;
//! the limits of 7 days, 1 hour and 15 requests a minute are not; the account and the R2 keys that clients send are not
//! looked at, since the Worker reads its own bucket alone.

mod engine;
mod envelope;
mod logpull;

pub(super) use envelope::reply_of;

use std::rc::Rc;

use super::form::Form;
use super::rays::{find, records};
use super::reply::TEXT;
use super::sight::Sight;
use super::{ClientRoute, Problem, Reply, Request, problems};
use crate::access::Caller;
use crate::config::Config;
use crate::record::{Dataset, ray_from_user};
use crate::render::Projection;
use crate::services::Services;

/// A request of such a client.
pub(super) struct Client<'a, D> {
    pub(super) config: &'a Config,
    pub(super) desk: &'a Rc<D>,
    pub(super) caller: &'a Caller,
    pub(super) request: &'a Request<Vec<u8>>,
    pub(super) arguments: &'a [String],
}

impl<D: Services + 'static> Client<'_, D> {
    /// Answers it.
    pub(super) async fn answer(&self, route: ClientRoute) -> Result<Reply, Problem> {
        match route {
            ClientRoute::Received => logpull::received(self).await,
            ClientRoute::Fields => logpull::fields(self),
            ClientRoute::ZoneRay => logpull::ray(self).await,
            ClientRoute::Retention => logpull::retention(self),
            ClientRoute::SetRetention => logpull::set_retention(self),
            ClientRoute::List => engine::list(self).await,
            ClientRoute::Retrieve => engine::retrieve(self).await,
            ClientRoute::Index => Ok(engine::index(self)),
            ClientRoute::AccountRay => engine::ray(self).await,
        }
    }

    /// The caller, narrowed to the zone of the path where zones are configured.
    ///
    /// # Errors
    /// The [`Problem`] of a zone that is not configured, or that the caller may not see.
    fn in_zone(&self) -> Result<Caller, Problem> {
        let mut caller = self.caller.clone();
        let Some(zones) = &self.config.zones else { return Ok(caller) };
        let asked = self.arguments.first().map_or("", String::as_str);
        let zone = zones.iter().find(|(id, name)| *id == asked || name.eq_ignore_ascii_case(asked));
        let name = zone.map(|(_, name)| name).filter(|name| caller.sees_zone(name)).ok_or_else(problems::forbidden)?;
        caller.zones = Some(vec![name.clone()]);
        Ok(caller)
    }

    /// The records of the ray that the path names, as lines: none where nothing is found.
    async fn lines_of_ray(&self, caller: &Caller, dataset: Dataset, projection: Projection) -> Result<Reply, Problem> {
        let ray = self.arguments.last().map_or("", String::as_str);
        let Ok(key) = ray_from_user(ray) else { return Ok(envelope::not_a_ray()) };
        let sight = Sight::new(caller, dataset, None)?;
        let form = Form::of_lines(self.config, projection);
        let reservation = self.desk.memory().reservation();
        let body = match find(self.desk.as_ref(), &sight, &key, &reservation).await {
            Ok((found, _)) => {
                let seen = records(&found, &sight);
                form.page(seen.iter().map(|record| record.line.as_slice()))
            }
            Err(problem) if matches!(problem.status, 400 | 404) => Vec::new(),
            Err(problem) => return Err(problem),
        };
        Ok(Reply::new(200, TEXT, body))
    }
}
