//! The invented world that requests come from: sites, paths, browsers, data centres.
//!
//! # Invariants
//!
//! Every name is under a domain reserved for examples (RFC 2606), every address in a block reserved for documentation
//! or benchmarks (RFC 5737, 3849, 2544), every AS number in a range of RFC 5398.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Draws an element of `table` uniformly.
pub(super) fn pick<'t, T, const N: usize>(table: &'t [T; N], rng: &mut ChaCha8Rng) -> &'t T {
    const { assert!(N > 0) };
    #[expect(clippy::indexing_slicing, reason = "drawn below N, which is not zero")]
    &table[rng.random_range(0..N)]
}

/// Draws an element of `table` with the probability given by its weight.
pub(super) fn weighted<T: Copy, const N: usize>(table: &[(T, u32); N], rng: &mut ChaCha8Rng) -> T {
    const { assert!(N > 0) };
    let mut left = rng.random_range(0..table.iter().map(|(_, weight)| weight).sum());
    let found = table.iter().find(|(_, weight)| {
        let hit = left < *weight;
        left = left.saturating_sub(*weight);
        hit
    });
    // N is not zero, and a draw below the sum always finds an element.
    found.unwrap_or(&table[0]).0
}

/// A site behind the edge.
#[derive(Debug)]
pub(super) struct SampleSite {
    pub(super) zone: &'static str,
    pub(super) host: &'static str,
    /// The host that its Worker fetches from.
    pub(super) api_host: &'static str,
    pub(super) origin: &'static str,
    pub(super) script: &'static str,
}

const fn site(
    zone: &'static str,
    host: &'static str,
    api_host: &'static str,
    origin: &'static str,
    script: &'static str,
) -> SampleSite {
    SampleSite { zone, host, api_host, origin, script }
}

pub(super) const SITES: [SampleSite; 5] = [
    site("shop.example", "www.shop.example", "api.shop.example", "203.0.113.10", "shop-frontend"),
    site("news.example", "news.example", "feeds.news.example", "203.0.113.24", "news-router"),
    site("bücher.example", "www.xn--bcher-kva.example", "katalog.xn--bcher-kva.example", "203.0.113.77", "katalog"),
    site("example.net", "static.example.net", "img.example.net", "2001:db8:77::10", "image-proxy"),
    site("example.org", "app.example.org", "auth.example.org", "203.0.113.200", "session-gate"),
];

#[derive(Debug)]
pub(super) struct DataCenter {
    pub(super) code: &'static str,
    pub(super) id: i64,
    pub(super) country: &'static str,
    pub(super) region: &'static str,
    pub(super) city: &'static str,
    pub(super) latitude: &'static str,
    pub(super) longitude: &'static str,
    pub(super) asn: i64,
    pub(super) network: &'static str,
}

macro_rules! colos {
    ($($code:literal $id:literal $country:literal $region:literal $city:literal $latitude:literal $longitude:literal
       $asn:literal $network:literal;)*) => {
        /// Data centres, each with the place and the network of most of its visitors.
        pub(super) const COLOS: [DataCenter; [$($id),*].len()] = [$(DataCenter {
            code: $code, id: $id, country: $country, region: $region, city: $city,
            latitude: $latitude, longitude: $longitude, asn: $asn, network: $network,
        }),*];
    };
}

colos! {
    "SJC" 4 "us" "CA" "San José" "37.33939" "-121.89496" 64496 "EXAMPLE-WEST";
    "FRA" 13 "de" "HE" "Frankfurt am Main" "50.11552" "8.68417" 64497 "EXAMPLE-DE";
    "LHR" 18 "gb" "ENG" "London" "51.50853" "-0.12574" 64498 "EXAMPLE-UK";
    "HKG" 26 "hk" "" "Hong Kong" "22.28552" "114.15769" 64499 "EXAMPLE-HK";
    "NRT" 31 "jp" "13" "東京" "35.68950" "139.69171" 64500 "EXAMPLE-JP";
    "GRU" 40 "br" "SP" "São Paulo" "-23.54750" "-46.63611" 64501 "EXAMPLE-BR";
    "BOM" 52 "in" "MH" "Mumbai" "19.07283" "72.88261" 64502 "EXAMPLE-IN";
    "SIN" 61 "sg" "" "Singapore" "1.28967" "103.85007" 64503 "EXAMPLE-SG";
    "JNB" 77 "za" "GP" "Johannesburg" "-26.20227" "28.04363" 64504 "EXAMPLE-ZA";
    "ZRH" 94 "ch" "ZH" "Zürich" "47.36667" "8.55000" 64505 "EXAMPLE-CH";
}

