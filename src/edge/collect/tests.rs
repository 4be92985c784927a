//! What the tests of the intake share.

use proptest::prelude::{Strategy, prop};
use serde_json::Value;
use serde_json::value::RawValue;

use super::report::ReportValue;

/// The value of a text that is one.
pub(super) fn value(text: &str) -> ReportValue {
    parse(text).unwrap()
}

/// The value of a text, if it is one.
pub(super) fn parse(text: &str) -> Option<ReportValue> {
    ReportValue::parse(serde_json::from_str::<&RawValue>(text).ok()?)
}

/// Small values of every type, which are often equal.
pub(super) fn values() -> impl Strategy<Value = Value> {
    let leaf = proptest::prop_oneof![
        (-3_i64..3).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "\"\\", "é😀", "\u{1}", "/"]).prop_map(Value::from),
        prop::sample::select(vec![Value::Null, Value::Bool(true), Value::Bool(false)]),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab\"é]{0,2}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
