//! The settings of sinks, right ones and faulty ones.

use super::{
    CollectorPreset, CollectorSpec, SinkFault, SinkHeadersFault, SinkPath, SinkSpec, SinkTarget, add_headers,
    read_sinks,
};

fn collector(sink: &SinkSpec) -> &CollectorSpec {
    match &sink.target {
        SinkTarget::Collector(collector) => collector,
        SinkTarget::Bucket => panic!("{} is the bucket", sink.name),
    }
}

fn http(members: &str) -> String {
    format!(r#"[{{"kind":"http","name":"a","preset":"loki",{members}}}]"#)
}

#[test]
fn sinks_are_read_with_the_bucket_first() {
    let sinks = read_sinks(
        r#"[{"kind":"http","name":"search","preset":"elastic","url":"https://es.example/","index":"edge-requests",
            "labels":{"site":"a"},"through":"object"},{"kind":"r2","through":"queue"}]"#,
        false,
    )
    .unwrap();
    assert_eq!((sinks[0].name.as_str(), sinks[0].path), ("r2", SinkPath::Queue));
    assert_eq!((sinks[1].name.as_str(), sinks[1].path), ("search", SinkPath::Object));
    let CollectorSpec { preset, url, index, labels, .. } = collector(&sinks[1]);
    assert_eq!((*preset, index.as_deref(), labels.len()), (CollectorPreset::Elastic, Some("edge-requests"), 1));
    assert_eq!(url, "https://es.example/_bulk?filter_path=errors%2Citems.*.status");
}

#[test]
fn address_without_a_path_gets_the_documented() {
    for (url, complete) in [
        ("https://a.example", "https://a.example/loki/api/v1/push"),
        ("https://a.example:3100/", "https://a.example:3100/loki/api/v1/push"),
        ("https://a.example/tenant/push?x=1", "https://a.example/tenant/push?x=1"),
    ] {
        let sinks = read_sinks(&http(&format!(r#""url":"{url}""#)), false).unwrap();
        assert_eq!(collector(&sinks[0]).url, complete);
    }
}

#[test]
fn faults_of_sinks_name_their_number() {
    let labels = (0..16).map(|number| format!(r#""a{number}":"x""#)).collect::<Vec<_>>().join(",");
    for (setting, fault) in [
        ("{}".to_owned(), SinkFault::NotSinks),
        (r#"[{"kind":"s3"}]"#.into(), SinkFault::NotSinks),
        (r#"[{"kind":"r2","url":"x"}]"#.into(), SinkFault::NotSinks),
        ("[]".into(), SinkFault::TooMany),
        (format!("[{}]", [r#"{"kind":"r2"}"#; 5].join(",")), SinkFault::TooMany),
        (r#"[{"kind":"r2"},{"kind":"r2"}]"#.into(), SinkFault::Name(2)),
        (http(r#""url":"https://a.example""#).replace(r#""a""#, r#""object""#), SinkFault::Name(1)),
        (http(r#""url":"https://a.example""#).replace(r#""a""#, r#""A b""#), SinkFault::Name(1)),
        (http(r#""url":"hunter2""#), SinkFault::Address(1)),
        (http(r#""url":"https://u:p@a.example""#), SinkFault::Address(1)),
        (http(r#""url":"https://a.example/#x""#), SinkFault::Address(1)),
        (http(r#""url":"ftp://a.example""#), SinkFault::Address(1)),
        (http(r#""url":"http://a.example""#), SinkFault::PlainHttp(1)),
        (http(r#""url":"https://a.example","through":"queue""#), SinkFault::Queue(1)),
        (http(r#""url":"https://a.example","index":"Upper""#), SinkFault::Labels(1)),
        (http(r#""url":"https://a.example","labels":{"a-b":"x"}"#), SinkFault::Labels(1)),
        (http(&format!(r#""url":"https://a.example","labels":{{{labels}}}"#)), SinkFault::Labels(1)),
    ] {
        assert_eq!(read_sinks(&setting, false), Err(fault), "{setting}");
    }
    assert!(read_sinks(&http(r#""url":"http://a.example""#), true).is_ok());
}

#[test]
fn headers_are_kept_and_never_shown() {
    let mut sinks = read_sinks(&http(r#""url":"https://hunter2.example/hunter2""#), false).unwrap();
    add_headers(&mut sinks, r#"{"a":{"authorization":"Bearer hunter2","x-scope-orgid":"7"}}"#).unwrap();
    assert_eq!(collector(&sinks[0]).headers.len(), 2);
    assert!(!format!("{sinks:?}").contains("hunter2"));
}

#[test]
fn odd_headers_are_faults() {
    let mut sinks = read_sinks(&http(r#""url":"https://a.example""#), false).unwrap();
    sinks.push(SinkSpec::bucket(SinkPath::Isolate));
    for (setting, fault) in [
        ("[]".to_owned(), SinkHeadersFault::NotHeaders),
        (r#"{"a":"x"}"#.into(), SinkHeadersFault::NotHeaders),
        (r#"{"b":{"x":"y"}}"#.into(), SinkHeadersFault::UnknownSink),
        (r#"{"r2":{"x":"y"}}"#.into(), SinkHeadersFault::UnknownSink),
        (r#"{"a":{"x y":"z"}}"#.into(), SinkHeadersFault::Header),
        (r#"{"a":{"x":"y\n"}}"#.into(), SinkHeadersFault::Header),
        (r#"{"a":{"Content-Type":"z"}}"#.into(), SinkHeadersFault::Header),
        (format!(r#"{{"a":{{"x":"{}"}}}}"#, "y".repeat(9_000)), SinkHeadersFault::Header),
    ] {
        assert_eq!(add_headers(&mut sinks, &setting), Err(fault), "{setting:.60}");
    }
}
