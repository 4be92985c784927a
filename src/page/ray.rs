//! The page of a ray that was found.

use super::answer::AnswerPart;
use super::frame::PageFrame;

/// The page of a ray that was found.
#[derive(Debug, askama::Template)]
#[template(path = "ray.html")]
pub struct RayPage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    /// The ray, in its canonical digits.
    pub ray: &'a str,
    /// What is shown of it.
    pub answer: &'a AnswerPart<'a>,
}
