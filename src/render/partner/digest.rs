//! The digest of a partner line's content, which identifies equal records.

use sha2::{Digest, Sha256};

use super::{SEPARATOR, TERMINATOR};

/// The columns that settings fill: the format's name, the country where the data centre is unknown, and the tenant.
const SETTINGS: [usize; 3] = [1, 45, 58];

/// Returns the first eight bytes of the SHA-256 of a line's cells, without its line feed and the cells that depend on
/// settings: lines of equal records have equal digests, whatever their batches and the spelling of their JSON.
#[must_use]
pub fn content_digest(line: &[u8]) -> u64 {
    let line = line.strip_suffix(&[TERMINATOR]).unwrap_or(line);
    let mut hash = Sha256::new();
    for (number, cell) in (1..).zip(line.split(|byte| *byte == SEPARATOR)) {
        if !SETTINGS.contains(&number) {
            hash.update(cell);
        }
        hash.update([SEPARATOR]);
    }
    hash.finalize().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::content_digest;
    use crate::render::partner::{PartnerOptions, write_partner_line};

    fn digest(record: &str, tenant: &str) -> u64 {
        let options = PartnerOptions::new(tenant, "CN").unwrap();
        let mut line = Vec::new();
        write_partner_line(&mut line, record.as_bytes(), &options).unwrap();
        assert_eq!(content_digest(&line), content_digest(line.strip_suffix(b"\n").unwrap()));
        content_digest(&line)
    }

    #[test]
    fn digest_depends_on_the_record_alone() {
        let record = r#"{"RayID":"764660d8ec5c2ab1","EdgeResponseStatus":200}"#;
        let rewritten = r#"{ "EdgeResponseStatus" : 200, "RayID" : "764660d8ec5c2ab1" }"#;
        assert_eq!(digest(record, "-"), digest(rewritten, "0123456789abcdef0123456789abcdef"));
        for other in [r#"{"RayID":"764660d8ec5c2ab1","EdgeResponseStatus":201}"#, r#"{"RayID":"764660d8ec5c2ab1"}"#] {
            assert_ne!(digest(record, "-"), digest(other, "-"), "{other}");
        }
    }
}
