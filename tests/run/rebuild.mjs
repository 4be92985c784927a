// scripts/rebuild: against the built Worker whose objects were deleted from the disk, with the partner that counts what it gets; and
// what it says of servers that are odd. Needs scripts/build; run by `node --test`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { exitAtSignals } from "../../local/guard.mjs";
import { startPartner } from "../../local/partner.mjs";
import { ROOT, startRuntime } from "../../local/runtime.mjs";

const TOKEN = "a-token-for-rebuilds";
const BATCHES = 3;
const LINES = 40;
const PATIENCE_MS = 60_000;
const RAY_EPOCH_MS = 1_350_000_000_000;
const state = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-rebuild-"));
process.on("exit", () => fs.rmSync(state, { recursive: true, force: true }));
const startMs = Date.now() - 3_600_000;
let partner;
let runtime;

/** Runs the script to its end, with the crons of a minute each fifth of a second; returns its exit code and its words. */
async function rebuild(args, { url = runtime?.url, token = TOKEN, env = {}, crons = false } = {}) {
  const all = { PATH: process.env.PATH, RAYDEX_URL: url, RAYDEX_TOKEN: token, ...env };
  for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
  const child = spawn(path.join(ROOT, "scripts/rebuild"), args, { env: all, timeout: PATIENCE_MS });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (text += piece));
  let ended = false;
  const code = new Promise((done) => child.on("close", (code) => ((ended = true), done(code))));
  while (crons && !ended) {
    for (const cron of ["* * * * *", "*/10 * * * *"]) await runtime.scheduled(cron);
    await new Promise((soon) => setTimeout(soon, 200));
  }
  const status = await code;
  assert.ok(!text.includes(TOKEN), "the token is printed");
  return { status, text };
}

