//! A decision about several payloads: what it would apply to, to be confirmed, and what it applied to.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::documents::PayloadDocument;
use super::figures::count;
use crate::page::code_words::plain_code;
use crate::page::frame::PageFrame;

/// The parameters of the page that counts what a decision would apply to.
pub const DECISION_FILTER: &[&str] = &["decision", "state", "code", "older_than"];

/// The states whose payloads a decision may select.
const DECIDED_STATES: [&str; 3] = ["parked", "delivered", "confirmed"];

/// What becomes of payloads by a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDecision {
    /// The name of the decision in the API.
    pub name: &'static str,
    /// What it does, to follow its name.
    pub(super) effect: &'static str,
    /// What was done, to follow "were".
    done: &'static str,
}

/// Every decision about parked payloads.
pub(super) const PAYLOAD_DECISIONS: [PayloadDecision; 4] = [
    PayloadDecision { name: "release", effect: "they go on by themselves", done: "released" },
    PayloadDecision { name: "resend", effect: "they go out now", done: "sent again" },
    PayloadDecision { name: "confirm", effect: "the partner has them", done: "confirmed" },
    PayloadDecision { name: "drop", effect: "the partner never gets them", done: "dropped" },
];

impl PayloadDecision {
    fn find(name: &str) -> Option<Self> {
        PAYLOAD_DECISIONS.into_iter().find(|decision| decision.name == name)
    }
}

/// A decision, and the payloads that it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionFilter {
    decision: PayloadDecision,
    state: String,
    code: String,
    older_than: String,
}

impl DecisionFilter {
    /// Reads the filter from the members of a form, or the parameters of an address; `None` without a known decision.
    #[must_use]
    pub fn read(member: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let text = |name: &str| member(name).unwrap_or_default().trim().to_owned();
        let state = Some(text("state")).filter(|state| !state.is_empty()).unwrap_or_else(|| "parked".to_owned());
        let decision = PayloadDecision::find(&text("decision"))?;
        Some(Self { decision, state, code: text("code"), older_than: text("older_than") })
    }

    /// Returns the body of the API's request that counts the payloads.
    #[must_use]
    pub fn count_request(&self) -> Value {
        self.request(&[("dry_run", json!(true))])
    }

    /// Returns the body of the API's request that decides about the payloads that were counted.
    #[must_use]
    pub fn decide_request(&self, expected: &str, reason: &str) -> Value {
        let expected = if expected.is_empty() { Value::Null } else { json!(expected) };
        self.request(&[("expected", expected), ("reason", json!(reason))])
    }

    fn request(&self, more: &[(&str, Value)]) -> Value {
        let Self { decision, state, code, older_than } = self;
        let texts = [
            ("decision", decision.name),
            ("state", state.as_str()),
            ("code", code.as_str()),
            ("older_than", older_than.as_str()),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, json!(text)));
        texts.chain(more.iter().filter(|(_, value)| !value.is_null()).cloned()).collect()
    }

    /// Returns which payloads it selects, in words.
    fn words(&self) -> String {
        let code = (!self.code.is_empty()).then(|| format!("whose last failure is {}", plain_code(&self.code)));
        let age = (!self.older_than.is_empty()).then(|| format!("unchanged since {}", self.older_than));
        itertools::join([Some(self.state.clone()), code, age].into_iter().flatten(), ", ")
    }
}

/// What the page reads of the API's count.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DecisionCountDocument {
    count: u64,
    lines: u64,
    more: bool,
    older_than: Option<String>,
    expected: String,
}

/// What the page reads of the API's answer to a decision.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DecidedDocument {
    decided: u64,
    lines: u64,
    left: u64,
}

/// The page that asks for a decision to be confirmed.
#[derive(Debug, askama::Template)]
#[template(path = "ops/confirm.html")]
pub struct ConfirmPage<'a> {
    frame: &'a PageFrame,
    filter: DecisionFilter,
    counted: &'a DecisionCountDocument,
    payloads: String,
    lines: String,
    selected: String,
}

impl<'a> ConfirmPage<'a> {
    /// Makes the page. An age of the filter is an instant from here on, so that what was counted stays what is decided about.
    #[must_use]
    pub fn new(frame: &'a PageFrame, filter: DecisionFilter, counted: &'a DecisionCountDocument) -> Self {
        let older_than = counted.older_than.clone().unwrap_or_else(|| filter.older_than.clone());
        let filter = DecisionFilter { older_than, ..filter };
        let (payloads, lines) = (counted_payloads(counted.count), counted_lines(counted.lines));
        Self { frame, selected: filter.words(), filter, counted, payloads, lines }
    }
}

