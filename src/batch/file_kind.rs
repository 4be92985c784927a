//! Recognises objects by their first bytes: another compression, another kind of file, another encoding of text.

use memchr::memmem;

use super::form::{BatchForm, Compression, FileKind};

/// Shortest line of base64 that counts as a file's, in bytes: most write 64 or 76 on a line.
const BASE64_MARK: usize = 32;

/// The bytes after a link's name in the header of a tar, as POSIX and GNU write them.
const TAR_MARKS: [&[u8]; 2] = [b"\0ustar\0", b"\0ustar  "];

/// Whether the line is of a text in UTF-16 or UTF-32, whose braces have zeros beside them.
pub(super) fn is_wide(line: &[u8]) -> bool {
    let head = line.get(..16.min(line.len())).unwrap_or_default();
    let mut pairs = head.windows(4);
    pairs.any(|four| matches!(four, [b'{' | b'[', 0, _, 0] | [0, b'{' | b'[', 0, _]))
}

/// Returns the kind of file that begins with this line, if it is another than text.
pub(super) fn file_of(line: &[u8]) -> Option<BatchForm> {
    const KINDS: [(&[u8], BatchForm); 16] = [
        (b"\x1f\x8b\x08", BatchForm::Compressed(Compression::Gzip)),
        (b"H4sI", BatchForm::Compressed(Compression::Base64)),
        (b"BZh", BatchForm::Compressed(Compression::Bzip2)),
        (b"\x28\xb5\x2f\xfd", BatchForm::Compressed(Compression::Zstd)),
        (b"\xfd7zXZ\0", BatchForm::Compressed(Compression::Xz)),
        (b"\x5d\0\0", BatchForm::Compressed(Compression::Xz)),
        (b"PK\x03\x04", BatchForm::Compressed(Compression::Zip)),
        (b"\x04\x22\x4d\x18", BatchForm::Compressed(Compression::Lz4)),
        (b"\xff\x06\0\0sNaPpY", BatchForm::Compressed(Compression::Snappy)),
        (b"7z\xbc\xaf\x27\x1c", BatchForm::Compressed(Compression::SevenZip)),
        (b"\x1f\x9d\x90", BatchForm::Compressed(Compression::Compress)),
        (b"LZIP\x01", BatchForm::Compressed(Compression::Lzip)),
        (b"PAR1", BatchForm::OtherFile(FileKind::Parquet)),
        (b"Obj\x01", BatchForm::OtherFile(FileKind::Avro)),
        (b"ORC", BatchForm::OtherFile(FileKind::Orc)),
        (b"\xff\xfe", BatchForm::WideText),
    ];
    let known = KINDS.into_iter().find(|(magic, _)| line.starts_with(magic)).map(|(_, form)| form);
    known.or_else(|| line.starts_with(b"\xfe\xff").then_some(BatchForm::WideText)).or_else(|| zlib_of(line))
}

/// Returns the kind of file that begins with this line of another, or after its last line: only a kind whose first bytes
/// cannot come from damage, since at least three of them are in no text.
pub(super) fn joined_file_of(line: &[u8]) -> Option<BatchForm> {
    let is_certain = match line {
        [b'H', b'4', b's', b'I', ..] => line.len() >= BASE64_MARK && is_base64(line),
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
        | [b'P', b'A', b'R', b'1', ..=0x1f, ..]
        | [0x1f, 0x8b, 0x08, ..]
        | [0x1f, 0x9d, 0x90, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [0xfd, b'7', b'z', b'X', b'Z', 0, ..]
        | [b'P', b'K', 0x03, 0x04, ..]
        | [0x04, 0x22, 0x4d, 0x18, ..]
        | [0xff, 0x06, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y', ..]
        | [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..]
        | [b'L', b'Z', b'I', b'P', 0x01, ..]
        | [b'O', b'b', b'j', 0x01, ..] => true,
        _ => false,
    };
    if is_certain { file_of(line) } else { None }
}

/// Whether a text is base64 to its end.
fn is_base64(text: &[u8]) -> bool {
    text.trim_ascii().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// The archive whose header of 512 bytes this line has before its record: the first record of each file in a tar.
pub(super) fn archive_of(line: &[u8]) -> Option<BatchForm> {
    let is_tar = TAR_MARKS.iter().any(|mark| memmem::find(line, mark).is_some());
    is_tar.then_some(BatchForm::Compressed(Compression::Tar))
}

/// Whether a zlib stream begins with this line: its two bytes are a multiple of 31, and what follows is no text.
fn zlib_of(line: &[u8]) -> Option<BatchForm> {
    let [b'x', second, ..] = line else { return None };
    let is_header = u16::from_be_bytes([b'x', *second]).is_multiple_of(31) && second & 0x20 == 0;
    (is_header && std::str::from_utf8(line).is_err()).then_some(BatchForm::Compressed(Compression::Zlib))
}
