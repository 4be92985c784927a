// Maintains a file of API_TOKENS entries, which contains hashes and never a token.
//
// A token is printed once, when it is created, and stored nowhere. The file is readable by its owner only and is written
// completely or not at all, and only if the Worker accepts its content.

import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FILE = path.join(ROOT, "tokens.json");
const SCOPES = ["read", "ingest", "deliver", "admin"];
const ROLES = ["viewer", "support", "forensics"];
const DATASETS = Array.from(
  fs.readFileSync(path.join(ROOT, "schemas/datasets.toml"), "utf8").matchAll(/^\[([a-z0-9_]+)\]$/gm),
  ([, name]) => name,
);
const MEMBERS = ["id", "sha256", "scopes", "role", "zones", "datasets", "expires"];
const DAY_MS = 24 * 3600 * 1000;
/** Maximum size of a setting on the platform, in bytes. */
const SETTING_MAX = 5 * 1024;

const HELP = `Usage: scripts/token COMMAND [options]

  make --id ID --scopes read[,ingest,deliver,admin] --role viewer|support|forensics
       [--zones a.example,b.example] [--datasets http_requests,...] [--days 90]
                                create a token, print it once and store its hash in the file
  list                          list the tokens in the file
  revoke --id ID [--all-but-newest]
                                remove the tokens of an ID from the file
  check                         check whether the Worker accepts the file
  help                          show this help

  --file PATH                   the token file (default: tokens.json in the project folder)`;

class Refused extends Error {}

/** The faults of a list of entries, by the same rules as in the Worker. */
export function faults(entries) {
  if (!Array.isArray(entries)) return ["the value must be a JSON array"];
  const found = entries.flatMap((entry, place) => entryFaults(entry).map((fault) => `entry ${place + 1} ${fault}`));
  entries.forEach((entry, place) => {
    const before = entries.slice(0, place);
    if (before.some((other) => other?.sha256 === entry?.sha256)) found.push(`entry ${place + 1} has the same hash as another entry`);
    if (before.filter((other) => other?.id === entry?.id).length >= 2) found.push(`entry ${place + 1} is the third with its ID; at most two can share an ID`);
  });
  const bytes = Buffer.byteLength(JSON.stringify(entries));
  if (bytes > SETTING_MAX) found.push(`the value has ${bytes} bytes; the platform allows at most ${SETTING_MAX} per setting`);
  return found;
}

function entryFaults(entry) {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return ["must be an object"];
  const all = (names, known) => Array.isArray(names) && names.length > 0 && names.every((name) => known(name));
  const zone = (name) => /^[A-Za-z0-9_-]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_-])?$/.test(name);
  const tests = {
    id: (value) => /^[A-Za-z0-9._-]{1,64}$/.test(value),
    sha256: (value) => /^[0-9a-f]{64}$/.test(value),
    scopes: (value) => all(value, (name) => SCOPES.includes(name)),
    role: (value) => ROLES.includes(value),
    zones: (value) => value === undefined || all(value, zone),
    datasets: (value) => value === undefined || all(value, (name) => DATASETS.includes(name)),
    expires: (value) => value === undefined || (/^\d{4}-\d\d-\d\dT.*Z$/.test(value) && !Number.isNaN(Date.parse(value))),
  };
  const wrong = MEMBERS.filter((member) => !tests[member](entry[member])).map((member) => `has an invalid or missing ${member}`);
  return Object.keys(entry).every((member) => MEMBERS.includes(member)) ? wrong : [...wrong, "has an unknown member"];
}

function read(file) {
  if (!fs.existsSync(file)) return [];
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    throw new Refused(`${file} is not valid JSON`);
  }
}

function write(file, entries) {
  const wrong = faults(entries);
  if (wrong.length > 0) throw new Refused(`the entries would be invalid, so ${file} is unchanged: ${wrong.join("; ")}`);
  fs.writeFileSync(`${file}.new`, `${JSON.stringify(entries)}\n`, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}

const list = (text) => text?.split(",").map((name) => name.trim());
const next = (file) => `Next step: npx wrangler secret put API_TOKENS < ${file}`;

function make(options, entries, now) {
  const days = Number(options.days ?? 90);
  if (!(days > 0 && days <= 3650)) throw new Refused("--days must be a number greater than 0 and at most 3650");
  const token = `rdx_${randomBytes(32).toString("base64url")}`;
  const entry = {
    id: options.id,
    sha256: createHash("sha256").update(token).digest("hex"),
    scopes: list(options.scopes),
    role: options.role,
    zones: list(options.zones),
    datasets: list(options.datasets),
    expires: new Date(now + days * DAY_MS).toISOString(),
  };
  write(options.file, [...entries, entry]);
  return [token, `This is the only time that the token is shown; ${options.file} stores its hash. It expires at ${entry.expires}.`, next(options.file)];
}

function show(options, entries, now) {
  const row = (entry) => {
    const end = entry.expires === undefined ? "never expires" : Date.parse(entry.expires) <= now ? "EXPIRED" : `expires ${entry.expires}`;
    const only = [...(entry.zones ?? []), ...(entry.datasets ?? [])].join(",") || "everything";
    return [entry.id, entry.sha256.slice(0, 8), entry.scopes.join(","), entry.role, only, end].join("\t");
  };
  return [entries.map(row).join("\n"), `${entries.length} tokens in ${options.file}`];
}

function revoke(options, entries) {
  const own = entries.filter((entry) => entry.id === options.id);
  if (own.length === 0) throw new Refused(`no token has the ID ${options.id}`);
  // Entries are in order of creation.
  const kept = options["all-but-newest"] ? own.at(-1) : undefined;
  const rest = entries.filter((entry) => entry.id !== options.id || entry === kept);
  write(options.file, rest);
  const then = rest.length > 0 ? next(options.file) : "Next step: npx wrangler secret delete API_TOKENS";
  return ["", `Removed ${entries.length - rest.length} tokens of ${options.id} from ${options.file}. They remain valid until you update the setting.`, then];
}

function check(options, entries) {
  const wrong = faults(entries);
  if (wrong.length > 0) throw new Refused(`${options.file}: ${wrong.join("; ")}`);
  return ["", `${options.file}: ${entries.length} tokens, all valid.`];
}

function main(args) {
  const strings = ["id", "scopes", "role", "zones", "datasets", "days", "file"];
  const options = Object.fromEntries(strings.map((name) => [name, { type: "string" }]));
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { ...options, "all-but-newest": { type: "boolean" } } });
  const commands = { make, list: show, revoke, check };
  const [command] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(commands, command)) {
    return command === "help" ? [HELP] : (() => { throw new Refused("specify one command: make, list, revoke or check. See scripts/token help."); })();
  }
  const file = values.file ?? FILE;
  const entries = read(file);
  if (command !== "check" && faults(entries).length > 0) throw new Refused(`${file} is invalid; run scripts/token check for details`);
  return commands[command]({ ...values, file }, entries, Date.now());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    // Only the token goes to the standard output, so that it can be piped.
    const [said, ...notes] = main(process.argv.slice(2));
    if (said) console.log(said);
    for (const note of notes) console.error(note);
  } catch (error) {
    console.error(`scripts/token: ${error.message}`);
    process.exitCode = 1;
  }
}
