// What scripts/load ends in: 64 connections that look rays up and stream ranges for a minute, beside a plain Worker that
// says hello, in the same runtime on the same machine.
//
// Options come from scripts/load: --seconds N, --program FILE (make-batches, built), --tokens N (callers, each with a
// token of its own), and to compare two builds: --against FOLDER (the other one's build/), --rounds N (in turns).
//
// Both are asked through a Worker that stands where Cloudflare's edge does. The local runtime looks for new bytes on its
// sockets, sixteen at a time, only when it has nothing else to do, and under full load it always has: a connection whose
// next request is there already goes on at once, the others wait unread, and one that waits for five seconds is closed.
// A timer, be it of no time, ends only when the runtime looks: so each request waits for one, and all have their turn.
//
// Every answer is checked (its status, and of a lookup the line). A slow reader holds a stream open all the while. The
// figures are printed only if all answers were right, with the size that the module's memory has grown to.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import autocannon from "autocannon";
import { exitAtSignals } from "../local/guard.mjs";
import { ROOT, startRuntime } from "../local/runtime.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: { seconds: text("60"), program: text(""), tokens: text("16"), against: text(""), rounds: text("5") },
});
const CONNECTIONS = 64;
const TOKENS = Array.from({ length: Number(options.tokens) }, (_, at) => `a-token-for-the-load-${at}`);
/** One in so many requests streams a range instead of looking a ray up. */
const STREAMS = 20;
/** Streams of a caller at a time. */
const SCANS = 8;
/** Requests that each connection goes through, again and again. */
const ROUND = 2_000;

exitAtSignals();

main().catch((error) => {
  process.stderr.write(`\x1b[1;31mstopped:\x1b[0m ${error.stack}\n`);
  process.exit(1);
});

async function main() {
  const seconds = Number(options.seconds);
  if (!options.against) return void (await measure(undefined, seconds, true));
  const ratios = [];
  for (let round = 1; round <= Number(options.rounds); round += 1) {
    say(`round ${round}: the build of ${options.against}, then this one`);
    const [other, own] = [await measure(options.against, seconds), await measure(undefined, seconds)];
    ratios.push(own / other);
    say(`ratio ${(own / other).toFixed(3)}`);
  }
  const sorted = ratios.toSorted((a, b) => a - b);
  say(`requests/s of this build by the other's: median ${sorted[Math.floor(sorted.length / 2)].toFixed(3)}, of ${sorted.map((ratio) => ratio.toFixed(3)).join(", ")}`);
}

/** Loads the Worker of the folder `build`, and beside it the plain one if `withHello`; the requests a second. */
async function measure(build, seconds, withHello = false) {
  const log = [];
  const hello = plainWorker("hello", "fetch() { return new Response('hello\\n') }");
  const runtime = await startRuntime({
    build,
    settings: { API_TOKENS: JSON.stringify(TOKENS.map(entryOf)), API_RATE_PER_MINUTE: "0" },
    onLog: (line) => log.push(line),
    beside: [hello, frontOf("raydex"), frontOf("hello")],
  });
  const url = await runtime.direct("front-of-raydex");
  const records = await indexed(runtime, log);
  say(`${records.length} records are indexed; ${CONNECTIONS} connections, ${TOKENS.length} tokens, ${seconds} s`);
  if (withHello) row("hello", await cannon(await runtime.direct("front-of-hello"), seconds, () => [{ method: "GET", path: "/" }]));
  // The sample is of the last ten minutes.
  const start = new Date(Date.now() - 3_600_000).toISOString();
  const slow = slowReader(`${url}/v1/logs?start=${start}`);
  const wrong = new Map();
  const mixed = await cannon(url, seconds, (number) => mixedRequests(records, wrong, start, headersOf(number)));
  const taken = slow.stop();
  const memory = await memoryOf(runtime, log);
  // The runtime says of each client that hangs up that its connection is gone: these are ours, at the end.
  const errors = log.filter((line) => line.level === "error" && !(line.event === "runtime" && /disconnected/.test(line.message)));
  row("lookups and streams", mixed);
  say(`the slow reader took ${taken} bytes in that time, and its stream was open to the end`);
  say(`wasm memory: ${(memory / 2 ** 20).toFixed(1)} MiB of 96; errors in the log: ${errors.length}`);
  const bad = mixed.non2xx + mixed.errors + mixed.timeouts + [...wrong.values()].reduce((a, b) => a + b, 0) + errors.length;
  if (bad > 0) {
    process.stderr.write(`${JSON.stringify({ statuses: mixed.statusCodeStats, wrong: [...wrong], errors: errors.slice(0, 3) })}\n`);
    throw new Error(`${bad} answers were wrong`);
  }
  await runtime.stop();
  return mixed.requests.average;
}

