//! Values that an attack found unmasked, each with what either role sees of it now.

use raydex::mask::Role;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::masked;

/// What viewer and support see of a field.
fn seen(dataset: Dataset, field: &str, value: &Value) -> [Value; 2] {
    let line = json!({ field: value }).to_string();
    [Role::Viewer, Role::Support].map(|role| {
        let seen: Value = serde_json::from_str(&masked(role, dataset, &line)).unwrap();
        seen[field].clone()
    })
}

fn assert_texts(field: &str, cases: &[(&str, &str, &str)]) {
    let others = cases.iter().filter_map(|(value, viewer, support)| {
        let seen = seen(Dataset::HttpRequests, field, &json!(value));
        (seen != [json!(viewer), json!(support)]).then(|| format!("{value:?} is seen as {} and {}", seen[0], seen[1]))
    });
    let others: Vec<String> = others.collect();
    assert!(others.is_empty(), "{field}: {others:#?}");
}

#[test]
fn addresses_in_paths_are_masked_for_viewer() {
    let paths = [
        ("/192.0.2.77:443/x", "/[masked]/x"),
        ("/x/ip:192.0.2.77", "/x/[masked]"),
        ("/x/192.0.2.77/24", "/x/[masked]/24"),
        ("/x/[2001:db8::77]:443", "/x/[masked]"),
        ("/x/fe80::77%25eth0", "/x/[masked]"),
        ("/x/2001:db8::77/64", "/x/[masked]/64"),
        ("/x/::ffff:192.0.2.77", "/x/[masked]"),
        ("/x/192%2E0%2E2%2E77", "/x/[masked]"),
        ("/x/ip%3A192.0.2.77", "/x/[masked]"),
        ("/x/2001%3Adb8%3A%3A77", "/x/[masked]"),
        ("/x/１９２.0.2.77", "/x/[masked]"),
        ("/x/host-192-0-2-77/y", "/x/[masked]/y"),
    ];
    for (path, viewer) in paths {
        assert_texts("ClientRequestPath", &[(path, viewer, path)]);
    }
}

#[test]
fn addresses_in_other_fields_are_masked_for_viewer() {
    for (field, value, viewer) in [
        ("ClientRequestUserAgent", "app/1.2 ip:192.0.2.77", "app/1.2 [masked]"),
        ("ClientRequestUserAgent", "app 192.0.2.77/24 2001:db8::77/64", "app [masked]/24 [masked]/64"),
        ("ClientRequestUserAgent", "app 192[.]0[.]2[.]77", "[masked]"),
        ("SecurityRuleDescription", "ip.src in {192.0.2.77/24}", "ip.src in {[masked]/24}"),
        ("SecurityRuleDescription", "block [2001:db8::77]", "block [[masked]]"),
        ("ClientRequestHost", "192-0.2-77.example", "[masked].[masked].example"),
        ("ClientRequestHost", "c000024d.example", "[masked].example"),
        ("BotTags", "192.0.2.77", "[masked]"),
        ("BotTags", "ip:192.0.2.77", "[masked]"),
        ("WorkerScriptName", "2001:db8::77", "[masked]"),
    ] {
        let seen = seen(Dataset::HttpRequests, field, &json!(value));
        assert_eq!(seen, [json!(viewer), json!(value)], "{field} {value}");
    }
}

#[test]
fn address_is_no_protocol() {
    let seen = seen(Dataset::HttpRequests, "ClientRequestProtocol", &json!("192.0.2.77"));
    assert_eq!(seen, [json!("[masked]"), json!("[masked]")]);
}

#[test]
fn versions_and_cut_addresses_stay_for_viewer() {
    for (field, value) in [
        ("ClientRequestUserAgent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/146.0.0.0 Safari/537.36"),
        ("ClientRequestUserAgent", "Edg/146.0.3856.78"),
        ("ClientRequestPath", "/2026/11/28/post-title.html"),
        ("ClientRequestPath", "/backup-2026-11-28-08-42.tgz"),
        ("ClientRequestPath", "/oauth2/v2/authorize"),
        ("ClientRequestPath", "/password/reset/confirm/"),
        ("ClientRequestPath", "/ｂüｃｈｅｒ/x"),
        ("ClientRequestHost", "192.0.2.0:8443"),
        ("SecurityRuleDescription", "log requests without a session"),
        ("BotTags", "team:web"),
    ] {
        assert_eq!(seen(Dataset::HttpRequests, field, &json!(value)), [json!(value), json!(value)], "{field} {value}");
    }
}

