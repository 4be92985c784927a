//! The rights that an entry of a setting grants: scopes, a role, zones, datasets.
//!
//! # Invariants
//! Unknown and missing members are errors. An error has the number of the entry and the rule that it breaks, and
//! repeats none of its content.

use serde::de::DeserializeOwned;

use super::{Dollars, Scope, Scopes};
use crate::limits::{ACCESS_ENTRIES, SCANS, SCANS_MAX};
use crate::mask::Role;
use crate::record::Dataset;

/// Rights that an entry of a setting grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The operations that are allowed.
    pub scopes: Scopes,
    /// The role, which decides how records are masked.
    pub role: Role,
    /// The zones whose records are visible, in lower case; `None` for all.
    pub zones: Option<Vec<String>>,
    /// The datasets that are visible; `None` for all.
    pub datasets: Option<Vec<Dataset>>,
    /// Searches that an isolate runs for the bearer at a time.
    pub scans: u32,
    /// What the bearer may cost in a day; `None` for the usual budget.
    pub daily_budget: Option<Dollars>,
}

impl Grant {
    /// All scopes, and every record unmasked.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            scopes: Scopes::all(),
            role: Role::Forensics,
            zones: None,
            datasets: None,
            scans: SCANS,
            daily_budget: None,
        }
    }
}

/// An error in a list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantFault {
    /// The value is not a JSON array.
    #[error("the value must be a JSON array")]
    NotAList,
    /// The array is empty or too long.
    #[error("the array must have 1 to {ACCESS_ENTRIES} entries")]
    Count,
    /// An entry, counted from 1, breaks this rule.
    #[error("entry {0} {1}")]
    Entry(usize, &'static str),
}

/// The members of an entry that hold its rights.
#[derive(Debug)]
pub(super) struct GrantFields {
    pub(super) scopes: Vec<String>,
    pub(super) role: String,
    pub(super) zones: Option<Vec<String>>,
    pub(super) datasets: Option<Vec<String>>,
    pub(super) scans: Option<u32>,
    pub(super) daily_budget: Option<String>,
}

impl GrantFields {
    /// Checks the members; the error is the rule that they break.
    pub(super) fn read(self) -> Result<Grant, &'static str> {
        let scopes = self.scopes.iter().map(|name| Scope::from_name(name)).collect::<Option<Scopes>>();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        let role = Role::from_name(&self.role).ok_or("must have one of the roles viewer, support and forensics")?;
        let zones = self.zones.map(zones).transpose()?;
        let datasets = self.datasets.map(|names| datasets(&names)).transpose()?;
        let scopes =
            scopes.ok_or("must have at least one of the scopes read, ingest, deliver and admin, and no others")?;
        let scans = self.scans.unwrap_or(SCANS);
        if !(1..=SCANS_MAX).contains(&scans) {
            return Err("has scans that are not a number from 1 to 64");
        }
        let budget = self.daily_budget.map(|text| {
            Dollars::parse_budget(&text).ok_or("has a daily_budget that is not an amount of dollars such as \"2.50\"")
        });
        Ok(Grant { scopes, role, zones, datasets, scans, daily_budget: budget.transpose()? })
    }
}

fn zones(names: Vec<String>) -> Result<Vec<String>, &'static str> {
    let is_zone = |name: &String| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(sign)
            && !name.starts_with('.')
            && !name.ends_with('.')
    };
    let are = !names.is_empty() && names.iter().all(is_zone);
    let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
    if are { Ok(names) } else { Err("has zones that are not a list of domain names") }
}

fn datasets(names: &[String]) -> Result<Vec<Dataset>, &'static str> {
    let found: Option<Vec<Dataset>> = names.iter().map(|name| Dataset::from_name(name)).collect();
    let found = found.filter(|found| !found.is_empty());
    found.ok_or("has datasets that are not a list of names of Logpush datasets, such as http_requests")
}

/// Parses a JSON array, each entry with `read`.
pub(super) fn entries<E: DeserializeOwned, T>(
    text: &str,
    unknown: &'static str,
    read: impl Fn(E) -> Result<T, &'static str>,
) -> Result<Vec<T>, GrantFault> {
    let list: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| GrantFault::NotAList)?;
    if list.is_empty() || list.len() > ACCESS_ENTRIES {
        return Err(GrantFault::Count);
    }
    let one = |(number, entry)| {
        // The words of the parser would repeat the names of members.
        let entry = E::deserialize::<serde_json::Value>(entry).map_err(|_| unknown);
        entry.and_then(&read).map_err(|words| GrantFault::Entry(number, words))
    };
    (1..).zip(list).map(one).collect()
}
