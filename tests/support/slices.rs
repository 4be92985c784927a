//! How much of a long test runs: a fixed slice, or the whole of it where `RAYDEX_WHOLE` is set, as `scripts/test --whole`
//! does.

/// Of so many cases one runs: of `part` as a rule, of one where everything runs.
pub fn one_of(part: usize) -> usize {
    if std::env::var_os("RAYDEX_WHOLE").is_some() { 1 } else { part }
}

/// A part of a number of cases, or all of them.
pub fn slice_of(cases: usize, part: usize) -> usize {
    cases / one_of(part)
}
