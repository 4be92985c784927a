//! Who sees what of a record: each field has a class, each role sees a class in one way.
//!
//! Reading order: `role` and `class` are the table of who sees what, `fields` says which class a field has
//! (`schemas/field_classes.toml` says the same, held by a test), `field_names` which names are slips, `record` walks a line,
//! `follow` its lists and pairs, `shapes` knows how harmless values look, `scrub` takes secrets out of URLs, `texts` out of
//! sentences; `normal` is the form in which both are judged. `words` says what is harmless, `tokens` and `numbers` what is
//! secret by its form, `names` what is called a secret and what follows such a name, by the `lists` (`schemas/masking.toml`
//! has them too, held by a test). `ip` cuts addresses, `host` and `address` find them in the place of a name and in longer
//! texts.
//!
//! * `viewer`: addresses are cut, values of query strings, cookies and headers are masked, and so is everything
//!   that is not known to be harmless.
//! * `support`: addresses are whole; secrets and what looks like one are masked.
//! * `forensics`: the line, byte for byte.
//!
//! A string that is masked becomes `"[masked]"`, a number or a truth value `null`; what is empty stays empty. A value
//! is shown only if it has the shape of its class, so that a secret in a field where it does not belong is not shown.
//! The names of the record's own fields are the job's, and stay, unless one looks like a token. The names of an object
//! that are masked become `"[masked-1]"`, `"[masked-2]"` and so on, so that none of its members hides another.
//!
//! # Invariants
//!
//! A masked record has as many members as the record, in the same order. Masking it again changes nothing. A field
//! that no table lists is masked.

mod address;
mod class;
mod escapes;
mod field_names;
mod fields;
mod follow;
mod host;
mod ip;
mod known_tokens;
mod lists;
mod names;
mod normal;
mod numbers;
mod own_words;
mod record;
mod role;
mod scrub;
mod shapes;
mod texts;
mod tokens;
mod words;

pub use class::{FieldClass, FieldTreatment};
pub(crate) use escapes::{backslash_escape, html_reference};
pub use field_names::{is_listed, nearest_field};
pub use fields::{MEMBERS, class_of, fields};
pub use known_tokens::next_known_token;
pub use names::{has_joined_credential, is_credential_flag, name_words, names_secret, surely_names_secret};
pub(crate) use normal::is_invisible;
pub use own_words::OWN_WORDS;
pub use record::{is_masked_name, mask_line};
pub use role::Role;

use crate::filter::IpNetwork;
use crate::record::{Dataset, FieldValue};

/// Replaces a text that is not shown.
pub const MASKED: &str = "[masked]";

/// How a role sees a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    /// Exactly as it is, whatever it is.
    Verbatim,
    /// It may be changed, in part or as a whole: a filter has to be asked of the masked record.
    Altered,
    /// Never: a filter on it is refused.
    Hidden,
}

/// How `role` sees the field `name`.
///
/// A field with a shape (a status, a host) counts as [`Disclosure::Altered`], since a value of another shape is masked: by a
/// filter on the line as it was stored, one could find out what it is. What such a field allows is [`prunes`].
#[must_use]
pub fn shown(role: Role, dataset: Dataset, name: &str) -> Disclosure {
    match class_of(dataset, name).treatment(role) {
        FieldTreatment::Raw => Disclosure::Verbatim,
        FieldTreatment::Hidden | FieldTreatment::Names => Disclosure::Hidden,
        FieldTreatment::Checked | FieldTreatment::Cut | FieldTreatment::Scrubbed | FieldTreatment::Members => {
            Disclosure::Altered
        }
    }
}

/// Whether a value that `role` sees of the field `name`, in JSON, may be another one than the record has. It depends on what
/// the role sees alone: where a value that is shown as it is looks like one that was altered, it counts as altered.
#[must_use]
pub fn may_be_altered(role: Role, dataset: Dataset, name: &str, seen: &str) -> bool {
    let class = class_of(dataset, name);
    match (class.treatment(role), FieldValue::from_json(seen)) {
        (FieldTreatment::Raw, _) | (FieldTreatment::Checked, FieldValue::Number(_) | FieldValue::Bool(_)) => false,
        (_, FieldValue::Text(text)) if text.is_empty() => false,
        (FieldTreatment::Checked, FieldValue::Text(text)) if class == FieldClass::Host => {
            // A path after it is scrubbed, which may leave no trace.
            text.contains(MASKED) || text.contains('/') || (role == Role::Viewer && scrub::is_address_host(&text))
        }
        (FieldTreatment::Checked, FieldValue::Text(text)) => text.contains(MASKED),
        _ => true,
    }
}

