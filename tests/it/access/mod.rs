//! Assertions of Cloudflare Access from outside: what is let in, what is refused, and how often the issuer is asked.

mod keys;

use crate::support::{self, issuer};

use std::cell::RefCell;

use raydex::access::{
    AccessRules, AuthFailure, Caller, Credentials, JwksCache, JwtFault, SignOn, TokenIssuer, Visibility, admit_any,
    main_rule, read_grants,
};
use raydex::limits::{JWT_MAX, SESSION_HOURS_MAX};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use issuer::{FakeIssuer, Key, base64url};
use support::{NOW_MS, run};

const AUDIENCE: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const ISSUER: &str = "https://acme.cloudflareaccess.com";
const NOW_S: i64 = NOW_MS / 1000;

/// A deployment with a token and with Access.
fn rules() -> AccessRules {
    let grants = json!([
        { "email": "Ann@a.example", "scopes": ["read", "admin"], "role": "forensics" },
        { "email_domain": "a.example", "scopes": ["read"], "role": "support", "zones": ["a.example"] },
        { "group": "staff", "scopes": ["deliver"], "role": "viewer" },
        { "service": "robot.access", "scopes": ["ingest"], "role": "viewer" },
    ]);
    let grants = read_grants(&grants.to_string()).unwrap();
    let issuer = TokenIssuer::read("acme", false).unwrap();
    let session_s = SESSION_HOURS_MAX * 3_600;
    let sign_on = SignOn { issuer, audience: AUDIENCE.to_owned(), grants, session_s };
    AccessRules { tokens: vec![main_rule(Sha256::digest("main").into())], sign_on: Some(sign_on) }
}

/// The claims of a person's token, changed so.
fn claims(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    let mut claims = json!({
        "aud": [AUDIENCE], "iss": ISSUER, "email": "bob@a.example", "sub": "7335d417", "type": "app", "country": "US",
        "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 60,
    });
    change(claims.as_object_mut().unwrap());
    claims
}

/// What becomes of an assertion, where the issuer publishes one key; the backend counts.
fn ask(assertion: &str) -> (Result<Caller, AuthFailure>, FakeIssuer) {
    let issuer = FakeIssuer::default();
    issuer.publish(&[&Key::new("one", 0)]);
    let presented = Credentials { authorization: None, assertion: Some(assertion) };
    let caller = run(admit_any(&rules(), presented, &issuer, &RefCell::default(), NOW_MS));
    (caller, issuer)
}

/// The same, for a token of the published key with these claims.
fn claiming(name: &str, value: Value) -> Result<Caller, AuthFailure> {
    let claims = claims(|claims| {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.to_owned(), value);
        }
    });
    ask(&Key::new("one", 0).token(&claims)).0
}

#[test]
fn valid_assertion_admits_whom_a_grant_names() {
    let bob = claiming("x", Value::Null).unwrap();
    assert_eq!((bob.name.as_str(), bob.role.name()), ("bob@a.example", "support"));
    assert!(bob.scopes.iter().map(raydex::access::Scope::name).eq(["read"]) && bob.sees_zone("a.example"));
    let ann = claiming("email", "ANN@A.example".into()).unwrap();
    assert_eq!((ann.role.name(), ann.visibility()), ("forensics", Visibility::Everything), "the first grant that fits");
    let robot = claims(|claims| {
        claims.remove("email");
        claims.insert("common_name".into(), "robot.access".into());
    });
    assert_eq!(ask(&Key::new("one", 0).token(&robot)).0.unwrap().name, "robot.access");
    for (name, value) in [
        ("aud", json!(AUDIENCE)),
        ("aud", json!(["other", AUDIENCE])),
        ("exp", json!(NOW_S - 59)),
        ("nbf", json!(NOW_S + 60)),
        ("iat", json!(NOW_S + 60)),
        ("nbf", Value::Null),
        ("iat", json!(NOW_S - SESSION_HOURS_MAX * 3_600 - 59)),
    ] {
        assert!(claiming(name, value.clone()).is_ok(), "{name} {value}");
    }
}

#[test]
fn claims_of_wrong_kind_or_time_are_refused() {
    use JwtFault::{Audience, Claims, Expired, Issuer, NotYet, TooOld};
    for (name, value, fault) in [
        ("aud", json!("other"), Audience),
        ("aud", json!([]), Audience),
        ("aud", json!(""), Audience),
        ("aud", json!(format!("{AUDIENCE}x")), Audience),
        ("aud", json!({ "0": AUDIENCE }), Claims),
        ("aud", Value::Null, Claims),
        ("iss", json!("https://evil.cloudflareaccess.com"), Issuer),
        ("iss", json!(format!("{ISSUER}/")), Issuer),
        ("iss", Value::Null, Claims),
        ("exp", json!(NOW_S - 60), Expired),
        ("exp", json!(i64::MIN), Expired),
        ("exp", Value::Null, Claims),
        ("exp", json!((NOW_S + 60).to_string()), Claims),
        ("exp", json!(1e30), Claims),
        ("exp", json!(true), Claims),
        ("nbf", json!(NOW_S + 61), NotYet),
        ("iat", json!(NOW_S + 61), NotYet),
        ("iat", json!(i64::MAX), NotYet),
        ("iat", json!("1"), Claims),
        ("iat", Value::Null, Claims),
        ("iat", json!(NOW_S - SESSION_HOURS_MAX * 3_600 - 60), TooOld),
        ("iat", json!(0), TooOld),
        ("iat", json!(i64::MIN), TooOld),
    ] {
        assert_eq!(claiming(name, value.clone()), Err(AuthFailure::Assertion(fault)), "{name} {value}");
    }
}

