//! Which clients a path belongs to, and so the form of errors there.

/// The path that exporters of OpenTelemetry add to their endpoint.
pub(super) const TRACES_PATH: &str = "/v1/traces";

/// Whether the path belongs to Tempo's API, whose clients show errors as they are.
pub(super) fn is_tempo_path(path: &str) -> bool {
    path.starts_with("/tempo/")
}

/// Whether a request is an exporter's, which reads answers in the form of the request.
pub(super) fn is_export(method: &str, path: &str) -> bool {
    method == "POST" && path == TRACES_PATH
}

/// Whether the path belongs to Cloudflare's API, whose clients expect its envelope for errors.
pub(super) fn is_cloudflare_path(path: &str) -> bool {
    path.starts_with("/client/")
}
