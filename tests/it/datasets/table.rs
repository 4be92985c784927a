//! `schemas/datasets.toml` and the code say the same of every dataset.

use std::collections::{BTreeMap, BTreeSet};

use raydex::record::Dataset;
use serde::Deserialize;

/// What the file says of a dataset.
#[derive(Deserialize)]
struct Described {
    scope: String,
    ray: Option<String>,
    time: String,
    parent: Option<String>,
    trace: Option<String>,
    marker: Option<String>,
    ray_also: Option<String>,
    time_also: Option<String>,
    zone: Vec<String>,
    telling: Vec<Vec<String>>,
    folders: Vec<String>,
    source: String,
    checked: toml::value::Datetime,
    fields: Vec<(String, String)>,
    #[serde(default)]
    newer: Vec<(String, String)>,
    #[serde(default)]
    older: Vec<(String, String)>,
    merged: Option<(String, String)>,
}

const FILE: &str = include_str!("../../../schemas/datasets.toml");

fn described() -> BTreeMap<String, Described> {
    toml::from_str(FILE).unwrap()
}

#[test]
fn table_of_the_code_is_the_files() {
    let described = described();
    assert_eq!(described.len(), Dataset::ALL.len());
    for dataset in Dataset::ALL {
        let (said, known) = (&described[dataset.name()], dataset.spec());
        let also = said.ray_also.as_deref().zip(said.time_also.as_deref());
        assert_eq!((said.ray.as_deref(), said.time.as_str()), (known.ray, known.time), "{dataset}");
        assert_eq!((said.parent.as_deref(), also), (known.parent, known.also), "{dataset}");
        let ids = (said.trace.as_deref(), said.marker.as_deref());
        assert_eq!(ids, (dataset.trace(), dataset.marker()), "{dataset}");
        assert_eq!((&said.zone[..], &said.folders[..]), (&known.zone.map_owned()[..], &known.folders.map_owned()[..]));
        let telling: Vec<Vec<String>> = known.telling.iter().map(MapOwned::map_owned).collect();
        assert_eq!(said.telling, telling, "{dataset}");
        let fields = [&said.fields, &said.newer, &said.older].into_iter().flatten().chain(&said.merged);
        let fields: BTreeSet<&str> = fields.map(|(name, _)| name.as_str()).collect();
        assert!(fields.iter().eq(known.fields), "{dataset}");
    }
}

/// A list of names as the file has it.
trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|name| (*name).to_owned()).collect()
    }
}

#[test]
fn marker_is_a_field_of_its_dataset_alone() {
    for dataset in Dataset::ALL {
        for other in Dataset::ALL.into_iter().filter_map(|other| Some((other, other.marker()?))) {
            assert_eq!(dataset.spec().fields.contains(&other.1), dataset == other.0, "{dataset} {}", other.1);
        }
    }
}

#[test]
fn order_of_the_file_is_the_codes() {
    let sections = FILE.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    assert!(sections.eq(Dataset::ALL.map(Dataset::name)));
}

#[test]
fn every_dataset_has_its_source_and_date() {
    for (name, said) in described() {
        let page =
            format!("https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/{}/{name}/", said.scope);
        let own = [(Dataset::EdgeRequests, "docs/edge-logger.md"), (Dataset::Traces, "docs/traces.md")];
        let own = own.into_iter().find(|(dataset, _)| name == dataset.name()).map(|(_, page)| page.to_owned());
        assert_eq!(said.source, own.unwrap_or(page));
        assert!(said.checked.date.is_some_and(|date| date.year >= 2026), "{name}");
        assert!(["zone", "account"].contains(&&*said.scope), "{name}");
    }
}

#[test]
fn names_of_folders_are_of_one_dataset_each() {
    let mut seen = BTreeSet::new();
    for dataset in Dataset::ALL {
        for folder in dataset.spec().folders.iter().copied().chain([dataset.name()]) {
            assert!(seen.insert(folder), "{folder}");
            assert!(folder.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
        }
    }
}

#[test]
fn keys_and_columns_are_documented_fields() {
    for dataset in Dataset::ALL {
        let known = dataset.spec();
        let key = known.ray.into_iter().chain(known.parent).chain([known.time]).chain(known.zone.iter().copied());
        for name in key.chain(known.columns.iter().copied()) {
            let name = name.split('.').next().unwrap();
            assert!(known.fields.contains(&name), "{dataset} {name}");
        }
        assert!(known.fields.is_sorted() && known.columns.contains(&known.time), "{dataset}");
    }
}
