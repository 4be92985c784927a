//! The pages that show nothing of the logs: the box for a paste, and the form that signs in.

use super::frame::PageFrame;

/// The page with the box.
#[derive(Debug, askama::Template)]
#[template(path = "home.html")]
pub struct HomePage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    /// Whether a paste held no ray.
    pub is_empty: bool,
}

/// The form that signs in.
#[derive(Debug, askama::Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage<'a> {
    /// What is around it.
    pub frame: &'a PageFrame,
    /// The path to return to.
    pub to: &'a str,
    /// Why an attempt failed.
    pub failure: Option<&'a str>,
    /// Whether the browser asks once more, as this host: it followed a link of another site, and left out the cookie.
    pub goes_on: bool,
}
