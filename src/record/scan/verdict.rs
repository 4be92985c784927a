//! Checks that records are of the dataset that their batch is read as. The records of a job have the same names, so the
//! last verdict usually holds for the next record, too.

use crate::record::{Dataset, DatasetEvidence, RecordError};

/// Judges the records of one batch.
#[derive(Debug)]
pub(super) struct DatasetVerdicts {
    dataset: Dataset,
    /// The latest evidence, and the verdict on it.
    last: (DatasetEvidence, Result<bool, RecordError>),
}

impl DatasetVerdicts {
    pub(super) fn new(dataset: Dataset) -> Self {
        let evidence = DatasetEvidence::default();
        Self { dataset, last: (evidence, verdict(dataset, evidence)) }
    }

    /// Returns whether its names settle that a record is of the batch's dataset, if that can be delivered.
    ///
    /// # Errors
    /// [`RecordError::OtherDataset`] if they imply another dataset.
    #[inline]
    pub(super) fn check(&mut self, evidence: DatasetEvidence) -> Result<bool, RecordError> {
        if self.last.0 != evidence {
            self.last = (evidence, verdict(self.dataset, evidence));
        }
        self.last.1
    }
}

fn verdict(dataset: Dataset, evidence: DatasetEvidence) -> Result<bool, RecordError> {
    if evidence.possible().contains(dataset) {
        Ok(dataset.is_deliverable() && evidence.settled() == Some(dataset))
    } else {
        Err(RecordError::OtherDataset)
    }
}

#[cfg(test)]
mod tests {
    use super::DatasetVerdicts;
    use crate::record::{Dataset, DatasetEvidence, RecordError};

    #[test]
    fn verdicts_follow_the_names_of_each_record() {
        let mut verdicts = DatasetVerdicts::new(Dataset::HttpRequests);
        let [uri, index, any] = ["ClientRequestURI", "MatchIndex", "RayID"].map(DatasetEvidence::of_name);
        let (http, event) = (any.and(uri), any.and(index));
        for _ in 0..2 {
            assert_eq!(verdicts.check(DatasetEvidence::default()), Ok(false));
            assert_eq!(verdicts.check(any), Ok(false));
            assert_eq!(verdicts.check(http), Ok(true));
            assert_eq!(verdicts.check(event), Err(RecordError::OtherDataset));
            assert_eq!(verdicts.check(uri), Ok(false));
        }
    }
}
