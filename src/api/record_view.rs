//! The records that a caller sees, of one or several datasets: restricted to the caller's zones, filtered and masked.
//!
//! # Invariants
//! A record of another zone does not exist for the caller. A filter applies to what the caller sees, so that filtering
//! reveals nothing that the caller cannot read.

use std::borrow::Cow;

use crate::access::Caller;
use crate::filter::Filter;
use crate::http::{HttpRequest, Problem, problems};
use crate::lookup::FoundRecord;
use crate::mask::{Disclosure, Role, fields, mask_line, nearest_field, prunes, shown};
use crate::query::PruningFilter;
use crate::record::Dataset;

/// A caller's view of the records of one dataset.
#[derive(Debug, Clone)]
pub(crate) struct RecordView {
    caller: Caller,
    dataset: Dataset,
    filter: Option<Filter>,
    /// Whether the filter reads fields that are masked for this caller, and so applies to the masked record.
    masked_first: bool,
}

impl RecordView {
    /// Creates the view of `caller` on the records of `dataset` that match `filter`.
    ///
    /// # Errors
    /// The [`Problem`] of a dataset or a field that the caller may not see.
    pub(crate) fn new(caller: &Caller, dataset: Dataset, filter: Option<Filter>) -> Result<Self, Problem> {
        if !caller.may_dataset(dataset) {
            return Err(problems::other_dataset());
        }
        let is_hidden = |field: &str| shown(caller.role, dataset, field) == Disclosure::Hidden;
        check_fields(filter.as_ref(), &[dataset], is_hidden)?;
        Ok(Self::unchecked(caller, dataset, filter))
    }

    /// Creates the view of a caller who may see the dataset and the fields of the filter.
    fn unchecked(caller: &Caller, dataset: Dataset, filter: Option<Filter>) -> Self {
        let masked_first = reads(filter.as_ref(), |field| shown(caller.role, dataset, field) != Disclosure::Verbatim);
        Self { caller: caller.clone(), dataset, filter, masked_first }
    }

    pub(crate) const fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// Returns whether the record is in one of the caller's zones; `zone` is that of records that do not name it
    /// themselves.
    pub(crate) fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.caller.sees(self.dataset, zone, line)
    }

    /// Returns whether the caller is restricted to some zones.
    pub(crate) const fn is_zone_restricted(&self) -> bool {
        self.caller.zones.is_some()
    }

    /// Returns whether the caller sees records as stored.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.caller.role == Role::Forensics
    }

    /// Returns the caller's view of the stored line; `None` if it is of another zone or does not match the filter.
    pub(crate) fn view<'a>(&self, zone: Option<&str>, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let is_selected = self.stored_filter().is_none_or(|filter| filter.accepts(line) == Ok(true));
        if is_selected { self.show(zone, line) } else { None }
    }

    /// Returns the caller's view of a stored line that matches the [stored filter](Self::stored_filter); `None` if it
    /// is of another zone, or the filter applies to the view and does not match it.
    pub(crate) fn show<'a>(&self, zone: Option<&str>, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if !self.is_visible(zone, line) {
            return None;
        }
        let shown = match self.caller.role {
            Role::Forensics => Cow::Borrowed(line),
            role => {
                let mut masked = Vec::with_capacity(line.len());
                mask_line(role, self.dataset, line, &mut masked).ok()?;
                Cow::Owned(masked)
            }
        };
        let filter = self.filter.as_ref().filter(|_| self.masked_first);
        filter.is_none_or(|filter| filter.accepts(&shown) == Ok(true)).then_some(shown)
    }

    /// Returns the filter, if it applies to stored lines because it reads only fields that the caller sees as stored.
    pub(crate) fn stored_filter(&self) -> Option<&Filter> {
        self.filter.as_ref().filter(|_| !self.masked_first)
    }

    /// Returns the filter that may skip whole batches. Only conditions on fields that the caller sees unmasked can rule
    /// out a batch, so that the saved work reveals nothing about the other fields.
    pub(crate) fn pruning_filter(&self) -> Option<PruningFilter> {
        let filter = self.filter.clone()?;
        let (role, dataset) = (self.caller.role, self.dataset);
        if role == Role::Forensics {
            return Some(PruningFilter::new(filter));
        }
        let may_decide = |field: &&str| {
            let operands = filter.exact_operands(field);
            operands.is_some_and(|operands| operands.iter().all(|operand| prunes(role, dataset, field, operand)))
        };
        let fields = filter.fields().filter(may_decide).map(str::to_owned).collect();
        Some(PruningFilter::with_fields(filter, fields))
    }
}

/// Returns whether the filter reads a field that satisfies `of`.
fn reads(filter: Option<&Filter>, of: impl Fn(&str) -> bool) -> bool {
    filter.is_some_and(|filter| filter.fields().any(of))
}

