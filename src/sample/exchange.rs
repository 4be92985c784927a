//! The edge's view of one request: the details from which the lines of all datasets are written.
//!
//! # Invariants
//!
//! The details are consistent (a hit reached no origin, a blocked request has no origin response, the parts of a
//! duration do not exceed it), and depend only on the request's seeds.

use std::fmt::Write as _;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::plan::mix;
use super::request::{SampleRequest, StoryPart, skewed};
use super::world::{
    BROWSERS, BrowserProfile, CHALLENGE, COLOS, DataCenter, FirewallRule, PATHS, PathGroup, PathKind, QUERIES, RULES,
    SITES, SOLVED, SampleSite,
};
use super::world::{pick, weighted};

/// Number of clients: enough that most requests of a second come from different ones.
const CLIENTS: u64 = 3_000;

/// All details of one request.
#[derive(Debug)]
pub(super) struct RequestExchange<'r> {
    pub(super) request: &'r SampleRequest,
    pub(super) site: &'static SampleSite,
    pub(super) client: RequestClient,
    pub(super) path: PathGroup,
    pub(super) host: &'static str,
    pub(super) method: &'static str,
    pub(super) uri: String,
    pub(super) query: &'static str,
    pub(super) referer: String,
    pub(super) secure: bool,
    pub(super) protocol: &'static str,
    pub(super) rules: Vec<&'static FirewallRule>,
    /// The rule that answered, if one did.
    pub(super) stopped_by: Option<&'static FirewallRule>,
    pub(super) cache: &'static str,
    pub(super) edge_status: i64,
    pub(super) origin_status: i64,
    /// Whether the origin was contacted, whatever it answered.
    pub(super) origin_asked: bool,
    pub(super) body_bytes: i64,
    pub(super) header_bytes: i64,
    pub(super) request_bytes: i64,
    pub(super) bot_score: i64,
    pub(super) attack_score: i64,
    pub(super) edge_host: i64,
    pub(super) times: ExchangeTimes,
}

#[derive(Debug)]
pub(super) struct RequestClient {
    pub(super) ip: String,
    pub(super) port: i64,
    pub(super) rtt_ms: i64,
    pub(super) session: u64,
    pub(super) browser: BrowserProfile,
    pub(super) colo: &'static DataCenter,
}

/// Durations in milliseconds, unless the name says otherwise. Those of the origin are 0 if it was not contacted.
#[derive(Debug, Default)]
pub(super) struct ExchangeTimes {
    pub(super) total: i64,
    pub(super) first_byte: i64,
    pub(super) dns: i64,
    pub(super) tcp: i64,
    pub(super) tls: i64,
    pub(super) sent: i64,
    pub(super) header: i64,
    pub(super) origin: i64,
    pub(super) cpu_us: i64,
}

impl<'r> RequestExchange<'r> {
    pub(super) fn new(request: &'r SampleRequest) -> Self {
        let mut family = ChaCha8Rng::seed_from_u64(request.family_seed);
        let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
        let (site, client) = (pick(&SITES, &mut family), RequestClient::draw(&mut family));
        let secure = request.parent.is_some() || family.random_range(0..100) < 96;
        let path = weighted(&PATHS, &mut rng);
        let query = if path.numbers > 0 && path.kind == PathKind::File { "" } else { weighted(&QUERIES, &mut rng) };
        let host = if request.parent.is_some() { site.api_host } else { site.host };
        let rules = matched(request, &mut rng);
        let stopped_by = rules.iter().copied().find(|rule| !PASSING.contains(&rule.action));
        let outcome = if request.story == Some(StoryPart::Threw) {
            ExchangeOutcome::THROWN
        } else {
            ExchangeOutcome::draw(path.kind, stopped_by, &mut rng)
        };
        let bodiless = matches!(outcome.edge_status, 204 | 301 | 304);
        Self {
            request,
            site,
            path,
            host,
            method: method(path.kind, &mut rng),
            uri: uri(&path, query, &mut rng),
            query,
            referer: referer(site, &mut rng),
            secure,
            protocol: protocol(secure, &mut rng),
            rules,
            stopped_by,
            cache: outcome.cache,
            edge_status: outcome.edge_status,
            origin_status: outcome.origin_status,
            origin_asked: outcome.origin_asked,
            body_bytes: if bodiless { 0 } else { skewed(&mut rng, 200, path.most_bytes) },
            header_bytes: rng.random_range(380..640),
            request_bytes: rng.random_range(900..1400),
            bot_score: if client.browser.bot { 1 } else { rng.random_range(85..100) },
            attack_score: if stopped_by.is_some() { rng.random_range(3..20) } else { rng.random_range(88..99) },
            edge_host: rng.random_range(1..40),
            times: ExchangeTimes::draw(request, outcome.origin_asked, &mut rng),
            client,
        }
    }

