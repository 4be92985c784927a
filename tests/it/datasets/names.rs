//! `schemas/foreign_files.toml` and the code say the same.

use std::collections::BTreeSet;

use raydex::bucket_keys::foreign::{
    CHECK_PREFIXES, CHECK_SUFFIXES, FOREIGN_FOLDERS, FOREIGN_NAMES, FOREIGN_PREFIXES, FOREIGN_SUFFIXES,
};
use toml::Table;

#[test]
fn foreign_files_are_those_of_the_list() {
    let file: Table = include_str!("../../../schemas/foreign_files.toml").parse().unwrap();
    let listed = |member: &str, of_logpush: bool| -> BTreeSet<String> {
        let groups = file.iter().filter(|(name, _)| (*name == "logpush") == of_logpush);
        let lists = groups.filter_map(|(_, group)| group.get(member)?.as_array()).flatten();
        lists.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for (member, of_logpush, known) in [
        ("names", false, FOREIGN_NAMES),
        ("prefixes", false, FOREIGN_PREFIXES),
        ("suffixes", false, FOREIGN_SUFFIXES),
        ("folders", false, FOREIGN_FOLDERS),
        ("prefixes", true, CHECK_PREFIXES),
        ("suffixes", true, CHECK_SUFFIXES),
    ] {
        let known: BTreeSet<String> = known.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(listed(member, of_logpush), known, "{member}");
        assert!(known.iter().all(|name| *name == name.to_lowercase()), "{member}");
    }
    for (name, group) in &file {
        assert!(group["source"].as_str().unwrap().starts_with("https://"), "{name}");
        assert!(group["checked"].as_datetime().is_some() && group["about"].is_str(), "{name}");
    }
}
