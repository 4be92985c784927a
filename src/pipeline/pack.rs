//! Packs bodies into objects of the bucket, since each write is billed.
//!
//! Each body is a gzip member of its own, so a pack is a gzip file of all its lines, and each body is a range of it. A
//! body that fits with no other has a pack of its own.
//!
//! # Invariants
//!
//! Bodies keep their order, each directly after the previous one. The same bodies and bound give the same packs, hence
//! the same keys. A pack exceeds the bound only if it consists of a single body.

use super::payload::PackedPayload;
use crate::bucket_keys::pack_digest;
use crate::ledger::SourceId;
use crate::ledger::delivery::{BodyLocation, Payload};
use crate::limits::PACK_PAYLOADS;

/// An object with the bodies of one or more payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadPack {
    /// The payloads, with the locations of their bodies.
    pub payloads: Vec<Payload>,
    /// The bodies, one after another.
    pub bytes: Vec<u8>,
}

impl PayloadPack {
    /// Returns its key in this plan of this source; `None` if it has no payload.
    #[must_use]
    pub fn key(&self, source: &SourceId, plan: u32) -> Option<String> {
        Some(self.payloads.first()?.pack.as_ref()?.key(source, plan))
    }
}

/// Collects bodies into packs.
#[derive(Debug)]
pub struct PackBuilder {
    payloads: Vec<Payload>,
    bytes: Vec<u8>,
    most: usize,
}

