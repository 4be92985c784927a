//! The processing state of a batch.

use serde::{Deserialize, Serialize};

/// The state of a batch, with one name for SQL, JSON and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Its object is being read, or reading was interrupted.
    Open,
    /// Every line of it is accounted for.
    Sealed,
    /// Its object is not a valid batch; a person may replay it.
    Quarantined,
}

impl BatchState {
    /// All states, in listing order.
    pub const ALL: [Self; 3] = [Self::Open, Self::Sealed, Self::Quarantined];

    /// Returns the state's name in SQL and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Quarantined => "quarantined",
        }
    }

    /// Parses a state from its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::BatchState;

    #[test]
    fn state_has_one_name_for_sql_and_json() {
        for state in BatchState::ALL {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("{:?}", state.name()));
            assert_eq!(BatchState::from_name(state.name()), Some(state));
        }
    }
}
