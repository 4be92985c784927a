//! Starts `local/harness.mjs` and speaks with it and with the Worker.
//!
//! The process group of a harness ends with the test, even where the test panics. Every wait has a limit.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::Agent;

use super::reply::Reply;

/// The token that the Workers of the tests want.
pub(crate) const TOKEN: &str = "a-token-for-tests";
/// How long the runtime may take to do what a test waits for.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is asked.
const STEP: Duration = Duration::from_millis(20);

/// A Worker that runs, and the server that controls it.
pub(crate) struct Harness {
    child: Child,
    /// Takes a new connection for each request: the runtime closes one whose body was not read, or whose answer
    /// took seconds of CPU, and the next request on it would fail.
    agent: Agent,
    /// Keeps its connections, for many quick requests.
    keeping: Agent,
    /// Where the Worker answers.
    pub worker: String,
    control: String,
}

/// What the Worker did with a batch of messages.
pub(crate) struct Parsed {
    /// Whether each message was acked.
    pub acked: Vec<bool>,
    /// The delay that each message was given.
    pub retry_s: Vec<Option<u64>>,
    /// The log line of each message.
    pub messages: Vec<Value>,
    /// The log line of the batch.
    pub batch: Value,
}

impl Harness {
    /// A Worker in memory, with the token of the tests.
    pub(crate) fn start() -> Self {
        Self::with(json!({}))
    }

    /// A Worker in memory that delivers to a partner.
    pub(crate) fn with_partner() -> Self {
        Self::with(json!({ "partner": true }))
    }

