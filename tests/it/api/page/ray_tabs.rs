//! The tabs of a ray that ask more of the API, and what their links and forms keep.

use raydex::record::Dataset;

use super::super::audit::entries;
use super::super::every_route::world;
use super::super::support::Fakes;
use super::super::support::records::ndjson;
use super::super::{Ask, header};
use super::{deployment, form, ray, signed_in, text, visit};

/// The page as `desk` sees it, with its status.
fn page(fakes: &Fakes, settings: &[(&str, &str)], path: &str) -> (u16, String) {
    let reply = visit(fakes, &deployment(settings), signed_in(Ask::get(path), "token of desk"));
    (reply.status, text(&reply))
}

#[test]
fn neighbours_of_a_ray_are_shown() {
    let (fakes, _) = world();
    let (status, page) = page(&fakes, &[], &format!("/r/{}?tab=neighbours&by=client&within=1m", ray(1)));
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("requests of the same client within 1 min before and after."), "{page}");
    assert!(page.contains(&format!("<a href=\"/r/{}\">", ray(2))), "{page}");
    assert!(page.contains("this request") && !page.contains("a-gap"), "{page}");
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!((&entry["action"], &entry["request"]["within"]), (&"GET /r/{ray}".into(), &60.into()));
}

#[test]
fn another_ray_is_beside_this_one() {
    let (fakes, _) = world();
    let path = format!("/r/{}?tab=compare&with=CF-RAY%3A%20{}-SJC", ray(1), ray(2).to_uppercase());
    let (status, page) = page(&fakes, &[], &path);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("Fields that differ") && page.contains(&ray(2)) && page.contains("Equal in both"), "{page}");
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!(entry["request"]["with"], serde_json::Value::from(ray(2)));
}

#[test]
fn tab_that_fails_leaves_the_page() {
    let (fakes, _) = world();
    for (query, words) in [
        ("tab=compare&with=9e35500000000fff", "No "),
        ("tab=compare&with=", "No Ray ID was found in what you pasted"),
        ("tab=neighbours&dataset=firewall_events", ""),
    ] {
        let reply =
            visit(&fakes, &deployment(&[]), signed_in(Ask::get(&format!("/r/{}?{query}", ray(1))), "token of desk"));
        let page = text(&reply);
        if query.contains("dataset") {
            assert_eq!(reply.status, 404, "{query}: the page itself has no record");
            continue;
        }
        assert!(reply.status == 200 && page.contains("class=\"a-gap\"") && page.contains(words), "{query}: {page}");
        assert!(page.contains("class=\"wf-tree\""), "{query}");
    }
}

#[test]
fn tree_of_large_records_is_shown_in_part() {
    let fakes = Fakes::new();
    let parent = ray(1);
    let child = |nth: u64| {
        format!(
            r#"{{"RayID":"{}","ParentRayID":"{parent}","EdgeResponseStatus":200,"ClientRequestURI":"/{}"}}"#,
            ray(10 + nth),
            "x".repeat(2_300)
        )
    };
    let lines =
        std::iter::once(format!(r#"{{"RayID":"{parent}","EdgeResponseStatus":200}}"#)).chain((0..1_200).map(child));
    fakes.index("logs/http_requests/a.log", Dataset::HttpRequests, &ndjson(lines));
    let (status, first) = page(&fakes, &[], &format!("/r/{parent}"));
    assert_eq!(status, 200, "{first}");
    assert!(
        first.contains("The tree goes on: this page has its first 200 requests.") && first.contains("rel=\"next\"")
    );
    let next = first.split("href=\"?tree=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let (status, second) = page(&fakes, &[], &format!("/r/{parent}?tree={}", next.replace("&amp;", "&")));
    assert_eq!(status, 200, "{second}");
    assert!(second.contains("A later page of the tree") && second.contains("First requests of the tree"), "{second}");
    // One that is on no page that is shown has its own record, and says where its row is.
    let (status, last) = page(&fakes, &[], &format!("/r/{}", ray(10 + 1_199)));
    assert_eq!(status, 200, "{last}");
    assert!(last.contains("The row of this request is on another page of its tree."), "{last}");
    assert!(last.contains("1000 of more in"), "{last}");
}

#[test]
fn mistake_beside_the_ray_leads_back_to_it() {
    let (fakes, _) = world();
    for query in ["tab=bogus", "tree=zzz", "tab=neighbours&by=client&by=path"] {
        let (status, page) = page(&fakes, &[], &format!("/r/{}?{query}", ray(1)));
        assert_eq!(status, 400, "{query}");
        assert!(page.contains(&format!("<a href=\"/r/{}\">Show this request</a>", ray(1))), "{query}: {page}");
    }
}

#[test]
fn wrong_choices_are_refused() {
    let (fakes, _) = world();
    for query in ["tab=neighbours&by=colour", "tab=neighbours&within=2h", "tab=neighbours&within=0", "tree=x", "tab=x"]
    {
        let (status, _) = page(&fakes, &[], &format!("/r/{}?{query}", ray(1)));
        assert_eq!(status, 400, "{query}");
    }
}

#[test]
fn pasted_ray_leads_to_the_comparison() {
    let fakes = Fakes::new();
    let own = ray(1);
    for (pasted, more, path) in [
        (format!("secret {own} and CF-RAY: {}", ray(2).to_uppercase()), "", format!("with={}", ray(2))),
        ("nothing".to_owned(), "", "with=".to_owned()),
        (ray(2), "INC 7&x", format!("with={}&reason=INC+7%26x", ray(2))),
    ] {
        let mut members = vec![("compare", own.as_str()), ("text", pasted.as_str())];
        if !more.is_empty() {
            members.push(("reason", more));
        }
        let reply = visit(&fakes, &deployment(&[]), signed_in(form("/look-up", &members), "token of desk"));
        let expected = format!("/r/{own}?tab=compare&{path}#parts");
        assert_eq!((reply.status, header(&reply, "location")), (303, Some(expected.as_str())));
    }
    let members = [("compare", "//evil.example/"), ("text", "nothing")];
    let reply = visit(&fakes, &deployment(&[]), signed_in(form("/look-up", &members), "token of desk"));
    assert_eq!((reply.status, header(&reply, "location")), (422, None));
}

#[test]
fn reason_follows_and_asking_loses_nothing() {
    let (fakes, _) = world();
    let settings = [("API_REASON_ROLES", "support")];
    let (status, asked) = page(&fakes, &settings, &format!("/r/{}?tab=compare&with={}", ray(1), ray(2)));
    assert_eq!(status, 400);
    for kept in [r#"type="hidden" name="tab" value="compare""#.to_owned(), format!(r#"name="with" value="{}""#, ray(2))]
    {
        assert!(asked.contains(&kept), "{kept}: {asked}");
    }
    let (status, shown) =
        page(&fakes, &settings, &format!("/r/{}?reason=INC%207%20%C3%A9&tab=compare&with={}", ray(1), ray(2)));
    assert_eq!(status, 200, "{shown}");
    assert!(shown.contains("?tab=json&amp;reason=INC+7+%C3%A9#parts"), "{shown}");
    assert!(shown.contains(r#"<input type="hidden" name="reason" value="INC 7 é">"#), "{shown}");
    assert!(!shown.contains(&format!("href=\"/r/{}?", ray(1))), "the link to pass on has no reason");
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!(entry["reason"], "INC 7 é");
}
