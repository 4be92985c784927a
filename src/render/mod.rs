//! A record as bytes, in the form that someone asked for.
//!
//! What always holds: rendering is synchronous, appends to the caller's buffer, and what cannot be rendered
//! appends nothing; the same line and options give the same bytes.

pub mod partner;

pub use partner::{PartnerLine, PartnerOptions, write_partner_fields, write_partner_line};