    /// A Worker with options of `harness.mjs`; the token of the tests is set unless there are settings.
    pub(crate) fn with(mut options: Value) -> Self {
        if options["settings"].is_null() {
            options["settings"] =
                json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "API_RATE_PER_MINUTE": "0" });
        }
        let root = env!("CARGO_MANIFEST_DIR");
        let mut child = Command::new("node")
            .args([&format!("{root}/local/harness.mjs"), &options.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("node starts: scripts/setup says what is missing");
        let mut line = String::new();
        let said = BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line);
        let config = || Agent::config_builder().http_status_as_error(false);
        let (agent, keeping) = (config().max_idle_connections(0).build().new_agent(), config().build().new_agent());
        let mut harness = Self { child, agent, keeping, worker: String::new(), control: String::new() };
        said.unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the harness says where it is");
        assert!(ready["error"].is_null(), "{}", ready["error"].as_str().unwrap_or_default());
        harness.move_to(&ready);
        harness
    }

    fn move_to(&mut self, addresses: &Value) {
        let address = |name: &str| addresses[name].as_str().unwrap().to_owned();
        (self.worker, self.control) = (address("worker"), address("control"));
    }

    /// Ends the runtime and starts it on the same state.
    pub(crate) fn restart(&mut self) {
        let addresses = self.ask("POST", "/restart", &[]).json();
        self.move_to(&addresses);
    }

    /// Ends the runtime and starts it on the same state, which must be a folder, with these settings changed.
    pub(crate) fn redeploy(&mut self, settings: &Value) {
        let addresses = self.ask("POST", "/restart", settings.to_string().as_bytes()).json();
        self.move_to(&addresses);
    }

    /// Ends the runtime as a crash does and starts it on the same state, which must be a folder.
    pub(crate) fn kill(&mut self) {
        let addresses = self.ask("POST", "/kill", &[]).json();
        self.move_to(&addresses);
    }

    /// Fires the first cron trigger: the runtime's own answer.
    pub(crate) fn scheduled(&self) -> Value {
        self.ask("POST", "/scheduled", &[]).json()
    }

    /// Fires this cron trigger.
    pub(crate) fn cron(&self, cron: &str) {
        let answer = self.ask("POST", &format!("/scheduled?cron={}", cron.replace(' ', "+")), &[]).json();
        assert_eq!(answer["outcome"], "ok", "{answer}");
    }

    /// What the partner counted of its own.
    pub(crate) fn partner(&self) -> Value {
        self.ask("GET", "/partner", &[]).json()
    }

    /// How often the partner stored each `request_id`, and what it stored twice.
    pub(crate) fn partner_lines(&self) -> Value {
        self.ask("GET", "/partner/lines", &[]).json()
    }

    /// Has the partner misbehave by this plan (`local/partner-plan.mjs`).
    pub(crate) fn behave(&self, plan: &Value) {
        self.ask("POST", "/partner/behave", plan.to_string().as_bytes());
    }

    /// `GET` with the token.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[("authorization", &format!("Bearer {TOKEN}"))])
    }

    /// `GET` with these headers alone.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, &[])
    }

    /// `POST` with the token.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Reply {
        self.send("POST", path, &[("authorization", &format!("Bearer {TOKEN}"))], body)
    }

    /// Any request to the Worker.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.request(&format!("{}{path}", self.worker), method, headers, body)
    }

    /// The stored lines of a ray.
    pub(crate) fn native(&self, dataset: &str, ray: &str) -> Reply {
        self.get(&format!("/v1/rays/{ray}?format=native&dataset={dataset}"))
    }

    /// The same over a connection that is kept.
    pub(crate) fn native_again(&self, dataset: &str, ray: &str) -> Reply {
        let url = format!("{}/v1/rays/{ray}?format=native&dataset={dataset}", self.worker);
        Reply::of(self.keeping.get(url).header("authorization", format!("Bearer {TOKEN}")).call())
    }

    /// A request to the control server, which must do it.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let reply = self.request(&format!("{}{path}", self.control), method, &[], body);
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        reply
    }

    fn request(&self, url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(match method {
            "GET" | "HEAD" | "DELETE" => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(body).unwrap()),
        })
    }

    /// Puts an object into the bucket; the answer is what `event` and `announce` want.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> Value {
        self.ask("PUT", &format!("/objects/{key}"), bytes).json()
    }

    /// The bytes of an object.
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        let reply = self.ask("GET", &format!("/objects/{key}"), &[]);
        (reply.header("content-type") == "application/octet-stream").then_some(reply.body)
    }

    /// Removes an object.
    pub(crate) fn remove(&self, key: &str) {
        self.ask("DELETE", &format!("/objects/{key}"), &[]);
    }

    /// The objects whose key begins so.
    pub(crate) fn list(&self, prefix: &str) -> Vec<Value> {
        let list = self.ask("GET", &format!("/objects?prefix={prefix}"), &[]).json();
        list.as_array().unwrap().clone()
    }

    /// The objects of the data bucket.
    pub(crate) fn list_data(&self) -> Vec<Value> {
        self.ask("GET", "/objects?bucket=data", &[]).json().as_array().unwrap().clone()
    }

    /// What the Worker answers to `GET` with 200, as JSON.
    pub(crate) fn read(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// Has the Worker do an operation, for a reason.
    pub(crate) fn operate(&self, path: &str) -> Value {
        let reply = self.post(path, br#"{"reason":"a test wants it"}"#);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// Has the partner tried now.
    pub(crate) fn try_partner(&self) -> Value {
        let reply = self.post("/v1/partner/try", b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Sends the notification of an object through the queue.
    pub(crate) fn announce(&self, object: &Value) {
        self.ask("POST", "/announce", object.to_string().as_bytes());
    }

    /// Sends a message through the queue.
    pub(crate) fn enqueue(&self, body: &Value) {
        self.enqueue_as("json", body);
    }

    /// Sends a message of this content type through the queue.
    pub(crate) fn enqueue_as(&self, content_type: &str, body: &Value) {
        self.ask("POST", &format!("/enqueue?type={content_type}"), body.to_string().as_bytes());
    }

    /// Has calls of the bucket fail: each fault is used up by the first call it fits.
    pub(crate) fn faults(&self, faults: &Value) {
        self.ask("POST", "/faults", faults.to_string().as_bytes());
    }

    /// The calls of the bucket, where it is `faulty`.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.ask("GET", "/calls", &[]).json().as_array().unwrap().clone()
    }

    /// Hands over a batch of messages at once: the runtime's own answer.
    pub(crate) fn dispatch(&self, queue: &str, bodies: &[Value]) -> Value {
        self.ask("POST", &format!("/dispatch/{queue}"), Value::from(bodies).to_string().as_bytes()).json()
    }

    /// Hands over a batch of messages of parse-queue, and reads what the Worker says of it.
    pub(crate) fn parse(&self, bodies: &[Value]) -> Parsed {
        let from = self.log().len();
        let answer = self.dispatch("parse-queue", bodies);
        assert_eq!((&answer["outcome"], &answer["retryAll"]), (&"ok".into(), &false.into()), "{answer}");
        let verdicts = answer["verdicts"].as_array().unwrap();
        let batch = self.wait_for("the line of the batch", || {
            self.log().split_off(from).into_iter().find(|line| line["event"] == "parse_batch")
        });
        let lines = self.log().split_off(from);
        Parsed {
            acked: verdicts.iter().map(|verdict| verdict["acked"] == true).collect(),
            retry_s: verdicts.iter().map(|verdict| verdict["retryS"].as_u64()).collect(),
            messages: lines.into_iter().filter(|line| line["event"] == "parse_message").collect(),
            batch,
        }
    }

    /// Puts an object and hands over its message: the log line of what became of it. The message must be acked.
    pub(crate) fn index(&self, key: &str, bytes: &[u8]) -> Value {
        let mut parsed = self.parse(&[event(&self.put(key, bytes))]);
        assert_eq!(parsed.acked, [true], "{:?}", parsed.messages);
        parsed.messages.remove(0)
    }

    /// Everything that was logged.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.ask("GET", "/log", &[]).json().as_array().unwrap().clone()
    }

    /// The lines of the log about this.
    pub(crate) fn said(&self, event: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Waits until `look` finds something.
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        self.wait_within(PATIENCE, STEP, what, look)
    }

    /// Waits until `look`, which is called every `step`, finds something, for `patience` at most.
    pub(crate) fn wait_within<T>(
        &self,
        patience: Duration,
        step: Duration,
        what: &str,
        look: impl Fn() -> Option<T>,
    ) -> T {
        for _ in 0..patience.as_millis() / step.as_millis() {
            if let Some(found) = look() {
                return found;
            }
            sleep(step);
        }
        panic!("{what}: nothing in {patience:?}; the log ends with {:#?}", self.log().last());
    }

    /// Waits until messages about all these keys were settled; says their log lines.
    pub(crate) fn wait_for_verdicts(&self, keys: &[&str]) -> Vec<Value> {
        self.wait_for("verdicts", || {
            let log = self.log();
            let line = |key: &&str| log.iter().find(|line| line["event"] == "parse_message" && line["key"] == **key);
            keys.iter().map(line).map(Option::<&Value>::cloned).collect()
        })
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _killed = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ended = self.child.wait();
    }
}

/// The notification that R2 sends of an object that was written.
pub(crate) fn event(object: &Value) -> Value {
    event_of("PutObject", object)
}

/// The notification that R2 sends of this action.
pub(crate) fn event_of(action: &str, object: &Value) -> Value {
    json!({
        "account": "local", "action": action, "bucket": "cdn-logs-raw", "eventTime": "2026-03-28T08:42:25.000Z",
        "object": { "key": object["key"], "size": object["size"], "eTag": object["etag"] },
    })
}
