//! The interface of the partner's receiver: its address, its signature, its answers.
//!
//! # Invariants
//!
//! Nothing here does I/O, reads a clock or generates random bits. No address and no key is ever part of an error or of
//! `Debug`.

pub mod answer;
pub mod endpoint;
pub mod policy;
pub mod sign;

pub use answer::{AnswerClass, classify, retry_after_ms};
pub use endpoint::{EndpointError, PartnerEndpoint};
pub use policy::{DuplicatePolicy, EdgeRecords, OnUnknown, ServerErrors, Subrequests};
pub use sign::{EmptyKey, PrivateKey, SignatureNonces, auth_key};