#[test]
fn who_is_named_by_no_grant_is_forbidden() {
    for (name, value) in [
        ("email", json!("bob@b.example")),
        ("email", json!("bob@x.a.example")),
        ("email", json!("a.example")),
        ("email", json!("bob@a.example@b.example")),
        ("email", json!("")),
        ("email", Value::Null),
    ] {
        let bearer = value.as_str().unwrap_or_default().into();
        assert_eq!(claiming(name, value.clone()), Err(AuthFailure::NoGrant(bearer)), "{name} {value}");
    }
    assert_eq!(AuthFailure::NoGrant("".into()).status(), 403);
    // A person cannot call themselves a service.
    let both = claims(|claims| {
        claims.insert("email".into(), "eve@b.example".into());
        claims.insert("common_name".into(), "robot.access".into());
    });
    assert_eq!(ask(&Key::new("one", 0).token(&both)).0, Err(AuthFailure::NoGrant("eve@b.example".into())));
}

#[test]
fn group_of_a_person_is_granted() {
    let admitted = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let claims = claims(|claims| {
            claims.insert("email".into(), json!("eve@b.example"));
            change(claims);
        });
        ask(&Key::new("one", 0).token(&claims)).0
    };
    let custom = |groups: Value| admitted(&|claims| drop(claims.insert("custom".into(), json!({ "groups": groups }))));
    let plain = |groups: Value| admitted(&|claims| drop(claims.insert("groups".into(), groups.clone())));
    for groups in [
        json!(["other", "staff"]),
        json!("staff"),
        json!([{ "id": "staff", "name": "Everybody" }]),
        json!([7, null, { "id": "x", "name": "staff" }]),
    ] {
        for caller in [custom(groups.clone()), plain(groups.clone())] {
            let caller = caller.unwrap();
            assert_eq!((caller.name.as_str(), caller.role.name()), ("eve@b.example", "viewer"), "{groups}");
            assert!(caller.scopes.iter().map(raydex::access::Scope::name).eq(["deliver"]));
        }
    }
    for groups in
        [json!(["Staff"]), json!(["staff "]), json!([]), json!({ "staff": true }), json!([["staff"]]), json!(7)]
    {
        for caller in [custom(groups.clone()), plain(groups.clone())] {
            assert_eq!(caller, Err(AuthFailure::NoGrant("eve@b.example".into())), "{groups}");
        }
    }
    // A service is in no group, whatever its claims say.
    let robot = admitted(&|claims| {
        claims.insert("email".into(), json!(""));
        claims.insert("common_name".into(), json!("other.access"));
        claims.insert("groups".into(), json!(["staff"]));
    });
    assert_eq!(robot, Err(AuthFailure::NoGrant("other.access".into())));
    // An address counts before a group: the first grant that names the bearer applies.
    let both = claims(|claims| drop(claims.insert("groups".into(), json!(["staff"]))));
    assert_eq!(ask(&Key::new("one", 0).token(&both)).0.unwrap().role.name(), "support");
}

#[test]
fn header_with_extras_is_refused_before_fetching_keys() {
    let key = Key::new("one", 0);
    let good = claims(|_| {});
    for header in [
        json!({ "alg": "none", "kid": "one" }),
        json!({ "alg": "None", "kid": "one" }),
        json!({ "alg": "HS256", "kid": "one" }),
        json!({ "alg": "RS512", "kid": "one" }),
        json!({ "alg": "ES256", "kid": "one" }),
        json!({ "alg": "rs256", "kid": "one" }),
        json!({ "alg": ["RS256"], "kid": "one" }),
        json!({ "kid": "one" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "RS256", "kid": "" }),
        json!({ "alg": "RS256", "kid": 1 }),
        json!({ "alg": "RS256", "kid": "one", "typ": "JWE" }),
        json!({ "alg": "RS256", "kid": "one", "crit": ["exp"] }),
        json!({ "alg": "RS256", "kid": "one", "crit": [] }),
        json!({ "alg": "RS256", "kid": "one", "crit": null }),
        json!(["RS256", "one", null, false]),
    ] {
        let (caller, issuer) = ask(&key.sign(&header, &good));
        assert_eq!(caller, Err(AuthFailure::Assertion(JwtFault::Header)), "{header}");
        assert_eq!((issuer.fetches.get(), issuer.verified.get()), (0, 0));
    }
    assert!(ask(&key.sign(&json!({ "alg": "RS256", "kid": "one" }), &good)).0.is_ok(), "typ may be absent");
}

