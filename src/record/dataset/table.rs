//! What is known of each dataset, as code: `schemas/datasets.toml` says the same with sources, and a test compares the two.

/// What is known of one dataset.
#[derive(Debug)]
pub struct DatasetSpec {
    /// The field with the ray; `None` where records have none. A point separates a field from the object that it is in.
    pub ray: Option<&'static str>,
    /// The field with the time.
    pub time: &'static str,
    /// The field with the ray of another request that the record belongs to.
    pub parent: Option<&'static str>,
    /// Other spellings of the fields with ray and time.
    pub also: Option<(&'static str, &'static str)>,
    /// The fields that say whose zone a record is, the first that is there.
    pub zone: &'static [&'static str],
    /// What people call the folder.
    pub folders: &'static [&'static str],
    /// Fields that together are in records of this dataset alone.
    pub telling: &'static [&'static [&'static str]],
    /// The columns of comma-separated values where none are asked for.
    pub columns: &'static [&'static str],
    /// The documented fields, sorted.
    pub fields: &'static [&'static str],
}
