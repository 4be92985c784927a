//! The columns of a search's table.

use crate::record::Dataset;

/// Number of columns.
const COLUMNS: usize = 10;

/// Returns the columns for records of a dataset: first its time, then its ray where it has one.
#[must_use]
pub fn search_columns(dataset: Dataset) -> Vec<&'static str> {
    let spec = dataset.spec();
    let known = [Some(spec.time), spec.ray];
    let others = spec.columns.iter().copied().filter(|name| !known.contains(&Some(*name)));
    known.into_iter().flatten().chain(others).take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::search_columns;
    use crate::record::Dataset;

    #[test]
    fn time_and_ray_come_first() {
        let columns = search_columns(Dataset::HttpRequests);
        assert_eq!(columns[..2], ["EdgeStartTimestamp", "RayID"]);
        assert!(columns.contains(&"EdgeResponseStatus") && columns.contains(&"ClientRequestURI"));
        for dataset in Dataset::ALL {
            let columns = search_columns(dataset);
            assert_eq!(columns.first(), Some(&dataset.spec().time));
            let twice = columns.iter().filter(|name| **name == columns[0]).count();
            assert_eq!(twice, 1, "{dataset:?}");
        }
    }
}
