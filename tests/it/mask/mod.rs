//! Masking from outside: the published table, secrets planted everywhere in a record, and ordinary records.

mod altered;
mod cost;
mod gaps;
pub(crate) mod plant;
mod shares;
mod table;
mod twice;

use std::collections::BTreeMap;

use raydex::mask::{FieldClass, FieldTreatment, MASKED, Role, class_of, mask_line};
use raydex::record::{Dataset, Field, Fields};
use raydex::render::{PartnerOptions, default_columns, write_csv_row, write_partner_line};
use raydex::sample::{DATASETS, FieldSet, SamplePlan};
use serde_json::{Value, json};

use crate::support::canaries::{self, Canary, Random};
use plant::Places;

/// What `role` sees of a record.
pub(crate) fn masked(role: Role, dataset: Dataset, line: &str) -> String {
    let mut out = Vec::new();
    mask_line(role, dataset, line.as_bytes(), &mut out).unwrap_or_else(|error| panic!("{error}: {line}"));
    String::from_utf8(out).unwrap()
}

/// The names of a record's members, in their order, doubles included.
fn names(line: &str) -> Vec<String> {
    struct Names;
    impl<'de> serde::de::Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(line), Names).unwrap()
}

/// Lines of a small sample of a dataset, with every field.
fn sample(dataset: Dataset) -> Vec<String> {
    let plan = SamplePlan { records: 600, batches: 1, fields: FieldSet::All, merged: true, ..SamplePlan::default() };
    let mut lines = Vec::new();
    for batch in plan.batches(dataset) {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut miniz_text(&batch.gzip), &mut text).unwrap();
        lines.extend(String::from_utf8(text).unwrap().lines().map(str::to_owned));
    }
    assert!(lines.len() > 5, "{dataset}");
    lines
}

/// The inflated text of a gzip file.
fn miniz_text(gzip: &[u8]) -> std::io::Cursor<Vec<u8>> {
    let mut text = vec![0; 64 * gzip.len() + 1024];
    let length = libdeflater::Decompressor::new().gzip_decompress(gzip, &mut text).unwrap();
    text.truncate(length);
    std::io::Cursor::new(text)
}

#[test]
fn viewer_sees_no_secret_wherever_it_is() {
    let mut random = Random::new(0x5eed);
    let mut planted = BTreeMap::new();
    for _ in 0..canaries::count() {
        let canary = Canary::draw(&mut random);
        for (dataset, place, line) in Places::of(&canary, &mut random) {
            let seen = masked(Role::Viewer, dataset, &line);
            assert!(!canary.is_in(&seen), "{canary:?} at {place} is shown:\n{line}\n{seen}");
            *planted.entry(place).or_insert(0) += 1;
        }
    }
    assert!(planted.len() > 300, "{} places", planted.len());
}

#[test]
fn support_sees_no_secret_wherever_it_is() {
    let (mut random, mut planted) = (Random::new(0x5e7), 0);
    for _ in 0..canaries::count() {
        let canary = Canary::draw(&mut random);
        for (dataset, place, line) in Places::of(&canary, &mut random) {
            // Ids and fingerprints are hexadecimal digits themselves.
            let is_id = |name: &str| matches!(class_of(dataset, name), FieldClass::Id | FieldClass::Fingerprint);
            let name = place.split([' ', ',']).nth(1).unwrap_or_default();
            if canary.is_hex && (is_id(name) || place == "Version.ID") {
                continue;
            }
            for seen in forms(&masked(Role::Support, dataset, &line), dataset) {
                assert!(!canary.is_in(&seen), "{canary:?} at {place} is shown:\n{line}\n{seen}");
            }
            planted += 1;
        }
    }
    assert!(planted > 300 * canaries::count(), "{planted}");
}

#[test]
fn viewer_sees_no_address_wherever_it_is() {
    let (mut random, mut planted) = (Random::new(0xadd4), 0);
    for _ in 0..canaries::count() {
        let canary = Canary::draw_address(&mut random);
        for (dataset, place, line) in Places::of(&canary, &mut random) {
            for seen in forms(&masked(Role::Viewer, dataset, &line), dataset) {
                assert!(!canary.is_in(&seen), "{canary:?} at {place} is shown:\n{line}\n{seen}");
            }
            planted += 1;
        }
    }
    assert!(planted > 300 * canaries::count(), "{planted}");
}

