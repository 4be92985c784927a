//! What exists for a caller: the one place that decides what else of an answer follows from it.
//!
//! Whatever an answer contains (figures, cost, positions, order, errors and, as far as can be, time) is a function of
//! records that its caller may see. Where it cannot be, the answer is not for such callers.
//!
//! # Invariants
//! A later variant sees less: what may be shown to callers of one variant may be shown to those of every earlier one.

/// What exists for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Every record.
    Everything,
    /// The batches of some datasets.
    Datasets,
    /// Records of some zones. Their batches hold records of other zones too, so that figures about batches do not exist.
    Zones,
}

impl Visibility {
    /// Whether sums and lists of all datasets may be shown.
    #[must_use]
    pub const fn has_totals(self) -> bool {
        matches!(self, Self::Everything)
    }

    /// Whether batches exist, with what reading them costs, how many there are and which of them are missing.
    #[must_use]
    pub const fn has_batches(self) -> bool {
        !matches!(self, Self::Zones)
    }

    /// Whether the position of a record in its batch may be shown, and whatever else depends on the batch's other lines:
    /// its offset, the entity tag and handle of the batch, the size of a payload.
    #[must_use]
    pub const fn has_positions(self) -> bool {
        self.has_batches()
    }

    /// Whether what is known of batches may rule them out before they are read.
    #[must_use]
    pub const fn may_prune(self) -> bool {
        self.has_batches()
    }

    /// Whether a lookup may be answered as soon as it is done, in any order. Otherwise its duration would say whether
    /// there are hidden records.
    #[must_use]
    pub const fn may_hurry(self) -> bool {
        self.has_batches()
    }
}

#[cfg(test)]
mod tests {
    use super::Visibility;

    #[test]
    fn those_who_see_less_are_shown_less() {
        let all = [Visibility::Everything, Visibility::Datasets, Visibility::Zones];
        assert!(all.is_sorted());
        assert_eq!(all.map(Visibility::has_totals), [true, false, false]);
        for shows in [Visibility::has_batches, Visibility::has_positions, Visibility::may_prune, Visibility::may_hurry]
        {
            assert_eq!(all.map(shows), [true, true, false]);
        }
    }
}
