//! A decision about several payloads by forms: its number is shown first, and it applies to those or to nothing.

use raydex::ledger::DeliveryId;

use super::super::audit::entries;
use super::super::story::{KEYS, batch, deliver, park, records, wish};
use super::super::support::Fakes;
use super::super::{Ask, Reply, json};
use super::{deployment, form, signed_in, text, visit};

/// Three payloads of each of four batches, of two lines each; of each batch the second and third are parked.
fn world() -> (Fakes, Vec<DeliveryId>) {
    let fakes = Fakes::new();
    let mut parked = Vec::new();
    for (number, key) in (0..).zip(KEYS) {
        let payloads = batch(&fakes, key, &records(6 * number..6 * number + 6), Some(wish()));
        deliver(&fakes, &payloads[0]);
        payloads[1..].iter().for_each(|id| park(&fakes, id));
        parked.extend(payloads[1..].to_vec());
    }
    (fakes, parked)
}

fn count(fakes: &Fakes, id: &str, query: &str) -> Reply {
    visit(fakes, &deployment(&[]), signed_in(Ask::get(&format!("/ops/payloads?{query}")), &format!("token of {id}")))
}

/// The members of the form on a page that asks for a decision to be confirmed.
fn hidden(page: &str) -> Vec<(String, String)> {
    let members = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pair = |text: &str| {
        let (name, rest) = text.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    };
    members.filter_map(pair).collect()
}

fn decide(fakes: &Fakes, id: &str, members: &[(String, String)], reason: &str) -> Reply {
    let mut members: Vec<(&str, &str)> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    members.push(("reason", reason));
    visit(fakes, &deployment(&[]), signed_in(form("/ops/payloads", &members), &format!("token of {id}")))
}

fn number_of(fakes: &Fakes, state: &str) -> usize {
    let list = json(&Ask::get(&format!("/v1/payloads?state={state}")).of(fakes));
    list["payloads"].as_array().unwrap().len()
}

#[test]
fn decision_applies_to_what_was_counted() {
    let (fakes, _) = world();
    let page = count(&fakes, "ops", "decision=drop&state=parked&code=permanent&older_than=");
    let (status, page) = (page.status, text(&page));
    assert!(status == 200 && page.contains("<h1>Drop 8 payloads?</h1>"), "{status} {page}");
    assert!(page.contains("Drop 8 payloads of 16 lines</button>"), "{page}");
    assert_eq!(number_of(&fakes, "parked"), 8, "counting changes nothing");
    let members = hidden(&page);
    let done = decide(&fakes, "ops", &members, "the partner closed the account");
    let (status, words) = (done.status, text(&done));
    assert!(status == 200 && words.contains("8 payloads were dropped") && words.contains("16 lines"), "{words}");
    assert_eq!(number_of(&fakes, "parked"), 0);
    let log = entries(&fakes);
    let entry = log.iter().find(|entry| entry["action"] == "POST /v1/payloads/decide").unwrap();
    assert_eq!(entry["request"]["reason"], "the partner closed the account");
    assert_eq!((&entry["request"]["decision"], &entry["auth_method"]), (&"drop".into(), &"cookie".into()));
    let again = decide(&fakes, "ops", &members, "once more");
    assert!(again.status == 409 && text(&again).contains("Nothing was done"), "a form that is sent twice");
}

#[test]
fn change_after_the_count_leaves_all_alone() {
    let (fakes, parked) = world();
    let members = hidden(&text(&count(&fakes, "ops", "decision=release&state=parked")));
    assert_eq!(Ask::post(&format!("/v1/payloads/{}/drop", parked[0].handle()), "x").of(&fakes).status, 200);
    let reply = decide(&fakes, "ops", &members, "x");
    let (status, page) = (reply.status, text(&reply));
    assert!(status == 409 && page.contains("Count them again") && page.contains("href=\"/ops\""), "{status} {page}");
    assert_eq!(number_of(&fakes, "parked"), 7);
}

#[test]
fn mistakes_are_said_in_words_of_the_form() {
    let (fakes, _) = world();
    let members = hidden(&text(&count(&fakes, "ops", "decision=drop&state=parked")));
    let without = |name: &str| members.iter().filter(|(known, _)| known != name).cloned().collect::<Vec<_>>();
    for (status, reply, words) in [
        (400, decide(&fakes, "ops", &members, " "), "gives no reason"),
        (400, decide(&fakes, "ops", &without("expected"), "x"), "Count them first"),
        (400, decide(&fakes, "ops", &without("decision"), "x"), "Choose one of the decisions"),
        (400, count(&fakes, "ops", ""), "Choose one of the decisions"),
        (400, count(&fakes, "ops", "decision=drop&state=delivered"), "can only be resent"),
        (400, count(&fakes, "ops", "decision=drop&older_than=long"), "older_than"),
        (403, decide(&fakes, "desk", &members, "x"), "Your token does not allow this"),
        (403, count(&fakes, "desk", "decision=drop"), "Your token does not allow this"),
    ] {
        let page = text(&reply);
        assert!(reply.status == status && page.contains(words), "{words}: {} {page}", reply.status);
        for of_programs in ["JSON", "dry_run", "The body", "GET /", "POST /"] {
            assert!(!page.contains(of_programs), "{of_programs} in {page}");
        }
    }
    assert_eq!(number_of(&fakes, "parked"), 8);
}

#[test]
fn filter_that_selects_nothing_has_no_form() {
    let (fakes, _) = world();
    let page = text(&count(&fakes, "ops", "decision=resend&state=confirmed"));
    assert!(page.contains("No payload is confirmed.") && hidden(&page).is_empty(), "{page}");
}
