//! The reason of a lookup: kept, and a must for roles that a setting names.

use serde_json::json;

use super::access::rule;
use super::audit::entries;
use super::every_route::{RANGE, ZONE};
use super::support::Fakes;
use super::support::records::ray;
use super::support::world::config_with;
use super::{Ask, json as body, problem};

const ACCOUNT: &str = "/client/v4/accounts/a/logs";

/// A request of every route that shows log lines.
fn lookups() -> Vec<Ask> {
    let (ray, bucket) = (ray(1), "bucket=cdn-logs-raw");
    vec![
        Ask::get(&format!("/v1/rays/{ray}")),
        Ask::get(&format!("/v1/rays/{ray}/deliveries")),
        Ask::get(&format!("/v1/rays/{ray}/diff/{ray}")),
        Ask::get(&format!("/v1/rays/{ray}/neighbours?by=client")),
        Ask { body: format!(r#"{{"rays":["{ray}"]}}"#).into(), ..Ask::new("POST", "/v1/rays") },
        Ask::get(&format!("/v1/logs?{RANGE}")),
        Ask::get(&format!("/v1/counts?{RANGE}")),
        Ask::get(&format!("{ZONE}/received?{RANGE}")),
        Ask::get(&format!("{ZONE}/rayids/{ray}")),
        Ask::get(&format!("{ACCOUNT}/retrieve?{RANGE}&{bucket}")),
        Ask::get(&format!("{ACCOUNT}/rayids/{ray}?{bucket}")),
    ]
}

#[test]
fn role_that_needs_a_reason_is_refused() {
    let rules = json!([rule("desk", &json!({ "role": "support" })), rule("deep", &json!({ "role": "forensics" }))]);
    let settings = [("API_TOKENS", &*rules.to_string()), ("API_REASON_ROLES", "forensics")];
    let config = Ok(config_with(&settings));
    for lookup in lookups() {
        let (fakes, what) = (Fakes::new(), lookup.path.clone());
        let ask = |token: &str| Ask { authorization: Some(format!("Bearer {token}")), ..lookup.clone() };
        let refused = ask("deep").of_deployment(&fakes, &config);
        let words = "raydex-reason with a ticket";
        assert!(refused.status == 400 && String::from_utf8_lossy(&refused.body).contains(words), "{what}");
        if what.starts_with("/v1/") {
            assert_eq!(problem(&refused), (400, "reason_required".into()));
        } else {
            assert_eq!(body(&refused)["success"], false);
        }
        assert_eq!(fakes.faults.count(super::support::Kind::Shard), 0, "{what}");
        let denied = &entries(&fakes)[0];
        assert_eq!((&denied["outcome"], &denied["code"]), (&"denied".into(), &"reason_required".into()));
        let with_reason = ask("deep").with_header("raydex-reason", "INC-4711").of_deployment(&fakes, &config);
        assert!(matches!(with_reason.status, 200 | 404), "{what}: {}", with_reason.status);
        assert_eq!(entries(&fakes)[1]["reason"], "INC-4711");
        assert!(matches!(ask("desk").of_deployment(&fakes, &config).status, 200 | 404), "{what}: only that role must");
    }
    let fakes = Fakes::new();
    let stats = Ask { authorization: Some("Bearer deep".into()), ..Ask::get("/v1/stats") };
    assert_eq!(stats.of_deployment(&fakes, &config).status, 200, "figures need no reason");
}

#[test]
fn reason_that_cannot_be_kept_is_refused() {
    let fakes = Fakes::new();
    let lookup =
        |reason: &str| Ask::get(&format!("/v1/rays/{}", ray(1))).with_header("raydex-reason", reason).of(&fakes);
    for reason in ["", " ", &"x".repeat(501), "a\tb", "\u{a0}", "\u{ad}\u{200b}", "\u{fffd}", "a\u{fffd}"] {
        assert_eq!(problem(&lookup(reason)), (400, "bad_reason".into()), "{reason:?}");
    }
    for reason in ["x", &"é".repeat(500), "Störung 4711"] {
        assert_eq!(lookup(reason).status, 404, "{reason}");
    }
    assert_eq!(entries(&fakes).last().unwrap()["reason"], "Störung 4711");
}
