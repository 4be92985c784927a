//! The wrong forms, and how a batch in each is made.

use super::support::gzip::gzip;
use super::support::records::{noise, ray};

/// What is written, and how its lines end.
pub(super) struct Batch {
    pub(super) records: Vec<String>,
    pub(super) newline: &'static str,
    /// The last line ends too.
    pub(super) is_ended: bool,
}

impl Batch {
    /// The records with these texts before each, between them, and after each; then the whole with more around it.
    fn with(&self, around: [&str; 2], each: [&str; 2], between: &str) -> Vec<u8> {
        let [before, behind] = each.map(|text| self.lines(text));
        let records = self.records.iter().map(|record| format!("{before}{record}{behind}"));
        let text = records.collect::<Vec<_>>().join(&self.lines(between));
        let [first, last] = around.map(|text| self.lines(text));
        self.ended(&format!("{first}{text}{last}")).into_bytes()
    }

    /// A text with this batch's newlines.
    fn lines(&self, text: &str) -> String {
        text.replace('\n', self.newline)
    }

    fn ended(&self, text: &str) -> String {
        if self.is_ended { format!("{text}{}", self.newline) } else { text.to_owned() }
    }

    /// Each record in another spelling, a line each.
    fn spelled(&self, spell: impl Fn(&serde_json::Value) -> String) -> Vec<u8> {
        let spelled = self.records.iter().map(|record| spell(&serde_json::from_str(record).unwrap()));
        self.ended(&spelled.collect::<Vec<_>>().join(self.newline)).into_bytes()
    }

    /// The plain lines, each with its end.
    fn ended_plain(&self) -> Vec<u8> {
        [&self.plain()[..], if self.is_ended { b"" } else { self.newline.as_bytes() }].concat()
    }

    /// The plain lines, as they should be.
    pub(super) fn plain(&self) -> Vec<u8> {
        self.with(["", ""], ["", ""], "\n")
    }
}

/// A wrong form.
pub(super) struct WrongForm {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    /// A word of the reason: the option to change.
    pub(super) option: &'static str,
    /// Records from which it differs from NDJSON.
    pub(super) least: usize,
    pub(super) make: fn(&Batch) -> Vec<u8>,
}

const fn form(
    name: &'static str,
    (code, option): (&'static str, &'static str),
    least: usize,
    make: fn(&Batch) -> Vec<u8>,
) -> WrongForm {
    WrongForm { name, code, option, least, make }
}

const ARRAY: (&str, &str) = ("json_array", "batch_prefix");
const WRAPPER: (&str, &str) = ("json_wrapper", "batch_prefix");
const DELIMITER: (&str, &str) = ("record_delimiter", "record_delimiter");
const PREFIX: (&str, &str) = ("record_prefix", "record_prefix");
const SUFFIX: (&str, &str) = ("record_suffix", "record_suffix");
const GLUED: (&str, &str) = ("glued_records", "record_suffix");
const CSV: (&str, &str) = ("csv", "output_type");
const PRETTY: (&str, &str) = ("pretty_json", "record_template");
const WIDE: (&str, &str) = ("wide_text", "transformer");
const PACKED: (&str, &str) = ("other_compression", "transformer");

