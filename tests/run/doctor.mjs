// scripts/doctor over a double of wrangler and a double of the deployment: what is whole is well, each single thing that is
// taken away is named. Run by `node --test`.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readChoices } from "../../deploy/choices.mjs";
import { configOf, readWranglerToml } from "../../deploy/environment.mjs";
import { ownFindings } from "../../deploy/own_findings.mjs";
import { platformFindings } from "../../deploy/platform_findings.mjs";
import { EMPTY, runDouble } from "./wrangler_double.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOUBLE = path.join(ROOT, "tests/run/wrangler_double.mjs");
const COMMANDS = ["whoami", "deploy", "queues info", "queues create", "queues update", "r2 bucket info", "r2 bucket create", "secret list",
  "r2 bucket notification list", "r2 bucket notification create", "r2 bucket lifecycle list", "r2 bucket lifecycle add", "r2 bucket lifecycle remove"];
const TOKEN = "a-token-that-is-not-printed";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-doctor-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
const file = (name) => path.join(folder, name);
const write = (name, value) => fs.writeFileSync(file(name), JSON.stringify(value));
const flagsOf = (command) => spawnSync(path.join(ROOT, "node_modules/.bin/wrangler"), [...command.split(" "), "--help"], { encoding: "utf8" }).stdout.match(/--[a-z][a-z-]+/g);
const choices = file("choices.json");
const env = (more) => ({ ...process.env, RAYDEX_WRANGLER: DOUBLE, RAYDEX_DOUBLE: folder, RAYDEX_URL: "", RAYDEX_TOKEN: "", ...more });

/** The account of a whole deployment; what the deployment answers; where it answers. */
let whole;
let answer;
let url;
const server = http.createServer((request, response) => {
  assert.equal(request.url, "/healthz?deep=1");
  const isAdmin = request.headers.authorization === `Bearer ${TOKEN}`;
  response.writeHead(isAdmin ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(isAdmin ? answer : { code: "unauthorized", status: 401 }));
});