const rayOf = (nth) => ((BigInt(Math.floor((startMs + nth * 10 - RAY_EPOCH_MS) / 10)) << 28n) | BigInt(nth)).toString(16).padStart(16, "0");
const stamp = (ms) => `${new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;

/** Writes the nth batch, as Logpush does; returns the object. */
function write(nth) {
  const at = startMs + nth * 60_000;
  const record = (line) => ({
    RayID: rayOf(nth * LINES + line), ParentRayID: line % 4 === 0 ? "00" : rayOf(nth * LINES + line - 1), EdgeStartTimestamp: new Date(at + line).toISOString(),
    ClientIP: "203.0.113.9", ClientRequestMethod: "GET", ClientRequestHost: "www.example.com", ClientRequestURI: `/${line}`, EdgeResponseStatus: 200,
  });
  const text = Array.from({ length: LINES }, (_, line) => `${JSON.stringify(record(line))}\n`).join("");
  return runtime.put(`logs/http_requests/${stamp(at).slice(0, 8)}/${stamp(at)}_${stamp(at + 60_000)}_${nth}.log.gz`, gzipSync(text));
}

async function start(more = {}) {
  const settings = { ...partner.settings, API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0", BATCH_SIZE: "10", ...more };
  runtime = await startRuntime({ state, settings });
}

const get = (place) => fetch(`${runtime.url}${place}`, { headers: { authorization: `Bearer ${TOKEN}` } });

/** What the index answers: look-ups, families, a search, counts; byte for byte, apart from the token of a stream's end. */
async function answers() {
  const range = `start=${startMs - 60_000}&end=${startMs + 3_000_000}`;
  const rays = [1, LINES + 2, 2 * LINES + 3].map(rayOf);
  const places = [`logs?${range}`, `counts?${range}&by=ClientRequestURI`, ...rays.flatMap((ray) => ["", "?format=native", "?parts=tree"].map((form) => `rays/${ray}${form}`))];
  const texts = [];
  for (const place of places) texts.push((await (await get(`/v1/${place}`)).text()).replaceAll(/"end":"[^"]*"/g, '"end":""').replaceAll(/"elapsed_ms":\d+/g, ""));
  return texts;
}

/** Waits until the partner has so many lines. */
async function arrived(lines) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((soon) => setTimeout(soon, 200))) {
    if (partner.figures().distinct_lines >= lines) break;
    await runtime.scheduled("* * * * *");
  }
  const { distinct_lines, duplicate_lines } = partner.figures();
  assert.deepEqual([distinct_lines, duplicate_lines], [lines, 0]);
}

/** Everything that may announce an object again. */
async function everythingComesAgain() {
  for (const object of await runtime.list("logs/")) await runtime.announce(object);
  for (const cron of ["* * * * *", "*/10 * * * *", "* * * * *"]) await runtime.scheduled(cron);
  await new Promise((soon) => setTimeout(soon, 1_500));
}

/** Deletes the objects of these classes from the disk, with the Worker stopped meanwhile. */
async function lose(classes, settings) {
  await runtime.stop();
  const folders = fs.readdirSync(path.join(state, "objects"));
  for (const name of classes) {
    const gone = folders.filter((folder) => folder.endsWith(`-${name}`));
    assert.equal(gone.length, 1, `${name} is none of ${folders}`);
    fs.rmSync(path.join(state, "objects", gone[0]), { recursive: true });
  }
  await start(settings);
}

before(async () => {
  exitAtSignals();
  partner = await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-tests" });
  await start();
  for (let nth = 0; nth < BATCHES; nth += 1) await runtime.announce(await write(nth));
  await arrived(BATCHES * LINES);
});
after(async () => {
  await runtime?.stop();
  await partner?.stop();
});

const REBUILD = ["--reason", "the disk is gone", "--poll", "1"];

for (const [words, classes, settings] of [
  ["shards", ["RayShard"]],
  ["ledgers and registry", ["Ledger"]],
  ["ledgers and registry, with a PUSH_START_TIME of before", ["Ledger"], { PUSH_START_TIME: "2020-01-01T00:00:00Z" }],
  ["all objects", ["RayShard", "Ledger", "Audit"]],
]) {
  test(`lost: ${words}`, { timeout: 180_000 }, async () => {
    const before = await answers();
    assert.ok(before[0].split("\n").length > BATCHES * LINES, before[0]);
    await lose(classes, settings);
    await everythingComesAgain();
    const { status, text } = await rebuild(REBUILD, { crons: true });
    assert.equal(status, 0, text);
    assert.match(text, new RegExp(`read ${BATCHES} objects: ${BATCHES} indexed with ${BATCHES * LINES} lines`));
    assert.deepEqual(await answers(), before);
    await everythingComesAgain();
    await arrived(BATCHES * LINES);
  });
}

test("what comes afterwards is delivered", { timeout: 120_000 }, async () => {
  await runtime.announce(await write(BATCHES));
  await arrived((BATCHES + 1) * LINES);
});

test("wrong use is refused with help", async () => {
  for (const [args, env, words] of [
    [[], {}, /--reason is missing/],
    [["--reason", " "], {}, /--reason is missing/],
    [["--what"], {}, /--what/],
    [[...REBUILD, "--rate", "0"], {}, /--rate takes a whole number/],
    [REBUILD, { RAYDEX_TOKEN: undefined }, /RAYDEX_TOKEN is not set/],
    [REBUILD, { RAYDEX_URL: undefined }, /RAYDEX_URL is not set/],
    [REBUILD, { RAYDEX_URL: "ftp://x" }, /must begin with https/],
    [REBUILD, { RAYDEX_URL: "http://logs.example.com" }, /RAYDEX_PLAIN_HTTP/],
    [[...REBUILD, "--start", "yesterday"], {}, /bad_time/],
  ]) {
    const { status, text } = await rebuild(args, { env });
    assert.deepEqual([status, words.test(text)], [2, true], `${args} ${JSON.stringify(env)}: ${text}`);
  }
  assert.equal((await rebuild(["--help"])).status, 0);
});

/** A server that answers so to each path. */
async function double(answer) {
  const server = http.createServer((request, response) => {
    const [status, body] = answer(request);
    response.writeHead(status, { "content-type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => (server.closeAllConnections(), server.close()) };
}

const JOB = { id: 7, state: "done", rebuild: true, start: "a", end: "b", created_at: "c", list_cursor: null, objects: { announced: 5, processed: 5, quarantined: 1, remaining: 0 }, rebuilt: { objects: 4, lines: 9, records: 9, skipped: {} } };

/** What the script says of a server with this job. */
async function judged(job, health = [200, { checks: [] }]) {
  const server = await double(({ url, method }) => {
    if (url === "/healthz?deep=1") return health;
    if (url === "/v1/backfills" && method === "GET") return [200, { backfills: [] }];
    return [method === "POST" ? 201 : 200, job];
  });
  const ended = await rebuild(REBUILD, { url: server.url });
  server.stop();
  return ended;
}

test("its end says what is wrong", async () => {
  const job = (objects, rebuilt) => ({ ...JOB, objects: { ...JOB.objects, ...objects }, rebuilt: { ...JOB.rebuilt, ...rebuilt } });
  const canary = (status) => [200, { checks: [{ name: "canary", dataset: "http_requests", status, detail: "not_found" }] }];
  for (const [code, words, ...given] of [
    [0, /each batch that was read is in the index/, JOB],
    [0, /admin/, JOB, [403, { code: "forbidden" }]],
    [0, /1 with nothing to index: gone/, job({}, { objects: 3, skipped: { gone: 1 } })],
    [1, /1 objects are not in the index: superseded/, job({}, { objects: 3, skipped: { superseded: 1 } })],
    [1, /5 objects were read, and 4 have an outcome/, job({}, { objects: 3 })],
    [1, /the check canary of http_requests fails/, JOB, canary("failing")],
    [0, /check canary of http_requests: ok/, JOB, canary("ok")],
    [3, /someone stopped it/, { ...JOB, state: "stopped" }],
  ]) {
    const { status, text } = await judged(...given);
    assert.deepEqual([status, words.test(text)], [code, true], text);
  }
});

test("odd servers are named, and signs for terminals are taken out", async () => {
  for (const [code, words, answer] of [
    [4, /refused, unauthorized/, [401, { code: "unauthorized" }]],
    [4, /refused, forbidden: +\[31m/, [403, { code: "forbidden", detail: "\u001b[31m" }]],
    [6, /is not a raydex/, [302, ""]],
    [6, /is not a raydex/, [200, "hello"]],
  ]) {
    const server = await double(() => answer);
    const { status, text } = await rebuild(REBUILD, { url: server.url });
    server.stop();
    assert.deepEqual([status, words.test(text)], [code, true], text);
    assert.ok(!text.includes("\u001b"));
  }
});
