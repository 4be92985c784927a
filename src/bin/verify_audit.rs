//! `verify-audit`: holds entries that left the audit log against its hash chains, each by itself, and says which one breaks, where
//! and why.
//!
//! # Invariants
//!
//! One entry is held at a time. Chains that hold end the program with code 0, one that breaks with 1, and an input that
//! cannot be read with 2.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flate2::bufread::MultiGzDecoder;
use lexopt::prelude::{Long, Short, Value, ValueExt};
use raydex::access::ChainNumber;
use raydex::audit::calls::ChainHead;
use raydex::audit::verify::{ChainBreak, ChainVerifier};
use raydex::bucket_keys::{AUDIT_SEGMENT_END, SegmentName};
use serde::Deserialize;

const HELP: &str = "\
Holds entries of the audit log against its hash chain: where it breaks, and why. Where there are
several chains, each is verified by itself.

Usage: verify-audit [options] PATH...

  PATH                   a folder with segments as they are in the bucket, a segment, or an export of
                         GET /v1/audit?format=ndjson; - reads an export from stdin
  --after [C/]N[:HASH]   the first entry is N+1; with the hash of entry N it is verified too
  --head [C/]N:HASH      the last entry must be N with this hash, which you kept from earlier
  --help                 show this help

C is the number of a chain, for each of which the options may be given; without it they are of chain 0.
Ends with 0 where every chain holds, with 1 where one breaks, with 2 where an input cannot be read.
";

/// Breaks that are printed; the others are counted.
const PRINTED: usize = 20;

/// What a line of an export of several chains begins with; the number of its chain follows.
const CHAIN: &[u8] = b"{\"chain\":";

/// The verifiers of the chains that entries were found of.
type Verifiers = BTreeMap<ChainNumber, ChainVerifier>;

struct VerifyOptions {
    paths: Vec<PathBuf>,
    verifiers: Verifiers,
    heads: Vec<(ChainNumber, ChainHead)>,
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
    #[serde(default)]
    chains: Vec<ChainEnd>,
    after: Option<Resume>,
}

/// The end of a chain of several in an export.
#[derive(Deserialize)]
struct ChainEnd {
    chain: u64,
    last: Option<ChainHead>,
}

/// Where an export continues.
#[derive(Deserialize)]
#[serde(untagged)]
enum Resume {
    After(u64),
    AfterAll(String),
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
    let mut options = VerifyOptions { paths: Vec::new(), verifiers: Verifiers::new(), heads: Vec::new() };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("after") => {
                let text = parser.value()?.string()?;
                let (chain, rest) = parse_chain(&text).ok_or("--after takes [C/]N or [C/]N:HASH")?;
                options.verifiers.insert(chain, after(rest)?);
            }
            Long("head") => {
                let text = parser.value()?.string()?;
                let head = parse_chain(&text).and_then(|(chain, rest)| Some((chain, parse_head(rest)?)));
                options.heads.push(head.ok_or("--head takes [C/]N:HASH")?);
            }
            Value(path) => options.paths.push(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.paths.is_empty() { Err("a PATH is missing".into()) } else { Ok(Some(options)) }
}

/// The chain that a value of an option is of, and the rest of the value.
fn parse_chain(text: &str) -> Option<(ChainNumber, &str)> {
    match text.split_once('/') {
        Some((chain, rest)) => Some((ChainNumber::new(chain.parse().ok()?)?, rest)),
        None => Some((ChainNumber::FIRST, text)),
    }
}

/// The verifier that begins after the entry which `--after` names.
fn after(text: &str) -> Result<ChainVerifier, lexopt::Error> {
    if let Ok(seq) = text.parse() {
        return Ok(ChainVerifier::after_number(seq));
    }
    let head = parse_head(text).ok_or("--after takes [C/]N or [C/]N:HASH")?;
    Ok(ChainVerifier::after(head))
}

fn parse_head(text: &str) -> Option<ChainHead> {
    let (seq, hash) = text.split_once(':')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(ChainHead { seq: seq.parse().ok()?, hash: hash.to_ascii_lowercase() }).filter(|_| is_hash)
}

/// A place where a chain breaks, or an input ends too early.
struct FoundBreak {
    /// The chain; `None` if it is of the whole input.
    chain: Option<ChainNumber>,
    words: String,
}

/// The results of verifying the inputs.
struct ChainReport {
    verifiers: Verifiers,
    breaks: Vec<FoundBreak>,
}

impl ChainReport {
    /// Holds every input against the chains, in the order of the entries.
    fn of(VerifyOptions { paths, verifiers, heads }: VerifyOptions) -> io::Result<Self> {
        let mut report = Self { verifiers, breaks: Vec::new() };
        for path in &paths {
            if path.is_dir() {
                let mut segments = Vec::new();
                find_segments(path, &mut segments)?;
                // Names begin with the chain, unless it is the first, and the number of the first entry, in 20 digits.
                segments.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
                segments.iter().try_for_each(|path| report.read_segment(path))?;
            } else if is_segment(path) {
                report.read_segment(path)?;
            } else {
                report.read_export(path)?;
            }
        }
        if report.verifiers.values().all(|verifier| verifier.checked().1 == 0) {
            report.note_input("there are no entries".to_owned());
        }
        for (chain, head) in heads {
            let found = report.verifier(chain).end_at(&head);
            report.note("--head", chain, found);
        }
        Ok(report)
    }

