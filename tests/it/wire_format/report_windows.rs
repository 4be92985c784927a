//! What mode `collect` of the edge logger sends to its origin: `report_windows.txt`, the name, counts and body of a window in
//! each form.

use raydex::config::read_collect_settings;
use raydex::edge::{ReportBody, ReportIntake, ReportRequest};

use super::support::NOW_MS;
use super::{Fixture, compare};

/// The reports of one request: two are equal, one has secrets, one is none.
const BODY: &str = r#"[{"age":7,"type":"csp-violation","url":"https://a.example/x?token=secret&b=1","body":{"statusCode":200,
    "password":"secret","sample":"é\u0022"}},{"b":2.50,"a":[1e2,null,true]},{"a":[100,null,true],"b":2.5},7]"#;

fn window(form: &str) -> String {
    let set = [("EDGE_COLLECT_URL", "/windows"), ("EDGE_COLLECT_FORM", form)];
    let get = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
    let mut collector = ReportIntake::new(read_collect_settings(get).unwrap(), "00c0ffee00c0ffee".into());
    let headers = "content-type\napplication/reports+json".to_owned();
    let request = ReportRequest { url: "https://r.example/".into(), headers };
    collector.collect(&request, ReportBody::Whole(BODY.as_bytes()), 7, NOW_MS);
    collector.windows.close(NOW_MS + 5_000);
    let window = collector.windows.take_due(NOW_MS + 5_000).unwrap();
    let body = String::from_utf8(window.body.clone()).unwrap();
    format!("raydex-window: {}\nraydex-counts: {}\n\n{}\n", window.name(), window.label_text(), body.trim_end())
}

pub(super) fn fixtures() -> Vec<Fixture> {
    vec![Fixture::new("report_windows.txt", ["map", "ndjson"].map(window).join("\n"))]
}

#[test]
fn report_windows_match_their_fixture() {
    compare(&fixtures());
}
