//! Where secrets stand: in every field of every dataset, in every part of a URL, in every nested object.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::mask::{FieldClass, MEMBERS, fields};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::{Canary, Random};

/// A dataset, what the place is called, and a record with the secret there.
type Planted = (Dataset, String, String);

/// The places of secrets.
pub(crate) struct Places;

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Every byte escaped, letters too.
fn all_escaped(text: &str) -> String {
    text.bytes().map(percent_encoding::percent_encode_byte).collect()
}

/// URLs and paths with the secret in them.
fn urls(secret: &str) -> Vec<String> {
    let (once, twice, all) = (escaped(secret), escaped(&escaped(secret)), all_escaped(secret));
    let inner = escaped(&format!("https://b.example/cb?token={secret}&page=2"));
    vec![
        format!("https://user:{secret}@a.example/x"),
        format!("https://{once}:x@a.example/"),
        format!("https://a.example/x/{secret}/y"),
        format!("https://a.example/{once}.html"),
        format!("/x/{twice}/"),
        format!("/x/{all}"),
        format!("/x/{}", escaped(&all)),
        format!("/x-{secret}-y/z"),
        format!("/x.{secret}.js"),
        format!("/x;jsessionid={secret}/y"),
        format!("/x;{secret}/y"),
        format!("/?token={secret}&page=2"),
        format!("/?q={once}"),
        format!("/?{secret}"),
        format!("/?{secret}=1"),
        format!("/?{twice}=1"),
        format!("/?a=1;{all}"),
        format!("/?to={inner}"),
        format!("/?to={}", escaped(&inner)),
        format!("/x#{secret}"),
        format!("/x#access_token={secret}&x=1"),
        format!("/go%3Ftoken%3D{once}"),
        format!("https://a.example/?token={secret}"),
        format!("https://a.example:{secret}"),
        format!("//a.example/{secret}"),
        format!("a={secret}"),
        format!("?a={secret}&b"),
        secret.to_owned(),
        once,
        all,
    ]
}

/// Texts with the secret in them.
fn texts(secret: &str) -> Vec<String> {
    vec![
        secret.to_owned(),
        format!("Mozilla/5.0 ({secret}; x)"),
        format!("app/1.0 {secret}"),
        format!("app/{secret} x"),
        format!("app token={secret}"),
        format!("app \"key\": \"{secret}\""),
        format!("app Bearer {secret}"),
        format!("app (+https://a.example/?x={secret})"),
        format!("app {}", escaped(secret)),
        format!("[{secret}]"),
    ]
}

/// Values of any form with the secret in them.
fn values(canary: &Canary) -> Vec<Value> {
    let secret = &canary.text;
    let mut values = vec![
        json!([secret, "x"]),
        json!([[secret]]),
        json!({ "x": secret }),
        json!({ secret: "x" }),
        json!([{ "Message": secret }]),
        json!({ "a": { "b": [secret] } }),
        json!(format!("{secret}{secret}")),
    ];
    if canary.is_card {
        values.push(secret.parse::<u64>().unwrap().into());
        values.push(json!([secret.parse::<u64>().unwrap()]));
    }
    values.extend(urls(secret).into_iter().chain(texts(secret)).map(Value::from));
    values
}

/// Objects with the secret as a name, a value, or an element of a value.
fn objects(secret: &str) -> Vec<Value> {
    vec![
        json!({ "x-api-key": secret }),
        json!({ "Authorization": format!("Bearer {secret}") }),
        json!({ "set-cookie": [format!("a={secret}; Path=/")] }),
        json!({ "accept": secret, "content-length": secret, "content-type": format!("text/{secret}") }),
        json!({ secret: "1" }),
        json!({ format!("x-{secret}"): secret }),
        json!({ "location": format!("/cb?code={secret}") }),
    ]
}

/// A record with one field, alone or inside of other records.
fn record(random: &mut Random, dataset: Dataset, name: &str, value: &Value) -> String {
    let record = json!({ name: value, "EdgeColoID": 4 });
    let depth = if dataset == Dataset::HttpRequests { random.below(4) } else { 0 };
    (0..depth).fold(record, |record, _| json!({ "RayID": "9e35500010000001", "Subrequests": [record] })).to_string()
}

