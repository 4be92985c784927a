//! Looking up: from a paste to the page of a ray, of several, or of none.

use super::super::audit::entries;
use super::super::every_route::world;
use super::super::support::Fakes;
use super::super::{Ask, header};
use super::ray;
use super::{TOKEN, deployment, form, signed_in, text, visit};
use raydex::limits::OPERATION_BODY_MAX;

fn paste(fakes: &Fakes, pasted: &str) -> super::Reply {
    visit(fakes, &deployment(&[]), signed_in(form("/look-up", &[("text", pasted)]), "token of desk"))
}

#[test]
fn paste_leads_to_its_rays() {
    let fakes = Fakes::new();
    for (pasted, path) in [
        ("CF-RAY: 764660D8EC5C2AB1-SJC", "/r/764660d8ec5c2ab1"),
        ("a 764660d8ec5c2ab1 b 9e3550d8ec5c2ab1 c 764660d8ec5c2ab1", "/rays?ids=764660d8ec5c2ab1,9e3550d8ec5c2ab1"),
    ] {
        let reply = paste(&fakes, pasted);
        assert_eq!((reply.status, header(&reply, "location")), (303, Some(path)), "{pasted}");
    }
    let many: Vec<String> = (0..30).map(|n| format!("764660d8ec5c{n:04x}")).collect();
    let reply = paste(&fakes, &many.join(" "));
    let path = header(&reply, "location").unwrap();
    assert_eq!((path.matches("764660d8").count(), path.ends_with("&more=true")), (20, true), "{path}");
}

#[test]
fn pasted_token_leads_nowhere() {
    let fakes = Fakes::new();
    for pasted in [TOKEN, "token-of-desk", "hunter2", "rdx_eRf4ey3KLtEb0jQqXzYw7u8v9aBcDeFgHiJkLmNoPqR", "test-ray-001"]
    {
        let reply = paste(&fakes, pasted);
        assert_eq!((reply.status, header(&reply, "location")), (422, None), "{pasted}");
        assert!(!text(&reply).contains(pasted));
    }
}

#[test]
fn paste_without_a_ray_is_shown_nowhere() {
    let fakes = Fakes::new();
    let reply = paste(&fakes, "my secret <b>text</b>");
    let page = text(&reply);
    assert_eq!((reply.status, header(&reply, "location")), (422, None));
    assert!(page.contains("No Ray ID was found") && !page.contains("secret"), "{page}");
    assert_eq!(entries(&fakes), [serde_json::Value::Null; 0], "nothing of it is recorded");
    let large = "x".repeat(OPERATION_BODY_MAX + 1);
    assert_eq!(paste(&fakes, &large).status, 413);
}

#[test]
fn only_what_is_read_asks_again() {
    let (fakes, config) = (Fakes::new(), deployment(&[("API_RATE_PER_MINUTE", "1")]));
    let ask = |ask: Ask| visit(&fakes, &config, signed_in(ask, "token of desk"));
    while ask(Ask::get("/")).status == 200 {}
    let limited = ask(Ask::get("/"));
    assert_eq!((limited.status, header(&limited, "retry-after").is_some()), (429, true));
    assert!(text(&limited).contains("data-retry-after"));
    let form = ask(form("/look-up", &[("text", "764660d8ec5c2ab1")]));
    assert!(form.status == 429 && !text(&form).contains("data-retry-after"));
}

#[test]
fn spent_budget_is_said_in_words() {
    let (fakes, config) = (Fakes::new(), deployment(&[("DAILY_BUDGET", "0")]));
    let ask = |path: &str| visit(&fakes, &config, signed_in(Ask::get(path), "token of desk"));
    let reply = ask(&format!("/r/{}", ray(1)));
    let page = text(&reply);
    assert_eq!((reply.status, header(&reply, "retry-after").is_some()), (429, true));
    assert_eq!([ask("/").status, ask("/ops").status], [200, 200], "they show no records");
    assert!(page.contains("budget of 0.00 dollars a day") && page.contains("2026-03-29T00:00:00Z"), "{page}");
}

#[test]
fn found_ray_is_shown() {
    let (fakes, _) = world();
    let reply = visit(&fakes, &deployment(&[]), signed_in(Ask::get(&format!("/r/{}", ray(1))), "token of desk"));
    let page = text(&reply);
    assert_eq!(reply.status, 200);
    assert!(page.contains(&format!(r#"data-ray="{}""#, ray(1))), "{page}");
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!((&entry["action"], &entry["resource"]), (&"GET /r/{ray}".into(), &ray(1).into()));
    let upper = format!("/r/CF-RAY%3A%20{}-SJC", ray(1).to_uppercase());
    assert_eq!(visit(&fakes, &deployment(&[]), signed_in(Ask::get(&upper), "token of desk")).status, 200);
    let head = Ask::new("HEAD", &format!("/r/{}", ray(1)));
    assert_eq!(visit(&fakes, &deployment(&[]), signed_in(head, "token of desk")).status, 200);
}

#[test]
fn missing_ray_has_its_verdict() {
    let (fakes, _) = world();
    for token in ["token of desk", "token of zone"] {
        let reply = visit(&fakes, &deployment(&[]), signed_in(Ask::get("/r/9e35500000000fff"), token));
        let page = text(&reply);
        assert_eq!(reply.status, 404);
        assert!(page.contains("data-verdict=\"") && page.contains("9e35500000000fff"), "{page}");
        assert_eq!(page.contains("<svg"), token == "token of desk", "batches exist for those who see all zones");
    }
}

#[test]
fn several_rays_have_a_line_each() {
    let (fakes, _) = world();
    let path = format!("/rays?ids={},9e35500000000fff,{}", ray(1), ray(2));
    let page = text(&visit(&fakes, &deployment(&[]), signed_in(Ask::get(&path), "token of desk")));
    assert_eq!(page.matches("<tr>").count() + page.matches("<tr class=\"absent\">").count(), 4, "{page}");
    assert_eq!(page.matches("Not found").count(), 1, "{page}");
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!(entry["request"]["ids"], serde_json::json!([ray(1), "9e35500000000fff", ray(2)]));
}

#[test]
fn other_zones_look_like_nothing() {
    let (fakes, _) = world();
    let page = |path: &str| text(&visit(&fakes, &deployment(&[]), signed_in(Ask::get(path), "token of zone")));
    let hidden = page(&format!("/r/{}", ray(1)));
    let absent = page("/r/9e35500000000fff");
    let same = |page: &str, ray: &str| {
        let lines = page.lines().filter(|line| !line.contains("<time"));
        lines.collect::<Vec<_>>().join("\n").replace(ray, "")
    };
    assert_eq!(same(&hidden, &ray(1)), same(&absent, "9e35500000000fff"));
}

#[test]
fn reason_is_asked_for_and_kept() {
    let (fakes, _) = world();
    let config = deployment(&[("API_REASON_ROLES", "support")]);
    let path = format!("/r/{}", ray(1));
    let page = visit(&fakes, &config, signed_in(Ask::get(&path), "token of desk"));
    assert!(page.status == 400 && text(&page).contains(r#"name="reason""#));
    let with = visit(&fakes, &config, signed_in(Ask::get(&format!("{path}?reason=ticket%204711")), "token of desk"));
    assert_eq!(with.status, 200);
    let entry = entries(&fakes).into_iter().next_back().unwrap();
    assert_eq!((&entry["reason"], entry["request"].get("reason")), (&"ticket 4711".into(), None));
}
