//! Chooses the dataset that a batch is read as: its key's claim and its first records must agree.
//!
//! # Invariants
//!
//! The same key, settings and bytes give the same choice. A batch whose folder or setting names a dataset is never read
//! as another one.

use std::collections::BTreeMap;

use super::head::HeadRecord;
use crate::backend::ObjectHead;
use crate::bucket_keys::DatasetClaim;
use crate::record::{Dataset, DatasetEvidence, DatasetSet};

/// The dataset that a batch is read as, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetChoice {
    /// The batch is read as this dataset.
    Read(Dataset),
    /// The key names one dataset, but the records are of another: the batch is not read.
    Contradiction {
        /// The dataset that the key names.
        named: Dataset,
        /// The dataset of the records.
        found: Dataset,
    },
    /// Neither key nor records are of a known dataset: the batch is not read.
    Unknown,
}

/// Chooses the dataset of a batch from its key's claim and its first records.
#[must_use]
pub fn choose_dataset(claim: DatasetClaim, records: &[HeadRecord]) -> DatasetChoice {
    let evidence: Vec<DatasetEvidence> = records.iter().map(|record| record.evidence).collect();
    match claim {
        DatasetClaim::Named(named) => check_named(named, &evidence),
        DatasetClaim::Unknown if !evidence.is_empty() && evidence.iter().all(|record| record.says_nothing()) => {
            DatasetChoice::Unknown
        }
        DatasetClaim::Alias(hint) => DatasetChoice::Read(choose(hint, &evidence)),
        DatasetClaim::Unnamed | DatasetClaim::Unknown => DatasetChoice::Read(choose(Dataset::HttpRequests, &evidence)),
    }
}

/// Chooses the dataset of a batch, as [`choose_dataset`] does; one that was rewritten keeps the dataset that it was read as.
#[must_use]
pub fn choose_dataset_of(head: &ObjectHead, claim: DatasetClaim, records: &[HeadRecord]) -> DatasetChoice {
    match &head.rewrite {
        Some(note) => DatasetChoice::Read(note.dataset),
        None => choose_dataset(claim, records),
    }
}

/// Returns the datasets that the records of a batch may belong to, whatever becomes of it; none if they do not say.
#[must_use]
pub fn possible_datasets(claim: DatasetClaim, choice: DatasetChoice, records: &[HeadRecord]) -> Vec<Dataset> {
    match (choice, claim) {
        (DatasetChoice::Contradiction { named, found }, _) => vec![named, found],
        (DatasetChoice::Read(dataset), DatasetClaim::Named(_)) => vec![dataset],
        (DatasetChoice::Read(_) | DatasetChoice::Unknown, _) => {
            let possible = records.iter().map(|record| record.evidence.possible());
            let possible = possible.fold(DatasetSet::default(), DatasetSet::or);
            if possible == DatasetSet::ALL { Vec::new() } else { possible.iter().collect() }
        }
    }
}

/// Returns the named dataset, unless most records are of another one.
fn check_named(named: Dataset, evidence: &[DatasetEvidence]) -> DatasetChoice {
    let others: Vec<DatasetEvidence> =
        evidence.iter().copied().filter(|record| !record.possible().contains(named)).collect();
    if others.len() * 2 <= evidence.len() {
        return DatasetChoice::Read(named);
    }
    DatasetChoice::Contradiction { named, found: choose(named, &others) }
}

/// Returns the dataset that most records settle by their names; failing that, one that they may all be of, preferring
/// `hint`.
fn choose(hint: Dataset, evidence: &[DatasetEvidence]) -> Dataset {
    let mut settled: BTreeMap<Dataset, usize> = BTreeMap::new();
    for dataset in evidence.iter().filter_map(|record| record.settled()) {
        *settled.entry(dataset).or_default() += 1;
    }
    if let Some((dataset, _)) = settled.iter().max_by_key(|(dataset, count)| (**count, **dataset == hint)) {
        return *dataset;
    }
    let all = evidence.iter().fold(DatasetSet::ALL, |all, record| all.and(record.possible()));
    if all.contains(hint) { hint } else { all.iter().next().unwrap_or(hint) }
}

