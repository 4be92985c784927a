//! A request of a client of Cloudflare's API, with the parts shared by Logpull and the Logs Engine.

use std::rc::Rc;

use super::envelope::{INVALID, bad_query_reply, error_reply, not_a_ray};
use crate::access::Caller;
use crate::api::field_warnings::UnseenFields;
use crate::api::ray_story::find_ray;
use crate::api::rays::ShownRecords;
use crate::api::record_view::DatasetViews;
use crate::api::record_writer::RecordWriter;
use crate::config::Config;
use crate::http::media_type::TEXT;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::lookup::LookupResult;
use crate::memory::ReservedWriter;
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::render::FieldProjection;
use crate::services::Services;

/// The prefix of Logpull's paths; invalid queries there are answered in plain text.
const LOGPULL: &str = "/client/v4/zones/";

/// A request of a client of Cloudflare's API.
pub(crate) struct ClientRequest<'a, D> {
    pub(crate) config: &'a Config,
    pub(crate) services: &'a Rc<D>,
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a HttpRequest<Vec<u8>>,
    pub(crate) arguments: &'a [String],
}

/// Returns the answer to a request that repeats one of these parameters: neither value takes precedence, and
/// Cloudflare's documents do not cover the case.
pub(crate) fn repeated_parameter_reply<B>(request: &HttpRequest<B>, known: &[&'static str]) -> Option<Reply> {
    let name = request.repeated_parameter(known)?;
    Some(if request.path.starts_with(LOGPULL) {
        bad_query_reply(&format!("error parsing {name}: must not be given more than once"))
    } else {
        error_reply(400, INVALID, &format!("The parameter {name} must not be given more than once."))
    })
}

impl<D: Services + 'static> ClientRequest<'_, D> {
    /// Returns the caller, who asks for the zone in the path if zones are configured.
    ///
    /// # Errors
    /// The [`Problem`] of a zone that is not configured, or that the caller may not see.
    pub(super) fn in_zone(&self) -> Result<Caller, Problem> {
        let caller = self.caller;
        let Some(zones) = &self.config.zones else { return Ok(caller.clone()) };
        let asked = self.arguments.first().map_or("", String::as_str);
        let zone = zones.iter().find(|(id, name)| *id == asked || name.eq_ignore_ascii_case(asked));
        let name = zone.map(|(_, name)| name).filter(|name| caller.sees_zone(name)).ok_or_else(problems::forbidden)?;
        Ok(caller.asking_for(name))
    }

    /// Returns the records of a ray as lines; an unknown ray is a 200 with an empty body.
    pub(super) async fn lines_of_ray(
        &self,
        caller: &Caller,
        dataset: Dataset,
        projection: FieldProjection,
    ) -> Result<Reply, Problem> {
        let ray = self.arguments.last().map_or("", String::as_str);
        let Ok(key) = ray_from_user(ray).map(RayKey::unpadded) else { return Ok(not_a_ray()) };
        let views = DatasetViews::new(caller, Some(dataset), None)?;
        let form = RecordWriter::for_lines(self.config, projection);
        let reservation = self.services.memory().reservation();
        let found = match find_ray(self.services.as_ref(), &views, &key, &reservation).await {
            Ok((found, _)) => found,
            Err(problem) if matches!(problem.status, 400 | 404) => LookupResult::default(),
            Err(problem) => return Err(problem),
        };
        let mut page = ReservedWriter::new(self.services.memory());
        let unseen = UnseenFields::default();
        let on_line = |_: &[u8]| ();
        let mut shown = ShownRecords { views: &views, unseen, reservation, record_ns: 0, on_line };
        shown.each(self.services.as_ref(), found, |_, line| form.write(&mut page, line)).await?;
        Ok(Reply::new(200, TEXT, page.finish()?))
    }
}
