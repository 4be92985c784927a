// scripts/deploy over a double of wrangler, which keeps an account: what it prints, what it does, failures at each call,
// running it again. The flags that it uses are held against the pinned wrangler's --help. Run by `node --test`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { carryOut } from "../../deploy/carry_out.mjs";
import { readChoices } from "../../deploy/choices.mjs";
import { configOf, readWranglerToml } from "../../deploy/environment.mjs";
import { stepsOf } from "../../deploy/steps.mjs";
import { WranglerFailed } from "../../deploy/wrangler.mjs";
import { EMPTY, runDouble } from "./wrangler_double.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOUBLE = path.join(ROOT, "tests/run/wrangler_double.mjs");
const COMMANDS = ["whoami", "deploy", "queues info", "queues create", "queues update", "r2 bucket info", "r2 bucket create",
  "r2 bucket notification list", "r2 bucket notification create", "r2 bucket lifecycle list", "r2 bucket lifecycle add", "r2 bucket lifecycle remove"];
const QUEUES = ["parse-queue", "send-queue", "parse-dlq", "send-dlq", "edge-queue"];
const FOURTEEN_DAYS_S = 1_209_600;
const SECRET = "an-address-of-the-partner";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-deploy-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
const write = (name, value) => {
  fs.writeFileSync(path.join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
  return path.join(folder, name);
};

/** The flags of a command, as the pinned wrangler describes them. */
function flagsOf(command) {
  const { stdout } = spawnSync(path.join(ROOT, "node_modules/.bin/wrangler"), [...command.split(" "), "--help"], { encoding: "utf8" });
  return stdout.match(/--[a-z][a-z-]+/g);
}

let flags;
before(() => {
  flags = Object.fromEntries(COMMANDS.map((command) => [command, flagsOf(command)]));
  write("flags.json", flags);
});

/** Runs scripts/deploy on an account; returns what it printed and the account after it. */
function deploy(args, account = {}) {
  write("account.json", { ...structuredClone(EMPTY), ...structuredClone(account), calls: [] });
  const env = { ...process.env, RAYDEX_WRANGLER: DOUBLE, RAYDEX_DOUBLE: folder };
  const ran = spawnSync(process.execPath, [path.join(ROOT, "deploy/main.mjs"), ...args], { encoding: "utf8", env, cwd: folder });
  return { ...ran, account: JSON.parse(fs.readFileSync(path.join(folder, "account.json"), "utf8")) };
}

let written = 0;
const choices = (value) => ["--choices", write(`choices-${written++}.json`, value)];
const secrets = () => ["--secrets", write("secrets.json", { API_TOKEN_SHA256: "0".repeat(64), PARTNER_ENDPOINT: SECRET })];
const whole = () => ["--apply", ...secrets(), ...choices({ retention_days: 30, data_bucket: "raydex-data", log_prefixes: ["logs/", "more/"] })];
const without = ({ calls: _, failAt: __, loseAt: ___, ...rest }) => rest;

test("without --apply nothing is asked and all is listed", () => {
  const { status, stdout, stderr, account } = deploy(choices({}));
  assert.equal(status, 0, stderr);
  assert.deepEqual(account.calls, []);
  const listed = ["wrangler login", "bucket create cdn-logs-raw", ...QUEUES.map((queue) => `queues create ${queue} --message-retention-period-secs ${FOURTEEN_DAYS_S}`),
    "wrangler deploy", "--prefix logs/ --suffix .log.gz", "dollars a million lookups", "log_custom_field", '"content-length"', "/logpush/jobs", '"EdgeStartTimestamp"', "/healthz"];
  let at = 0;
  for (const words of listed) {
    const found = stdout.indexOf(words, at);
    assert.ok(found >= at, `${words} is not listed, or too early`);
    at = found;
  }
});

test("an empty account gets everything, in an order that works", () => {
  const { status, stdout, stderr, account } = deploy(whole());
  assert.equal(status, 0, stdout + stderr);
  assert.deepEqual(Object.keys(account.buckets), ["cdn-logs-raw", "raydex-data"]);
  assert.deepEqual(account.queues, Object.fromEntries(QUEUES.map((queue) => [queue, FOURTEEN_DAYS_S])));
  assert.deepEqual(account.buckets["cdn-logs-raw"].rules.map(({ prefix, suffix, queue_name }) => [prefix, suffix, queue_name]), [["logs/", ".log.gz", "parse-queue"], ["more/", ".log.gz", "parse-queue"]]);
  assert.deepEqual(account.buckets["cdn-logs-raw"].lifecycle.map(({ prefix, action }) => [prefix, action]), [["logs/", "Expire objects after 30 days"], ["more/", "Expire objects after 30 days"]]);
  assert.equal(account.workers.raydex.secrets.PARTNER_ENDPOINT, SECRET);
  assert.equal(account.workers.raydex.config.vars.LOG_PREFIX, "logs/,more/", "the Worker watches both");
  assert.ok(!stdout.includes(SECRET) && !stderr.includes(SECRET), "a secret is printed");
});

test("a second run makes nothing anew", () => {
  const first = deploy(whole()).account;
  const second = deploy(whole(), without(first));
  assert.equal(second.status, 0, second.stderr);
  assert.deepEqual(without(second.account), without(first));
  const made = second.account.calls.filter((call) => call.includes("create") || call.includes("add"));
  assert.deepEqual(made, []);
});

/** Deploys to an account in this process; returns the error that it ended with. */
async function deployHere(args, account) {
  const chosen = readChoices(args, ROOT);
  const config = configOf(readWranglerToml(ROOT), chosen.environment, chosen.choices, ROOT, folder);
  const steps = stepsOf({ ...chosen, config, file: write("config.json", config) });
  const run = async (args) => runDouble(account, flags, args);
  return carryOut(steps, { run, build: () => {}, apply: true, report: () => {} }).catch((error) => error);
}

test("a failure at any call stops there, and another run ends well", async () => {
  const clean = structuredClone(EMPTY);
  assert.equal(await deployHere(whole(), clean), undefined);
  assert.ok(clean.calls.length > 15, `${clean.calls.length}`);
  for (const fault of ["failAt", "loseAt"]) {
    for (let nth = 1; nth <= clean.calls.length; nth++) {
      const account = { ...structuredClone(EMPTY), [fault]: nth };
      const error = await deployHere(whole(), account);
      assert.ok(error instanceof WranglerFailed, `${fault} ${nth}: ${error}`);
      assert.equal(account.calls.length, nth, "it goes on after a failure");
      Object.assign(account, { calls: [], [fault]: 0 });
      assert.equal(await deployHere(whole(), account), undefined, `${fault} ${nth}`);
      assert.deepEqual(without(account), without(clean));
    }
  }
});

test("a failure says what failed and how to go on", () => {
  const { status, stderr } = deploy(whole(), { failAt: 4 });
  assert.equal(status, 1);
  assert.match(stderr, /wrangler .+ failed:\n.*code: 10001[\s\S]+Run scripts\/deploy again/);
});

test("--check says what is lacking and changes nothing", () => {
  const { status, stdout, account } = deploy(["--check", ...choices({})], { queues: { "parse-queue": 60 } });
  assert.equal(status, 0);
  assert.match(stdout, /^there\s+Queue parse-queue/m);
  assert.match(stdout, /^lacking\s+Queue send-queue/m);
  assert.deepEqual(account.queues, { "parse-queue": 60 });
});

test("queues that forget sooner are mended", () => {
  const { account } = deploy(["--apply", ...choices({})], { queues: { "parse-dlq": 345_600 } });
  assert.equal(account.queues["parse-dlq"], FOURTEEN_DAYS_S);
});

test("another number of days replaces the rule", () => {
  const first = without(deploy(["--apply", ...choices({ retention_days: 30 })]).account);
  const { account } = deploy(["--apply", ...choices({ retention_days: 7 })], first);
  assert.deepEqual(account.buckets["cdn-logs-raw"].lifecycle.map(({ action }) => action), ["Expire objects after 7 days"]);
});

test("prefixes with days of their own get rules of their own", () => {
  const datasets = { "logs/": { retention_days: 20 }, "logs/dns/": { dataset: "dns_logs", retention_days: 7 }, "logs/waf/": { dataset: "firewall_events" } };
  const rules = (choice) => {
    const { status, stderr, account } = deploy(["--apply", ...choices(choice)]);
    assert.equal(status, 0, stderr);
    const { vars } = account.workers.raydex.config;
    return [vars.LOG_RETENTION_DAYS, ...account.buckets["cdn-logs-raw"].lifecycle.map(({ prefix, action }) => `${prefix} ${action}`)];
  };
  const expire = (prefix, days) => `${prefix} Expire objects after ${days} days`;
  const vars = { DATASETS: JSON.stringify(datasets) };
  assert.deepEqual(rules({ retention_days: 30, log_prefixes: ["logs/", "more/"], vars }), ["30", expire("logs/", 20), expire("more/", 30), expire("logs/dns/", 7)]);
  assert.deepEqual(rules({ vars }), [undefined, expire("logs/", 20), expire("logs/dns/", 7)]);
  assert.deepEqual(rules({ vars: { LOG_RETENTION_DAYS: "9" } }), ["9", expire("logs/", 9)]);
});

test("rules of prefixes that look alike are apart, and set right", () => {
  const datasets = { "logs/a-b/": 7, "logs/a/b/": 3, "logs/a/": 7, "logs/a": 9 };
  const vars = { DATASETS: JSON.stringify(Object.fromEntries(Object.entries(datasets).map(([prefix, retention_days]) => [prefix, { retention_days }]))) };
  const first = without(deploy(["--apply", ...choices({ vars })]).account);
  const rulesOf = ({ buckets }) => buckets["cdn-logs-raw"].lifecycle.map(({ prefix, action, enabled }) => `${prefix} ${action} ${enabled}`).sort();
  const expected = Object.entries(datasets).map(([prefix, days]) => `${prefix} Expire objects after ${days} days Yes`).sort();
  assert.deepEqual(rulesOf(first), expected);
  first.buckets["cdn-logs-raw"].lifecycle[0].enabled = "No";
  first.buckets["cdn-logs-raw"].lifecycle[1].prefix = "elsewhere/";
  assert.deepEqual(rulesOf(deploy(["--apply", ...choices({ vars })], first).account), expected);
});

test("the jurisdiction is said wherever it must be", () => {
  const { status, stderr, stdout, account } = deploy(["--apply", ...choices({ jurisdiction: "eu", retention_days: 9 })]);
  assert.equal(status, 0, stderr);
  assert.equal(account.buckets["cdn-logs-raw"].where, "eu");
  const { config } = account.workers.raydex;
  assert.ok(config.r2_buckets.every(({ jurisdiction }) => jurisdiction === "eu"));
  assert.equal(config.vars.JURISDICTION, "eu");
  assert.match(stdout, /jurisdiction=eu/);
  assert.match(stdout, /eu\.r2\.cloudflarestorage\.com/);
});

test("staging and dev are whole deployments of their own", () => {
  for (const environment of ["staging", "dev"]) {
    const { status, stderr, account } = deploy(["--apply", "--env", environment, ...choices({})]);
    assert.equal(status, 0, stderr);
    const { config } = account.workers[`raydex-${environment}`];
    assert.deepEqual(Object.keys(account.buckets), [`cdn-logs-raw-${environment}`]);
    assert.deepEqual(Object.keys(account.queues), QUEUES.map((queue) => `${queue}-${environment}`));
    const { BUCKET_NAME, PARSE_QUEUE_NAME, SEND_QUEUE_NAME, PARSE_DLQ_NAME, SEND_DLQ_NAME, EDGE_QUEUE_NAME } = config.vars;
    assert.deepEqual([BUCKET_NAME, PARSE_QUEUE_NAME, SEND_QUEUE_NAME, PARSE_DLQ_NAME, SEND_DLQ_NAME, EDGE_QUEUE_NAME],
      [`cdn-logs-raw-${environment}`, ...QUEUES.map((queue) => `${queue}-${environment}`)]);
    assert.deepEqual(config.migrations.map(({ tag }) => tag), ["v1", "v2"]);
    assert.equal(config.durable_objects.bindings.length, 4);
    assert.equal(config.triggers.crons.length, 2);
  }
});

test("the edge logger is deployed beside production", () => {
  const production = without(deploy(["--apply", ...choices({})]).account);
  const routes = [{ pattern: "api.example.com/*", zone_name: "example.com" }];
  const { status, stderr, account } = deploy(["--apply", "--env", "edge", ...choices({ routes })], production);
  assert.equal(status, 0, stderr);
  const { config } = account.workers["raydex-edge"];
  assert.deepEqual(config.routes, routes);
  assert.equal(config.durable_objects.bindings[0].script_name, "raydex");
  assert.deepEqual([config.workers_dev, config.preview_urls, config.migrations], [false, false, []]);
  assert.match(config.main, /edge\.js$/);
});

test("the edge logger has the bucket and the jurisdiction of production", () => {
  const root = fs.mkdtempSync(path.join(folder, "root-"));
  fs.cpSync(path.join(ROOT, "schemas"), path.join(root, "schemas"), { recursive: true });
  fs.writeFileSync(path.join(root, "deploy.production.json"), JSON.stringify({ bucket: "our-logs", jurisdiction: "eu", log_prefixes: ["our/"], domain: "raydex.example.com" }));
  assert.deepEqual(readChoices(["--env", "edge"], root).choices, { bucket: "our-logs", jurisdiction: "eu", log_prefixes: ["our/"] });
  fs.writeFileSync(path.join(root, "deploy.edge.json"), JSON.stringify({ bucket: "other-logs" }));
  assert.deepEqual(readChoices(["--env", "edge"], root).choices, { bucket: "other-logs", jurisdiction: "eu", log_prefixes: ["our/"] });
  assert.deepEqual(readChoices(["--env", "staging"], root).choices, {});
});

test("behind Access there is no second door", () => {
  const { account, stdout } = deploy(["--apply", ...choices({ domain: "raydex.example.com", vars: { ACCESS_TEAM: "acme", ACCESS_AUD: "a", ACCESS_GRANTS: "[]" } })]);
  const { config } = account.workers.raydex;
  assert.deepEqual([config.workers_dev, config.preview_urls], [false, false]);
  assert.deepEqual(config.routes, [{ pattern: "raydex.example.com", custom_domain: true }]);
  assert.match(stdout, /access\/apps/);
});

test("mistakes are named before anything is done", () => {
  for (const [args, words] of [
    [["--env", "live"], "--env live is not known"],
    [["--frobnicate"], "See scripts/deploy --help"],
    [["--apply", "--check"], "give one of them"],
    [["--choices", "/nowhere.json"], "cannot be read"],
    [["--choices", write("broken.json", `{"x": ${SECRET}`)], "is not JSON"],
    [choices({ buckets: "x" }), "there is no choice buckets"],
    [choices({ jurisdiction: "mars" }), "must be eu or fedramp"],
    [choices({ retention_days: 0 }), "from 1 to 36500"],
    [choices({ vars: { LOG_RETENTION_DAYS: "x" } }), "LOG_RETENTION_DAYS must be a number of days"],
    [choices({ retention_days: 5, vars: { LOG_RETENTION_DAYS: "5" } }), "give one of them"],
    [choices({ vars: { DATASETS: "[]" } }), "DATASETS must be a text"],
    [choices({ vars: { DATASETS: '{"a/":{"retention_days":0}}' } }), "retention_days of a/ must be"],
    [choices({ retention_days: 5, vars: { DATASETS: '{"a/":{"retention_days":6}}' } }), "retention_days of a/ are more than"],
    [choices({ log_sampling: 2 }), "from 0 to 1"],
    [choices({ vars: { API_TOKN: "x" } }), "there is no setting API_TOKN"],
    [choices({ vars: { PARTNER_PRIVATE_KEY: SECRET } }), "PARTNER_PRIVATE_KEY is a secret"],
    [choices({ vars: { ACCESS_TEAM: "acme" } }), "ACCESS_TEAM needs a domain"],
    [choices({ domain: "a.example", vars: { ACCESS_TEAM: "acme", ACCESS_AUD: "a" } }), "ACCESS_TEAM needs ACCESS_GRANTS"],
    [choices({ vars: { BATCH_SIZE: 100 } }), 'BATCH_SIZE must be a text, such as "100"'],
    [choices({ vars: { ACCOUNTS_RETENTION_DAYS: "400" } }), "ACCOUNTS_RETENTION_DAYS must be more days"],
    [choices({ retention_days: 30, vars: { ACCOUNTS_RETENTION_DAYS: "30" } }), "ACCOUNTS_RETENTION_DAYS must be more days"],
    [choices({ vars: { LOG_RETENTION_DAYS: "0030" } }), "LOG_RETENTION_DAYS must be a number of days"],
    [choices({ retention_days: 30, log_prefixes: [""] }), "need a data_bucket"],
    [choices({ vars: { DATASETS: '{"":{"retention_days":7}}' } }), "need a data_bucket"],
    [choices({ vars: { DATASETS: '{"raydex/":{"retention_days":7}}' } }), "may have no rule"],
    [choices({ vars: { DATASETS: '{"a/":{"retention_days":7},"a/b/":{"retention_days":8}}' } }), "are more than those of a/"],
    [choices({ log_prefixes: ["a/"], vars: { LOG_PREFIX: "b/" } }), "give one of them"],
    [choices({ routes: [] }), "routes must be a list"],
    [["--secrets", write("odd.json", { API_TOKEN: SECRET })], "there is no setting API_TOKEN"],
  ]) {
    const { status, stderr, stdout, account } = deploy(["--apply", ...args]);
    assert.equal(status, 2, `${args}: ${stdout}`);
    assert.ok(stderr.includes(words), `${args}: ${stderr}`);
    assert.ok(!stderr.includes(SECRET), "a secret is printed");
    assert.deepEqual(account.calls, []);
  }
});

test("who is not signed in is told how", () => {
  const { status, stderr, account } = deploy(["--apply", ...choices({})], { signedIn: false });
  assert.equal(status, 2);
  assert.match(stderr, /npx wrangler login/);
  assert.equal(account.calls.length, 1);
});