#[cfg(test)]
mod tests {
    use super::super::head::HeadRecord;
    use super::{DatasetChoice, choose_dataset, possible_datasets};
    use crate::bucket_keys::DatasetClaim::{Alias, Named, Unknown, Unnamed};
    use crate::record::Dataset::{self, DnsFirewallLogs, DnsLogs, FirewallEvents, HttpRequests, WebsocketAnalytics};

    const HTTP: &str = r#"{"RayID":"a5e675fd03c6da5d","EdgeStartTimestamp":1,"EdgeResponseStatus":200}"#;
    const EVENT: &str = r#"{"RayID":"a5e675fd03c6da5d","Datetime":1,"Action":"block","Kind":"firewall"}"#;
    const SOCKET: &str = r#"{"RayID":"a5e675fd03c6da5d","EdgeStartTimestamp":1,"ConnectionID":"x"}"#;
    const ANY: &str = r#"{"RayID":"a5e675fd03c6da5d"}"#;
    const DNS: &str = r#"{"QueryName":"a.example","Timestamp":1}"#;
    const OWN: &str = r#"{"my":1}"#;

    fn records(lines: &[&str]) -> Vec<HeadRecord> {
        lines.iter().map(|line| HeadRecord::read(line.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn key_and_records_must_agree() {
        let read = DatasetChoice::Read;
        let not = |named, found| DatasetChoice::Contradiction { named, found };
        for (claim, lines, choice) in [
            (Named(HttpRequests), vec![HTTP, HTTP], read(HttpRequests)),
            (Named(HttpRequests), vec![EVENT, EVENT, HTTP], not(HttpRequests, FirewallEvents)),
            (Named(HttpRequests), vec![EVENT, HTTP], read(HttpRequests)),
            (Named(HttpRequests), vec![ANY, OWN], read(HttpRequests)),
            (Named(HttpRequests), vec![], read(HttpRequests)),
            (Named(FirewallEvents), vec![SOCKET], not(FirewallEvents, WebsocketAnalytics)),
            (Named(DnsFirewallLogs), vec![DNS], read(DnsFirewallLogs)),
            (Named(DnsLogs), vec![HTTP], not(DnsLogs, HttpRequests)),
            (Alias(FirewallEvents), vec![HTTP], read(HttpRequests)),
            (Alias(FirewallEvents), vec![ANY], read(FirewallEvents)),
            (Alias(DnsLogs), vec![DNS], read(DnsLogs)),
            (Alias(DnsLogs), vec![ANY], read(HttpRequests)),
            (Alias(DnsLogs), vec![OWN], read(DnsLogs)),
            (Alias(FirewallEvents), vec![HTTP, EVENT], read(FirewallEvents)),
            (Unnamed, vec![EVENT, EVENT, HTTP], read(FirewallEvents)),
            (Unnamed, vec![DNS], read(DnsFirewallLogs)),
            (Unnamed, vec![OWN], read(HttpRequests)),
            (Unnamed, vec![], read(HttpRequests)),
            (Unknown, vec![EVENT, OWN], read(FirewallEvents)),
            (Unknown, vec![ANY], read(HttpRequests)),
            (Unknown, vec![OWN, OWN], DatasetChoice::Unknown),
            (Unknown, vec![], read(HttpRequests)),
        ] {
            let records = records(&lines);
            assert_eq!(choose_dataset(claim, &records), choice, "{claim:?} {lines:?}");
        }
    }

    #[test]
    fn unread_batch_may_be_what_its_records_say() {
        for (claim, lines, expected) in [
            (Named(HttpRequests), vec![HTTP, EVENT], vec![HttpRequests]),
            (Named(HttpRequests), vec![EVENT], vec![HttpRequests, FirewallEvents]),
            (Unnamed, vec![EVENT, HTTP], vec![HttpRequests, FirewallEvents]),
            (Unnamed, vec![EVENT], vec![FirewallEvents]),
            (Unnamed, vec![OWN], vec![]),
            (Alias(DnsLogs), vec![], vec![]),
        ] {
            let records = records(&lines);
            let choice = choose_dataset(claim, &records);
            assert_eq!(possible_datasets(claim, choice, &records), expected, "{claim:?} {lines:?}");
        }
    }

    #[test]
    fn name_alone_is_enough_without_contradiction() {
        for dataset in Dataset::ALL {
            assert_eq!(choose_dataset(Named(dataset), &records(&[OWN])), DatasetChoice::Read(dataset));
        }
    }
}
