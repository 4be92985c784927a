//! Takes secrets out of a report before it is compared, forwarded or stored.
//!
//! # Invariants
//! The value of a member whose name is that of a secret is replaced as a whole, however deep it is; texts lose what
//! [`RedactionRules::text`] takes out of them.

use std::borrow::Cow;

use super::report::ReportValue;
use crate::edge::redaction::{REDACTED, RedactionRules};

/// Redacts a report.
pub(super) fn redact(report: &mut ReportValue, rules: &RedactionRules) {
    match report {
        ReportValue::Text(text) => {
            if let Cow::Owned(kept) = rules.text(text) {
                *text = kept;
            }
        }
        ReportValue::List(items) => items.iter_mut().for_each(|item| redact(item, rules)),
        ReportValue::Object(members) => {
            let named = rules.named_secrets(members.iter().map(|(name, member)| match member {
                ReportValue::Text(text) => (name.as_str(), Some(text.as_str())),
                _ => (name.as_str(), None),
            }));
            for (name, member) in members {
                let is_named = || named.iter().any(|named| named.is_in(name) && is_hidden(&named.name, member, rules));
                if is_hidden(name, member, rules) || is_named() {
                    *member = ReportValue::Text(REDACTED.to_owned());
                } else {
                    redact(member, rules);
                }
            }
        }
        ReportValue::Null | ReportValue::Flag(_) | ReportValue::Number(_) => {}
    }
}

/// Returns whether a member is redacted as a whole.
fn is_hidden(name: &str, member: &ReportValue, rules: &RedactionRules) -> bool {
    match member {
        ReportValue::Flag(_) | ReportValue::Null => false,
        ReportValue::Text(text) => rules.redacts_text_member(name, text),
        ReportValue::Number(number) => rules.redacts_value(name, number),
        ReportValue::List(_) | ReportValue::Object(_) => rules.redacts_name(name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::value;
    use super::redact;
    use crate::edge::redaction::{PathPattern, RedactionRules};

    fn redacted(report: &str) -> String {
        let paths = PathPattern::parse("/reset/*").into_iter().collect();
        let rules = RedactionRules {
            parameters: vec!["e-mail".into()],
            kept: vec!["errorcode".into()],
            paths,
            ..RedactionRules::default()
        };
        let mut report = value(report);
        redact(&mut report, &rules);
        report.canonical()
    }

    #[test]
    fn secrets_leave_reports_at_any_depth() {
        for report in [
            r#"{"url":"https://a.example/x?token=canary&b=1#canary"}"#,
            r#"{"body":{"documentURL":"https://ann:canary@a.example/reset/canary"}}"#,
            r#"{"list":[{"password":"canary"},["/x?api_key=canary"]]}"#,
            r#"{"body":{"request_headers":{"Authorization":["canary"]},"e-mail":{"a":"canary"}}}"#,
            r#"{"message":"Failed to load \"https://a.example/x?sig=canary\", see (https://b.example/reset/canary)."}"#,
            r#"{"stack":"at f (https://a.example/m.js?access_token=canary:1:2)\n  at /y?session=canary"}"#,
            r#"{"status_code":"canary","code":200,"text":"x?token=canary"}"#,
            r#"{"d":"{\"password\":\"canary\"}","e":"Cookie: a=b; sid=canary"}"#,
            r#"{"headers":[{"name":"Authorization","value":"Bearer canary"}]}"#,
        ] {
            assert!(!redacted(report).contains("canary"), "{report}: {}", redacted(report));
        }
    }

    #[test]
    fn reports_of_browsers_stay_as_they_are() {
        for report in [
            r#"{"cookieEnabled":true,"errorCode":"A1","token":null}"#,
            r#"{"body":{"elapsed_time":18,"method":"GET","phase":"dns","protocol":"","referrer":"https://a.example/","sampling_fraction":0.5,"server_ip":"192.0.2.1","status_code":0,"type":"dns.name_not_resolved"},"type":"network-error","url":"https://a.example/?page=2","user_agent":"Mozilla/5.0 (X11; Linux x86_64)"}"#,
            r#"{"body":{"blockedURL":"inline","columnNumber":39,"disposition":"enforce","documentURL":"https://a.example/","effectiveDirective":"script-src-elem","lineNumber":121,"originalPolicy":"default-src 'self'; report-to main","referrer":"","sample":"console.log(\"lo\")","sourceFile":"https://a.example/x.js","statusCode":200},"type":"csp-violation"}"#,
            r#"{"csp-report":{"blocked-uri":"http://b.example/x.css","document-uri":"https://a.example/y","original-policy":"default-src 'none'; style-src cdn.example; report-uri /_/csp","referrer":"","script-sample":"","status-code":200,"violated-directive":"style-src-elem"}}"#,
            r#"{"body":{"anticipatedRemoval":"2026-01-01T00:00:00.000Z","columnNumber":7,"id":"websql","lineNumber":3,"message":"WebSQL is old and/or slow","sourceFile":"https://a.example/z.js"},"type":"deprecation"}"#,
        ] {
            assert_eq!(redacted(report), report);
        }
    }
}
