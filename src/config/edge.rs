//! The settings of the edge logger, which is a deployment of its own: it needs no token, and its faults stop the logger alone.

use super::reader::{ConfigFault, SettingsReader, not_valid, one_of, whole};
use super::{bucket_name, datasets, settings};
use crate::edge::{
    EdgeMode, EdgeSettings, FingerprintKey, FlushBounds, PathPattern, RedactionRules, SinkSettings, add_headers,
    read_routes, read_sinks,
};
use crate::limits::{EDGE_FLUSH_LINES, EDGE_FLUSH_MAX_S, EDGE_HANDOVER_MS, EDGE_NAMES_MAX, EDGE_OBJECTS_MAX};
use crate::mask::names_secret;
use crate::record::Dataset;

/// Reads the settings of the edge logger.
///
/// # Errors
/// Every [`ConfigFault`] found.
pub fn read_edge_settings(get: impl Fn(&str) -> Option<String>) -> Result<EdgeSettings, Vec<ConfigFault>> {
    let mut reader = SettingsReader::new(get);
    let read = read(&mut reader);
    let faults = reader.take_faults();
    read.filter(|_| faults.is_empty()).ok_or(faults)
}

fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<EdgeSettings> {
    let bucket_name = reader.read(&settings::BUCKET_NAME, bucket_name);
    let prefixes = datasets::read(reader);
    let mode = reader.read(&settings::EDGE_MODE, |name| one_of(name, EdgeMode::ALL, EdgeMode::name));
    let fingerprint_key = reader.read(&settings::EDGE_FINGERPRINT_KEY, |digits| {
        FingerprintKey::from_hex(digits).ok_or_else(|| "must be 64 hexadecimal digits".into())
    });
    let routes = reader.read(&settings::EDGE_ROUTES, |rules| read_routes(rules).map_err(|fault| fault.to_string()));
    let headers = reader.read(&settings::EDGE_HEADERS, headers);
    let redaction = read_redaction(reader);
    let lines = reader.read(&settings::EDGE_FLUSH_LINES, |value| number(value, &EDGE_FLUSH_LINES.1));
    let seconds = reader.read(&settings::EDGE_FLUSH_SECONDS, |value| number(value, &EDGE_FLUSH_MAX_S));
    let sinks = sinks(reader);
    Some(EdgeSettings {
        mode: mode?,
        bucket_name: bucket_name?,
        folder: prefixes?.upload_folder(Dataset::EdgeRequests).to_owned(),
        fingerprint_key,
        routes: routes.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        redaction,
        flush: FlushBounds { lines: lines?, age_ms: i64::from(seconds?) * 1_000 },
        sinks: sinks?,
    })
}

/// Reads what is redacted, whatever the mode.
pub(super) fn read_redaction<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> RedactionRules {
    let parameters = reader.read(&settings::EDGE_REDACT_QUERY, names).unwrap_or_default();
    let paths = reader.read(&settings::EDGE_REDACT_PATHS, paths).unwrap_or_default();
    let kept = reader.read(&settings::EDGE_KEEP_NAMES, names).unwrap_or_default();
    RedactionRules { all_parameters: parameters.iter().any(|name| name == "*"), parameters, kept, paths }
}

/// Reads the mode alone: another setting that is faulty does not change what becomes of a request.
#[must_use]
pub fn read_edge_mode(get: impl Fn(&str) -> Option<String>) -> EdgeMode {
    let mut reader = SettingsReader::new(get);
    reader.read(&settings::EDGE_MODE, |name| one_of(name, EdgeMode::ALL, EdgeMode::name)).unwrap_or_default()
}

