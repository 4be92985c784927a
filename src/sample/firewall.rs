//! Lines of `firewall_events`: one for each rule that a request matched.
//!
//! # Invariants
//!
//! The lines of one ray are consecutive, and `MatchIndex` counts them from 0. The fields are [`NAMES`], in that order.

use super::exchange::RequestExchange;
use super::json::JsonLine;
use super::plan::TimestampUnit;
use super::request::StoryPart;
use super::world::FirewallRule;

/// A function that writes the value of one field.
type FieldWriter = fn(&mut JsonLine, &RuleMatch<'_>);

/// One rule that a request matched.
struct RuleMatch<'e> {
    exchange: &'e RequestExchange<'e>,
    rule: &'static FirewallRule,
    index: i64,
    unit: TimestampUnit,
}

macro_rules! columns {
    ($($name:ident => $write:expr;)*) => {
        const COLUMNS: [(&str, FieldWriter); [$(stringify!($name)),*].len()] = [$((stringify!($name), $write)),*];
        /// The names of the fields, in the order in which they are written.
        pub(super) const NAMES: [&str; COLUMNS.len()] = [$(stringify!($name)),*];
    };
}

columns! {
    Action => |json, m| json.string(m.rule.action);
    ClientASN => |json, m| json.number(m.exchange.client.colo.asn);
    ClientASNDescription => |json, m| json.string(m.exchange.client.colo.network);
    ClientCountry => |json, m| json.string(m.exchange.client.colo.country);
    ClientIP => |json, m| json.string(m.exchange.client_ip());
    ClientIPClass => |json, _| json.string("noRecord");
    ClientRefererHost => |json, m| json.string(if m.exchange.referer.is_empty() { "" } else { m.exchange.site.host });
    ClientRefererPath => |json, m| json.string(if m.exchange.referer.is_empty() { "" } else { "/" });
    ClientRefererQuery => |json, _| json.string("");
    ClientRefererScheme => |json, m| json.string(if m.exchange.referer.is_empty() { "" } else { "https" });
    ClientRequestHost => |json, m| json.string(m.exchange.host);
    ClientRequestMethod => |json, m| json.string(m.exchange.method);
    ClientRequestPath => |json, m| json.string(m.exchange.path_text());
    ClientRequestProtocol => |json, m| json.string(m.exchange.protocol);
    ClientRequestQuery => |json, m| json.string(m.exchange.query);
    ClientRequestScheme => |json, m| json.string(m.exchange.scheme());
    ClientRequestUserAgent => |json, m| json.string(m.exchange.client.browser.agent);
    ContentScanObjResults => |json, _| json.strings([]);
    ContentScanObjSizes => |json, _| json.numbers(&[]);
    ContentScanObjTypes => |json, _| json.strings([]);
    Datetime => |json, m| super::http::time(json, m.exchange.request.start_ns, m.unit);
    Description => |json, m| json.string(m.rule.description);
    EdgeColoCode => |json, m| json.string(m.exchange.client.colo.code);
    EdgeResponseStatus => |json, m| json.number(m.exchange.edge_status);
    FraudUserID => |json, _| json.string("");
    Kind => |json, m| json.string(m.rule.kind);
    LeakedCredentialCheckResult => |json, _| json.string("");
    MatchIndex => |json, m| json.number(m.index);
    Metadata => metadata;
    OriginResponseStatus => |json, m| json.number(m.exchange.origin_status);
    OriginatorRayID => originator;
    RayID => |json, m| json.string(&m.exchange.request.ray.to_string());
    Ref => |json, m| json.string(m.rule.id);
    RuleID => |json, m| json.string(m.rule.id);
    Source => |json, m| json.string(m.rule.source);
}

/// Writes the ray of the request whose challenge was solved.
fn originator(json: &mut JsonLine, m: &RuleMatch<'_>) {
    match m.exchange.request.story {
        Some(StoryPart::Solved(ray)) => json.string(&ray.to_string()),
        Some(StoryPart::Challenged | StoryPart::Threw) | None => json.string("00"),
    }
}

/// Writes the metadata of the rule.
fn metadata(json: &mut JsonLine, m: &RuleMatch<'_>) {
    json.raw("{");
    if m.rule.source == "firewallManaged" {
        json.name("ruleset_version");
        json.string("42");
        json.name("version");
        json.string("3");
    }
    json.name("type");
    json.string("customer");
    json.raw("}");
}

/// Writes the line of each rule that `exchange` matched; `emit` receives each one.
pub(super) fn lines<E>(
    json: &mut JsonLine,
    exchange: &RequestExchange<'_>,
    unit: TimestampUnit,
    mut emit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    for (index, rule) in (0_i64..).zip(&exchange.rules) {
        let matched = RuleMatch { exchange, rule, index, unit };
        json.clear();
        json.raw("{");
        for (name, write) in COLUMNS {
            json.name(name);
            write(json, &matched);
        }
        json.raw("}");
        emit(json.bytes())?;
    }
    Ok(())
}
