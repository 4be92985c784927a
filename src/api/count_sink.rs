//! Counts the records of a scan as their caller sees them.
//!
//! # Invariants
//! A record is counted once, by what the caller sees of it. What is masked is masked before anything is counted; a record that
//! the caller does not see leaves no trace.

use std::borrow::Cow;
use std::rc::Rc;

use super::count_groups::CountGroups;
use super::field_subset::FieldSubset;
use super::field_warnings::UnseenFields;
use super::record_view::RecordView;
use crate::limits::COUNT_VALUE_BYTES;
use crate::query::RecordSink;
use crate::record::fields::line_text;
use crate::record::{FieldValue, NamePlaces, NamedValues, RecordKey};

/// Ends each value of a group but the last: no JSON has this byte.
pub(super) const VALUE_END: u8 = 0;

/// The fields that records are counted by.
#[derive(Debug)]
pub(super) struct CountFields {
    /// Those of the request, in its order.
    by: NamePlaces,
    /// Those that the filter reads too, so that it can be asked of a record with these alone.
    read: FieldSubset,
}

impl CountFields {
    /// Creates the fields of a request with this view.
    pub(super) fn new(by: &[String], view: &RecordView) -> Self {
        let places = |names: Vec<&str>| (0..).zip(names).map(|(place, name)| (name.into(), place)).collect();
        let names: Vec<&str> = by.iter().map(String::as_str).collect();
        let mut read = names.clone();
        read.extend(view.filter_fields().filter(|name| !names.contains(name)));
        Self { by: places(names), read: FieldSubset::new(read) }
    }

    /// Writes the values of a record as JSON; returns whether they are short enough for a group.
    fn write_values(&self, record: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        if self.by.is_empty() {
            return true;
        }
        let text = line_text(record);
        let values = NamedValues::read(&text, &self.by).unwrap_or_default();
        for place in 0..self.by.len() {
            if place > 0 {
                out.push(VALUE_END);
            }
            let start = out.len();
            if !write_value(&values.get(place), out) || out.len() - start > COUNT_VALUE_BYTES {
                return false;
            }
        }
        true
    }
}

/// Writes a value as JSON; returns whether it is short enough to be tried.
fn write_value(value: &FieldValue<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        FieldValue::Absent => out.extend_from_slice(b"null"),
        FieldValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        FieldValue::Number(text) | FieldValue::Nested(text) if text.len() > COUNT_VALUE_BYTES => return false,
        FieldValue::Text(text) if text.len() > COUNT_VALUE_BYTES => return false,
        FieldValue::Number(raw) | FieldValue::Nested(raw) => out.extend_from_slice(raw.as_bytes()),
        FieldValue::Text(text) => return serde_json::to_writer(out, text).is_ok(),
    }
    true
}

/// Counts each record, and shows none.
pub(super) struct CountSink {
    view: Rc<RecordView>,
    pub(super) unseen: UnseenFields,
    fields: CountFields,
    /// Length of a step in nanoseconds; `None` for one step.
    step_ns: Option<i64>,
    pub(super) groups: CountGroups,
    /// Number of records that were counted.
    pub(super) counted: u64,
    masked_bytes: u64,
    /// The instant of the latest record.
    ns: i64,
    /// The values of the latest record.
    values: Vec<u8>,
}

impl CountSink {
    pub(super) fn new(view: Rc<RecordView>, unseen: UnseenFields, fields: CountFields, step_ns: Option<i64>) -> Self {
        let groups = CountGroups::default();
        Self { view, unseen, fields, step_ns, groups, counted: 0, masked_bytes: 0, ns: 0, values: Vec::new() }
    }

    /// Counts a record as the caller sees it.
    fn count(&mut self, record: &[u8]) {
        let step = self.step_ns.map_or(0, |step_ns| u64::try_from(self.ns.div_euclid(step_ns)).unwrap_or_default());
        let fits = self.fields.write_values(record, &mut self.values);
        self.groups.add(step, Some(self.values.as_slice()).filter(|_| fits));
        self.counted += 1;
    }
}

impl RecordSink for CountSink {
    fn on_record(&mut self, _key: &RecordKey, ns: i64, zone: Option<&str>, line: &[u8]) {
        self.ns = ns;
        self.unseen.take_stored(&self.view, zone, line);
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        if !self.view.may_show(zone, line) {
            return None;
        }
        let cut = self.view.cut(zone, line);
        let record = if self.view.is_verbatim() { cut } else { self.fields.read.reduced(&cut)?.into() };
        self.masked_bytes += if self.view.is_verbatim() { 0 } else { record.len() as u64 };
        let shown = self.view.mask(&record)?;
        self.count(&shown);
        None
    }

    fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.view.is_visible(zone, line)
    }

    fn viewing_room(&self) -> usize {
        self.view.counting_room()
    }

    fn is_full(&self) -> bool {
        self.groups.is_full()
    }

    fn may_mask(&self) -> bool {
        !self.view.is_verbatim()
    }

    fn masked_bytes(&self) -> u64 {
        self.masked_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::CountFields;
    use crate::access::{Caller, Grant};
    use crate::api::record_view::RecordView;
    use crate::filter::Filter;
    use crate::mask::{Disclosure, Role, fields, mask_line, shown};
    use crate::record::{Dataset, RecordMembers};

    fn view(role: Role, filter: Option<&str>) -> RecordView {
        let caller = Caller::new("x", &Grant { role, ..Grant::everything() });
        let filter = filter.map(|filter| Filter::parse(filter).unwrap());
        RecordView::new(&caller, Dataset::HttpRequests, filter).ok().unwrap()
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn values_are_json_in_the_requests_order() {
        let fields = CountFields::new(&owned(&["B", "A"]), &view(Role::Forensics, None));
        for (line, values) in [
            (r#"{"A":1,"B":"x"}"#, "\"x\"\u{0}1"),
            (r#"{"A":2e1,"B":"\u0061\n","B":[1, "\ud800"]}"#, "[1, \"\\ufffd\"]\u{0}2e1"),
            (r#"{"A":null,"C":1}"#, "null\u{0}null"),
            (r#"{"\u0041":true,"B":{"A":2}}"#, "{\"A\":2}\u{0}true"),
        ] {
            let mut out = b"before".to_vec();
            assert!(fields.write_values(line.as_bytes(), &mut out), "{line}");
            assert_eq!(String::from_utf8(out).unwrap(), values);
        }
        let mut out = Vec::new();
        assert!(fields.write_values(format!(r#"{{"A":"{}"}}"#, "x".repeat(1_000)).as_bytes(), &mut out));
        assert!(!fields.write_values(format!(r#"{{"A":"{}"}}"#, "x".repeat(1_023)).as_bytes(), &mut out));
    }

    #[test]
    fn reduced_record_has_the_filters_fields_too() {
        let filter =
            r#"{"where":{"or":[{"key":"A","operator":"eq","value":1},{"key":"C","operator":"eq","value":1}]}}"#;
        let fields = CountFields::new(&owned(&["B", "A"]), &view(Role::Forensics, Some(filter)));
        let line = br#"{"A":1,"D":2,"C": [ 3 ],"A":4,"\u0042":"\""}"#;
        let reduced = String::from_utf8(fields.read.reduced(line).unwrap()).unwrap();
        assert_eq!(reduced, r#"{"A":4,"B":"\"","C":[ 3 ]}"#);
        assert_eq!((fields.read.reduced(b"[1]"), fields.read.reduced(b"{")), (None, None));
    }

    #[test]
    fn fields_are_masked_alone_as_among_others() {
        let line = r#"{"RayID":"9e3556d8c2ab1c05","Name":"token","Value":"hunter2","ClientIP":"192.0.2.77",
            "ClientRequestHost":"www.example.com","ClientRequestURI":"/p?token=hunter2","SecurityActions":["token:","x"],
            "ClientRequestUserAgent":"app password: hunter2","EdgeResponseStatus":200,"ZoneName":"4111111111111111",
            "ClientRequestMethod":"GET","ClientCountry":"us","WorkerSubrequest":true,"ClientRequestReferer":"https://a.example/?q=1"}"#;
        let mut compared = 0;
        for role in [Role::Viewer, Role::Support] {
            let mut whole = Vec::new();
            mask_line(role, Dataset::HttpRequests, line.as_bytes(), &mut whole).unwrap();
            let whole = String::from_utf8(whole).unwrap();
            let whole = RecordMembers::parse(&whole).unwrap();
            for (name, _) in fields(Dataset::HttpRequests) {
                if shown(role, Dataset::HttpRequests, name) == Disclosure::Hidden {
                    continue;
                }
                let alone = CountFields::new(&owned(&[name]), &view(role, None)).read.reduced(line.as_bytes()).unwrap();
                let mut masked = Vec::new();
                mask_line(role, Dataset::HttpRequests, &alone, &mut masked).unwrap();
                let masked = String::from_utf8(masked).unwrap();
                assert_eq!(RecordMembers::parse(&masked).unwrap().get(name), whole.get(name), "{role} {name}");
                compared += usize::from(whole.get(name).is_some());
            }
        }
        assert!(compared > 20, "{compared}");
    }
}
