// The commands of README and docs answer as the documents say. For `node --test`; needs the built Worker and make-batches
// (scripts/build, `cargo build --release --features sample`).
//
// Every fenced block of the language `sh` is run by bash, with TOKEN, RAY, START, END, PAYLOAD, SEGMENT and the variables of
// docs/migrate.md set, against a Worker with sample data. A block of `json` or `ndjson` after it is its answer: the same members with values of the same
// types, and the status of a problem (2xx where it is none). `json top` compares the outermost members alone.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { table } from "../../local/delivery.mjs";
import { ROOT } from "../../local/runtime.mjs";
import { startSample } from "../clients/sample.mjs";
import { processedBodies } from "./usual_worker.mjs";

/** Where scripts/run answers, as the documents have it. */
const DOCUMENTED = "http://127.0.0.1:8787";
/** Commands that a whole script of its own runs: tests/run/first_screen. */
const ELSEWHERE = ["scripts/run"];
/** What fills a segment of the audit log: at most so many requests of so many characters. */
const FILLING = { requests: 2000, at_once: 16, characters: 1600 };

/** The check of a segment by hand needs jq, which a fresh machine may lack. */
const withoutJq = spawnSync("jq", ["--version"]).status !== 0 && "jq is not installed";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-documents-"));
after(() => fs.rmSync(folder, { recursive: true, force: true }));
let world;
let partner;
/** What the partner says: where it is, then of each POST. */
const said = [];
let variables;

before(async () => {
  world = await startSample();
  const { runtime, manifest, env } = world;
  const parked = await firstPayload("parked");
  variables = {
    TOKEN: env.RAYDEX_TOKEN,
    RAYDEX_TOKEN: env.RAYDEX_TOKEN,
    RAYDEX_URL: env.RAYDEX_URL,
    RAY: rayOf(manifest, env),
    START: "2026-03-28T08:00:00Z",
    END: "2026-03-28T09:00:00Z",
    PAYLOAD: parked,
    SEGMENT: path.join(folder, "segment.ndjson.gz"),
    ...(await backlog(manifest, env)),
  };
  fs.writeFileSync(variables.SEGMENT, await firstSegment(runtime));
});
after(() => (partner?.kill(), world?.stop()));

for (const file of ["README.md", ...markdown("docs")]) {
  for (const [command, answer] of commands(file)) {
    const skip = command.text.includes("jq ") && withoutJq;
    test(`${file}:${command.line} ${command.text.split("\n")[0].slice(0, 60)}`, { skip }, () => check(command, answer));
  }
}

test("README shows the table that scripts/run prints", () => {
  const ours = { lines: { delivered: 20000, unaccounted: 0 }, payloads: { delivered: 20 }, posts: { unknown_outcomes: 0 } };
  const printed = table({ ours, theirs: { lines: 20000, batches: 20, duplicate_lines: 0 } });
  assert.ok(fs.readFileSync(path.join(ROOT, "README.md"), "utf8").includes(printed), printed);
});

test("the check of a segment finds the first entry that was changed", { skip: withoutJq }, () => {
  const [command] = commands("docs/audit-log.md").find(([{ text }]) => text.includes("$SEGMENT"));
  const lines = gunzipSync(fs.readFileSync(variables.SEGMENT)).toString().split("\n");
  const entry = JSON.parse(lines[2]);
  const changed = { ...entry, entry: entry.entry.replace('"token"', '"other"') };
  assert.notEqual(changed.entry, entry.entry);
  lines[2] = JSON.stringify(changed);
  const damaged = path.join(folder, "damaged.ndjson.gz");
  fs.writeFileSync(damaged, gzipSync(lines.slice(0, 6).join("\n") + "\n"));
  // The hash that each entry continues from is the one that was computed, so all that follow differ.
  assert.deepEqual(run(command.text, { SEGMENT: damaged }).stdout.trim().split("\n"), ["3", "4", "5", "6"]);
});

