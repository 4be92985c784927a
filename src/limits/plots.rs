//! Limits on the search page and on pictures of counts.
//!
//! The invariants of [`super`] apply.

/// Maximum number of bars of a histogram, and of points of a line: one for every five units of the picture's width. More steps
/// are joined. A bar of 9 groups and its row of the table take some 1.2 KB: 170 KB.
pub const PLOT_BARS: usize = 144;

/// Maximum number of values with a pattern of their own in a histogram, and of lines of a plot. The rest is one group.
pub const PLOT_GROUPS: usize = 8;

/// Maximum number of characters of a name in a picture.
pub const PLOT_LABEL_CHARS: usize = 60;

/// Maximum number of windows of a kind that the table beside a strip lists.
pub const PLOT_WINDOWS: usize = 200;
