//! `schemas/mcp_tools.json` describes the tools as `schemas/openapi.json` does: the one is made of the other.

use std::fs;
use std::path::Path;

use raydex::limits::{COUNT_FIELDS, COUNT_TOP, MCP_ROWS, MCP_ROWS_DEFAULT, MCP_TOP, MCP_TREE_ROWS};
use raydex::router::{ROUTES, Route, TOOL_ROUTES, ToolName};
use serde_json::{Map, Value, json};

use super::super::document::{Document, escaped, with};

/// The tools as they are served.
const TOOLS: &str = include_str!("../../../../schemas/mcp_tools.json");
const PATH: &str = "schemas/mcp_tools.json";
/// Parts of an answer that a tool's list describes as objects alone, so that it stays short.
const LOOSE: [&str; 5] = ["McpLeftOut", "FieldWarning", "Repetition", "Exclusion", "VerdictEvidence"];
/// Members of an answer that a tool's list has words for.
const DESCRIBED: [&str; 1] = ["page"];

/// The first sentence of a description.
fn first_sentence(words: &str) -> String {
    format!("{}.", words.split(". ").next().unwrap_or_default().trim_end_matches('.'))
}

/// A schema without words, whose references lead to `definitions`.
fn bare(document: &Document, schema: &Value, definitions: &mut Map<String, Value>) -> Value {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let name = reference.rsplit('/').next().unwrap();
                if LOOSE.contains(&name) {
                    return json!({ "type": "object" });
                }
                if !definitions.contains_key(name) {
                    definitions.insert(name.to_owned(), Value::Null);
                    let named = document.at(&format!("/components/schemas/{name}")).unwrap().0.clone();
                    let found = bare(document, &named, definitions);
                    definitions.insert(name.to_owned(), found);
                }
                return json!({ "$ref": format!("#/$defs/{name}") });
            }
            let is_words = |name: &str, value: &Value| {
                matches!(name, "example" | "examples") || name == "description" && value.is_string()
            };
            let kept = members.iter().filter(|(name, value)| !is_words(name, value));
            kept.map(|(name, value)| (name.clone(), bare(document, value, definitions))).collect()
        }
        Value::Array(schemas) => schemas.iter().map(|schema| bare(document, schema, definitions)).collect(),
        other => other.clone(),
    }
}

/// The schema of what a tool takes.
fn input(document: &Document, tool: &Value) -> Value {
    let path = escaped(tool["route"].as_str().unwrap());
    let parameters = document.root.pointer(&format!("/paths/{path}/get/parameters")).unwrap().as_array().unwrap();
    let parameter = |name: &str| {
        let name = if name == "reason" { "raydex-reason" } else { name };
        let mut of_route =
            (0..parameters.len()).map(|place| document.at(&format!("/paths/{path}/get/parameters/{place}")).unwrap().0);
        of_route.find(|parameter| parameter["name"] == name).unwrap_or_else(|| panic!("{path} {name}")).clone()
    };
    let property = |(name, own): (&String, &Value)| {
        let parameter = parameter(name);
        let mut schema = own.get("schema").unwrap_or(&parameter["schema"]).clone();
        let words = own.get("description").map(|words| words.as_str().unwrap().to_owned());
        let words = words.unwrap_or_else(|| first_sentence(parameter["description"].as_str().unwrap()));
        schema["description"] = words.into();
        (name.clone(), schema)
    };
    let properties: Map<String, Value> = tool["arguments"].as_object().unwrap().iter().map(property).collect();
    json!({
        "type": "object", "properties": properties, "required": tool["required"], "additionalProperties": false,
    })
}

/// The schema of what a tool answers.
fn output(document: &Document, tool: &Value) -> Value {
    let name = tool["result"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let schema = document.at(&format!("/components/schemas/{name}")).unwrap().0.clone();
    let mut definitions = Map::new();
    let mut found = bare(document, &schema, &mut definitions);
    for name in DESCRIBED {
        let words = &schema["properties"][name]["description"];
        if let Some(words) = words.as_str() {
            found["properties"][name]["description"] = first_sentence(words).into();
        }
    }
    if !definitions.is_empty() {
        found["$defs"] = definitions.into();
    }
    found
}

/// The list of the tools, as the document describes them.
fn described() -> Vec<Value> {
    with(|document| {
        let tools = document.root.pointer("/paths/~1mcp/post/x-raydex-tools").unwrap().as_array().unwrap();
        let tool = |tool: &Value| {
            json!({
                "name": tool["name"], "title": tool["title"], "description": tool["description"],
                "annotations": { "readOnlyHint": true, "openWorldHint": false },
                "inputSchema": input(document, tool), "outputSchema": output(document, tool),
            })
        };
        tools.iter().map(tool).collect()
    })
}

pub(super) fn served() -> Vec<Value> {
    serde_json::from_str(TOOLS).unwrap()
}

#[test]
fn tools_are_those_of_the_openapi_document() {
    assert_eq!(served(), described(), "cargo test --test it -- --ignored mcp_tools_are_written_anew");
}

#[test]
#[ignore = "writes the file"]
fn mcp_tools_are_written_anew() {
    let lines: Vec<String> = described().iter().map(Value::to_string).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    fs::write(path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}

#[test]
fn tools_take_the_arguments_that_are_described() {
    let served = served();
    assert_eq!(served.len(), ToolName::ALL.len());
    for (tool, described) in ToolName::ALL.into_iter().zip(&served) {
        assert_eq!(described["name"], tool.name());
        let mut names: Vec<&str> = tool.arguments().collect();
        names.sort_unstable();
        let described: Vec<&String> = described["inputSchema"]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(described, names, "{}", tool.name());
    }
}

#[test]
fn tool_routes_are_rows_of_the_api() {
    assert_eq!(TOOL_ROUTES.len(), ToolName::ALL.len());
    for (row, tool) in TOOL_ROUTES.iter().zip(ToolName::ALL) {
        assert_eq!(row.route, Route::Tool(tool));
        let of_api = ROUTES.iter().find(|api| api.name() == row.name()).unwrap();
        assert_eq!((row.scopes, row.audited), (of_api.scopes, of_api.audited));
        assert!(row.parameters.iter().all(|name| of_api.parameters.contains(name)), "{}", tool.name());
        let read: Vec<&str> = tool.arguments().filter(|name| !matches!(*name, "ray" | "reason")).collect();
        assert_eq!(row.parameters, read, "{}", tool.name());
    }
}

#[test]
fn bounds_of_tools_are_those_of_the_limits() {
    let served = served();
    let property = |tool: usize, name: &str| served[tool]["inputSchema"]["properties"][name].clone();
    assert_eq!(property(0, "limit")["maximum"], MCP_TREE_ROWS);
    assert_eq!(
        (&property(3, "limit")["maximum"], &property(3, "limit")["default"]),
        (&MCP_ROWS.into(), &MCP_ROWS_DEFAULT.into())
    );
    assert_eq!((&property(4, "top")["maximum"], &property(4, "top")["default"]), (&COUNT_TOP.into(), &MCP_TOP.into()));
    assert_eq!(property(4, "by")["maxItems"], COUNT_FIELDS);
}