test("the lists of a backlog are complete, and its bodies arrive once", async () => {
  const list = (words) => run(commands("docs/migrate.md").find(([{ text }]) => text.includes(words))[0].text).stdout.trim().split("\n");
  const keys = fs.readFileSync(variables.LISTING, "utf8").trim().split("\n");
  assert.deepEqual(list("grep -vxFf"), keys.slice(-1));
  assert.deepEqual(list("while read"), keys.filter((key) => key.includes("unread")));
  while (said.length < 2) await once(partner.stdout, "data");
  assert.deepEqual(said.slice(1), [{ batchId: "", status: 200, stored: true, misbehaved: false }]);
});

/** Runs a command, and compares what it prints with the documented answer. */
function check(command, answer) {
  const { status, stdout, stderr } = run(command.text);
  assert.equal(status, 0, stderr);
  const isCurl = /^curl /m.test(command.text);
  const documented = answer && parsed(answer);
  if (isCurl) {
    const expected = documented?.[0].code ? String(documented[0].status) : "2..";
    assert.match(stderr, new RegExp(`^${expected}$`), stdout);
  }
  if (command.text.includes("$SEGMENT")) assert.equal(stdout, "", "a segment that is whole");
  else assert.notEqual(stdout, "", "it prints nothing");
  if (!documented) return;
  const got = parsed({ language: answer.language, text: stdout });
  assert.equal(got.length, documented.length, stdout);
  const depth = answer.flags.includes("top") ? 1 : Infinity;
  documented.forEach((value, line) => assert.deepEqual(shape(got[line], depth), shape(value, depth), stdout));
  // The words of a problem are the documented ones.
  for (const name of documented[0].code ? ["title", "status", "code", "detail", "hint"] : []) {
    assert.equal(got[0][name], documented[0][name]);
  }
}

/** Runs a command as someone would paste it; curl writes the status to standard error. */
function run(text, more = {}) {
  const local = text.replaceAll(DOCUMENTED, world.env.RAYDEX_URL);
  const tokens = local.startsWith("scripts/token ") ? `${local.trim()} --file "$TOKENS"` : local;
  const script = `set -euo pipefail\ncurl() { command curl -w '%{stderr}%{http_code}' "$@"; }\n${tokens}`;
  const env = { ...process.env, ...variables, TOKENS: path.join(folder, "tokens.json"), ...more };
  return spawnSync("bash", ["-c", script], { cwd: ROOT, env, encoding: "utf8", maxBuffer: 1 << 28 });
}

/** What docs/migrate.md takes over: a listing of the bucket, a body, an object; with the settings of a partner of its own. */
async function backlog({ batches }, { RAYDEX_SAMPLE }) {
  // In a process of its own, since this one waits for each command.
  const [uri, secret] = ["/cdn-log/v3", "a-partner-key-for-documents"];
  partner = spawn(process.execPath, [path.join(ROOT, "local/partner.mjs"), "--uri", uri, "--key", secret], { stdio: ["ignore", "pipe", "inherit"] });
  partner.stdout.on("data", (text) => said.push(...String(text).trim().split("\n").map((line) => JSON.parse(line))));
  await once(partner.stdout, "data");
  const { key } = batches.find(({ dataset }) => dataset === "http_requests");
  const object = path.join(RAYDEX_SAMPLE, key);
  const [{ text }] = processedBodies(key, fs.readFileSync(object));
  const folders = ["logs/20260328/20260328T080000Z_20260328T080030Z_", "processed/logs_20260328_20260328T080000Z_20260328T080030Z_"];
  const logs = ["sent", "unread1", "part", "unread2"].map((name) => `${folders[0]}${name}.log.gz`);
  const bodies = ["sent_log_gz-0.txt", "sent_log_gz-0.txt.done", "part_log_gz-0.txt.done", "part_log_gz-1.txt"].map((name) => folders[1] + name);
  fs.writeFileSync(path.join(folder, "LISTING"), [...logs, ...bodies, ""].join("\n"));
  fs.writeFileSync(path.join(folder, "BODY"), text);
  const files = Object.fromEntries(["LISTING", "BODY"].map((name) => [name, path.join(folder, name)]));
  const settings = { PARTNER_ENDPOINT: new URL(said[0].ready).origin, PARTNER_URI: uri, PARTNER_PRIVATE_KEY: secret };
  return { ...settings, ...files, OBJECT: object, LINES: "20" };
}

