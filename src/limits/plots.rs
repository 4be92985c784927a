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

/// Maximum number of conditions of the search page's form. A filter in Logpush's language may have more.
pub const SEARCH_ROWS: usize = 8;

/// Maximum length of a value in the address of the search page, in bytes: as long as that of a condition that people type. Its
/// 30 parameters come to 60 KB.
pub const SEARCH_VALUE_BYTES: usize = 2_048;
