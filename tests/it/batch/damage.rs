//! Damage at every place of a small object: a typed error, or exactly the lines that were written.

use raydex::batch::BatchError;
use raydex::record::{Dataset, read_key};

use super::support::gzip::{gzip_at, members};
use super::support::records::{http, ndjson};
use super::{Handed, lines, naive, read};

const MIB: usize = 1 << 20;

/// Two texts, of which the first ends in the middle of a line.
fn texts() -> (Vec<u8>, Vec<u8>) {
    let mut text = ndjson((0..12).map(|number| http(&format!("76466{number:011x}"), number * 3)));
    let tail = text.split_off(text.len() / 2 + 7);
    (text, tail)
}

/// What may be read of each object, besides an error.
fn objects() -> Vec<(Vec<u8>, Vec<Handed>)> {
    let (head, tail) = texts();
    let whole = [head.as_slice(), &tail].concat();
    let mut objects: Vec<_> = [0, 1, 6, 9].map(|level| (gzip_at(level, &whole), naive(&whole))).into();
    objects.push((members(&[&head, &tail]), naive(&whole)));
    objects
}

#[test]
fn cut_object_gives_an_error_or_whole_members() {
    let (head, _) = texts();
    for (stored, _) in objects() {
        let border = members(&[&head]).len();
        for end in 0..stored.len() {
            let expected = match end {
                0 => Err(BatchError::Empty),
                // Only the size that the bucket tells shows this cut: ingest compares it.
                _ if end == border && stored.starts_with(&members(&[&head])) => Ok(naive(&head)),
                _ => Err(BatchError::Truncated { stored: end as u64 }),
            };
            assert_eq!(lines(&stored[..end]), expected, "cut at {end}");
        }
    }
}

#[test]
fn flipped_bit_gives_an_error_or_same_lines() {
    for (stored, original) in objects() {
        let mut harmless = 0;
        for place in 0..stored.len() {
            for bit in 0..8 {
                let mut flipped = stored.clone();
                flipped[place] ^= 1 << bit;
                let Ok(found) = lines(&flipped) else { continue };
                if place == 0 {
                    // No gzip any more, so text. Where nothing was compressed, the lines themselves still stand in it.
                    let known = |text| original.iter().any(|(_, line)| line.as_ref() == Some(text));
                    let mut texts = found.iter().flat_map(|(_, text)| text);
                    assert!(texts.all(|text| read_key(Dataset::HttpRequests, text).is_err() || known(text)));
                } else {
                    assert_eq!(found, original, "bit {bit} of byte {place}");
                    harmless += 1;
                }
            }
        }
        // The time, the extra flags, the system and one flag of each header say nothing of the text.
        assert!((49..=2 * 60).contains(&harmless), "{harmless} flips changed nothing");
    }
}

#[test]
fn wrong_checksum_or_length_shows_at_every_cut() {
    let text = ndjson((0..4_000).map(|number| http(&format!("76466{number:011x}"), number * 3)));
    let (head, tail) = text.split_at(text.len() / 3);
    let (first, second) = (gzip_at(6, head), gzip_at(1, tail));
    let stored = [first.as_slice(), &second].concat();
    assert!(tail.len() > MIB && lines(&stored) == Ok(naive(&text)));
    for end in [first.len(), stored.len()] {
        for place in end - 8..end {
            let mut flipped = stored.clone();
            flipped[place] ^= 1 << (place % 8);
            let damaged = Err(BatchError::Damaged { stored: end as u64 });
            assert_eq!(lines(&flipped), damaged, "byte {place}");
            let (before, behind) = flipped.split_at(place);
            assert_eq!(read([before, behind]).map(|(lines, _)| lines), damaged, "cut before {place}");
            let (before, behind) = stored.split_at(place);
            assert_eq!(read([before, behind]).unwrap().0, naive(&text));
        }
        let bytes = stored[end - 12..].chunks(1);
        let pieces = [&stored[..end - 12]].into_iter().chain(bytes);
        assert_eq!(read(pieces).unwrap().0, naive(&text), "byte by byte");
    }
}

#[test]
fn a_wrong_checksum_of_a_header_shows() {
    let (text, _) = texts();
    let mut stored = gzip_at(6, &text);
    stored[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&stored[..10]);
    let [low, high, ..] = crc.sum().to_le_bytes();
    stored.splice(10..10, [low, high]);
    assert_eq!(lines(&stored), Ok(naive(&text)));
    for place in 4..12 {
        let mut flipped = stored.clone();
        flipped[place] ^= 4;
        assert!(matches!(lines(&flipped), Err(BatchError::Damaged { .. })), "byte {place}");
    }
}

#[test]
fn swapped_bytes_give_an_error_or_same_lines() {
    for (stored, original) in objects() {
        for place in 1..stored.len() - 1 {
            let mut swapped = stored.clone();
            swapped.swap(place, place + 1);
            let outcome = lines(&swapped);
            assert!(outcome.is_err() || outcome == Ok(original.clone()), "byte {place}");
        }
    }
}

#[test]
fn noise_is_an_error_or_text_without_records() {
    for (seed, length) in (0..600).zip(1..) {
        let mut noise = super::support::records::noise(seed, length);
        for first in [0x1f, b'{', 0] {
            noise[0] = first;
            if first == 0x1f && length > 1 {
                noise[1] = 0x8b;
            }
            let Ok(found) = lines(&noise) else { continue };
            let mut texts = found.iter().flat_map(|(_, text)| text);
            assert!(texts.all(|text| read_key(Dataset::HttpRequests, text).is_err()));
        }
    }
}