/// Whether batches may be skipped because no true value of the field equals `operand` (or is on that side of it):
/// where every value of that shape is shown as it is, so that skipping reveals no more than the records do.
///
/// It holds for `eq`, `in`, the comparisons and their opposites; the filter is asked of the masked record all the same.
#[must_use]
pub fn prunes(role: Role, dataset: Dataset, name: &str, operand: &str) -> bool {
    let class = class_of(dataset, name);
    match class.treatment(role) {
        FieldTreatment::Raw => true,
        // It equals whatever is masked.
        FieldTreatment::Checked if operand.contains(MASKED) => false,
        // What looks like a cut address stands for all addresses of its network.
        FieldTreatment::Checked if class == FieldClass::Host && scrub::is_address_host(operand) => role != Role::Viewer,
        // An address is shown as it is, and what is none is in no network, masked or not.
        FieldTreatment::Checked if class == FieldClass::Ip && IpNetwork::parse(operand).is_ok() => true,
        FieldTreatment::Checked => shapes::fits(role, class, operand),
        FieldTreatment::Cut
        | FieldTreatment::Scrubbed
        | FieldTreatment::Members
        | FieldTreatment::Names
        | FieldTreatment::Hidden => false,
    }
}
#[cfg(test)]
mod tests {
    use super::{Disclosure, FieldClass, MASKED, MEMBERS, Role, mask_line, prunes, shown};
    use crate::record::Dataset;

