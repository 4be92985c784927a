//! No file of `src` imports another in a circle.
//!
//! A file is a module. It imports what a `use` or a path names that starts with `crate`, `super`, `self` or a module
//! beside it; a name that a module re-exports counts for the file it comes from. A module and those inside of it are
//! one thing here: what they import of each other closes no circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, files, regex};

/// The path of a module, without `crate`.
type Module = Vec<String>;

/// Imports that close a circle today, and have to go. The list only shrinks.
const CLOSE_CIRCLES: &[(&str, &str)] = &[];

/// What a file says of others.
#[derive(Debug, Default)]
struct Source {
    /// Paths that are used in it, as they are written.
    paths: Vec<Vec<String>>,
    /// The names that it re-exports, and where each comes from.
    exports: BTreeMap<String, Vec<String>>,
}

/// The module that a file is.
fn module(path: &str) -> Module {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').filter(|name| *name != "lib").map(str::to_owned).collect()
}

/// The paths of a tree of `use`, each with the name that it gets: `a::{b, c as d}` is `a::b` and `a::c`.
fn paths(tree: &str) -> Vec<(Vec<String>, String)> {
    let Some((head, rest)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path: Vec<String> = path.trim().trim_end_matches("::self").split("::").map(str::to_owned).collect();
        let name = if alias.is_empty() { path.last().cloned().unwrap_or_default() } else { alias.trim().to_owned() };
        return vec![(path, name)];
    };
    let inside = rest.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, byte) in inside.bytes().chain([b',']).enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                let branch = inside.get(start..at).unwrap_or_default().trim();
                found.extend((!branch.is_empty()).then(|| format!("{}{branch}", head.trim())));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.iter().flat_map(|branch| paths(branch)).collect()
}

/// Reads one file.
fn source(file: &File) -> Source {
    let code: String = file.code_lines().flat_map(|(_, line)| [line, "\n"]).collect();
    let uses = regex(r"(?m)^[\s]*(pub(?:\([^)]*\))?[\s]+)?use[\s]+([^;]+);");
    let mut source = Source::default();
    for found in uses.captures_iter(&code) {
        for (path, name) in paths(&found[2].replace('\n', " ")) {
            if found.get(1).is_some() {
                source.exports.insert(name, path);
            } else {
                source.paths.push(path);
            }
        }
    }
    let inline = regex(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+".replace(r"\w", "[A-Za-z0-9_]").as_str());
    let rest = uses.replace_all(&code, "");
    source.paths.extend(inline.find_iter(&rest).map(|found| found.as_str().split("::").map(str::to_owned).collect()));
    source
}

/// The file that a path leads to from a module; `None` where it leads out of the crate.
fn resolve(sources: &BTreeMap<Module, Source>, from: &Module, path: &[String], depth: u32) -> Option<Module> {
    let mut at = from.clone();
    let mut path = path.iter().peekable();
    match path.peek()?.as_str() {
        "crate" => at.clear(),
        "super" | "self" => {
            while path.peek().is_some_and(|name| *name == "super") {
                path.next();
                at.pop();
            }
        }
        name => {
            at.push(name.to_owned());
            let is_inside = sources.contains_key(&at);
            at.pop();
            if !is_inside {
                return None;
            }
        }
    }
    path.next_if(|name| ["crate", "self"].contains(&name.as_str()));
    while let Some(name) = path.peek() {
        at.push((*name).clone());
        if !sources.contains_key(&at) {
            at.pop();
            break;
        }
        path.next();
    }
    let origin = path.next().filter(|_| depth < 8).and_then(|name| sources.get(&at)?.exports.get(name));
    origin.and_then(|origin| resolve(sources, &at, origin, depth + 1)).or(Some(at))
}

/// Every import of one file from another, that is neither inside of it nor around it.
fn imports(files: &[File]) -> BTreeSet<(String, String)> {
    let read = files.iter().filter(|file| file.has_extension("rs") && !file.is_tests());
    let sources: BTreeMap<Module, Source> = read.map(|file| (module(&file.path), source(file))).collect();
    let mut found = BTreeSet::new();
    for (from, source) in &sources {
        for path in &source.paths {
            let to = resolve(&sources, from, path, 0);
            found.extend(
                to.filter(|to| !to.starts_with(from) && !from.starts_with(to))
                    .map(|to| (from.join("::"), to.join("::"))),
            );
        }
    }
    found
}

/// What `from` imports, directly or through others.
fn reach<'a>(imports: &'a BTreeSet<(String, String)>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        let next = imports.iter().filter(|(importer, _)| importer == at).map(|(_, to)| to.as_str());
        open.extend(next.filter(|to| found.insert(*to)));
    }
    found
}

/// The imports that are part of a circle.
fn circles(imports: &BTreeSet<(String, String)>) -> Vec<&(String, String)> {
    imports.iter().filter(|(from, to)| reach(imports, to).contains(from.as_str())).collect()
}

#[test]
fn files_import_no_other_in_a_circle() {
    let mut imports = imports(&files("src"));
    assert!(imports.len() > 500, "{} imports", imports.len());
    for (from, to) in CLOSE_CIRCLES {
        let import = ((*from).to_owned(), (*to).to_owned());
        assert!(circles(&imports).contains(&&import), "{from} → {to} closes no circle any more: take it from the list");
        imports.remove(&import);
    }
    assert_eq!(circles(&imports), Vec::<&(String, String)>::new());
}

#[test]
fn circles_are_seen_through_names_handed_on() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let all = imports(&[
        file("src/a/mod.rs", "mod b;\nmod c;\npub use self::b::{B, Other as Name};\n"),
        file("src/a/b.rs", "use super::c::{self, C};\n"),
        file("src/a/c.rs", "//! use crate::x\nfn f() { crate::a::Name::new() }\n"),
        file("src/x.rs", "use crate::{a, a::{b::B}};\n"),
    ]);
    let seen: Vec<(&str, &str)> = all.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    assert_eq!(seen, [("a::b", "a::c"), ("a::c", "a::b"), ("x", "a"), ("x", "a::b")]);
    assert_eq!(circles(&all).len(), 2);
}