before(async () => {
  write("flags.json", Object.fromEntries(COMMANDS.map((command) => [command, flagsOf(command)])));
  write("choices.json", { retention_days: 30, data_bucket: "raydex-data" });
  write("secrets.json", { API_TOKEN_SHA256: "0".repeat(64) });
  write("account.json", EMPTY);
  const made = spawnSync(process.execPath, [path.join(ROOT, "deploy/main.mjs"), "--apply", "--choices", choices, "--secrets", file("secrets.json")], { encoding: "utf8", env: env() });
  assert.equal(made.status, 0, made.stderr);
  whole = JSON.parse(fs.readFileSync(file("account.json"), "utf8"));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

/** Examines an account; returns the exit code, what was printed and the findings that are not well. */
async function examine(account = whole, { args = [], token = TOKEN, at = url } = {}) {
  write("account.json", { ...structuredClone(account), calls: [] });
  const child = spawn(process.execPath, [path.join(ROOT, "deploy/doctor.mjs"), "--choices", choices, ...args], { env: env({ RAYDEX_URL: at, RAYDEX_TOKEN: token }) });
  const out = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => out.push(piece));
  const status = await new Promise((ended) => child.on("close", ended));
  const text = Buffer.concat(out).toString();
  assert.ok(!text.includes(TOKEN), "the token is printed");
  const { calls } = JSON.parse(fs.readFileSync(file("account.json"), "utf8"));
  assert.ok(calls.every((call) => ["whoami", "info", "list"].some((word) => call.includes(word))), `something is changed: ${calls}`);
  return { status, text, bad: text.split("\n").filter((line) => /^(unknown|warning|failing)/.test(line)) };
}

/** An address where nothing listens. */
async function closedAddress() {
  const listener = http.createServer();
  await new Promise((ready) => listener.listen(0, "127.0.0.1", ready));
  const { port } = listener.address();
  await new Promise((closed) => listener.close(closed));
  return `http://127.0.0.1:${port}`;
}

const WELL = { status: "ok", checks: [{ name: "settings", status: "ok" }, { name: "canary", dataset: "http_requests", status: "ok", detail: "found: 8 rays were looked up, the slowest in 4 ms" }] };

test("a whole deployment is well", async () => {
  answer = WELL;
  const { status, text, bad } = await examine();
  assert.deepEqual([status, bad], [0, []], text);
  for (const words of ["Bucket cdn-logs-raw", "Consumer of send-dlq", "expire after 30 days", "canary of http_requests: found"]) assert.ok(text.includes(words), words);
});

/** What platformFindings says of an account, without a process for each call. */
async function platformOf(account) {
  const flags = JSON.parse(fs.readFileSync(file("flags.json"), "utf8"));
  const chosen = readChoices(["--choices", choices], ROOT);
  const config = configOf(readWranglerToml(ROOT), "production", chosen.choices, ROOT, ROOT);
  const findings = await platformFindings({ run: async (args) => runDouble(account, flags, args), config, ...chosen });
  return findings.filter(({ state }) => state !== "ok").map(({ state, title }) => `${state} ${title}`);
}

test("each thing that is taken away is named", async () => {
  const worker = (account) => account.workers.raydex;
  const rule = (account) => account.buckets["cdn-logs-raw"].rules;
  const cases = [
    ["failing Bucket raydex-data", (account) => delete account.buckets["raydex-data"]],
    ["failing Queue send-dlq", (account) => delete account.queues["send-dlq"]],
    ["failing Consumer of parse-queue", (account) => (worker(account).config.queues.consumers = worker(account).config.queues.consumers.filter(({ queue }) => queue !== "parse-queue"))],
    ["failing Events of cdn-logs-raw/logs/", (account) => rule(account).splice(0)],
    ["warning Batches of cdn-logs-raw/logs/", (account) => (account.buckets["cdn-logs-raw"].lifecycle[0].action = "Expire objects after 3 days")],
    ["failing Secrets of raydex", (account) => delete worker(account).secrets.API_TOKEN_SHA256],
    ["warning Events of raydex's own objects", (account) => account.buckets["raydex-data"].rules.push({ rule_id: "9", queue_name: "parse-queue", prefix: "(all prefixes)", suffix: "(all suffixes)" })],
  ];
  assert.deepEqual(await platformOf(structuredClone(whole)), []);
  for (const [words, change] of cases) {
    const account = structuredClone(whole);
    change(account);
    const bad = await platformOf(account);
    assert.ok(bad.some((finding) => finding.startsWith(words)), `${words}: ${bad}`);
  }
});

test("a call that fails is no finding", async () => {
  const account = structuredClone({ ...whole, calls: [] });
  await platformOf(account);
  const calls = account.calls.length;
  assert.ok(calls > 12);
  for (let failAt = 1; failAt <= calls; failAt += 1) {
    const bad = await platformOf(structuredClone({ ...whole, calls: [], failAt }));
    assert.ok(bad.length === 1 && bad[0].startsWith("unknown "), `call ${failAt}: ${bad}`);
  }
});

const said = async (at, token) => (await ownFindings(at, token)).map(({ state, title, detail }) => `${state} ${title}: ${detail}`);

test("what the deployment finds fails the examination", async () => {
  answer = { status: "failing", checks: [{ name: "canary", dataset: "dns_logs", status: "failing", detail: "batch_gone: 0 rays\u001b[31m" }, { name: "cron", status: "unknown", detail: "not yet" }] };
  const { status, bad } = await examine();
  assert.deepEqual([status, bad], [1, ["failing  canary of dns_logs: batch_gone: 0 rays [31m", "unknown  cron: not yet"]]);
  answer = { status: "not_configured", faults: ["API_TOKEN_SHA256 is not set"] };
  assert.deepEqual(await said(url, TOKEN), ["failing Settings: API_TOKEN_SHA256 is not set"]);
});

test("what cannot be asked is said", async () => {
  answer = WELL;
  const signedOut = await examine({ ...whole, signedIn: false }, { at: "" });
  assert.equal(signedOut.status, 0);
  const beginnings = ["unknown  The platform: no account is signed in", "unknown  The deployment's own check: RAYDEX_URL is not set"];
  assert.deepEqual(signedOut.bad.map((line, nth) => line.startsWith(beginnings[nth])), [true, true], signedOut.text);
  const own = "The deployment's own check:";
  assert.deepEqual(await said(url, ""), [`unknown ${own} RAYDEX_TOKEN is not set: it was not asked`]);
  assert.deepEqual(await said(url, "another"), [`failing ${own} it answers 401 unauthorized: the token needs the scope admin`]);
  assert.deepEqual(await said(await closedAddress(), TOKEN), [`failing ${own} it cannot be reached: ECONNREFUSED`]);
});

test("wrong use is refused, and JSON is JSON", async () => {
  answer = WELL;
  for (const args of [["--env", "edge"], ["--env", "moon"], ["--apply"], ["x"]]) assert.equal((await examine(whole, { args })).status, 2, args.join(" "));
  const { findings } = JSON.parse((await examine(whole, { args: ["--json"] })).text);
  assert.ok(findings.length > 12 && findings.every(({ state }) => state === "ok"));
});
