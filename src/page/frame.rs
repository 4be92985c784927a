//! What all pages have around their own part: the header with the box, the way out, the style sheet and the scripts.

use super::assets::asset_path;

/// How a person signs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WayOut {
    /// Nothing proves who they are.
    #[default]
    None,
    /// By a form, which removes the cookie.
    Cookie,
    /// At Cloudflare Access.
    Access,
}

/// What all pages have around their own part.
#[derive(Debug, Clone, Default)]
pub struct PageFrame {
    /// How the person signs out.
    pub way_out: WayOut,
    /// The name of the person or of their token, and their role, where the page knows it.
    pub viewer: Option<(String, &'static str)>,
}

impl PageFrame {
    /// The address of a file of the page.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        asset_path(name)
    }

    /// The address of the style sheet.
    #[must_use]
    pub fn style(&self) -> String {
        self.asset("page.css")
    }

    /// The address of the script.
    #[must_use]
    pub fn script(&self) -> String {
        self.asset("page.js")
    }

    /// Whether a form signs out.
    #[must_use]
    pub fn has_form_out(&self) -> bool {
        self.way_out == WayOut::Cookie
    }

    /// Whether Cloudflare Access signs out.
    #[must_use]
    pub fn has_access_out(&self) -> bool {
        self.way_out == WayOut::Access
    }
}
