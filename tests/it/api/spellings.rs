//! A ray as people paste it.

use raydex::record::Dataset;

use super::support::Fakes;
use super::support::records::http;
use super::{Ask, json, problem};

const RAY: &str = "9e35512345678abc";

/// A world that holds the ray, and an id of another form.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let text = [http(RAY, 0), http("test-ray-001", 0)].join("\n");
    fakes.index("logs/a", Dataset::HttpRequests, text.as_bytes());
    fakes
}

/// Every byte but letters and digits percent-encoded.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn a_ray_is_found_however_it_is_spelled() {
    let fakes = world();
    for text in [
        RAY,
        "9E35512345678ABC",
        "9e35512345678abc-SJC",
        "9e35512345678abc-sjc",
        "  9e35512345678abc\t",
        "\"9e35512345678abc\"",
        "CF-RAY: 9e35512345678abc-SJC",
        "cf-ray:9e35512345678abc",
        "Cloudflare Ray ID: 9e35512345678abc • Your IP: 192.0.2.1",
        "https://example.com/a?ray=9e35512345678abc&b=c",
        "http://example.com/9E35512345678ABC",
    ] {
        let reply = Ask::get(&format!("/v1/rays/{}", encoded(text))).of(&fakes);
        assert_eq!(reply.status, 200, "{text}");
        assert_eq!(json(&reply)["ray"], RAY, "{text}");
        assert_eq!(json(&reply)["records"][0]["record"]["RayID"], RAY, "{text}");
    }
    for path in ["/v1/rays/9e35512345678abc", "/v1/rays/9e35512345678abc%2DSJC", "/v1/rays/%39e35512345678abc"] {
        assert_eq!(Ask::get(path).of(&fakes).status, 200, "{path}");
    }
}

#[test]
fn id_of_another_form_is_found_where_logged() {
    let fakes = world();
    let reply = Ask::get("/v1/rays/test-ray-001").of(&fakes);
    assert_eq!((reply.status, &json(&reply)["ray"]), (200, &"test-ray-001".into()));
    assert!(json(&reply).get("ray_time").is_none());
    for unknown in ["test-ray-002", "TEST-RAY-001", "9e35512345678ab", "00"] {
        assert_eq!(problem(&Ask::get(&format!("/v1/rays/{unknown}")).of(&fakes)), (400, "not_a_ray".into()));
    }
}

#[test]
fn non_ray_is_refused_without_asking_a_shard() {
    let long = "9".repeat(5000);
    for text in
        [" ", "a b", "<script>", "' OR 1=1 --", "é", "\0", "9e35512345678abc9e35512345678abcx!", "%", "%zz", &long]
    {
        let fakes = world();
        let before = fakes.faults.calls();
        let reply = Ask::get(&format!("/v1/rays/{}", encoded(text))).of(&fakes);
        assert_eq!(problem(&reply), (400, "not_a_ray".into()), "{text:?}");
        assert_eq!(fakes.faults.calls(), before, "{text:?}");
    }
    // Bytes that are no UTF-8, and a percent sign with nothing behind it.
    for path in ["/v1/rays/%ff%fe", "/v1/rays/%", "/v1/rays/%9"] {
        assert_eq!(problem(&Ask::get(path).of(&world())).0, 400, "{path}");
    }
}
