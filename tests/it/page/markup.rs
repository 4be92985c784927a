//! A reader of the page's markup that takes nothing for granted: it reads tags, attributes and texts as a browser would, and
//! refuses what a browser would have to repair.

/// Elements without an end.
const VOID: [&str; 8] = ["br", "input", "rect", "path", "hr", "meta", "link", "img"];

/// The structure of a part of a page: the elements with the names of their attributes, in order, without any value or text.
pub(super) fn structure(html: &str) -> Result<Vec<String>, String> {
    let (mut found, mut open, mut rest) = (Vec::new(), Vec::new(), html);
    while let Some((text, after)) = rest.split_once('<') {
        check_text(text)?;
        let (tag, after) = tag_of(after)?;
        rest = after;
        if let Some(name) = tag.name.strip_prefix('/') {
            let top: String = open.pop().ok_or(format!("</{name}> ends nothing"))?;
            if top != name {
                return Err(format!("</{name}> ends <{top}>"));
            }
        } else if !tag.is_closed && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        found.push(format!("{} {}", tag.name, tag.attributes.join(" ")));
    }
    check_text(rest)?;
    if open.is_empty() { Ok(found) } else { Err(format!("{open:?} are open")) }
}

struct Tag {
    name: String,
    attributes: Vec<String>,
    is_closed: bool,
}

/// Reads a tag after its `<`, to its `>`.
fn tag_of(text: &str) -> Result<(Tag, &str), String> {
    let end = text.find([' ', '>', '/', '\n']).filter(|end| *end > 0 || text.starts_with('/'));
    let end = if text.starts_with('/') { text.find('>') } else { end }.ok_or("a tag without an end")?;
    let (name, mut rest) = text.split_at(end);
    if !name.trim_start_matches('/').bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(format!("<{name} is no tag of ours"));
    }
    let mut tag = Tag { name: name.to_owned(), attributes: Vec::new(), is_closed: false };
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            tag.is_closed = true;
            return Ok((tag, after));
        }
        if let Some(after) = rest.strip_prefix('>') {
            return Ok((tag, after));
        }
        let end = rest.find(['=', ' ', '>']).ok_or("an attribute without an end")?;
        let (attribute, after) = rest.split_at(end);
        let is_name = attribute.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        if attribute.is_empty() || !is_name || attribute.starts_with("on") || attribute == "style" {
            return Err(format!("{attribute:?} is no attribute of ours"));
        }
        tag.attributes.push(attribute.to_owned());
        rest = after;
        if let Some(after) = after.strip_prefix("=\"") {
            let (value, after) = after.split_once('"').ok_or("a value without an end")?;
            check_text(value)?;
            let is_address = ["href", "src", "action"].contains(&attribute);
            if is_address && value.trim().to_ascii_lowercase().starts_with("javascript:") {
                return Err("an address that is a script".to_owned());
            }
            rest = after;
        }
    }
}

/// Refuses a text that is more than text.
fn check_text(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if let Some(c) = text.chars().find(|c| {
        !is_plain(*c) || matches!(c, '>' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
    }) {
        return Err(format!("{c:?} in a text"));
    }
    for (at, _) in text.match_indices('&') {
        let entity = text.get(at..).unwrap_or_default();
        if !["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|known| entity.starts_with(known)) {
            return Err(format!("& at {at} of {text:?}"));
        }
    }
    Ok(())
}

#[test]
fn broken_markup_is_refused() {
    for broken in [
        "<p>",
        "<p></b>",
        "</p>",
        "<p>a > b</p>",
        "<p a=\"x</p>",
        "<p>&x;</p>",
        "<p>a & b</p>",
        "<p onclick=\"x\"></p>",
        "<p style=\"x\"></p>",
        "<script x",
        "<p>\u{1b}</p>",
        "<p>\u{202e}</p>",
        "<a href=\" JavaScript:x\"></a>",
        "<P></P>",
    ] {
        assert!(structure(broken).is_err(), "{broken:?}");
    }
    let right = "<p class=\"a b\" hidden>x &lt; <br>y <svg><rect x=\"1\"/></svg></p>\n";
    assert_eq!(structure(right).unwrap(), ["p class hidden", "br ", "svg ", "rect x", "/svg ", "/p "]);
}