    /// Returns the path without the query.
    pub(super) fn path_text(&self) -> &str {
        self.uri.strip_suffix(self.query).unwrap_or(&self.uri)
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Returns the origin's address; empty if it was not contacted.
    pub(super) fn origin_ip(&self) -> &'static str {
        if self.origin_asked { self.site.origin } else { "" }
    }

    /// Returns the address that the request came from: a subrequest comes from the edge's own.
    pub(super) fn client_ip(&self) -> &str {
        if self.request.parent.is_some() { "2001:db8:cf::103" } else { &self.client.ip }
    }

    /// Returns the action of the firewall; empty if no rule matched.
    pub(super) fn action(&self) -> &'static str {
        self.deciding_rule().map_or("", |rule| rule.action)
    }

    /// Returns the rule that the record names first: the one that answered, or the last that matched.
    pub(super) fn deciding_rule(&self) -> Option<&'static FirewallRule> {
        self.stopped_by.or(self.rules.last().copied())
    }
}

impl RequestClient {
    /// Draws one of the clients: its number determines its properties, except the port, which is drawn anew.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        // A few clients send much: the smaller the number, the likelier.
        let most = rng.random_range(1..CLIENTS);
        let number = rng.random_range(0..=most);
        let mut own = ChaCha8Rng::seed_from_u64(mix(0xc11e, number));
        let [_, _, _, _, a, b, c, d] = mix(7, number).to_be_bytes();
        let ip = match a % 10 {
            0..4 => format!("198.{}.{c}.{d}", 18 + b % 2),
            4..6 => format!("192.0.2.{d}"),
            _ => format!("2001:db8:{b:x}{c:02x}:{d:x}::{a:x}"),
        };
        Self {
            ip,
            port: rng.random_range(1024..65_536),
            rtt_ms: own.random_range(4..180),
            session: mix(3, number),
            browser: weighted(&BROWSERS, &mut own),
            colo: pick(&COLOS, &mut own),
        }
    }
}

impl ExchangeTimes {
    /// Draws the durations of `request`.
    fn draw(request: &SampleRequest, origin_asked: bool, rng: &mut ChaCha8Rng) -> Self {
        let total = (request.end_ns - request.start_ns) / 1_000_000;
        let first_byte = total * rng.random_range(50..=90) / 100;
        let cpu_us = if request.worker { rng.random_range(400..6000) } else { 0 };
        if !origin_asked {
            return Self { total, first_byte, cpu_us, ..Self::default() };
        }
        let connected = rng.random_range(0..3) == 0;
        let part = |hundredths: i64| if connected { 0 } else { first_byte * hundredths / 100 };
        let header = first_byte * rng.random_range(40..60) / 100;
        let (dns, tcp, tls) = (part(2), part(10), part(20));
        Self { total, first_byte, dns, tcp, tls, sent: first_byte / 50, header, origin: first_byte * 95 / 100, cpu_us }
    }
}

/// The response to a request.
#[derive(Clone, Copy)]
struct ExchangeOutcome {
    cache: &'static str,
    edge_status: i64,
    origin_status: i64,
    origin_asked: bool,
}

impl ExchangeOutcome {
    /// The outcome of a request whose Worker threw an exception before it asked the origin.
    const THROWN: Self = Self { cache: "none", edge_status: 500, origin_status: 0, origin_asked: false };

    /// Draws the outcome of a request for a path of `kind`, unless a rule stopped it.
    fn draw(kind: PathKind, stopped_by: Option<&FirewallRule>, rng: &mut ChaCha8Rng) -> Self {
        if let Some(rule) = stopped_by {
            let edge_status = if rule.source == "ratelimit" { 429 } else { 403 };
            return Self { cache: "none", edge_status, origin_status: 0, origin_asked: false };
        }
        let cache = match kind {
            PathKind::Dynamic => weighted(&DYNAMIC_CACHE, rng),
            PathKind::File => weighted(&FILE_CACHE, rng),
        };
        match cache {
            "hit" | "stale" | "updating" | "stream_hit" => {
                Self { cache, edge_status: weighted(&HIT_STATUS, rng), origin_status: 0, origin_asked: false }
            }
            "none" => Self { cache, edge_status: weighted(&EDGE_STATUS, rng), origin_status: 0, origin_asked: false },
            "unknown" => Self { cache, edge_status: 522, origin_status: 0, origin_asked: true },
            "revalidated" => Self { cache, edge_status: 200, origin_status: 304, origin_asked: true },
            _ => {
                let status = weighted(&ORIGIN_STATUS, rng);
                Self { cache, edge_status: status, origin_status: status, origin_asked: true }
            }
        }
    }
}

