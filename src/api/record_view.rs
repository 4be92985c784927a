//! The records that a caller sees, of one or several datasets: restricted to the caller's zones, filtered and masked.
//!
//! # Invariants
//! A record of another zone does not exist for the caller. A filter applies to what the caller sees, so that filtering
//! reveals nothing that the caller cannot read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::access::{Caller, Visibility};
use crate::filter::{FieldTrust, Filter, PartialFilter};
use crate::http::{HttpRequest, Problem, problems};
use crate::limits::{CUTTING_ROOM, MASKING_ROOM, RENDERING_ROOM};
use crate::lookup::FoundRecord;
use crate::mask::{Disclosure, Role, fields, mask_line, nearest_field, prunes, shown};
use crate::memory::{MemoryBudget, OutOfMemory};
use crate::query::PruningFilter;
use crate::record::{Dataset, SUBREQUESTS};

/// A caller's view of the records of one dataset.
#[derive(Debug, Clone)]
pub(crate) struct RecordView {
    caller: Caller,
    dataset: Dataset,
    filter: Option<Filter>,
    /// Whether the filter reads fields that this caller does not see as they are stored, and so applies to what they see.
    shown_first: bool,
    /// What of such a filter decides on the stored record already: masking takes fifty times as long as asking.
    partial: Option<PartialFilter>,
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
        let is_stored = |field: &str| shows_stored(caller, dataset, field);
        let shown_first = reads(filter.as_ref(), |field| !is_stored(field));
        let trust = |name: &str| field_trust((caller, filter.as_ref()), dataset, name);
        let partial = filter.as_ref().filter(|_| shown_first).and_then(|filter| PartialFilter::new(filter, trust));
        Self { caller: caller.clone(), dataset, filter, shown_first, partial }
    }

    pub(crate) const fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// Returns whether the record is in one of the caller's zones; `zone` is that of records that do not name it
    /// themselves.
    pub(crate) fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.caller.sees(self.dataset, zone, line)
    }

    /// Returns the caller.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns what exists for the caller.
    pub(crate) const fn visibility(&self) -> Visibility {
        self.caller.visibility()
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
        if !self.may_show(zone, line) {
            return None;
        }
        match self.cut(zone, line) {
            Cow::Borrowed(line) => self.mask(line),
            Cow::Owned(line) => self.mask(&line).map(|shown| Cow::Owned(shown.into_owned())),
        }
    }

    /// Returns whether the record is in one of the caller's zones, and its stored fields do not rule it out.
    pub(crate) fn may_show(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.is_visible(zone, line) && !self.partial.as_ref().is_some_and(|partial| partial.rules_out(line))
    }

    /// Returns a line that [may be shown](Self::may_show) without the records inside of it that are of other zones.
    pub(crate) fn cut<'a>(&self, zone: Option<&str>, line: &'a [u8]) -> Cow<'a, [u8]> {
        self.caller.cut(self.dataset, zone, line)
    }

    /// Masks a [cut](Self::cut) line; `None` if the filter does not match what the caller sees.
    pub(crate) fn mask<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let shown = match self.caller.role {
            Role::Forensics => Cow::Borrowed(line),
            role => {
                let mut masked = Vec::with_capacity(line.len());
                mask_line(role, self.dataset, line, &mut masked).ok()?;
                Cow::Owned(masked)
            }
        };
        let filter = self.filter.as_ref().filter(|_| self.shown_first);
        filter.is_none_or(|filter| filter.accepts(&shown) == Ok(true)).then_some(shown)
    }

    /// Returns how many times the memory of its line it takes to see a record and to read values of it.
    pub(crate) fn counting_room(&self) -> usize {
        match (self.is_verbatim(), self.may_cut()) {
            (true, false) => RENDERING_ROOM,
            (true, true) => RENDERING_ROOM + CUTTING_ROOM,
            (false, may_cut) => MASKING_ROOM + usize::from(may_cut),
        }
    }

    /// Returns whether records of other zones may be cut out of the lines that are shown.
    pub(crate) const fn may_cut(&self) -> bool {
        self.caller.is_limited_to_zones()
    }

    /// Returns the fields that the filter reads.
    pub(crate) fn filter_fields(&self) -> impl Iterator<Item = &str> {
        self.filter.iter().flat_map(Filter::fields)
    }

    /// Checks that the caller sees something of these fields.
    ///
    /// # Errors
    /// The [`Problem`] of a field that is hidden from the caller.
    pub(crate) fn check_names(&self, names: &[String]) -> Result<(), Problem> {
        let is_hidden = |field: &str| shown(self.caller.role, self.dataset, field) == Disclosure::Hidden;
        check_hidden(names.iter().map(String::as_str), &[self.dataset], is_hidden)
    }

    /// Returns the filter, if it applies to stored lines because it reads only fields that the caller sees as stored.
    pub(crate) fn stored_filter(&self) -> Option<&Filter> {
        self.filter.as_ref().filter(|_| !self.shown_first)
    }

    /// Returns the filter that may skip whole batches. Only conditions on fields that the caller sees unmasked can rule
    /// out a batch, so that the saved work reveals nothing about the other fields.
    pub(crate) fn pruning_filter(&self) -> Option<PruningFilter> {
        let filter = self.filter.clone()?;
        if !self.visibility().may_prune() {
            // The filter is still a part of the question, which cursors are bound to.
            return Some(PruningFilter::with_fields(filter, BTreeSet::new()));
        }
        let (role, dataset) = (self.caller.role, self.dataset);
        if role == Role::Forensics {
            return Some(PruningFilter::new(filter));
        }
        let may_decide = |field: &&str| may_prune(&filter, role, dataset, field);
        let fields = filter.fields().filter(may_decide).map(str::to_owned).collect();
        Some(PruningFilter::with_fields(filter, fields))
    }
}

