//! How the harmless values of each class look.
//!
//! # Invariants
//!
//! A value that fits is shown as it is. A shape is as narrow as real values allow, so that a secret in a field where
//! it does not belong does not fit.

use super::address::has_address;
use super::host::HOST_LENGTH;
use super::numbers::has_card;
use super::own_words::is_own_word;
use super::tokens::{is_token, is_uuid};
use super::words::{is_harmless, refused};
use super::{FieldClass, MASKED, Role, scrub};
use crate::record::Timestamp;
use chrono::DateTime;

/// Digits before the point of a number: a count or an id has fewer, a card's number has 13 and more.
const WHOLE_DIGITS: usize = 12;
/// Digits after the point: what a ratio of 64 bits is written with.
const DECIMALS: usize = 17;
/// The years 2010 to 2100, in Unix seconds.
const SECONDS: std::ops::Range<i64> = 1_262_304_000..4_102_444_800;
/// The longest of the counts of time that a job or a double writes: `1.79533506077712358e+18`, with room for zeros.
const TIME_LENGTH: usize = 24;

/// Whether a text has the shape of its class.
pub(super) fn fits(role: Role, class: FieldClass, text: &str) -> bool {
    let is = |most: usize, sign: fn(u8) -> bool| text.len() <= most && text.bytes().all(sign);
    text.is_empty()
        || match class {
            FieldClass::Ray => is_ray(text),
            FieldClass::Time => is_time(text) || is(35, is_date_sign) && DateTime::parse_from_rfc3339(text).is_ok(),
            FieldClass::Number | FieldClass::Position => is_number(text),
            FieldClass::Flag => matches!(text, "true" | "false"),
            FieldClass::Country => text.len() == 2 && is(2, |byte| byte.is_ascii_alphanumeric()),
            FieldClass::Region => is(3, |byte| byte.is_ascii_alphanumeric()),
            FieldClass::Colo => is(5, |byte| byte.is_ascii_uppercase()),
            FieldClass::Method => is(20, |byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')),
            FieldClass::Scheme => matches!(text, "http" | "https" | "ws" | "wss"),
            FieldClass::Protocol => {
                is(12, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-')) && !has_address(text)
            }
            FieldClass::Cipher => {
                is(48, |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) && is_harmless(text)
            }
            FieldClass::Word => {
                let is_word =
                    is(48, |byte| byte.is_ascii_alphabetic() || b" -_&'".contains(&byte)) && is_harmless(text);
                is_word || is_own_word(text)
            }
            FieldClass::Name => {
                is(64, |byte| byte.is_ascii_alphanumeric() || b" -_.:/".contains(&byte)) && is_name(role, text)
            }
            FieldClass::Place => {
                text.len() <= 96 && !text.bytes().any(|byte| byte.is_ascii_digit()) && is_harmless(text)
            }
            FieldClass::Mime => is(96, |byte| byte.is_ascii_graphic() || byte == b' ') && is_harmless(text),
            FieldClass::Date => {
                is(40, is_date_sign) && DateTime::parse_from_rfc2822(text).is_ok() || matches!(text, "0" | "-1")
            }
            FieldClass::Host => is_host(role, text),
            FieldClass::Ip => text.parse::<std::net::IpAddr>().is_ok(),
            FieldClass::Id => is(64, |byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte)) && is_id(text),
            FieldClass::Fingerprint => {
                is(64, |byte| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte)) && (is_ja4(text) || is_id(text))
            }
            FieldClass::TraceContext => is_trace_context(text),
            _ => text == MASKED,
        }
}

/// Whether a number, as the line spells it, has the shape of its class.
pub(super) fn fits_number(class: FieldClass, digits: &str) -> bool {
    match class {
        FieldClass::Time => is_time(digits),
        FieldClass::Number | FieldClass::Position | FieldClass::Id => is_number(digits),
        _ => false,
    }
}

/// A ray, or its substitute in old lines. Digits alone, 17 of them and more, do not count.
fn is_ray(text: &str) -> bool {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 16;
    text.len() <= 32 && (is_mixed_hex(text) || is_digits && !has_card(text) || is_harmless(text))
}

