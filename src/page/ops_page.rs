//! The page of operations.

use super::frame::PageFrame;
use super::ops::OpsPart;

/// The page of operations.
#[derive(Debug, askama::Template)]
#[template(path = "ops.html")]
pub struct OpsPage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    /// Its content.
    pub part: &'a OpsPart<'a>,
}