/// Returns whether batches may be skipped by a field of the filter: its true values are shown as they are.
fn may_prune(filter: &Filter, role: Role, dataset: Dataset, field: &str) -> bool {
    let operands = filter.exact_operands(field);
    operands.is_some_and(|operands| operands.iter().all(|operand| prunes(role, dataset, field, operand)))
}

/// Returns which conditions on a field may be asked of the stored record instead of the masked one.
///
/// A value that is shown as it is only if it has a shape either has it, or becomes one that equals no operand of this
/// shape: a condition without `!` that it does not satisfy holds for neither.
fn field_trust((caller, filter): (&Caller, Option<&Filter>), dataset: Dataset, field: &str) -> FieldTrust {
    if shows_stored(caller, dataset, field) {
        FieldTrust::Exact
    } else if field != SUBREQUESTS && filter.is_some_and(|filter| may_prune(filter, caller.role, dataset, field)) {
        FieldTrust::Positive
    } else {
        FieldTrust::Unknown
    }
}

/// Returns whether a caller sees a field as it is stored: neither masked, nor without the records of other zones.
fn shows_stored(caller: &Caller, dataset: Dataset, field: &str) -> bool {
    let is_cut = field == SUBREQUESTS && caller.is_limited_to_zones();
    !is_cut && shown(caller.role, dataset, field) == Disclosure::Verbatim
}

/// Returns whether the filter reads a field that satisfies `of`.
fn reads(filter: Option<&Filter>, of: impl Fn(&str) -> bool) -> bool {
    filter.is_some_and(|filter| filter.fields().any(of))
}

/// Refuses a filter that reads a hidden field.
pub(super) fn check_fields(
    filter: Option<&Filter>,
    datasets: &[Dataset],
    is_hidden: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    check_hidden(filter.into_iter().flat_map(Filter::fields), datasets, is_hidden)
}

