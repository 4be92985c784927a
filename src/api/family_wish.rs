//! What a request asks for of the family of a ray.
//!
//! # Invariants
//! A parameter that would have no effect on the answer is refused.

use super::record_view::parse_lookup_dataset;
use crate::access::Visibility;
use crate::http::{HttpRequest, Problem, problems};
use crate::limits::{FAMILY_LEVELS, FAMILY_RAYS, FAMILY_RAYS_UNSEEN, LOOKUP_RECORDS, TRACE_RECORDS};
use crate::record::Dataset;

/// The parts that an answer may have.
const PARTS: &str = "a list of records, tree and deliveries";
/// What may become of subrequests.
const SUBREQUEST_FORMS: &str = "none, list, flatten, or with format=json merge";

fn bad_depth() -> Problem {
    problems::bad_parameter("depth", &format!("a number from 0 to {FAMILY_LEVELS}"))
}

/// A parameter that has no effect on some answers.
struct IdleParameter {
    name: &'static str,
    /// Whether it has none on this one.
    is_idle: fn(&FamilyWish) -> bool,
    /// What it accepts, as an error says it.
    accepts: &'static str,
}

impl IdleParameter {
    const fn new(name: &'static str, is_idle: fn(&FamilyWish) -> bool, accepts: &'static str) -> Self {
        Self { name, is_idle, accepts }
    }
}

/// The parameters of a lookup, and what the answer must have for them to have an effect.
const IDLE: [IdleParameter; 8] = [
    IdleParameter::new(
        "fields",
        |wish| !wish.records,
        "names only where parts has records, which they select the fields of",
    ),
    IdleParameter::new(
        "timestamps",
        |wish| !wish.records,
        "a form only where parts has records, whose times it changes",
    ),
    IdleParameter::new(
        "filter",
        |wish| !wish.needs_records(),
        "a condition only where parts has records or deliveries, which it selects",
    ),
    IdleParameter::new(
        "subrequests",
        |wish| wish.shows_subrequests() && !wish.needs_records(),
        "a form only where parts has records or deliveries, which it adds to",
    ),
    IdleParameter::new(
        "subrequests",
        |wish| wish.changes_lines() && wish.named.is_some_and(|named| named != Dataset::HttpRequests),
        "flatten and merge only for http_requests, whose records have others inside of them",
    ),
    IdleParameter::new("depth", |wish| !wish.tree, "a number of levels only where parts has the tree, which it limits"),
    IdleParameter::new("limit", |wish| !wish.is_for_family(), "a number of rays only with a tree or subrequests=list"),
    IdleParameter::new("cursor", |wish| !wish.is_for_family(), "a cursor only with a tree or subrequests=list"),
];

/// What becomes of the records of what a ray caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubrequestForm {
    /// They are left out.
    Omitted,
    /// They follow those of the ray.
    Listed,
    /// They follow those of the ray, and none is inside of another.
    Flattened,
    /// Those of its subrequests are inside its own record, as Logpush merges them, and the others follow.
    Merged,
}

/// What of a ray's family is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FamilyWish {
    /// Whether the records are part of the answer.
    pub(crate) records: bool,
    /// Whether the tree is part of the answer.
    pub(crate) tree: bool,
    /// Whether the deliveries of the records are part of the answer.
    pub(crate) deliveries: bool,
    /// What becomes of the records of what the ray caused.
    pub(crate) subrequests: SubrequestForm,
    /// Number of levels of the tree that are shown.
    pub(super) levels: usize,
    /// Maximum number of rays in the answer, if it is given.
    pub(super) limit: Option<usize>,
    /// Maximum number of records of each ray.
    pub(super) most_records: usize,
    /// The dataset that is named.
    named: Option<Dataset>,
}

