//! The oracle of reading: the whole text, split the naive way.

use raydex::limits::MAX_LINE;

/// The lines of a text: where each begins, and its bytes unless it is too long.
pub fn naive(text: &[u8]) -> Vec<(u64, Option<&[u8]>)> {
    let mut offset = 0;
    let mut found = Vec::new();
    for raw in text.split(|&byte| byte == b'\n') {
        let start = offset;
        offset += raw.len() as u64 + 1;
        let mut line = raw.strip_suffix(b"\r").unwrap_or(raw);
        while line.starts_with(b"\xef\xbb\xbf") {
            line = &line[3..];
        }
        if raw.len() > MAX_LINE {
            found.push((start, None));
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            found.push((start, Some(line)));
        }
    }
    found
}
