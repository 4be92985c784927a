//! `docs/upgrades.md` lists every schema, call and form that the code has, with its version.

use std::collections::BTreeSet;

use crate::objects::{StoredObject, objects};

use super::{File, files, regex, root, text};

const PAGE: &str = "docs/upgrades.md";

/// The rows of the page whose first cell is this, as their cells.
fn rows(first: &str) -> Vec<Vec<String>> {
    let page = text(PAGE);
    let cells = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter(|cells| cells[0] == first).collect()
}

#[test]
fn page_lists_every_schema_with_its_version() {
    for StoredObject { schema, .. } in objects() {
        let found = rows(schema.kind);
        let row = found.iter().find(|row| row.len() == 5).unwrap_or_else(|| panic!("{} is in no table", schema.kind));
        assert_eq!(row[2..4], [schema.version.to_string(), schema.readable_from.to_string()], "{}", schema.kind);
        let place = text(row[4].trim_matches('`'));
        assert!(place.contains(&format!("kind: \"{}\"", schema.kind)), "{row:?}");
    }
    let sources = files("src");
    let schemas = sources
        .iter()
        .filter(|file| file.path != "src/rpc/object_schema.rs")
        .map(|file| file.code_lines().filter(|(_, line)| line.contains(": ObjectSchema = ObjectSchema {")).count());
    assert_eq!(schemas.sum::<usize>(), objects().len(), "another schema belongs here and on the page");
}

#[test]
fn page_lists_every_call_of_each_object() {
    let name = regex("`(v1/[a-z-]+)`");
    let mut listed = 0;
    for StoredObject { schema, calls: names, .. } in objects() {
        let row = rows(schema.kind).into_iter().find(|row| row.len() == 2).unwrap();
        let on_page: BTreeSet<String> = name.captures_iter(&row[1]).map(|found| found[1].to_owned()).collect();
        let in_code: BTreeSet<String> = names.concat().into_iter().map(str::to_owned).collect();
        assert_eq!(on_page, in_code, "{}", schema.kind);
        listed += in_code.len();
    }
    let sources = files("src");
    let lists = sources.iter().flat_map(File::code_lines).filter(|(_, line)| line.starts_with("calls! {"));
    let modules = objects().iter().map(|object| object.calls.len()).sum::<usize>();
    assert!(listed > 80 && lists.count() + 1 == modules, "a list of calls is missing here: {modules}");
}

#[test]
fn page_names_where_each_form_is_defined() {
    let page = text(PAGE);
    let place = regex("`((?:src|tests|local|deploy)/[^`]+)`");
    let forms = page.split("\n## Forms\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = forms.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15, "{}", rows.len());
    for row in rows {
        assert!(place.captures_iter(row).next().is_some(), "{row}");
    }
    for found in place.captures_iter(&page) {
        assert!(root().join(&found[1]).exists(), "{}", &found[1]);
    }
}
