//! The page of a search: the same records as the API, with everything that is selected in the address.

use super::super::Ask;
use super::super::audit::entries;
use super::super::story::{KEYS, batch};
use super::super::support::Fakes;
use super::super::support::records::ndjson;
use super::ray;
use super::{deployment, signed_in, text, visit};

/// A day with the records of the fakes.
const DAY: &str = "start=2026-03-28T00:00:00Z&end=2026-03-29T00:00:00Z";

/// A record of this number, whose status is 500 for each third one.
fn record(number: u64, path: &str) -> String {
    let (status, zone) = (
        if number.is_multiple_of(3) { 500 } else { 200 },
        if number.is_multiple_of(2) { "a.example" } else { "b.example" },
    );
    format!(
        r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T08:42:00Z","EdgeResponseStatus":{status},"ZoneName":"{zone}","ClientRequestHost":"{zone}","ClientIP":"203.0.113.77","ClientRequestURI":"{path}?n={number}"}}"#,
        ray(number)
    )
}

fn world(records: u64) -> Fakes {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &ndjson((0..records).map(|number| record(number, "/x"))), None);
    fakes
}

fn search(fakes: &Fakes, id: &str, query: &str) -> (u16, String) {
    let ask = signed_in(Ask::get(&format!("/search?{query}")), &format!("token of {id}"));
    let reply = visit(fakes, &deployment(&[]), ask);
    (reply.status, text(&reply))
}

/// The rays in the table of a page.
fn found(page: &str) -> Vec<String> {
    let links = page.split("<a href=\"/r/").skip(1);
    links.filter_map(|link| link.split('"').next()).map(str::to_owned).collect()
}

/// The address in the link to the next records.
fn next(page: &str) -> Option<String> {
    let (before, _) = page.split_once("\" data-search-more=")?;
    let address = before.rsplit_once("href=\"")?.1;
    Some(address.strip_prefix("/search?")?.replace("&amp;", "&"))
}

#[test]
fn following_pages_reaches_every_record_once() {
    let fakes = world(230);
    let (mut query, mut all, mut pages) = (Some(DAY.to_owned()), Vec::new(), 0);
    while let Some(address) = query {
        let (status, page) = search(&fakes, "desk", &address);
        assert_eq!(status, 200, "{address}");
        all.extend(found(&page));
        query = next(&page);
        pages += 1;
    }
    all.sort();
    let mut expected: Vec<_> = (0..230).map(ray).collect();
    expected.sort();
    assert_eq!((pages, all), (3, expected));
}

#[test]
fn conditions_and_typed_filter_are_kept() {
    let fakes = world(30);
    let filter = "%7B%22where%22%3A%7B%22key%22%3A%22ZoneName%22%2C%22operator%22%3A%22eq%22%2C%22value%22%3A%22a.example%22%7D%7D";
    let query = format!("{DAY}&field1=EdgeResponseStatus&operator1=geq&value1=500&filter={filter}");
    let (status, page) = search(&fakes, "desk", &query);
    assert_eq!((status, found(&page).len()), (200, 5), "each sixth record");
    assert!(page.contains(r#"name="field1" value="EdgeResponseStatus""#) && page.contains("5 records"));
    assert!(page.contains("format=csv") && page.contains("Remove"));
    let (_, page) = search(&fakes, "desk", &format!("{DAY}&field1=ClientRequestMethod&operator1=eq&value1=GET"));
    assert!(found(&page).is_empty() && page.contains("No record of this range"));
}

#[test]
fn mistakes_of_a_search_are_said() {
    let fakes = world(1);
    for (query, words) in [
        ("start=yesterday", "start"),
        (&format!("{DAY}&filter=%7Bnonsense"), "filter"),
        (&format!("{DAY}&dataset=dns_log"), "dataset"),
        (&format!("{DAY}&cursor=x"), "place to go on from"),
        (&format!("{DAY}&field1=EdgeResponseStatus&operator1=nearly&value1=5"), "operator"),
    ] {
        let (status, page) = search(&fakes, "desk", query);
        assert!(status == 400 && page.contains(words), "{query}: {status} {page}");
    }
    let (status, page) = search(&fakes, "desk", "");
    assert!(status == 200 && page.contains("last hour") && !page.contains("<table"));
}

#[test]
fn refused_search_keeps_what_was_typed() {
    let fakes = world(1);
    let conditions =
        "field1=ZoneName&operator1=eq&value1=a.example&field2=EdgeResponseStatus&operator2=geq&value2=many";
    for (query, part, words) in [
        (format!("{DAY}&{conditions}"), "condition2-failed", "The value of this operator must be"),
        (format!("{DAY}&{conditions}&filter=%7Bnonsense").replace("many", "5"), "filter-failed", "must be valid JSON"),
        (format!("start=yesterday&{conditions}").replace("many", "5"), "range-failed", "start"),
        (conditions.replace("many", "5"), "range-failed", "Say when the range starts."),
        (format!("{DAY}&{conditions}&field3=&operator3=eq&value3=502").replace("many", "5"), "condition3-failed", ""),
        (
            format!("{DAY}&dataset=dns_log&{conditions}").replace("many", "5"),
            "dataset-failed",
            "no dataset of this name",
        ),
    ] {
        let (status, page) = search(&fakes, "desk", &query);
        let (_, beside) =
            page.split_once(&format!("id=\"{part}\" role=\"alert\">")).unwrap_or_else(|| panic!("{part}: {page}"));
        assert!(status == 400 && beside.split("</p>").next().unwrap().contains(words), "{part}: {page}");
        assert_eq!(page.matches("role=\"alert\"").count(), 1, "{page}");
        assert!(page.contains(r#"name="value1" value="a.example""#), "{page}");
        assert!(!page.contains("<table") && page.contains("aria-invalid"), "{page}");
    }
    let (status, page) = search(&fakes, "desk", &format!("{DAY}&field1=Cookies&operator1=contains&value1=x"));
    assert!(
        status == 403 && page.contains("condition1-failed") && page.contains(r#"value="Cookies""#),
        "{status} {page}"
    );
    assert_eq!(entries(&fakes).last().unwrap()["outcome"], "denied");
}

#[test]
fn search_shows_what_its_reader_may_see() {
    let fakes = world(30);
    let (_, page) = search(&fakes, "zone", DAY);
    assert_eq!(found(&page).len(), 15);
    assert!(!page.contains("b.example") && !page.contains("records were read"));
    let other = Fakes::new();
    let own = (0..30_u64).filter(|number| number.is_multiple_of(2)).map(|number| record(number, "/x"));
    batch(&other, KEYS[0], &ndjson(own), None);
    assert_eq!(search(&other, "zone", DAY).1, page, "with and without the other zone's records");
    assert_eq!(search(&fakes, "ops", DAY).0, 403);
}

#[test]
fn hostile_values_of_records_stay_text() {
    let fakes = Fakes::new();
    let hostile = r#"/\"><script>alert(1)</script>\u202e\u001b[31m"#;
    let long = "y".repeat(100_000);
    batch(&fakes, KEYS[0], &ndjson([record(1, hostile), record(2, &long)]), None);
    let (status, page) = search(&fakes, "desk", DAY);
    assert_eq!((status, found(&page).len()), (200, 2));
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}') && page.contains("⟨U+202E⟩"));
    assert!(page.len() < 40_000, "{} bytes", page.len());
}
