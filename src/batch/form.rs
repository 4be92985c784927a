//! Forms of an object other than NDJSON, and the option of the Logpush job that makes each.

use std::fmt;

/// A form of an object that is not one record on each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchForm {
    /// A JSON array of the records, on one line or on many.
    JsonArray,
    /// An object whose member holds the records: `{"events":[…]}`.
    JsonWrapper,
    /// Each record is a member of another object: `{"event":{…}}`.
    RecordWrapper,
    /// Action lines between the records, as Elasticsearch's bulk API takes them.
    BulkActions,
    /// Records directly one after the other: `}{`.
    GluedRecords,
    /// Something other than a line feed between the records.
    RecordDelimiter,
    /// Text before each record.
    RecordPrefix,
    /// Text after each record.
    RecordSuffix,
    /// Carriage returns alone end the lines.
    CarriageReturns,
    /// Each record on several lines.
    PrettyJson,
    /// Each record as a JSON string.
    JsonStrings,
    /// Values with delimiters between them.
    Csv,
    /// Markup: XML or HTML.
    Xml,
    /// Text in UTF-16 or UTF-32.
    WideText,
    /// Compressed, or compressed again after gzip was removed.
    Compressed(Compression),
    /// Another kind of file.
    OtherFile(FileKind),
    /// Lines that begin like records, and are no JSON.
    InvalidJson,
    /// Lines longer than [`MAX_LINE`](crate::limits::MAX_LINE).
    LongLines,
    /// Anything else without records.
    NotNdjson,
}

/// A compression that the first bytes tell. Brotli has no such bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip inside of gzip.
    Gzip,
    /// gzip behind a byte-order mark or other text, which is not inflated.
    LateGzip,
    /// gzip, written as text in base64.
    Base64,
    /// bzip2.
    Bzip2,
    /// Zstandard.
    Zstd,
    /// xz or its forerunner lzma.
    Xz,
    /// A ZIP archive.
    Zip,
    /// LZ4 frames.
    Lz4,
    /// Snappy frames.
    Snappy,
    /// A zlib stream.
    Zlib,
    /// A 7-Zip archive.
    SevenZip,
    /// lzip.
    Lzip,
    /// The output of `compress`.
    Compress,
    /// A tar, of plain files or compressed ones.
    Tar,
}

impl Compression {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip inside of gzip",
            Self::LateGzip => "gzip with other bytes before it",
            Self::Base64 => "gzip in base64",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Zip => "a ZIP archive",
            Self::Lz4 => "LZ4",
            Self::Snappy => "Snappy",
            Self::Zlib => "zlib",
            Self::SevenZip => "a 7-Zip archive",
            Self::Lzip => "lzip",
            Self::Compress => "the output of compress (.Z)",
            Self::Tar => "a tar archive",
        }
    }
}

/// A kind of file that its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Apache Parquet.
    Parquet,
    /// Apache Avro.
    Avro,
    /// Apache ORC.
    Orc,
}

impl FileKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "a Parquet file",
            Self::Avro => "an Avro file",
            Self::Orc => "an ORC file",
        }
    }
}

impl BatchForm {
    /// The forms, each code once.
    pub const ALL: [Self; 20] = [
        Self::JsonArray,
        Self::JsonWrapper,
        Self::RecordWrapper,
        Self::BulkActions,
        Self::GluedRecords,
        Self::RecordDelimiter,
        Self::RecordPrefix,
        Self::RecordSuffix,
        Self::CarriageReturns,
        Self::PrettyJson,
        Self::JsonStrings,
        Self::Csv,
        Self::Xml,
        Self::WideText,
        Self::Compressed(Compression::Gzip),
        Self::Compressed(Compression::Zstd),
        Self::OtherFile(FileKind::Parquet),
        Self::InvalidJson,
        Self::LongLines,
        Self::NotNdjson,
    ];

