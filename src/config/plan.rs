//! The settings that decide which records are delivered, and as which lines.

use super::reader::{SettingsReader, not_valid, one_of, whole};
use super::{Config, settings, start_time};
use crate::filter::Filter;
use crate::limits::BATCH_SIZE_MAX;
use crate::partner::{DuplicatePolicy, EdgeRecords, Subrequests};
use crate::render::PartnerOptions;

/// Reads the settings into the configuration; one that is faulty keeps the value that it has.
pub(super) fn read<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>, config: &mut Config) {
    config.partner = partner(reader);
    let batch_size = reader.read(&settings::BATCH_SIZE, batch_size);
    config.batch_size = batch_size.unwrap_or(config.batch_size);
    let subrequests = reader.read(&settings::SUBREQUESTS, |name| one_of(name, Subrequests::ALL, Subrequests::name));
    config.subrequests = subrequests.unwrap_or_default();
    let edge_records = reader.read(&settings::EDGE_RECORDS, |name| one_of(name, EdgeRecords::ALL, EdgeRecords::name));
    config.edge_records = edge_records.unwrap_or_default();
    let duplicates =
        reader.read(&settings::DUPLICATES, |name| one_of(name, DuplicatePolicy::ALL, DuplicatePolicy::name));
    config.duplicates = duplicates.unwrap_or_default();
    config.filter = reader.read(&settings::FILTER, |text| Filter::parse(text).map_err(not_valid));
    config.push_start_ms = reader.read(&settings::PUSH_START, start_time::parse);
}

/// Reads the values of the partner's lines. Each is checked with valid others, so that every error is reported; a faulty
/// one has its default.
fn partner<G: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<G>) -> PartnerOptions {
    let options = |tenant: &str, country: &str| PartnerOptions::new(tenant, country).map_err(not_valid);
    let version = reader.read(&settings::FORMAT_VERSION, |version| {
        PartnerOptions::default().with_version(version).map(|options| options.version).map_err(not_valid)
    });
    let tenant = reader.read(&settings::TENANT, |tenant| options(tenant, "CN").map(|options| options.tenant));
    let country = reader.read(&settings::COUNTRY, |country| options("-", country).map(|found| found.unknown_country));
    let default = PartnerOptions::default();
    PartnerOptions {
        version: version.unwrap_or(default.version),
        tenant: tenant.unwrap_or(default.tenant),
        unknown_country: country.unwrap_or(default.unknown_country),
    }
}

fn batch_size(value: &str) -> Result<u32, String> {
    let lines = whole(value).filter(|lines| (1..=BATCH_SIZE_MAX).contains(lines));
    lines.ok_or_else(|| format!("must be a whole number from 1 to {BATCH_SIZE_MAX}"))
}
