//! How far the times that rays have in their bits are from the times of their records.
//!
//! The layout of the Ray ID is Cloudflare's, and was found by measurement: a ray's time is 2 to 11 ms before its record's.
//! If most rays of a batch are [`MAX_RAY_SKEW_MS`](crate::limits::MAX_RAY_SKEW_MS) or more off, the layout has changed or a
//! clock is wrong. Nothing is lost then, since the index goes by a ray's bits, whatever they mean, and by a record's own time;
//! but what is derived from a ray's time is in doubt.

use serde::{Deserialize, Serialize};

use crate::limits::SKEWED_SHARE;

/// Where rays and their records are that differ, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaySkew {
    /// Unix milliseconds of the earliest of these rays and records.
    pub first_ms: i64,
    /// Unix milliseconds of the latest of them.
    pub last_ms: i64,
    /// Maximum time by which a ray is ahead of its record, in milliseconds; 0 if none is.
    pub ahead_ms: i64,
    /// Maximum time by which a ray is behind its record, in milliseconds; 0 if none is.
    pub behind_ms: i64,
}

impl RaySkew {
    /// Returns the skew of one ray and its record, by their Unix milliseconds.
    #[must_use]
    pub fn of(ray_ms: i64, record_ms: i64) -> Self {
        let ahead_ms = ray_ms.saturating_sub(record_ms);
        Self {
            first_ms: ray_ms.min(record_ms),
            last_ms: ray_ms.max(record_ms),
            ahead_ms: ahead_ms.max(0),
            behind_ms: ahead_ms.saturating_neg().max(0),
        }
    }

    /// Returns the skew of these rays and of others.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            first_ms: self.first_ms.min(other.first_ms),
            last_ms: self.last_ms.max(other.last_ms),
            ahead_ms: self.ahead_ms.max(other.ahead_ms),
            behind_ms: self.behind_ms.max(other.behind_ms),
        }
    }
}

/// Whether so large a share of these rays is skewed that the times of the others say nothing either.
#[must_use]
pub const fn is_skewed(skewed: u64, rays: u64) -> bool {
    skewed.saturating_mul(100) > rays.saturating_mul(SKEWED_SHARE)
}

#[cfg(test)]
mod tests {
    use super::{RaySkew, is_skewed};

    #[test]
    fn skew_of_several_rays_spans_all() {
        let ahead = RaySkew::of(1_500, 300);
        assert_eq!(ahead, RaySkew { first_ms: 300, last_ms: 1_500, ahead_ms: 1_200, behind_ms: 0 });
        let behind = RaySkew::of(200, 900);
        assert_eq!(behind, RaySkew { first_ms: 200, last_ms: 900, ahead_ms: 0, behind_ms: 700 });
        let both = RaySkew { first_ms: 200, last_ms: 1_500, ahead_ms: 1_200, behind_ms: 700 };
        assert_eq!((ahead.with(behind), behind.with(ahead), both.with(ahead)), (both, both, both));
        let extremes = RaySkew::of(i64::MIN, i64::MAX);
        assert_eq!((extremes.ahead_ms, extremes.behind_ms), (0, i64::MAX));
    }

    #[test]
    fn more_than_half_is_skewed() {
        for (skewed, rays, expected) in
            [(0, 0, false), (1, 2, false), (2, 3, true), (51, 100, true), (50, 100, false), (1, 1, true)]
        {
            assert_eq!(is_skewed(skewed, rays), expected, "{skewed} of {rays}");
        }
    }
}
