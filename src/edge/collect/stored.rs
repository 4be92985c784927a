//! Writes the reports of a window as edge records, where a deployment keeps them in the bucket too.

use serde_json::{Map, Value};

use super::report::ReportDigest;
use super::window::MergedReport;
use crate::limits::MAX_LINE;
use crate::time::rfc3339;

/// A report as an edge record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReport {
    /// The record: JSON without a line feed.
    pub line: Vec<u8>,
    /// Number of reports that it stands for.
    pub count: u64,
}

/// Writes a report as a record; `None` if it is not to be stored, or too long for a record.
pub(super) fn write_stored(isolate: &str, digest: ReportDigest, report: &MergedReport) -> Option<StoredReport> {
    let origin = report.origin.as_ref()?;
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("RayID", format!("{:016x}", origin.ray.bits()).into());
    put("EdgeStartTimestamp", rfc3339(report.first_ms).into());
    put("ClientRequestHost", origin.host.as_str().into());
    put("EdgeLoggerIsolateID", isolate.into());
    put("EdgeLoggerSampleInterval", origin.sample.into());
    put("EdgeLoggerReport", report.json.as_str().into());
    put("EdgeLoggerReportSHA1", digest.hex().into());
    put("EdgeLoggerReportCount", report.count.into());
    put("EdgeLoggerReportFirst", rfc3339(report.first_ms).into());
    put("EdgeLoggerReportLast", rfc3339(report.last_ms).into());
    if origin.is_ray_made {
        put("EdgeLoggerRayMade", true.into());
    }
    let line = serde_json::to_vec(&record).ok().filter(|line| line.len() <= MAX_LINE)?;
    Some(StoredReport { line, count: report.count })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::window::{MergedReport, ReportOrigin};
    use super::{ReportDigest, write_stored};
    use crate::record::{Dataset, DatasetEvidence, RayId, read_key};

    fn report() -> MergedReport {
        let ray = RayId::from_bits(0x9efa_0d09_391d_abcb);
        let origin = ReportOrigin { ray, is_ray_made: true, host: "a.example".into(), sample: 1 };
        MergedReport { json: r#"{"a":1}"#.into(), count: 3, first_ms: 1_000, last_ms: 4_000, origin: Some(origin) }
    }

    #[test]
    fn stored_report_is_an_edge_record() {
        let stored = write_stored("00c0ffee00c0ffee", ReportDigest::new(r#"{"a":1}"#), &report()).unwrap();
        let record: Value = serde_json::from_slice(&stored.line).unwrap();
        let expected = json!({
            "RayID": "9efa0d09391dabcb", "EdgeStartTimestamp": "1970-01-01T00:00:01.000Z", "ClientRequestHost": "a.example",
            "EdgeLoggerIsolateID": "00c0ffee00c0ffee", "EdgeLoggerSampleInterval": 1, "EdgeLoggerRayMade": true,
            "EdgeLoggerReport": r#"{"a":1}"#, "EdgeLoggerReportSHA1": "9f89c740ceb46d7418c924a78ac57941d5e96520",
            "EdgeLoggerReportCount": 3, "EdgeLoggerReportFirst": "1970-01-01T00:00:01.000Z",
            "EdgeLoggerReportLast": "1970-01-01T00:00:04.000Z",
        });
        assert_eq!((record, stored.count), (expected, 3));
        let fields = Dataset::EdgeRequests.spec().fields;
        let record: Value = serde_json::from_slice(&stored.line).unwrap();
        let names: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert!(names.iter().all(|name| fields.contains(&name.as_str())), "{names:?}");
        let evidence = names.iter().map(|name| DatasetEvidence::of_name(name));
        assert_eq!(
            evidence.fold(DatasetEvidence::default(), DatasetEvidence::and).settled(),
            Some(Dataset::EdgeRequests)
        );
        assert!(read_key(Dataset::EdgeRequests, &stored.line).is_ok());
    }

    #[test]
    fn report_without_an_origin_is_not_stored() {
        let report = MergedReport { origin: None, ..report() };
        assert_eq!(write_stored("00c0ffee00c0ffee", ReportDigest::new("{}"), &report), None);
    }
}