/** The entry of API_TOKENS for a token. Four connections share one, and a stream of any of them must not wait for ten seconds. */
function entryOf(token, at) {
  return { id: `load-${at}`, sha256: createHash("sha256").update(token).digest("hex"), scopes: ["read"], role: "forensics", scans: SCANS };
}

/** The headers of the connection with this number. */
function headersOf(number) {
  return { authorization: `Bearer ${TOKENS[number % TOKENS.length]}` };
}

function plainWorker(name, handler) {
  return { name, modules: true, compatibilityDate: "2026-04-01", script: `export default { ${handler} }` };
}

/** The Worker that stands before the Worker `name`. */
function frontOf(name) {
  const handler = "async fetch(request, env) { await scheduler.wait(0); return env.BEHIND.fetch(request); }";
  return { ...plainWorker(`front-of-${name}`, handler), serviceBindings: { BEHIND: name } };
}

/** Makes a sample and has it indexed; its records of `http_requests`. */
async function indexed(runtime, log) {
  const folder = path.join(ROOT, "target", "load");
  fs.rmSync(folder, { recursive: true, force: true });
  execFileSync(options.program, ["--out", folder, "--records", "20000", "--batches", "20", "--window", "600"], { stdio: "ignore" });
  const { batches } = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));
  const records = [];
  for (const { key } of batches) {
    const stored = fs.readFileSync(path.join(folder, key));
    await runtime.announce(await runtime.put(key, stored));
    if (!key.includes("http_requests")) continue;
    for (const line of textOf(stored).split("\n").filter(Boolean)) records.push({ ray: /"RayID":"([0-9a-f]{16})"/.exec(line)?.[1], line });
  }
  const sealed = () => log.filter((line) => line.event === "parse_message" && line.verdict === "sealed").length;
  for (let tries = 0; sealed() < batches.length; tries += 1) {
    if (tries > 3_000) throw new Error(`${sealed()} of ${batches.length} batches were sealed in a minute`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return records.filter(({ ray }) => ray);
}

function textOf(stored) {
  return (stored[0] === 0x1f ? gunzipSync(stored) : stored).toString();
}

/** What a connection asks, in turn; what is wrong with an answer is counted in `wrong`. */
function mixedRequests(records, wrong, start, headers) {
  const found = (what) => wrong.set(what, (wrong.get(what) ?? 0) + 1);
  const any = () => records[Math.floor(Math.random() * records.length)];
  return Array.from({ length: ROUND }, () => {
    if (Math.random() * STREAMS < 1) {
      const onResponse = (status, body) => status === 200 && body.split("\n").filter((line) => line.startsWith('{"RayID"')).length === 100 ? undefined : found(`stream ${status}`);
      return { method: "GET", path: `/v1/logs?start=${start}&limit=100&fields=RayID,EdgeResponseStatus`, headers, onResponse };
    }
    const { ray, line } = any();
    const onResponse = (status, body) => (status === 200 && body.includes(line) ? undefined : found(`lookup ${status}`));
    return { method: "GET", path: `/v1/rays/${ray}?format=native`, headers, onResponse };
  });
}

/** `requests(number)`: what a connection asks; each has a mix of its own, or all would stream at once. */
function cannon(url, duration, requests) {
  let number = 0;
  const setupClient = (client) => client.setRequests(requests(number++));
  return autocannon({ url, connections: CONNECTIONS, duration, setupClient, timeout: 30 });
}

/** Reads a stream a few bytes at a time. */
function slowReader(url) {
  let bytes = 0;
  let timer;
  const request = http.get(url, { headers: headersOf(0) }, (reply) => {
    reply.pause();
    timer = setInterval(() => (bytes += reply.read(2_048)?.length ?? reply.read()?.length ?? 0), 250);
  });
  request.on("error", () => {});
  return {
    stop() {
      clearInterval(timer);
      request.destroy();
      return bytes;
    },
  };
}

/** What the module has grown to, as its next line of the log says. */
async function memoryOf(runtime, log) {
  const from = log.length;
  await runtime.enqueue({ nothing: true });
  for (;;) {
    const line = log.slice(from).find(({ wasm_bytes: bytes }) => bytes);
    if (line) return line.wasm_bytes;
    await new Promise((done) => setTimeout(done, 20));
  }
}

function row(name, { requests, latency, non2xx, errors }) {
  const { p50, p99 } = latency;
  say(`${name.padEnd(20)} ${requests.average.toFixed(0).padStart(7)} requests/s   p50 ${p50} ms   p99 ${p99} ms   ${non2xx + errors} failed`);
}

function say(words) {
  process.stdout.write(`${words}\n`);
}