impl Places {
    /// Every field of every dataset, each with one form of the secret; and every form in the fields for it.
    pub(crate) fn of(canary: &Canary, random: &mut Random) -> Vec<Planted> {
        let (values, urls, texts, objects) =
            (values(canary), urls(&canary.text), texts(&canary.text), objects(&canary.text));
        let mut planted = Vec::new();
        for dataset in Dataset::WITH_RAY {
            let unknown = [("Novel", FieldClass::Unknown), ("x", FieldClass::Unknown)];
            for (name, class) in fields(dataset).iter().chain(&unknown) {
                // A Ray ID is hexadecimal digits itself.
                if *class == FieldClass::Ray && canary.is_hex {
                    continue;
                }
                let value = match class {
                    FieldClass::Url | FieldClass::Query => urls[random.below(urls.len())].clone().into(),
                    FieldClass::Agent | FieldClass::Text => texts[random.below(texts.len())].clone().into(),
                    FieldClass::Headers | FieldClass::Cookies | FieldClass::Metadata => {
                        objects[random.below(objects.len())].clone()
                    }
                    _ => values[random.below(values.len())].clone(),
                };
                planted.push((dataset, format!("{dataset} {name}"), record(random, dataset, name, &value)));
                let value = &values[random.below(values.len())];
                if !(canary.is_hex && value.to_string().contains("RayID")) {
                    planted.push((dataset, format!("{dataset} {name}, any"), record(random, dataset, name, value)));
                }
            }
        }
        for (number, url) in urls.iter().enumerate() {
            for name in ["ClientRequestURI", "ClientRequestPath", "ClientRequestReferer", "ClientRequestUserAgent"] {
                let line = json!({ name: url }).to_string();
                planted.push((Dataset::HttpRequests, format!("url {number} in {name}"), line));
            }
        }
        for (number, text) in texts.iter().enumerate() {
            let line = json!({ "ClientRequestUserAgent": text, "SecurityRuleDescription": text }).to_string();
            planted.push((Dataset::HttpRequests, format!("text {number}"), line));
        }
        planted.extend(members(canary, &values, random));
        planted
    }

    /// Where secrets belong.
    pub(crate) fn secret(canary: &Canary) -> Vec<Planted> {
        let secret = &canary.text;
        let headers = ["Authorization", "cookie", "Set-Cookie", "X-Api-Key", "x-auth-token", "cf-access-jwt-assertion"];
        let http =
            |name: &str, value: Value| (Dataset::HttpRequests, name.to_owned(), json!({ name: value }).to_string());
        let mut planted: Vec<Planted> = headers
            .iter()
            .flat_map(|header| [json!({ *header: secret }), json!({ *header: [format!("a {secret}")] })])
            .flat_map(|value| [http("RequestHeaders", value.clone()), http("ResponseHeaders", value)])
            .collect();
        planted.push(http("Cookies", json!({ "session": secret, "theme": secret })));
        planted.push(http("Subrequests", json!([{ "Subrequests": [{ "Cookies": { "a": secret } }] }])));
        planted.push(http("Novel", json!(secret)));
        for url in [
            format!("https://user:{secret}@a.example/"),
            format!("/?access_token={}", escaped(secret)),
            format!("/?page=2&api%5Fkey={}", all_escaped(secret)),
            format!("/?to={}", escaped(&format!("https://b.example/?sig={secret}"))),
            format!("/x;jsessionid={}/y", escaped(secret)),
            format!("/x#id_token={secret}"),
        ] {
            planted.push(http("ClientRequestURI", json!(url)));
            planted.push(http("ClientRequestReferer", json!(url)));
        }
        let event =
            json!({ "Event": { "Request": { "URL": format!("https://a.example/?token={}", escaped(secret)) } } });
        planted.push((Dataset::WorkersTraceEvents, "event".into(), event.to_string()));
        let logs = json!({ "Logs": [{ "Message": [{ "password": secret }, format!("token={}", escaped(secret))] }] });
        planted.push((Dataset::WorkersTraceEvents, "logs".into(), logs.to_string()));
        planted
    }
}

/// Names of secrets, in spellings of all kinds.
const NAMES: [&str; 16] = [
    "token",
    "password",
    "access_token",
    "accessToken",
    "X-Api-Key",
    "client-secret",
    "ｔｏｋｅｎ",
    "PASSWD",
    "passcode",
    "refresh_token",
    "otp",
    "mfa",
    "ssn",
    "mnemonic",
    "csrf-token",
    "reset",
];