/// Reads the sinks with their headers, and the way to the durable buffer.
fn sinks<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> Option<SinkSettings> {
    let allow = |allow| if allow { "allow" } else { "refuse" };
    let allow_http = reader.read(&settings::EDGE_SINK_PLAIN_HTTP, |name| one_of(name, &[false, true], allow));
    let sinks = reader.read(&settings::EDGE_SINKS, |sinks| {
        read_sinks(sinks, allow_http != Some(false)).map_err(|fault| fault.to_string())
    });
    let handover_ms = reader.read(&settings::EDGE_HANDOVER_MS, |value| {
        let most = EDGE_HANDOVER_MS.1;
        let found = whole(value).filter(|ms| (0..=most).contains(ms));
        found.ok_or_else(|| format!("must be a whole number of milliseconds from 0 to {most}"))
    });
    let objects = reader.read(&settings::EDGE_OBJECTS, |value| number(value, &EDGE_OBJECTS_MAX));
    let mut sinks = sinks?;
    reader.read(&settings::EDGE_SINK_HEADERS, |headers| {
        add_headers(&mut sinks, headers).map_err(|fault| fault.to_string())
    });
    Some(SinkSettings { sinks, handover_ms: handover_ms?, objects: objects? })
}

/// Parses names with commas between them, in lower case.
fn names(value: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_lowercase()).collect();
    if names.len() > EDGE_NAMES_MAX || names.iter().any(String::is_empty) {
        return Err(format!("must be at most {EDGE_NAMES_MAX} names separated by commas"));
    }
    Ok(names)
}

/// Parses names of headers, none of which may be that of a secret.
fn headers(value: &str) -> Result<Vec<String>, String> {
    let names = names(value)?;
    if names.iter().any(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err()) {
        return Err("must be names of headers separated by commas".into());
    }
    if names.iter().any(|name| names_secret(name)) {
        return Err("names a header that carries secrets, which is never recorded".into());
    }
    Ok(names)
}

fn paths(value: &str) -> Result<Vec<PathPattern>, String> {
    let patterns: Vec<Option<PathPattern>> = value.split(',').map(|path| PathPattern::parse(path.trim())).collect();
    let is_listed = patterns.len() <= EDGE_NAMES_MAX;
    let patterns: Option<Vec<PathPattern>> = patterns.into_iter().collect();
    patterns.filter(|_| is_listed).ok_or_else(|| {
        not_valid(format!(
            "at most {EDGE_NAMES_MAX} paths separated by commas, each begins with / and has * for what is redacted, such as \
             /reset/*"
        ))
    })
}

/// Parses a number from 1 to `most`.
fn number<N: std::str::FromStr + PartialOrd + From<u8> + std::fmt::Display + Copy>(
    value: &str,
    most: &N,
) -> Result<N, String> {
    number_between(value, (N::from(1), *most))
}