/** The documents of a folder. */
function markdown(from) {
  const names = fs.readdirSync(path.join(ROOT, from), { recursive: true }).filter((name) => name.endsWith(".md"));
  return names.sort().map((name) => path.posix.join(from, name));
}

/** The commands of a document, each with the fenced block that follows it. */
function commands(file) {
  const blocks = [];
  let open;
  for (const [index, line] of fs.readFileSync(path.join(ROOT, file), "utf8").split("\n").entries()) {
    const fence = /^```(\S*) ?(.*)$/.exec(line);
    if (fence && !open) open = { language: fence[1], flags: fence[2].split(" "), line: index + 2, text: "", prose: "" };
    else if (fence) open = void blocks.push(open);
    else if (open) open.text += `${line}\n`;
    else if (line.trim() && blocks.length) blocks.at(-1).prose += line;
  }
  const isAnswer = (block, before) => before.prose === "" && ["json", "ndjson"].includes(block?.language);
  return blocks
    .map((block, at) => [block, isAnswer(blocks[at + 1], block) ? blocks[at + 1] : undefined])
    .filter(([{ language, text }]) => language === "sh" && !ELSEWHERE.includes(text.trim()));
}

/** The documents of JSON in a text, one a line for NDJSON. */
function parsed({ language, text }) {
  return language === "ndjson" ? text.trim().split("\n").map((line) => JSON.parse(line)) : [JSON.parse(text)];
}

/** What a value looks like: the names of its members, the types of its values; of an array the first one. */
function shape(value, depth) {
  if (value === null || typeof value !== "object") return depth > 0 ? typeof value : "any";
  if (depth <= 0) return "any";
  if (Array.isArray(value)) return value.slice(0, 1).map((item) => shape(item, depth - 1));
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, shape(value[name], depth - 1)]));
}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${world.env.RAYDEX_TOKEN}` };
  return fetch(`${world.env.RAYDEX_URL}${path}`, { ...options, headers });
}

/** A ray of the zone that the deployment names. */
function rayOf({ batches }, { RAYDEX_SAMPLE, RAYDEX_ZONE_NAME }) {
  const { key } = batches.find(({ dataset }) => dataset === "http_requests");
  const lines = gunzipSync(fs.readFileSync(path.join(RAYDEX_SAMPLE, key))).toString().split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line)).find(({ ZoneName }) => ZoneName === RAYDEX_ZONE_NAME).RayID;
}

/** The handle of the first payload in this state, once there is one. */
async function firstPayload(state) {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const { batches } = await (await ask("/v1/batches")).json();
    for (const { id } of batches) {
      const { payloads } = await (await ask(`/v1/batches/${id}`)).json();
      const found = payloads.find((payload) => payload.state === state);
      if (found) return found.id;
    }
  }
  throw new Error(`no payload is ${state}`);
}

/** The first segment of the audit log, which is filled with requests for a payload that there is not. */
async function firstSegment(runtime) {
  const body = JSON.stringify({ reason: "\u0001".repeat(FILLING.characters) });
  const prefix = "raydex/audit/";
  for (let sent = 0; sent < FILLING.requests; sent += FILLING.at_once) {
    const some = Array.from({ length: FILLING.at_once }, () => ask("/v1/payloads/none/drop", { method: "POST", body }));
    for (const reply of await Promise.all(some)) await reply.arrayBuffer();
    const [first] = await runtime.list(prefix);
    if (first) return runtime.get(first.key);
  }
  throw new Error(`no segment under ${prefix} after ${FILLING.requests} requests`);
}