/// Refuses a filter that reads a hidden field; for an unlisted field, the hint is the listed name that it resembles.
fn check_fields(
    filter: Option<&Filter>,
    datasets: &[Dataset],
    is_hidden: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let mut fields = filter.into_iter().flat_map(Filter::fields);
    let hidden = fields.find(|field| is_hidden(field));
    hidden.map_or(Ok(()), |field| Err(problems::field_masked(nearest_field(datasets, field))))
}

/// A caller's views of the datasets that a lookup searches.
#[derive(Debug, Clone)]
pub(crate) struct DatasetViews(Vec<RecordView>);

impl DatasetViews {
    /// Creates the views of `caller`, through `filter`, of the dataset `named`, or of every dataset with a ray that
    /// they may see.
    ///
    /// A filter is refused if it names a field that is hidden in one of these datasets. A field that a dataset lacks is
    /// checked only if all of them lack it: the filter then reads the caller's view, which has no such field.
    ///
    /// # Errors
    /// The [`Problem`] of a dataset or a field that the caller may not see.
    pub(crate) fn new(caller: &Caller, named: Option<Dataset>, filter: Option<&Filter>) -> Result<Self, Problem> {
        let named = named.map_or_else(|| Dataset::WITH_RAY.to_vec(), |named| vec![named]);
        let datasets: Vec<Dataset> = named.into_iter().filter(|dataset| caller.may_dataset(*dataset)).collect();
        if datasets.is_empty() {
            return Err(problems::other_dataset());
        }
        let is_hidden = |field: &str| {
            let has_field = |dataset: Dataset| fields(dataset).iter().any(|(name, _)| *name == field);
            let is_known = datasets.iter().copied().any(has_field);
            let mut counted = datasets.iter().filter(|dataset| !is_known || has_field(**dataset));
            counted.any(|dataset| shown(caller.role, *dataset, field) == Disclosure::Hidden)
        };
        check_fields(filter, &datasets, is_hidden)?;
        let view = |dataset| RecordView::unchecked(caller, dataset, filter.cloned());
        Ok(Self(datasets.into_iter().map(view).collect()))
    }

    /// Returns the datasets, in the order of [`Dataset::WITH_RAY`].
    pub(crate) fn datasets(&self) -> Vec<Dataset> {
        self.0.iter().map(RecordView::dataset).collect()
    }

    /// Returns whether the record is in one of the caller's zones.
    pub(crate) fn is_visible(&self, record: &FoundRecord) -> bool {
        self.of(record.dataset).is_some_and(|view| view.is_visible(record.zone.as_deref(), &record.line))
    }

    /// Returns whether the caller is restricted to some zones in any of these datasets.
    pub(crate) fn is_zone_restricted(&self) -> bool {
        self.0.iter().any(RecordView::is_zone_restricted)
    }

    /// Returns whether the caller sees records as stored.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.0.iter().all(RecordView::is_verbatim)
    }

    /// Returns the caller's view of the record; `None` if it is of another zone or does not match the filter.
    pub(crate) fn view<'a>(&self, record: &'a FoundRecord) -> Option<Cow<'a, [u8]>> {
        self.of(record.dataset)?.view(record.zone.as_deref(), &record.line)
    }

    fn of(&self, dataset: Dataset) -> Option<&RecordView> {
        self.0.iter().find(|view| view.dataset == dataset)
    }
}

/// Returns the dataset named in the query, or `http_requests`.
pub(crate) fn parse_dataset<B>(request: &HttpRequest<B>) -> Result<Dataset, Problem> {
    Ok(parse_named_dataset(request)?.unwrap_or(Dataset::HttpRequests))
}

/// Returns the dataset with a ray that is named in the query, if any.
pub(crate) fn parse_lookup_dataset<B>(request: &HttpRequest<B>) -> Result<Option<Dataset>, Problem> {
    let named = parse_named_dataset(request)?;
    if named.is_none_or(Dataset::has_ray) { Ok(named) } else { Err(problems::dataset_without_ray()) }
}

/// Returns the dataset named in the query, if any.
fn parse_named_dataset<B>(request: &HttpRequest<B>) -> Result<Option<Dataset>, Problem> {
    let named = request.parameter("dataset");
    named.map(|name| Dataset::from_name(&name).ok_or_else(problems::bad_dataset)).transpose()
}

/// Parses the parameter `filter`. An empty one is refused, since it would show everything to a client that meant to
/// filter.
pub(crate) fn parse_filter<B>(request: &HttpRequest<B>) -> Result<Option<Filter>, Problem> {
    let text = request.parameter("filter");
    text.map(|text| Filter::parse(&text).map_err(|error| problems::bad_filter(&error))).transpose()
}
