//! Numbers of payment cards, and numbers that are longer than a viewer may see.

/// Digits that the number of a card has at least.
const CARD_MIN: usize = 13;
/// Digits that it has at most.
const CARD_MAX: usize = 19;
/// Digits of a group of a card's number, where it is written in a path.
const CARD_GROUP: usize = 4;
/// Most digits of a harmless text: one less than a card's number has.
pub(super) const ALL_DIGITS_MAX: usize = 12;

/// Whether the number of a payment card is in the text, its digits together or in groups: 13 to 19 digits that do not
/// begin like a clock's (a card's first digit is 2 to 6), and whose check digit is right.
pub(super) fn has_card(text: &str) -> bool {
    has_number(text, is_card)
}

/// Whether a number is in the text, its digits together or in groups, that is longer than a viewer may see.
pub(super) fn has_long_number(text: &str) -> bool {
    has_number(text, |digits| digits.len() > ALL_DIGITS_MAX)
}

/// Whether four segments of a path in a row are the number of a card.
pub(super) fn has_card_segments(path: &str) -> bool {
    let is_group = |segment: &&str| segment.len() == CARD_GROUP && segment.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = [""; CARD_GROUP];
    count_digits(path) >= CARD_MIN
        && path.split('/').any(|segment| {
            groups.rotate_left(1);
            groups[CARD_GROUP - 1] = segment;
            groups.iter().all(is_group) && has_card(&groups.concat())
        })
}

fn count_digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Whether the text has a number that `is` accepts, which has at least as many digits as a card's. A space, `-`, `+`, `.`
/// or `_` separates groups.
fn has_number(text: &str, is: fn(&[u8]) -> bool) -> bool {
    if count_digits(text) < CARD_MIN {
        return false;
    }
    // The digits of the groups so far, and where each group begins in them.
    let (mut digits, mut starts) = (Vec::new(), Vec::new());
    let mut before = 0_u8;
    // The last byte ends the last number.
    for byte in text.bytes().chain([0]) {
        if byte.is_ascii_digit() {
            if !before.is_ascii_digit() {
                starts.push(digits.len());
            }
            digits.push(byte - b'0');
        } else {
            let ends = before.is_ascii_digit() && digits.len() >= CARD_MIN;
            let mut from = starts.iter().rev().take(CARD_MAX).filter_map(|start| digits.get(*start..));
            // No clock has that number of digits: a card may be followed by others.
            let begins = |digits: &[u8]| {
                digits.len() > CARD_MAX && (CARD_MIN..=CARD_MAX).any(|length| digits.get(..length).is_some_and(is))
            };
            if ends && from.any(|digits| is(digits) || begins(digits)) {
                return true;
            }
            if !before.is_ascii_digit() || !matches!(byte, b' ' | b'-' | b'+' | b'.' | b'_') {
                digits.clear();
                starts.clear();
            }
        }
        before = byte;
    }
    false
}

fn is_card(digits: &[u8]) -> bool {
    let sum = || -> u32 { digits.iter().rev().enumerate().map(|(place, digit)| luhn(place, u32::from(*digit))).sum() };
    (CARD_MIN..=CARD_MAX).contains(&digits.len()) && matches!(digits.first(), Some(2..=6)) && sum().is_multiple_of(10)
}

/// Returns the contribution of a digit to its number's check sum, by its place from the right.
const fn luhn(place: usize, digit: u32) -> u32 {
    match (place % 2, digit) {
        (0, digit) => digit,
        (_, 0..=4) => 2 * digit,
        (_, digit) => 2 * digit - 9,
    }
}

#[cfg(test)]
mod tests {
    use super::{has_card, has_card_segments, has_long_number};

    #[test]
    fn card_differs_from_a_clock_and_other_numbers() {
        for text in [
            "pay 4111 1111 1111 1111 now",
            "x5500000000000004",
            "v1-4111111111111111",
            "2026 4111-1111-1111-1111",
            "4111_1111_1111_1111",
            "41111111111111114111111111111111",
        ] {
            assert!(has_card(text), "{text}");
        }
        for text in ["4111111111111112", "1774680145123", "1774680145123456789", "411111111111", "4111  1111 1111 1111"]
        {
            assert!(!has_card(text), "{text}");
        }
        assert!(has_long_number("1774680145123") && !has_long_number("177468014512"));
        assert!(has_card_segments("/x/4111/1111/1111/1111/") && !has_card_segments("/x/4111/1111/1111/1112"));
    }
}