    /// The stable code of the form.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::JsonArray => "json_array",
            Self::JsonWrapper => "json_wrapper",
            Self::RecordWrapper => "record_wrapper",
            Self::BulkActions => "bulk_actions",
            Self::GluedRecords => "glued_records",
            Self::RecordDelimiter => "record_delimiter",
            Self::RecordPrefix => "record_prefix",
            Self::RecordSuffix => "record_suffix",
            Self::CarriageReturns => "carriage_returns",
            Self::PrettyJson => "pretty_json",
            Self::JsonStrings => "json_strings",
            Self::Csv => "csv",
            Self::Xml => "xml",
            Self::WideText => "wide_text",
            Self::Compressed(Compression::Gzip) => "compressed_twice",
            Self::Compressed(_) => "other_compression",
            Self::OtherFile(_) => "other_file",
            Self::InvalidJson => "invalid_json",
            Self::LongLines => "line_too_long",
            Self::NotNdjson => "not_ndjson",
        }
    }

    /// Returns words for the look of the object.
    const fn look(self) -> &'static str {
        match self {
            Self::JsonArray => "a JSON array of records",
            Self::JsonWrapper => "one JSON object around many records",
            Self::RecordWrapper => "records that are each inside of another JSON object",
            Self::BulkActions => "records with action lines between them, as for a bulk API",
            Self::GluedRecords => "records without a newline between them",
            Self::RecordDelimiter => "records with more than a newline between them",
            Self::RecordPrefix => "records with text before them",
            Self::RecordSuffix => "records with text after them",
            Self::CarriageReturns => "records on lines that end with a carriage return alone",
            Self::PrettyJson => "records on several lines each",
            Self::JsonStrings => "records written as JSON strings",
            Self::Csv => "delimited values (CSV)",
            Self::Xml => "markup (XML or HTML)",
            Self::WideText => "text in UTF-16 or UTF-32",
            Self::Compressed(compression) => compression.name(),
            Self::OtherFile(kind) => kind.name(),
            Self::InvalidJson => "records that are not valid JSON",
            Self::LongLines => "lines of more than 1 MiB",
            Self::NotNdjson => "something without JSON records",
        }
    }

    /// Returns the change to make, and the option of the job to make it in.
    const fn advice(self) -> &'static str {
        match self {
            Self::JsonArray => "empty batch_prefix, batch_suffix and record_delimiter in the Logpush job",
            Self::JsonWrapper => {
                "empty batch_prefix and batch_suffix in the Logpush job, or let its transformer return single records"
            }
            Self::RecordWrapper => {
                "remove record_template, record_prefix and record_suffix from the Logpush job, or let its transformer \
                 return the records themselves"
            }
            Self::BulkActions | Self::RecordPrefix => "remove record_prefix and record_delimiter from the Logpush job",
            Self::GluedRecords => "let record_suffix end with a newline (`}\\n`) in the Logpush job",
            Self::RecordDelimiter => {
                "remove record_delimiter from the Logpush job, and let record_suffix be `}` and a newline"
            }
            Self::RecordSuffix => {
                "let record_suffix be `}` and a newline in the Logpush job, and remove record_delimiter and batch_suffix"
            }
            Self::CarriageReturns => "let record_suffix end with a line feed in the Logpush job",
            Self::PrettyJson => {
                "remove newlines from record_template, record_prefix and record_suffix of the Logpush job, or let its \
                 transformer write a record on one line"
            }
            Self::JsonStrings => {
                "remove record_template from the Logpush job, or let its transformer return objects instead of strings"
            }
            Self::InvalidJson => {
                "correct record_template, record_prefix, record_suffix and field_delimiter of the Logpush job, or its \
                 transformer, so that each line is a JSON object"
            }
            Self::LongLines => {
                "leave large fields such as Logs out of the Logpush job, and let record_suffix end with a newline"
            }
            Self::Csv => "set output_type to ndjson in the Logpush job",
            Self::Xml | Self::NotNdjson => "set output_type to ndjson and remove record_template in the Logpush job",
            Self::WideText => "write UTF-8: a transformer after the Logpush job changed the encoding",
            Self::Compressed(_) => {
                "store the gzip of the Logpush job as it comes: a transformer, or what copies its files, packed or joined them"
            }
            Self::OtherFile(_) => "set output_type to ndjson in the Logpush job, and remove the transformer after it",
        }
    }
}

impl fmt::Display for BatchForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the object looks like {} instead of one record on each line: {}", self.look(), self.advice())
    }
}
