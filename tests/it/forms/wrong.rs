//! A batch in a wrong form is never sealed in part: every form over sizes, line ends and compressions.

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::test_runner::FileFailurePersistence;

use super::support::gzip::gzip;
use super::wrong_forms::{Batch, FORMS, WrongForm, batch};
use super::{is_quarantined_whole, quarantined};

fn check(form: &WrongForm, batch: &Batch, is_gzip: bool) {
    let WrongForm { name, code, option, least, make } = form;
    if batch.records.len() < *least {
        return;
    }
    let text = make(batch);
    // What a file is made of stands alone, and is not compressed once more.
    let is_file = matches!(*code, "other_file" | "compressed_twice") || ["zstd", "compress"].contains(name);
    let is_file = is_file || name.starts_with("gzip behind");
    let stored = if is_gzip && !is_file { gzip(&text) } else { text };
    let what = format!("{name}, {} records, {:?} {}", batch.records.len(), batch.newline, batch.is_ended);
    is_quarantined_whole(&what, &stored, code, option);
}

#[test]
fn every_wrong_form_is_quarantined_in_small() {
    let names: std::collections::BTreeSet<&str> = FORMS.iter().map(|form| form.name).collect();
    assert_eq!(names.len(), FORMS.len());
    for form in FORMS {
        for count in [1, 2, 3] {
            for ends in [(false, false), (false, true), (true, false), (true, true)] {
                check(form, &batch(count, 5, ends), false);
            }
        }
    }
}

/// Lines that are right, to come before others.
fn head() -> Vec<u8> {
    batch(5_000, 20, (false, true)).plain()
}

/// Codes of forms that look like others behind good lines.
const BEHIND: [(&str, &str); 1] = [("gzip", "other_compression")];

/// The forms that show behind good lines too: a few lines of broken JSON are damage there.
fn certain() -> impl Iterator<Item = &'static WrongForm> {
    FORMS.iter().filter(|form| form.code != "invalid_json")
}

#[test]
fn wrong_form_behind_good_lines_is_seen() {
    let head = head();
    for form in certain() {
        for count in [3, 30] {
            let text = (form.make)(&batch(count, 20, (false, true)));
            check_joined(form, &format!("{count} of {}", form.name), &[&head[..], &text]);
        }
    }
}

#[test]
fn wrong_form_in_a_member_is_seen() {
    let head = gzip(&head());
    for form in certain() {
        let member = gzip(&(form.make)(&batch(30, 20, (true, true))));
        quarantined(&format!("{} in the last member", form.name), &[&head[..], &member].concat());
        quarantined(&format!("{} in the first member", form.name), &[&member[..], &head].concat());
    }
}

fn check_joined(form: &WrongForm, what: &str, parts: &[&[u8]]) {
    let why = quarantined(what, &parts.concat());
    let other = BEHIND.into_iter().find(|(name, _)| *name == form.name).map(|(_, code)| code);
    let code = why.code();
    assert!(code == form.code || other == Some(code), "{what}: {why}");
}

#[test]
fn wrong_form_on_an_overlong_line_is_seen() {
    let long = batch(200, 6_000, (false, true));
    for form in FORMS {
        if ["array on one line", "wrapper on one line", "glued", "commas on one line"].contains(&form.name) {
            assert!((form.make)(&long).len() > raydex::limits::MAX_LINE);
            check(form, &long, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..ProptestConfig::default() })]

    #[test]
    fn no_wrong_form_is_ever_sealed_in_part(
        count in 1_usize..200,
        filler in 0_usize..300,
        ends in any::<(bool, bool)>(),
        is_gzip in any::<bool>(),
    ) {
        let batch = batch(count, filler, ends);
        for form in FORMS {
            check(form, &batch, is_gzip);
        }
    }
}