/// Hexadecimal digits with a letter among them: one number, of which no part is the number of a card.
fn is_mixed_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_date_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" ,:+-.".contains(&byte)
}

/// A number without an exponent that could hide digits.
fn is_number(text: &str) -> bool {
    let digits = |text: &str, most: usize| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    // Zeros at the end say nothing.
    let significant = decimals.trim_end_matches('0');
    let decimals = if significant.is_empty() { decimals.get(..1).unwrap_or_default() } else { significant };
    let parts = [(whole, WHOLE_DIGITS), (decimals, DECIMALS), (exponent, 3)];
    parts.iter().all(|(part, most)| !part.is_empty() && digits(part, *most))
}

/// A count of our days in any unit and spelling, or 0. Cards of as many digits are of other years: what is not of one of the
/// usual lengths begins with the digit of the years up to 2033, which no card begins with.
fn is_time(text: &str) -> bool {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_usual = is_digits && matches!(text.len(), 10 | 13 | 19);
    let is_other = || text.len() <= TIME_LENGTH && text.starts_with('1') && !has_card(text);
    text == "0" || (is_usual || is_other()) && Timestamp::parse(text).is_some_and(|at| SECONDS.contains(&at.unix_s()))
}

fn is_name(role: Role, text: &str) -> bool {
    !refused(role, text)
}

fn is_host(role: Role, text: &str) -> bool {
    text.len() <= HOST_LENGTH && scrub::scrubbed(role, FieldClass::Host, text) == text
}

/// Hexadecimal digits, with two signs before them at most (`x:`), a UUID, or what does not look like a token.
fn is_id(text: &str) -> bool {
    let digits = text.split_once(':').map_or(text, |(mark, digits)| if mark.len() == 1 { digits } else { text });
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mixed_hex(digits) || !has_card(text) && (is_hex || is_uuid(text.as_bytes()) || !is_token(text))
}

/// A header of W3C's Trace Context in its first version: lower-case digits of a version, two IDs and flags.
fn is_trace_context(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let parts: Vec<&str> = text.splitn(5, '-').collect();
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2]) && parts.into_iter().all(digits)
}

