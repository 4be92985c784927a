//! One log line: its ids, its times, and the fields that are read from it.
//!
//! # Invariants
//!
//! Everything here is synchronous and borrows from the line. No line causes a panic, and every failure to read one has
//! a typed reason.

mod address_fields;
pub mod canonical;
pub mod dataset;
pub(crate) mod decimal;
mod digits;
pub mod fields;
pub mod indexed_fields;
pub mod key;
pub(crate) mod lanes;
pub mod members;
pub mod merged;
mod mix;
mod named_values;
pub mod ray_id;
pub mod scan;
mod surrogates;
pub mod timestamp;
pub mod user_ray;

pub use address_fields::{ADDRESS_FIELDS, is_address_field};
pub use canonical::canonical_text;
pub use dataset::{Dataset, DatasetEvidence, DatasetSet, NameKind};
pub use fields::{Field, FieldValue, Fields, RecordError};
pub(crate) use indexed_fields::FieldToken;
pub use indexed_fields::{INDEXED_FIELDS, IndexedFields, indexed_field_position};
pub use key::{KeyNames, RecordKey, is_key_name, is_nested_record_name, read_evidence, read_key, read_key_by};
pub use members::RecordMembers;
pub use merged::{ChildEdit, EmptyMember, MergedChild, MergedChildren, SUBREQUESTS, edit_children};
pub(crate) use mix::mix;
pub(crate) use named_values::{NamePlaces, NamedValues};
pub use ray_id::{RayId, RayKey};
pub use scan::{LineScanner, NextLine, RecordScan, ScanCounts};
pub use surrogates::repair_halves;
pub use timestamp::Timestamp;
pub use user_ray::{NotARay, ray_from_user};
