// The load of scripts/collect-load: reports in a closed loop, and what the origin has of them held against what was sent.
import { createHash } from "node:crypto";
import http from "node:http";
import { parseArgs } from "node:util";
import { startCollectingOrigin } from "./collecting-origin.mjs";
import { EDGE } from "./edge.mjs";
import { exitAtSignals } from "./guard.mjs";
import { startRuntime } from "./runtime.mjs";

const CLIENTS = 16;
const PATIENCE_MS = 120_000;
const number = (value) => ({ type: "string", default: String(value) });
const { values } = parseArgs({ options: { reports: number(1_000_000), distinct: number(5), body: number(50), seconds: number(5), down: number(0) } });
const [reports, share, perBody, down] = [values.reports, values.distinct, values.body, values.down].map(Number);
const every = Math.max(1, Math.floor(100 / share));
const distinct = Math.ceil(reports / every);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

exitAtSignals();
let sent = 0;
let downSince;
const origin = await startCollectingOrigin({ decide: () => (isDown() ? 503 : undefined) });
const settings = { EDGE_MODE: "collect", EDGE_COLLECT_URL: "https://origin.example/collect", EDGE_COLLECT_SECONDS: values.seconds };
let [memory, failed] = [0, 0];
const runtime = await startRuntime({ edge: { origin: origin.address, settings }, onLog: noteLog });
const url = await runtime.direct(EDGE);
const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
const start = performance.now();
let requests = 0;
await Promise.all(Array.from({ length: CLIENTS }, client));
const took = (performance.now() - start) / 1000;
const summary = await collected();
await runtime.stop();
origin.stop();
report();
process.exit(process.exitCode);

function isDown() {
  if (down === 0 || sent < reports / 2) return false;
  downSince ??= Date.now();
  return Date.now() - downSince < down * 1000;
}

function noteLog({ event, wasm_bytes: bytes, verdict }) {
  memory = Math.max(memory, bytes ?? 0);
  if (event === "edge_window" && verdict === "failed") failed += 1;
}

/** Sends bodies until all reports are sent. */
async function client() {
  while (sent < reports) {
    const from = sent;
    const size = Math.min(perBody, reports - from);
    sent += size;
    requests += 1;
    await post(JSON.stringify(Array.from({ length: size }, (_, at) => reportOf(from + at))));
  }
}

/**
 * The kind of a report: one of `every` is the first of its kind, the others are of a few frequent kinds and of many rare ones (the
 * chance of the kind N goes as 1/N). The same place always has the same kind.
 */
function kindOf(place) {
  if (place % every === 0 && place / every < distinct) return place / every;
  const random = createHash("sha1").update(String(place)).digest().readUInt32BE() / 2 ** 32;
  return Math.min(distinct, Math.floor((distinct + 1) ** random)) - 1;
}

function reportOf(place) {
  const kind = kindOf(place);
  const body = { documentURL: `https://www.example.com/page/${kind}?token=secret-${place}`, effectiveDirective: "script-src-elem", disposition: "enforce", statusCode: 200 };
  return { age: place, body, type: "csp-violation", url: "https://www.example.com/", user_agent: "Mozilla/5.0 (X11; Linux x86_64)" };
}

function post(body) {
  return new Promise((done, broken) => {
    const request = http.request(url, { method: "POST", agent, headers: { "content-type": "application/reports+json" } }, (reply) => {
      if (reply.statusCode !== 204) broken(new Error(`answered ${reply.statusCode}`));
      reply.resume().on("end", done);
    });
    request.on("error", broken).end(body);
  });
}

/** What the origin has once it has everything, or nothing comes any more. A request without reports wakes an isolate that waits. */
async function collected() {
  for (const since = Date.now(); Date.now() - since < PATIENCE_MS; await pause(1_000)) {
    await post("[]");
    const found = origin.windows.summary();
    if (found.reported >= reports) return found;
  }
  return origin.windows.summary();
}

function report() {
  const { windows, posts, records, reported, reports: kinds, isolates } = summary;
  const sum = (name) => isolates.reduce((all, counts) => all + counts[name], 0);
  const dropped = isolates.flatMap((counts) => Object.values(counts.dropped)).reduce((all, count) => all + count, 0);
  const holds = [
    ["the origin has every report", reported === reports],
    ["every kind is there", kinds.size === distinct],
    ["recorded + merged + sampled out + dropped = seen", sum("recorded") + sum("merged") + sum("sampled_out") + dropped === sum("seen")],
    ["seen = sent", sum("seen") === reports],
    ["records forwarded = recorded", records === sum("recorded")],
    ["64 MiB of wasm memory at most", memory > 0 && memory <= 64 * 1024 * 1024],
    ["the origin got nothing else", origin.others.length === 0],
  ];
  const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  const bodies = [...origin.windows.taken.values()].reduce((all, { body }) => all + body.length, 0);
  const text = [
    `${reports} reports in ${requests} requests, ${distinct} distinct, in ${took.toFixed(1)} s (${Math.round(reports / took)} a second)`,
    `the origin got ${posts} requests (${failed} failed) for ${windows} windows of ${isolates.length} isolates: one for ${Math.round(reports / posts)} reports, ${Math.round(requests / posts)} requests`,
    `${records} records forwarded, ${mib(bodies)}; recorded ${sum("recorded")}, merged ${sum("merged")}, sampled out ${sum("sampled_out")}, dropped ${dropped}, seen ${sum("seen")}`,
    `wasm memory ${mib(memory)}`,
    ...holds.map(([what, is]) => `${is ? "ok  " : "FAIL"}  ${what}`),
  ];
  process.stdout.write(`${text.join("\n")}\n`);
  if (holds.some(([, is]) => !is)) process.exitCode = 1;
}
