//! Secrets in every field of every dataset, and everything that a viewer can ask for: nothing of any of them comes out.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::bucket_keys::batch_key;
use raydex::config::Config;
use raydex::mask::{Disclosure, Role, fields, shown};
use raydex::record::Dataset;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::deployment;
use super::mcp::call;
use super::plant::Places;
use super::support::records::ray;
use super::support::world::TOKEN;
use super::support::{Fakes, NOW_MS};
use super::{Ask, Reply, header, problem};
use super::{Canary, Random};

/// How many secrets are planted: few enough for every turn, each in every field.
const SECRETS: usize = 12;
/// How many addresses are planted.
const ADDRESSES: usize = 4;
/// How many in the large form.
const SECRETS_LARGE: usize = 1000;

fn viewer() -> Config {
    deployment(&[json!({
        "id": "v", "sha256": hex::encode(Sha256::digest("viewer")), "scopes": ["read", "deliver", "admin"], "role": "viewer",
    })])
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn ask(fakes: &Fakes, ask: Ask) -> Reply {
    Ask { authorization: Some("Bearer viewer".into()), ..ask }.of_deployment(fakes, &Ok(viewer()))
}

/// A record with a ray, which a planted one may lack.
fn with_ray(dataset: Dataset, line: &str, number: u64) -> Option<String> {
    let mut record: Value = serde_json::from_str(line).ok()?;
    let members = record.as_object_mut()?;
    let id: Value = ray(number).to_string().into();
    if let Some(marker) = dataset.marker() {
        members.entry(marker).or_insert_with(|| "x".into());
    }
    match dataset {
        Dataset::WorkersTraceEvents if members.contains_key("Event") => {
            members.get_mut("Event")?.as_object_mut()?.insert("RayID".into(), id);
        }
        Dataset::WorkersTraceEvents => drop(members.insert("Event".into(), json!({ "RayID": id }))),
        _ => drop(members.insert("RayID".into(), id)),
    }
    Some(record.to_string())
}

/// A batch of each dataset with that secret in every field; how many records there are.
fn store(canary: &Canary, random: &mut Random) -> (Fakes, u64) {
    let fakes = Fakes::new();
    let (mut number, planted) = (0, Places::of(canary, random));
    for dataset in Dataset::WITH_RAY {
        let mut text = String::new();
        for (_, _, line) in planted.iter().filter(|(of, _, _)| *of == dataset) {
            if let Some(line) = with_ray(dataset, line, number) {
                text += &(line + "\n");
                number += 1;
            }
        }
        fakes.index(&batch_key("logs/", dataset, NOW_MS - 60_000, NOW_MS - 30_000, 1), dataset, text.as_bytes());
    }
    (fakes, number)
}

/// Every route that a viewer can ask, and how.
fn everything(rays: u64) -> Vec<Ask> {
    let mut asks = Vec::new();
    let range = "start=2026-03-28T07:00:00Z&end=2026-03-28T09:00:00Z";
    for dataset in Dataset::WITH_RAY {
        for form in ["json", "native", "partner", "csv"] {
            let form = format!("format={form}&dataset={dataset}");
            if form.starts_with("format=partner") && dataset != Dataset::HttpRequests {
                continue;
            }
            asks.push(Ask::get(&format!("/v1/logs?{range}&{form}")));
            asks.extend((0..rays).step_by(29).map(|number| Ask::get(&format!("/v1/rays/{}?{form}", ray(number)))));
        }
        if dataset == Dataset::HttpRequests {
            let explain = |number| Ask::get(&format!("/v1/rays/{}?format=explain", ray(number)));
            asks.extend((0..rays).step_by(7).map(explain));
            asks.extend((0..rays).step_by(29).map(|number| explain(number).accept("text/plain")));
            let archive = |number| Ask::get(&format!("/v1/rays/{}?format=har", ray(number)));
            asks.extend((0..rays).step_by(7).map(archive));
        }
        let diff = |number| format!("/v1/rays/{}/diff/{}?dataset={dataset}", ray(number), ray(number + 1));
        asks.extend((0..rays).step_by(19).map(|number| Ask::get(&diff(number))));
        if matches!(dataset, Dataset::HttpRequests | Dataset::FirewallEvents) {
            for by in ["client", "path", "status"] {
                let near = |number| {
                    let fields =
                        if number % 2 == 0 { "" } else { "&fields=Cookies,ClientRequestURI,Novel,Event,ClientIP" };
                    let path =
                        format!("/v1/rays/{}/neighbours?by={by}&within=60m&dataset={dataset}{fields}", ray(number));
                    Ask::get(&path)
                };
                asks.extend((0..rays).step_by(31).map(near));
            }
        }
        asks.push(Ask::get(&format!(
            "/v1/logs?{range}&dataset={dataset}&fields=Cookies,ClientRequestURI,Novel,Event,Logs"
        )));
        let is_hidden = |name| shown(Role::Viewer, dataset, name) == Disclosure::Hidden;
        let names: Vec<&str> = fields(dataset).iter().map(|(name, _)| *name).filter(|name| !is_hidden(name)).collect();
        let by = names.chunks(2).map(|names| names.join(",")).chain(["Novel".to_owned(), "Cookies".to_owned()]);
        asks.extend(by.map(|by| Ask::get(&format!("/v1/counts?{range}&dataset={dataset}&by={by}&step=1h"))));
        asks.extend(of_assistants(rays, dataset, &names));
        let all: Vec<String> = (0..rays.min(100)).map(|number| ray(number).to_string()).collect();
        let body = json!({ "rays": all }).to_string().into_bytes();
        asks.push(Ask { body, ..Ask::new("POST", &format!("/v1/rays?dataset={dataset}")) });
    }
    let one = ray(3);
    asks.extend(
        [
            format!("/v1/rays/{one}/deliveries"),
            format!("/v1/coverage?{range}"),
            "/v1/stats".into(),
            "/metrics".into(),
            "/v1/batches".into(),
            "/v1/dead-letters".into(),
            "/v1/audit".into(),
            "/v1/backfills".into(),
            format!("/client/v4/zones/z/logs/rayids/{one}?fields=ClientRequestURI,Cookies,RequestHeaders"),
            format!("/client/v4/zones/z/logs/received?{range}"),
            format!("/client/v4/accounts/a/logs/rayids/{one}?bucket=cdn-logs-raw"),
            format!("/client/v4/accounts/a/logs/retrieve?{range}&bucket=cdn-logs-raw&prefix=logs/"),
            format!("/client/v4/accounts/a/logs/list?{range}&bucket=cdn-logs-raw&prefix=logs/"),
        ]
        .iter()
        .map(|path| Ask::get(path)),
    );
    asks
}

/// What an assistant can ask of a dataset, by every tool.
fn of_assistants(rays: u64, dataset: Dataset, names: &[&str]) -> Vec<Ask> {
    let (start, end, dataset) = ("2026-03-28T07:00:00Z", "2026-03-28T09:00:00Z", dataset.name());
    let mut asks = Vec::new();
    for number in (0..rays).step_by(13) {
        let fields = ["Cookies", "ClientRequestURI", "Novel", "Event", "Logs"];
        asks.push(call("ray", &json!({ "ray": ray(number).to_string(), "subrequests": "list" })));
        asks.push(call("ray", &json!({ "ray": ray(number).to_string(), "dataset": dataset, "fields": fields })));
        asks.push(call("deliveries", &json!({ "ray": ray(number).to_string() })));
        asks.push(call("why_not_found", &json!({ "ray": ray(number).to_string(), "dataset": dataset })));
    }
    for names in names.chunks(2) {
        let range = json!({ "start": start, "end": end, "dataset": dataset, "by": names, "top": 100 });
        asks.push(call("counts", &range));
        asks.push(call(
            "search",
            &json!({ "start": start, "end": end, "dataset": dataset, "fields": names, "limit": 20 }),
        ));
    }
    asks
}

fn nothing_of_any_secret_comes_out(secrets: usize, seed: u64, draw: fn(&mut Random) -> Canary) {
    let mut random = Random::new(seed);
    let (mut found, mut answers) = (0, 0);
    for _ in 0..secrets {
        let canary = draw(&mut random);
        let (fakes, rays) = store(&canary, &mut random);
        for asked in everything(rays) {
            let what = format!("{} {}?{}", asked.method, asked.path, asked.query);
            let reply = ask(&fakes, asked);
            assert!(reply.status < 500, "{what}: {}", String::from_utf8_lossy(&reply.body));
            let shown = format!("{}\n{:?}", String::from_utf8_lossy(&reply.body), reply.headers);
            assert!(!canary.is_in(&shown), "{canary:?} in the answer to {what}");
            found += usize::from(reply.status == 200);
            answers += 1;
        }
        // That it is there at all: whoever may see it does.
        let path = "/v1/logs?start=2026-03-28T07:00:00Z&end=2026-03-28T09:00:00Z";
        let raw = Ask { authorization: Some(format!("Bearer {TOKEN}")), ..Ask::get(path) }
            .of_deployment(&fakes, &Ok(viewer()));
        assert!(canary.is_in(std::str::from_utf8(&raw.body).unwrap()), "{canary:?}");
    }
    // A ray is of one dataset, and each is asked of all six.
    assert!(found * 5 > answers, "{found} of {answers}");
}

#[test]
fn viewer_gets_no_secret_by_any_route() {
    nothing_of_any_secret_comes_out(SECRETS, 0x5eed, Canary::draw);
}

#[test]
fn viewer_gets_no_address_by_any_route() {
    nothing_of_any_secret_comes_out(ADDRESSES, 0xadd4, Canary::draw_address);
}

#[test]
#[ignore = "takes minutes"]
fn viewer_gets_none_of_a_thousand_secrets() {
    nothing_of_any_secret_comes_out(SECRETS_LARGE, 0xca11, Canary::draw);
}

/// What the summary of a stream says of batches and records.
fn figures(reply: &Reply) -> Option<Vec<Value>> {
    let last: Value = serde_json::from_str(String::from_utf8_lossy(&reply.body).lines().last()?).ok()?;
    let told = last.get("raydex")?.get("stats")?;
    let names =
        ["batches_skipped", "batches_read", "spans_skipped", "objects_read", "records_scanned", "records_returned"];
    Some(names.map(|name| told[name].clone()).to_vec())
}

#[test]
fn viewers_filters_cannot_tell_secrets_apart() {
    let mut random = Random::new(0xf117);
    let with = |secret: &str| {
        let fakes = Fakes::new();
        let line = json!({
            "RayID": ray(1).to_string(), "ClientRequestURI": format!("/x?token={secret}"),
            "ClientRequestReferer": format!("https://a.example/{secret}"), "ClientRequestUserAgent": format!("app {secret}"),
            "ClientRequestHost": secret, "ClientIP": secret, "Cookies": { "a": secret }, "Novel": secret,
            "RequestHeaders": { "authorization": secret }, "SecurityRuleDescription": secret,
        });
        fakes.index("logs/http_requests/a.log.gz", Dataset::HttpRequests, format!("{line}\n").as_bytes());
        fakes
    };
    let hidden = ["Cookies", "Novel"];
    let fields = [
        "ClientRequestURI",
        "ClientRequestReferer",
        "ClientRequestUserAgent",
        "ClientIP",
        "ClientRequestHost",
        "RequestHeaders",
        "SecurityRuleDescription",
        "Cookies",
        "Novel",
    ];
    let mut refused = 0;
    for _ in 0..20 {
        let secret = Canary::draw(&mut random).text;
        // The guesses are right for one of them alone.
        let (mine, other) = (with(&secret), with(&Canary::draw(&mut random).text));
        for field in fields {
            for (operator, guess) in [
                ("eq", secret.clone()),
                ("startsWith", secret.chars().take(9).collect()),
                ("contains", secret.clone()),
                ("endsWith", secret.chars().skip(3).collect()),
                ("!eq", secret.clone()),
                ("!contains", secret.clone()),
                ("eq", format!("/x?token={secret}")),
                ("in", secret.clone()),
            ] {
                let filter = json!({ "where": { "key": field, "operator": operator, "value": guess } });
                let filter = escaped(&filter.to_string());
                for path in [
                    format!("/v1/logs?start=2026-03-28T08:00:00Z&filter={filter}"),
                    format!("/v1/rays/{}?format=native&filter={filter}", ray(1)),
                ] {
                    let (told, not) = (ask(&mine, Ask::get(&path)), ask(&other, Ask::get(&path)));
                    if hidden.contains(&field) && told.status != 400 {
                        assert_eq!(problem(&told), (403, "field_masked".into()), "{field}");
                        refused += 1;
                    }
                    assert_eq!(told.status, not.status, "{path}");
                    let cost = |reply: &Reply| header(reply, "raydex-cost").map(str::to_owned);
                    let lines = |reply: &Reply| String::from_utf8_lossy(&reply.body).lines().count();
                    assert_eq!(lines(&told), lines(&not), "{field} {operator} {secret}");
                    let read = |cost: Option<String>| cost.and_then(|cost| cost.split(", ").nth(1).map(str::to_owned));
                    assert_eq!(read(cost(&told)), read(cost(&not)), "{field} {operator}");
                    assert_eq!(figures(&told), figures(&not), "{field} {operator} {secret}");
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
