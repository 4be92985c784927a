//! The rights of a token that the API makes, as names: in the body that asks for it, in the registry, and in answers.

use serde::{Deserialize, Serialize};

use super::grant::GrantFields;
use super::{Caller, Dollars, Grant, Scope};
use crate::record::Dataset;

/// Rights by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantNames {
    /// The scopes.
    pub scopes: Vec<String>,
    /// The role.
    pub role: String,
    /// The zones whose records are visible; `None` for all.
    pub zones: Option<Vec<String>>,
    /// The datasets that are visible; `None` for all.
    pub datasets: Option<Vec<String>>,
    /// Searches that may run at a time; `None` for the usual number.
    pub scans: Option<u32>,
    /// Dollars that may be spent in a day; `None` for the usual budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_budget: Option<String>,
}

impl GrantNames {
    /// The rights that the names say.
    ///
    /// # Errors
    /// The rule that they break, to follow the words "the token".
    pub fn read(self) -> Result<Grant, &'static str> {
        let Self { scopes, role, zones, datasets, scans, daily_budget } = self;
        GrantFields { scopes, role, zones, datasets, scans, daily_budget }.read()
    }
}

impl From<&Grant> for GrantNames {
    fn from(grant: &Grant) -> Self {
        let names = |datasets: &Vec<Dataset>| datasets.iter().map(|dataset| dataset.name().to_owned()).collect();
        Self {
            scopes: grant.scopes.iter().map(Scope::name).map(str::to_owned).collect(),
            role: grant.role.name().to_owned(),
            zones: grant.zones.clone(),
            datasets: grant.datasets.as_ref().map(names),
            scans: Some(grant.scans),
            daily_budget: grant.daily_budget.map(|budget| budget.to_string()),
        }
    }
}

impl Caller {
    /// Returns the caller's own daily budget, if the grant has a larger one or none.
    #[must_use]
    pub fn exceeded_budget(&self, grant: &Grant) -> Option<Dollars> {
        self.daily_budget.filter(|own| grant.daily_budget.is_none_or(|asked| asked > *own))
    }

    /// Whether the caller has all of these rights, and so may pass them on. Searches at a time are a right of those alone
    /// whose own token ends: others may give a dashboard more than they need themselves. One with a budget of its own passes on
    /// no greater one.
    #[must_use]
    pub fn covers(&self, grant: &Grant) -> bool {
        fn is_within<T: PartialEq>(asked: Option<&Vec<T>>, own: Option<&Vec<T>>) -> bool {
            own.is_none_or(|own| asked.is_some_and(|asked| asked.iter().all(|one| own.contains(one))))
        }
        grant.scopes.iter().all(|scope| self.may(scope))
            && grant.role <= self.role
            && (grant.scans <= self.scans || self.ends_ms.is_none())
            && self.exceeded_budget(grant).is_none()
            && is_within(grant.zones.as_ref(), self.zones.as_ref())
            && is_within(grant.datasets.as_ref(), self.datasets.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Dataset, Grant, GrantNames, Scope};
    use crate::mask::Role;

    fn grant(scopes: &[Scope], role: Role, zones: Option<&[&str]>, datasets: Option<&[Dataset]>) -> Grant {
        let mut grant = Grant::everything();
        (grant.scopes, grant.role) = (scopes.iter().copied().collect(), role);
        grant.zones = zones.map(|zones| zones.iter().map(|zone| (*zone).to_owned()).collect());
        grant.datasets = datasets.map(<[Dataset]>::to_vec);
        grant
    }

    #[test]
    fn nothing_beyond_the_own_rights_is_covered() {
        use Dataset::{DnsLogs, FirewallEvents as Waf, HttpRequests as Http};
        use Role::{Forensics, Support, Viewer};
        use Scope::{Admin, Deliver, Read};
        let own = grant(&[Read, Admin], Support, Some(&["a.example", "b.example"]), Some(&[Http, Waf]));
        let caller = Caller::new("x", &own);
        let (a, http): (Option<&[&str]>, Option<&[Dataset]>) = (Some(&["a.example"]), Some(&[Http]));
        for (asked, is_covered) in [
            (own.clone(), true),
            (grant(&[Read], Viewer, a, http), true),
            (grant(&[Read, Deliver], Viewer, a, http), false),
            (grant(&[Read], Forensics, a, http), false),
            (grant(&[Read], Viewer, None, http), false),
            (grant(&[Read], Viewer, a, None), false),
            (grant(&[Read], Viewer, Some(&["a.example", "c.example"]), http), false),
            (grant(&[Read], Viewer, Some(&["x.a.example"]), http), false),
            (grant(&[Read], Viewer, a, Some(&[Http, DnsLogs])), false),
        ] {
            assert_eq!(caller.covers(&asked), is_covered, "{asked:?}");
            assert!(Caller::new("main", &Grant::everything()).covers(&asked));
        }
    }

    #[test]
    fn names_are_read_back_as_the_grant() {
        let zones: Option<&[&str]> = Some(&["a.example"]);
        for grant in [Grant::everything(), grant(&[Scope::Read], Role::Viewer, zones, Some(&[Dataset::DnsLogs]))] {
            assert_eq!(GrantNames::from(&grant).read(), Ok(grant));
        }
    }
}
