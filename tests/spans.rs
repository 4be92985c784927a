//! Reading from access points: the lines of each span are the very ones that reading the whole object gives.
//!
//! The oracle is a naive splitter over the whole text, as it was before anyone compressed it. Long forms:
//! `scripts/fuzz`, `scripts/lookups`.

#![cfg(test)]

mod support;

#[path = "spans/case.rs"]
mod case;
#[path = "spans/damage.rs"]
mod damage;
#[path = "spans/forms.rs"]
mod forms;
#[path = "spans/lookups.rs"]
mod lookups;
#[path = "sim/random.rs"]
#[expect(dead_code, reason = "the simulator draws lots of more kinds")]
mod random;
#[path = "spans/reading.rs"]
mod reading;
#[path = "spans/texts.rs"]
mod texts;
#[path = "spans/writers.rs"]
mod writers;

use support::lines;