impl PackBuilder {
    /// Creates a builder of packs of at most `most` bytes; with 0, every body gets its own pack.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { payloads: Vec::new(), bytes: Vec::new(), most }
    }

    /// Adds a body; returns the finished pack if the body does not fit into it.
    pub fn add(&mut self, PackedPayload { payload, body }: PackedPayload) -> Option<PayloadPack> {
        let fits = self.bytes.len() + body.len() <= self.most && self.payloads.len() < PACK_PAYLOADS;
        let full = if fits { None } else { self.close() };
        if self.payloads.is_empty() {
            self.bytes = body;
        } else {
            self.append(&body);
        }
        self.payloads.push(payload);
        full
    }

    /// Closes the last pack, if it has bodies.
    pub fn close(&mut self) -> Option<PayloadPack> {
        let (mut payloads, bytes) = (std::mem::take(&mut self.payloads), std::mem::take(&mut self.bytes));
        let first = payloads.first()?.index.clone();
        let digest = pack_digest(payloads.iter().map(|payload| payload.sha256.as_str()));
        let mut at = 0;
        for payload in &mut payloads {
            payload.pack =
                Some(BodyLocation { first: first.clone(), digest: digest.clone(), offset: at, erased: false });
            at += payload.bytes;
        }
        Some(PayloadPack { payloads, bytes })
    }

    /// Appends a body that fits, with capacity that doubles, but never exceeds the maximum size of a pack.
    fn append(&mut self, body: &[u8]) {
        let needed = self.bytes.len() + body.len();
        if self.bytes.capacity() < needed {
            let room = self.bytes.capacity().saturating_mul(2).min(self.most).max(needed);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{PackBuilder, PayloadPack};
    use crate::ledger::delivery::Payload;
    use crate::ledger::ids::index_of;
    use crate::limits::{PACK_BYTES, PACK_PAYLOADS};
    use crate::pipeline::payload::{PackedPayload, PayloadPacker};

    /// Returns the nth payload of a plan, with this body.
    fn packed(number: usize, body: Vec<u8>) -> PackedPayload {
        let payload = Payload {
            index: index_of(number),
            sha256: format!("of {number}"),
            lines: 1,
            bytes: body.len() as u64,
            first_offset: 0,
            last_offset: 0,
            pack: None,
        };
        PackedPayload { payload, body }
    }

    /// Returns the byte that fills the nth body.
    fn byte_of(number: usize) -> u8 {
        u8::try_from(number % 251).unwrap()
    }

    fn size(bytes: u64) -> usize {
        usize::try_from(bytes).unwrap()
    }

    /// Packs bodies of these sizes, each filled with its own byte.
    fn packs(most: usize, sizes: &[usize]) -> Vec<PayloadPack> {
        let mut builder = PackBuilder::new(most);
        let bodies = sizes.iter().enumerate().map(|(number, &size)| packed(number, vec![byte_of(number); size]));
        let mut packs: Vec<PayloadPack> = bodies.filter_map(|body| builder.add(body)).collect();
        packs.extend(builder.close());
        assert_eq!(builder.close(), None);
        packs
    }

    fn sizes(packs: &[PayloadPack]) -> Vec<Vec<u64>> {
        packs.iter().map(|pack| pack.payloads.iter().map(|payload| payload.bytes).collect()).collect()
    }

    #[test]
    fn pack_is_closed_by_the_body_that_overflows() {
        for (bodies, expected) in [
            (&[][..], vec![]),
            (&[3], vec![vec![3]]),
            (&[4, 6], vec![vec![4, 6]]),
            (&[4, 7], vec![vec![4], vec![7]]),
            (&[10, 1], vec![vec![10], vec![1]]),
            (&[11], vec![vec![11]]),
            (&[1, 11, 1, 1], vec![vec![1], vec![11], vec![1, 1]]),
            (&[11, 12], vec![vec![11], vec![12]]),
            (&[1, 1, 1, 7, 1], vec![vec![1, 1, 1, 7], vec![1]]),
        ] {
            assert_eq!(sizes(&packs(10, bodies)), expected, "{bodies:?}");
        }
    }

    #[test]
    fn pack_may_be_full_to_the_byte() {
        let all = packs(PACK_BYTES, &[PACK_BYTES / 2, PACK_BYTES / 4, PACK_BYTES / 4, 1]);
        assert_eq!(all.iter().map(|pack| pack.bytes.len()).collect::<Vec<_>>(), [PACK_BYTES, 1]);
        assert!(all.iter().all(|pack| pack.bytes.capacity() <= PACK_BYTES));
        let larger = packs(PACK_BYTES, &[5, PACK_BYTES + 1, 5, 5]);
        assert_eq!(sizes(&larger), [vec![5], vec![PACK_BYTES as u64 + 1], vec![5, 5]]);
    }

    #[test]
    fn pack_takes_its_most_payloads_and_no_more() {
        let all = packs(PACK_BYTES, &vec![1; 2 * PACK_PAYLOADS + 1]);
        assert_eq!(all.iter().map(|pack| pack.payloads.len()).collect::<Vec<_>>(), [PACK_PAYLOADS, PACK_PAYLOADS, 1]);
    }

    #[test]
    fn lone_body_is_a_pack_of_its_own() {
        assert_eq!(sizes(&packs(10, &[11, 2, 3, 10])), [vec![11], vec![2, 3], vec![10]]);
        assert_eq!(sizes(&packs(0, &[1, 1, 1])), [[1]; 3], "where bodies are not to share one");
        let place = packs(0, &[1, 1])[1].payloads[0].pack.clone().unwrap();
        assert_eq!((&*place.first, place.offset), ("000001", 0));
    }

    #[test]
    fn pack_inflates_to_all_lines_named_by_content() {
        let mut packer = PayloadPacker::new(3);
        let mut builder = PackBuilder::new(PACK_BYTES);
        let mut text = Vec::new();
        for at in 0..20 {
            let line = format!("line {at} {}\n", "x".repeat(at * 97)).into_bytes();
            packer.text().extend_from_slice(&line);
            text.extend(line);
            if let Some(full) = packer.end_line(at as u64) {
                assert_eq!(builder.add(full), None);
            }
        }
        builder.add(packer.finish().unwrap());
        let PayloadPack { payloads, bytes } = builder.close().unwrap();
        let mut inflated = Vec::new();
        flate2::bufread::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut inflated).unwrap();
        assert_eq!((payloads.len(), inflated), (7, text));
        let place = payloads[0].pack.clone().unwrap();
        assert_eq!((&*place.first, place.offset), ("000000", 0));
        let hash = |text: &[u8]| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text));
        let range = |payload: &Payload| size(payload.pack.as_ref().unwrap().offset)..;
        let bodies = payloads.iter().map(|payload| &bytes[range(payload)][..size(payload.bytes)]);
        assert_eq!(place.digest, hash(bodies.map(hash).collect::<String>().as_bytes()));
    }

    proptest! {
        #[test]
        fn the_ranges_of_packs_are_the_bodies(most in 0_usize..300, sizes in prop::collection::vec(0_usize..200, 0..60)) {
            let all = packs(most, &sizes);
            let mut number = 0;
            for pack in &all {
                prop_assert!(pack.bytes.len() <= most || pack.payloads.len() == 1);
                for payload in &pack.payloads {
                    prop_assert_eq!(&payload.index, &index_of(number));
                    let place = payload.pack.as_ref().unwrap();
                    prop_assert_eq!(&place.first, &pack.payloads[0].index);
                    let at = size(place.offset);
                    let body = &pack.bytes[at..at + size(payload.bytes)];
                    prop_assert_eq!(body, &vec![byte_of(number); sizes[number]][..]);
                    number += 1;
                }
            }
            prop_assert_eq!(number, sizes.len());
            // No two neighbours would have fitted into one pack.
            for pair in all.windows(2) {
                prop_assert!(pair[0].bytes.len() + size(pair[1].payloads[0].bytes) > most);
            }
        }

        #[test]
        fn the_same_bodies_make_the_same_packs(bodies in prop::collection::vec(any::<Vec<u8>>(), 0..20), most in 0_usize..400) {
            let build = || {
                let mut builder = PackBuilder::new(most);
                let mut packs: Vec<PayloadPack> =
                    bodies.iter().cloned().enumerate().filter_map(|(number, body)| builder.add(packed(number, body))).collect();
                packs.extend(builder.close());
                packs
            };
            prop_assert_eq!(build(), build());
        }
    }
}
