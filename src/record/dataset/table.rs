//! The specification of a dataset, as code: `schemas/datasets.toml` repeats it with sources, and a test compares the
//! two.

/// The specification of one dataset.
#[derive(Debug)]
pub struct DatasetSpec {
    /// The field with the ray; `None` if records have none. A dot separates a field from the object that contains it.
    pub ray: Option<&'static str>,
    /// The field with the time.
    pub time: &'static str,
    /// The field with the ray of another request that the record belongs to.
    pub parent: Option<&'static str>,
    /// Alternative names of the fields with ray and time.
    pub also: Option<(&'static str, &'static str)>,
    /// The fields that name the record's zone, in order of preference.
    pub zone: &'static [&'static str],
    /// Common names of the dataset's folder.
    pub folders: &'static [&'static str],
    /// Sets of fields that occur together only in records of this dataset.
    pub telling: &'static [&'static [&'static str]],
    /// The default columns of comma-separated values.
    pub columns: &'static [&'static str],
    /// The documented fields, sorted.
    pub fields: &'static [&'static str],
}