#[test]
fn malformed_assertion_is_refused() {
    let good = Key::new("one", 0).token(&claims(|_| {}));
    let (head, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    for text in [
        String::new(),
        "..".to_owned(),
        head.to_owned(),
        format!("{head}.{body}"),
        format!("{good}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{head}=.{body}.{signature}"),
        format!("{head}\n.{body}.{signature}"),
        format!("{head}.{body}.{}", signature.replace(['-', '_'], "+")),
        format!("{head}.{body}.+/{signature}"),
        format!("{good}, {good}"),
        format!("{good},{good}"),
    ] {
        let (caller, issuer) = ask(&text);
        assert!(matches!(caller, Err(AuthFailure::Assertion(_))), "{text} {caller:?}");
        assert_eq!((issuer.fetches.get(), issuer.verified.get()), (0, 0), "{text}");
    }
    for length in [JWT_MAX + 1, 1 << 20] {
        assert_eq!(ask(&"a".repeat(length)).0, Err(AuthFailure::Assertion(JwtFault::TooLong)));
    }
    let long =
        Key::new("one", 0).token(&claims(|claims| drop(claims.insert("groups".into(), json!("g".repeat(11_000))))));
    assert!(long.len() < JWT_MAX && ask(&long).0.is_ok());
}

#[test]
fn a_signature_of_anything_else_is_refused() {
    let (key, other) = (Key::new("one", 0), Key::new("one", 1));
    let good = key.token(&claims(|_| {}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let forged = key.token(&claims(|claims| drop(claims.insert("email".into(), "ann@a.example".into()))));
    let (forged, _) = forged.rsplit_once('.').unwrap();
    for (text, why) in [
        (other.token(&claims(|_| {})), "another key under the same id"),
        (format!("{forged}.{signature}"), "another token's signature"),
        (format!("{signed}."), "none"),
        (format!("{signed}.{}", base64url([0; 256])), "zeros"),
        (format!("{signed}.{}", key.hs256(signed)), "HS256 with the public key"),
    ] {
        assert_eq!(ask(&text).0, Err(AuthFailure::Signature), "{why}");
    }
    assert_eq!(ask(&Key::new("two", 1).token(&claims(|_| {}))).0, Err(AuthFailure::UnknownKey));
    assert!(ask(&good).0.is_ok());
}

#[test]
fn a_bearer_token_counts_before_an_assertion() {
    let good = Key::new("one", 0).token(&claims(|_| {}));
    let issuer = FakeIssuer::default();
    issuer.publish(&[&Key::new("one", 0)]);
    let cache = RefCell::<JwksCache>::default();
    let with = |authorization, assertion| {
        let presented = Credentials { authorization, assertion };
        run(admit_any(&rules(), presented, &issuer, &cache, NOW_MS)).map(|caller| caller.name)
    };
    assert_eq!(with(Some("Bearer main"), Some(&good)).as_deref(), Ok("main"));
    assert_eq!(with(Some("Bearer main"), Some("nonsense")).as_deref(), Ok("main"));
    assert_eq!(with(Some("Bearer other"), Some(&good)), Err(AuthFailure::Unknown));
    assert_eq!(with(Some(""), Some(&good)), Err(AuthFailure::NoToken));
    assert_eq!(with(None, None), Err(AuthFailure::NoToken));
    assert_eq!(issuer.fetches.get(), 0);
    assert_eq!(with(None, Some(&good)).as_deref(), Ok("bob@a.example"));
    let without = AccessRules { sign_on: None, ..rules() };
    let presented = Credentials { authorization: None, assertion: Some(&good) };
    assert_eq!(run(admit_any(&without, presented, &issuer, &cache, NOW_MS)), Err(AuthFailure::NoToken));
}

#[test]
fn grant_naming_no_one_or_two_is_fault() {
    let with = |who: &str| read_grants(&format!(r#"[{{{who}"scopes":["read"],"role":"viewer"}}]"#)).map(|_| ());
    assert_eq!(with(r#""email":"a@b.example","#), Ok(()));
    for who in [
        "",
        r#""email":"hunter2","#,
        r#""email_domain":"@b.example","#,
        r#""email_domain":"","#,
        r#""service":"","#,
        r#""email":"a@b.example","service":"x","#,
        r#""group":"","#,
        r#""group":"x","email":"a@b.example","#,
        r#""groups":["x"],"#,
        r#""expires":"2027-01-01T00:00:00Z","service":"x","#,
    ] {
        let said = with(who).unwrap_err().to_string();
        assert!(said.starts_with("entry 1 must") && !said.contains("hunter2"), "{who}: {said}");
    }
}
