//! Which dataset a batch is of, and what follows from it.

mod table;
