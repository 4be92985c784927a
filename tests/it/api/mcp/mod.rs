//! The door for assistants: the protocol, the tools, and what each answer holds to.

mod protocol;
mod stories;
mod tools;

use std::cell::RefCell;
use std::collections::BTreeMap;

use boon::{Compiler, Schemas};
use raydex::config::Config;
use raydex::limits::MCP_ANSWER;
use raydex::router::ToolName;
use serde_json::{Value, json};

use super::support::Fakes;
use super::support::world::config;
use super::{Ask, Reply, header, json as body};

/// The host that requests are for.
const HOST: &str = "logs.example";

/// A message with these parameters.
pub(crate) fn message(method: &str, params: &Value) -> Ask {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into_bytes();
    Ask { body, ..Ask::new("POST", "/mcp") }.with_header("host", HOST).with_header("content-type", "application/json")
}

/// A call of a tool.
pub(crate) fn call(tool: &str, arguments: &Value) -> Ask {
    message("tools/call", &json!({ "name": tool, "arguments": arguments }))
}

/// A reply that every answer to a message must be like, as JSON.
fn answer(reply: &Reply) -> Value {
    assert!(reply.body.len() <= MCP_ANSWER, "{} bytes", reply.body.len());
    assert_eq!(header(reply, "content-type"), Some("application/json"), "{}", String::from_utf8_lossy(&reply.body));
    let answer = body(reply);
    assert_eq!(answer["jsonrpc"], "2.0");
    answer
}

/// What a tool found: the same in both forms, and as its schema says.
pub(super) fn found(tool: &str, reply: &Reply) -> Value {
    let answer = answer(reply);
    let result = &answer["result"];
    assert_eq!(result.get("isError"), None, "{answer}");
    let text = result["content"][0]["text"].as_str().unwrap();
    let found = result["structuredContent"].clone();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), found);
    assert_eq!(fits(tool, &found), Ok(()), "{found}");
    found
}

/// What a tool says that found nothing.
fn refusal(reply: &Reply) -> String {
    let answer = answer(reply);
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(answer["result"].get("structuredContent"), None);
    answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

/// What the owner of the main token is answered.
fn ask(fakes: &Fakes, ask: Ask) -> Reply {
    ask_of(fakes, ask, &config())
}

fn ask_of(fakes: &Fakes, ask: Ask, config: &Config) -> Reply {
    ask.of_deployment(fakes, &Ok(config.clone()))
}

thread_local! {
    /// The schemas of what tools answer, by the names of the tools.
    static OUTPUTS: RefCell<(BTreeMap<String, boon::SchemaIndex>, Schemas)> = RefCell::new(outputs());
}

fn outputs() -> (BTreeMap<String, boon::SchemaIndex>, Schemas) {
    let (mut compiler, mut schemas, mut found) = (Compiler::new(), Schemas::new(), BTreeMap::new());
    compiler.enable_format_assertions();
    for tool in tools::served() {
        let name = tool["name"].as_str().unwrap().to_owned();
        let place = format!("file:///{name}.json");
        compiler.add_resource(&place, tool["outputSchema"].clone()).unwrap();
        found.insert(name, compiler.compile(&place, &mut schemas).unwrap());
    }
    (found, schemas)
}

/// Whether an answer fits the schema of its tool.
fn fits(tool: &str, found: &Value) -> Result<(), String> {
    OUTPUTS.with_borrow_mut(|(indices, schemas)| {
        schemas.validate(found, indices[tool]).map_err(|error| format!("{error:#}"))
    })
}

/// The names of the tools.
fn names() -> Vec<&'static str> {
    ToolName::ALL.map(ToolName::name).to_vec()
}
