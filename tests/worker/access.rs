//! Cloudflare Access under the real runtime: an issuer on this machine, keys by `fetch`, signatures by the platform.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};
use super::issuer::{Key, base64url};
use super::reply::Reply;

const AUDIENCE: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
/// A route that asks nothing of the world but who is there: for whoever reads.
const ANY: &str = "/v1/stats";

/// The issuer: what it publishes, `None` while it is down, and how often it was asked.
#[derive(Clone)]
pub(crate) struct Issuer {
    address: String,
    document: Arc<Mutex<Option<String>>>,
    fetches: Arc<Mutex<u32>>,
}

impl Issuer {
    /// An issuer that is down.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self { address, document: Arc::default(), fetches: Arc::default() };
        let serving = issuer.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serving.serve(stream.unwrap());
            }
        });
        issuer
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let asked = lines.next().and_then(Result::ok).unwrap_or_default();
        let _headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
        let found = self.document.lock().unwrap().clone().filter(|_| asked.starts_with("GET /cdn-cgi/access/certs "));
        *self.fetches.lock().unwrap() += 1;
        let (status, body) = found.map_or(("500 Down", String::new()), |document| ("200 OK", document));
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _sent = stream.write_all((head + &body).as_bytes());
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        *self.document.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    fn fetches(&self) -> u32 {
        *self.fetches.lock().unwrap()
    }

    /// The claims of a token for a person, changed so.
    pub(crate) fn claims(&self, change: &[(&str, Value)]) -> Value {
        let now = now_s();
        let mut claims = json!({
            "aud": [AUDIENCE], "iss": self.address, "email": "bob@a.example", "sub": "7335d417", "type": "app",
            "iat": now - 10, "nbf": now - 10, "exp": now + 300,
        });
        for (name, value) in change {
            claims[name] = value.clone();
        }
        claims
    }

    /// A Worker that believes this issuer.
    fn worker(&self) -> Harness {
        self.worker_with(&json!([
            { "email": "ann@a.example", "scopes": ["read", "admin"], "role": "forensics" },
            { "email_domain": "a.example", "scopes": ["read"], "role": "viewer" },
        ]))
    }

    /// A Worker that believes this issuer, with these grants.
    pub(crate) fn worker_with(&self, grants: &Value) -> Harness {
        Harness::with(json!({ "settings": {
            "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "ACCESS_TEAM": self.address, "ACCESS_AUD": AUDIENCE,
            "ACCESS_GRANTS": grants.to_string(), "ACCESS_PLAIN_HTTP": "allow",
        } }))
    }
}

#[expect(clippy::disallowed_methods, reason = "an assertion is of now, and the Worker's clock is the machine's")]
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A request with an assertion.
fn ask(harness: &Harness, path: &str, assertion: &str) -> Reply {
    harness.get_with(path, &[("cf-access-jwt-assertion", assertion)])
}