/// Refuses a hidden field; for an unlisted one, the hint is the listed name that it resembles.
fn check_hidden<'n>(
    mut names: impl Iterator<Item = &'n str>,
    datasets: &[Dataset],
    is_hidden: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let hidden = names.find(|name| is_hidden(name));
    hidden.map_or(Ok(()), |name| Err(problems::field_masked(nearest_field(datasets, name))))
}

/// A caller's views of the datasets that a lookup searches.
#[derive(Debug, Clone)]
pub(crate) struct DatasetViews {
    caller: Caller,
    views: Vec<RecordView>,
}

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
        Ok(Self { caller: caller.clone(), views: datasets.into_iter().map(view).collect() })
    }

    /// Returns the datasets, in the order of [`Dataset::WITH_RAY`].
    pub(crate) fn datasets(&self) -> Vec<Dataset> {
        self.views.iter().map(RecordView::dataset).collect()
    }

    /// Returns the caller.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns what exists for the caller.
    pub(crate) const fn visibility(&self) -> Visibility {
        self.caller.visibility()
    }

    /// Returns whether the caller sees records as stored.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.views.iter().all(RecordView::is_verbatim)
    }

    /// Returns whether a dataset that the caller may see was not asked for.
    pub(super) fn lacks(&self, dataset: Dataset) -> bool {
        self.caller().may_dataset(dataset) && self.of(dataset).is_none()
    }

    /// Returns the caller's view of the record; `None` if it is of another zone or does not match the filter.
    pub(crate) fn view<'a>(&self, record: &'a FoundRecord) -> Option<Cow<'a, [u8]>> {
        self.of(record.dataset)?.view(record.unsaid_zone(), &record.line)
    }

    /// Returns whether the caller sees the record and it matches the filter. Nothing is masked where no filter asks for it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if there is no room to mask it.
    pub(crate) fn selects(&self, record: &FoundRecord, memory: &MemoryBudget) -> Result<bool, OutOfMemory> {
        let Some(view) = self.of(record.dataset) else { return Ok(false) };
        if view.filter.is_none() {
            return Ok(view.is_visible(record.unsaid_zone(), &record.line));
        }
        let _room = memory.reserve(MASKING_ROOM * record.line.len())?;
        Ok(self.view(record).is_some())
    }

    fn of(&self, dataset: Dataset) -> Option<&RecordView> {
        self.views.iter().find(|view| view.dataset == dataset)
    }
}

/// Returns the dataset named in the query, or `http_requests`.
pub(crate) fn parse_dataset<B>(request: &HttpRequest<B>) -> Result<Dataset, Problem> {
    Ok(parse_named_dataset(request, &Dataset::ALL)?.unwrap_or(Dataset::HttpRequests))
}

/// Returns the dataset named in the query, or `http_requests`, if the route takes it.
pub(crate) fn parse_dataset_of<B>(request: &HttpRequest<B>, taken: &[Dataset]) -> Result<Dataset, Problem> {
    let dataset = parse_named_dataset(request, taken)?.unwrap_or(Dataset::HttpRequests);
    if taken.contains(&dataset) { Ok(dataset) } else { Err(problems::bad_dataset(taken)) }
}

/// Returns the dataset with a ray that is named in the query, if any.
pub(crate) fn parse_lookup_dataset<B>(request: &HttpRequest<B>) -> Result<Option<Dataset>, Problem> {
    let named = parse_named_dataset(request, &Dataset::WITH_RAY)?;
    if named.is_none_or(Dataset::has_ray) { Ok(named) } else { Err(problems::dataset_without_ray()) }
}

/// Returns the dataset named in the query, if any; the error lists those that the route takes.
fn parse_named_dataset<B>(request: &HttpRequest<B>, taken: &[Dataset]) -> Result<Option<Dataset>, Problem> {
    let named = request.parameter("dataset");
    named.map(|name| Dataset::from_name(&name).ok_or_else(|| problems::bad_dataset(taken))).transpose()
}

