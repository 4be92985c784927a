//! The suite of attacks: every route has a row in its table, in each of its forms.

use std::collections::BTreeSet;
use std::process::Command;

use raydex::router::{PAGES, ROUTES, RouteSpec};
use serde_json::Value;

use super::{files, json, root, text};

/// The table, which the attacks read too.
const TABLE: &str = "tests/attack/routes.json";
/// Attacks that apply to every route.
const EVERY: [&str; 2] = ["memory", "headers"];

fn rows() -> Vec<Value> {
    json(TABLE).as_array().unwrap().clone()
}

fn word<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {row}"))
}

fn attacks(row: &Value) -> BTreeSet<&str> {
    row["attacks"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// Method and path of each row.
fn attacked() -> BTreeSet<String> {
    rows().iter().map(|row| format!("{} {}", word(row, "method"), word(row, "path"))).collect()
}

/// The rows that are attacked: all of the API, and the pages that show records.
fn attackable() -> impl Iterator<Item = &'static RouteSpec> {
    ROUTES.iter().chain(PAGES.iter().filter(|row| row.shows_records()))
}

#[test]
fn every_route_has_a_row_of_attacks() {
    let routes: BTreeSet<String> = attackable().map(RouteSpec::name).collect();
    let attacked = attacked();
    for route in &routes {
        assert!(attacked.contains(route), "{route} has no row in {TABLE}: say its worst request and its attacks");
    }
    for row in &attacked {
        assert!(routes.contains(row), "{row} is no route: take it from {TABLE}");
    }
}

#[test]
fn every_form_has_a_row_of_attacks() {
    let described = json("schemas/openapi.json");
    let rows = rows();
    let mut seen = 0;
    for spec in ROUTES {
        let responses = &described["paths"][spec.path][spec.method.to_lowercase()]["responses"];
        let forms = ["200", "202"].iter().filter_map(|status| responses[status]["content"].as_object());
        for form in forms.flat_map(|content| content.keys()) {
            let has_row = |row: &Value| {
                word(row, "method") == spec.method && word(row, "path") == spec.path && word(row, "media") == form
            };
            assert!(rows.iter().any(has_row), "{} as {form} has no row in {TABLE}", spec.name());
            seen += 1;
        }
    }
    assert!(seen >= ROUTES.len() - 4, "{seen} forms");
}

#[test]
fn every_row_says_which_attacks_apply() {
    for row in rows() {
        let attacks = attacks(&row);
        for attack in EVERY {
            assert!(attacks.contains(attack), "{attack} applies to every route: {row}");
        }
        for attack in &attacks {
            let is_column = matches!(*attack, "headers" | "cross-site");
            let exists = root().join(format!("tests/attack/{attack}.mjs")).exists();
            assert!(exists || is_column, "there is no attack {attack}: {row}");
        }
        let spec = attackable().find(|spec| spec.path == word(&row, "path") && spec.method == word(&row, "method"));
        let spec = spec.unwrap_or_else(|| panic!("{row}"));
        let changes = spec.method == "POST" && !spec.shows_records();
        assert!(!changes || attacks.contains("cross-site"), "a change can come from another site: {row}");
        assert!(!spec.shows_records() || attacks.contains("twins"), "records are of zones: {row}");
        let shows_text = spec.shows_records() && !spec.path.ends_with("/deliveries");
        assert!(!shows_text || attacks.contains("masking"), "records are masked: {row}");
        assert!(["marked", "document", "pure"].contains(&word(&row, "end")), "{row}");
    }
}

#[test]
fn every_attack_is_run_with_its_fakes() {
    let runner = text("tests/attack/run.mjs");
    let mut seen = 0;
    for file in files("tests/attack") {
        let name = file.path.trim_start_matches("tests/attack/").trim_end_matches(".mjs");
        if name.contains('/') || name == "run" || !file.has_extension("mjs") {
            continue;
        }
        assert!(runner.contains(&format!("\"{name}\"")), "{name} is in no list of the runner");
        assert!(file.text.contains("export const fakes = [\n  {"), "{name} has no answer that it must find wrong");
        seen += 1;
    }
    assert!(seen > 8, "{seen} attacks");
}

#[test]
fn script_help_names_every_option_of_attacks() {
    let output = Command::new(root().join("scripts/attack")).arg("--help").output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    for option in ["--seed", "--only", "--full", "--slice", "N passed, N failed"] {
        assert!(words.contains(option), "{option}: {words}");
    }
}

#[test]
fn security_page_names_tests_that_exist() {
    let page = text("docs/security.md");
    let cell = super::regex(r"`(attack|it|worker|unit): ([a-z0-9_:/-]+)`");
    let mut seen = 0;
    for found in cell.captures_iter(&page) {
        let (kind, name) = (&found[1], &found[2]);
        let exists = match kind {
            "attack" => root().join(format!("tests/attack/{name}.mjs")).exists(),
            kind => has_test(kind, name),
        };
        assert!(exists, "there is no test {kind}: {name}");
        seen += 1;
    }
    assert!(seen > 15, "{seen} tests");
}

/// Whether a file of that tier has the test that the last part of `name` names, or a test module of that name exists.
fn has_test(tier: &str, name: &str) -> bool {
    let folder = if tier == "unit" { "src".to_owned() } else { format!("tests/{tier}") };
    let (path, test) = name.rsplit_once("::").unwrap_or(("", name));
    let function = format!("fn {test}(");
    let path = path.replace("::", "/");
    files(&folder).iter().any(|file| file.path.contains(&path) && file.text.contains(&function))
}