/// The page that says what a decision applied to.
#[derive(Debug, askama::Template)]
#[template(path = "ops/decided.html")]
pub struct DecidedPage<'a> {
    frame: &'a PageFrame,
    payloads: String,
    lines: String,
    done: &'static str,
    is_one: bool,
    left: u64,
}

impl<'a> DecidedPage<'a> {
    /// Makes the page; the decision is one that [`DecisionFilter`] knows.
    #[must_use]
    pub fn new(frame: &'a PageFrame, decision: &str, decided: &DecidedDocument) -> Self {
        Self {
            frame,
            payloads: counted_payloads(decided.decided),
            lines: counted_lines(decided.lines),
            done: PayloadDecision::find(decision).map_or("decided", |decision| decision.done),
            is_one: decided.decided == 1,
            left: decided.left,
        }
    }
}

fn counted_payloads(number: u64) -> String {
    if number == 1 { "1 payload".to_owned() } else { format!("{} payloads", count(number)) }
}

fn counted_lines(number: u64) -> String {
    if number == 1 { "1 line".to_owned() } else { format!("{} lines", count(number)) }
}

/// The form that selects payloads for a decision.
#[derive(Debug)]
pub(super) struct SelectionForm {
    /// The codes of the payloads on the page.
    pub(super) codes: Vec<String>,
}

impl SelectionForm {
    /// Makes the form beside these payloads.
    pub(super) fn new(payloads: &[PayloadDocument]) -> Self {
        let codes: BTreeSet<&str> = payloads.iter().filter_map(|payload| payload.code.as_deref()).collect();
        Self { codes: codes.into_iter().map(str::to_owned).collect() }
    }

    pub(super) const fn states() -> [&'static str; 3] {
        DECIDED_STATES
    }

    pub(super) const fn decisions() -> [PayloadDecision; 4] {
        PAYLOAD_DECISIONS
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;
    use serde_json::json;

    use super::{ConfirmPage, DecidedPage, DecisionFilter, PageFrame};

    fn filter(members: &[(&str, &str)]) -> Option<DecisionFilter> {
        DecisionFilter::read(|name| {
            members.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn filter_becomes_the_request_of_the_api() {
        let all = [("decision", "resend"), ("state", "delivered"), ("code", "permanent"), ("older_than", " 24h ")];
        let body = json!({ "decision": "resend", "state": "delivered", "code": "permanent", "older_than": "24h", "dry_run": true });
        assert_eq!(filter(&all).unwrap().count_request(), body);
        let bare = filter(&[("decision", "drop"), ("code", "")]).unwrap();
        let body = json!({ "decision": "drop", "state": "parked", "expected": "3-ab", "reason": "x" });
        assert_eq!(bare.decide_request("3-ab", "x"), body);
        assert_eq!(filter(&[("decision", "redrive")]), None);
        assert_eq!(filter(&[]), None);
    }

    #[test]
    fn confirmation_states_the_number() {
        let counted = json!({ "count": 1_200, "lines": 3, "more": true, "older_than": "2026-03-28T08:00:00.000Z", "expected": "1200-ab" });
        let counted = serde_json::from_value(counted).unwrap();
        let frame = PageFrame::default();
        let filter = filter(&[("decision", "drop"), ("older_than", "2h"), ("code", "<b>_x")]).unwrap();
        let page = ConfirmPage::new(&frame, filter, &counted).render().unwrap();
        for part in [
            "<h1>Drop 1,200 payloads?</h1>",
            "Drop 1,200 payloads of 3 lines</button>",
            r#"name="older_than" value="2026-03-28T08:00:00.000Z""#,
            r#"name="expected" value="1200-ab""#,
            "whose last failure is &lt;b&gt;_x",
            "more than one decision takes",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn nothing_to_decide_about_has_no_form() {
        let frame = PageFrame::default();
        let filter = filter(&[("decision", "release")]).unwrap();
        let page =
            ConfirmPage::new(&frame, filter, &serde_json::from_value(json!({ "count": 0 })).unwrap()).render().unwrap();
        assert!(page.contains("No payload") && !page.contains("action=\"/ops/payloads\""), "{page}");
    }

    #[test]
    fn result_says_what_was_left_alone() {
        let frame = PageFrame::default();
        let page = |decided: serde_json::Value| {
            DecidedPage::new(&frame, "resend", &serde_json::from_value(decided).unwrap()).render().unwrap()
        };
        assert!(page(json!({ "decided": 1, "lines": 1_000, "left": 0 })).contains("1 payload was sent again"));
        let some = page(json!({ "decided": 2, "lines": 1, "left": 3 }));
        assert!(some.contains("2 payloads were sent again") && some.contains("3 were left alone"), "{some}");
    }
}