#[test]
fn values_after_names_are_seen_by_neither_role() {
    let (mut random, mut planted) = (Random::new(0x4a3e), 0);
    for _ in 0..canaries::count() {
        let canary = Canary::draw_word(&mut random);
        for (dataset, line) in Places::named(&canary, &mut random) {
            for role in [Role::Viewer, Role::Support] {
                for seen in forms(&masked(role, dataset, &line), dataset) {
                    assert!(!canary.is_in(&seen), "{canary:?} is shown to {role}:\n{line}\n{seen}");
                }
            }
            planted += 1;
        }
    }
    assert!(planted > 60 * canaries::count(), "{planted}");
}

/// A masked record in the forms of answers.
fn forms(seen: &str, dataset: Dataset) -> Vec<String> {
    let mut row = Vec::new();
    write_csv_row(&mut row, seen.as_bytes(), default_columns(dataset)).unwrap();
    let mut forms = vec![seen.to_owned(), String::from_utf8(row).unwrap()];
    if dataset == Dataset::HttpRequests {
        let mut line = Vec::new();
        write_partner_line(&mut line, seen.as_bytes(), &PartnerOptions::default()).unwrap();
        forms.push(String::from_utf8(line).unwrap());
    }
    forms
}

#[test]
fn support_sees_no_secret_where_secrets_belong() {
    let mut random = Random::new(0xca5e);
    let mut planted = 0;
    for _ in 0..canaries::count() {
        let canary = Canary::draw(&mut random);
        for (dataset, place, line) in Places::secret(&canary) {
            let seen = masked(Role::Support, dataset, &line);
            assert!(!canary.is_in(&seen), "{canary:?} at {place} is shown:\n{line}\n{seen}");
            planted += 1;
        }
    }
    assert!(planted > 10 * canaries::count());
}

#[test]
fn masked_line_keeps_its_names_and_masks_once() {
    let mut random = Random::new(1);
    for _ in 0..canaries::count() / 10 {
        let canary = Canary::draw(&mut random);
        for (dataset, place, line) in Places::of(&canary, &mut random) {
            for role in [Role::Viewer, Role::Support] {
                let once = masked(role, dataset, &line);
                assert!(serde_json::from_str::<Value>(&once).is_ok(), "{once}");
                assert_eq!(names(&once), names(&line), "{place}");
                assert_eq!(masked(role, dataset, &once), once, "{role} {place}\n{line}");
            }
        }
    }
}

#[test]
fn values_in_arrays_show_no_secret() {
    let stored = include_bytes!("../../fixtures/cases/18-response-fields/batch.log.gz");
    let text = String::from_utf8(crate::support::gzip::gunzip(stored)).unwrap();
    assert!(text.matches("made-up-secret").count() >= 4);
    for line in text.lines() {
        for role in [Role::Viewer, Role::Support] {
            let seen = masked(role, Dataset::HttpRequests, line);
            assert!(!seen.contains("made-up-secret") && !seen.contains("GA1.2"), "{role}: {seen}");
            assert!(role == Role::Support || !seen.contains("made-up-user"), "{seen}");
            assert_eq!(names(&seen), names(line));
        }
    }
}

