//! The dataset that the edge logger writes: requests by the names of `http_requests`, and what only the logger knows under
//! names that begin with `EdgeLogger`.

use super::DatasetSpec;

/// The field that every record of the edge logger has, and no other.
pub(super) const MARKER: &str = "EdgeLoggerIsolateID";

pub(super) const EDGE_REQUESTS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "EdgeStartTimestamp", parent: None, also: None,
    zone: &["ClientRequestHost"],
    folders: &["edge_request", "edge_logger", "edge_log", "edge_logs"],
    telling: &[&["EdgeStartTimestamp", MARKER]],
    columns: &[
        "RayID", "EdgeStartTimestamp", "ClientIP", "ClientCountry", "ClientRequestMethod", "ClientRequestHost",
        "ClientRequestURI", "EdgeResponseStatus", "EdgeLoggerOutcome", "EdgeLoggerHeadersMs", "EdgeLoggerTotalMs",
        "EdgeResponseBodyBytes", "EdgeColoCode", "ClientRequestUserAgent",
    ],
    fields: &[
        "ClientASN", "ClientCity", "ClientCountry", "ClientIP", "ClientRegionCode", "ClientRequestHost",
        "ClientRequestMethod", "ClientRequestPath", "ClientRequestProtocol", "ClientRequestReferer",
        "ClientRequestScheme", "ClientRequestURI", "ClientRequestUserAgent", "ClientSSLCipher", "ClientSSLProtocol",
        "ClientTCPRTTMs", "EdgeColoCode", "EdgeEndTimestamp", "EdgeLoggerCutFields", "EdgeLoggerFingerprint",
        "EdgeLoggerHeadersMs", "EdgeLoggerIsolateID", "EdgeLoggerOutcome", "EdgeLoggerPayload",
        "EdgeLoggerPayloadBytes", "EdgeLoggerPayloadKeptBytes", "EdgeLoggerRayMade", "EdgeLoggerReport",
        "EdgeLoggerReportCount", "EdgeLoggerReportFirst", "EdgeLoggerReportLast", "EdgeLoggerReportSHA1",
        "EdgeLoggerRequestBodyBytes", "EdgeLoggerSampleInterval", "EdgeLoggerSequence", "EdgeLoggerTotalMs", "EdgeResponseBodyBytes",
        "EdgeResponseContentType", "EdgeResponseStatus", "EdgeStartTimestamp", "RayID", "RequestHeaders",
    ],
};
