//! Identities in the ledger: a ledger by the hour of its batches, a delivery by its index in a plan.
//!
//! # Invariants
//! An identity depends on content and names alone, so every attempt computes the same one. Identities are stored and
//! sent in messages; tests freeze their formats.

use serde::{Deserialize, Serialize};

use super::delivery::BodyLocation;
use super::hours::VERSION;
use super::source_id::SourceId;
use crate::bucket_keys::pack_key;
use crate::limits::GROUP_PAYLOADS;

/// The name of the registry, the Durable Object that knows every ledger.
pub const REGISTRY: &str = "v1/registry";
/// The name of the object for the partner, which belongs to no ledger.
pub const PARTNER: &str = "v1/partner";
/// The last number in the index of a payload without the lines that an erasure took out; the two before it are those of a
/// split.
pub const FIRST_WITHOUT_ERASED: u32 = 2;
/// Number of digits in a payload's index.
const INDEX_DIGITS: usize = 6;

/// Returns the index of the payload with this number in its plan, counted from 0: `000003`.
#[must_use]
pub fn index_of(number: usize) -> String {
    format!("{number:0INDEX_DIGITS$}")
}

/// The identity of a payload: its ledger, source, plan and index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The name of its ledger.
    pub ledger: String,
    /// The source, one version of one object.
    pub source: SourceId,
    /// The number of the plan.
    pub plan: u32,
    /// The payload's number in the plan, `000003`; the two that replace a split one are `000003.0` and `000003.1`, that
    /// without its erased lines `000003.2`.
    pub index: String,
}

impl DeliveryId {
    /// Returns the value of the header `X-Batch-Id` in every attempt: 16 digits of the source, the plan, the index.
    #[must_use]
    pub fn batch_header(&self) -> String {
        let digits = self.source.as_str().get(..16).unwrap_or_default();
        format!("{digits}-{}-{}", self.plan, self.index)
    }

    /// Returns the indexes of the two payloads that replace this one in a split.
    #[must_use]
    pub fn split_indexes(&self) -> [String; 2] {
        [format!("{}.0", self.index), format!("{}.1", self.index)]
    }

    /// Returns the index of the payload that replaces this one once an erasure took lines out of it: of `000003` it is
    /// `000003.2`, of that `000003.3`.
    #[must_use]
    pub fn index_without_erased(&self) -> String {
        let parts = self.index.rsplit_once('.');
        match parts.and_then(|(whole, part)| Some((whole, part.parse::<u32>().ok()?))) {
            Some((whole, part)) if part >= FIRST_WITHOUT_ERASED => format!("{whole}.{}", part.saturating_add(1)),
            _ => format!("{}.{FIRST_WITHOUT_ERASED}", self.index),
        }
    }

    /// Returns the handle that names the payload in the API; it contains no key.
    #[must_use]
    pub fn handle(&self) -> String {
        let batch = BatchId { ledger: self.ledger.clone(), source: self.source.clone() }.handle();
        format!("{batch}.{}.{}", self.plan, self.index)
    }

    /// Parses a handle; `None` if it is malformed.
    #[must_use]
    pub fn from_handle(handle: &str) -> Option<Self> {
        let mut parts = handle.splitn(4, '.');
        let (ledger, source, plan, index) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let BatchId { ledger, source } = BatchId::from_parts(ledger, source)?;
        let fits =
            !index.is_empty() && index.len() < 64 && index.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
        let plan = plan.parse().ok()?;
        fits.then(|| Self { ledger, source, plan, index: index.to_owned() })
    }
}

/// Payloads of one plan that are sent together: the entire body of a message on `send-queue`. That of a payload which is sent
/// alone is its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryGroup {
    /// The name of their ledger.
    pub ledger: String,
    /// The source, one version of one object.
    pub source: SourceId,
    /// The number of the plan.
    pub plan: u32,
    /// The index of the first payload.
    pub index: String,
    /// The indexes of the others.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub others: Vec<String>,
}

impl DeliveryGroup {
    /// Creates a group of payloads of one plan; `None` without any.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = DeliveryId>) -> Option<Self> {
        let mut ids = ids.into_iter();
        let DeliveryId { ledger, source, plan, index } = ids.next()?;
        Some(Self { ledger, source, plan, index, others: ids.map(|id| id.index).collect() })
    }

    /// Returns a group for each of these payloads, which are sent alone.
    #[must_use]
    pub fn each_alone(ids: Vec<DeliveryId>) -> Vec<Self> {
        ids.into_iter().map(Self::from).collect()
    }

    /// Parses a message on `send-queue`; `None` if it does not name payloads in raydex's form, or names too many.
    #[must_use]
    pub fn from_message(text: &str) -> Option<Self> {
        let group: Self = serde_json::from_str(text).ok()?;
        // A foreign identity does not survive the round trip through its handle.
        let is_own = |id: DeliveryId| DeliveryId::from_handle(&id.handle()).as_ref() == Some(&id);
        let is_once = |id: &DeliveryId| group.ids().filter(|other| other == id).count() == 1;
        let is_small = group.payloads() <= GROUP_PAYLOADS;
        (is_small && group.ids().all(|id| is_once(&id) && is_own(id))).then_some(group)
    }

    /// Returns the identity of each of the payloads.
    pub fn ids(&self) -> impl Iterator<Item = DeliveryId> {
        let Self { ledger, source, plan, index, others } = self;
        std::iter::once(index).chain(others).map(|index| DeliveryId {
            ledger: ledger.clone(),
            source: source.clone(),
            plan: *plan,
            index: index.clone(),
        })
    }

    /// Returns the number of payloads.
    #[must_use]
    pub const fn payloads(&self) -> usize {
        1 + self.others.len()
    }
}