impl Places {
    /// After the name of a secret, in every position where a name and its value can be.
    pub(crate) fn named(canary: &Canary, random: &mut Random) -> Vec<(Dataset, String)> {
        let (name, word) = (NAMES[random.below(NAMES.len())], &canary.text);
        let paths = [
            format!("/{name}/{word}"),
            format!("/api/{name}/{word}/next"),
            format!("/{name}/verify/{word}"),
            format!("/x/{name}:{word}/y"),
            format!("/x/{}/{word}", escaped(name)),
            format!("/x/{}", escaped(&format!("{name}={word}"))),
            format!("/x?{name}={word}&page=2"),
            format!("/x?a=1&{}={word}", escaped(name)),
            format!("/x#{name}={word}"),
            format!("/x;{name}={word}/y"),
        ];
        let texts = [
            format!("app {name}={word}"),
            format!("app {name}: {word}"),
            format!("app {name}:{word} next"),
            format!("app {name} = {word}"),
            format!("app {name} is {word}"),
            format!("app/{name}/{word}"),
            format!("app (\"{name}\": \"{word} x\")"),
            format!("app '{name}': '{word} x'"),
            format!("{{\"{name}\":\"x {word}\"}}"),
            format!("{{\\\"{name}\\\":\\\"x {word}\\\"}}"),
            format!("tool --{name} {word}"),
            format!("tool --{name}={word}"),
            format!("curl -u ann:{word}"),
            format!("curl -H \"Authorization: Basic {word}\""),
            format!("Authorization:Digest {word} {word}"),
            format!("Cookie: a=b; c={word}"),
            format!("-----BEGIN PRIVATE KEY-----\n{word}"),
        ];
        let lists = [
            json!([format!("{name}:"), word]),
            json!([name, word]),
            json!([format!("the {name} is"), { "a": word }]),
            json!([name, ":", [word]]),
            json!([format!("user %s, {name} %s"), "ann", word]),
            json!([["x", name, word]]),
        ];
        let objects = [
            json!({ name: word }),
            json!({ name: [word] }),
            json!({ name: { "a": word } }),
            json!({ "name": name, "value": word }),
            json!({ "value": word, "key": name }),
        ];
        let http = |field: &str, value: Value| (Dataset::HttpRequests, json!({ field: value }).to_string());
        let log = |value: Value| (Dataset::WorkersTraceEvents, json!({ "Logs": [{ "Message": value }] }).to_string());
        let mut planted = Vec::new();
        for path in paths {
            planted.push(http("ClientRequestURI", path.clone().into()));
            planted.push(http("ClientRequestReferer", format!("https://a.example{path}").into()));
            planted.push(log(json!([format!("GET https://a.example{path}")])));
        }
        for text in texts {
            planted.push(http("ClientRequestUserAgent", text.clone().into()));
            planted.push(http("SecurityRuleDescription", text.clone().into()));
            planted.push(log(json!([text])));
        }
        for list in lists {
            planted.push(http("SecurityRuleDescription", list.clone()));
            planted.push(log(list));
        }
        planted.push(http("BotTags", json!([format!("{name}:"), word])));
        planted.extend(objects.into_iter().flat_map(|object| [log(json!([object])), log(object)]));
        planted
    }
}

/// Every member of the objects in a record.
fn members(canary: &Canary, values: &[Value], random: &mut Random) -> Vec<Planted> {
    let mut planted = Vec::new();
    for (class, table) in MEMBERS {
        for (name, inner) in table.iter().chain(&[("Novel", FieldClass::Unknown)]) {
            if *inner == FieldClass::Ray && canary.is_hex {
                continue;
            }
            let object = json!({ *name: values[random.below(values.len())] });
            let line = match class {
                FieldClass::Event => json!({ "Event": object }),
                FieldClass::Request => json!({ "Event": { "Request": object } }),
                FieldClass::Response => json!({ "Event": { "Response": object } }),
                FieldClass::Exception => json!({ "Exceptions": [object] }),
                FieldClass::LogLine => json!({ "Logs": [object] }),
                FieldClass::Version => json!({ "ScriptVersion": object }),
                FieldClass::Signals => json!({ "JA4Signals": object }),
                FieldClass::Attributes => json!({ "SpanAttributes": object }),
                FieldClass::SpanPart => json!({ "SpanEvents": [object] }),
                _ => panic!("where do objects of {class:?} stand?"),
            };
            let dataset = match class {
                FieldClass::Signals => Dataset::HttpRequests,
                FieldClass::Attributes | FieldClass::SpanPart => Dataset::Traces,
                _ => Dataset::WorkersTraceEvents,
            };
            planted.push((dataset, format!("{class:?}.{name}"), line.to_string()));
        }
    }
    planted
}
