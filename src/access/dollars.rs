//! Amounts of money, as whole nano-dollars.
//!
//! # Invariants
//! No amount is ever a floating-point number. A text is read back as the same amount.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{BUDGET_MAX_NANOS, DOLLAR_NANOS};

/// Decimals of a dollar in nano-dollars.
const DECIMALS: usize = 9;
/// Decimals that are always written: those of cents.
const CENT_DECIMALS: usize = 2;

/// An amount in US dollars, from 0; its text has the form `1.50`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars(u64);

impl Dollars {
    /// An amount of nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Parses a budget: digits, with a point and up to nine decimals, a million dollars at most.
    #[must_use]
    pub fn parse_budget(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !decimals.is_none_or(|rest| is_number(rest) && rest.len() <= DECIMALS) {
            return None;
        }
        let rest: u64 = format!("{:0<DECIMALS$}", decimals.unwrap_or_default()).parse().ok()?;
        let nanos = whole.parse::<u64>().ok()?.checked_mul(DOLLAR_NANOS)?.checked_add(rest)?;
        Some(Self(nanos)).filter(|budget| budget.0 <= BUDGET_MAX_NANOS)
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:0DECIMALS$}", self.0 % DOLLAR_NANOS);
        let decimals = format!("{:0<CENT_DECIMALS$}", decimals.trim_end_matches('0'));
        write!(formatter, "{}.{decimals}", self.0 / DOLLAR_NANOS)
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_budget(&text).ok_or_else(|| de::Error::custom("not an amount of dollars"))
    }
}

#[cfg(test)]
mod tests {
    use super::Dollars;

    #[test]
    fn amounts_are_read_back() {
        for (text, nanos, written) in [
            ("0", 0, "0.00"),
            ("5", 5_000_000_000, "5.00"),
            ("1.5", 1_500_000_000, "1.50"),
            ("0.000000001", 1, "0.000000001"),
            ("007.010", 7_010_000_000, "7.01"),
            ("1000000", 1_000_000_000_000_000, "1000000.00"),
        ] {
            let amount = Dollars::parse_budget(text).unwrap();
            assert_eq!((amount.nanos(), amount.to_string()), (nanos, written.to_owned()));
            assert_eq!(Dollars::parse_budget(written), Some(amount));
            assert_eq!(serde_json::from_str::<Dollars>(&serde_json::to_string(&amount).unwrap()).unwrap(), amount);
        }
    }

    #[test]
    fn other_texts_are_no_amounts() {
        let long = "9".repeat(30);
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "0.0000000001",
            "1000000.000000001",
            "٣",
            long.as_str(),
        ] {
            assert_eq!(Dollars::parse_budget(text), None, "{text}");
        }
    }
}
