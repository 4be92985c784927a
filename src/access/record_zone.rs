//! The zone that a record says it is of, and the zone of a span's sender.

use memchr::{memchr, memmem};

use crate::record::fields::line_text;
use crate::record::{Dataset, FieldValue, RecordMembers};

/// The field of a span with the zone of its sender, if that has a list of zones: the one that its host is in.
pub const SENDER_ZONE: &str = "SpanSenderZone";

/// The field with the name of a record's zone, in any dataset.
pub(super) const ZONE_NAME: &str = "ZoneName";

/// The zone that a record says it is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordZone {
    /// The one with this name.
    Named(String),
    /// The one that this host is in.
    Host(String),
    /// Unknown: what should name it is no text, or is there twice.
    Unclear,
}

impl RecordZone {
    /// Reads what a record says; `None` if neither it nor its batch says a zone.
    #[must_use]
    pub fn of(dataset: Dataset, of_batch: Option<&str>, line: &[u8]) -> Option<Self> {
        let text = line_text(line);
        Self::of_members(dataset, of_batch, &RecordMembers::parse(&text).ok()?)
    }

    /// Like [`Self::of`], of the members of a record.
    pub(super) fn of_members(dataset: Dataset, of_batch: Option<&str>, members: &RecordMembers<'_>) -> Option<Self> {
        for path in std::iter::once(&ZONE_NAME).chain(dataset.spec().zone) {
            match text_at(members, path) {
                // Without a value the next field decides.
                Ok(None) => {}
                Ok(Some(name)) if *path == ZONE_NAME => return Some(Self::Named(name)),
                Ok(Some(url)) if path.ends_with("URL") => return Some(host_of(&url).map_or(Self::Unclear, Self::Host)),
                Ok(Some(host)) => return Some(Self::Host(host)),
                Err(AmbiguousText) => return Some(Self::Unclear),
            }
        }
        of_batch.map(|name| Self::Named(name.to_owned()))
    }

    /// The length of the name or the host, in bytes.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Named(text) | Self::Host(text) => text.len(),
            Self::Unclear => 0,
        }
    }

    /// Returns whether it is this zone, whose name is in lower case.
    #[must_use]
    pub fn is(&self, zone: &str) -> bool {
        match self {
            Self::Named(name) => name.eq_ignore_ascii_case(zone),
            Self::Host(host) => is_in_zone(host, zone),
            Self::Unclear => false,
        }
    }
}

/// Returns the zone of its sender that a span says, in lower case.
#[must_use]
pub fn sender_zone_of(line: &[u8]) -> Option<String> {
    // A name may have escapes; a line without the name and without any has no such member.
    if memmem::find(line, SENDER_ZONE.as_bytes()).is_none() && memchr(b'\\', line).is_none() {
        return None;
    }
    let text = line_text(line);
    let members = RecordMembers::parse(&text).ok()?;
    let mut named = members.iter().filter(|(name, _)| *name == SENDER_ZONE).map(|(_, raw)| FieldValue::from_json(raw));
    let zone = named.find_map(|value| if let FieldValue::Text(zone) = value { Some(zone) } else { None });
    zone.filter(|zone| !zone.is_empty()).map(|zone| zone.to_ascii_lowercase())
}

/// The value of a field is no text, or the field occurs twice.
pub(super) struct AmbiguousText;

/// The text at a path of members, if there is one that is not empty.
pub(super) fn text_at(members: &RecordMembers<'_>, path: &str) -> Result<Option<String>, AmbiguousText> {
    let (name, inner) = path.split_once('.').map_or((path, None), |(name, inner)| (name, Some(inner)));
    let mut values = members.iter().filter(|(known, _)| *known == name).map(|(_, value)| value);
    let (value, another) = (values.next(), values.next());
    if another.is_some() {
        return Err(AmbiguousText);
    }
    let Some(value) = value else { return Ok(None) };
    match (FieldValue::from_json(value), inner) {
        (FieldValue::Absent, _) => Ok(None),
        (FieldValue::Text(text), None) => Ok(Some(text.into_owned()).filter(|text| !text.is_empty())),
        (FieldValue::Nested(object), Some(inner)) => {
            RecordMembers::parse(object).map_err(|_| AmbiguousText).and_then(|members| text_at(&members, inner))
        }
        _ => Err(AmbiguousText),
    }
}

/// The host in a URL.
fn host_of(url: &str) -> Option<String> {
    url::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// Whether a host, with or without a port or a path, is the zone's name or a subdomain of it.
fn is_in_zone(host: &str, zone: &str) -> bool {
    let host = host.split_once([':', '/']).map_or(host, |(name, _)| name);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.strip_suffix(zone).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{RecordZone, sender_zone_of};
    use crate::record::Dataset;

    #[test]
    fn record_is_of_the_zone_it_says() {
        let is_of =
            |line: &str| RecordZone::of(Dataset::HttpRequests, None, line.as_bytes()).map(|zone| zone.is("a.example"));
        assert_eq!(is_of(r#"{"ZoneName":"A.example"}"#), Some(true));
        assert_eq!(is_of(r#"{"ClientRequestHost":"x.a.example"}"#), Some(true));
        assert_eq!(is_of(r#"{"ClientRequestHost":"b.example"}"#), Some(false));
        assert_eq!(is_of(r#"{"ZoneName":7,"ClientRequestHost":"a.example"}"#), Some(false));
        assert_eq!(is_of(r#"{"RayID":"1"}"#), None);
    }

    #[test]
    fn sender_is_read_however_its_name_is_spelled() {
        for (line, zone) in [
            (r#"{"SpanSenderZone":"a.example"}"#, Some("a.example")),
            (r#"{"\u0053pan\u0053ender\u005Aone":"A.\u0065xample"}"#, Some("a.example")),
            (r#"{"SpanSenderZone":"a.example","SpanSenderZone":"b.example"}"#, Some("a.example")),
            (r#"{"SpanSenderZone":7,"SpanSender\u005aone":"b.example"}"#, Some("b.example")),
            (r#"{"SpanSenderZone":""}"#, None),
            (r#"{"SpanAttributes":{"SpanSenderZone":"a.example"}}"#, None),
            (r#"{"SpanName":"\\SpanSenderZone"}"#, None),
        ] {
            assert_eq!(sender_zone_of(line.as_bytes()).as_deref(), zone, "{line}");
        }
    }
}