/// Parses a number within bounds.
pub(super) fn number_between<N: std::str::FromStr + PartialOrd + std::fmt::Display>(
    value: &str,
    (least, most): (N, N),
) -> Result<N, String> {
    let found = whole(value).filter(|number| (&least..=&most).contains(&number));
    found.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::{ConfigFault, read_edge_mode, read_edge_settings};
    use crate::edge::{EdgeMode, EdgeSettings, FlushBounds, SinkPath, SinkSettings};

    fn read(set: &[(&str, &str)]) -> Result<EdgeSettings, Vec<ConfigFault>> {
        read_edge_settings(|name| Some(set.iter().find(|(set, _)| *set == name)?.1.to_owned()))
    }

    #[test]
    fn edge_logger_needs_no_setting() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (settings.mode, settings.bucket_name.as_str(), settings.folder.as_str()),
            (EdgeMode::Log, "cdn-logs-raw", "logs/")
        );
        assert_eq!(settings.flush, FlushBounds { lines: 500, age_ms: 10_000 });
        assert_eq!(settings.sinks, SinkSettings::default());
        assert!(settings.fingerprint_key.is_none() && settings.routes.is_empty() && settings.headers.is_empty());
        assert_eq!(settings.payload_bytes("https://a.example/", "application/json"), 0);
    }

    #[test]
    fn each_setting_of_the_edge_logger_counts() {
        let settings = read(&[
            ("EDGE_MODE", "off"),
            ("EDGE_FINGERPRINT_KEY", &"0b".repeat(32)),
            ("EDGE_ROUTES", r#"[{"route":"a.example/*","payload_types":["text/plain"],"payload_bytes":9}]"#),
            ("EDGE_HEADERS", "Accept, x-request-id"),
            ("EDGE_REDACT_QUERY", "email,*"),
            ("EDGE_REDACT_PATHS", "/reset/*, /u/*/mail"),
            ("EDGE_FLUSH_LINES", "10000"),
            ("EDGE_FLUSH_SECONDS", "15"),
            ("LOG_PREFIX", "waf/,edge/"),
            ("EDGE_SINKS", r#"[{"kind":"http","name":"a","preset":"otlp","url":"http://a.example"}]"#),
            ("EDGE_SINK_HEADERS", r#"{"a":{"x-key":"hunter2"}}"#),
            ("EDGE_SINK_PLAIN_HTTP", "allow"),
            ("EDGE_HANDOVER_MS", "0"),
            ("EDGE_OBJECTS", "64"),
        ]);
        let settings = settings.unwrap();
        assert_eq!((settings.mode, settings.folder.as_str()), (EdgeMode::Off, "edge/"));
        assert_eq!(settings.headers, ["accept", "x-request-id"]);
        assert!(settings.redaction.all_parameters && settings.redaction.paths.len() == 2);
        assert_eq!(settings.flush, FlushBounds { lines: 10_000, age_ms: 15_000 });
        assert_eq!(settings.route("https://a.example/x").unwrap().payload_bytes("text/plain"), 9);
        assert_eq!(settings.payload_bytes("https://a.example/x", "text/plain"), 0, "the mode is off");
        let SinkSettings { sinks, handover_ms, objects } = &settings.sinks;
        assert_eq!((sinks[0].name.as_str(), sinks[0].path, *handover_ms, *objects), ("a", SinkPath::Isolate, 0, 64));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn mode_is_known_beside_faulty_settings() {
        let mode = |mode: &str| {
            read_edge_mode(|name| match name {
                "EDGE_MODE" => Some(mode.to_owned()),
                _ => Some("hunter2".to_owned()),
            })
        };
        assert_eq!((mode("collect"), mode("off"), mode("hunter2")), (EdgeMode::Collect, EdgeMode::Off, EdgeMode::Log));
    }

    #[test]
    fn faults_of_the_edge_logger_show_no_value() {
        for (name, value, words) in [
            ("EDGE_MODE", "hunter2", "must be one of log, collect, off"),
            ("EDGE_FINGERPRINT_KEY", "hunter2", "must be 64 hexadecimal digits"),
            ("EDGE_ROUTES", "hunter2", "must be a JSON array of rules"),
            ("EDGE_HEADERS", "hunter2,Cookie", "names a header that carries secrets"),
            ("EDGE_HEADERS", "hunter 2", "must be names of headers"),
            ("EDGE_REDACT_QUERY", "hunter2,,", "must be at most 32 names"),
            ("EDGE_REDACT_PATHS", "hunter2", "is not valid: at most 32 paths"),
            ("EDGE_FLUSH_LINES", "0", "must be a whole number from 1 to 10000"),
            ("EDGE_FLUSH_SECONDS", "16", "must be a whole number from 1 to 15"),
            ("BUCKET_NAME", "X", "is not a bucket's name"),
            ("EDGE_SINKS", "hunter2", "must be a JSON array of sinks"),
            ("EDGE_SINK_HEADERS", r#"{"a":{"x":"hunter2"}}"#, "names a sink that is not a collector"),
            ("EDGE_SINK_PLAIN_HTTP", "hunter2", "must be one of refuse, allow"),
            ("EDGE_HANDOVER_MS", "5001", "must be a whole number of milliseconds from 0 to 5000"),
            ("EDGE_OBJECTS", "65", "must be a whole number from 1 to 64"),
        ] {
            let faults = ConfigFault::words(&read(&[(name, value)]).unwrap_err());
            assert!(faults.starts_with(&format!("{name} {words}")) && !faults.contains("hunter2"), "{faults}");
        }
    }
}
