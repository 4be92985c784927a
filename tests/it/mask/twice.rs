//! Any text at all: masking it gives JSON, never panics, and masking it again changes nothing.

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::prop_oneof;
use raydex::mask::Role;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::masked;

/// Fields of the classes that texts are scrubbed in, and of some that have a shape.
const NAMES: [&str; 8] = [
    "ClientRequestURI",
    "ClientRequestReferer",
    "ClientRequestUserAgent",
    "SecurityRuleDescription",
    "ClientRequestHost",
    "ClientIP",
    "RayID",
    "Novel",
];

/// Texts of the pieces that decide something.
fn texts() -> impl Strategy<Value = String> {
    let pieces = [
        "[masked]",
        "masked",
        "token",
        "=",
        "key=",
        "&",
        ";",
        "?",
        "#",
        "/",
        "://",
        "https://",
        "@",
        ":",
        "%",
        "%25",
        "%3D",
        "%2525",
        "%40",
        "%5Bmasked%5D",
        "Bearer ",
        " ",
        ",",
        "\"",
        "{",
        "}",
        "[",
        "]",
        "\\",
        "a",
        "page",
        "4111",
        "-",
        "192.0.2.1",
        ".",
        "eyJhbGciOiJIUzI1NiJ9",
        "d41d8cd98f00b204e9800998ecf8427e",
        "é",
        "\u{0}",
        "x=1",
        "password",
        "token: ",
        " is ",
        " -u ",
        "Cookie:",
        "Authorization:Basic ",
        "'",
        "reset/",
        "192.0.2.77",
        "::1",
        "2001:db8::77",
        "ｔｏｋｅｎ",
        "：",
        "\u{200b}",
        "\u{301}",
        "-----BEGIN KEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "\\\"",
        "\n",
    ];
    let piece = prop_oneof![8 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn masking_twice_is_masking_once(text in texts(), name in prop::sample::select(NAMES.to_vec())) {
        let headers = json!({ text.clone(): [text.clone(), "token:", text] });
        let line = json!({ name: text, "RequestHeaders": headers }).to_string();
        for role in [Role::Viewer, Role::Support] {
            let once = masked(role, Dataset::HttpRequests, &line);
            prop_assert!(serde_json::from_str::<Value>(&once).is_ok(), "{once}");
            prop_assert_eq!(masked(role, Dataset::HttpRequests, &once), once, "{} {}", role, line);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in texts()) {
        for line in [bytes, format!("{{\"Logs\":{text}}}").into_bytes()] {
            for role in [Role::Viewer, Role::Support] {
                let mut out = Vec::new();
                let masked = raydex::mask::mask_line(role, Dataset::WorkersTraceEvents, &line, &mut out);
                prop_assert_eq!(masked.is_ok(), serde_json::from_slice::<Value>(&out).is_ok());
            }
        }
    }
}
