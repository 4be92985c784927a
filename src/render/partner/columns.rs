//! The 145 columns as data: the one table that the renderer walks, which `schemas/partner_v3.toml` repeats for people
//! and other programs (`tests/it/partner` compares the two).
//!
//! # Invariants
//!
//! The column at index `n` has the number `n + 1`. A column without a name is always unavailable.

use std::borrow::Cow;
use std::fmt;

use crate::record::Field;

/// Number of columns in a line.
pub(super) const COUNT: usize = 145;

/// The source of a column's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnSource {
    /// A setting of the deployment, such as its tenant.
    Setting,
    /// A field of the record.
    Field(Field),
    /// No source: the column is always unavailable.
    None,
}

impl ColumnSource {
    /// Returns the stable name: the field's own, `setting` or `none`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::Field(field) => field.name(),
            Self::None => "none",
        }
    }
}

/// The conversion of a column's source to its value. Its `Display` is the stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRule {
    /// The name of the format version.
    Version,
    /// The setting `PARTNER_TENANT`.
    Tenant,
    /// A text, a number in its canonical spelling, `true` or `false`.
    Text,
    /// Like [`Self::Text`], but a text that spells a number is one, too.
    Number,
    /// A text, or a number as spelled in the record.
    Identifier,
    /// Milliseconds as seconds, three decimals.
    Seconds,
    /// An instant as `[28/Mar/2026:16:42:25 +0800]`.
    TimeLocal,
    /// The same instant without brackets.
    TimeStart,
    /// An instant as Unix seconds, three decimals.
    Msec,
    /// The port that a scheme implies.
    Port,
    /// Scheme, host and path, each with a substitute if it is absent.
    Url,
    /// The first value of the header of this name.
    FirstHeader(&'static str),
    /// `HIT` if the cache answered, `MISS` otherwise.
    CacheStatus,
    /// `static` for a cache hit, `dynamic` for an uncacheable response, empty otherwise.
    Dysta,
    /// The country of a data centre, or the deployment's setting.
    Country,
    /// Always unavailable, because Logpush has no source for the column.
    Unavailable,
}

impl fmt::Display for ColumnRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "version",
            Self::Tenant => "tenant",
            Self::Text => "text",
            Self::Number => "number",
            Self::Identifier => "identifier",
            Self::Seconds => "seconds",
            Self::TimeLocal => "time_local",
            Self::TimeStart => "time_start",
            Self::Msec => "msec",
            Self::Port => "port",
            Self::Url => "url",
            Self::FirstHeader(name) => return write!(f, "first_header:{name}"),
            Self::CacheStatus => "cache_status",
            Self::Dysta => "dysta",
            Self::Country => "country",
            Self::Unavailable => "unavailable",
        })
    }
}

/// One of the 145 columns of the partner's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerColumn {
    /// Position in the line, counted from 1.
    pub number: usize,
    /// The source of its value.
    pub source: ColumnSource,
    /// The conversion of the source to its value.
    pub rule: ColumnRule,
    /// Maximum number of characters; a longer value is cut.
    pub max: Option<usize>,
    name: Option<&'static str>,
}

impl PartnerColumn {
    /// Returns the column's name; one without a name in the format is `reserved_` and its number.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        self.name.map_or_else(|| Cow::Owned(format!("reserved_{}", self.number)), Cow::Borrowed)
    }

    /// Returns the fields of a record that its rule reads, in the order in which they are in the value: no other changes
    /// it.
    pub fn fields(&self) -> impl Iterator<Item = Field> + use<> {
        let (before, after): (&[Field], &[Field]) = match (self.rule, self.source) {
            (ColumnRule::Url, _) => (&[Field::ClientRequestScheme, Field::ClientRequestHost], &[]),
            (ColumnRule::FirstHeader(_), ColumnSource::Field(Field::ResponseHeaders)) => {
                (&[], &[Field::ResponseFields])
            }
            _ => (&[], &[]),
        };
        let own = if let ColumnSource::Field(field) = self.source { Some(field) } else { None };
        before.iter().copied().chain(own).chain(after.iter().copied())
    }

    /// Creates a column that the format names.
    const fn named(number: usize, name: &'static str, source: ColumnSource, rule: ColumnRule) -> Self {
        Self { number, source, rule, max: None, name: Some(name) }
    }

    /// Creates a column without a name in the format.
    const fn reserved(number: usize) -> Self {
        Self { number, source: ColumnSource::None, rule: ColumnRule::Unavailable, max: None, name: None }
    }

    /// Limits the column to `max` characters.
    const fn cut(self, max: usize) -> Self {
        Self { max: Some(max), ..self }
    }
}

/// Creates a column whose source is a field.
const fn of(number: usize, name: &'static str, field: Field, rule: ColumnRule) -> PartnerColumn {
    PartnerColumn::named(number, name, ColumnSource::Field(field), rule)
}

