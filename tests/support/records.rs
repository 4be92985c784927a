//! Small records made by hand.

use raydex::record::{Dataset, RayId};

/// The first ray of the tests' window: 2026-03-28T08:42:00Z, at the start of its shard's prefix.
pub const PREFIX: u32 = 0x9e_355;

/// The ray with this suffix in the tests' own shard.
pub fn ray(suffix: u64) -> RayId {
    RayId::from_parts(PREFIX, suffix)
}

/// A record of `http_requests` with this id, and a filler of `filler` bytes.
pub fn http(id: &str, filler: usize) -> String {
    format!(r#"{{"ClientIP":"192.0.2.1","RayID":"{id}","ClientRequestURI":"/{}"}}"#, "x".repeat(filler))
}

/// The record, which has members, with the marker of its dataset if that has one.
pub fn marked(dataset: Dataset, record: &str) -> String {
    let marker = dataset.marker().map_or(String::new(), |name| format!(r#""{name}":"x","#));
    record.replacen('{', &format!("{{{marker}"), 1)
}

/// Lines of text, each with its newline.
pub fn ndjson<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Vec<u8> {
    lines.into_iter().flat_map(|line| [line.as_ref(), "\n"].concat().into_bytes()).collect()
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}
