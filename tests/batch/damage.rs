//! Damage at every place of a small object: a typed error, or exactly the lines that were written.

use raydex::batch::BatchError;
use raydex::record::{Dataset, read_key};

use super::support::gzip::{gzip_at, members};
use super::support::records::{http, ndjson};
use super::{Handed, lines, naive};

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
fn an_object_cut_anywhere_gives_an_error_or_whole_members() {
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
fn a_bit_flipped_anywhere_gives_an_error_or_the_very_lines() {
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
fn two_bytes_swapped_anywhere_give_an_error_or_the_very_lines() {
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
fn noise_of_any_length_is_an_error_or_text_without_records() {
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