impl From<DeliveryId> for DeliveryGroup {
    fn from(id: DeliveryId) -> Self {
        let DeliveryId { ledger, source, plan, index } = id;
        Self { ledger, source, plan, index, others: Vec::new() }
    }
}

/// The identity of a pack: an object that holds the bodies of consecutive payloads of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackId {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The number of the plan.
    pub plan: u32,
    /// The index of its first payload.
    pub first: String,
    /// The digest of its bodies ([`super::delivery::BodyLocation::digest`]).
    pub digest: String,
}

impl BodyLocation {
    /// Returns the key of the pack in the bucket, for this plan of this source.
    #[must_use]
    pub fn key(&self, source: &SourceId, plan: u32) -> String {
        pack_key(source.as_str(), plan, &self.first, &self.digest)
    }
}

impl PackId {
    /// Returns the key of the pack in the bucket.
    #[must_use]
    pub fn key(&self) -> String {
        pack_key(self.source.as_str(), self.plan, &self.first, &self.digest)
    }
}

/// The identity of a batch: its ledger and its source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId {
    /// The name of its ledger.
    pub ledger: String,
    /// The source, one version of one object.
    pub source: SourceId,
}

impl BatchId {
    /// Returns the handle that names the batch in the API: `20260328T08.840571bb…`.
    #[must_use]
    pub fn handle(&self) -> String {
        let ledger = self.ledger.strip_prefix(VERSION).unwrap_or(&self.ledger);
        format!("{ledger}.{}", self.source.as_str())
    }

    /// Parses a handle; `None` if it is malformed.
    #[must_use]
    pub fn from_handle(handle: &str) -> Option<Self> {
        let (ledger, source) = handle.split_once('.')?;
        Self::from_parts(ledger, source)
    }

    fn from_parts(ledger: &str, source: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (8..=16).contains(&ledger.len()) && ledger.bytes().all(known) && ledger != "registry";
        let source = SourceId::from_digits(source)?;
        fits.then(|| Self { ledger: format!("{VERSION}{ledger}"), source })
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchId, DeliveryId, SourceId, index_of};

    #[test]
    fn an_identity_never_changes() {
        let source = SourceId::for_object("cdn-logs-raw", "logs/a.log.gz", "e1");
        // printf 'cdn-logs-raw\0logs/a.log.gz\0e1' | sha256sum
        assert_eq!(source.as_str(), "ee2cc580b6c4e15e7edf6d988660f40c4d9df3cf1bb7d810f30b4910b5d0fde8");
        let id = DeliveryId { ledger: "v1/20260328T08".into(), source, plan: 1, index: index_of(3) };
        assert_eq!(id.batch_header(), "ee2cc580b6c4e15e-1-000003");
        let message = r#"{"ledger":"v1/20260328T08","source":"ee2cc580b6c4e15e7edf6d988660f40c4d9df3cf1bb7d810f30b4910b5d0fde8","plan":1,"index":"000003"}"#;
        assert_eq!(serde_json::to_string(&id).unwrap(), message);
        assert_eq!(serde_json::from_str::<DeliveryId>(message).unwrap(), id);
    }

    #[test]
    fn handle_is_read_back_and_nothing_else() {
        let source = SourceId::for_object("b", "logs/20260328T084200Z_x.log.gz", "e");
        for ledger in ["v1/20260328T08", "v1/20260328T08-7", "v1/other-e3"] {
            let batch = BatchId { ledger: ledger.into(), source: source.clone() };
            assert_eq!(BatchId::from_handle(&batch.handle()), Some(batch));
        }
        let ledger = "v1/20260328T08-7".to_owned();
        let id = DeliveryId { ledger, source, plan: 2, index: "000003.0.1".into() };
        assert_eq!(DeliveryId::from_handle(&id.handle()), Some(id.clone()));
        assert_eq!(id.split_indexes(), ["000003.0.1.0", "000003.0.1.1"]);
        for (index, next) in [("000003", "000003.2"), ("000003.2", "000003.3"), ("000003.11", "000003.12")] {
            assert_eq!(DeliveryId { index: index.into(), ..id.clone() }.index_without_erased(), next);
        }
        assert_eq!(id.index_without_erased(), "000003.0.1.2");
        let digits = "a".repeat(64);
        assert_eq!(BatchId::from_handle(&format!("registry.{digits}")), None);
        for bad in [
            "",
            ".",
            "x.y",
            "registry.",
            &format!("registry.{digits}"),
            &format!("../../etcx.{digits}"),
            &format!("20260328T08.{}", digits.to_uppercase()),
            &format!("20260328T08.{digits}.x.000001"),
            &format!("20260328T08.{digits}.1.'"),
            &format!("20260328T08.{digits}.1."),
        ] {
            assert_eq!(DeliveryId::from_handle(bad), None, "{bad}");
        }
    }
}