impl FamilyWish {
    /// Parses the parameters `parts`, `subrequests`, `depth` and `limit`. Without `parts`, an answer has the records, and the tree
    /// if `with_tree`: a format with columns has no place for one. Without `subrequests`, these have the form `unless_named`.
    ///
    /// # Errors
    /// The [`Problem`] of a parameter with another value, or without an effect.
    pub(crate) fn parse<B>(
        request: &HttpRequest<B>,
        with_tree: bool,
        unless_named: SubrequestForm,
    ) -> Result<Self, Problem> {
        let (mut records, mut tree, mut deliveries) = (true, with_tree, false);
        if let Some(parts) = request.parameter("parts") {
            (records, tree) = (false, false);
            for part in parts.split(',') {
                match part {
                    "records" => records = true,
                    "tree" if with_tree => tree = true,
                    "deliveries" if with_tree => deliveries = true,
                    _ => return Err(problems::bad_parameter("parts", PARTS)),
                }
            }
        }
        let subrequests = match request.parameter("subrequests").as_deref() {
            None => unless_named,
            Some("none") => SubrequestForm::Omitted,
            Some("list") => SubrequestForm::Listed,
            Some("flatten") => SubrequestForm::Flattened,
            // Another format shows lines as they are stored, or has no place for records in others.
            Some("merge") if with_tree => SubrequestForm::Merged,
            Some(_) => return Err(problems::bad_parameter("subrequests", SUBREQUEST_FORMS)),
        };
        let levels = match request.parameter("depth") {
            None => FAMILY_LEVELS,
            Some(depth) => depth.parse().ok().filter(|depth| *depth <= FAMILY_LEVELS).ok_or_else(bad_depth)?,
        };
        let limit = request.number_parameter("limit", FAMILY_RAYS as u64, FAMILY_RAYS as u64)?;
        let limit = request.parameter("limit").and(usize::try_from(limit).ok());
        let (named, most_records) = (parse_lookup_dataset(request)?, LOOKUP_RECORDS);
        let wish = Self { records, tree, deliveries, subrequests, levels, limit, most_records, named };
        wish.check_idle(request)?;
        Ok(wish)
    }

    /// Refuses a parameter that would have no effect on the answer.
    fn check_idle<B>(&self, request: &HttpRequest<B>) -> Result<(), Problem> {
        let mut idle = IDLE.iter().filter(|parameter| (parameter.is_idle)(self));
        let idle = idle.find(|parameter| request.parameter(parameter.name).is_some());
        idle.map_or(Ok(()), |parameter| Err(problems::bad_parameter(parameter.name, parameter.accepts)))
    }

    /// The records of the ray itself, and its whole tree.
    pub(crate) const fn with_whole_tree() -> Self {
        let subrequests = SubrequestForm::Omitted;
        let (levels, limit, most_records, named) = (FAMILY_LEVELS, None, LOOKUP_RECORDS, None);
        Self { records: true, tree: true, deliveries: false, subrequests, levels, limit, most_records, named }
    }

    /// The records of the whole tree, with the ray at its top, and at most this number of rays.
    pub(crate) const fn for_trace(limit: Option<usize>) -> Self {
        let subrequests = SubrequestForm::Listed;
        let (levels, most_records, named) = (0, TRACE_RECORDS, None);
        Self { records: true, tree: true, deliveries: false, subrequests, levels, limit, most_records, named }
    }

    /// Returns whether more than the records of the ray itself is needed.
    pub(crate) const fn is_for_family(&self) -> bool {
        self.tree || self.shows_subrequests()
    }

    /// Returns whether the answer is made from the records, or has them.
    pub(crate) const fn needs_records(&self) -> bool {
        self.records || self.deliveries
    }

    /// Returns whether the answer has the records of what the ray caused.
    pub(crate) const fn shows_subrequests(&self) -> bool {
        !matches!(self.subrequests, SubrequestForm::Omitted)
    }

    /// Returns whether records are put into others, or taken out of them.
    const fn changes_lines(&self) -> bool {
        matches!(self.subrequests, SubrequestForm::Flattened | SubrequestForm::Merged)
    }

    /// Maximum number of rays in a page of a caller's.
    pub(super) fn page_rays(&self, visibility: Visibility) -> usize {
        let most = if visibility.has_batches() { FAMILY_RAYS } else { FAMILY_RAYS_UNSEEN };
        self.limit.map_or(most, |limit| limit.min(most))
    }
}
