//! Lines of `workers_trace_events`: one for each request that a Worker handled.
//!
//! # Invariants
//!
//! `Event.RayID` is the ray of the request that the Worker answered, and its subrequests are the children of that ray
//! in `http_requests`. Times are in milliseconds, regardless of the job's unit.

use super::exchange::RequestExchange;
use super::json::JsonLine;

macro_rules! columns {
    ($($name:ident => $write:expr;)*) => {
        const COLUMNS: [(&str, fn(&mut JsonLine, &RequestExchange<'_>)); [$(stringify!($name)),*].len()] =
            [$((stringify!($name), $write)),*];
        /// The names of the fields, in the order in which they are written.
        pub(super) const NAMES: [&str; COLUMNS.len()] = [$(stringify!($name)),*];
    };
}

columns! {
    CPUTimeMs => |json, x| json.number(x.times.cpu_us / 1000);
    DispatchNamespace => |json, _| json.string("");
    Entrypoint => |json, _| json.string("");
    Event => event;
    EventTimestampMs => |json, x| json.number(start_ms(x));
    EventType => |json, _| json.string("fetch");
    Exceptions => exceptions;
    Logs => logs;
    Outcome => |json, x| json.string(if failed(x) { "exception" } else { "ok" });
    ScriptName => |json, x| json.string(x.site.script);
    ScriptTags => |json, _| json.strings(["team:web"]);
    ScriptVersion => |json, _| json.raw(r#"{"id":"0f6d1c5e-7a3b-4f80-9c2d-5e6f708192a3"}"#);
    WallTimeMs => |json, x| json.number(x.times.total);
}

/// Returns the start of the Worker: in the same millisecond as the request.
fn start_ms(exchange: &RequestExchange<'_>) -> i64 {
    exchange.request.start_ns / 1_000_000
}

fn failed(exchange: &RequestExchange<'_>) -> bool {
    exchange.edge_status == 500
}

fn event(json: &mut JsonLine, x: &RequestExchange<'_>) {
    json.raw("{");
    json.name("RayID");
    json.string(&x.request.ray.to_string());
    json.name("Request");
    json.raw("{");
    json.name("URL");
    json.string(&format!("{}://{}{}", x.scheme(), x.host, x.uri));
    json.name("Method");
    json.string(x.method);
    json.raw("}");
    json.name("Response");
    json.raw("{");
    json.name("Status");
    json.number(x.edge_status);
    json.raw("}}");
}

fn exceptions(json: &mut JsonLine, x: &RequestExchange<'_>) {
    json.array(failed(x).then_some(()), |json, ()| {
        json.raw("{");
        json.name("Name");
        json.string("TypeError");
        json.name("Message");
        json.string("Cannot read properties of undefined (reading 'price')");
        json.name("TimestampMs");
        json.number(start_ms(x) + x.times.first_byte);
        json.raw("}");
    });
}

/// Writes the Worker's console output: an older runtime spells the members' names in lower case.
fn logs(json: &mut JsonLine, x: &RequestExchange<'_>) {
    let (level, message) = if x.request.seed.is_multiple_of(4) { ("level", "message") } else { ("Level", "Message") };
    json.array(0..i64::from(x.request.subrequests), |json, number| {
        json.raw("{");
        json.name(level);
        json.string(if failed(x) { "error" } else { "log" });
        json.name(message);
        json.strings([format!("fetch {number} → \"{}\"\n", x.site.api_host).as_str()]);
        json.name("TimestampMs");
        json.number(start_ms(x) + number);
        json.raw("}");
    });
}

/// Writes the line of an exchange that a Worker handled.
pub(super) fn write(json: &mut JsonLine, exchange: &RequestExchange<'_>) {
    json.raw("{");
    for (name, write) in COLUMNS {
        json.name(name);
        write(json, exchange);
    }
    json.raw("}");
}