/// The columns that the format names.
pub(super) const NAMED: &[PartnerColumn] = &[
    PartnerColumn::named(1, "version", ColumnSource::Setting, ColumnRule::Version),
    of(2, "time_local", Field::EdgeStartTimestamp, ColumnRule::TimeLocal),
    of(3, "request_id", Field::RayID, ColumnRule::Identifier),
    of(4, "status", Field::EdgeResponseStatus, ColumnRule::Number),
    of(5, "msec", Field::EdgeStartTimestamp, ColumnRule::Msec),
    of(6, "request_time", Field::EdgeTimeToFirstByteMs, ColumnRule::Seconds),
    of(7, "rwt_time", Field::OriginResponseHeaderReceiveDurationMs, ColumnRule::Seconds),
    of(8, "wwt_time", Field::OriginRequestHeaderSendDurationMs, ColumnRule::Seconds),
    of(9, "fbt_time", Field::EdgeTimeToFirstByteMs, ColumnRule::Seconds),
    PartnerColumn::named(10, "finalize_error_code", ColumnSource::None, ColumnRule::Unavailable),
    of(11, "server_addr", Field::EdgeServerIP, ColumnRule::Text),
    of(12, "server_port", Field::ClientRequestScheme, ColumnRule::Port),
    of(13, "remote_addr", Field::ClientIP, ColumnRule::Text),
    of(14, "remote_port", Field::ClientSrcPort, ColumnRule::Number),
    of(15, "method", Field::ClientRequestMethod, ColumnRule::Text),
    of(16, "scheme", Field::ClientRequestScheme, ColumnRule::Text),
    of(17, "host", Field::ClientRequestHost, ColumnRule::Text),
    of(18, "url", Field::ClientRequestURI, ColumnRule::Url).cut(4096),
    of(19, "server_protocol", Field::ClientRequestProtocol, ColumnRule::Text),
    of(20, "request_length", Field::ClientRequestBytes, ColumnRule::Number),
    of(21, "sent_http_content_length", Field::ResponseHeaders, ColumnRule::FirstHeader("content-length")),
    of(22, "bytes_sent", Field::EdgeResponseBytes, ColumnRule::Number),
    of(23, "body_bytes_sent", Field::EdgeResponseBodyBytes, ColumnRule::Number),
    of(24, "upstream_addr", Field::OriginIP, ColumnRule::Text),
    of(25, "upstream_status", Field::OriginResponseStatus, ColumnRule::Number),
    of(26, "upstream_response_time", Field::OriginResponseDurationMs, ColumnRule::Seconds),
    of(27, "cache_status", Field::CacheCacheStatus, ColumnRule::CacheStatus),
    of(28, "cache_status2", Field::CacheCacheStatus, ColumnRule::CacheStatus),
    of(29, "upstream_addr2", Field::OriginIP, ColumnRule::Text),
    of(30, "upstream_status2", Field::OriginResponseStatus, ColumnRule::Number),
    of(33, "sent_http_content_type", Field::EdgeResponseContentType, ColumnRule::Text),
    of(34, "http_referer", Field::ClientRequestReferer, ColumnRule::Text).cut(2048),
    of(35, "http_user_agent", Field::ClientRequestUserAgent, ColumnRule::Text).cut(1024),
    of(36, "http_x_forwarded_for", Field::ClientIP, ColumnRule::Text),
    of(40, "client_ip", Field::ClientIP, ColumnRule::Text),
    of(42, "dysta", Field::CacheCacheStatus, ColumnRule::Dysta),
    of(44, "ssl_connect_time", Field::OriginTLSHandshakeDurationMs, ColumnRule::Seconds),
    of(45, "country", Field::EdgeColoCode, ColumnRule::Country),
    of(55, "request_start_time", Field::EdgeStartTimestamp, ColumnRule::TimeStart),
    PartnerColumn::named(58, "tenant", ColumnSource::Setting, ColumnRule::Tenant),
    of(60, "servername", Field::ClientRequestHost, ColumnRule::Text),
    of(62, "ssl_protocol", Field::ClientSSLProtocol, ColumnRule::Text),
];

/// All columns in order: the named ones in their positions, reserved ones in between.
pub static COLUMNS: [PartnerColumn; COUNT] = {
    let mut columns = [PartnerColumn::reserved(0); COUNT];
    let mut places: &mut [PartnerColumn] = &mut columns;
    let mut named = NAMED;
    let mut number = 1;
    while let [place, further @ ..] = places {
        *place = PartnerColumn::reserved(number);
        if let [column, others @ ..] = named
            && column.number == number
        {
            *place = *column;
            named = others;
        }
        places = further;
        number += 1;
    }
    assert!(named.is_empty(), "the named columns stand in their order, each once");
    columns
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COLUMNS, ColumnRule, ColumnSource, NAMED};

    #[test]
    fn a_column_bears_the_number_of_its_place() {
        for (at, column) in COLUMNS.iter().enumerate() {
            assert_eq!(column.number, at + 1);
        }
        assert_eq!(COLUMNS.iter().filter(|column| column.name.is_some()).count(), NAMED.len());
    }

    #[test]
    fn every_name_is_its_own() {
        let names: BTreeSet<_> = COLUMNS.iter().map(super::PartnerColumn::name).collect();
        assert_eq!(names.len(), COLUMNS.len());
        assert!(names.contains("reserved_31") && names.contains("reserved_145"));
    }

    #[test]
    fn column_without_source_is_unavailable_and_no_other() {
        for column in &COLUMNS {
            assert_eq!(column.source == ColumnSource::None, column.rule == ColumnRule::Unavailable, "{column:?}");
            assert!(column.name.is_some() || column.source == ColumnSource::None, "{column:?}");
        }
    }
}