/// A fingerprint JA4: what was offered, and two digests of 12 hexadecimal digits.
fn is_ja4(text: &str) -> bool {
    let mut parts = text.split('_');
    let is_offer = |part: &str| part.len() == 10 && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_digest = |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let offer = parts.next().is_some_and(is_offer);
    offer && parts.next().is_some_and(is_digest) && parts.next().is_some_and(is_digest) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{FieldClass, Role, fits, fits_number};

    #[test]
    fn values_fit_their_class_and_no_other() {
        let cases: [(FieldClass, &[&str], &[&str]); 17] = [
            (
                FieldClass::Ray,
                &["9e35500010000001", "00", "test-ray-001", "a620889091248142", "a6208764275692bc", "9111111111111111"],
                &["eyJhbGciOiJIUzI1NiJ9", "9e35500010000001-x@y", "4111111111111111", "x4111111111111111"],
            ),
            (
                FieldClass::Time,
                &[
                    "1774680145",
                    "1774680145123",
                    "1774680145123456",
                    "1774680145123456789",
                    "1774680145.123",
                    "1.7953350607771236e+18",
                    "1.795335061e+09",
                    "1795335060777123457.0",
                    "2026-03-28T08:42:25Z",
                    "2026-03-28T08:42:25.123456789Z",
                    "0",
                ],
                &[
                    "4111111111111111",
                    "4.111111111111111e15",
                    "2221000000000009",
                    "2.221000000000009e18",
                    "1774680145.4111111111111111",
                    "1774680145.0000004111111111111111",
                    "4222222222222",
                    "6200000000000000003",
                    "2026",
                    "hunter2",
                ],
            ),
            (
                FieldClass::Number,
                &["-1.5", "-0", "20", "20.0", "2E+2", "0.98826485872269", "1e3", "200.000000000000000000000000000000"],
                &["4111111111111111", "x", ".", "1.", "0x1", "1e99999"],
            ),
            (FieldClass::Flag, &["true"], &["True", "1"]),
            (FieldClass::Country, &["us", "T1"], &["u", "usa", "@@"]),
            (FieldClass::Region, &["CA", "13", "ENG"], &["ABCD", "a-b"]),
            (FieldClass::Colo, &["SJC"], &["sjc", "SECRET"]),
            (FieldClass::Method, &["GET", "VERSION-CONTROL"], &["get", "GET1"]),
            (FieldClass::Scheme, &["https"], &["ftp", "HTTPS"]),
            (
                FieldClass::Protocol,
                &["HTTP/1.1", "TLSv1.3", "QUIC", "none"],
                &["HTTP/1.1 and more", "a b", "192.0.2.77"],
            ),
            (FieldClass::Cipher, &["ECDHE-ECDSA-CHACHA20-POLY1305-SHA256"], &["d41d8cd98f00b204e9800998ecf8427e"]),
            (FieldClass::Word, &["eyeball", "Search Engine Crawler", "l7ddos"], &["hunter2", "a@b", "é"]),
            (
                FieldClass::Name,
                &["shop-api", "team:web", "com.example.app"],
                &["sk_live_4eC39HqLyjWDarjtT1zdp7dc", "a=b", "password:hunter2"],
            ),
            (FieldClass::Place, &["San José", "東京"], &["10115 Berlin", "a@b"]),
            (FieldClass::Mime, &["text/html; charset=utf-8"], &["text/eyJhbGciOiJIUzI1NiJ9"]),
            (FieldClass::Date, &["Fri, 27 Mar 2026 21:04:11 GMT", "0"], &["tomorrow"]),
            (
                FieldClass::Host,
                &["a.example", "a.example:8443", "192.0.2.0", "[2001:db8::]:443"],
                &["a b", "sk_live_4eC39HqLyjWDarjt.example"],
            ),
        ];
        assert_shapes(&cases);
    }

    /// That the first values of each class have its shape, and the other ones do not.
    fn assert_shapes(cases: &[(FieldClass, &[&str], &[&str])]) {
        for (class, right, wrong) in cases {
            for role in [Role::Viewer, Role::Support] {
                assert!(right.iter().chain([&""]).all(|text| fits(role, *class, text)), "{class:?} {right:?}");
                for text in *wrong {
                    assert!(!fits(role, *class, text), "{class:?} {text}");
                }
            }
        }
    }

    #[test]
    fn ids_and_fingerprints_are_no_tokens() {
        assert_shapes(&[
            (
                FieldClass::Id,
                &[
                    "5f2c1e7a9b3d4c60a1f0e9d8c7b6a594",
                    "100005",
                    "0f6d1c5e-7a3b-4f80-9c2d-5e6f708192a3",
                    "zone-lockdown",
                ],
                &[
                    "eyJhbGciOiJIUzI1NiJ9",
                    "ghp_abcdefghijklmnop",
                    "9Lp4sn7V5R77RmvR3LY8Arfgg-6yl7S6",
                    "4111111111111111",
                ],
            ),
            (
                FieldClass::Fingerprint,
                &[
                    "t13d1516h2_8daaf6152771_02713d6af862",
                    "773906b0efdefa24a7f2b8eb6985bf37",
                    "x:9f78e0ed210960d7693b167e",
                ],
                &["sk_live_4eC39HqLyjWDarjt", "t13d1516h2_8daaf6152771_02713d6af862_x1", "a@b"],
            ),
            (
                FieldClass::TraceContext,
                &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
                &[
                    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                    "4bf92f3577b34da6a3ce929d0e0e4736",
                    "a-b-c-d",
                ],
            ),
        ]);
    }

    #[test]
    fn a_number_stands_only_where_numbers_do() {
        for class in FieldClass::ALL {
            let numbers = matches!(class, FieldClass::Number | FieldClass::Position | FieldClass::Id);
            assert_eq!(fits_number(*class, "20"), numbers, "{class:?}");
            assert!(!fits_number(*class, "4111111111111111"), "{class:?}");
        }
        assert!(fits_number(FieldClass::Time, "1774680145123456789"));
    }
}
