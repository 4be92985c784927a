//! `schemas/field_classes.toml` and the code say the same, of the fields that `schemas/datasets.toml` lists.

use std::collections::BTreeSet;

use raydex::mask::{FieldClass, FieldTreatment, MEMBERS, Role, class_of, fields};
use raydex::record::{ADDRESS_FIELDS, Dataset, is_address_field};
use toml::Table;

fn published() -> Table {
    include_str!("../../../schemas/field_classes.toml").parse().unwrap()
}

/// A table of names and classes as the code has it.
fn of(table: &[(&str, FieldClass)]) -> Table {
    table.iter().map(|(name, class)| ((*name).to_owned(), class.name().into())).collect()
}

#[test]
fn the_published_classes_are_the_ones_that_mask() {
    let published = published();
    let classes = published["class"].as_table().unwrap();
    assert_eq!(classes.len(), FieldClass::ALL.len());
    for class in FieldClass::ALL {
        let row = classes[class.name()].as_table().unwrap();
        assert!(row["what"].as_str().unwrap().ends_with('.'));
        for &role in Role::ALL {
            assert_eq!(row[role.name()].as_str(), Some(class.treatment(role).name()), "{class:?} {role}");
        }
        assert_eq!(row.len(), 1 + Role::ALL.len());
    }
}

#[test]
fn published_fields_are_those_of_the_code() {
    let published = published();
    let datasets = published["fields"].as_table().unwrap();
    assert_eq!(datasets.len(), Dataset::WITH_RAY.len());
    for dataset in Dataset::WITH_RAY {
        assert_eq!(datasets[dataset.name()].as_table(), Some(&of(fields(dataset))), "{dataset}");
        assert!(fields(dataset).is_sorted_by(|a, b| a.0 < b.0), "found by halving");
    }
    let members = published["members"].as_table().unwrap();
    assert_eq!(members.len(), MEMBERS.len());
    for (class, table) in MEMBERS {
        assert_eq!(members[class.name()].as_table(), Some(&of(table)), "{class:?}");
    }
}

#[test]
fn every_field_of_the_datasets_has_a_class() {
    let datasets: Table = include_str!("../../../schemas/datasets.toml").parse().unwrap();
    for dataset in Dataset::WITH_RAY {
        let described = &datasets[dataset.name()];
        let rows = ["fields", "newer", "older"].iter().filter_map(|list| described.get(*list)?.as_array()).flatten();
        let rows = rows.chain(described.get("merged"));
        let names: BTreeSet<&str> = rows.map(|row| row.as_array().unwrap()[0].as_str().unwrap()).collect();
        let known: BTreeSet<&str> = fields(dataset).iter().map(|(name, _)| *name).collect();
        assert_eq!(known, names, "{dataset}");
        assert_eq!(class_of(dataset, "Novel"), FieldClass::Unknown);
    }
    for dataset in Dataset::ALL.into_iter().filter(|dataset| !dataset.has_ray()) {
        assert_eq!(class_of(dataset, dataset.spec().time), FieldClass::Time);
        assert_eq!(class_of(dataset, "Novel"), FieldClass::Unknown);
    }
}

#[test]
fn roles_see_no_less_than_the_one_before() {
    // A viewer sees cut addresses that support sees whole, and no class better than support does.
    for class in FieldClass::ALL {
        let seen: Vec<FieldTreatment> = Role::ALL.iter().map(|role| class.treatment(*role)).collect();
        assert!(seen.is_sorted(), "{class:?} {seen:?}");
        assert_eq!(seen.last(), Some(&FieldTreatment::Raw));
    }
}

#[test]
fn fields_of_addresses_are_those_of_the_schemas() {
    assert!(ADDRESS_FIELDS.is_sorted(), "found by halving");
    for dataset in Dataset::WITH_RAY {
        for (name, class) in fields(dataset) {
            assert_eq!(is_address_field(name), *class == FieldClass::Ip, "{dataset} {name}");
        }
    }
    // The other datasets have no classes: there the names say it.
    let is_address = |name: &str| ["IP", "IPs", "Address", "Addr"].iter().any(|end| name.ends_with(end));
    let listed = Dataset::ALL.into_iter().flat_map(|dataset| dataset.spec().fields).copied();
    let named: BTreeSet<&str> = listed.filter(|name| is_address(name)).collect();
    assert_eq!(named, ADDRESS_FIELDS.into_iter().collect());
}
