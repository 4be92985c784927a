//! What an isolate keeps of the registry's tokens, so that a request with one costs no call to the registry.
//!
//! Each audited or counted request carries the generation in which its token was looked up. Where tokens were revoked since,
//! the audit log says so before it admits the request, and the isolate looks the token up again. Each chain of the audit log has
//! a generation of its own, and a token belongs to the chain of its caller.
//!
//! # Invariants
//! A token is believed only in the generation in which it was looked up, and for [`TOKEN_CACHE_MS`] at most. Unknown tokens
//! cause [`TOKEN_SEARCHES`] calls at a time, and then one each [`TOKEN_SEARCH_MS`]. A token that was known never waits for
//! them, nor does one in the list of the registry, which is read at most once in [`TOKEN_LIST_MS`] when they are used up:
//! made-up tokens keep no real one out. The memory is bounded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{ChainNumber, TokenRule};
use crate::limits::{
    TOKEN_CACHE_MS, TOKEN_LIST_MS, TOKEN_LISTED_DIGITS, TOKEN_SEARCH_MS, TOKEN_SEARCHES, TOKENS_CACHED,
};
use crate::time::is_within;

/// What the registry knows of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// It grants what its rule says, until it expires.
    Live(TokenRule),
    /// The token of this name was revoked.
    Revoked(String),
    /// No token has this hash.
    Unknown,
}

impl TokenState {
    /// The chain of the audit log that has the requests with the token, among this number of them.
    #[must_use]
    pub fn chain(&self, chains: u8) -> ChainNumber {
        match self {
            Self::Live(TokenRule { id, .. }) | Self::Revoked(id) => ChainNumber::of_caller(id, chains),
            Self::Unknown => ChainNumber::FIRST,
        }
    }
}

/// The newest generations of tokens that the chains of the audit log have named.
#[derive(Debug, Clone, Default)]
pub struct TokenGenerations(Rc<BTreeMap<ChainNumber, u64>>);

impl TokenGenerations {
    /// That of a chain; 0 while it is not known.
    #[must_use]
    pub fn of(&self, chain: ChainNumber) -> u64 {
        self.0.get(&chain).copied().unwrap_or_default()
    }
}

/// The tokens that an isolate has looked up; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct TokenCache(Rc<RefCell<TokenTable>>);

#[derive(Debug, Default)]
struct TokenTable {
    generations: TokenGenerations,
    tokens: BTreeMap<[u8; 32], CachedToken>,
    /// The searches that are spent, in milliseconds until the last of them is allowed again, from this instant.
    spent: (i64, i64),
    /// The beginnings of the hashes of the registry's tokens, as it last listed them.
    listed: BTreeSet<String>,
    /// When that list was last asked for.
    list_asked_ms: Option<i64>,
}

#[derive(Debug)]
struct CachedToken {
    state: TokenState,
    generations: TokenGenerations,
    at_ms: i64,
}

impl TokenCache {
    /// The generations that a token is looked up in from now on.
    #[must_use]
    pub fn generations(&self) -> TokenGenerations {
        self.0.borrow().generations.clone()
    }

    /// Notes the current generation of a chain: its tokens of others are looked up again.
    pub fn begin_generation(&self, chain: ChainNumber, generation: u64) {
        Rc::make_mut(&mut self.0.borrow_mut().generations.0).insert(chain, generation);
    }

    /// What is known of the token with this hash, where the audit log has this number of chains.
    #[must_use]
    pub fn find(&self, sha256: &[u8; 32], chains: u8, now_ms: i64) -> Option<TokenState> {
        let table = self.0.borrow();
        let known = table.tokens.get(sha256)?;
        let chain = known.state.chain(chains);
        if known.generations.of(chain) != table.generations.of(chain) {
            return None;
        }
        is_within(Some(known.at_ms), TOKEN_CACHE_MS, now_ms).then(|| known.state.clone())
    }

    /// Whether the token may be looked up now; if it is not one that was known, the search is counted.
    #[must_use]
    pub fn may_look_up(&self, sha256: &[u8; 32], now_ms: i64) -> bool {
        let mut table = self.0.borrow_mut();
        if table.tokens.get(sha256).is_some_and(|known| matches!(known.state, TokenState::Live(_))) {
            return true;
        }
        let (spent_ms, at_ms) = table.spent;
        let spent_ms = spent_ms.saturating_sub(now_ms.saturating_sub(at_ms).max(0)).max(0);
        let may = spent_ms <= (TOKEN_SEARCHES - 1) * TOKEN_SEARCH_MS;
        table.spent = (if may { spent_ms + TOKEN_SEARCH_MS } else { spent_ms }, now_ms);
        may
    }

    /// Whether the registry's list has a token with this hash, or one that begins in the same way.
    #[must_use]
    pub fn is_listed(&self, sha256: &[u8; 32]) -> bool {
        let hex = hex::encode(sha256);
        hex.get(..TOKEN_LISTED_DIGITS).is_some_and(|digits| self.0.borrow().listed.contains(digits))
    }

