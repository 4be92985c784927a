//! The wall: the Workers runtime is named in `src/platform` alone, and cannot be built in elsewhere.

use std::process::Command;

use super::{files, json, regex, text, toml};

/// Crates that exist on the platform alone.
const PLATFORM_CRATES: [&str; 5] = ["worker", "worker-macros", "js-sys", "wasm-bindgen", "wasm-bindgen-futures"];

/// The one line that may: the example in the documentation that has to fail to compile.
const WALL_EXAMPLE: (&str, &str) = ("src/backend.rs", "//! use worker::Env;");

#[test]
fn no_source_outside_of_the_platform_names_it() {
    let names = regex(
        r"\b(?:worker|worker_macros|js_sys|web_sys|wasm_bindgen|wasm_bindgen_futures)::|\buse (?:worker|js_sys|wasm_bindgen)\b|extern crate",
    );
    assert!(names.is_match("use worker::Env;") && names.is_match("let x = js_sys::Math::random();"));
    for folder in ["src", "tests"] {
        for file in files(folder).into_iter().filter(|file| file.has_extension("rs")) {
            if file.path.starts_with("src/platform/") || file.path.starts_with("tests/it/tidy/") {
                continue;
            }
            for (number, line) in (1..).zip(file.text.lines()) {
                let is_example = (file.path.as_str(), line) == WALL_EXAMPLE;
                assert!(is_example || !names.is_match(line), "{}:{number}: {line}", file.path);
            }
        }
    }
}

#[test]
fn manifest_has_platform_crates_for_wasm_only() {
    let manifest = toml("Cargo.toml");
    let wasm = manifest["target"]["cfg(target_arch = \"wasm32\")"]["dependencies"].as_table().unwrap();
    for name in PLATFORM_CRATES {
        assert!(wasm.contains_key(name), "{name}");
        for table in ["dependencies", "dev-dependencies"] {
            assert!(!manifest[table].as_table().unwrap().contains_key(name), "{name} in {table}");
        }
    }
    assert_eq!(manifest["target"].as_table().unwrap().len(), 1);
}

#[test]
fn native_build_has_no_platform_crates() {
    // So that a `use worker::…` outside of the platform does not compile here.
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--all-features", "--edges", "normal,build,dev", "--prefix", "none"])
        .current_dir(super::root())
        .output()
        .unwrap();
    let (tree, said) = (String::from_utf8(tree.stdout).unwrap(), String::from_utf8_lossy(&tree.stderr).into_owned());
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"serde") && names.contains(&"rusqlite"), "cargo tree tells nothing: {said}");
    for name in PLATFORM_CRATES {
        assert!(!names.contains(&name), "{name} is built natively");
    }
}

#[test]
fn manifests_name_caret_versions() {
    // The lock files pin; a manifest says what is needed at least.
    let caret = regex(r"^\d+\.\d+\.\d+$");
    for path in ["Cargo.toml", "scripts/build-worker/Cargo.toml", "tests/support/Cargo.toml"] {
        let manifest = toml(path);
        let wasm = manifest.get("target").map(|target| &target["cfg(target_arch = \"wasm32\")"]["dependencies"]);
        let tables =
            ["dependencies", "dev-dependencies", "build-dependencies"].iter().filter_map(|name| manifest.get(*name));
        for (name, dependency) in tables.chain(wasm).flat_map(|table| table.as_table().unwrap()) {
            let version = dependency.as_str().or_else(|| dependency.get("version")?.as_str());
            let ours = dependency.get("path").is_some();
            assert!(ours || version.is_some_and(|version| caret.is_match(version)), "{path}: {name} {version:?}");
        }
    }
}

#[test]
fn npm_packages_are_pinned_exactly() {
    // The runtime's packages are the last ones that run on Node.js 20; npm has no caret that stops there.
    let packages = json("package.json");
    let exact = regex(r"^\d+\.\d+\.\d+$");
    let tables = ["dependencies", "devDependencies"].iter().filter_map(|name| packages[name].as_object());
    for (name, version) in tables.flatten() {
        assert!(exact.is_match(version.as_str().unwrap()), "package.json: {name} {version}");
    }
}

#[test]
fn both_sides_of_the_bindings_have_one_version() {
    let lock = text("Cargo.lock");
    let locked = super::capture(&lock, "name = \"wasm-bindgen\"\nversion = \"([^\"]+)\"");
    let build_lock = text("scripts/build-worker/Cargo.lock");
    for name in ["wasm-bindgen-cli-support", "wasm-bindgen-shared"] {
        assert_eq!(
            super::capture(&build_lock, &format!("name = \"{name}\"\nversion = \"([^\"]+)\"")),
            locked,
            "{name}"
        );
    }
}

#[test]
fn linker_bound_is_the_one_of_limits() {
    let linker = super::capture(&text(".cargo/config.toml"), r"--max-memory=(\d+)");
    assert_eq!(linker, raydex::limits::WASM_MEMORY_MAX.to_string());
}

#[test]
fn scripts_spell_no_object_call() {
    let spelled = regex(r"http://object/v1/[a-z-]+");
    assert!(spelled.is_match("fetch('http://object/v1/put-entry')"));
    for folder in ["bench", "local", "src/platform", "tests/run"] {
        for file in files(folder).into_iter().filter(|file| file.has_extension("mjs")) {
            assert!(
                !spelled.is_match(&file.text),
                "{}: take the name from the module that declares the call",
                file.path
            );
        }
    }
}

#[test]
fn worker_is_built_without_generator_and_bench() {
    // Both are features, and off by default; a build turns one on only where it builds something else than the Worker.
    let features = toml("Cargo.toml")["features"].as_table().unwrap().clone();
    assert!(["bench", "sample"].iter().all(|name| features.contains_key(*name)));
    assert!(!features.contains_key("default"));
    let build = text("scripts/build");
    let named: Vec<&str> = build.lines().filter(|line| line.contains("feature")).collect();
    assert_eq!(named.len(), 1, "{build}");
    assert!(named[0].contains("--bench)") && named[0].contains("out=build/bench"), "{build}");
    assert!(build.contains("cargo rustc") && build.contains("out=build entry=src/platform/entry.mjs only=() "));
}

#[test]
fn worker_has_no_regular_expressions() {
    // Their compiler is a thirtieth of the module, and walking a long text with one takes seconds.
    assert!(!toml("Cargo.toml")["dependencies"].as_table().unwrap().contains_key("regex"));
    for file in files("src").into_iter().filter(|file| file.has_extension("rs")) {
        for (number, line) in file.code_lines() {
            assert!(!line.contains("regex::"), "{}:{number}: {line}", file.path);
        }
    }
}