/// A program that sends requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrowserProfile {
    pub(super) agent: &'static str,
    pub(super) device: &'static str,
    pub(super) language: &'static str,
    /// The digest of its TLS client hello.
    pub(super) ja3: &'static str,
    pub(super) ja4: &'static str,
    /// The category of a verified bot; empty for others.
    pub(super) verified: &'static str,
    /// Whether the program identifies itself as something other than a browser.
    pub(super) bot: bool,
}

const fn browser(
    agent: &'static str,
    device: &'static str,
    language: &'static str,
    ja3: &'static str,
) -> BrowserProfile {
    BrowserProfile {
        agent,
        device,
        language,
        ja3,
        ja4: "t13d1516h2_8daaf6152771_02713d6af862",
        verified: "",
        bot: false,
    }
}

const fn bot(agent: &'static str, verified: &'static str, ja3: &'static str) -> BrowserProfile {
    BrowserProfile {
        verified,
        bot: true,
        ja4: "t13d1711h2_5b57614c22b0_3d5424432f57",
        ..browser(agent, "desktop", "*", ja3)
    }
}

/// Programs with their frequencies. One has a name that is not ASCII, one has quotes and a backslash in it.
pub(super) const BROWSERS: [(BrowserProfile, u32); 10] = [
    (
        browser(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36",
            "desktop",
            "en-US,en;q=0.9",
            "773906b0efdefa24a7f2b8eb6985bf37",
        ),
        30,
    ),
    (
        browser(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.3 Mobile/15E148 Safari/604.1",
            "mobile",
            "de-DE,de;q=0.9",
            "ecdf4f49dd59effc439639da29186671",
        ),
        24,
    ),
    (
        browser(
            "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Mobile Safari/537.36",
            "mobile",
            "pt-BR,pt;q=0.8",
            "cd08e31494f9531f560d64c695473da9",
        ),
        20,
    ),
    (
        browser(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:148.0) Gecko/20100101 Firefox/148.0",
            "desktop",
            "fr-CH,fr;q=0.7",
            "579ccef312d18482fc42e2b822ca2430",
        ),
        8,
    ),
    (
        browser(
            "Mozilla/5.0 (iPad; CPU OS 19_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.3 Safari/605.1.15",
            "tablet",
            "ja-JP",
            "ecdf4f49dd59effc439639da29186671",
        ),
        4,
    ),
    (browser("Büchersuche/2.4 (Lesegerät; Straße 7; 読書)", "mobile", "de-CH", "b32309a26951912be7dba376398abc3b"), 2),
    (
        browser(
            "ExampleApp/9.1 \"Nightly\" (path=C:\\Users\\example; <beta>)",
            "desktop",
            "en-GB",
            "b32309a26951912be7dba376398abc3b",
        ),
        2,
    ),
    (
        bot(
            "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example/about.html)",
            "Search Engine Crawler",
            "e7d705a3286e19ea42f587b344ee6865",
        ),
        5,
    ),
    (bot("curl/8.14.1", "", "0149f47eabf9a20d0893e2a44e5a6323"), 3),
    (bot("python-requests/2.33.0", "", "8d9f7747675e24454cd9b7ed35c58707"), 2),
];

/// The kind of resource at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// Generated for each request: pages and API responses.
    Dynamic,
    /// A file that the edge may cache.
    File,
}

/// A group of paths: the text before and after a number, its kind, content type and size.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathGroup {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    pub(super) kind: PathKind,
    pub(super) content_type: &'static str,
    pub(super) most_bytes: i64,
    /// The range from which the number in the path is drawn.
    pub(super) numbers: u32,
}

const fn path(
    before: &'static str,
    after: &'static str,
    kind: PathKind,
    content_type: &'static str,
    most_bytes: i64,
    numbers: u32,
) -> PathGroup {
    PathGroup { before, after, kind, content_type, most_bytes, numbers }
}

pub(super) const PATHS: [(PathGroup, u32); 12] = [
    (path("/", "", PathKind::Dynamic, "text/html", 90_000, 0), 14),
    (path("/products/", "", PathKind::Dynamic, "text/html", 120_000, 4000), 16),
    (path("/bücher/größe-", ".html", PathKind::Dynamic, "text/html", 60_000, 300), 3),
    (path("/search", "", PathKind::Dynamic, "text/html", 70_000, 0), 5),
    (path("/api/v2/cart/", "", PathKind::Dynamic, "application/json", 6_000, 9000), 14),
    (path("/api/v2/session", "", PathKind::Dynamic, "application/json", 900, 0), 6),
    (path("/login", "", PathKind::Dynamic, "text/html", 9_000, 0), 2),
    (path("/assets/app.", ".js", PathKind::File, "application/javascript", 400_000, 3), 10),
    (path("/assets/theme.", ".css", PathKind::File, "text/css", 80_000, 3), 8),
    (path("/images/item-", ".webp", PathKind::File, "image/webp", 300_000, 2500), 18),
    (path("/downloads/catalogue-", ".pdf", PathKind::File, "application/pdf", 9_000_000, 12), 1),
    (path("/media/clip-", ".m4s", PathKind::File, "video/mp4", 4_000_000, 600), 3),
];

