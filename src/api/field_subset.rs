//! Some fields of a record, as a record of their own.
//!
//! # Invariants
//! Masking judges each field of a record by itself, so that these are masked alone as they are among the others, and in less
//! time.

use crate::record::fields::line_text;
use crate::record::{NamePlaces, NamedValues};

/// Names of fields, by which records are reduced.
#[derive(Debug)]
pub(crate) struct FieldSubset(NamePlaces);

impl FieldSubset {
    /// Creates the subset with these names.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut places = NamePlaces::new();
        for name in names {
            let next = places.len();
            places.entry(name.into()).or_insert(next);
        }
        Self(places)
    }

    /// Returns the record with these fields alone, by name; `None` for a line that is no record.
    pub(crate) fn reduced(&self, line: &[u8]) -> Option<Vec<u8>> {
        let text = line_text(line);
        let values = NamedValues::read(&text, &self.0).ok()?;
        let mut out = vec![b'{'];
        for (name, place) in &self.0 {
            let Some(raw) = values.raw(*place) else { continue };
            if out.len() > 1 {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, name).ok()?;
            out.push(b':');
            out.extend_from_slice(raw.as_bytes());
        }
        out.push(b'}');
        Some(out)
    }
}
