//! The formats of records in an answer: choosing the one that a request accepts, and writing a record in it.
//!
//! # Invariants
//! A native record is the stored line, byte for byte, unless fields are selected or masked.

use std::collections::BTreeSet;

use ::http::header::ACCEPT;

use crate::config::Config;
use crate::http::media_type::{CSV, JSON, NDJSON, TEXT};
use crate::http::{HttpRequest, Problem, preferred, problems};
use crate::limits::{FIELD_NAME_BYTES, FIELDS_ASKED, RENDERING_ROOM};
use crate::memory::{OutOfMemory, ReservedWriter};
use crate::record::Dataset;
use crate::record::fields::line_text;
use crate::render::{
    FieldProjection, PartnerOptions, TimeForm, default_columns, write_csv_names, write_csv_row, write_partner_line,
};

/// The formats of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    /// A JSON document with all records, batches and the cost.
    Json,
    /// The stored lines as NDJSON, byte for byte.
    Native,
    /// Lines in the format of the partner's deliveries.
    Partner,
    /// CSV with a header row of field names.
    Csv,
}

impl RecordFormat {
    const ALL: [Self; 4] = [Self::Json, Self::Native, Self::Partner, Self::Csv];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Native => "native",
            Self::Partner => "partner",
            Self::Csv => "csv",
        }
    }

    /// Returns whether answers in this format have the columns of one dataset, and so only records of that dataset.
    pub(super) const fn is_of_one_dataset(self) -> bool {
        matches!(self, Self::Partner | Self::Csv)
    }

    /// Returns the media type of an answer in this format.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Native => NDJSON,
            Self::Partner => TEXT,
            Self::Csv => CSV,
        }
    }

    /// Returns the format that the header `Accept` prefers; among equal weights, the first.
    fn accepted(accept: &str) -> Option<Self> {
        preferred(accept, |media_type| {
            Self::ALL.into_iter().find(|form| form.media_type().split(';').next() == Some(media_type))
        })
    }
}

/// Writes records in a format, with the selected fields and timestamps.
#[derive(Debug, Clone)]
pub(crate) struct RecordWriter {
    pub(crate) format: RecordFormat,
    pub(crate) projection: FieldProjection,
    columns: Vec<String>,
    partner: PartnerOptions,
}

impl RecordWriter {
    /// Creates a writer in the format that the request accepts, or in `default`; `known` is what the route accepts.
    ///
    /// # Errors
    /// The [`Problem`] of an invalid parameter.
    pub(crate) fn from_request<B>(
        config: &Config,
        request: &HttpRequest<B>,
        dataset: Dataset,
        (default, known): (RecordFormat, &str),
    ) -> Result<Self, Problem> {
        let format = match request.parameter("format") {
            None => request.header(ACCEPT).and_then(|accept| RecordFormat::accepted(&accept)).unwrap_or(default),
            Some(name) => {
                let named = RecordFormat::ALL.into_iter().find(|format| format.name() == name);
                named.ok_or_else(|| problems::bad_parameter("format", known))?
            }
        };
        Self::new(config, request, dataset, format)
    }

    fn new<B>(
        config: &Config,
        request: &HttpRequest<B>,
        dataset: Dataset,
        format: RecordFormat,
    ) -> Result<Self, Problem> {
        let fields = parse_fields(request)?;
        let times = parse_timestamps(request)?;
        if format == RecordFormat::Partner && (dataset != Dataset::HttpRequests || fields.is_some() || times.is_some())
        {
            return Err(problems::bad_parameter(
                "format",
                "partner only for http_requests and without fields and timestamps, because the partner's columns are fixed",
            ));
        }
        let default = || default_columns(dataset).iter().map(|name| (*name).to_owned()).collect();
        let columns = fields.clone().unwrap_or_else(default);
        Ok(Self {
            format,
            projection: FieldProjection { fields, times, ..FieldProjection::default() },
            columns,
            partner: config.partner.clone(),
        })
    }

    /// Creates a writer of records inside a JSON document, whatever format the request accepts.
    ///
    /// # Errors
    /// The [`Problem`] of an invalid parameter.
    pub(crate) fn for_json<B>(config: &Config, request: &HttpRequest<B>, dataset: Dataset) -> Result<Self, Problem> {
        Self::new(config, request, dataset, RecordFormat::Json)
    }

    /// Creates a writer of lines as returned by Logpull and the Logs Engine.
    pub(crate) fn for_lines(config: &Config, projection: FieldProjection) -> Self {
        Self { format: RecordFormat::Native, projection, columns: Vec::new(), partner: config.partner.clone() }
    }

