//! The support desk's page as HTML: renderers that turn answers of the API into text, by the templates in `templates/`.
//!
//! Reading order: `frame` is what all pages have around their own part, `assets` are the files that they refer to; `entrance`
//! has the box and the form that signs in, `find_rays` reads what is pasted; `answer` shows what was found, `not_found` what
//! was not, on a `time_line`, `rays` several at once, `search` a time range, `ops` the state of the deployment, and `problem` everything else. `plots` draws counts for them.
//!
//! # Invariants
//! A renderer is a pure function of an answer that the API would give the same caller, so a page shows nothing that the
//! answer does not have. Every value is written through [`PageText`].

mod ago;
pub mod answer;
mod assets;
mod code_words;
mod entrance;
mod figures;
mod find_rays;
mod frame;
mod not_found;
mod numbers;
pub mod ops;
mod ops_page;
pub mod plots;
mod problem;
mod problem_words;
mod ray;
mod rays;
pub mod search;
mod text;
mod time_line;

pub use ago::words_of_age;
pub use assets::{ASSETS, ICON, PageAsset, asset_path, asset_version};
pub use entrance::{HomePage, SignInPage};
pub use find_rays::{FoundRays, find_rays};
pub use frame::{PageFrame, WayOut};
pub use not_found::NotFoundPage;
pub use ops_page::OpsPage;
pub use problem::{
    EvidenceDocument, GapDocument, LandedDocument, ProblemContext, ProblemDocument, ProblemPage, VerdictDocument, WayOn,
};
pub use problem_words::ProblemWords;
pub use ray::RayPage;
pub use rays::{RaySummary, RaysPage};
pub use search::SearchPage;
pub use text::PageText;
