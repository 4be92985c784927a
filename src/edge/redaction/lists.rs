//! Names and values that are neighbours in a list within a text: `["Authorization","x"]`, `[(b'cookie', b'a=b')]`.
//!
//! # Invariants
//! A name is in quotes, within brackets, and a value in quotes or further brackets follows it. A text is walked once: what is
//! between two quotes is looked at for one comma.

use super::is_word;

/// Longest name in a list, with its quotes.
const NAME_MAX: usize = 66;

/// Returns where the values begin that follow names of secrets in lists.
pub(super) fn listed_values<'t>(
    text: &'t str,
    redacts: impl Fn(&str, &str) -> bool + 't,
) -> impl Iterator<Item = usize> + 't {
    let mut list = None;
    text.match_indices(',').filter_map(move |(comma, _)| {
        let name = name_before(text.get(..comma)?)?;
        let rest = text.get(comma + 1..)?.trim_start();
        let is_found = begins_value(rest) && redacts(name, rest);
        let is_within =
            is_found && *list.get_or_insert_with(|| text.find(['[', '(', '{']).unwrap_or(text.len())) < comma;
        is_within.then(|| text.len() - rest.len())
    })
}

/// Returns the name in quotes that a text ends in, if it is an item of a list.
fn name_before(text: &str) -> Option<&str> {
    // Erlang writes `<<"x">>`, and Python `b'x'`.
    let text = text.trim_end().trim_end_matches('>');
    let quote = text.chars().next_back().filter(|sign| matches!(sign, '"' | '\'' | '`'))?;
    let inside = text.strip_suffix(quote)?;
    let near = inside.get(inside.ceil_char_boundary(inside.len().saturating_sub(NAME_MAX))..)?;
    let (before, name) = near.rsplit_once(quote)?;
    let name = name.trim_end_matches('\\');
    let before = inside.get(..inside.len() - near.len() + before.len())?.trim_end_matches('\\');
    let is_item = before.trim_end_matches(['b', 'u']).trim_end().ends_with(['[', '(', '{', ',', '<']);
    (is_item && !name.is_empty() && is_word(name)).then_some(name)
}

/// Returns whether a value begins here, which is not redacted yet.
fn begins_value(text: &str) -> bool {
    let bare = text.trim_start_matches(['[', '(', '{', '<', ' ']);
    let bare = bare.strip_prefix(['b', 'u']).unwrap_or(bare).trim_start_matches('\\');
    let inside = bare.strip_prefix(['"', '\'', '`']);
    inside.is_some_and(|inside| !inside.starts_with(super::REDACTED))
}

#[cfg(test)]
mod tests {
    use super::listed_values;

    #[test]
    fn values_beside_names_in_lists_are_found() {
        for text in [
            r#"x ["Authorization","canary"]"#,
            r#"x [["cookie","a=canary"],["accept","b"]]"#,
            r#"["Host", "h", "Authorization", "canary"]"#,
            r#"[\"Authorization\",\"canary\"]"#,
            "[(b'host', b'h'), (b'authorization', b'canary')]",
            "{<<\"authorization\">>,<<\"canary\">>}",
            "[`authorization`, [`canary`]]",
        ] {
            let is_name = |name: &str, _: &str| ["authorization", "cookie"].contains(&&*name.to_lowercase());
            let before = listed_values(text, is_name).next().and_then(|at| text.get(..at));
            assert!(before.is_some_and(|before| !before.contains("canary")), "{text}");
        }
        for text in [
            "\"authorization\", \"cookie\" are missing",
            "\"authorization\", \"a\", \"authorization\", \"b\"",
            "[authorization, cookie]",
            r#"["authorization"]"#,
            r#"["authorization",[redacted]"#,
            r#"["authorization","[redacted]"]"#,
            r#"["a authorization","b"]"#,
        ] {
            assert_eq!(listed_values(text, |name, _| name == "authorization").next(), None, "{text}");
        }
    }
}
