//! What callers may cost in a day.

use super::reader::SettingsReader;
use super::{Config, settings};
use crate::access::{Caller, Dollars};

/// Reads the budget of callers whose grant has none.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<Dollars> {
    reader.read(&settings::DAILY_BUDGET, |value| {
        let budget = Dollars::parse_budget(value);
        budget.ok_or_else(|| "must be an amount of dollars such as 2.50, a million at most".into())
    })
}

impl Config {
    /// What this caller may cost in a day; `None` for no bound.
    #[must_use]
    pub fn daily_budget_of(&self, caller: &Caller) -> Option<Dollars> {
        caller.daily_budget.or(self.daily_budget)
    }
}
