// The settings that --tokens and --set of scripts/run add to those that it makes itself.
//
// `node local/settings.mjs [--tokens FILE] [--set=NAME=VALUE]…` checks names and files before anything is built: exit code
// 2 and a message if something is wrong. Values are checked by the Worker, which names what is wrong in /healthz.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Trouble } from "./sample.mjs";
import { faults } from "./token.mjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const DESCRIBED = JSON.parse(fs.readFileSync(path.join(ROOT, "schemas/config.json"), "utf8")).settings;
/** Settings that have an option, because scripts/run itself needs to know them. */
const BY_OPTION = {
  API_TOKEN_SHA256: "--token",
  PARTNER_ENDPOINT: "--partner",
  PARTNER_URI: "--partner-uri",
  PARTNER_PRIVATE_KEY: "--partner-key",
};

/** The options of parseArgs for both. */
export const OPTIONS = { tokens: { type: "string" }, set: { type: "string", multiple: true } };

/** The settings that the options give, by name. Throws a Trouble. */
export function settingsOf({ tokens, set = [] }) {
  const settings = {};
  if (tokens !== undefined) settings.API_TOKENS = JSON.stringify(tokensIn(tokens));
  for (const pair of set) {
    const [name] = pair.split("=", 1);
    if (!pair.includes("=")) throw new Trouble(`--set takes NAME=VALUE, not ${JSON.stringify(pair)}`);
    const described = DESCRIBED.find((setting) => setting.name === name);
    if (!described) throw new Trouble(`--set: there is no setting ${JSON.stringify(name)}`, `use one of ${names()}`);
    const option = BY_OPTION[described.name];
    if (option) throw new Trouble(`--set: ${name} has an option of its own`, `use ${option}`);
    if (Object.hasOwn(settings, name)) throw new Trouble(`${name} is given twice`, "give each setting once");
    settings[name] = pair.slice(name.length + 1);
  }
  return settings;
}

/** The entries of a file as scripts/token writes it. */
export function tokensIn(file) {
  const wrong = (what) => new Trouble(`--tokens ${file} ${what}`, "write it with scripts/token make --file FILE, check it with scripts/token check --file FILE");
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    throw wrong(`cannot be read (${error.code})`);
  }
  let entries;
  try {
    entries = JSON.parse(text);
  } catch {
    throw wrong("is not valid JSON");
  }
  const found = faults(entries);
  if (found.length > 0) throw wrong(`is not a list of tokens: ${found.join("; ")}`);
  return entries;
}

/** Throws a Trouble if the Worker refuses a setting: what is wrong, and what the setting takes. */
export async function checkWithWorker(url) {
  const { status, faults: refused = [] } = await (await fetch(`${url}/healthz`)).json();
  if (status !== "not_configured") return;
  const described = DESCRIBED.filter(({ name }) => refused.some((fault) => fault.split(/[^A-Z0-9_]/, 1)[0] === name));
  const takes = described.map(({ name, description }) => `${name}: ${description}`);
  throw new Trouble(`the Worker refuses a setting: ${refused.join("; ")}`, takes.join("\n              ") || undefined);
}

function names() {
  return DESCRIBED.map(({ name }) => name).filter((name) => !BY_OPTION[name]).join(", ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    settingsOf(parseArgs({ options: OPTIONS }).values);
  } catch (error) {
    process.stderr.write(`scripts/run: ${error.message}\n${error.toDo ? `  what to do: ${error.toDo}\n` : ""}`);
    process.exitCode = 2;
  }
}
