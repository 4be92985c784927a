//! What a value says is one thing for all that read it: the key, a filter, a cell, a column, some fields, a masked record.
//! The oracle decodes it piece by piece.
#![expect(clippy::cast_precision_loss, reason = "that is what happens to the times")]

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
use raydex::filter::Filter;
use raydex::mask::{Role, mask_line};
use raydex::record::fields::line_text;
use raydex::record::{Dataset, Field, LineScanner, RayKey, RecordMembers, Timestamp, read_key};
use raydex::render::{FieldProjection, PartnerOptions, TimeForm, write_csv_row, write_partner_line};
use serde_json::{Value, json};

/// Pieces of a string's JSON text, each with the UTF-16 units that it stands for.
const PIECES: &[(&[u8], &[u16])] = &[
    (b"a", &[0x61]),
    (b"\\u0062", &[0x62]),
    ("é".as_bytes(), &[0xe9]),
    ("😀".as_bytes(), &[0xd83d, 0xde00]),
    (b"\\ud83d", &[0xd83d]),
    (b"\\uDE00", &[0xde00]),
    (b"\\udbff", &[0xdbff]),
    (b"\\ud83d\\ude00", &[0xd83d, 0xde00]),
    (b"\\\\", &[0x5c]),
    (b"\xff", &[0xfffd]),
    (b"\xe2\x82", &[0xfffd]),
    (b"\xed", &[0xfffd]),
    ("\u{fffd}".as_bytes(), &[0xfffd]),
];

/// A string as a line spells it, and as it is read.
fn string() -> impl Strategy<Value = (Vec<u8>, String)> {
    prop::collection::vec(prop::sample::select(PIECES), 1..8).prop_map(|pieces| {
        let units: Vec<u16> = pieces.iter().flat_map(|(_, units)| units.iter().copied()).collect();
        (pieces.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect(), String::from_utf16_lossy(&units))
    })
}

fn line(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let members: Vec<Vec<u8>> =
        members.iter().map(|(name, value)| [b"\"", *name, b"\":\"", value, b"\""].concat()).collect();
    [b"{", members.join(&b","[..]).as_slice(), b"}"].concat()
}

proptest! {
    #[test]
    fn a_value_says_the_same_to_all_readers((name, told_name) in string(), (value, told) in string()) {
        let agent: &[u8] = b"ClientRequestUserAgent";
        let line = line(&[(&name, &value), (agent, &value), (b"RayID", &value)]);
        let text = line_text(&line);

        let members = RecordMembers::parse(&text).unwrap();
        prop_assert_eq!(members.iter().next().unwrap().0, told_name.as_str());
        let key = read_key(Dataset::HttpRequests, &line).unwrap();
        prop_assert_eq!(key.ray, RayKey::from_logged(&told));
        let mut scanner = LineScanner::new(Dataset::HttpRequests);
        let scanned = scanner.record(&line).unwrap();
        let scanned = scanned.fields.get(Field::ClientRequestUserAgent);
        prop_assert_eq!(scanned.text(), Some(told.as_str()));

        for key in [told_name.as_str(), "ClientRequestUserAgent"] {
            let filter = json!({ "where": { "key": key, "operator": "eq", "value": told } }).to_string();
            prop_assert_eq!(Filter::parse(&filter).unwrap().accepts(&line), Ok(true));
        }

        let mut row = Vec::new();
        write_csv_row(&mut row, &line, &[&told_name, "ClientRequestUserAgent"]).unwrap();
        prop_assert_eq!(String::from_utf8(row).unwrap(), format!("{told},{told}\r\n"));

        let mut partner = Vec::new();
        write_partner_line(&mut partner, &line, &PartnerOptions::default()).unwrap();
        let partner = String::from_utf8(partner).unwrap();
        prop_assert_eq!(partner.split('\u{1}').nth(34), Some(told.as_str()));

        let fields = Some(vec![told_name.clone()]);
        let mut some = Vec::new();
        FieldProjection { fields, ..FieldProjection::default() }.write(&mut some, &line).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&some).unwrap(), json!({ told_name: told }));

        let mut masked = Vec::new();
        mask_line(Role::Support, Dataset::HttpRequests, &line, &mut masked).unwrap();
        let masked: Value = serde_json::from_slice(&masked).unwrap();
        prop_assert_eq!(masked["ClientRequestUserAgent"].as_str(), Some(told.as_str()));
    }

    #[test]
    fn a_time_is_one_instant_for_all_readers(ns in 1_262_304_000_000_000_000_i64..2_000_000_000_000_000_000, form in 0..6_usize) {
        let double = ns as f64;
        let spelled = match form {
            0 => ns.to_string(),
            1 => format!("\"{ns}\""),
            2 => format!("{double:e}"),
            3 => format!("\"{}\"", format!("{double:e}").replace('e', "E+")),
            4 => format!("{ns}.0"),
            _ => format!("{double}"),
        };
        let line = format!(r#"{{"EdgeStartTimestamp":{spelled},"RayID":"a5e67601d099950d"}}"#);
        let start = read_key(Dataset::HttpRequests, line.as_bytes()).unwrap().start.unwrap();
        prop_assert!((start.unix_ns() - ns).abs() <= 256, "{spelled}");
        let mut scanner = LineScanner::new(Dataset::HttpRequests);
        prop_assert_eq!(scanner.key(line.as_bytes()).unwrap().start, Some(start));

        let mut partner = Vec::new();
        write_partner_line(&mut partner, line.as_bytes(), &PartnerOptions::default()).unwrap();
        let partner = String::from_utf8(partner).unwrap();
        let (seconds, ms) = (start.unix_s(), start.unix_ms() % 1000);
        let expected = format!("{seconds}.{ms:03}");
        prop_assert_eq!(partner.split('\u{1}').nth(4), Some(expected.as_str()));

        let mut some = Vec::new();
        let times = Some(TimeForm::Rfc3339Ns);
        FieldProjection { times, ..FieldProjection::default() }.write(&mut some, line.as_bytes()).unwrap();
        let some: Value = serde_json::from_slice(&some).unwrap();
        prop_assert_eq!(some["EdgeStartTimestamp"].as_str().and_then(Timestamp::parse), Some(start));
    }
}
