//! `GET /v1/rays/{ray}/neighbours`: the records around the moment of a ray that have the same client, path or status, so that
//! one sees whether a failure is one client's, one page's, or everyone's.
//!
//! # Invariants
//! What is compared is what the caller sees of the ray's record. A ray of hidden records is answered like one without any, after as
//! long a time. The search is one of [`super::range_scan`], with its rights, budgets and cursors.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::family_wish::FamilyWish;
use super::field_warnings::UnseenFields;
use super::neighbour_sink::{NeighbourSink, OwnRays};
use super::neighbour_stream::NeighbourRows;
use super::range_scan::{RangeScan, ScanRequest};
use super::ray_document::RayHead;
use super::ray_story::{RayStory, find_story};
use super::ray_tree::TreeResponse;
use super::record_view::{DatasetViews, RecordView, parse_dataset_of};
use super::record_writer::parse_fields;
use super::requested_key::find_named;
use super::response_stream::{ResponseStream, StreamFormat, parse_row_format};
use super::scan::acquire_lookup;
use super::time_range::TimeRange;
use crate::access::Caller;
use crate::config::Config;
use crate::filter::Filter;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, problems};
use crate::limits::{
    MASKING_ROOM, NEIGHBOUR_VALUE_BYTES, NEIGHBOURS_BYTES, NEIGHBOURS_DEFAULT, NEIGHBOURS_DEFAULT_WITHIN_S,
    NEIGHBOURS_LISTED, NEIGHBOURS_WITHIN_S, RENDERING_ROOM,
};
use crate::lookup::FoundRecord;
use crate::mask::{MASKED, may_be_altered};
use crate::record::fields::line_text;
use crate::record::{Dataset, FieldValue, NamePlaces, NamedValues, RayKey, ray_from_user, read_key_by};
use crate::services::Services;
use crate::time::rfc3339_ns;

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// The fields that a neighbour shows where the request names none.
const REQUEST_FIELDS: &[&str] = &[
    "ClientRequestMethod",
    "ClientRequestHost",
    "ClientRequestPath",
    "EdgeResponseStatus",
    "ClientIP",
    "CacheCacheStatus",
];
const EVENT_FIELDS: &[&str] = &[
    "Action",
    "Source",
    "RuleID",
    "ClientRequestMethod",
    "ClientRequestHost",
    "ClientRequestPath",
    "EdgeResponseStatus",
    "ClientIP",
];

/// What neighbours have in common with a ray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Client,
    Path,
    Status,
}

impl Relation {
    const ALL: [Self; 3] = [Self::Client, Self::Path, Self::Status];

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Path => "path",
            Self::Status => "status",
        }
    }

    /// Returns the fields that are equal.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Client => &["ClientIP"],
            Self::Path => &["ClientRequestHost", "ClientRequestPath"],
            Self::Status => &["ClientRequestHost", "EdgeResponseStatus"],
        }
    }
}

/// What a request says.
struct NeighbourRequest {
    dataset: Dataset,
    by: Relation,
    /// How long before and after the ray, in seconds.
    within_s: i64,
    /// Maximum number of neighbours to list.
    limit: usize,
    /// The fields to show of each; `None` for those of its dataset.
    fields: Option<Vec<String>>,
    cursor: Option<String>,
}

/// Answers with the neighbours of the ray, or 404.
pub(crate) async fn find_neighbours<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    let (format, media_type) = parse_row_format(request, true)?;
    let asked = parse_request(request)?;
    let (dataset, by) = (asked.dataset, asked.by);
    let views = DatasetViews::new(caller, Some(dataset), None)?;
    let compared: Vec<String> = by.fields().iter().map(|name| (*name).to_owned()).collect();
    RecordView::new(caller, dataset, None)?.check_names(&compared)?;
    let key = ray_from_user(argument).map_err(|_| problems::not_a_ray())?;
    let moment = find_moment((config, services.as_ref()), &views, key, &asked).await?;
    let Moment { ns, filter, own, json } = moment;
    let unseen = UnseenFields::new(caller.role, &[dataset], None, asked.fields.as_deref());
    let view = Rc::new(RecordView::new(caller, dataset, Some(filter))?);
    let bound_to = Some(format!("neighbours\n{}", own.key));
    let range = window(ns, asked.within_s);
    let (sample, limit, cursor, bytes) = (None, None, asked.cursor, NEIGHBOURS_BYTES);
    let scanned = ScanRequest { view: view.clone(), range, sample, limit, cursor, bound_to, bytes };
    let scan = RangeScan::begin(services, caller, scanned).await?;
    let fields = asked.fields.unwrap_or_else(|| default_fields(dataset));
    let sink = NeighbourSink::new(view, unseen, (own, ns), (fields, asked.limit));
    let content = NeighbourRows::new(sink, json, format == StreamFormat::Document);
    Ok(ResponseStream::reply(scan, content, format, media_type))
}