    /// Appends the header row of CSV; other formats have none.
    ///
    /// # Errors
    /// [`OutOfMemory`] if it does not fit.
    pub(crate) fn begin(&self, out: &mut ReservedWriter) -> Result<(), OutOfMemory> {
        if self.format != RecordFormat::Csv {
            return Ok(());
        }
        let mut names = Vec::new();
        write_csv_names(&mut names, &self.columns);
        out.push(&names)
    }

    /// Appends the masked record `seen` and a newline. Appends nothing for a line that cannot be rendered; a lookup
    /// does not find such lines.
    ///
    /// # Errors
    /// [`OutOfMemory`] if it does not fit.
    pub(crate) fn write(&self, out: &mut ReservedWriter, seen: &[u8]) -> Result<(), OutOfMemory> {
        if self.format == RecordFormat::Native && self.projection.is_whole() {
            out.push(seen)?;
            return out.push(if seen.is_empty() { b"" } else { b"\n" });
        }
        let _room = out.working_memory(RENDERING_ROOM * seen.len())?;
        let mut line = Vec::new();
        self.write_line(&mut line, seen);
        out.push(&line)
    }

    fn write_line(&self, out: &mut Vec<u8>, seen: &[u8]) {
        let _outcome = match self.format {
            RecordFormat::Partner => write_partner_line(out, seen, &self.partner).map(drop),
            RecordFormat::Csv => self.write_row(out, seen),
            RecordFormat::Json | RecordFormat::Native => {
                let start = out.len();
                let written = self.write_object(out, seen);
                if out.len() > start {
                    out.push(b'\n');
                }
                written
            }
        };
    }

    fn write_row(&self, out: &mut Vec<u8>, seen: &[u8]) -> Result<(), crate::record::RecordError> {
        if self.projection.times.is_none() {
            return write_csv_row(out, seen, &self.columns);
        }
        let mut spelled = Vec::new();
        self.projection.write(&mut spelled, seen)?;
        write_csv_row(out, &spelled, &self.columns)
    }

    /// Appends the record as one object, without a newline: inside a document, as text that every JSON parser can read.
    pub(crate) fn write_object(&self, out: &mut Vec<u8>, seen: &[u8]) -> Result<(), crate::record::RecordError> {
        if self.projection.is_whole() {
            if self.format == RecordFormat::Json {
                out.extend_from_slice(line_text(seen).as_bytes());
            } else {
                out.extend_from_slice(seen);
            }
            return Ok(());
        }
        self.projection.write(out, seen)
    }
}

/// Parses the parameter `fields`.
pub(crate) fn parse_fields<B>(request: &HttpRequest<B>) -> Result<Option<Vec<String>>, Problem> {
    parse_names(request, "fields", FIELDS_ASKED)
}

/// Parses a parameter with up to `most` names of fields, separated by commas; a repeated name counts once.
pub(crate) fn parse_names<B>(
    request: &HttpRequest<B>,
    parameter: &'static str,
    most: usize,
) -> Result<Option<Vec<String>>, Problem> {
    let Some(text) = request.parameter(parameter) else { return Ok(None) };
    let mut seen = BTreeSet::new();
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty() && seen.insert(*name));
    let fields: Vec<String> = names.map(str::to_owned).collect();
    let fits = (1..=most).contains(&fields.len()) && fields.iter().all(|name| name.len() <= FIELD_NAME_BYTES);
    if fits {
        Ok(Some(fields))
    } else {
        Err(problems::bad_parameter(parameter, &format!("1 to {most} names, separated by commas")))
    }
}

/// Parses the parameter `timestamps`, the format of times in records.
pub(crate) fn parse_timestamps<B>(request: &HttpRequest<B>) -> Result<Option<TimeForm>, Problem> {
    let Some(name) = request.parameter("timestamps") else { return Ok(None) };
    let form = TimeForm::from_name(&name).ok_or_else(|| {
        problems::bad_parameter("timestamps", &itertools::join(TimeForm::ALL.map(TimeForm::name), ", "))
    })?;
    Ok(Some(form))
}

#[cfg(test)]
mod tests {
    use super::RecordFormat;

    #[test]
    fn the_form_is_what_the_caller_prefers() {
        for (accept, format) in [
            ("application/x-ndjson", Some(RecordFormat::Native)),
            ("text/csv;header=present", Some(RecordFormat::Csv)),
            ("application/json, text/plain", Some(RecordFormat::Json)),
            ("application/json;q=0.5, text/plain;q=0.9", Some(RecordFormat::Partner)),
            ("text/plain;q=0, application/json;q=0.1", Some(RecordFormat::Json)),
            ("text/html, */*;q=0.8", None),
            ("application/json;q=x", None),
            ("", None),
        ] {
            assert_eq!(RecordFormat::accepted(accept), format, "{accept}");
        }
    }
}