#[test]
fn only_valid_assertions_are_believed() {
    let (issuer, good, other) = (Issuer::start(), Key::new("one", 0), Key::new("one", 1));
    let harness = issuer.worker();
    let token = good.token(&issuer.claims(&[]));
    // Nobody can say whether it is right.
    ask(&harness, ANY, &token).assert_problem(503, "no_keys");
    issuer.publish(&[&good]);
    assert_eq!(ask(&harness, ANY, &token).status, 200);
    // Bob may read and not see to the deployment; Ann may do both.
    ask(&harness, "/v1/audit", &token).assert_problem(403, "forbidden");
    let ann = good.token(&issuer.claims(&[("email", json!("Ann@a.example"))]));
    let audit = ask(&harness, "/v1/audit?outcome=admitted", &ann);
    assert_eq!((audit.status, &audit.json()["entries"][0]["entry"]["actor"]), (200, &json!("Ann@a.example")));
    let stranger = good.token(&issuer.claims(&[("email", json!("eve@b.example"))]));
    assert_eq!(ask(&harness, ANY, &stranger).status, 403);

    let (now, fetches) = (now_s(), issuer.fetches());
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid, "typ": "JWT" });
    let signed =
        |header: Value| format!("{}.{}", base64url(header.to_string()), base64url(issuer.claims(&[]).to_string()));
    let (none, hmac) = (signed(header("none", "one")), signed(header("HS256", "one")));
    let claiming = |name, value| good.token(&issuer.claims(&[(name, value)]));
    let mut changed = token.clone();
    changed.replace_range(changed.rfind('.').unwrap() + 1.., &base64url([7; 256]));
    for (what, wrong) in [
        ("no algorithm", format!("{none}.")),
        ("no algorithm, with a signature", good.sign_text(&none)),
        ("HMAC by the public key", format!("{hmac}.{}", good.hs256(&hmac))),
        ("the key of another", other.token(&issuer.claims(&[]))),
        ("an unknown key", good.sign(&header("RS256", "two"), &issuer.claims(&[]))),
        ("another audience", claiming("aud", json!(["other"]))),
        ("another issuer", claiming("iss", json!("https://evil.example"))),
        ("expired", claiming("exp", json!(now - 100))),
        ("not yet valid", claiming("nbf", json!(now + 1000))),
        ("another signature", changed),
        ("two of them", format!("{token}, {token}")),
        ("nothing", String::new()),
    ] {
        ask(&harness, ANY, &wrong).assert_problem(401, "unauthorized");
        assert!(issuer.fetches() <= fetches + 1, "{what}: whoever makes up keys does not make us ask");
    }
    let headers = [("cf-access-jwt-assertion", token.as_str()), ("cf-access-jwt-assertion", token.as_str())];
    harness.get_with(ANY, &headers).assert_problem(401, "unauthorized");
    // A token beside it is what counts.
    let beside =
        |bearer: &str| harness.get_with(ANY, &[("cf-access-jwt-assertion", &token), ("authorization", bearer)]).status;
    assert_eq!((beside(&format!("Bearer {TOKEN}")), beside("Bearer wrong")), (200, 401));
    assert!((400..500).contains(&status_of_a_huge_header(&harness)));
    assert_eq!(ask(&harness, ANY, &token).status, 200, "and all is as before");
    // What is known stays known while the issuer is down.
    *issuer.document.lock().unwrap() = None;
    assert_eq!(ask(&harness, ANY, &token).status, 200);
}

/// The status of a request with an assertion of a megabyte; 431 where the connection is closed for it.
fn status_of_a_huge_header(harness: &Harness) -> u16 {
    let mut stream = TcpStream::connect(harness.worker.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("GET {ANY} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncf-access-jwt-assertion: ");
    let _sent = stream.write_all(&[head.as_bytes(), &vec![b'a'; 1 << 20], b"\r\n\r\n"].concat());
    let mut answer = Vec::new();
    let _read = stream.take(200).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).map_or(431, |status| status.parse().unwrap())
}

#[test]
#[ignore = "waits a minute: an issuer is not asked more often than that for a key that it may not have"]
fn replaced_key_is_followed() {
    let (issuer, old, new) = (Issuer::start(), Key::new("old", 0), Key::new("new", 1));
    let harness = issuer.worker();
    issuer.publish(&[&old]);
    assert_eq!(ask(&harness, ANY, &old.token(&issuer.claims(&[]))).status, 200);
    issuer.publish(&[&new]);
    let rotated = new.token(&issuer.claims(&[]));
    harness.wait_within(Duration::from_secs(90), Duration::from_secs(5), "the new key", || {
        (ask(&harness, ANY, &rotated).status == 200).then_some(())
    });
    assert_eq!(ask(&harness, ANY, &old.token(&issuer.claims(&[]))).status, 401, "the old one counts no more");
    assert_eq!(issuer.fetches(), 2);
}