#[test]
fn segments_after_a_name_are_masked() {
    for (path, seen) in [
        ("/password/correct", "/password/[masked]"),
        ("/api/token/Zebra/", "/api/token/[masked]/"),
        ("/reset/abcdef/ghijkl", "/reset/[masked]/[masked]"),
        ("/reset-password/confirm/abc", "/reset-password/confirm/[masked]"),
        ("/pass%77ord/abc", "/pass%77ord/[masked]"),
        ("/key/A1b2/list", "/key/[masked]/list"),
        ("/x/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY/y", "/x/[masked]/y"),
        ("/pay/4111/1111/1111/1111", "[masked]"),
        ("https://user:ab/cd@a.example/x", "https://a.example/x"),
        ("https://a.example:8443/x", "https://a.example:8443/x"),
    ] {
        assert_texts("ClientRequestPath", &[(path, seen, seen)]);
    }
}

#[test]
fn credentials_in_texts_are_masked() {
    for (text, seen) in [
        ("curl Authorization:Basic dXNlcg x", "curl Authorization:[masked]"),
        ("tool --password horse", "tool --password [masked]"),
        ("curl -u ann:pw", "curl -u [masked]"),
        ("app npm_abcdefghijklmnopqrstuvwxyz", "app [masked]"),
        ("app wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "app [masked]"),
        ("app ghp_abcdefghijklmnop", "app [masked]"),
        ("app xoxb-abcdefgh", "app [masked]"),
        ("app token is abc", "app token is [masked]"),
        ("GET /reset/abc/def ok", "GET /reset/[masked]/[masked] ok"),
        ("GET /password/verify/abc", "GET /password/verify/[masked]"),
        ("app \"password\": \"correct horse\"", "app \"password\": \"[masked]\""),
        ("app ｐａｓｓｗｏｒｄ：abc", "app password:[masked]"),
        ("app -----BEGIN PRIVATE KEY-----\nMII\n-----END", "app [masked]"),
        ("Cookie: a=b; c=d", "Cookie:[masked]"),
    ] {
        for field in ["ClientRequestUserAgent", "SecurityRuleDescription"] {
            assert_texts(field, &[(text, seen, seen)]);
        }
    }
}

#[test]
fn secrets_written_in_other_ways_are_masked() {
    let mut cases = Vec::new();
    for (text, seen) in [
        ("form password[]=abc x", "form password[][masked] x"),
        ("form user[password]=abc x", "form user[password][masked] x"),
        ("set password to abc now", "set password to [masked] now"),
        ("the token is \"a b c\" here", "the token is \"[masked]\" here"),
        ("token => abc", "token => [masked]"),
        ("password\nhunter2", "password\n[masked]"),
        ("name=\"token\"\r\n\r\nhunter2\r\n--b", "name=\"token\"\r\n\r\n[masked]\r\n--b"),
        ("token&#61;abc x", "token=[masked] x"),
        ("token&#x3d;abc x", "token=[masked] x"),
        ("token&equals;abc x", "token=[masked] x"),
        ("token\\u003dabc x", "token=[masked] x"),
        ("token\\x3dabc x", "token=[masked] x"),
        ("curl -uann:horse x", "curl [masked] x"),
        ("curl -u 'ann:pw' x", "curl -u '[masked]' x"),
        ("curl --user=ann:horse x", "curl --user=[masked] x"),
        ("redis AUTH abc1 x", "redis AUTH [masked] x"),
        ("GET /activate/a1b2 x", "GET /activate/[masked] x"),
        ("GET /verify/a1b2 x", "GET /verify/[masked] x"),
        ("GET /unsubscribe/a1b2 x", "GET /unsubscribe/[masked] x"),
    ] {
        cases.push((text, seen, seen));
    }
    for field in ["ClientRequestUserAgent", "SecurityRuleDescription"] {
        assert_texts(field, &cases);
    }
}

#[test]
fn secrets_in_escapes_of_urls_are_masked() {
    for (url, seen) in [
        ("/activate/a1b2", "/activate/[masked]"),
        ("/users/verify/a1b2/done", "/users/verify/[masked]/done"),
        ("/confirm-email/A1b2", "/confirm-email/[masked]"),
        ("/x\\u002ftoken\\u002fabc", "/x/token/[masked]"),
        ("/x&#47;token&#47;abc", "/x/token/[masked]"),
        ("/verify/domain", "/verify/domain"),
    ] {
        assert_texts("ClientRequestPath", &[(url, seen, seen)]);
    }
    for (url, support) in [
        ("/x?c=curl+-u+'ann:pw'", "/x?c=[masked]"),
        ("/x?c=curl%20-u%20ann:pw", "/x?c=[masked]"),
        ("/x?c=AUTH%20abc1", "/x?c=[masked]"),
        ("/x?password%5B%5D=abc", "/x?password%5B%5D=[masked]"),
        ("/x?password[]=abc", "/x?password[]=[masked]"),
    ] {
        assert_eq!(seen(Dataset::HttpRequests, "ClientRequestURI", &json!(url))[1], json!(support), "{url}");
    }
}

#[test]
fn addresses_with_other_separators_are_masked() {
    for (field, value, viewer) in [
        ("ClientRequestPath", "/x/192/0/2/77", "[masked]"),
        ("ClientRequestUserAgent", "app 192,0,2,77", "[masked]"),
        ("ClientRequestUserAgent", "app (192, 0, 2, 77)", "[masked]"),
        ("ClientRequestUserAgent", "app 192\\u002e0\\u002e2\\u002e77", "app [masked]"),
        ("ClientRequestUserAgent", "app 192&#46;0&#46;2&#46;77", "app [masked]"),
        ("ClientRequestPath", "/x/192\\u002e0\\u002e2\\u002e77", "/x/[masked]"),
        ("ClientRequestPath", "/2026/11/28/1", "/2026/11/28/1"),
        ("ClientRequestPath", "/x/1/2/3", "/x/1/2/3"),
    ] {
        assert_eq!(seen(Dataset::HttpRequests, field, &json!(value))[0], json!(viewer), "{field} {value}");
    }
}

#[test]
fn parameters_of_secrets_are_masked_for_support() {
    for name in [
        "passcode",
        "pincode",
        "mfa",
        "otp",
        "ssn",
        "card_number",
        "cardNumber",
        "cred",
        "creds",
        "seed",
        "mnemonic",
        "private",
        "refresh",
        "invite",
        "magic",
        "activation",
        "hdnea",
        "hdnts",
        "nonce",
        "nonces",
        "ｏｔｐ",
    ] {
        let [_, support] = seen(Dataset::HttpRequests, "ClientRequestURI", &json!(format!("/x?{name}=abc&page=2")));
        assert!(support.as_str().unwrap().ends_with("=[masked]&page=2"), "{support}");
    }
}

#[test]
fn worker_messages_after_a_name_are_masked() {
    for (message, support) in [
        (json!(["token:", "abc"]), json!(["token:", "[masked]"])),
        (json!(["token", 7, "x"]), json!(["token", null, "x"])),
        (json!(["login %s, token %s", "ann", "abc"]), json!(["login %s, token [masked]", "[masked]", "[masked]"])),
        (json!([{ "name": "token", "value": "abc" }]), json!([{ "name": "token", "value": "[masked]" }])),
        (json!([{ "a": ["authorization", "Bearer abc"] }]), json!([{ "a": ["authorization", "[masked]"] }])),
        (json!(["from 192.0.2.77"]), json!(["from 192.0.2.77"])),
    ] {
        let [viewer, seen] = seen(Dataset::WorkersTraceEvents, "Logs", &json!([{ "Message": message }]));
        assert_eq!(viewer, json!([{ "Message": "[masked]" }]));
        assert_eq!(seen, json!([{ "Message": support }]), "{message}");
    }
    let (before, seen) = (json!({ "value": "abc", "name": "token" }), json!({ "value": "[masked]", "name": "token" }));
    let [_, support] = self::seen(Dataset::WorkersTraceEvents, "Logs", &json!([{ "Message": before }]));
    assert_eq!(support, json!([{ "Message": seen }]));
}
