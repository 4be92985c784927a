//! What a page says of a problem where the API's words are for programs: they name headers, routes and members of JSON.

use crate::limits::REASON_CHARS;

/// The words of a page for a problem: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemWords {
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ProblemWords {
    /// Returns the words for a code; those of the API where they are for people too. `is_change`: the request changes something.
    #[must_use]
    pub fn new(code: &str, is_change: bool, detail: &str, hint: Option<&str>) -> Self {
        let reason = format!("A reason has 1 to {REASON_CHARS} characters that can be read.");
        let (detail, hint) = match code {
            "no_such_path" => ("No page has this address.", "Look up a request, or search a time range."),
            "not_configured" => (detail, "The address /healthz names the setting."),
            "forbidden" => {
                ("Your token does not allow this.", "Ask the administrators of this deployment for a token that does.")
            }
            "too_many_requests" => (detail, "Try again when the time is over."),
            "daily_budget_spent" => (detail, hint.unwrap_or_default()),
            "answer_too_large" => (
                "This page alone takes more memory than one caller may hold.",
                "Ask for a single dataset, or a shorter range.",
            ),
            "reason_required" => {
                ("Your role must give a reason for each page that shows log lines.", "A ticket or a sentence will do.")
            }
            "bad_reason" => (reason.as_str(), "Leave out line breaks."),
            "reason_missing" => ("The form gives no reason, or one that is too long.", reason.as_str()),
            "not_a_decision" => (
                "The form says nothing that can be decided here.",
                "Choose one of the decisions. Delivered and confirmed payloads can only be resent.",
            ),
            "expected_missing" => {
                ("The form does not say how many payloads it is about.", "Count them first, then decide.")
            }
            "payloads_changed" => (
                "Something happened to these payloads after they were counted. Nothing was done.",
                "Count them again, then decide.",
            ),
            "no_such_payload" => ("There is no such payload.", "The page of operations lists those that are parked."),
            "no_such_dead_letter" => ("There is no such dead letter.", "The page of operations lists them."),
            "no_such_backfill" => ("There is no such backfill.", "The page of operations lists them."),
            "delivery_off" => (detail, "Its administrators can set a partner."),
            "delivery_stopped" => (detail, "The address /healthz names them."),
            "cross_site" if is_change => (
                "A page of another site sent this form. Nothing was done.",
                "Open the page of this deployment itself, and send the form from there.",
            ),
            "cross_site" => (detail, "Open the address itself."),
            "bad_cursor" => (
                "The place to go on from is not one of this answer, or was made for another token.",
                "Begin with the first page.",
            ),
            "dataset_without_ray" => (detail, "Search it by time."),
            "bad_filter" => (detail, "Write it as in Logpush, or use the conditions of the form."),
            "unavailable" | "not_audited" | "no_keys" | "no_tokens" => (detail, "Try again in a moment."),
            _ => return Self { detail: detail.to_owned(), hint: hint.map(str::to_owned) },
        };
        Self { detail: detail.to_owned(), hint: Some(hint.to_owned()) }
    }

    /// Returns both as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.hint.as_ref().map_or_else(|| self.detail.clone(), |hint| format!("{} {hint}", self.detail))
    }
}
