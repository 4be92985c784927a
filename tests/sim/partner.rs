//! The partner: it stores what it takes, removes no duplicate, and keeps the judge's own count of every line.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::bufread::GzDecoder;
use raydex::backend::PartnerPost;
use sha2::{Digest, Sha256};

/// One POST, as the partner saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) at_ms: i64,
    pub(crate) batch_id: String,
    pub(crate) body: [u8; 32],
    /// The rays of its lines.
    pub(crate) rays: Vec<String>,
    pub(crate) stored: bool,
    /// Something went wrong between here and the ledger, so that nobody there can know of it.
    pub(crate) in_doubt: bool,
}

/// How the partner is today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moods {
    /// Payloads of which one in so many is refused for ever, by its content; 0: none.
    pub(crate) poison: u8,
    /// The most lines that it takes at once; 0: any number.
    pub(crate) most_lines: usize,
    /// When it fails as a whole.
    pub(crate) outage: Option<Outage>,
}

/// A time in which the partner fails as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) kind: OutageKind,
}

/// How the partner fails as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    /// It answers so.
    Status(u16),
    /// Nothing listens at its port.
    Closed,
    /// It takes connections, and never answers.
    Silent,
}

impl OutageKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Status(503), Self::Status(401), Self::Status(302), Self::Closed, Self::Silent];
}

impl Moods {
    /// How it fails at this instant.
    pub(crate) fn failure(&self, now_ms: i64) -> Option<OutageKind> {
        self.outage.filter(|outage| (outage.from_ms..outage.until_ms).contains(&now_ms)).map(|outage| outage.kind)
    }
}

/// The partner.
#[derive(Debug, Default)]
pub(crate) struct Partner {
    pub(crate) seen: Vec<Seen>,
    pub(crate) moods: Moods,
    /// The first body of each batch id.
    bodies: BTreeMap<String, [u8; 32]>,
}

impl Partner {
    /// Looks at a POST; says its number.
    ///
    /// # Panics
    /// Where it is none that the partner would understand, or a batch id has another body than before.
    pub(crate) fn look(&mut self, post: &PartnerPost, at_ms: i64) -> usize {
        check_signature(&post.url);
        let body: [u8; 32] = Sha256::digest(&post.body).into();
        let first = *self.bodies.entry(post.batch_id.clone()).or_insert(body);
        assert_eq!(first, body, "{} comes with other bytes than before", post.batch_id);
        let rays = rays_of(&post.body);
        self.seen.push(Seen { at_ms, batch_id: post.batch_id.clone(), body, rays, stored: false, in_doubt: false });
        self.seen.len() - 1
    }

    /// Whether it refuses this one whatever happens.
    pub(crate) fn is_poisoned(&self, number: usize) -> bool {
        let [first, ..] = self.seen[number].body;
        self.moods.poison > 0 && first % self.moods.poison == 0
    }

    /// Whether this one has more lines than it takes.
    pub(crate) fn is_too_large(&self, number: usize) -> bool {
        self.moods.most_lines > 0 && self.seen[number].rays.len() > self.moods.most_lines
    }
}

/// The address of the simulated deployment.
pub(crate) const ENDPOINT: &str = "https://partner.example";
pub(crate) const URI: &str = "/cdn-log/v3";
pub(crate) const KEY: &str = "the-key";

/// The signature is the one that the partner computes itself.
fn check_signature(url: &str) {
    let (address, auth) = url.split_once("?auth_key=").expect("a signed address");
    assert_eq!(address, format!("{ENDPOINT}{URI}"));
    let parts: Vec<&str> = auth.split('-').collect();
    let [ts, random, hash] = parts[..] else { panic!("{auth} has three parts") };
    assert!(random.parse::<u32>().unwrap() < 100_000);
    let expected = md5::Md5::digest(format!("{URI}-{ts}-{random}-{KEY}"));
    assert_eq!(hash, hex::encode(expected));
}

/// The rays of the lines of a body, each of which has its 145 columns.
fn rays_of(body: &[u8]) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).expect("gzip of text");
    assert!(text.ends_with('\n'), "every line has its end");
    let ray = |line: &str| {
        let columns: Vec<&str> = line.split('\u{1}').collect();
        assert_eq!(columns.len(), 145, "columns");
        columns[2].to_owned()
    };
    text.lines().map(ray).collect()
}
