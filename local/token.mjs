// Maintains a file of API_TOKENS entries, which contains hashes and never a token; or, with --url, the tokens that a
// deployment keeps itself.
//
// A token is printed once, when it is created, and stored nowhere. The file is readable by its owner only and is written
// completely or not at all, and only if the Worker accepts its content. The token that authorizes the commands on a
// deployment comes from the environment alone, since other users of a machine see arguments.

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
const MEMBERS = ["id", "sha256", "scopes", "role", "zones", "datasets", "scans", "daily_budget", "expires"];
/** Maximum of `scans`: the searches of a token that an isolate runs at a time. */
const SCANS_MAX = 64;
/** Maximum of `daily_budget`: dollars that a token may cost in a day. */
const BUDGET_MAX = 1_000_000;
const DAY_MS = 24 * 3600 * 1000;
/** Maximum size of a setting on the platform, in bytes. */
const SETTING_MAX = 5 * 1024;

/** The environment variable with the token for the commands on a deployment. */
const CREDENTIAL = "RAYDEX_TOKEN";
/** What begins the text of a token. */
const PREFIX = "rdx_";
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Digits for 256 random bits, and for the checksum. */
const RANDOM_DIGITS = 43;
const CHECK_DIGITS = 6;

const HELP = `Usage: scripts/token COMMAND [options]

  make --id ID --scopes read[,ingest,deliver,admin] --role viewer|support|forensics
       [--zones a.example,b.example] [--datasets http_requests,...] [--scans 2] [--days 90]
       [--daily-budget 2.50]
                                create a token, print it once and store its hash in the file;
                                an isolate runs as many of its searches at a time as --scans says;
                                it is refused for the rest of a day on which it cost --daily-budget dollars
  list                          list the tokens in the file
  revoke --id ID [--all-but-newest]
                                remove the tokens of an ID from the file
  check                         check whether the Worker accepts the file
  help                          show this help

  --file PATH                   the token file (default: tokens.json in the project folder)

With --url, make, list and revoke work on a deployment: its own tokens, which take effect at once.
The environment variable ${CREDENTIAL} has a token with the scope admin.

  --url URL                     the deployment, such as https://raydex.example.workers.dev
  --reason TEXT                 why a token is revoked, for the audit log`;

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
    scans: (value) => value === undefined || (Number.isInteger(value) && value >= 1 && value <= SCANS_MAX),
    daily_budget: (value) => value === undefined || (/^\d+([.]\d{1,9})?$/.test(value) && Number(value) <= BUDGET_MAX),
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

/** A number with this many digits. */
function digits(number, count) {
  let text = "";
  for (let rest = number; text.length < count; rest /= 62n) text = DIGITS[Number(rest % 62n)] + text;
  return text;
}

/** The text of a token from its random bytes: src/access/secret.rs has the same form. */
export function secret(bytes) {
  const body = PREFIX + digits(BigInt(`0x${bytes.toString("hex")}`), RANDOM_DIGITS);
  const check = createHash("sha256").update(body).digest().readUInt32BE(0);
  return body + digits(BigInt(check), CHECK_DIGITS);
}

function make(options, entries, now) {
  const days = Number(options.days ?? 90);
  if (!(days > 0 && days <= 3650)) throw new Refused("--days must be a number greater than 0 and at most 3650");
  const token = secret(randomBytes(32));
  const entry = {
    id: options.id,
    sha256: createHash("sha256").update(token).digest("hex"),
    scopes: list(options.scopes),
    role: options.role,
    zones: list(options.zones),
    datasets: list(options.datasets),
    scans: options.scans === undefined ? undefined : Number(options.scans),
    daily_budget: options["daily-budget"],
    expires: new Date(now + days * DAY_MS).toISOString(),
  };
  write(options.file, [...entries, entry]);
  return [token, `This is the only time that the token is shown; ${options.file} stores its hash. It expires at ${entry.expires}.`, next(options.file)];
}

/** When an entry ends, in words. */
function end(expires, now) {
  if (!expires) return "never expires";
  return Date.parse(expires) <= now ? "EXPIRED" : `expires ${expires}`;
}

/** What an entry shows alone, in words. */
const only = (entry) => [...(entry.zones ?? []), ...(entry.datasets ?? [])].join(",") || "everything";

