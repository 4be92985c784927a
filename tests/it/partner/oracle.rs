//! The partner's line once more, written the slow and plain way straight from the format's table: a record
//! becomes a map, a line becomes a list of strings. It shares no code with the renderer but the timestamps.

use chrono::Datelike;
use std::collections::BTreeMap;

use raydex::record::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

/// What the oracle makes of a line.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    /// The 145 cells.
    pub cells: Vec<String>,
    /// Whether something was replaced.
    pub sanitised: bool,
}

/// The columns that print a number, whatever the type of the member.
const NUMBERS: &[usize] = &[4, 14, 20, 22, 23, 25, 30];

/// The columns that print a member as it is.
const PLAIN: &[(&[usize], &str)] = &[
    (&[4], "EdgeResponseStatus"),
    (&[11], "EdgeServerIP"),
    (&[13, 36, 40], "ClientIP"),
    (&[14], "ClientSrcPort"),
    (&[15], "ClientRequestMethod"),
    (&[16], "ClientRequestScheme"),
    (&[17, 60], "ClientRequestHost"),
    (&[19], "ClientRequestProtocol"),
    (&[20], "ClientRequestBytes"),
    (&[22], "EdgeResponseBytes"),
    (&[23], "EdgeResponseBodyBytes"),
    (&[24, 29], "OriginIP"),
    (&[25, 30], "OriginResponseStatus"),
    (&[33], "EdgeResponseContentType"),
    (&[62], "ClientSSLProtocol"),
];

/// One record, and what was noticed while printing it.
struct Record {
    members: BTreeMap<String, Box<RawValue>>,
    sanitised: bool,
}

/// The line of a record, with the default options.
pub(crate) fn render(line: &[u8]) -> Expected {
    let text = String::from_utf8_lossy(line).into_owned();
    let read = repaired(&text);
    let members = serde_json::from_str(&read).unwrap();
    let mut record = Record { members, sanitised: read.as_bytes() != line };
    let mut cells: Vec<String> = (1..=145).map(|number| record.cell(number)).collect();
    for cell in cells.iter_mut().filter(|cell| cell.is_empty()) {
        *cell = "-".into();
    }
    Expected { cells, sanitised: record.sanitised }
}

impl Record {
    fn cell(&mut self, number: usize) -> String {
        if let Some((_, name)) = PLAIN.iter().find(|(numbers, _)| numbers.contains(&number)) {
            let text = self.text(name);
            return if NUMBERS.contains(&number) { one_spelling(&text) } else { text };
        }
        match number {
            1 => "cs_vod_v3.0".into(),
            3 => self
                .members
                .get("RayID")
                .map(|raw| raw.get().to_owned())
                .filter(|raw| is_number(raw))
                .unwrap_or_else(|| self.text("RayID")),
            2 => self.time("[%d/%b/%Y:%H:%M:%S %z]"),
            5 => self.time("%s%.3f"),
            6 | 9 => self.seconds("EdgeTimeToFirstByteMs"),
            7 => self.seconds("OriginResponseHeaderReceiveDurationMs"),
            8 => self.seconds("OriginRequestHeaderSendDurationMs"),
            12 => self.port(),
            18 => self.url(),
            21 => self.content_length(),
            26 => self.seconds("OriginResponseDurationMs"),
            27 | 28 => self.cache_status(),
            34 => self.text("ClientRequestReferer").chars().take(2048).collect(),
            35 => self.text("ClientRequestUserAgent").chars().take(1024).collect(),
            42 => self.dysta(),
            44 => self.seconds("OriginTLSHandshakeDurationMs"),
            45 => self.country(),
            55 => self.time("%d/%b/%Y:%H:%M:%S %z"),
            _ => String::new(),
        }
    }

    /// What a member says, before anything is done to it.
    fn said(&self, name: &str) -> String {
        self.members.get(name).map(|raw| said(raw)).unwrap_or_default()
    }

    fn clean(&mut self, text: &str) -> String {
        let is_end = |c: char| (c as u32) < 32 || ['\u{85}', '\u{2028}', '\u{2029}'].contains(&c);
        let clean: String = text.chars().map(|c| if is_end(c) { ' ' } else { c }).collect();
        self.sanitised |= clean != text;
        clean
    }

    fn text(&mut self, name: &str) -> String {
        self.clean(&self.said(name))
    }

    fn time(&self, format: &str) -> String {
        let zone = chrono::FixedOffset::east_opt(28_800).unwrap();
        let said = self.said("EdgeStartTimestamp");
        let year = |at: Timestamp| chrono::DateTime::from_timestamp_nanos(at.unix_ns()).year();
        let time = Timestamp::parse(&said).filter(|at| said.contains(':') || (2010..2100).contains(&year(*at)));
        let time = time.map(|at| chrono::DateTime::from_timestamp_nanos(at.unix_ns()).with_timezone(&zone));
        time.map(|time| time.format(format).to_string()).unwrap_or_default()
    }

