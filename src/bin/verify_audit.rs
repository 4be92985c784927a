//! `verify-audit`: holds entries that left the audit log against its hash chain, and says where it breaks and why.
//!
//! # Invariants
//!
//! One entry is held at a time. A chain that holds ends the program with code 0, one that breaks with 1, and an input that
//! cannot be read with 2.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::bufread::MultiGzDecoder;
use lexopt::prelude::{Long, Short, Value, ValueExt};
use raydex::audit::calls::ChainHead;
use raydex::audit::verify::{ChainBreak, ChainVerifier};
use serde::Deserialize;

const HELP: &str = "\
Holds entries of the audit log against its hash chain: where it breaks, and why.

Usage: verify-audit [options] PATH...

  PATH                a folder with segments as they are in the bucket, a segment, or an export of
                      GET /v1/audit?format=ndjson; - reads an export from stdin
  --after N[:HASH]    the first entry is N+1; with the hash of entry N it is verified too
  --head N:HASH       the last entry must be N with this hash, which you kept from earlier
  --help              show this help

Ends with 0 where the chain holds, with 1 where it breaks, with 2 where an input cannot be read.
";

/// Breaks that are printed; the others are counted.
const PRINTED: usize = 20;

/// The end of the names of segments.
const SEGMENT: &str = ".ndjson.gz";

struct VerifyOptions {
    paths: Vec<PathBuf>,
    verifier: ChainVerifier,
    head: Option<ChainHead>,
}

/// The first member of the last line of an export.
#[derive(Deserialize)]
struct ExportEnd {
    raydex: ExportState,
}

#[derive(Deserialize)]
struct ExportState {
    complete: bool,
    last: Option<ChainHead>,
    after: Option<u64>,
}

fn main() -> ExitCode {
    let result = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => ChainReport::of(options).map_err(|error| error.to_string()),
        Ok(None) => return say(io::stdout(), HELP, ExitCode::SUCCESS),
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(report) => say(io::stdout(), &report.text(), ExitCode::from(u8::from(!report.breaks.is_empty()))),
        Err(error) => {
            say(io::stderr(), &format!("verify-audit: {error}\nSee verify-audit --help.\n"), ExitCode::from(2))
        }
    }
}

