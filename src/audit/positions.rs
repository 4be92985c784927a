//! Where reading the log continues: the last entry of each chain that is done with.
//!
//! Of a log with one chain it is a number, as it was before there were more; of one with several it is `c1`, the version of this
//! form, and a number for each chain, with dots between them. A number alone is a position in the first chain.
//!
//! # Invariants
//! A text has [`AUDIT_CHAINS_MAX`] positions at most. Chains beyond those of the text begin at their first entry.

use std::fmt::{self, Write};

use crate::access::ChainNumber;
use crate::limits::AUDIT_CHAINS_MAX;

/// What a text of several positions begins with.
const VERSION: &str = "c1";

/// A position in each chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainPositions(Vec<u64>);

impl ChainPositions {
    /// Parses the text of positions.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let Some(rest) = text.strip_prefix(VERSION) else { return Some(Self(vec![number(text)?])) };
        let numbers = rest.strip_prefix('.')?.split('.').take(usize::from(AUDIT_CHAINS_MAX) + 1);
        let positions: Vec<u64> = numbers.map(number).collect::<Option<_>>()?;
        Some(Self(positions)).filter(|found| found.0.len() <= usize::from(AUDIT_CHAINS_MAX))
    }

    /// The number of the last entry of the chain that is done with.
    #[must_use]
    pub fn of(&self, chain: ChainNumber) -> u64 {
        self.0.get(chain.place()).copied().unwrap_or_default()
    }

    /// The positions, in the order of the chains.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// The position, where there is one chain.
    #[must_use]
    pub fn single(&self) -> Option<u64> {
        if let [position] = self.0.as_slice() { Some(*position) } else { None }
    }
}

impl FromIterator<u64> for ChainPositions {
    fn from_iter<I: IntoIterator<Item = u64>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}

impl fmt::Display for ChainPositions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.single() {
            return position.fmt(formatter);
        }
        formatter.write_str(VERSION)?;
        self.0.iter().try_for_each(|position| {
            formatter.write_char('.')?;
            position.fmt(formatter)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AUDIT_CHAINS_MAX, ChainNumber, ChainPositions};

    #[test]
    fn positions_are_read_back() {
        let most = usize::from(AUDIT_CHAINS_MAX);
        for positions in [vec![0], vec![17], vec![1, 0], vec![0, 0, 7], vec![u64::MAX; most]] {
            let positions: ChainPositions = positions.into_iter().collect();
            assert_eq!(ChainPositions::parse(&positions.to_string()), Some(positions.clone()), "{positions}");
        }
        let positions = ChainPositions::parse("c1.5.0.9").unwrap();
        let found: Vec<u64> = ChainNumber::first(4).map(|chain| positions.of(chain)).collect();
        assert_eq!((found, positions.single()), (vec![5, 0, 9, 0], None));
        assert_eq!(ChainPositions::parse("17").unwrap().single(), Some(17), "as before there were chains");
    }

    #[test]
    fn other_texts_are_no_positions() {
        let long = format!("c1{}", ".1".repeat(usize::from(AUDIT_CHAINS_MAX) + 1));
        for text in
            ["", "x", "-1", "+1", "1.2", "c1", "c1.", "c1..1", "c1.1.", "c2.1", "c1.+1", "c1.18446744073709551616"]
        {
            assert_eq!(ChainPositions::parse(text), None, "{text}");
        }
        assert_eq!(ChainPositions::parse(&long), None);
    }
}