/// Reads the parameters.
fn parse_request<B>(request: &HttpRequest<B>) -> Result<NeighbourRequest, Problem> {
    const BY: &str = "client, path or status";
    let by = request.parameter("by").ok_or_else(|| problems::missing_parameter("by", BY))?;
    let by = Relation::ALL.into_iter().find(|relation| relation.name() == by);
    let dataset = parse_dataset_of(request, &[Dataset::HttpRequests, Dataset::FirewallEvents])?;
    let limit = request.number_parameter("limit", NEIGHBOURS_DEFAULT.into(), NEIGHBOURS_LISTED.into())?;
    Ok(NeighbourRequest {
        dataset,
        by: by.ok_or_else(|| problems::bad_parameter("by", BY))?,
        within_s: match request.parameter("within") {
            None => NEIGHBOURS_DEFAULT_WITHIN_S,
            Some(text) => parse_within(&text)
                .ok_or_else(|| problems::bad_parameter("within", "a time from 1s to 3600s, such as 300s or 5m"))?,
        },
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        fields: parse_fields(request)?,
        cursor: request.parameter("cursor"),
    })
}

/// Parses a time before and after a ray: a number of seconds, or of the unit after it. Returns seconds.
pub(crate) fn parse_within(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(['s', 'm']);
    let unit_s = match text.strip_prefix(digits)? {
        "" | "s" => 1,
        "m" => 60,
        _ => return None,
    };
    let number: i64 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (least_s, most_s) = NEIGHBOURS_WITHIN_S;
    number.checked_mul(unit_s).filter(|within_s| (least_s..=most_s).contains(within_s))
}

/// The fields that are shown of a record where the request names none.
fn default_fields(dataset: Dataset) -> Vec<String> {
    let names = if dataset == Dataset::FirewallEvents { EVENT_FIELDS } else { REQUEST_FIELDS };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The window around a moment, with both of its ends.
const fn window(ns: i64, within_s: i64) -> TimeRange {
    let side_ns = within_s * NS_PER_S;
    TimeRange { start_ns: ns.saturating_sub(side_ns), end_ns: ns.saturating_add(side_ns).saturating_add(1) }
}

/// The moment of a ray, and what is searched around it.
struct Moment {
    /// The time of the ray's record, in Unix nanoseconds.
    ns: i64,
    /// Matches records with the same values.
    filter: Filter,
    own: OwnRays,
    /// What the answer says of it.
    json: String,
}

/// Looks up the ray with its tree, and reads from its first record what its neighbours have in common with it.
///
/// The permit and the memory of the lookup are returned before the search begins, which needs its own.
async fn find_moment(
    (config, services): (&Config, &impl Services),
    views: &DatasetViews,
    key: RayKey,
    asked: &NeighbourRequest,
) -> Result<Moment, Problem> {
    let _permit = acquire_lookup(services, views.caller()).await?;
    let reservation = services.memory().reservation();
    let wish = FamilyWish::with_whole_tree();
    let find = async |key: &RayKey| find_story((config, services), views, key, (&wish, None), &reservation).await;
    let (key, story) = find_named(key, find).await?;
    let RayStory { found, cost, tree, .. } = story;
    let first = found.records.first().ok_or_else(problems::batch_unreadable)?;
    let ns = time_of(services, first);
    let masking_room = if views.is_verbatim() { 0 } else { MASKING_ROOM };
    let _room = services.memory().reserve((masking_room + RENDERING_ROOM) * first.line.len())?;
    let seen = views.view(first).ok_or_else(problems::batch_unreadable)?;
    let text = line_text(&seen);
    let common = CommonValues::read(views, asked, &text)?;
    let filter = common.filter()?;
    let response = MomentResponse {
        head: RayHead::new(&key, &found, cost.as_ref()),
        records: found.records.len(),
        dataset: asked.dataset.name(),
        time: rfc3339_ns(ns),
        by: asked.by.name(),
        within_s: asked.within_s,
        common: &common,
        tree_truncated: tree.as_ref().is_some_and(TreeResponse::is_truncated),
        cost,
    };
    let json = serde_json::to_string(&response).unwrap_or_default();
    let tree = tree.iter().flat_map(TreeResponse::rays).collect();
    Ok(Moment { ns, filter, own: OwnRays { key, tree }, json })
}

/// Returns the time of a record, by which searches place it, in Unix nanoseconds.
fn time_of(services: &impl Services, record: &FoundRecord) -> i64 {
    let names = services.batch_store().prefixes.key_names(&record.object.key, record.dataset);
    let own_ns = read_key_by(&names, &record.line).ok().and_then(|key| key.unix_ns());
    own_ns.unwrap_or_else(|| record.object.default_ms().saturating_mul(NS_PER_MS))
}

/// What the record of a ray has in common with its neighbours, as the caller sees it.
#[derive(Serialize)]
struct CommonValues<'a> {
    same: BTreeMap<&'static str, &'a RawValue>,
    /// The fields of which the caller may see another value than the record has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked: Vec<&'static str>,
}