function show(options, entries, now) {
  const row = (entry) =>
    [entry.id, entry.sha256.slice(0, 8), entry.scopes.join(","), entry.role, only(entry), end(entry.expires, now)].join("\t");
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

/** What a deployment answers; a refusal is an error with its words. */
async function ask(options, method, path, body) {
  const token = process.env[CREDENTIAL];
  if (!token) throw new Refused(`set ${CREDENTIAL} to a token of the deployment with the scope admin`);
  const url = new URL(path, options.url);
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !isLocal) throw new Refused("--url must begin with https://");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  // A redirect would take the token elsewhere.
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body), redirect: "error" });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Refused([`${response.status} ${answer.code ?? ""}`.trim(), answer.detail, answer.hint].filter(Boolean).join(" "));
}

const remote = {
  async make(options) {
    const { id, role } = options;
    const [days, scans] = [options.days, options.scans].map((number) => (number === undefined ? undefined : Number(number)));
    const [zones, datasets] = [list(options.zones), list(options.datasets)];
    const body = { id, scopes: list(options.scopes), role, zones, datasets, scans, daily_budget: options["daily-budget"], days };
    const made = await ask(options, "POST", "/v1/tokens", body);
    return [made.token, `This is the only time that the token is shown. It is valid now, and expires at ${made.expires_at}.`];
  },

  async list(options, now) {
    const rows = [];
    let settings = [];
    for (let after = "", more = true; more; ) {
      const page = await ask(options, "GET", `/v1/tokens?limit=100${after && `&after=${encodeURIComponent(after)}`}`);
      ({ settings } = page);
      const ends = (one) => (one.revoked_at ? `revoked ${one.revoked_at} by ${one.revoked_by}` : end(one.expires_at, now));
      const made = (one) => `made ${one.created_at} by ${one.created_by}`;
      rows.push(...page.tokens.map((one) => [one.id, one.scopes.join(","), one.role, only(one), made(one), ends(one)].join("\t")));
      more = page.truncated && page.tokens.length > 0;
      after = page.tokens.at(-1)?.id ?? "";
    }
    const ofSettings = settings.map((one) => [one.id, one.scopes.join(","), one.role, only(one), "in the settings", end(one.expires_at, now)].join("\t"));
    return [[...ofSettings, ...rows].join("\n"), `${rows.length} tokens of ${options.url}, and ${settings.length} in its settings`];
  },

  async revoke(options) {
    if (options["all-but-newest"]) throw new Refused("--all-but-newest is for the file: each token of a deployment has its own ID");
    const body = { reason: options.reason ?? "revoked by scripts/token" };
    const ended = await ask(options, "POST", `/v1/tokens/${encodeURIComponent(options.id ?? "")}/revoke`, body);
    return ["", `Revoked ${ended.id}: no request with it is admitted from now on.`];
  },
};

async function main(args) {
  const strings = ["id", "scopes", "role", "zones", "datasets", "scans", "daily-budget", "days", "file", "url", "reason"];
  const options = Object.fromEntries(strings.map((name) => [name, { type: "string" }]));
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { ...options, "all-but-newest": { type: "boolean" } } });
  const commands = { make, list: show, revoke, check };
  const [command] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(commands, command)) {
    return command === "help" ? [HELP] : (() => { throw new Refused("specify one command: make, list, revoke or check. See scripts/token help."); })();
  }
  if (values.url !== undefined) {
    if (!Object.hasOwn(remote, command) || values.file !== undefined) throw new Refused("--url goes with make, list and revoke, and without --file");
    return remote[command](values, Date.now());
  }
  const file = values.file ?? FILE;
  const entries = read(file);
  if (command !== "check" && faults(entries).length > 0) throw new Refused(`${file} is invalid; run scripts/token check for details`);
  return commands[command]({ ...values, file }, entries, Date.now());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    // Only the token goes to the standard output, so that it can be piped.
    const [said, ...notes] = await main(process.argv.slice(2));
    if (said) console.log(said);
    for (const note of notes) console.error(note);
  } catch (error) {
    console.error(`scripts/token: ${error.message}`);
    process.exitCode = 1;
  }
}