/// The response of a third-party sign-in: the longest queries in everyday traffic.
const LONG_QUERY: &str = concat!(
    "?code=4%2F0AbUR2VMdY1kq8WzX3nJt5cLhP7sGvEoFiRa9uBxNyQwTz6KmDe&scope=openid%20profile%20email",
    "&redirect_uri=https%3A%2F%2Fauth.example.org%2Fcallback%2Foidc%3Fnext%3D%252Faccount%252Forders%252Fopen",
    "&state=eyJuZXh0IjoiL2FjY291bnQvb3JkZXJzIiwibm9uY2UiOiI3ZjNhOWMxZTViMmQ0ODYwIiwibG9jYWxlIjoiZGUtQ0gifQ",
    "&session_state=91c0c3f5a7b94d2e8f60b1a2c3d4e5f6.5d7e&authuser=0&prompt=consent&hd=example.org",
);

/// Queries that a path may have.
pub(super) const QUERIES: [(&str, u32); 8] = [
    ("", 60),
    ("?page=2&sort=price", 12),
    ("?utm_source=newsletter&utm_medium=email&utm_campaign=spring", 9),
    ("?q=stra%C3%9Fenkarte&lang=de", 6),
    ("?q=\"exact phrase\"&fuzzy=false", 3),
    ("?v=8f3a2c", 8),
    ("?redirect=%2Faccount%2Forders&ref=<none>", 2),
    (LONG_QUERY, 2),
];

/// A rule of the firewall.
#[derive(Debug)]
pub(super) struct FirewallRule {
    pub(super) id: &'static str,
    pub(super) action: &'static str,
    pub(super) source: &'static str,
    pub(super) description: &'static str,
    /// The setting that the rule belongs to.
    pub(super) kind: &'static str,
}

const fn rule(id: &'static str, action: &'static str, source: &'static str, description: &'static str) -> FirewallRule {
    FirewallRule { id, action, source, description, kind: "firewall" }
}

/// The rule that poses a managed challenge.
pub(super) const CHALLENGE: FirewallRule = rule(
    "a3e1c5d7f90b4826847362514f3e2d1c",
    "managedChallenge",
    "firewallManaged",
    "Anomaly: Header:User-Agent - Missing",
);
/// The same rule, in the event of a request with a solution.
pub(super) const SOLVED: FirewallRule =
    rule(CHALLENGE.id, "managedChallengeInteractiveSolved", CHALLENGE.source, CHALLENGE.description);

pub(super) const RULES: [FirewallRule; 6] = [
    rule("5f2c1e7a9b3d4c60a1f0e9d8c7b6a594", "log", "firewallCustom", "log requests without a session"),
    rule("0b9d61f7e2a84c35b6d7f8091a2b3c4d", "skip", "firewallCustom", "skip for our own monitors \"uptime\""),
    CHALLENGE,
    rule("c7d8e9f00a1b42c3b4d5e6f708192a3b", "block", "firewallManaged", "SQLi - UNION <query>"),
    rule("91a2b3c4d5e64f70a8192b3c4d5e6f70", "jsChallenge", "bic", "Browser integrity"),
    rule("1d2e3f405162473890a1b2c3d4e5f607", "block", "ratelimit", "more than 100 requests a minute"),
];

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{BROWSERS, QUERIES, RULES, pick, weighted};

    #[test]
    fn table_items_occur_as_often_as_their_weight() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut met = std::collections::BTreeMap::new();
        for _ in 0..10_000 {
            *met.entry(weighted(&QUERIES, &mut rng)).or_insert(0) += 1;
            let _rule = pick(&RULES, &mut rng);
        }
        assert_eq!(met.len(), QUERIES.len());
        assert!((5_700..6_300).contains(&met[""]), "{met:?}");
    }

    #[test]
    fn some_names_are_not_ascii_or_need_escapes() {
        assert!(BROWSERS.iter().any(|(browser, _)| !browser.agent.is_ascii()));
        assert!(BROWSERS.iter().any(|(browser, _)| browser.agent.contains(['"', '\\'])));
    }
}
