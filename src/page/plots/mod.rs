//! Pictures of counts: a stacked histogram, lines, and a strip of what batches cover. Each is an SVG with a title, axes, and a
//! table with the same figures for readers who do not see it.
//!
//! Reading order: `scale` turns counts and instants into places and ticks, `count_rows` reads the rows of `GET /v1/counts`
//! into bars, `histogram`, `line_plot` and `coverage_strip` draw.
//!
//! # Invariants
//! Places are whole tenths of a unit, so none is infinite or not a number, and no width is negative. What is drawn is bounded
//! whatever is given. Nothing is said by colour alone: groups have patterns, lines have dashes, kinds have rows of their own.

mod count_rows;
mod coverage_strip;
mod histogram;
mod line_plot;
mod scale;

pub use count_rows::{CountBars, CountRowDocument, PlotRange};
pub use coverage_strip::{CoverageDocument, CoverageStrip, WindowDocument};
pub use histogram::Histogram;
pub use line_plot::{LinePlot, PlotSeries};

/// What a picture is called.
#[derive(Debug, Clone, Copy)]
pub struct PlotName<'a> {
    /// The beginning of its elements' ids, which is its own on a page: letters and hyphens.
    pub id: &'a str,
    /// The title.
    pub title: &'a str,
}
