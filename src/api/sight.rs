//! What a caller sees of the records of a dataset: whose they are, which pass the filter, what is masked.
//!
//! What always holds: a record of another zone does not exist for the caller; a filter is asked about what the caller
//! sees, so that nothing can be learned by filtering which cannot be read.

use std::borrow::Cow;

use crate::access::Caller;
use crate::filter::Filter;
use crate::http::{Problem, Request, problems};
use crate::mask::{Role, Shown, mask_line, prunes, shown};
use crate::query::Prunable;
use crate::record::Dataset;

/// What a caller sees of one dataset.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    caller: Caller,
    dataset: Dataset,
    filter: Option<Filter>,
    /// The filter reads fields that this caller sees altered: it is asked about the masked record.
    masked_first: bool,
}

impl Sight {
    /// What `caller` sees of `dataset` through `filter`.
    ///
    /// # Errors
    /// The [`Problem`] of a dataset or a field that the caller may not see.
    pub(crate) fn new(caller: &Caller, dataset: Dataset, filter: Option<Filter>) -> Result<Self, Problem> {
        if !caller.may_dataset(dataset) {
            return Err(problems::other_dataset());
        }
        let fields = filter.iter().flat_map(Filter::fields);
        let shown: Vec<Shown> = fields.map(|field| shown(caller.role, dataset, field)).collect();
        if shown.contains(&Shown::Hidden) {
            return Err(problems::field_masked());
        }
        let masked_first = shown.iter().any(|shown| *shown != Shown::Verbatim);
        Ok(Self { caller: caller.clone(), dataset, filter, masked_first })
    }

    /// The dataset.
    pub(crate) const fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// Whether the record exists for the caller.
    pub(crate) fn is_visible(&self, line: &[u8]) -> bool {
        self.caller.sees(self.dataset, line)
    }

    /// Whether what exists for the caller is less than there is.
    pub(crate) const fn is_narrow(&self) -> bool {
        self.caller.zones.is_some()
    }

    /// What the caller sees of the record; `None` where it is another zone's or does not pass the filter.
    pub(crate) fn see<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let passes = |line: &[u8]| self.filter.as_ref().is_none_or(|filter| filter.accepts(line).unwrap_or(false));
        if !self.is_visible(line) || !(self.masked_first || passes(line)) {
            return None;
        }
        let seen = match self.caller.role {
            Role::Forensics => Cow::Borrowed(line),
            role => {
                let mut masked = Vec::with_capacity(line.len());
                mask_line(role, self.dataset, line, &mut masked).ok()?;
                Cow::Owned(masked)
            }
        };
        (!self.masked_first || passes(&seen)).then_some(seen)
    }

    /// By which fields of the filter batches may be left out: those whose values the caller sees just as they are, so
    /// that what was left out tells no more than what is shown.
    pub(crate) fn prunable(&self) -> Prunable {
        let Some(filter) = &self.filter else { return Prunable::All };
        let (role, dataset) = (self.caller.role, self.dataset);
        let allowed = |field: &&str| {
            let operands = filter.exact_operands(field);
            operands.is_some_and(|operands| operands.iter().all(|operand| prunes(role, dataset, field, operand)))
        };
        match role {
            Role::Forensics => Prunable::All,
            _ => Prunable::Only(filter.fields().filter(allowed).map(str::to_owned).collect()),
        }
    }

    /// The filter.
    pub(crate) const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }
}

/// The dataset that the query names.
pub(crate) fn dataset_of<B>(request: &Request<B>) -> Result<Dataset, Problem> {
    match request.parameter("dataset") {
        None => Ok(Dataset::HttpRequests),
        Some(name) => Dataset::from_name(&name).ok_or_else(problems::bad_dataset),
    }
}

/// The filter that the query spells.
pub(crate) fn filter_of<B>(request: &Request<B>) -> Result<Option<Filter>, Problem> {
    let text = request.parameter("filter").filter(|text| !text.is_empty());
    text.map(|text| Filter::parse(&text).map_err(|error| problems::bad_filter(&error))).transpose()
}
