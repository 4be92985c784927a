//! What is taken out of spans, by the rules of the edge logger.

use std::sync::LazyLock;

use crate::edge::RedactionRules;

/// Names of OpenTelemetry's that look like those of secrets. Those of headers and parameters do not count.
const HARMLESS: [&str; 26] = [
    "aws.secretsmanager.secret.arn",
    "code.column.number",
    "code.file.path",
    "code.filepath",
    "code.function",
    "code.function.name",
    "code.line.number",
    "code.lineno",
    "code.namespace",
    "code.stacktrace",
    "db.client.connection.state",
    "http.response.status_code",
    "http.status_code",
    "hw.state",
    "jvm.thread.state",
    "messaging.gcp_pubsub.message.ordering_key",
    "messaging.kafka.message.key",
    "network.connection.state",
    "otel.status_code",
    "process.pid",
    "rpc.grpc.status_code",
    "session.id",
    "session.previous_id",
    "system.memory.state",
    "system.network.state",
    "system.paging.state",
];

/// What is taken out of spans.
pub(super) static RULES: LazyLock<RedactionRules> = LazyLock::new(|| RedactionRules {
    kept: HARMLESS.iter().map(|name| (*name).to_owned()).collect(),
    ..RedactionRules::default()
});
