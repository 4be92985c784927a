//! The settings of mode `collect` of the edge logger: whose windows go where, and which reports are taken.

use std::collections::BTreeMap;

use super::edge::{number_between, read_redaction};
use super::reader::{ConfigFault, SettingsReader, one_of};
use super::settings;
use crate::edge::{CollectSettings, OriginUrl, QuotaUrl, WindowForm, WindowHeaders, read_collect_rules};
use crate::limits::{COLLECT_HEADERS_MAX, COLLECT_SECONDS};

/// Headers that the Worker writes itself.
const OWN_HEADERS: [&str; 5] = ["content-type", "content-length", "host", "raydex-window", "raydex-counts"];

/// Reads the settings of mode `collect`.
///
/// # Errors
/// Every [`ConfigFault`] found.
pub fn read_collect_settings(get: impl Fn(&str) -> Option<String>) -> Result<CollectSettings, Vec<ConfigFault>> {
    let mut reader = SettingsReader::new(get);
    let read = read(&mut reader);
    let faults = reader.take_faults();
    read.filter(|_| faults.is_empty()).ok_or(faults)
}

fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<CollectSettings> {
    if reader.given(&settings::EDGE_COLLECT_URL).is_none() {
        reader.missing(&settings::EDGE_COLLECT_URL, &[]);
    }
    let url = reader.read(&settings::EDGE_COLLECT_URL, |text| {
        OriginUrl::parse(text)
            .ok_or_else(|| "must be a URL that begins with https://, or a path at the binding ORIGIN".into())
    });
    let rules =
        reader.read(&settings::EDGE_COLLECT, |rules| read_collect_rules(rules).map_err(|fault| fault.to_string()));
    let form = reader.read(&settings::EDGE_COLLECT_FORM, |name| one_of(name, WindowForm::ALL, WindowForm::name));
    let seconds = reader.read(&settings::EDGE_COLLECT_SECONDS, |value| number_between(value, COLLECT_SECONDS));
    let headers = reader.read(&settings::EDGE_COLLECT_HEADERS, headers);
    let quota_url = reader.read(&settings::EDGE_QUOTA_URL, |text| {
        let words =
            "must be a URL that begins with https://, or a path at the binding ORIGIN, with one {key} after the host";
        QuotaUrl::parse(text).ok_or_else(|| words.to_owned())
    });
    let stores = reader.read(&settings::EDGE_COLLECT_STORE, |name| {
        one_of(name, &[true, false], |stores| if stores { "on" } else { "off" })
    });
    let redaction = read_redaction(reader);
    Some(CollectSettings {
        url: url?,
        form: form?,
        age_ms: i64::from(seconds?) * 1_000,
        headers: headers.unwrap_or_default(),
        rules: rules.unwrap_or_default(),
        quota_url,
        stores: stores?,
        redaction,
    })
}

/// Parses a JSON object of headers.
fn headers(value: &str) -> Result<WindowHeaders, String> {
    let headers: BTreeMap<String, String> =
        serde_json::from_str(value).map_err(|_| "must be a JSON object of headers and their values".to_owned())?;
    let is_header = |(name, value): (&String, &String)| {
        http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok()
    };
    if headers.len() > COLLECT_HEADERS_MAX || !headers.iter().all(is_header) {
        return Err(format!(
            "must have at most {COLLECT_HEADERS_MAX} headers, each with a name and a value that HTTP allows"
        ));
    }
    if headers.keys().any(|name| OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str())) {
        return Err(format!("has a header that the Worker writes itself: none of {}", OWN_HEADERS.join(", ")));
    }
    Ok(WindowHeaders(headers.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::{ConfigFault, read_collect_settings};
    use crate::edge::{CollectSettings, WindowForm};

    fn read(set: &[(&str, &str)]) -> Result<CollectSettings, Vec<ConfigFault>> {
        read_collect_settings(|name| Some(set.iter().find(|(set, _)| *set == name)?.1.to_owned()))
    }

    const URL: (&str, &str) = ("EDGE_COLLECT_URL", "https://origin.example/in");

    #[test]
    fn collector_needs_an_origin_alone() {
        let settings = read(&[URL]).unwrap();
        assert_eq!((settings.url.url().as_str(), settings.form, settings.age_ms), (URL.1, WindowForm::Map, 5_000));
        assert!(
            settings.rules.is_empty()
                && settings.quota_url.is_none()
                && !settings.stores
                && settings.headers.0.is_empty()
        );
        assert_eq!(settings.body_bytes("https://a.example/"), 65_536);
        assert_eq!(ConfigFault::words(&read(&[]).unwrap_err()), "EDGE_COLLECT_URL is not set");
    }

    #[test]
    fn each_setting_of_the_collector_counts() {
        let settings = read(&[
            ("EDGE_COLLECT_URL", "/in"),
            ("EDGE_COLLECT", r#"[{"route":"a.example/*","max_bytes":9}]"#),
            ("EDGE_COLLECT_FORM", "ndjson"),
            ("EDGE_COLLECT_SECONDS", "10"),
            ("EDGE_COLLECT_HEADERS", r#"{"authorization":"Bearer canary","x-a":"b"}"#),
            ("EDGE_COLLECT_STORE", "on"),
            ("EDGE_QUOTA_URL", "/quota?key={key}"),
            ("EDGE_REDACT_QUERY", "*"),
        ]);
        let settings = settings.unwrap();
        assert!(settings.url.is_bound() && settings.stores && settings.redaction.all_parameters);
        assert_eq!((settings.form, settings.age_ms, settings.headers.0.len()), (WindowForm::Ndjson, 10_000, 2));
        assert_eq!(settings.quota_url.as_ref().unwrap().for_key("k").url(), "https://origin/quota?key=k");
        assert_eq!(settings.body_bytes("https://a.example/x"), 9);
        assert!(!format!("{settings:?}").contains("canary"));
    }

    #[test]
    fn faults_of_the_collector_show_no_value() {
        for (name, value, words) in [
            ("EDGE_COLLECT_URL", "http://hunter2", "must be a URL that begins with https://"),
            ("EDGE_COLLECT", "hunter2", "must be a JSON array of rules"),
            ("EDGE_COLLECT_FORM", "hunter2", "must be one of map, ndjson"),
            ("EDGE_COLLECT_SECONDS", "1", "must be a whole number from 2 to 10"),
            ("EDGE_COLLECT_HEADERS", "hunter2", "must be a JSON object of headers"),
            ("EDGE_COLLECT_HEADERS", "{\"a b\":\"hunter2\"}", "must have at most 32 headers"),
            ("EDGE_COLLECT_HEADERS", "{\"Raydex-Window\":\"hunter2\"}", "has a header that the Worker writes itself"),
            ("EDGE_COLLECT_STORE", "hunter2", "must be one of on, off"),
            ("EDGE_QUOTA_URL", "https://hunter2/", "must be a URL that begins with https://"),
        ] {
            let faults = ConfigFault::words(&read(&[(name, value), URL]).unwrap_err());
            assert!(faults.starts_with(&format!("{name} {words}")) && !faults.contains("hunter2"), "{faults}");
        }
    }
}
