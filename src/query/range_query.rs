//! Range queries and their budgets. A limit counts returned lines; a budget ends an answer with a cursor, never in the
//! middle of a line.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::PruningFilter;
use super::cursor::QueryCursor;
use crate::filter::Filter;
use crate::limits::{QUERY_INFLATED, QUERY_LINES, QUERY_MS, QUERY_OPERATIONS, QUERY_WORK_NS};
use crate::memory::MemoryBudget;
use crate::record::Dataset;

/// The work that one run may do before it ends with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryBudget {
    /// Number of calls to shards and reads of the bucket.
    pub operations: u64,
    /// Number of inflated bytes.
    pub inflated_bytes: u64,
    /// Number of returned lines.
    pub lines: u64,
    /// Milliseconds by the caller's clock.
    pub elapsed_ms: i64,
    /// Nanoseconds of CPU, by the prices of the bytes that are inflated and masked.
    pub work_ns: u64,
}

impl Default for QueryBudget {
    fn default() -> Self {
        Self {
            operations: QUERY_OPERATIONS,
            inflated_bytes: QUERY_INFLATED,
            lines: QUERY_LINES,
            elapsed_ms: QUERY_MS,
            work_ns: QUERY_WORK_NS,
        }
    }
}

/// A query for the records of a dataset in a time range.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    /// The dataset of the records.
    pub dataset: Dataset,
    /// Start of the range in Unix nanoseconds, inclusive.
    pub start_ns: i64,
    /// End of the range in Unix nanoseconds, exclusive.
    pub end_ns: i64,
    /// Rules out batches and spans. It must match every record that the caller asks for; without one, only times rule
    /// anything out.
    pub pruning: Option<PruningFilter>,
    /// Applied to each stored line. `None` for a caller who sees some fields altered: its sink filters by what the
    /// caller sees.
    pub predicate: Option<Filter>,
    /// The share of records to return, from 0 to 1. It selects the same records every time.
    pub sample: Option<f64>,
    /// Whether records that the sink omits leave no trace in the answer: no summary rules anything out, and whether a
    /// record is in the sample depends on what is shown of it alone, not on its position.
    pub hides_omitted: bool,
    /// What else the answer is a function of: cursors of an answer with another one are refused.
    pub bound_to: Option<String>,
    /// Maximum number of lines to return, over all steps of the run.
    pub limit: Option<u64>,
    /// The work that the run may do.
    pub budget: QueryBudget,
    /// The end of an earlier answer to the same query.
    pub cursor: Option<QueryCursor>,
    /// The memory that the run reserves what it holds in.
    pub memory: MemoryBudget,
}

impl RangeQuery {
    /// Creates a query for all records of a dataset in a range.
    #[must_use]
    pub fn new(dataset: Dataset, start_ns: i64, end_ns: i64) -> Self {
        Self {
            dataset,
            start_ns,
            end_ns,
            pruning: None,
            predicate: None,
            sample: None,
            hides_omitted: false,
            bound_to: None,
            limit: None,
            budget: QueryBudget::default(),
            cursor: None,
            memory: MemoryBudget::default(),
        }
    }

    /// Restricts the query to records that match `filter`, which is also used for pruning.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { pruning: Some(PruningFilter::new(filter.clone())), predicate: Some(filter), ..self }
    }

    /// Returns a hash of the query without its limit and budget. A filter counts once, whether it prunes, is applied to
    /// lines, or both, since that depends on the caller's role.
    pub(super) fn fingerprint(&self) -> u64 {
        let sample = self.sample.map_or(u64::MAX, f64::to_bits);
        let mut hash = Sha256::new();
        hash.update(self.dataset.name());
        for number in [self.start_ns.cast_unsigned(), self.end_ns.cast_unsigned(), sample] {
            hash.update(number.to_le_bytes());
        }
        let pruning = self.pruning.iter().map(PruningFilter::text);
        let filters: BTreeSet<&str> = pruning.chain(self.predicate.iter().map(Filter::text)).collect();
        for filter in filters {
            hash.update(filter);
        }
        if let Some(other) = &self.bound_to {
            // No filter begins with this byte.
            hash.update([0xff]);
            hash.update(other);
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{PruningFilter, RangeQuery};
    use crate::filter::Filter;
    use crate::record::Dataset;

    #[test]
    fn the_fingerprint_is_unchanged() {
        let filter = Filter::parse(r#"{"where":{"key":"A","operator":"eq","value":1}}"#).unwrap();
        let all = RangeQuery::new(Dataset::HttpRequests, 1, 2).with_filter(filter);
        let query = RangeQuery { sample: Some(0.5), ..all };
        assert_eq!(query.fingerprint(), 0x7ada_714e_aa61_1656);
    }

    #[test]
    fn another_query_has_another_fingerprint() {
        let query = || RangeQuery::new(Dataset::HttpRequests, 1, 2);
        let filter =
            |value| Filter::parse(&format!(r#"{{"where":{{"key":"A","operator":"eq","value":{value}}}}}"#)).unwrap();
        let queries = [
            query(),
            RangeQuery { start_ns: 0, ..query() },
            RangeQuery { end_ns: 3, ..query() },
            RangeQuery { dataset: Dataset::FirewallEvents, ..query() },
            RangeQuery { sample: Some(1.0), ..query() },
            RangeQuery { bound_to: Some(String::new()), ..query() },
            RangeQuery { bound_to: Some("x".to_owned()), ..query() },
            query().with_filter(filter(1)),
            query().with_filter(filter(2)),
            RangeQuery { predicate: Some(filter(2)), ..query().with_filter(filter(1)) },
        ];
        let hashes: std::collections::BTreeSet<u64> = queries.iter().map(RangeQuery::fingerprint).collect();
        assert_eq!(hashes.len(), queries.len());
        assert_eq!(RangeQuery { limit: Some(3), ..query() }.fingerprint(), query().fingerprint());
    }

    #[test]
    fn fingerprint_ignores_where_the_filter_applies() {
        let filter = || Filter::parse(r#"{"where":{"key":"A","operator":"eq","value":1}}"#).unwrap();
        let both = RangeQuery::new(Dataset::HttpRequests, 1, 2).with_filter(filter());
        let no_field = PruningFilter::with_fields(filter(), [].into());
        for other in [
            RangeQuery { predicate: None, ..both.clone() },
            RangeQuery { pruning: None, ..both.clone() },
            RangeQuery { pruning: Some(no_field), predicate: None, ..both.clone() },
        ] {
            assert_eq!(other.fingerprint(), both.fingerprint());
        }
    }
}
