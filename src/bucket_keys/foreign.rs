//! Files that are not logs, by their names. `schemas/foreign_files.toml` repeats the list with sources, and a test
//! compares the two.

/// The lower-case names of files that other programs leave next to logs.
pub const FOREIGN_NAMES: &[&str] = &[
    "_success",
    "_metadata",
    "_common_metadata",
    "manifest",
    "_manifest",
    "manifest.json",
    "manifest.checksum",
    ".ds_store",
    "thumbs.db",
    "desktop.ini",
    ".keep",
    ".gitkeep",
    ".gitignore",
    ".placeholder",
];

/// Prefixes of such names.
pub const FOREIGN_PREFIXES: &[&str] = &["_started_", "_committed_", "._", ".~", "~$"];

/// Suffixes of such names.
#[rustfmt::skip]
pub const FOREIGN_SUFFIXES: &[&str] = &[
    ".crc", "_$folder$", ".parquet", ".orc", ".avro", ".arrow", ".feather", ".csv", ".tsv", ".xls", ".xlsx", ".sqlite", ".db",
    ".duckdb", ".md5", ".sha1", ".sha256", ".sha512", ".sig", ".asc", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".ico",
    ".bmp", ".avif", ".pdf", ".html", ".htm", ".css", ".js", ".md", ".tmp", ".part", ".partial", ".swp", ".bak", "~",
    ".done",
];

/// The names of folders with such files.
pub const FOREIGN_FOLDERS: &[&str] =
    &["_temporary", "_delta_log", "_spark_metadata", "_symlink_format_manifest", "__macosx", ".trash", ".trashes"];

/// Prefixes of the names of Logpush's own checks.
pub const CHECK_PREFIXES: &[&str] = &["ownership-challenge", "ownership_challenge"];

/// Suffixes of the names of Logpush's own checks.
pub const CHECK_SUFFIXES: &[&str] = &[".txt"];

/// Returns whether the file at `path` is Logpush's ownership challenge or its test upload.
pub(super) fn is_logpush_check(path: &str) -> bool {
    names(path).iter().any(|name| fits(name, &[], CHECK_PREFIXES, CHECK_SUFFIXES))
}

/// Returns whether the name of the file at `path` shows that it is not a log.
pub(super) fn is_foreign(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1);
    names(path).iter().any(|name| fits(name, FOREIGN_NAMES, FOREIGN_PREFIXES, FOREIGN_SUFFIXES))
        || folders.any(|folder| FOREIGN_FOLDERS.contains(&folder.to_ascii_lowercase().as_str()))
}

/// Returns the file's name in lower case, with and without a final `.gz`.
fn names(path: &str) -> [String; 2] {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
    [name, plain]
}

fn fits(name: &str, names: &[&str], prefixes: &[&str], suffixes: &[&str]) -> bool {
    names.contains(&name)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
        || suffixes.iter().any(|suffix| name.ends_with(suffix))
}
