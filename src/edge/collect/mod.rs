//! Mode `collect` of the edge logger: a Worker that takes reports (Reporting API, CSP, NEL, any JSON), merges equal ones, and
//! sends its origin one request for each window of some seconds.
//!
//! Reading order: `settings` is what a deployment wants, `rule` which reports a route takes, by `schema`; `body` parts a body into
//! reports, `report` is one of them, without secrets (`redact`), and its canonical JSON; `window` has the distinct ones of some
//! seconds, `buffer` the windows of an isolate; `key_quotas` keeps what the origin says of keys; `intake` does all of this for
//! one isolate, `stored` writes reports as edge records, and `forward` brings windows to the origin, whose `answer` decides what
//! becomes of them.
//!
//! # Invariants
//!
//! Every report that was seen is recorded (the first of its kind in a window), merged, sampled out or dropped for one reason. A
//! closed window never changes, so that sending it again sends the same bytes under the same name. Nothing of a request is kept
//! but its reports and, if they are stored, the ray and host of the first of each kind.

mod answer;
mod body;
mod buffer;
mod forward;
mod intake;
mod key_quotas;
mod redact;
mod report;
mod rule;
mod schema;
mod settings;
mod stored;
mod window;

pub use answer::OriginAnswer;
pub use body::{ReportBody, ReportRequest};
pub use buffer::{ForwardResult, WindowBuffer};
pub use forward::{CollectHost, ForwardReport, ask_quota, forward_due, keep_window_timer};
pub use intake::{QuotaQuestion, ReportIntake};
pub use rule::{CollectRule, CollectRuleFault, read_collect_rules};
pub use schema::{ReportSchema, SchemaFault};
pub use settings::{CollectSettings, OriginUrl, QuotaUrl, WindowHeaders};
pub use stored::StoredReport;
pub use window::{ReportWindow, WindowForm};

#[cfg(test)]
mod tests;