    fn seconds(&self, name: &str) -> String {
        plain_integer(&self.said(name)).map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000)).unwrap_or_default()
    }

    fn port(&self) -> String {
        match self.said("ClientRequestScheme").to_ascii_lowercase().as_str() {
            "" => String::new(),
            "https" => "443".into(),
            _ => "80".into(),
        }
    }

    fn url(&mut self) -> String {
        let or = |name, other: &str| Some(self.said(name)).filter(|text| !text.is_empty()).unwrap_or(other.into());
        let [scheme, uri] = [or("ClientRequestScheme", "http"), or("ClientRequestURI", "/")];
        let url = format!("{scheme}://{}{uri}", self.said("ClientRequestHost"));
        self.clean(&url).chars().take(4096).collect()
    }

    fn content_length(&mut self) -> String {
        let length = ["ResponseHeaders", "ResponseFields"].into_iter().find_map(|name| self.header_length(name));
        self.clean(&length.unwrap_or_default())
    }

    /// The length in one of the objects of headers, where that is a value.
    fn header_length(&self, headers: &str) -> Option<String> {
        let headers: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.members.get(headers)?.get()).ok()?;
        let (_, value) = headers.iter().find(|(name, _)| name.to_lowercase() == "content-length")?;
        let values: Vec<Box<RawValue>> = serde_json::from_str(value.get()).unwrap_or(vec![value.clone()]);
        let first = values.first()?;
        let is_value = !first.get().starts_with(['n', '[', '{']);
        is_value.then(|| said(first))
    }

    fn cache_status(&self) -> String {
        match self.said("CacheCacheStatus").to_ascii_lowercase().as_str() {
            "hit" | "stale" | "revalidated" | "updating" => "HIT".into(),
            "miss" | "expired" | "bypass" | "dynamic" | "none" => "MISS".into(),
            _ => String::new(),
        }
    }

    fn dysta(&self) -> String {
        match self.said("CacheCacheStatus").to_ascii_lowercase().as_str() {
            "hit" => "static".into(),
            "dynamic" => "dynamic".into(),
            _ => String::new(),
        }
    }

    fn country(&self) -> String {
        let row = format!("{},", self.said("EdgeColoCode").to_ascii_uppercase());
        let mut rows = include_str!("../../../schemas/colo_country.csv").lines().filter(|row| row.len() == 6);
        rows.find_map(|line| line.strip_prefix(&row)).unwrap_or("CN").into()
    }
}

/// The text with U+FFFD for each half of a surrogate pair, by trying each escape.
fn repaired(text: &str) -> String {
    let (mut read, mut rest) = (String::new(), text);
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        read.push_str(before);
        let is_text = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).is_ok();
        // A pair, one character, or the escape of a half.
        let splits = [12, 6, 2].into_iter().filter_map(|length| escape.split_at_checked(length));
        let (shown, behind) = splits
            .into_iter()
            .find(|(text, _)| is_text(text))
            .or_else(|| escape.split_at_checked(6).map(|(_, behind)| ("\u{fffd}", behind)))
            .unwrap_or((escape, ""));
        read.push_str(shown);
        rest = behind;
    }
    read + rest
}

/// What a value says: nothing where it is null, nested or no text.
fn said(raw: &RawValue) -> String {
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => text,
        Ok(Value::Number(_)) => one_spelling(raw.get()),
        Ok(Value::Bool(truth)) => truth.to_string(),
        Ok(Value::Null | Value::Array(_) | Value::Object(_)) | Err(_) => String::new(),
    }
}

fn is_number(text: &str) -> bool {
    text.trim() == text
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The number in its one spelling, by moving the point a place at a time; any other text as it is.
fn one_spelling(text: &str) -> String {
    if !is_number(text) {
        return text.into();
    }
    let lower = text.trim_start_matches('-').to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (mut whole, mut decimals) =
        mantissa.split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or((mantissa.into(), String::new()));
    let mut exponent: i32 = exponent.parse().unwrap();
    while exponent > 0 {
        whole.push(if decimals.is_empty() { '0' } else { decimals.remove(0) });
        exponent -= 1;
    }
    while exponent < 0 {
        decimals.insert(0, whole.pop().unwrap_or('0'));
        exponent += 1;
    }
    let (whole, decimals) = (whole.trim_start_matches('0'), decimals.trim_end_matches('0'));
    if whole.is_empty() && decimals.is_empty() {
        return "0".into();
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let digits = format!("{whole}{decimals}");
    let significant = digits.trim_matches('0');
    let scientific = |exponent: usize, sign_of_exponent: &str| {
        let (first, others) = significant.split_at(1);
        let point = if others.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{others}e{sign_of_exponent}{exponent}")
    };
    let zeros = decimals.len() - decimals.trim_start_matches('0').len();
    if whole.is_empty() && zeros >= 6 {
        return scientific(zeros + 1, "-");
    }
    if whole.len() > significant.len().max(21) {
        return scientific(whole.len() - 1, "");
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

/// The integer part of an unsigned JSON number whose exponent is small: the point is moved a place at a time.
fn plain_integer(text: &str) -> Option<u64> {
    let text = text.to_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_zero = whole.trim_start_matches('-').chars().chain(decimals.chars()).all(|c| c == '0');
    let whole = if is_zero { whole.trim_start_matches('-') } else { whole };
    if [whole, decimals].iter().any(|part| part.is_empty() || !part.chars().all(|c| c.is_ascii_digit())) {
        return None;
    }
    if exponent.trim_start_matches(['+', '-']).len() + 1 < exponent.len() {
        return None;
    }
    let (mut whole, mut decimals) = (whole.to_owned(), decimals.to_owned());
    let mut exponent: i32 = exponent.parse().ok()?;
    while exponent > 0 {
        whole.push(if decimals.is_empty() { '0' } else { decimals.remove(0) });
        exponent -= 1;
    }
    while exponent < 0 {
        whole.pop();
        exponent += 1;
    }
    let digits = whole.trim_start_matches('0');
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}