/// The words that Cloudflare's documentation gives as values of fields.
fn documented_words() -> Vec<String> {
    let lists: toml::Table = include_str!("../../../schemas/spellings.toml").parse().unwrap();
    let words = lists["words"].as_table().unwrap()["values"].as_array().unwrap().clone();
    words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn documented_words_are_shown_to_everyone() {
    let words = documented_words();
    assert!(words.len() > 100);
    let is_shown = |word: &String, role: Role| {
        let event = json!({ "Action": word, "Source": word, "Kind": word });
        let request = json!({ "EdgePathingStatus": word, "SecurityActions": [word], "SecuritySources": [word, "waf"] });
        let trace = json!({ "Outcome": word, "EventType": word });
        [(Dataset::FirewallEvents, event), (Dataset::HttpRequests, request), (Dataset::WorkersTraceEvents, trace)]
            .map(|(dataset, line)| (dataset, line.to_string()))
            .iter()
            .all(|(dataset, line)| masked(role, *dataset, line) == *line)
    };
    let hidden = words.iter().filter(|word| !is_shown(word, Role::Viewer) || !is_shown(word, Role::Support));
    assert_eq!(hidden.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn app_domain_is_shown_with_its_path() {
    let seen = |role: Role, domain: &str| {
        let line = masked(role, Dataset::AccessRequests, &json!({ "AppDomain": domain }).to_string());
        serde_json::from_str::<Value>(&line).unwrap()["AppDomain"].as_str().unwrap().to_owned()
    };
    for domain in ["team.cloudflareaccess.com/warp", "intranet.example.com/wiki/start", "intranet.example.com/"] {
        for role in [Role::Viewer, Role::Support] {
            assert_eq!(seen(role, domain), domain);
        }
    }
    for (domain, viewer) in [
        ("192.0.2.77/admin", "192.0.2.0/admin"),
        ("192.0.2.77:8443/admin", "192.0.2.0:8443/admin"),
        ("shop.example/eyJhbGciOiJIUzI1NiJ9", "shop.example/[masked]"),
        ("shop.example/a?token=x", "shop.example/a?token=[masked]"),
    ] {
        assert_eq!(seen(Role::Viewer, domain), viewer);
        assert_eq!(seen(Role::Viewer, viewer), viewer);
    }
}

#[test]
fn forensics_sees_the_line_byte_for_byte() {
    for line in [&b"{ \"a\" : 1 }\r"[..], b"\xff", b""] {
        let mut out = Vec::new();
        mask_line(Role::Forensics, Dataset::HttpRequests, line, &mut out).unwrap();
        assert_eq!(out, line);
    }
}

/// The fields of ordinary records that differ for a role, with one example each.
fn altered(role: Role, dataset: Dataset) -> BTreeMap<String, (Value, Value)> {
    let mut altered = BTreeMap::new();
    for line in sample(dataset) {
        let (before, after): (Value, Value) =
            (serde_json::from_str(&line).unwrap(), serde_json::from_str(&masked(role, dataset, &line)).unwrap());
        for (name, value) in before.as_object().unwrap() {
            if after[name] != *value {
                altered.insert(name.clone(), (value.clone(), after[name].clone()));
            }
        }
    }
    altered
}

#[test]
fn ordinary_records_are_altered_only_where_they_should() {
    for dataset in DATASETS {
        for role in [Role::Viewer, Role::Support] {
            for (name, (before, after)) in altered(role, dataset) {
                let treatment = class_of(dataset, &name).treatment(role);
                let may = match role {
                    // Parameters have no values; the rest of a URL and all of a browser's name stay.
                    Role::Viewer if name == "ClientRequestUserAgent" => before.as_str().unwrap().contains("(path="),
                    Role::Viewer => treatment != FieldTreatment::Checked,
                    // One path of the sample comes back from signing in.
                    _ if treatment == FieldTreatment::Scrubbed => before.as_str().unwrap().contains("code="),
                    _ => matches!(name.as_str(), "Cookies" | "ResponseHeaders"),
                };
                let is_record = name == "Subrequests";
                assert!(may || is_record, "{role} {dataset} {name}: {before} became {after}");
            }
        }
    }
}

#[test]
fn what_people_browse_stays_for_support() {
    let agents = [
        "Mozilla/5.0 (Linux; Android 10; SM-G991B Build/QP1A.190711.020; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/146.0.7680.80 Mobile Safari/537.36",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "okhttp/4.12.0",
    ];
    let paths = [
        "/blog/2026/11/post-title.html",
        "/@scope/pkg/-/pkg-1.2.3.tgz",
        "/r%C3%A9sum%C3%A9/caf%C3%A9.html",
        "/a/b;v=1/c",
        "/",
    ];
    let queries = [
        "?page=2&q=shoes",
        "?utm_source=news&utm_campaign=spring-2026",
        "?author=ann&lang=en-GB&sort=-price",
        "?_=1774680145123",
        "?q=red%20shoes%20%26%20socks",
    ];
    for (name, values) in
        [("ClientRequestUserAgent", &agents[..]), ("ClientRequestPath", &paths), ("ClientRequestURI", &queries)]
    {
        for value in values {
            let line = serde_json::json!({ name: value }).to_string();
            assert_eq!(masked(Role::Support, Dataset::HttpRequests, &line), line);
            if name != "ClientRequestURI" && !value.contains(['=', '@']) {
                assert_eq!(masked(Role::Viewer, Dataset::HttpRequests, &line), line);
            }
        }
    }
}

#[test]
fn partner_form_of_a_masked_line_is_masked() {
    let mut altered = 0;
    for line in sample(Dataset::HttpRequests) {
        let seen = masked(Role::Viewer, Dataset::HttpRequests, &line);
        let mut out = Vec::new();
        write_partner_line(&mut out, seen.as_bytes(), &PartnerOptions::default()).unwrap();
        let cells = String::from_utf8(out).unwrap();
        assert_eq!(cells.matches('\u{1}').count(), 144);
        let [before, after] = [&line, &seen].map(|line| Fields::parse(line).unwrap().get(Field::ClientIP));
        let cell = |ip: &raydex::record::FieldValue<'_>| cells.contains(&format!("\u{1}{}\u{1}", ip.text().unwrap()));
        assert!(cell(&after) && (before == after || !cell(&before)), "{seen}");
        altered += usize::from(before != after);
        assert!(!cells.contains("?q=") || cells.contains(MASKED));
    }
    assert!(altered > 100, "{altered}");
}
