//! The support desk's page as HTML: renderers that turn answers of the API into text, by the templates in `templates/`.
//!
//! # Invariants
//! A renderer is a pure function of an answer that the API would give the same caller, so a page shows nothing that the
//! answer does not have. Every value is written through [`PageText`].

pub mod answer;
pub mod plots;
mod text;

pub use text::PageText;
