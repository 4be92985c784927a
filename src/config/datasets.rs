//! The settings `LOG_PREFIX` and `DATASETS`: the folders that Logpush writes to, and the datasets in them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reader::SettingsReader;
use super::settings;
use crate::bucket_keys::{LogPrefixes, PrefixRule, UNREAD_FOLDERS};
use crate::limits::RETENTION_DAYS_MAX;
use crate::record::Dataset;

/// Maximum length of a folder in bytes.
const FOLDER_BYTES: usize = 512;

/// The rule of the setting for the batches under one prefix.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    dataset: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    fields: RenamedFields,
    retention_days: Option<u32>,
}

/// The names that a job gives to fields.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RenamedFields {
    ray: Option<String>,
    time: Option<String>,
    parent: Option<String>,
}

/// Reads both settings.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<LogPrefixes> {
    let folders = reader.read_even_empty(&settings::PREFIX, folders);
    let rules = reader.read(&settings::DATASETS, rules);
    Some(LogPrefixes::new(folders?, rules.unwrap_or_default()))
}

/// Parses a list of folders. An empty text, or a slash, is the bucket's root.
fn folders(value: &str) -> Result<Vec<String>, String> {
    if matches!(value, "" | "/") {
        return Ok(vec![String::new()]);
    }
    value.split(',').map(|folder| self::folder(folder.trim())).collect()
}

fn folder(value: &str) -> Result<String, String> {
    if let Some(own) = UNREAD_FOLDERS.into_iter().find(|own| value.starts_with(own)) {
        return Err(format!("is in {own}, a folder that is never read as logs"));
    }
    let fits = value.len() <= FOLDER_BYTES && value.ends_with('/') && !value.starts_with('/');
    if fits {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "must be folders of at most {FOLDER_BYTES} bytes, separated by commas, that end with a slash and do not \
             begin with one; or empty for the whole bucket"
        ))
    }
}

/// Parses a JSON object of prefixes and their rules.
fn rules(value: &str) -> Result<Vec<PrefixRule>, String> {
    let entries: BTreeMap<String, RuleEntry> = serde_json::from_str(value).map_err(|_| {
        "must be a JSON object of prefixes, such as {\"logs/eu/\":{\"dataset\":\"http_requests\",\"zone\":\"example.com\",\
         \"fields\":{\"ray\":\"request_id\"}}}"
            .to_owned()
    })?;
    entries.into_iter().map(|(prefix, entry)| rule(prefix, entry)).collect()
}

fn rule(prefix: String, entry: RuleEntry) -> Result<PrefixRule, String> {
    let RuleEntry { dataset, zone, fields: RenamedFields { ray, time, parent }, retention_days } = entry;
    let dataset = dataset.map(|name| Dataset::from_name(&name).ok_or("has a dataset that Logpush does not write"));
    let zone = zone.map(|zone| zone.to_ascii_lowercase());
    if zone.as_ref().is_some_and(|zone| zone.is_empty() || zone.contains(['/', ':', ' '])) {
        return Err("has a zone that is not a domain name".into());
    }
    if [&ray, &time, &parent].into_iter().flatten().any(String::is_empty) {
        return Err("has a field without a name".into());
    }
    if retention_days.is_some_and(|days| !(1..=RETENTION_DAYS_MAX).contains(&days)) {
        return Err(format!("has retention_days that are not a whole number from 1 to {RETENTION_DAYS_MAX}"));
    }
    Ok(PrefixRule { prefix, dataset: dataset.transpose()?, zone, ray, time, parent, retention_days })
}

#[cfg(test)]
mod tests {
    use super::{folders, rules};
    use crate::record::Dataset;

    #[test]
    fn folders_are_a_list_or_the_root() {
        for (value, expected) in [
            ("logs/", vec!["logs/"]),
            ("logs/, more/logs/", vec!["logs/", "more/logs/"]),
            ("", vec![""]),
            ("/", vec![""]),
        ] {
            assert_eq!(folders(value).unwrap(), expected, "{value:?}");
        }
        for wrong in ["logs", "/logs/", "logs/,", "logs/,raydex/x/", "processed/", "a/,,b/"] {
            assert!(folders(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn rules_are_read_by_prefix() {
        let text =
            r#"{"logs/a/":{"dataset":"dns_logs","zone":"A.example"},"logs/b/":{"fields":{"ray":"r","time":"t"}}}"#;
        let found = rules(text).unwrap();
        assert_eq!((found[0].dataset, found[0].zone.as_deref()), (Some(Dataset::DnsLogs), Some("a.example")));
        assert_eq!(
            (found[1].ray.as_deref(), found[1].time.as_deref(), &found[1].parent),
            (Some("r"), Some("t"), &None)
        );
        for wrong in [
            "[]",
            r#"{"a/":"dns_logs"}"#,
            r#"{"a/":{"dataset":"http"}}"#,
            r#"{"a/":{"zone":""}}"#,
            r#"{"a/":{"fields":{"ray":""}}}"#,
            r#"{"a/":{"field":{}}}"#,
            r#"{"a/":{"retention_days":0}}"#,
            r#"{"a/":{"retention_days":36501}}"#,
            r#"{"a/":{"retention_days":1.5}}"#,
        ] {
            assert!(rules(wrong).is_err(), "{wrong}");
        }
    }
}
