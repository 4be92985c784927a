// The load of scripts/edge-load: requests in an open loop, so that a slow response delays no other one, and is measured from
// when it was due.
import http from "node:http";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { EDGE, PLAIN } from "./edge.mjs";
import { exitAtSignals } from "./guard.mjs";
import { startOrigin } from "./origin.mjs";
import { startRuntime } from "./runtime.mjs";

const SLICE_S = 5;
const { values } = parseArgs({ options: { rate: { type: "string", default: "500" }, seconds: { type: "string", default: "30" } } });
const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

exitAtSignals();
const origin = await startOrigin();
const runtime = await startRuntime({ edge: { origin: origin.address, settings: { EDGE_FLUSH_SECONDS: "5" } } });
const addresses = { logger: await runtime.direct(EDGE), plain: await runtime.direct(PLAIN) };
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const results = { logger: [], plain: [] };
let failures = 0;

for (const name of ["plain", "logger"]) await slice(addresses[name], 1, []);
const warmed = origin.requests();
for (let passed = 0; passed < seconds; passed += SLICE_S) {
  for (const name of ["logger", "plain"]) await slice(addresses[name], SLICE_S, results[name]);
}
await settle();
await report();
await runtime.stop();
origin.stop();
process.exit(0);

/** Sends the requests of a slice, and waits for their responses. */
async function slice(url, length, latencies) {
  const start = performance.now();
  const open = [];
  for (let sent = 0; sent < rate * length; ) {
    const due = Math.min(rate * length, Math.floor(((performance.now() - start) * rate) / 1000) + 1);
    for (; sent < due; sent += 1) open.push(get(`${url}/load/${sent}`, start + (sent * 1000) / rate, latencies));
    await pause(1);
  }
  await Promise.all(open);
}

function get(url, due, latencies) {
  return new Promise((done) => {
    const failed = () => ((failures += 1), done());
    const request = http.get(url, { agent }, (response) => {
      response.on("data", () => {}).on("error", failed).on("end", () => (latencies.push(performance.now() - due), done()));
    });
    request.on("error", failed);
  });
}

/** Waits until the logger has stored everything. */
async function settle() {
  for (let round = 0; round < 60 && (await stored()).lines < results.logger.length + rate; round += 1) await pause(500);
}

async function stored() {
  const objects = await runtime.list("logs/edge_requests/");
  const last = new Map();
  let lines = 0;
  for (const { key, label } of objects) {
    lines += gunzipSync(await runtime.get(key)).toString().split("\n").length - 1;
    if (!(last.get(label.isolate)?.sequence > label.sequence)) last.set(label.isolate, label);
  }
  return { lines, batches: objects.length, labels: [...last.values()] };
}

async function report() {
  const { lines, batches, labels } = await stored();
  const [logger, plain] = [figures(results.logger), figures(results.plain)];
  const row = (name, { count, p50, p90, p99 }) => `  ${name.padEnd(8)}${String(count).padStart(8)}${[p50, p90, p99].map((ms) => ms.toFixed(2).padStart(9)).join("")}`;
  const seen = labels.reduce((sum, label) => sum + label.seen, 0);
  const text = [
    `${rate} requests per second, ${seconds} s each, in slices of ${SLICE_S} s by turns; ${failures} failed; ${origin.requests() - warmed} reached the origin`,
    "           count  p50 ms   p90 ms   p99 ms", row("logger", logger), row("plain", plain),
    `  added at the median: ${(logger.p50 - plain.p50).toFixed(2)} ms`,
    `  stored: ${lines} lines in ${batches} batches; the logger saw ${seen} of ${results.logger.length + rate} (with the warm-up)`,
  ];
  process.stdout.write(`${text.join("\n")}\n`);
}

function figures(latencies) {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