impl<'a> CommonValues<'a> {
    /// Reads the values from the text of the record as the caller sees it.
    ///
    /// # Errors
    /// The [`Problem`] of a record without one of the values, and of a value of which the caller sees nothing.
    fn read(views: &DatasetViews, asked: &NeighbourRequest, text: &'a str) -> Result<Self, Problem> {
        let names = asked.by.fields();
        let places: NamePlaces = (0..).zip(names).map(|(place, name)| ((*name).into(), place)).collect();
        let values = NamedValues::read(text, &places).map_err(|_| problems::batch_unreadable())?;
        let (mut same, mut masked) = (BTreeMap::new(), Vec::new());
        for (place, name) in names.iter().enumerate() {
            if matches!(values.get(place), FieldValue::Text(text) if text == MASKED) {
                return Err(problems::compared_field_masked(name));
            }
            let raw = values.raw(place).filter(|_| is_comparable(&values.get(place)));
            let raw = raw.ok_or_else(|| problems::not_comparable(name))?;
            if may_be_altered(views.caller().role, asked.dataset, name, raw) {
                masked.push(*name);
            }
            same.insert(*name, serde_json::from_str(raw).map_err(|_| problems::batch_unreadable())?);
        }
        Ok(Self { same, masked })
    }

    /// Returns the filter of the records that have the same values.
    fn filter(&self) -> Result<Filter, Problem> {
        let values: Vec<(&str, FieldValue<'_>)> =
            self.same.iter().map(|(name, raw)| (*name, FieldValue::from_json(raw.get()))).collect();
        Filter::for_equal_fields(&values).ok_or_else(problems::batch_unreadable)
    }
}

/// Returns whether other records can have the value: an empty text is what records have that lack it.
fn is_comparable(value: &FieldValue<'_>) -> bool {
    match value {
        FieldValue::Text(text) => (1..=NEIGHBOUR_VALUE_BYTES).contains(&text.len()),
        FieldValue::Number(digits) => digits.len() <= NEIGHBOUR_VALUE_BYTES,
        FieldValue::Bool(_) => true,
        FieldValue::Absent | FieldValue::Nested(_) => false,
    }
}

/// The ray of an answer, and what its neighbours have in common with it.
#[derive(Serialize)]
struct MomentResponse<'a> {
    #[serde(flatten)]
    head: RayHead,
    /// Number of the ray's records in the dataset, of which the first counts.
    records: usize,
    dataset: &'static str,
    time: String,
    by: &'static str,
    within_s: i64,
    #[serde(flatten)]
    common: &'a CommonValues<'a>,
    /// Whether requests of the ray's tree may be among the neighbours, since not all of it is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tree_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
}

#[cfg(test)]
mod tests {
    use super::parse_within;

    #[test]
    fn time_around_a_ray_is_read_in_seconds() {
        for (text, within_s) in [
            ("300s", Some(300)),
            ("300", Some(300)),
            ("5m", Some(300)),
            ("1s", Some(1)),
            ("3600s", Some(3_600)),
            ("60m", Some(3_600)),
            ("0s", None),
            ("3601s", None),
            ("61m", None),
            ("1h", None),
            ("1ms", None),
            ("5mm", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5m", None),
            ("1 m", None),
            ("1M", None),
            ("153722867280912931m", None),
        ] {
            assert_eq!(parse_within(text), within_s, "{text}");
        }
    }
}
