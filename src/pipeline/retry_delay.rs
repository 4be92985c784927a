//! The delay before a message is retried: the table's value for its attempt plus up to a quarter, so that messages that
//! failed together are not retried together.
//!
//! The delay depends on the message and its attempt alone, and is never less than the table's value.

use sha2::{Digest, Sha256};

/// Returns the delay in seconds before the message about `what` is retried after its attempt `attempt`, counted from 1.
/// The last of `delays` applies to all later attempts.
pub(super) fn retry_delay_s(delays: &[u32], what: &str, attempt: u32) -> u32 {
    let nth = attempt.saturating_sub(1) as usize;
    let delay = delays.get(nth).or(delays.last()).copied().unwrap_or_default();
    let [a, b, ..]: [u8; 32] = Sha256::digest(format!("{what}/{attempt}")).into();
    delay + u32::from(u16::from_le_bytes([a, b])) * (delay / 4) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::retry_delay_s;
    use crate::limits::{PARSE_RETRY_S, SEND_RETRY_S};

    #[test]
    fn delay_exceeds_the_tables_by_up_to_quarter() {
        for delays in [&PARSE_RETRY_S[..], &SEND_RETRY_S] {
            for attempt in [0, 1, 2, 3, 4, 5, 6, u32::MAX] {
                let shortest = delays[(attempt.max(1) as usize - 1).min(delays.len() - 1)];
                let drawn: BTreeSet<u32> =
                    (0..2000).map(|message| retry_delay_s(delays, &message.to_string(), attempt)).collect();
                assert!(drawn.iter().all(|delay| (shortest..=shortest + shortest / 4).contains(delay)), "{attempt}");
                let (first, last) = (drawn.first().unwrap() - shortest, drawn.last().unwrap() - shortest);
                assert!(
                    first <= shortest / 100 && last + shortest / 50 + 1 >= shortest / 4,
                    "{attempt}: {first} to {last}"
                );
            }
        }
    }

    #[test]
    fn delay_depends_on_message_and_attempt_only() {
        let delays = [1000, 1000];
        assert_eq!(retry_delay_s(&delays, "a", 1), retry_delay_s(&delays, "a", 1));
        assert_ne!(retry_delay_s(&delays, "a", 1), retry_delay_s(&delays, "b", 1));
        assert_ne!(retry_delay_s(&delays, "a", 1), retry_delay_s(&delays, "a", 2));
        assert_eq!(retry_delay_s(&[], "a", 1), 0);
    }
}
