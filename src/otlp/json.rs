//! How OTLP writes some values in JSON.

use serde::Serializer;

/// Writes bytes of an ID as hexadecimal digits.
pub(super) fn digits<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// Writes a 64-bit number as a text: readers in JavaScript have 53 bits.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")
)]
pub(super) fn unsigned<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// Writes a 64-bit number as a text, whatever its sign.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")
)]
pub(super) fn signed<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// Writes the number of an enumeration, or its name.
pub(super) fn number_or_name<S: Serializer>(number: i32, name: Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => serializer.serialize_str(name),
        None => serializer.serialize_i32(number),
    }
}

/// Returns whether a member is left out: it has the value that a reader assumes.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