    /// The verifier of a chain.
    fn verifier(&mut self, chain: ChainNumber) -> &mut ChainVerifier {
        self.verifiers.entry(chain).or_insert_with(|| ChainVerifier::new(chain))
    }

    fn note(&mut self, place: &str, chain: ChainNumber, found: Result<(), ChainBreak>) {
        if let Err(error) = found {
            let of_chain = if chain == ChainNumber::FIRST { String::new() } else { format!("{chain}/") };
            let hint = match error {
                ChainBreak::Missing { first: 1, last } => {
                    let after = format!("{of_chain}{last}");
                    format!(
                        " (where a lifecycle rule removed them, begin with --after {after} or --after {after}:HASH)"
                    )
                }
                _ => String::new(),
            };
            self.breaks.push(FoundBreak { chain: Some(chain), words: format!("{place}: {error}{hint}") });
        }
    }

    fn note_input(&mut self, words: String) {
        self.breaks.push(FoundBreak { chain: None, words });
    }

    /// Reads a segment, whose name says what it must hold.
    fn read_segment(&mut self, path: &Path) -> io::Result<()> {
        let place = path.display().to_string();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(SegmentName::parse);
        let number = name.map_or(0, |name| name.chain);
        let Some(chain) = ChainNumber::new(number.into()) else {
            self.note_input(format!("{place}: there is no chain {number}"));
            return Ok(());
        };
        let before = self.verifier(chain).last().seq;
        let file = BufReader::new(File::open(path)?);
        let read = self.read_lines(&place, BufReader::new(MultiGzDecoder::new(file)), |_| Some(chain));
        let last = self.verifier(chain).last().seq;
        if let Err(error) = read {
            let words = format!("{place}: the gzip stream is damaged after entry {last} ({error})");
            self.breaks.push(FoundBreak { chain: Some(chain), words });
        }
        if let Some(SegmentName { last: seq, hash, .. }) = name {
            let end = ChainHead { seq, hash: hash.to_owned() };
            let found = if last == before { Err(ChainBreak::NotAnEntry { after: before }) } else { Ok(()) };
            let found = found.and_then(|()| self.verifier(chain).end_at(&end));
            self.note(&place, chain, found);
        }
        Ok(())
    }

