//! Secrets of the forms that real ones have, the same in every run.

use crate::slices::slice_of;

/// How many of them are planted.
pub fn count() -> usize {
    slice_of(1000, 4)
}

/// So many signs of a secret in a row are something of it.
const TELLING: usize = 8;
/// How many forms of secrets there are.
const KINDS: usize = 11;

/// Numbers that are the same in every run (`SplitMix64`).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn signs(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

const HEX: &[u8] = b"0123456789abcdef";
const ALNUM: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
const URL64: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/// A secret.
#[derive(Debug, Clone)]
pub struct Canary {
    /// As it is sent.
    pub text: String,
    /// The part that nobody else has.
    own: String,
    /// How many signs of it in a row are something of it.
    telling: usize,
    /// Whether it is hexadecimal digits alone, as Ray IDs are.
    pub is_hex: bool,
    pub is_card: bool,
}

impl Canary {
    pub fn draw(random: &mut Random) -> Self {
        let kind = random.below(KINDS);
        let (text, own) = match kind {
            0 => {
                let own = random.signs(ALNUM, 24);
                (format!("sk_live_{own}"), own)
            }
            1 => {
                let (payload, signature) = (random.signs(URL64, 60), random.signs(URL64, 43));
                (format!("eyJhbGciOiJIUzI1NiJ9.eyJ{payload}.{signature}"), payload + &signature)
            }
            2 => own(random.signs(HEX, 32)),
            3 => {
                let length = 24 + random.below(30);
                own(random.signs(URL64, length))
            }
            4 => own(card(random, "")),
            5 => {
                let mark = ["-", " "][random.below(2)];
                own(card(random, mark))
            }
            6 => prefixed("npm_", random.signs(ALNUM, 36)),
            7 => prefixed(["ghp_", "ghs_", "github_pat_"][random.below(3)], random.signs(ALNUM, 36)),
            8 => prefixed(&format!("xoxb-{}-", random.signs(b"0123456789", 12)), random.signs(ALNUM, 24)),
            // A secret key of AWS.
            9 => own(random.signs(BASE64, 40)),
            _ => {
                let own = random.signs(b"abcdefghijklmnopqrstuvwxyz", 9) + &random.signs(b"0123456789", 2);
                (format!("{own}@mail.example"), own)
            }
        };
        Self { text, own, telling: TELLING, is_hex: kind == 2, is_card: kind == 4 }
    }

    /// An address, of which a viewer may see the network.
    pub fn draw_address(random: &mut Random) -> Self {
        let groups: Vec<String> = (0..8).map(|_| random.signs(HEX, 4)).collect();
        let octets: Vec<String> = (0..4).map(|_| (10 + random.below(240)).to_string()).collect();
        let v4 = octets.join(".");
        let text = match random.below(6) {
            0 | 1 => v4,
            2 => format!("::ffff:{v4}"),
            3 => format!("2001:db8::{}:{}", groups[0], groups[1]),
            4 => groups.join(":").to_uppercase(),
            _ => groups.join(":"),
        };
        let own = if text.contains(&octets.join(".")) { octets.join(".") } else { text.clone() };
        Self { telling: own.len(), own, text, is_hex: false, is_card: false }
    }

    /// A word that gives itself away by nothing but the name before it.
    pub fn draw_word(random: &mut Random) -> Self {
        let text = random.signs(b"abcdefghijklmnopqrstuvwxyz", 12);
        Self { own: text.clone(), text, telling: TELLING, is_hex: false, is_card: false }
    }

    /// Whether something of it is in a line: as it stands, or behind the escapes of JSON or of URLs.
    pub fn is_in(&self, line: &str) -> bool {
        let mut forms = vec![line.to_owned(), line.replace("\\u00", "%").replace('\\', "")];
        for _ in 0..4 {
            let last = forms.last().unwrap();
            let decoded = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
            forms.push(decoded);
        }
        let parts = self.own.as_bytes().windows(self.telling).map(|part| std::str::from_utf8(part).unwrap());
        let digits = |text: &str| text.replace(['-', ' ', '+'], "");
        parts.into_iter().any(|part| forms.iter().any(|form| form.contains(part)))
            || self.is_card && digits(line).contains(&self.own)
    }
}

fn own(text: String) -> (String, String) {
    (text.clone(), text)
}

fn prefixed(prefix: &str, own: String) -> (String, String) {
    (format!("{prefix}{own}"), own)
}

/// The number of a card, its groups joined by `mark`.
fn card(random: &mut Random, mark: &str) -> String {
    let digits = format!("{}{}", ["4", "52", "37"][random.below(3)], random.signs(b"0123456789", 13));
    let sum = |digits: &str| -> u32 {
        let doubled = |place: usize, digit: u32| if place.is_multiple_of(2) { digit * 2 } else { digit };
        let values = digits.bytes().rev().enumerate().map(|(place, byte)| doubled(place, u32::from(byte - b'0')));
        values.map(|value| value / 10 + value % 10).sum()
    };
    let whole = format!("{digits}{}", (10 - sum(&digits) % 10) % 10);
    let groups: Vec<&str> = whole.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(mark)
}
