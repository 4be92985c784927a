//! One Logpush object: its bytes as inflated lines, from its start or from an access point.
//!
//! # Invariants
//!
//! An object is read once, as a stream, in memory that does not grow with it. Damage ends in a typed [`BatchError`].
//! Nothing here is asynchronous, and nothing is `unsafe`.
#![forbid(unsafe_code)]

mod checksum;
mod deflate;
mod error;
mod file_kind;
mod foreign_text;
mod form;
mod gzip;
mod inflate;
mod json_text;
mod judge;
mod leb128;
mod line_sign;
mod lines;
mod marks;
mod open_list;
mod points;
mod reader;
mod span_table;
mod spans;
mod test_upload;
mod window;
mod window_pack;
mod wrapper;

pub(crate) use checksum::Checksum;
pub use error::BatchError;
pub use form::{BatchForm, Compression, FileKind};
pub use gzip::GZIP_MAGIC;
pub use inflate::{Inflater, ReadTotals};
pub use judge::FormJudge;
pub(crate) use leb128::{read_leb128, write_leb128};
pub use lines::{BatchLine, LineSink, LineSplitter, LineStart};
pub use points::{AccessPoint, FirstLine, PointForm};
pub use reader::BatchReader;
pub(crate) use span_table::{read_span_table, write_span_table};
pub use spans::{ObjectSpans, SpanExtent};
pub use test_upload::{TEST_MEMBER, TEST_VALUES, is_test_upload};