    /// Reads an export, whose trailer says what it must hold.
    fn read_export(&mut self, path: &Path) -> io::Result<()> {
        let place = path.display().to_string();
        let end = if path == Path::new("-") {
            self.read_lines(&place, io::stdin().lock(), chain_of_line)?
        } else {
            self.read_lines(&place, BufReader::new(File::open(path)?), chain_of_line)?
        };
        match end {
            None => self.note_input(format!("{place}: the export ends without its trailer: it was cut off")),
            Some(ExportState { complete: false, after, .. }) => {
                let from = match after {
                    Some(Resume::After(after)) => format!(": it continues with after={after}"),
                    Some(Resume::AfterAll(after)) => format!(": it continues with after={after}"),
                    None => String::new(),
                };
                self.note_input(format!("{place}: the export is incomplete{from}"));
            }
            Some(ExportState { chains, last, .. }) => self.end_at(&place, chains, last),
        }
        Ok(())
    }

    /// Holds the ends of the chains against what the trailer of an export says.
    fn end_at(&mut self, place: &str, chains: Vec<ChainEnd>, last: Option<ChainHead>) {
        let first = ChainEnd { chain: ChainNumber::FIRST.number().into(), last };
        let ends = if chains.is_empty() { vec![first] } else { chains };
        for ChainEnd { chain, last } in ends {
            match (ChainNumber::new(chain), last) {
                (Some(chain), Some(last)) => {
                    let found = self.verifier(chain).end_at(&last);
                    self.note(place, chain, found);
                }
                (Some(_), None) => {}
                (None, _) => self.note_input(format!("{place}: there is no chain {chain}")),
            }
        }
    }

    /// Holds each line against its chain; returns the trailer, if there is one.
    fn read_lines(
        &mut self,
        place: &str,
        mut from: impl BufRead,
        chain_of: impl Fn(&[u8]) -> Option<ChainNumber>,
    ) -> io::Result<Option<ExportState>> {
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
                match chain_of(text) {
                    Some(chain) => {
                        let found = self.verifier(chain).push(text);
                        self.note(place, chain, found);
                    }
                    None => self.note_input(format!("{place}: a line is of no chain that there can be")),
                }
            }
        }
    }

    /// The report as it is printed.
    fn text(&self) -> String {
        let has_several = self.verifiers.keys().any(|chain| *chain != ChainNumber::FIRST);
        let prefix = |chain: Option<ChainNumber>| match chain {
            Some(chain) if has_several => format!("chain {chain}: "),
            _ => String::new(),
        };
        let line = |found: &FoundBreak| format!("{}{}\n", prefix(found.chain), found.words);
        let mut text: String = self.breaks.iter().take(PRINTED).map(line).collect();
        let empty = Verifiers::from([(ChainNumber::FIRST, ChainVerifier::default())]);
        for (chain, verifier) in if self.verifiers.is_empty() { &empty } else { &self.verifiers } {
            let is_own = |found: &&FoundBreak| !has_several || found.chain == Some(*chain);
            let ((first, count), last) = (verifier.checked(), verifier.last());
            let outcome = match self.breaks.iter().filter(is_own).count() {
                0 => "the chain holds".to_owned(),
                1 => "the chain breaks in 1 place".to_owned(),
                number => format!("the chain breaks in {number} places"),
            };
            let (seq, hash) = (last.seq, &last.hash);
            let line = format!("{count} entries, {first} to {seq}: {outcome}. Last hash: {hash}\n");
            text.extend([prefix(Some(*chain)), line]);
        }
        text
    }
}

/// The chain of a line of an export; `None` if there can be no such chain.
fn chain_of_line(line: &[u8]) -> Option<ChainNumber> {
    let Some(rest) = line.strip_prefix(CHAIN) else { return Some(ChainNumber::FIRST) };
    let digits = rest.split(|byte| *byte == b',').next()?;
    ChainNumber::new(std::str::from_utf8(digits).ok()?.parse().ok()?)
}

fn is_segment(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(AUDIT_SEGMENT_END))
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
