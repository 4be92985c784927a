//! The partner: it answers as it is told to, and keeps what it saw.
//!
//! It accuses: an address that is not signed as the contract says, a header `X-Batch-Id` that comes back with other
//! bytes, a body that is no gzip of whole lines of 145 columns.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use md5::Digest;
use raydex::backend::{PartnerClient, PartnerPost, PostAnswer, PostError, WebhookClient};
use raydex::config::Config;

use super::gzip::gunzip;
use super::world::config_with;

pub const ENDPOINT: &str = "https://partner.example";
pub const URI: &str = "/cdn-log/v3";
pub const KEY: &str = "the-first-key";
pub const SECOND_KEY: &str = "the-second-key";
/// The number in every signature of the tests.
pub const NONCE: u32 = 4711;

/// The settings of a deployment that delivers, and these.
pub fn delivering(more: &[(&str, &str)]) -> Config {
    let partner = [("PARTNER_ENDPOINT", ENDPOINT), ("PARTNER_URI", URI), ("PARTNER_PRIVATE_KEY", KEY)];
    // The first value of a setting counts.
    config_with(&[more, &partner].concat())
}

/// What comes of a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// This status, with this header `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With these words as its body.
    Words(u16, &'static str),
    /// The partner cannot be reached.
    NotSent,
    /// No answer comes; the partner has stored it or not.
    Silence,
}

/// A POST as the partner saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub post: PartnerPost,
    /// When it came.
    pub at_ms: i64,
    /// What it signed by.
    pub key: &'static str,
    /// The body's lines.
    pub lines: Vec<String>,
    pub reply: Reply,
}

impl Seen {
    /// The rays of its lines.
    pub fn rays(&self) -> Vec<String> {
        self.lines.iter().map(|line| line.split('\u{1}').nth(2).unwrap().to_owned()).collect()
    }
}

/// What a partner says to a POST, which is the nth that it sees.
type Mind = dyn Fn(&Seen, usize) -> Reply;

/// The partner; its clones are the same one.
#[derive(Clone)]
pub struct FakePartner {
    mind: Rc<Mind>,
    seen: Rc<RefCell<Vec<Seen>>>,
    clock_ms: Rc<Cell<i64>>,
    /// How long it takes to answer.
    pub takes_ms: Rc<Cell<i64>>,
    /// Whether nothing listens: no POST arrives, and none is answered.
    pub is_closed: Rc<Cell<bool>>,
    /// How often someone looked whether it can be reached.
    pub looks: Rc<Cell<usize>>,
}

impl FakePartner {
    /// A partner that answers so.
    pub fn new(clock_ms: &Rc<Cell<i64>>, mind: impl Fn(&Seen, usize) -> Reply + 'static) -> Self {
        Self {
            mind: Rc::new(mind),
            seen: Rc::default(),
            clock_ms: clock_ms.clone(),
            takes_ms: Rc::default(),
            is_closed: Rc::default(),
            looks: Rc::default(),
        }
    }

    /// All POSTs so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// How many POSTs there were.
    pub fn posts(&self) -> usize {
        self.seen.borrow().len()
    }

    /// How often each ray was stored.
    pub fn stored(&self) -> BTreeMap<String, usize> {
        let mut stored = BTreeMap::new();
        let seen = self.seen.borrow();
        for seen in seen.iter().filter(|seen| matches!(seen.reply, Reply::Status(200..=299))) {
            for ray in seen.rays() {
                *stored.entry(ray).or_default() += 1;
            }
        }
        stored
    }
}

/// A webhook that keeps what it took.
#[derive(Debug, Default)]
pub struct FakeWebhook {
    /// The address and the body of each POST, those that it refused included.
    pub posts: RefCell<Vec<(String, String)>>,
    /// Whether it refuses.
    pub refuses: Cell<bool>,
}

impl WebhookClient for FakeWebhook {
    async fn post_json(&self, url: &str, body: Vec<u8>) -> bool {
        self.posts.borrow_mut().push((url.to_owned(), String::from_utf8(body).unwrap()));
        !self.refuses.get()
    }
}

impl PartnerClient for FakePartner {
    async fn post(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        if self.is_closed.get() {
            return Err(PostError::Unknown("refused".into()));
        }
        let at_ms = self.clock_ms.get();
        self.clock_ms.set(self.clock_ms.get() + self.takes_ms.get());
        let (key, lines) = (signed_by(&post.url, at_ms / 1000), lines(&post.body));
        let mut all = self.seen.borrow_mut();
        let first = all.iter().find(|seen| seen.post.batch_id == post.batch_id);
        assert!(first.is_none_or(|first| first.post.body == post.body), "{} has other bytes now", post.batch_id);
        let mut seen = Seen { post: post.clone(), at_ms, key, lines, reply: Reply::Silence };
        seen.reply = (self.mind)(&seen, all.len());
        let reply = seen.reply;
        all.push(seen);
        match reply {
            Reply::Status(status) => Ok(PostAnswer { status, retry_after: None, body: Vec::new() }),
            Reply::Words(status, words) => Ok(PostAnswer { status, retry_after: None, body: words.into() }),
            Reply::RetryAfter(status, wait) => {
                Ok(PostAnswer { status, retry_after: Some(wait.into()), body: Vec::new() })
            }
            Reply::NotSent => Err(PostError::NotSent("refused".into())),
            Reply::Silence => Err(PostError::Unknown("timed out".into())),
        }
    }

    async fn can_connect(&self, url: &str) -> bool {
        assert_eq!(url, format!("{ENDPOINT}/"), "without path and signature");
        self.looks.set(self.looks.get() + 1);
        !self.is_closed.get()
    }

    async fn read_clock(&self, url: &str) -> Option<i64> {
        self.can_connect(url).await.then(|| self.clock_ms.get())
    }
}

/// The key that signed the address, which must be one of the two. Clocks may be ten minutes apart.
fn signed_by(url: &str, now_s: i64) -> &'static str {
    let auth = url.strip_prefix(&format!("{ENDPOINT}{URI}?auth_key=")).unwrap_or_else(|| panic!("{url} is elsewhere"));
    let ts: i64 = auth.split('-').next().and_then(|ts| ts.parse().ok()).unwrap();
    assert!((ts - 300).abs_diff(now_s) <= 600, "{ts} is not five minutes from {now_s}");
    let signed = |key: &str| {
        let hash = md5::Md5::digest(format!("{URI}-{ts}-{NONCE}-{key}"));
        format!("{ts}-{NONCE}-{}", hex::encode(hash))
    };
    [KEY, SECOND_KEY].into_iter().find(|key| signed(key) == auth).unwrap_or_else(|| panic!("{url} is not signed"))
}

/// The lines of a body.
fn lines(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(gunzip(body)).unwrap();
    assert!(text.ends_with('\n'), "each line has its end");
    assert!(text.lines().all(|line| line.split('\u{1}').count() == 145), "each line has its columns");
    text.lines().map(str::to_owned).collect()
}
