//! `scripts/token`: what it makes lets in, what it revokes does not, and no token is in its file.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use raydex::access::{AuthFailure, Caller, Scope, Visibility, admit, hash_of_secret};
use raydex::config::{Config, ConfigFault};
use raydex::mask::Role;
use raydex::record::Dataset;
use serde_json::{Value, json};

const NOW_MS: i64 = 1_774_687_345_000;

/// A file of tokens.
struct Tokens(PathBuf);

impl Tokens {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.tokens.json"));
        drop(fs::remove_file(&path));
        Self(path)
    }

    fn run(&self, arguments: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/token");
        Command::new(script).args(arguments.split(' ')).arg("--file").arg(&self.0).output().unwrap()
    }

    /// What it prints; it has to succeed.
    fn says(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What it refuses with.
    fn refuses(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// Who comes in with a token, where the file is the setting.
    fn ask(&self, token: &str) -> Result<Caller, AuthFailure> {
        let config = Config::read(|name| (name == "API_TOKENS").then(|| self.text()));
        let config = config.unwrap_or_else(|faults| panic!("{}", ConfigFault::words(&faults)));
        admit(&config.access.tokens, Some(&format!("Bearer {token}")), NOW_MS)
    }
}

#[test]
fn new_token_admits_and_is_stored_nowhere() {
    let tokens = Tokens::new("made");
    let token = tokens
        .says("make --id desk --scopes read,admin --role support --zones a.example,b.example --datasets http_requests --scans 8 --daily-budget 2.5");
    assert!(token.len() == 4 + 43 + 6 && hash_of_secret(&token).is_some(), "256 bits and a checksum: {token}");
    assert!(!tokens.text().contains(&token) && !tokens.text().contains("rdx_"));
    let caller = tokens.ask(&token).unwrap();
    assert_eq!((caller.name.as_str(), caller.role), ("desk", Role::Support));
    assert!(caller.scopes.iter().eq([Scope::Read, Scope::Admin]));
    assert_eq!(caller.visibility(), Visibility::Zones);
    assert_eq!(["a.example", "b.example", "c.example"].map(|zone| caller.sees_zone(zone)), [true, true, false]);
    assert_eq!((caller.scans, caller.daily_budget.map(|budget| budget.to_string())), (8, Some("2.50".to_owned())));
    assert!(caller.may_dataset(Dataset::HttpRequests) && !caller.may_dataset(Dataset::FirewallEvents));
    tokens.says("check");
    assert!(tokens.says("list").starts_with("desk\t"));
}

#[test]
fn a_token_takes_the_place_of_another() {
    let tokens = Tokens::new("rotated");
    let make = "make --id desk --scopes read --role viewer --days 7";
    let (old, new) = (tokens.says(make), tokens.says(make));
    assert!(old != new && tokens.ask(&old).is_ok() && tokens.ask(&new).is_ok(), "both live");
    assert!(tokens.refuses(make).contains("third with its ID"));
    tokens.says("revoke --id desk --all-but-newest");
    assert!(tokens.ask(&old) == Err(AuthFailure::Unknown) && tokens.ask(&new).is_ok());
    tokens.says("revoke --id desk");
    assert_eq!(tokens.text().trim(), "[]");
}

#[test]
fn what_the_worker_would_refuse_is_not_written() {
    let tokens = Tokens::new("refused");
    for wrong in [
        "make --id a --scopes write --role viewer",
        "make --id a --role viewer",
        "make --id a/b --scopes read --role viewer",
        "make --id a --scopes read --role boss",
        "make --id a --scopes read --role viewer --days 0",
        "make --id a --scopes read --role viewer --scans 0",
        "make --id a --scopes read --role viewer --scans 65",
        "make --id a --scopes read --role viewer --daily-budget 1e3",
        "make --id a --scopes read --role viewer --zones a..,",
        "make --id a --scopes read --role viewer --datasets no_such_logs",
        "make --id a --scopes read --role viewer --unknown x",
        "revoke --id nobody",
        "burn",
    ] {
        assert!(tokens.refuses(wrong).starts_with("scripts/token: "), "{wrong}");
        assert_eq!(tokens.text(), "", "{wrong}");
    }
    for text in ["{}", "[{}]", "no json", r#"[{"id":"a","sha256":"x","scopes":["read"],"role":"viewer"}]"#] {
        fs::write(&tokens.0, text).unwrap();
        tokens.refuses("check");
        assert!(Config::read(|name| (name == "API_TOKENS").then(|| text.to_owned())).is_err(), "{text}");
        tokens.refuses("make --id a --scopes read --role viewer");
        assert_eq!(tokens.text(), text, "a file that is not understood stays");
    }
}

/// What a deployment was asked: the request line, the header `Authorization`, the body.
type Asked = (String, String, Value);

/// Runs a command against a deployment that answers so, one answer for each request.
fn at_deployment(arguments: &str, credential: Option<&str>, answers: Vec<(u16, Value)>) -> (Output, Vec<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = answers.len();
    let serving = thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let first = lines.next().unwrap();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
                .collect();
            let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            asked.push((first, header("authorization").unwrap(), serde_json::from_slice(&body).unwrap_or_default()));
            let text = answer.to_string();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
            stream.write_all((head + &text).as_bytes()).unwrap();
        }
        asked
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/token");
    let mut command = Command::new(script);
    command.args(arguments.split(' ')).args(["--url", &url]).env_remove("RAYDEX_TOKEN");
    command.envs(credential.map(|token| ("RAYDEX_TOKEN", token)));
    let output = command.output().unwrap();
    let asked = if count > 0 { serving.join().unwrap() } else { Vec::new() };
    (output, asked)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A token as a deployment lists it.
fn listed(id: &str, revoked_at: Option<&str>) -> Value {
    json!({
        "id": id, "scopes": ["read"], "role": "viewer", "zones": ["a.example"], "datasets": null,
        "created_at": "2026-03-28T08:42:25.000Z", "created_by": "main", "expires_at": "2199-01-01T00:00:00.000Z",
        "revoked_at": revoked_at, "revoked_by": revoked_at.map(|_| "main"), "reason": null,
    })
}

#[test]
fn deployment_makes_lists_and_revokes_tokens() {
    let mut made = listed("desk", None);
    made["token"] = "rdx_made".into();
    let arguments = "make --id desk --scopes read --role viewer --zones a.example --days 7";
    let (output, asked) = at_deployment(arguments, Some("admin"), vec![(201, made)]);
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.success()),
        ("rdx_made\n", true),
        "{}",
        text(&output.stderr)
    );
    let body = json!({ "id": "desk", "scopes": ["read"], "role": "viewer", "zones": ["a.example"], "days": 7 });
    assert_eq!(asked, [("POST /v1/tokens HTTP/1.1".into(), "Bearer admin".into(), body)]);

    let settings = json!([{ "id": "main", "scopes": ["read"], "role": "forensics", "zones": null, "datasets": null, "expires_at": null }]);
    let page = |id: &str, truncated: bool| {
        (
            200,
            json!({ "tokens": [listed(id, (!truncated).then_some("2026-03-29T00:00:00.000Z"))], "truncated": truncated, "settings": settings }),
        )
    };
    let (output, asked) = at_deployment("list", Some("admin"), vec![page("a", true), page("b", false)]);
    let rows = text(&output.stdout);
    assert_eq!(
        rows.lines().map(|row| row.split('\t').next().unwrap()).collect::<Vec<_>>(),
        ["main", "a", "b"],
        "{rows}"
    );
    assert!(rows.contains("revoked 2026-03-29") && rows.contains("never expires"), "{rows}");
    assert_eq!(asked[1].0, "GET /v1/tokens?limit=100&after=a HTTP/1.1");

    let revoked = listed("desk", Some("2026-03-29T00:00:00.000Z"));
    let (output, asked) = at_deployment("revoke --id desk --reason leaked", Some("admin"), vec![(200, revoked)]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(
        asked,
        [("POST /v1/tokens/desk/revoke HTTP/1.1".into(), "Bearer admin".into(), json!({ "reason": "leaked" }))]
    );
}

#[test]
fn refusal_of_a_deployment_is_an_error() {
    let problem =
        json!({ "code": "token_of_settings", "detail": "It is in the settings.", "hint": "Remove it there." });
    let (output, _) = at_deployment("revoke --id main", Some("admin"), vec![(409, problem)]);
    let words = text(&output.stderr);
    assert_eq!(words, "scripts/token: 409 token_of_settings It is in the settings. Remove it there.\n");
    assert!(!output.status.success());
    for (arguments, credential) in [
        ("list", None),
        ("check", Some("admin")),
        ("revoke --id a --all-but-newest", Some("admin")),
        ("list --file x", Some("admin")),
    ] {
        let (output, _) = at_deployment(arguments, credential, Vec::new());
        assert!(!output.status.success() && text(&output.stderr).starts_with("scripts/token: "), "{arguments}");
    }
    // A token is not sent in clear.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/token");
    let far =
        Command::new(script).args(["list", "--url", "http://192.0.2.1"]).env("RAYDEX_TOKEN", "x").output().unwrap();
    assert_eq!(text(&far.stderr), "scripts/token: --url must begin with https://\n");
}
