//! The support desk's page: the routes that answer with HTML, signing in, and the files that the page is made of.
//!
//! Reading order: [`PageRoute`] names the routes; `visit` is what pages need to know of a request; `ray` (with `ray_answer` and `ray_tabs`) and `rays` show
//! what the functions of the API answer, `entrance` has the box and the form that signs in, `files` the style sheet and the scripts;
//! `ops` shows the state of the deployment, and `operations` reads its forms; `problem` shows why something failed.
//!
//! # Invariants
//! What a page shows of records is the answer that the API gives the same caller. No text of a person's paste, and no token, is in
//! an address, a log line or a page.

mod api_request;
mod entrance;
mod files;
mod html;
mod operations;
mod ops;
mod problem;
mod ray;
mod ray_answer;
mod ray_tabs;
mod rays;
mod search;
mod visit;

pub(crate) use entrance::go_to_rays;
pub(crate) use entrance::{SignInForm, home, sign_in_form, sign_out};
pub(crate) use files::open_file;
pub use operations::OperationTarget;
pub(crate) use operations::{OperationForm, after_operation};
pub(crate) use ops::{OpsAnswer, count_payloads, show_operations};
pub(crate) use problem::problem_reply;
pub(crate) use ray::show_ray;
pub(crate) use rays::show_rays;
pub(crate) use search::show_search;
pub(crate) use visit::Visit;

/// A route of the support desk's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageRoute {
    /// The box: `GET /`.
    Home,
    /// Goes to the rays in what was pasted: `POST /look-up`.
    GoToRays,
    /// One ray: `GET /r/{ray}`.
    ShowRay,
    /// Several rays: `GET /rays`.
    ShowRays,
    /// The records of a time range: `GET /search`.
    Search,
    /// The state of the deployment: `GET /ops`.
    ShowOperations,
    /// The number of payloads that a decision would apply to: `GET /ops/payloads`.
    CountPayloads,
    /// Decides about something on that page: `POST /ops/…`.
    Operate(OperationTarget),
    /// The form that signs in: `GET /sign-in`.
    SignInForm,
    /// Signs in with a token: `POST /sign-in`.
    SignIn,
    /// Removes the token: `POST /sign-out`.
    SignOut,
    /// A style sheet or a script: `GET /assets/{version}/{name}`.
    Asset,
    /// The icon: `GET /favicon.svg`.
    Icon,
    /// What robots may read, which is nothing: `GET /robots.txt`.
    Robots,
}

impl PageRoute {
    /// Whether it is a form that a browser sends.
    #[must_use]
    pub const fn is_form(self) -> bool {
        matches!(self, Self::GoToRays | Self::Operate(_) | Self::SignIn | Self::SignOut)
    }

    /// Whether it signs in or out, and so needs no caller.
    #[must_use]
    pub const fn is_entrance(self) -> bool {
        matches!(self, Self::SignInForm | Self::SignIn | Self::SignOut)
    }

    /// Whether it is a file that is open.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::Asset | Self::Icon | Self::Robots)
    }

    /// Whether it shows log lines or their values.
    #[must_use]
    pub const fn shows_records(self) -> bool {
        matches!(self, Self::ShowRay | Self::ShowRays | Self::Search)
    }
}
