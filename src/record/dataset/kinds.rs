//! What a member's name is in the documented records, whatever their dataset.

use std::sync::LazyLock;

use super::fields::ANYWHERE;
use super::{Dataset, DatasetSpec};

/// What a documented name is to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// The ray.
    Ray,
    /// The time that the record is found by.
    Time,
    /// A field that says nothing of the dataset, such as those with a customer's own names in them.
    Anywhere,
    /// Any other field.
    Field,
}

impl NameKind {
    /// What `name` is; `None` where no dataset documents it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let place = KINDS.binary_search_by_key(&name, |(known, _)| *known).ok()?;
        KINDS.get(place).map(|(_, kind)| *kind)
    }
}

/// The documented names, sorted; of a name with several kinds the first counts.
static KINDS: LazyLock<Vec<(&'static str, NameKind)>> = LazyLock::new(|| {
    let mut kinds: Vec<(&'static str, NameKind)> = Dataset::ALL.into_iter().flat_map(kinds_of).collect();
    kinds.sort_unstable();
    kinds.dedup_by_key(|(name, _)| *name);
    kinds
});

fn kinds_of(dataset: Dataset) -> impl Iterator<Item = (&'static str, NameKind)> {
    let DatasetSpec { ray, time, also, fields, .. } = dataset.spec();
    let ray = ray.map(|path| path.split_once('.').map_or(path, |(_, inner)| inner));
    let keys = [(ray, NameKind::Ray), (Some(time), NameKind::Time)];
    let also = also.map_or([(None, NameKind::Ray), (None, NameKind::Time)], |(ray, time)| {
        [(Some(ray), NameKind::Ray), (Some(time), NameKind::Time)]
    });
    let keys = keys.into_iter().chain(also).filter_map(|(name, kind)| Some((name?, kind)));
    let kind = |name| if ANYWHERE.contains(&name) { NameKind::Anywhere } else { NameKind::Field };
    keys.chain(fields.iter().map(move |name| (*name, kind(*name))))
}

#[cfg(test)]
mod tests {
    use super::NameKind;
    use crate::record::is_key_name;

    #[test]
    fn documented_names_have_their_kind() {
        for (name, kind) in [
            ("RayID", Some(NameKind::Ray)),
            ("rayId", Some(NameKind::Ray)),
            ("EventTimestampMs", Some(NameKind::Time)),
            ("timestampStartNanos", Some(NameKind::Time)),
            ("Cookies", Some(NameKind::Anywhere)),
            ("Event", Some(NameKind::Field)),
            ("Subrequests", Some(NameKind::Field)),
            ("events", None),
        ] {
            assert_eq!(NameKind::of(name), kind, "{name}");
        }
        for (name, kind) in super::KINDS.iter() {
            assert_eq!(is_key_name(name), *kind < NameKind::Anywhere, "{name}");
        }
    }
}