pub(super) const FORMS: &[WrongForm] = &[
    form("array on one line", ARRAY, 1, |batch| batch.with(["[", "]"], ["", ""], ",")),
    form("array, a record a line", ARRAY, 1, |batch| batch.with(["[\n", "\n]"], ["", ""], ",\n")),
    form("array with commas first", ARRAY, 1, |batch| batch.with(["[\n", "\n]"], ["", ""], "\n,")),
    form("array that begins with its record", ARRAY, 1, |batch| batch.with(["[", "]"], ["", ""], ",\n")),
    form("array without commas", ARRAY, 1, |batch| batch.with(["[\n", "\n]"], ["", ""], "\n")),
    form("array with indents", ARRAY, 1, |batch| batch.with(["[\n", "\n]"], ["  ", ""], ",\n")),
    form("end of an array alone", ARRAY, 1, |batch| batch.with(["", "\n]"], ["", ""], "\n")),
    form("end of an array behind the last record", ARRAY, 1, |batch| batch.with(["", "]"], ["", ""], "\n")),
    form("array a record", ARRAY, 1, |batch| batch.with(["", ""], ["[", "]"], "\n")),
    form("array in pretty print", ARRAY, 1, |batch| {
        let records: Vec<serde_json::Value> =
            batch.records.iter().map(|record| serde_json::from_str(record).unwrap()).collect();
        batch.ended(&batch.lines(&serde_json::to_string_pretty(&records).unwrap())).into_bytes()
    }),
    form("array of strings", ARRAY, 1, |batch| {
        batch.ended(&serde_json::to_string(&batch.records).unwrap()).into_bytes()
    }),
    form("wrapper on one line", WRAPPER, 1, |batch| batch.with([r#"{"events":["#, "]}"], ["", ""], ",")),
    form("wrapper, a record a line", WRAPPER, 1, |batch| batch.with(["{\"events\":[\n", "\n]}"], ["", ""], ",\n")),
    form("wrapper that begins with its record", WRAPPER, 1, |batch| {
        batch.with([r#"{"events":["#, "]}"], ["", ""], ",\n")
    }),
    form("wrapper with other members", WRAPPER, 1, |batch| {
        batch.with(["{\"source\":\"x\",\"tags\":[1],\"Logs\":[\n", "\n],\"count\":2}"], ["", ""], ",\n")
    }),
    form("wrapper three levels deep", WRAPPER, 1, |batch| {
        batch.with([r#"{"data":{"result":{"events":["#, "]}}}"], ["", ""], ",")
    }),
    form("object by ray", WRAPPER, 2, |batch| {
        let members: Vec<String> = (0..).zip(&batch.records).map(|(n, record)| format!("\"{n}\":{record}")).collect();
        batch.ended(&format!("{{{}}}", members.join(","))).into_bytes()
    }),
    form("event around each record", ("record_wrapper", "record_template"), 1, |batch| {
        batch.with(["", ""], [r#"{"time":1795335060,"host":"x","event":"#, "}"], "\n")
    }),
    form("event with a time around each record", ("record_wrapper", "record_template"), 1, |batch| {
        batch.with(["", ""], [r#"{"EdgeStartTimestamp":1774687320,"host":"x","event":"#, "}"], "\n")
    }),
    form("wrapper with a time", WRAPPER, 1, |batch| {
        batch.with([r#"{"EdgeStartTimestamp":1774687320,"events":["#, "]}"], ["", ""], ",")
    }),
    form("wrapper with a time behind", WRAPPER, 1, |batch| {
        batch.with([r#"{"source":"x","events":["#, r#"],"EdgeStartTimestamp":1774687320}"#], ["", ""], ",")
    }),
    form("wrapper with a time a record", WRAPPER, 1, |batch| {
        batch.with(["", ""], [r#"{"EdgeStartTimestamp":1774687320,"events":["#, "]}"], "\n")
    }),
    form("wrapper of another dataset's time", WRAPPER, 1, |batch| {
        batch.with([r#"{"Timestamp":"2026-03-28T08:42:00Z","Datetime":1774687320,"events":["#, "]}"], ["", ""], ",")
    }),
    form("string of JSON in each event", ("record_wrapper", "record_template"), 1, |batch| {
        batch.spelled(|record| format!(r#"{{"message":{},"tag":"x"}}"#, quoted(&record.to_string())))
    }),
    form("string of JSON in each event with a time", ("record_wrapper", "record_template"), 1, |batch| {
        batch.spelled(|record| format!(r#"{{"Timestamp":1774687320,"message":{}}}"#, quoted(&record.to_string())))
    }),
    form("wrapper of strings", WRAPPER, 1, |batch| {
        let strings: Vec<String> = batch.records.iter().map(|record| quoted(record)).collect();
        batch.ended(&format!(r#"{{"events":[{}]}}"#, strings.join(","))).into_bytes()
    }),
    form("wrapper of log events", WRAPPER, 1, |batch| {
        let event = |record: &String| format!(r#"{{"id":"1","timestamp":1,"message":{}}}"#, quoted(record));
        let events: Vec<String> = batch.records.iter().map(event).collect();
        batch.ended(&format!(r#"{{"logGroup":"x","logEvents":[{}]}}"#, events.join(","))).into_bytes()
    }),
    form("wrapper of the whole text", WRAPPER, 2, |batch| {
        let text = String::from_utf8(batch.plain()).unwrap();
        batch.ended(&format!(r#"{{"body":{}}}"#, quoted(&text))).into_bytes()
    }),
    form("array of arrays", ARRAY, 1, |batch| batch.with(["[[", "]]"], ["", ""], ",")),
    form("array behind a null", ARRAY, 1, |batch| batch.with(["[null,", "]"], ["", ""], ",")),
    form("array behind its count", ARRAY, 1, |batch| batch.with([r#"[{"count":500},"#, "]"], ["", ""], ",")),
    form("array that is cut off", ARRAY, 2, |batch| {
        let mut text = batch.with(["[", ""], ["", ""], ",");
        text.truncate(text.len() - 20);
        text
    }),
    form("wrapper that is cut off", WRAPPER, 3, |batch| {
        let mut text = batch.with([r#"{"events":["#, ""], ["", ""], ",");
        text.truncate(text.len() - 20);
        text
    }),
    form("events without newlines", GLUED, 2, |batch| batch.with(["", ""], [r#"{"event":"#, "}"], "")),
    form("bulk actions", ("bulk_actions", "record_prefix"), 1, |batch| {
        batch.with(["", ""], ["{\"index\":{\"_index\":\"logs\"}}\n", ""], "\n")
    }),
    form("glued", GLUED, 2, |batch| batch.with(["", ""], ["", ""], "")),
    form("glued with blanks", GLUED, 2, |batch| batch.with(["", ""], ["", " "], "")),
    form("glued with tabs", GLUED, 2, |batch| batch.with(["", ""], ["", ""], "\t")),
    form("commas on one line", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], ",")),
    form("commas behind records", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], ",\n")),
    form("commas before records", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\n,")),
    form("commas on lines of their own", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\n,\n")),
    form("rules between records", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\n---\n")),
    form("bars behind records", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], " |\n")),
    form("line separators", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\u{2028}")),
    form("next lines", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\u{85}")),
    form("zeros between records", DELIMITER, 2, |batch| batch.with(["", ""], ["", "\0"], "")),
    form("unit separators", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\u{1f}")),
    form("JSON text sequence", PREFIX, 1, |batch| batch.with(["", ""], ["\u{1e}", ""], "\n")),
    form("server-sent events", PREFIX, 1, |batch| batch.with(["", ""], ["data: ", "\n"], "\n")),
    form("syslog", PREFIX, 1, |batch| {
        batch.with(["", ""], ["<134>1 2026-11-22T08:11:00.014Z edge raydex 17 - [x@1 a=\"b\"] ", ""], "\n")
    }),
    form("lengths", PREFIX, 1, |batch| batch.with(["", ""], ["1208 ", ""], "\n")),
    form("YAML list", PREFIX, 1, |batch| batch.with(["", ""], ["- ", ""], "\n")),
    form("words between records", PREFIX, 2, |batch| batch.with(["", ""], ["", ""], "\nNEXT ")),
    form("words behind records", SUFFIX, 2, |batch| batch.with(["", ""], ["", ""], " END\n")),
    form("brace too many", SUFFIX, 1, |batch| batch.with(["", ""], ["", "}"], "\n")),
    form("carriage returns", ("carriage_returns", "record_suffix"), 2, |batch| batch.with(["", ""], ["", ""], "\r")),
    form("pretty print", PRETTY, 1, |batch| {
        batch.spelled(|record| batch.lines(&serde_json::to_string_pretty(record).unwrap()))
    }),
    form("pretty print with the first member beside the brace", PRETTY, 1, |batch| {
        batch.spelled(|record| {
            let text = serde_json::to_string_pretty(record).unwrap();
            batch.lines(&text.replacen("{\n  ", "{", 1).replacen("\n}", "}", 1))
        })
    }),
    form("pretty print without indents", PRETTY, 2, |batch| {
        batch.spelled(|record| batch.lines(&record.to_string().replace(r#",""#, ",\n\"").replacen("{\n", "{", 1)))
    }),
    form("broken JSON", ("invalid_json", "record_template"), 1, |batch| {
        batch.spelled(|record| record.to_string().replacen('}', ",}", 9))
    }),
    form("form feeds before records", PREFIX, 2, |batch| batch.with(["", ""], ["", ""], "\n\u{c}")),
    form("form feeds behind records", SUFFIX, 1, |batch| batch.with(["", ""], ["", "\u{c}"], "\n")),
    form("form feeds between records", DELIMITER, 2, |batch| batch.with(["", ""], ["", ""], "\u{c}")),
    form("strings of JSON", ("json_strings", "record_template"), 1, |batch| {
        batch.spelled(|record| serde_json::to_string(&record.to_string()).unwrap())
    }),
    form("CSV with a heading", CSV, 1, |batch| {
        [batch.lines("ClientIP,RayID,ClientRequestURI\n").into_bytes(), cells(batch, ",")].concat()
    }),
    form("CSV", CSV, 1, |batch| cells(batch, ",")),
    form("tabs", CSV, 1, |batch| cells(batch, "\t")),
    form("quoted cells with JSON", CSV, 1, |batch| {
        batch.spelled(|record| format!(r#""{{""a"":""b""}}",{},"x, y""#, record["RayID"]))
    }),
    form("NDJSON below a heading", CSV, 1, |batch| {
        [batch.lines("ClientIP,RayID,ClientRequestURI\n").into_bytes(), batch.plain()].concat()
    }),
    form("XML", ("xml", "output_type"), 1, |batch| {
        batch.spelled(|record| format!("<record ray={}/>", record["RayID"]))
    }),
    form("records in tags", ("xml", "output_type"), 1, |batch| batch.with(["<logs>\n", "\n</logs>"], ["", ""], "\n")),
    form("UTF-16", WIDE, 1, |batch| wide(batch, "\u{feff}", |unit| unit.to_le_bytes().to_vec())),
    form("UTF-16 of the other order", WIDE, 1, |batch| wide(batch, "", |unit| unit.to_be_bytes().to_vec())),
    form("gzip in base64", PACKED, 1, |batch| base64(&gzip(&batch.plain()))),
    form("gzip", ("compressed_twice", "transformer"), 1, |batch| gzip(&gzip(&batch.plain()))),
    form("gzip behind a mark", PACKED, 1, |batch| [b"\xef\xbb\xbf", &gzip(&batch.plain())[..]].concat()),
    form("gzip behind plain lines", PACKED, 1, |batch| [batch.ended_plain(), gzip(&batch.plain())].concat()),
    form("gzip behind a line without end", PACKED, 1, |batch| [batch.plain(), gzip(&batch.plain())].concat()),
    form("tar", PACKED, 1, |batch| tar(&[batch.plain(), batch.plain(), batch.plain()])),
    form("tar of compressed files", PACKED, 1, |batch| tar(&[gzip(&batch.plain()), gzip(&batch.plain())])),
    form("compress", PACKED, 1, |batch| [b"\x1f\x9d\x90", &noise(5, batch.records.len() * 40)[..]].concat()),
    form("lzip", PACKED, 1, |batch| [b"LZIP\x01\x0c", &noise(3, batch.records.len() * 40)[..]].concat()),
    form("bzip2", PACKED, 1, |batch| [b"BZh91AY&SY", &noise(11, batch.records.len() * 40)[..]].concat()),
    form("zeros before a record", PREFIX, 1, |batch| [vec![0; 700], batch.plain()].concat()),
    form("zstd", PACKED, 1, |batch| [b"\x28\xb5\x2f\xfd\x04\x00", &noise(7, batch.records.len() * 40)[..]].concat()),
    form("Parquet", ("other_file", "output_type"), 1, |batch| {
        [b"PAR1\x15\x04", &noise(9, batch.records.len() * 40)[..]].concat()
    }),
    form("key=value", ("not_ndjson", "output_type"), 1, |batch| {
        batch.spelled(|record| format!("ip={} ray={}", record["ClientIP"], record["RayID"]))
    }),
];

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The values of each record, with this between them.
fn cells(batch: &Batch, between: &str) -> Vec<u8> {
    batch.spelled(|record| {
        let cells: Vec<&str> =
            ["ClientIP", "RayID", "ClientRequestURI"].map(|name| record[name].as_str().unwrap()).into();
        cells.join(between)
    })
}

/// The batch in UTF-16, behind a mark.
fn wide(batch: &Batch, mark: &str, bytes: fn(u16) -> Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(batch.plain()).unwrap();
    [mark, &text].concat().encode_utf16().flat_map(bytes).collect()
}

/// A tar of these files.
fn tar(files: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let mut header = [0; 512];
        header[..5].copy_from_slice(format!("{number}.log").as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        archive.extend_from_slice(&header);
        archive.extend_from_slice(file);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// Base64 with lines of 76 characters.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|digit| DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        text.extend(std::iter::repeat_n(b'=', 3 - chunk.len()));
    }
    text.chunks(76).collect::<Vec<_>>().join(&b'\n')
}

/// So many records, of some hundred bytes with this filler.
pub(super) fn batch(count: usize, filler: usize, (is_crlf, is_ended): (bool, bool)) -> Batch {
    let record = |number: usize| {
        let (id, uri) = (ray(number as u64), "x".repeat(filler));
        format!(
            r#"{{"ClientIP":"192.0.2.1","Cookies":{{"a":"{{"}},"tags":[1,2],"RayID":"{id}","ClientRequestURI":"/{uri}","EdgeStartTimestamp":1774687320}}"#
        )
    };
    let newline = if is_crlf { "\r\n" } else { "\n" };
    Batch { records: (0..count).map(record).collect(), newline, is_ended }
}
