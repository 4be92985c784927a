//! What the first bytes of an object say: another compression, another kind of file, another encoding of text.

use super::form::{BatchForm, Compression, FileKind};

/// Whether the line is of a text in UTF-16 or UTF-32, whose braces have zeros beside them.
pub(super) fn is_wide(line: &[u8]) -> bool {
    let head = line.get(..16.min(line.len())).unwrap_or_default();
    let mut pairs = head.windows(4);
    pairs.any(|four| matches!(four, [b'{' | b'[', 0, _, 0] | [0, b'{' | b'[', 0, _]))
}

/// What kind of file begins with this line, where that is another than text.
pub(super) fn file_of(line: &[u8]) -> Option<BatchForm> {
    const KINDS: [(&[u8], BatchForm); 14] = [
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
        (b"PAR1", BatchForm::OtherFile(FileKind::Parquet)),
        (b"Obj\x01", BatchForm::OtherFile(FileKind::Avro)),
        (b"ORC", BatchForm::OtherFile(FileKind::Orc)),
        (b"\xff\xfe", BatchForm::WideText),
    ];
    let known = KINDS.into_iter().find(|(magic, _)| line.starts_with(magic)).map(|(_, form)| form);
    known.or_else(|| line.starts_with(b"\xfe\xff").then_some(BatchForm::WideText)).or_else(|| zlib_of(line))
}

/// Whether a zlib stream begins with this line: its two bytes are a multiple of 31, and what follows is no text.
fn zlib_of(line: &[u8]) -> Option<BatchForm> {
    let [b'x', second, ..] = line else { return None };
    let is_header = u16::from_be_bytes([b'x', *second]).is_multiple_of(31) && second & 0x20 == 0;
    (is_header && std::str::from_utf8(line).is_err()).then_some(BatchForm::Compressed(Compression::Zlib))
}
