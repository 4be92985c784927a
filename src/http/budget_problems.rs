//! The problems of daily budgets.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;
use crate::access::{Dollars, SpentDailyBudget};
use crate::time::rfc3339_s;

impl Problem {
    /// Whether the caller's daily budget is spent.
    #[must_use]
    pub fn is_budget_spent(&self) -> bool {
        self.code == "daily_budget_spent"
    }
}

/// The caller's daily budget is spent.
#[must_use]
pub fn budget_spent(spent: &SpentDailyBudget, now_ms: i64) -> Problem {
    let SpentDailyBudget { budget, spent, ends_ms } = spent;
    let cost = spent.map(|spent| format!(" Today it has cost {spent} dollars.")).unwrap_or_default();
    let detail = format!("Your token has spent its budget of {budget} dollars a day.{cost}");
    let hint = format!("The next day begins at {}.", rfc3339_s(ends_ms.div_euclid(1_000)));
    let wait_s = ends_ms.saturating_sub(now_ms).max(0).div_euclid(1_000) + 1;
    Problem::new(429, "daily_budget_spent", detail).with_hint(hint).retry_after_s(wait_s)
}

/// The token would have a larger daily budget than its maker has.
#[must_use]
pub fn exceeds_own_budget(own: Dollars) -> Problem {
    Problem::new(
        403,
        "exceeds_own_rights",
        "The token would have a larger daily budget than yours, or none of its own.",
    )
    .with_hint(format!("Your own daily_budget is {own} dollars: give the token one of at most that."))
}
