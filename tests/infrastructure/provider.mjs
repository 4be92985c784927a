// The schema of Terraform's provider for Cloudflare, as the npm package @cdktf/provider-cloudflare has it: its declarations say which
// arguments a resource has, how they are spelled, which are required, of what type they are, and which values they take.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const LIBRARY = fileURLToPath(new URL("node_modules/@cdktf/provider-cloudflare/lib", import.meta.url));
/** Arguments that Terraform itself has. */
export const META = ["count", "for_each", "depends_on", "lifecycle", "provider"];
/** What is an expression, and so has no value before Terraform runs. */
export const isExpression = (value) => typeof value === "string" && value.includes("${");

/** The version of the provider that the package was made from. */
export function providerVersion() {
  return /providerVersion: '([\d.]+)'/.exec(fs.readFileSync(path.join(LIBRARY, "provider/index.js"), "utf8"))[1];
}

/** The schema of a type of resource: {arguments, attributes}; undefined if there is no such type. */
export function schemaOf(type) {
  const file = path.join(LIBRARY, type.replace(/^cloudflare_/, "").replaceAll("_", "-"), "index.d.ts");
  if (!fs.existsSync(file)) return undefined;
  const text = fs.readFileSync(file, "utf8");
  if (!text.includes(`tfResourceType = "${type}"`)) return undefined;
  const interfaces = new Map();
  for (const [, name, body] of text.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) interfaces.set(name, membersOf(body));
  const root = [...interfaces.keys()].find((name) => new RegExp(`interface ${name} extends cdktf\\.TerraformMetaArguments`).test(text));
  const own = text.slice(text.indexOf("extends cdktf.TerraformResource"));
  const attributes = new Set([...own.matchAll(/^ {4}get (\w+)\(\)/gm)].map(([, name]) => snake(name)));
  return { arguments: nested(interfaces, root), attributes };
}

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The members of an interface: their names as Terraform spells them are the anchors of their documentation. */
function membersOf(body) {
  const members = [];
  for (const [, comment, optional, type] of body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*readonly \w+(\??): ([\s\S]*?);\n/g)) {
    const name = /#(\w+) \w+#\1\}/.exec(comment)[1];
    const values = /Available values: (.*)\./.exec(comment)?.[1];
    members.push({ name, required: optional === "", type: type.replace(" | cdktf.IResolvable", ""), values: values?.match(/"[^"]*"/g).map((value) => JSON.parse(value)) });
  }
  return members;
}

/** The arguments of an interface, with those of its members: {name: {required, kind, list, values, arguments}}. */
function nested(interfaces, name) {
  const entries = interfaces.get(name).map(({ name: argument, required, type, values }) => {
    const list = type.endsWith("[]");
    const kind = list ? type.slice(0, -2) : type;
    const inner = interfaces.has(kind) ? nested(interfaces, kind) : undefined;
    return [argument, { required, list, values, kind: kind.startsWith("{") ? "map" : kind, arguments: inner }];
  });
  return Object.fromEntries(entries);
}

/** What is wrong with the arguments of a resource, or of an object in one. */
export function faultsOf(schema, values, place) {
  const unknown = Object.keys(values).filter((name) => !schema[name]).map((name) => `${place} has no argument ${name}`);
  const missing = Object.keys(schema).filter((name) => schema[name].required && (values[name] ?? undefined) === undefined);
  const inner = Object.entries(values).filter(([name]) => schema[name]).flatMap(([name, value]) => faultsOfValue(schema[name], value, `${place}.${name}`));
  return [...unknown, ...missing.map((name) => `${place} lacks ${name}`), ...inner];
}

function faultsOfValue(argument, value, place) {
  if (value === null) return [];
  if (isExpression(value)) return argument.arguments ? faultsOfExpression(argument.arguments, value, place) : [];
  if (argument.list !== Array.isArray(value)) return [`${place} is ${argument.list ? "a list" : "no list"}`];
  return [value].flat().flatMap((item) => faultsOfItem(argument, item, place));
}

function faultsOfItem(argument, item, place) {
  if (isExpression(item) || argument.kind === "map") return [];
  if (argument.arguments) {
    return typeof item === "object" ? faultsOf(argument.arguments, item, place) : [`${place} is an object`];
  }
  if (typeof item !== argument.kind) return [`${place} is a ${argument.kind}, not ${JSON.stringify(item)}`];
  if (argument.values && !argument.values.includes(item)) return [`${place} is none of ${argument.values.join(", ")}: ${item}`];
  return [];
}

/** What is wrong with the names that an expression gives to members of objects: without running it, no more is known. */
function faultsOfExpression(schema, expression, place) {
  const names = new Set(namesOf(schema));
  return namesIn(expression).filter((name) => !names.has(name)).map((name) => `${place} has no argument ${name}`);
}

function namesOf(schema) {
  return Object.entries(schema).flatMap(([name, { arguments: inner }]) => [name, ...(inner ? namesOf(inner) : [])]);
}

/** The names that an expression gives to members of objects: `{ name = value }`. */
export function namesIn(expression) {
  const bare = expression.replace(/"(?:[^"\\$]|\\.|\$(?!\{))*"/g, '""');
  return [...bare.matchAll(/(?:[{,\n]\s*)([a-z_][a-z0-9_]*)\s*=(?![=>])/g)].map(([, name]) => name);
}