    /// Returns the view of `role` of a record of `http_requests`.
    fn seen(role: Role, line: &str) -> String {
        let mut out = b"before ".to_vec();
        mask_line(role, Dataset::HttpRequests, line.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
    }

    /// Returns the views of viewer and support of one field.
    fn field(name: &str, value: &str) -> [String; 2] {
        [Role::Viewer, Role::Support].map(|role| {
            let line = seen(role, &format!(r#"{{"{name}":{value}}}"#));
            let value = line.strip_prefix(&format!(r#"{{"{name}":"#)).and_then(|rest| rest.strip_suffix('}'));
            value.unwrap_or_else(|| panic!("{line}")).to_owned()
        })
    }

    #[test]
    fn each_role_sees_a_field_by_its_class() {
        for (name, value, viewer, support) in [
            ("ClientIP", r#""198.18.7.9""#, r#""198.18.7.0""#, r#""198.18.7.9""#),
            ("ClientIP", r#""hunter2""#, r#""[masked]""#, r#""[masked]""#),
            ("ClientIP", "3322", "null", "null"),
            ("EdgeResponseStatus", "200", "200", "200"),
            ("EdgeResponseStatus", "4111111111111111", "null", "null"),
            ("EdgeResponseStatus", r#""hunter2""#, r#""[masked]""#, r#""[masked]""#),
            ("BotScore", r#""20""#, r#""20""#, r#""20""#),
            ("WorkerSubrequest", "true", "true", "true"),
            ("ClientCountry", r#""\u0075s""#, r#""\u0075s""#, r#""\u0075s""#),
            ("ClientRequestHost", r#""shop.example""#, r#""shop.example""#, r#""shop.example""#),
            (
                "SecurityRuleID",
                r#""d41d8cd98f00b204e9800998ecf8427e""#,
                r#""[masked]""#,
                r#""d41d8cd98f00b204e9800998ecf8427e""#,
            ),
            ("SecurityActions", r#"["block","a@b.cc"]"#, r#"["block","[masked]"]"#, r#"["block","[masked]"]"#),
            (
                "Cookies",
                r#"{"session":"x","n":[1]}"#,
                r#"{"session":"[masked]","n":"[masked]"}"#,
                r#"{"session":"[masked]","n":"[masked]"}"#,
            ),
            (
                "RequestHeaders",
                r#"{"accept":"text/html","Authorization":"Bearer x","content-length":"12","x":["a","b"]}"#,
                r#"{"accept":"[masked]","Authorization":"[masked]","content-length":"12","x":"[masked]"}"#,
                r#"{"accept":"text/html","Authorization":"[masked]","content-length":"12","x":["a","b"]}"#,
            ),
            ("Novel", "[1,true,{\"a\":2}]", r#""[masked]""#, r#""[masked]""#),
            ("Novel", "7", "null", "null"),
            ("Novel", "false", "null", "null"),
            ("Novel", r#""x""#, r#""[masked]""#, r#""[masked]""#),
            ("Novel", "{ }", "{ }", "{ }"),
            ("Novel", r#""""#, r#""""#, r#""""#),
            ("RayID", r#""\ud800""#, r#""\ufffd""#, r#""\ufffd""#),
            (
                "ClientRequestURI",
                r#""/p/\ud83d/end?token=t""#,
                "\"/p/\u{fffd}/end?token=[masked]\"",
                "\"/p/\u{fffd}/end?token=[masked]\"",
            ),
            ("ClientRequestUserAgent", r#""cut \ud83d""#, r#""cut \ufffd""#, r#""cut \ufffd""#),
            ("Cookies", r#"{"\ud83d":"secret"}"#, "{\"\u{fffd}\":\"[masked]\"}", "{\"\u{fffd}\":\"[masked]\"}"),
            ("X\u{fffd}", "1", "null", "null"),
            ("EdgeStartTimestamp", "1.7953350607771236e+18", "1.7953350607771236e+18", "1.7953350607771236e+18"),
            ("Subrequests", r#"[{"ClientIP":"::1"},7]"#, r#"[{"ClientIP":"::"},null]"#, r#"[{"ClientIP":"::1"},null]"#),
        ] {
            assert_eq!(field(name, value), [viewer, support], "{name} {value}");
        }
    }

    #[test]
    fn address_as_host_is_cut_for_viewer() {
        for (value, viewer) in [
            ("192.0.2.77", "192.0.2.0"),
            ("192.0.2.77:8443", "192.0.2.0:8443"),
            ("192.0.2.77.:80", "192.0.2.0.:80"),
            ("2001:db8:1:2::77", "2001:db8:1::"),
            ("[2001:db8:1:2::77]:443", "[2001:db8:1::]:443"),
            ("[::ffff:192.0.2.77]", "[::ffff:192.0.2.0]"),
            ("192.0.589", "[masked]"),
            ("0xC000024D:80", "[masked]:80"),
            ("192.0.2.77.nip.example", "[masked].[masked].[masked].[masked].nip.example"),
            ("ip-192-0-2-77.internal.example", "[masked].internal.example"),
        ] {
            for name in ["ClientRequestHost", "EdgeRequestHost", "ZoneName"] {
                let seen = field(name, &format!("\"{value}\""));
                assert_eq!(seen, [format!("\"{viewer}\""), format!("\"{value}\"")], "{name}");
            }
            let [for_viewer, _] = field("ClientRequestReferer", &format!("\"https://{value}/a\""));
            assert_eq!(for_viewer, format!("\"https://{viewer}/a\""));
        }
        assert_eq!(field("ClientRequestHost", r#""[fe80::1%25eth0]:80""#), [r#""[masked]:80""#; 2]);
    }

    #[test]
    fn masked_names_differ_and_known_names_stay() {
        let names = r#"{"a b":1,"[masked-7]":2,"4111111111111111":3,"[masked]":4,"Novel":5,"ClientIP":""}"#;
        let expected =
            r#"{"[masked-1]":null,"[masked-2]":null,"[masked-3]":null,"[masked-4]":null,"Novel":null,"ClientIP":""}"#;
        for role in [Role::Viewer, Role::Support] {
            assert_eq!(seen(role, names), expected);
            assert_eq!(seen(role, expected), expected, "once is as good as twice");
        }
        let cookies = r#"{"ann@a.example":"x","bob@a.example":"y","theme":"z"}"#;
        let expected = r#"{"[masked-1]":"[masked]","[masked-2]":"[masked]","theme":"[masked]"}"#;
        assert_eq!(field("Cookies", cookies), [expected, expected]);
        let signals = r#"{"h2h3_ratio_1h":0.5,"reqs_quantile_1h":0.25}"#;
        assert_eq!(field("JA4Signals", signals), [signals, signals]);
    }

    #[test]
    fn names_of_listed_fields_are_never_masked() {
        for dataset in Dataset::ALL {
            for name in dataset.spec().fields {
                let line = format!(r#"{{"{name}":""}}"#);
                for other in Dataset::WITH_RAY {
                    let mut out = Vec::new();
                    mask_line(Role::Viewer, other, line.as_bytes(), &mut out).unwrap();
                    assert_eq!(String::from_utf8(out).unwrap(), line, "{other}");
                }
            }
        }
        for (class, members) in MEMBERS {
            let dataset = match class {
                FieldClass::Signals => Dataset::HttpRequests,
                FieldClass::Attributes | FieldClass::SpanPart => Dataset::Traces,
                _ => Dataset::WorkersTraceEvents,
            };
            let outer = match class {
                FieldClass::Event => "{\"Event\":{@}}",
                FieldClass::Request => "{\"Event\":{\"Request\":{@}}}",
                FieldClass::Response => "{\"Event\":{\"Response\":{@}}}",
                FieldClass::Exception => "{\"Exceptions\":[{@}]}",
                FieldClass::LogLine => "{\"Logs\":[{@}]}",
                FieldClass::Version => "{\"ScriptVersion\":{@}}",
                FieldClass::Signals => "{\"JA4Signals\":{@}}",
                FieldClass::Attributes => "{\"SpanAttributes\":{@}}",
                FieldClass::SpanPart => "{\"SpanEvents\":[{@}]}",
                other => panic!("no record has {other:?}"),
            };
            for (name, _) in *members {
                let line = outer.replace('@', &format!("\"{name}\":\"\""));
                let mut out = Vec::new();
                mask_line(Role::Viewer, dataset, line.as_bytes(), &mut out).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), line);
            }
        }
    }

    #[test]
    fn urls_lose_what_is_secret_and_nothing_else() {
        for (value, viewer, support) in [
            ("/blog/2026/11/post-title.html", "/blog/2026/11/post-title.html", "/blog/2026/11/post-title.html"),
            ("/list?page=2&q=shoes", "/list?page=[masked]&q=[masked]", "/list?page=2&q=shoes"),
            ("/?token=abc&page=2", "/?token=[masked]&page=[masked]", "/?token=[masked]&page=2"),
            ("/?to%6ben=abc", "/?[masked]=[masked]", "/?to%6ben=[masked]"),
            ("/a;jsessionid=1A2B/b", "/a;jsessionid=[masked]/b", "/a;jsessionid=[masked]/b"),
            (
                "https://ann:pw@a.example:8443/x#top",
                "https://a.example:8443/x#[masked]",
                "https://a.example:8443/x#top",
            ),
            ("https://ann:p", "https://ann:[masked]", "https://ann:[masked]"),
            ("/x#access_token=abc", "/x#access_token=[masked]", "/x#access_token=[masked]"),
            ("/ann%2540a.example/x", "/[masked]/x", "/[masked]/x"),
            ("/go?to=https%3A%2F%2Fb.example%2F%3Fsig%3Dx", "/go?to=[masked]", "/go?to=[masked]"),
            (
                "/go?to=https%3A%2F%2Fb.example%2F%3Fq%3Dx",
                "/go?to=[masked]",
                "/go?to=https%3A%2F%2Fb.example%2F%3Fq%3Dx",
            ),
            ("/go%3Fsecret%3Dx", "/[masked]", "/[masked]"),
            ("/u/123456789/192.0.2.1", "/u/[masked]/[masked]", "/u/123456789/192.0.2.1"),
            ("/%25252525252541", "/[masked]", "/[masked]"),
            ("/cut%4", "/cut%4", "/cut%4"),
            ("*", "*", "*"),
        ] {
            let [for_viewer, for_support] = field("ClientRequestURI", &format!("\"{value}\""));
            assert_eq!([for_viewer.trim_matches('"'), for_support.trim_matches('"')], [viewer, support], "{value}");
        }
    }

    #[test]
    fn texts_lose_their_secrets() {
        for (value, viewer, support) in [
            ("curl/8.14.1", "curl/8.14.1", "curl/8.14.1"),
            (
                "Bot (+https://bot.example/?id=7)",
                "Bot (+https://bot.example/?id=[masked])",
                "Bot (+https://bot.example/?id=7)",
            ),
            ("app Bearer hunter2 x", "app Bearer [masked] x", "app Bearer [masked] x"),
            ("app password: hunter2", "app password: [masked]", "app password: [masked]"),
            ("app token=a,b", "app token=[masked],[masked]", "app token=[masked],[masked]"),
            ("mail ann@a.example now", "mail [masked] now", "mail [masked] now"),
            ("card 4111 1111 1111 1111", "[masked]", "[masked]"),
            ("from 192.0.2.1", "from [masked]", "from 192.0.2.1"),
        ] {
            let [for_viewer, for_support] = field("ClientRequestUserAgent", &format!("\"{value}\""));
            assert_eq!([for_viewer.trim_matches('"'), for_support.trim_matches('"')], [viewer, support], "{value}");
        }
        let json = r#""{\"token\":\"abc\",\"page\":2}""#;
        assert_eq!(field("SecurityRuleDescription", json)[1], r#""{\"token\":\"[masked]\",\"page\":2}""#);
    }

    #[test]
    fn masked_text_is_no_way_to_query_it() {
        let (viewer, http) = (Role::Viewer, Dataset::HttpRequests);
        assert_eq!(shown(viewer, http, "EdgeResponseStatus"), Disclosure::Altered);
        assert_eq!(shown(viewer, http, "Cookies"), Disclosure::Hidden);
        assert_eq!(shown(viewer, http, "Novel"), Disclosure::Hidden);
        assert_eq!(shown(viewer, http, "JA4"), Disclosure::Hidden);
        assert_eq!(shown(Role::Support, http, "JA4"), Disclosure::Altered);
        assert_eq!(shown(Role::Forensics, http, "Novel"), Disclosure::Verbatim);
        for (name, operand, may) in [
            ("EdgeResponseStatus", "500", true),
            ("EdgeResponseStatus", "hunter2", false),
            ("ClientRequestHost", "a.example", true),
            ("ClientRequestHost", "sk_live_4eC39HqLyjWDarjtT1zdp7dc.example", false),
            ("ClientRequestHost", MASKED, false),
            ("ClientRequestHost", "192.0.2.0", false),
            ("ClientRequestHost", "[2001:db8::]:443", false),
            ("ClientIP", "198.18.7.0", false),
            ("ClientIP", "198.18.7.0/24", false),
            ("ClientRequestURI", "/", false),
            ("Novel", "1", false),
        ] {
            assert_eq!(prunes(viewer, http, name, operand), may, "{name} {operand}");
            assert!(prunes(Role::Forensics, http, name, operand));
        }
        assert!(prunes(Role::Support, http, "ClientIP", "198.18.7.9"));
        assert!(prunes(Role::Support, http, "ClientIP", "198.18.0.0/16"));
        assert!(!prunes(Role::Support, http, "ClientIP", "198.18.7.9/16"));
        assert!(prunes(Role::Support, http, "ClientRequestHost", "192.0.2.77:80"));
    }

    #[test]
    fn non_records_are_errors_and_append_nothing() {
        for line in ["", "[1]", "{\"a\":1", "null", "{}x", "{\"a\":[}"] {
            let mut out = b"before".to_vec();
            assert!(mask_line(Role::Viewer, Dataset::HttpRequests, line.as_bytes(), &mut out).is_err(), "{line}");
            assert_eq!(out, b"before");
        }
    }

    #[test]
    fn worker_trace_is_masked_in_all_parts() {
        let line = r#"{"Event":{"RayID":"9e35500010000001","Request":{"URL":"https://a.example/?q=1","Method":"GET"},
            "Response":{"Status":200},"New":"x"},"Exceptions":[{"Name":"TypeError","Message":"no price","TimestampMs":1774680145123}],
            "Logs":[{"level":"log","message":["user 7",{"token":"x"}],"TimestampMs":1774680145123}],"ScriptVersion":{"id":"a-1"}}"#;
        let seen = |role| {
            let mut out = Vec::new();
            mask_line(role, Dataset::WorkersTraceEvents, line.as_bytes(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let event = r#"{"Event":{"RayID":"9e35500010000001","Request":{"URL":"https://a.example/?q=Q","Method":"GET"},"Response":{"Status":200},"New":"[masked]"},"#;
        let rest = r#""Exceptions":[{"Name":"TypeError","Message":"[masked]","TimestampMs":1774680145123}],"Logs":[{"level":"log","message":"[masked]","TimestampMs":1774680145123}],"ScriptVersion":{"id":"[masked]"}}"#;
        assert_eq!(seen(Role::Viewer), [&event.replace("=Q", "=[masked]"), rest].concat());
        let rest = r#""Exceptions":[{"Name":"TypeError","Message":"no price","TimestampMs":1774680145123}],"Logs":[{"level":"log","message":["user 7",{"token":"[masked]"}],"TimestampMs":1774680145123}],"ScriptVersion":{"id":"a-1"}}"#;
        assert_eq!(seen(Role::Support), [&event.replace("=Q", "=1"), rest].concat());
    }

    #[test]
    fn depth_without_end_is_masked() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let [viewer, _] = field("SecurityActions", &deep);
        assert_eq!(viewer, format!("{}\"[masked]\"{}", "[".repeat(10), "]".repeat(10)));
        let url = format!("/{}", "a=".repeat(50_000));
        let [_, support] = field("ClientRequestURI", &format!("\"{url}\""));
        assert_eq!(support, r#""/a=[masked]""#);
    }
}