/// Writes a text, and returns the code to end with.
fn say(mut to: impl Write, text: &str, code: ExitCode) -> ExitCode {
    if to.write_all(text.as_bytes()).is_ok() { code } else { ExitCode::from(2) }
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<VerifyOptions>, lexopt::Error> {
    let mut options = VerifyOptions { paths: Vec::new(), verifier: ChainVerifier::default(), head: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("after") => options.verifier = after(&parser.value()?.string()?)?,
            Long("head") => {
                let text = parser.value()?.string()?;
                options.head = Some(parse_head(&text).ok_or("--head takes N:HASH")?);
            }
            Value(path) => options.paths.push(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.paths.is_empty() { Err("a PATH is missing".into()) } else { Ok(Some(options)) }
}

/// The verifier that begins after the entry which `--after` names.
fn after(text: &str) -> Result<ChainVerifier, lexopt::Error> {
    if let Ok(seq) = text.parse() {
        return Ok(ChainVerifier::after_number(seq));
    }
    let head = parse_head(text).ok_or("--after takes N or N:HASH")?;
    Ok(ChainVerifier::after(head))
}

fn parse_head(text: &str) -> Option<ChainHead> {
    let (seq, hash) = text.split_once(':')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(ChainHead { seq: seq.parse().ok()?, hash: hash.to_ascii_lowercase() }).filter(|_| is_hash)
}

/// The results of verifying the inputs.
struct ChainReport {
    verifier: ChainVerifier,
    /// Where the chain breaks, each with the input.
    breaks: Vec<String>,
}

impl ChainReport {
    /// Holds every input against the chain, in the order of the entries.
    fn of(VerifyOptions { paths, verifier, head }: VerifyOptions) -> io::Result<Self> {
        let mut report = Self { verifier, breaks: Vec::new() };
        for path in &paths {
            if path.is_dir() {
                let mut segments = Vec::new();
                find_segments(path, &mut segments)?;
                // Names begin with the number of the first entry, in 20 digits.
                segments.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
                segments.iter().try_for_each(|path| report.read_segment(path))?;
            } else if is_segment(path) {
                report.read_segment(path)?;
            } else {
                report.read_export(path)?;
            }
        }
        if report.verifier.checked().1 == 0 {
            report.breaks.push("there are no entries".to_owned());
        }
        if let Some(head) = head {
            report.note("--head", report.verifier.end_at(&head));
        }
        Ok(report)
    }

    fn note(&mut self, place: &str, found: Result<(), ChainBreak>) {
        if let Err(error) = found {
            let hint = match error {
                ChainBreak::Missing { first: 1, last } => {
                    format!(" (where a lifecycle rule removed them, begin with --after {last} or --after {last}:HASH)")
                }
                _ => String::new(),
            };
            self.breaks.push(format!("{place}: {error}{hint}"));
        }
    }

    /// Reads a segment, whose name says what it must hold.
    fn read_segment(&mut self, path: &Path) -> io::Result<()> {
        let place = path.display().to_string();
        let before = self.verifier.last().seq;
        let file = BufReader::new(File::open(path)?);
        if let Err(error) = self.read_lines(&place, BufReader::new(MultiGzDecoder::new(file))) {
            self.breaks.push(format!("{place}: the gzip stream is damaged after entry {} ({error})", self.last_seq()));
        }
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SEGMENT));
        let mut parts = name.unwrap_or_default().splitn(3, '-');
        let (first, last, hash) = (parts.next(), parts.next(), parts.next());
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        if let (Some(_), Some(seq), Some(hash)) = (number(first), number(last), hash) {
            let end = ChainHead { seq, hash: hash.to_owned() };
            let found = if self.last_seq() == before { Err(ChainBreak::NotAnEntry { after: before }) } else { Ok(()) };
            self.note(&place, found.and_then(|()| self.verifier.end_at(&end)));
        }
        Ok(())
    }

    /// Reads an export, whose trailer says what it must hold.
    fn read_export(&mut self, path: &Path) -> io::Result<()> {
        let place = path.display().to_string();
        let end = if path == Path::new("-") {
            self.read_lines(&place, io::stdin().lock())?
        } else {
            self.read_lines(&place, BufReader::new(File::open(path)?))?
        };
        match end {
            None => self.breaks.push(format!("{place}: the export ends without its trailer: it was cut off")),
            Some(ExportState { complete: false, after, .. }) => {
                let from = after.map_or_else(String::new, |after| format!(": it continues with after={after}"));
                self.breaks.push(format!("{place}: the export is incomplete{from}"));
            }
            Some(ExportState { last: Some(last), .. }) => self.note(&place, self.verifier.end_at(&last)),
            Some(_) => {}
        }
        Ok(())
    }

    /// Holds each line against the chain; returns the trailer, if there is one.
    fn read_lines(&mut self, place: &str, mut from: impl BufRead) -> io::Result<Option<ExportState>> {
        let (mut line, mut end) = (Vec::new(), None);
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(end);
            }
            let text = line.trim_ascii();
            if text.starts_with(b"{\"raydex\":") {
                end = serde_json::from_slice::<ExportEnd>(text).ok().map(|end| end.raydex);
            } else if !text.is_empty() {
                let found = self.verifier.push(text);
                self.note(place, found);
            }
        }
    }

    const fn last_seq(&self) -> u64 {
        self.verifier.last().seq
    }

    /// The report as it is printed.
    fn text(&self) -> String {
        let ((first, count), last) = (self.verifier.checked(), self.verifier.last());
        let printed: String = self.breaks.iter().take(PRINTED).flat_map(|found| [found, "\n"]).collect();
        let number = self.breaks.len();
        let outcome = match number {
            0 => "the chain holds".to_owned(),
            1 => "the chain breaks in 1 place".to_owned(),
            _ => format!("the chain breaks in {number} places"),
        };
        let (seq, hash) = (last.seq, &last.hash);
        format!("{printed}{count} entries, {first} to {seq}: {outcome}. Last hash: {hash}\n")
    }
}

fn is_segment(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SEGMENT))
}

/// Finds the segments in a folder and in those inside of it.
fn find_segments(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_segments(&path, found)?;
        } else if is_segment(&path) {
            found.push(path);
        }
    }
    Ok(())
}
