//! Seals the places at which answers continue: a cursor is bound to its caller, and shows nothing of its place.
//!
//! The form: its version (1 byte), the version of the key (1), a nonce (8), a tag (16), the sealed place. The tag is
//! HMAC-SHA256 of caller, nonce and place, cut to 128 bits; the place is hidden by a key stream made of the tag
//! (a synthetic IV, RFC 5297: a repeated nonce reveals no more than that two cursors are the same).
//!
//! # Invariants
//! A cursor that was changed, or given to another caller, does not open. No key is printed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::hmac::hmac;

/// The version of the form.
const FORM: u8 = 2;
const NONCE: usize = 8;
const TAG: usize = 16;
/// Size of what precedes the sealed place, in bytes.
const HEAD: usize = 2 + NONCE + TAG;

/// A secret of 256 random bits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CursorKey([u8; 32]);

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

impl From<CursorKey> for String {
    fn from(key: CursorKey) -> Self {
        hex::encode(key.0)
    }
}

impl TryFrom<String> for CursorKey {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).map_err(|_| "a key has 64 hexadecimal digits")?;
        Ok(Self(key))
    }
}

impl CursorKey {
    /// Draws a key from a source of unpredictable words.
    #[must_use]
    pub fn draw(mut word: impl FnMut() -> u32) -> Self {
        let mut key = [0; 32];
        for bytes in key.chunks_exact_mut(4) {
            bytes.copy_from_slice(&word().to_le_bytes());
        }
        Self(key)
    }

    /// The key for one purpose.
    fn for_purpose(&self, purpose: &str) -> [u8; 32] {
        hmac(&self.0, &[purpose.as_bytes()])
    }

    fn tag(&self, caller: &str, nonce: &[u8], place: &[u8]) -> [u8; TAG] {
        let length = (caller.len() as u64).to_le_bytes();
        let parts = [&length, caller.as_bytes(), &[FORM], nonce, place];
        let whole = hmac(&self.for_purpose("raydex cursor tag"), &parts);
        whole.first_chunk().copied().unwrap_or_default()
    }

    /// Hides the place, or shows it again.
    fn mask(&self, tag: &[u8], place: &mut [u8]) {
        let key = self.for_purpose("raydex cursor place");
        for (number, block) in (0_u32..).zip(place.chunks_mut(32)) {
            let stream = hmac(&key, &[tag, &number.to_le_bytes()]);
            block.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        }
    }
}

/// A key with its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionedKey {
    /// Counts from 1; cursors are sealed by the latest.
    pub version: u8,
    /// The key.
    pub key: CursorKey,
}

impl VersionedKey {
    /// Seals a place for a caller.
    #[must_use]
    pub fn seal(&self, caller: &str, nonce: [u8; NONCE], place: &[u8]) -> String {
        let tag = self.key.tag(caller, &nonce, place);
        let mut hidden = place.to_vec();
        self.key.mask(&tag, &mut hidden);
        URL_SAFE_NO_PAD.encode([&[FORM, self.version][..], &nonce, &tag, &hidden].concat())
    }

    /// The place in a cursor that this key sealed for this caller.
    fn open(&self, caller: &str, sealed: &SealedPlace) -> Option<Vec<u8>> {
        let SealedPlace { version, nonce, tag, place } = sealed;
        let mut place = place.clone();
        self.key.mask(tag, &mut place);
        let is_own = self.key.tag(caller, nonce, &place).ct_eq(tag);
        (*version == self.version && bool::from(is_own)).then_some(place)
    }
}

/// The parts of a cursor.
struct SealedPlace {
    version: u8,
    nonce: [u8; NONCE],
    tag: [u8; TAG],
    place: Vec<u8>,
}

impl SealedPlace {
    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let ([form, version], rest) = bytes.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (tag, place) = rest.split_first_chunk()?;
        (*form == FORM).then(|| Self { version: *version, nonce: *nonce, tag: *tag, place: place.to_vec() })
    }
}

/// Whether a text has the form of a sealed place of this many bytes, by whatever key.
#[must_use]
pub fn is_sealed_form(text: &str, place_bytes: usize) -> bool {
    // Without padding, four signs for three bytes.
    text.len() == ((HEAD + place_bytes) * 4).div_ceil(3)
        && SealedPlace::parse(text).is_some_and(|sealed| sealed.place.len() == place_bytes)
}

