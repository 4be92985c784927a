//! Renders a record as bytes, in the requested format.
//!
//! # Invariants
//!
//! Rendering is synchronous, appends to the caller's buffer, and appends nothing if it fails. The same line and options
//! give the same bytes.

pub mod csv;
mod disarm;
pub mod partner;
pub mod project;
mod spreadsheet;

pub use csv::{default_columns, write_csv_names, write_csv_row};
pub(crate) use partner::first_header;
pub use partner::{
    ExplainedLine, PartnerLine, PartnerOptions, content_digest, write_partner_fields, write_partner_line,
};
pub use project::{FieldProjection, TimeForm};