    /// Whether the registry's list may be read now; if so, it is counted as read.
    #[must_use]
    pub fn may_list(&self, now_ms: i64) -> bool {
        let mut table = self.0.borrow_mut();
        let may = !is_within(table.list_asked_ms, TOKEN_LIST_MS, now_ms);
        if may {
            table.list_asked_ms = Some(now_ms);
        }
        may
    }

    /// Keeps the registry's list: the first [`TOKEN_LISTED_DIGITS`] digits of each hash.
    pub fn keep_list(&self, listed: Vec<String>) {
        self.0.borrow_mut().listed = listed.into_iter().collect();
    }

    /// Keeps what the registry said of a token that was looked up in these generations.
    pub fn keep(&self, sha256: [u8; 32], state: TokenState, generations: TokenGenerations, now_ms: i64) {
        let mut table = self.0.borrow_mut();
        if table.tokens.len() >= TOKENS_CACHED && !table.tokens.contains_key(&sha256) {
            // Live ones stay as long as they can: what is unknown may be made up.
            table.tokens.retain(|_, known| matches!(known.state, TokenState::Live(_)));
            if table.tokens.len() >= TOKENS_CACHED {
                table.tokens.retain(|_, known| now_ms.saturating_sub(known.at_ms) < TOKEN_CACHE_MS);
            }
            if table.tokens.len() >= TOKENS_CACHED {
                table.tokens.clear();
            }
        }
        table.tokens.insert(sha256, CachedToken { state, generations, at_ms: now_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainNumber, TOKEN_CACHE_MS, TOKEN_SEARCH_MS, TOKEN_SEARCHES, TOKENS_CACHED, TokenCache, TokenState};
    use crate::access::{TokenRule, main_rule};

    const FIRST: ChainNumber = ChainNumber::FIRST;

    fn live() -> TokenState {
        TokenState::Live(main_rule([1; 32]))
    }

    #[test]
    fn token_is_believed_in_its_generation_alone() {
        let cache = TokenCache::default();
        let before = cache.generations();
        cache.keep([1; 32], live(), before.clone(), 0);
        assert_eq!(cache.find(&[1; 32], 1, TOKEN_CACHE_MS - 1), Some(live()));
        assert_eq!(
            (cache.find(&[1; 32], 1, TOKEN_CACHE_MS), cache.find(&[1; 32], 1, -1), cache.find(&[2; 32], 1, 0)),
            (None, None, None)
        );
        cache.begin_generation(FIRST, 7);
        assert_eq!(cache.find(&[1; 32], 1, 1), None, "tokens were revoked");
        cache.keep([1; 32], TokenState::Revoked("a".into()), before, 1);
        assert_eq!(cache.find(&[1; 32], 1, 1), None, "it was looked up before that");
        cache.keep([1; 32], live(), cache.generations(), 1);
        assert_eq!(cache.find(&[1; 32], 1, 1), Some(live()));
    }

    #[test]
    fn generation_of_another_chain_changes_nothing() {
        let cache = TokenCache::default();
        let rule = |number: u8| TokenRule { id: format!("desk-{number}"), ..main_rule([number; 32]) };
        let chain = |number: u8| TokenState::Live(rule(number)).chain(4);
        (0..32).for_each(|number| cache.keep([number; 32], TokenState::Live(rule(number)), cache.generations(), 0));
        cache.begin_generation(chain(0), 7);
        let found: Vec<bool> = (0..32).map(|number| cache.find(&[number; 32], 4, 1).is_some()).collect();
        let expected: Vec<bool> = (0..32).map(|number| chain(number) != chain(0)).collect();
        assert_eq!(found, expected);
        assert!(found.contains(&true) && found.contains(&false));
    }

    #[test]
    fn made_up_tokens_wait_for_their_searches() {
        let cache = TokenCache::default();
        cache.keep([1; 32], live(), cache.generations(), 0);
        cache.begin_generation(FIRST, 1);
        let searched = (0..10_000).filter(|_| cache.may_look_up(&[2; 32], 0)).count();
        assert_eq!(i64::try_from(searched), Ok(TOKEN_SEARCHES));
        assert!(cache.may_look_up(&[1; 32], 0) && !cache.may_look_up(&[3; 32], TOKEN_SEARCH_MS - 1));
        assert!(cache.may_look_up(&[3; 32], TOKEN_SEARCH_MS) && !cache.may_look_up(&[3; 32], TOKEN_SEARCH_MS));
    }

    #[test]
    fn unknown_tokens_give_way_to_known_ones() {
        let cache = TokenCache::default();
        cache.keep([255; 32], live(), cache.generations(), 0);
        for number in 0..3 * u32::try_from(TOKENS_CACHED).unwrap() {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            cache.keep(hash, TokenState::Unknown, cache.generations(), 0);
            assert!(cache.0.borrow().tokens.len() <= TOKENS_CACHED);
        }
        assert_eq!(cache.find(&[255; 32], 1, 0), Some(live()));
    }
}
