//! Why an object is quarantined: a fault of its bytes, not of what reads it.
//!
//! The same bytes give the same error, so a retry is useless. Codes are stable: logs and the object's record contain
//! them.

use super::form::BatchForm;
use crate::limits;
use crate::record::Dataset;

/// Why an object is not a batch that can be indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The object has no bytes at all.
    #[error("the object is empty")]
    Empty,
    /// The gzip stream is broken: a bad header, code or checksum.
    #[error("the gzip stream is damaged after {stored} stored bytes")]
    Damaged {
        /// Stored bytes read before the damage showed.
        stored: u64,
    },
    /// The object ends inside a gzip member.
    #[error("the gzip stream is truncated after {stored} stored bytes")]
    Truncated {
        /// Size of the object in stored bytes.
        stored: u64,
    },
    /// Something else follows the last gzip member.
    #[error("the gzip stream is followed by other data after {stored} stored bytes")]
    TrailingGarbage {
        /// Stored bytes of the gzip members.
        stored: u64,
    },
    /// It inflates to more than is read.
    #[error("the object inflates to more than {} bytes", limits::MAX_INFLATED)]
    TooLarge,
    /// It inflates too far for what it is.
    #[error("the object inflates to more than {} times its size", limits::MAX_RATIO)]
    Bomb,
    /// It has more lines than a batch can have.
    #[error("the object has more than {} lines", limits::MAX_LINES)]
    TooManyLines,
    /// Its nonstandard ids are too many to hold.
    #[error("the object has more than {} bytes of nonstandard IDs", limits::MAX_NONSTANDARD_BYTES)]
    TooManyNonstandardIds,
    /// Its links from children to parents are too many to hold.
    #[error("the object has more than {} bytes of packed parent links", limits::MAX_LINKS_BYTES)]
    TooManyLinks,
    /// Its rays and times belong to more shards than one message may write.
    #[error(
        "the rays and times of the object belong to {shards} shards, more than the maximum of {}",
        limits::MAX_SHARDS
    )]
    TooManyShards {
        /// How many it would be.
        shards: usize,
    },
    /// It would be more payloads than a batch may have.
    #[error("the object produces more than {} payloads: increase BATCH_SIZE", limits::MAX_PAYLOADS)]
    TooManyPayloads,
    /// It has another form than one record on each line.
    #[error("{0}")]
    Form(BatchForm),
    /// Too many of its lines are no records.
    #[error(
        "{rejected} of the {lines} lines of the object are not JSON records, more than one in {}: it is damaged, or \
         record_template of the Logpush job does not make JSON",
        limits::REJECTED_RATIO
    )]
    TooManyRejected {
        /// Lines that are no records.
        rejected: u64,
        /// All lines, blank ones not counted.
        lines: u64,
    },
    /// Its key names another dataset than that of its records.
    #[error(
        "the folder or the setting DATASETS names {named}, but the records are of {found}: correct the setting, or the \
         folder of the Logpush job"
    )]
    OtherDataset {
        /// The dataset that the key names.
        named: Dataset,
        /// The dataset of the records.
        found: Dataset,
    },
    /// Its records carry neither a ray nor a time.
    #[error(
        "no record of the object has a ray or a time: add the dataset's Ray ID and time fields to field_names of the \
         Logpush job, and remove record_template"
    )]
    NoRayNoTime,
}

impl BatchError {
    /// The stable code of the reason.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty_object",
            Self::Damaged { .. } => "gzip_damaged",
            Self::Truncated { .. } => "gzip_truncated",
            Self::TrailingGarbage { .. } => "trailing_garbage",
            Self::TooLarge => "too_large",
            Self::Bomb => "ratio_too_high",
            Self::TooManyLines => "too_many_lines",
            Self::TooManyNonstandardIds => "too_many_nonstandard_ids",
            Self::TooManyLinks => "too_many_links",
            Self::TooManyShards { .. } => "too_many_shards",
            Self::TooManyPayloads => "too_many_payloads",
            Self::Form(form) => form.code(),
            Self::TooManyRejected { .. } => "too_many_rejected",
            Self::OtherDataset { .. } => "other_dataset",
            Self::NoRayNoTime => "no_ray_no_time",
        }
    }
}