/// The keys of the deployment that this isolate knows. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CursorKeys(Rc<RefCell<Vec<VersionedKey>>>);

impl CursorKeys {
    /// Keeps the keys of the deployment, oldest first.
    pub fn keep(&self, keys: Vec<VersionedKey>) {
        *self.0.borrow_mut() = keys;
    }

    /// The key that seals; `None` while none is known.
    #[must_use]
    pub fn latest(&self) -> Option<VersionedKey> {
        self.0.borrow().last().cloned()
    }

    /// The place in a cursor that one of the keys sealed for this caller.
    #[must_use]
    pub fn open(&self, caller: &str, text: &str) -> Option<Vec<u8>> {
        let sealed = SealedPlace::parse(text)?;
        self.0.borrow().iter().find_map(|key| key.open(caller, &sealed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CursorKey, CursorKeys, VersionedKey, is_sealed_form};

    const PLACE: [u8; 36] = [7; 36];

    fn key(version: u8, word: u32) -> VersionedKey {
        VersionedKey { version, key: CursorKey::draw(|| word) }
    }

    fn keys(list: &[VersionedKey]) -> CursorKeys {
        let keys = CursorKeys::default();
        keys.keep(list.to_vec());
        keys
    }

    #[test]
    fn sealed_place_opens_for_its_caller_alone() {
        let sealed = key(1, 5).seal("desk", [9; 8], &PLACE);
        assert_eq!(keys(&[key(1, 5)]).open("desk", &sealed), Some(PLACE.to_vec()));
        for (list, caller) in [
            (vec![key(1, 5)], "des"),
            (vec![key(1, 5)], ""),
            (vec![key(1, 6)], "desk"),
            (vec![key(2, 5)], "desk"),
            (vec![], "desk"),
        ] {
            assert_eq!(keys(&list).open(caller, &sealed), None, "{list:?} {caller}");
        }
        assert_eq!(keys(&[key(1, 5), key(2, 6)]).open("desk", &sealed), Some(PLACE.to_vec()), "an older key opens");
        assert_eq!(keys(&[key(1, 5), key(2, 6)]).latest(), Some(key(2, 6)));
    }

    #[test]
    fn any_changed_sign_keeps_it_closed() {
        let (keys, sealed) = (keys(&[key(1, 5)]), key(1, 5).seal("desk", [9; 8], &PLACE));
        assert!(is_sealed_form(&sealed, 36) && !is_sealed_form(&sealed, 35));
        for at in 0..sealed.len() {
            for sign in ["A", "B", "_", "="] {
                let mut changed = sealed.clone();
                changed.replace_range(at..=at, sign);
                assert!(changed == sealed || keys.open("desk", &changed).is_none(), "{at} {sign}");
            }
        }
        let longer = format!("{sealed}AAAA");
        for text in ["", "Ag", "é", sealed.get(1..).unwrap(), sealed.get(..sealed.len() - 4).unwrap(), &longer] {
            assert!(keys.open("desk", text).is_none() && !is_sealed_form(text, 36), "{text}");
        }
    }

    #[test]
    fn nothing_of_the_place_is_seen() {
        let sealed = |nonce, place: &[u8]| key(1, 5).seal("desk", [nonce; 8], place);
        let mut texts: BTreeSet<String> = (0..100).map(|nonce| sealed(nonce, &PLACE)).collect();
        texts.extend((0..100).map(|byte| sealed(0, &[byte; 36])));
        assert_eq!(texts.len(), 199);
        // Places that begin alike share no more than form, version and nonce.
        let (one, other) = (sealed(0, &[1; 36]), sealed(0, &[2; 36]));
        assert_eq!(one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count(), 13);
    }

    #[test]
    fn key_is_never_printed() {
        let key = key(1, 0x5a5a_5a5a);
        assert_eq!(format!("{key:?}"), "VersionedKey { version: 1, key: CursorKey }");
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!(r#"{{"version":1,"key":"{}"}}"#, "5a".repeat(32)));
        assert_eq!(serde_json::from_str::<VersionedKey>(&json).unwrap(), key);
        assert!(serde_json::from_str::<CursorKey>("\"5a\"").is_err());
    }
}
