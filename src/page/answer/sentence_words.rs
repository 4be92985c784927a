//! The words of the sentence: what the values of Logpush's fields mean.
//!
//! # Invariants
//! A value that no table has is quoted, and nothing is concluded from it.

/// Whether a security action let the request pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecurityOutcome {
    /// It went on.
    Passed,
    /// A rule answered it, or ended it.
    Stopped,
    /// A challenge answered it.
    Challenged,
}

use SecurityOutcome::{Challenged, Passed, Stopped};

/// The actions by their names in lower case without underscores, with their outcomes.
const ACTIONS: [(&str, SecurityOutcome, &str); 27] = [
    ("", Passed, "not blocked"),
    ("allow", Passed, "allowed by a rule"),
    ("log", Passed, "not blocked (a rule logged it)"),
    ("simulate", Passed, "not blocked (a rule in simulation matched)"),
    ("skip", Passed, "not blocked (a rule skipped others)"),
    ("bypass", Passed, "not blocked (a rule skipped others)"),
    ("rewrite", Passed, "not blocked (a rule rewrote it)"),
    ("block", Stopped, "blocked"),
    ("drop", Stopped, "blocked"),
    ("connectionclose", Stopped, "connection closed by a rule"),
    ("forceconnectionclose", Stopped, "connection closed by a rule"),
    ("challenge", Challenged, "answered with an interactive challenge"),
    ("jschallenge", Challenged, "answered with a JavaScript challenge"),
    ("managedchallenge", Challenged, "answered with a managed challenge"),
    ("challengesolved", Passed, "challenge solved"),
    ("jschallengesolved", Passed, "JavaScript challenge solved"),
    ("managedchallengenoninteractivesolved", Passed, "managed challenge solved without interaction"),
    ("managedchallengeinteractivesolved", Passed, "managed challenge solved by the visitor"),
    ("challengefailed", Stopped, "challenge failed"),
    ("jschallengefailed", Stopped, "JavaScript challenge failed"),
    ("managedchallengefailed", Stopped, "managed challenge failed"),
    ("managedchallengeinteractivefailed", Stopped, "managed challenge failed"),
    ("managedchallengenoninteractivefailed", Stopped, "managed challenge failed"),
    ("challengebypassed", Passed, "challenge not shown again (earlier clearance)"),
    ("jschallengebypassed", Passed, "JavaScript challenge not shown again (earlier clearance)"),
    ("managedchallengebypassed", Passed, "managed challenge not shown again (earlier clearance)"),
    ("managedchallengeskipped", Passed, "managed challenge skipped"),
];

/// Returns what a security action did, and its words; `None` for a value that is not known.
pub(super) fn security_words(action: &str) -> Option<(SecurityOutcome, &'static str)> {
    let name: String = action.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
    ACTIONS.iter().find(|(known, _, _)| *known == name).map(|(_, outcome, words)| (*outcome, *words))
}

/// The values of `CacheCacheStatus`: whether the cache gave the response, and the words.
const CACHE: [(&str, bool, &str); 13] = [
    ("hit", true, "cache hit"),
    ("stream_hit", true, "cache hit (while the cache was filled)"),
    ("stale", true, "stale copy (the origin could not give a newer one)"),
    ("updating", true, "stale copy (while it was updated)"),
    ("revalidated", true, "copy confirmed by the origin"),
    ("miss", false, "not in the cache"),
    ("expired", false, "cached copy expired"),
    ("dynamic", false, "not cached"),
    ("bypass", false, "not cached (bypass)"),
    ("ignored", false, "not cached (ignored)"),
    ("deferred", false, "not cached (deferred)"),
    ("none", false, "not cached (none)"),
    ("unknown", false, "cache not asked (unknown)"),
];

/// Returns whether the cache gave the response, and the words for it; `None` for a value that is not known.
pub(super) fn cache_words(status: &str) -> Option<(bool, &'static str)> {
    CACHE.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(status)).map(|(_, served, words)| (*served, *words))
}

/// Returns the meaning of a status that the edge gives where it gets no usable answer from the origin.
pub(super) const fn edge_error_words(status: u64) -> Option<&'static str> {
    Some(match status {
        520 => "the origin's answer was empty or not HTTP",
        521 => "the origin refused the connection",
        522 => "the connection to the origin timed out",
        523 => "the origin was unreachable",
        524 => "the origin did not answer in time",
        525 => "the TLS handshake with the origin failed",
        526 => "the origin's certificate is not valid",
        530 => "the origin's name was not resolved, or an error 1xxx",
        _ => return None,
    })
}

/// The outcomes of Workers, as `WorkerStatus` and `Outcome` name them, in lower case.
const WORKER_OUTCOMES: [(&str, &str); 12] = [
    ("ok", "ran well"),
    ("exception", "threw an exception"),
    ("scriptthrewexception", "threw an exception"),
    ("exceededcpu", "used too much CPU time"),
    ("exceededmemory", "used too much memory"),
    ("exceededwalltime", "took too long"),
    ("canceled", "was canceled by the client"),
    ("clientdisconnected", "was canceled by the client"),
    ("responsestreamdisconnected", "lost its client during the response"),
    ("scriptnotfound", "was not found"),
    ("loadshed", "was not run (overload)"),
    ("internalerror", "failed (internal error)"),
];

/// Returns the words for a Worker's outcome; `None` for a value that is not known.
pub(super) fn worker_words(outcome: &str) -> Option<&'static str> {
    WORKER_OUTCOMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(outcome)).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::{ACTIONS, CACHE, SecurityOutcome, cache_words, security_words, worker_words};

    #[test]
    fn actions_are_known_in_every_spelling() {
        for action in ["managedChallenge", "managed_challenge", "MANAGEDCHALLENGE"] {
            let words = (SecurityOutcome::Challenged, "answered with a managed challenge");
            assert_eq!(security_words(action), Some(words), "{action}");
        }
        assert_eq!(security_words("unknown"), None);
    }

    #[test]
    fn tables_name_each_value_once() {
        for (index, (name, ..)) in ACTIONS.iter().enumerate() {
            assert!(ACTIONS.iter().skip(index + 1).all(|(other, ..)| other != name), "{name}");
        }
        for (name, served, _) in CACHE {
            assert_eq!(cache_words(name).map(|(served, _)| served), Some(served), "{name}");
        }
        assert_eq!((cache_words("warm"), worker_words("unknown")), (None, None));
    }
}