const DYNAMIC_CACHE: [(&str, u32); 7] =
    [("dynamic", 780), ("none", 90), ("bypass", 60), ("hit", 40), ("miss", 20), ("ignored", 5), ("unknown", 5)];
const FILE_CACHE: [(&str, u32); 12] = [
    ("hit", 700),
    ("miss", 130),
    ("expired", 50),
    ("revalidated", 30),
    ("stale", 20),
    ("updating", 15),
    ("stream_hit", 15),
    ("deferred", 10),
    ("bypass", 10),
    ("ignored", 8),
    ("none", 7),
    ("unknown", 5),
];
const HIT_STATUS: [(i64, u32); 3] = [(200, 85), (304, 12), (206, 3)];
const EDGE_STATUS: [(i64, u32); 3] = [(301, 60), (200, 30), (204, 10)];
const ORIGIN_STATUS: [(i64, u32); 9] =
    [(200, 840), (301, 30), (304, 30), (404, 50), (204, 15), (401, 15), (500, 10), (503, 7), (429, 3)];

/// The actions that do not answer the request.
const PASSING: [&str; 3] = ["log", "skip", SOLVED.action];

/// Draws as many distinct rules as the request matched, unless its part in a challenge names the one.
fn matched(request: &SampleRequest, rng: &mut ChaCha8Rng) -> Vec<&'static FirewallRule> {
    let first = rng.random_range(0..RULES.len());
    match request.story {
        Some(StoryPart::Challenged) => vec![&CHALLENGE],
        Some(StoryPart::Solved(_)) => vec![&SOLVED],
        Some(StoryPart::Threw) | None => {
            RULES.iter().cycle().skip(first).take((request.matches as usize).min(RULES.len())).collect()
        }
    }
}

/// Draws a method that suits the kind of path.
fn method(kind: PathKind, rng: &mut ChaCha8Rng) -> &'static str {
    match kind {
        PathKind::File => weighted(&[("GET", 97), ("HEAD", 3)], rng),
        PathKind::Dynamic => {
            weighted(&[("GET", 82), ("POST", 12), ("OPTIONS", 2), ("PUT", 2), ("DELETE", 1), ("PATCH", 1)], rng)
        }
    }
}

/// Returns the path, with a number if it has one, and the query.
fn uri(path: &PathGroup, query: &str, rng: &mut ChaCha8Rng) -> String {
    let mut uri = String::with_capacity(96);
    uri.push_str(path.before);
    if path.numbers > 0 {
        let number = rng.random_range(0..path.numbers);
        // Writing to a string cannot fail.
        let _written = write!(uri, "{number}");
    }
    uri.push_str(path.after);
    uri.push_str(query);
    uri
}

/// Draws the referring page: for one request in two, a page of the same site.
fn referer(site: &SampleSite, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..20) {
        0..9 => format!("https://{}/products/{}", site.host, rng.random_range(0..60)),
        9 => "https://search.example/?q=\"réclame\"&src=ads".to_owned(),
        _ => String::new(),
    }
}

fn protocol(secure: bool, rng: &mut ChaCha8Rng) -> &'static str {
    if secure { weighted(&[("HTTP/2", 62), ("HTTP/3", 28), ("HTTP/1.1", 10)], rng) } else { "HTTP/1.1" }
}

#[cfg(test)]
mod tests {
    use super::RequestExchange;
    use crate::sample::SamplePlan;

    #[test]
    fn fields_of_a_request_fit_together() {
        let plan = SamplePlan::default();
        for request in plan.requests(1) {
            let x = RequestExchange::new(&request);
            assert_eq!(x.origin_asked, !x.origin_ip().is_empty());
            assert!(x.origin_asked || x.origin_status == 0);
            assert!(x.stopped_by.is_none() || (x.cache == "none" && matches!(x.edge_status, 403 | 429)));
            assert_eq!(x.rules.len(), request.matches as usize);
            let t = &x.times;
            assert!(t.dns + t.tcp + t.tls + t.sent + t.header <= t.origin + 5 && t.origin <= t.first_byte);
            assert!(t.first_byte <= t.total);
            assert_eq!(format!("{}{}", x.path_text(), x.query), x.uri);
        }
    }

    #[test]
    fn a_family_shares_its_site_and_its_client() {
        let plan = SamplePlan { merged: true, ..SamplePlan::default() };
        for request in plan.requests(0).filter(|request| !request.merged.is_empty()) {
            let visitor = RequestExchange::new(&request);
            for child in request.merged.iter().map(RequestExchange::new) {
                assert_eq!(child.site.zone, visitor.site.zone);
                assert_eq!(child.client.colo.code, visitor.client.colo.code);
                assert_eq!(child.host, visitor.site.api_host);
            }
        }
    }
}
