//! Whoever writes gzip: five writers that are everywhere, and more where they are installed.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// A program of Node that compresses by the C zlib: level, memory, strategy.
const NODE: &str = "const z = require('zlib'), [level, memLevel, strategy] = process.argv.slice(1).map(Number);
process.stdin.pipe(z.createGzip({ level, memLevel, strategy })).pipe(process.stdout);";

/// Something that writes gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// zlib-rs, by flate2.
    ZlibRs,
    /// libdeflate.
    Libdeflate,
    /// `miniz_oxide`.
    Miniz,
    /// GNU gzip.
    Gnu,
    /// The C zlib, by Node.
    Node,
    /// pigz.
    Pigz,
    /// pigz, whose blocks do not refer to each other.
    PigzIndependent,
    /// Go's `compress/gzip`.
    Go,
}

impl Writer {
    /// Those that run in this process.
    pub(crate) const QUICK: [Self; 3] = [Self::ZlibRs, Self::Libdeflate, Self::Miniz];
    /// Those that are wherever the project is.
    pub(crate) const EVERYWHERE: [Self; 5] = [Self::ZlibRs, Self::Libdeflate, Self::Miniz, Self::Gnu, Self::Node];
    /// Those that may be installed.
    const PERHAPS: [Self; 3] = [Self::Pigz, Self::PigzIndependent, Self::Go];

    /// All that there are on this machine, and those that are not.
    pub(crate) fn here() -> (Vec<Self>, Vec<Self>) {
        let (mut here, missing): (Vec<_>, Vec<_>) = Self::PERHAPS.into_iter().partition(|writer| writer.is_installed());
        here.splice(0..0, Self::EVERYWHERE);
        (here, missing)
    }

    fn is_installed(self) -> bool {
        let (program, argument) = if self == Self::Go { ("go", "version") } else { ("pigz", "--version") };
        let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// The lowest and the highest of its levels.
    pub(crate) const fn levels(self) -> [u8; 2] {
        match self {
            Self::ZlibRs | Self::Node | Self::Pigz | Self::PigzIndependent | Self::Go => [0, 9],
            Self::Libdeflate => [0, 12],
            Self::Miniz => [0, 10],
            Self::Gnu => [1, 9],
        }
    }

    /// One member of this text.
    pub(crate) fn gzip(self, level: u8, text: &[u8]) -> Vec<u8> {
        match self {
            Self::ZlibRs => flushing(level, text, &[], FlushCompress::None),
            Self::Libdeflate => libdeflate(level, text),
            Self::Miniz => member(&miniz_oxide::deflate::compress_to_vec(text, level), text),
            Self::Gnu => run("gzip", &["-c", "-n", &format!("-{level}")], text),
            Self::Node => node(level, 8, 0, text),
            Self::Pigz => run("pigz", &["-c", &format!("-{level}")], text),
            Self::PigzIndependent => run("pigz", &["-c", "--independent", "-b", "128", &format!("-{level}")], text),
            Self::Go => {
                let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/spans/gzip.go");
                run("go", &["run", program, &level.to_string()], text)
            }
        }
    }
}

/// One member by the C zlib: level 0 to 9, memory 1 to 9 (the less, the smaller the blocks), strategy 0 to 4.
pub(crate) fn node(level: u8, memory: u8, strategy: u8, text: &[u8]) -> Vec<u8> {
    let numbers = [level, memory, strategy].map(|number| number.to_string());
    run("node", &["-e", NODE, "--", &numbers[0], &numbers[1], &numbers[2]], text)
}

/// One member by zlib-rs, flushed behind each of these places (in order).
pub(crate) fn flushing(level: u8, text: &[u8], places: &[usize], flush: FlushCompress) -> Vec<u8> {
    let (mut compress, mut raw) = (Compress::new(Compression::new(level.into()), false), Vec::new());
    let mut from = 0;
    for &place in places {
        pass(&mut compress, &text[from..place], &mut raw, flush);
        from = place;
    }
    pass(&mut compress, &text[from..], &mut raw, FlushCompress::Finish);
    member(&raw, text)
}

/// Compresses all of `text`.
fn pass(compress: &mut Compress, mut text: &[u8], raw: &mut Vec<u8>, flush: FlushCompress) {
    loop {
        raw.reserve(text.len() / 2 + 4096);
        let before = compress.total_in();
        let status = compress.compress_vec(text, raw, flush).unwrap();
        text = &text[usize::try_from(compress.total_in() - before).unwrap()..];
        let is_done = if flush == FlushCompress::Finish { status == Status::StreamEnd } else { text.is_empty() };
        if is_done && raw.len() < raw.capacity() {
            return;
        }
    }
}

fn libdeflate(level: u8, text: &[u8]) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(level.into()).unwrap();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut stored = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut stored).unwrap();
    stored.truncate(length);
    stored
}

/// A gzip member around a deflate stream.
pub(crate) fn member(raw: &[u8], text: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(text);
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&head, raw, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}

/// What a program writes that reads this.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut pipe = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
    output.stdout
}