/// Parses the parameter `filter`. An empty one is refused, since it would show everything to a client that meant to
/// filter.
pub(crate) fn parse_filter<B>(request: &HttpRequest<B>) -> Result<Option<Filter>, Problem> {
    let text = request.parameter("filter");
    text.map(|text| Filter::parse(&text).map_err(|error| problems::bad_filter(&error))).transpose()
}

#[cfg(test)]
mod tests {
    use super::RecordView;
    use crate::access::{Caller, Grant};
    use crate::filter::Filter;
    use crate::mask::Role;
    use crate::record::Dataset;

    /// Values of every shape, some of which are masked in some fields.
    const VALUES: [&str; 18] = [
        "200",
        "\"200\"",
        "2e2",
        "1234567890123456789",
        "null",
        "true",
        "\"\"",
        "\"GET\"",
        "\"[masked]\"",
        "\"www.example.com\"",
        "\"192.0.2.77\"",
        "\"192.0.2.0\"",
        "\"::FFFF:192.0.2.77\"",
        "\"192.0.2.0/24\"",
        "\"192.0.2.64/26\"",
        "\"2001:db8::/32\"",
        "\"9e3556d8c2ab1c05\"",
        "[200,\"GET\"]",
    ];
    const FIELDS: [&str; 6] =
        ["EdgeResponseStatus", "ClientRequestMethod", "ClientRequestHost", "ClientIP", "RayID", "ClientRequestPath"];

    fn view(role: Role, filter: &str) -> Option<RecordView> {
        let caller = Caller::new("x", &Grant { role, ..Grant::everything() });
        RecordView::new(&caller, Dataset::HttpRequests, Some(Filter::parse(filter).ok()?)).ok()
    }

    fn leaf(field: &str, operator: &str, value: &str) -> String {
        format!(r#"{{"key":"{field}","operator":"{operator}","value":{value}}}"#)
    }

    #[test]
    fn what_is_asked_first_changes_no_answer() {
        let (mut asked, mut ruled_out) = (0, 0);
        for role in [Role::Viewer, Role::Support] {
            for field in FIELDS {
                for (operator, operand) in ["eq", "!eq", "in", "!in", "lt", "geq", "contains", "startsWith"]
                    .into_iter()
                    .flat_map(|operator| VALUES.iter().map(move |value| (operator, *value)))
                {
                    let (one, path) = (leaf(field, operator, operand), leaf("ClientRequestPath", "!eq", r#""/x""#));
                    for filter in
                        [one.clone(), format!(r#"{{"and":[{one},{path}]}}"#), format!(r#"{{"or":[{one},{path}]}}"#)]
                    {
                        let Some(view) = view(role, &format!(r#"{{"where":{filter}}}"#)) else { continue };
                        let plain = RecordView { partial: None, ..view.clone() };
                        for value in VALUES {
                            let line = format!(r#"{{"{field}":{value}}}"#);
                            let shown = view.view(None, line.as_bytes());
                            assert_eq!(shown, plain.view(None, line.as_bytes()), "{role} {filter} {line}");
                            asked += 1;
                            ruled_out += usize::from(!view.may_show(None, line.as_bytes()));
                        }
                    }
                }
            }
        }
        assert!(asked > 10_000 && ruled_out > asked / 20, "{ruled_out} of {asked}");
    }

    #[test]
    fn a_shown_field_decides_before_masking() {
        let path = leaf("ClientRequestPath", "contains", r#""none""#);
        let status = leaf("EdgeResponseStatus", "eq", "599");
        let view = view(Role::Viewer, &format!(r#"{{"where":{{"and":[{path},{status}]}}}}"#)).unwrap();
        assert!(!view.may_show(None, br#"{"EdgeResponseStatus":200,"ClientRequestPath":"/none"}"#));
        assert!(view.may_show(None, br#"{"EdgeResponseStatus":599,"ClientRequestPath":"/none"}"#));
    }
}
