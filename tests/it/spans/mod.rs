//! Reading from access points: the lines of each span are the very ones that reading the whole object gives.
//!
//! The oracle is a naive splitter over the whole text, as it was before anyone compressed it. Long forms:
//! `scripts/fuzz`, `scripts/lookups`.

use crate::support::{self, random};

mod case;
mod damage;
mod encodings;
mod lookups;
mod reading;
mod texts;
mod writers;

use support::lines;
