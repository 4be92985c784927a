//! `scripts/token`: what it makes lets in, what it revokes does not, and no token is in its file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use raydex::access::{AuthFailure, Caller, Scope, admit};
use raydex::config::{Config, ConfigFault};
use raydex::mask::Role;
use raydex::record::Dataset;

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
        .says("make --id desk --scopes read,admin --role support --zones a.example,b.example --datasets http_requests");
    assert!(token.starts_with("rdx_") && token.len() == 4 + 43, "256 bits: {token}");
    assert!(!tokens.text().contains(&token) && !tokens.text().contains("rdx_"));
    let caller = tokens.ask(&token).unwrap();
    assert_eq!((caller.name.as_str(), caller.role), ("desk", Role::Support));
    assert!(caller.scopes.iter().eq([Scope::Read, Scope::Admin]));
    assert_eq!(caller.zones, Some(vec!["a.example".to_owned(), "b.example".to_owned()]));
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
