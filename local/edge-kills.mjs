// Kills the runtime while the edge logger hands records over to its durable buffer, and counts them afterwards. Used by
// scripts/edge-kills and tests/run/sinks.mjs.
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { startCollector } from "./collectors.mjs";
import { EDGE } from "./edge.mjs";
import { exitAtSignals } from "./guard.mjs";
import { startOrigin } from "./origin.mjs";
import { generator } from "./random.mjs";
import { startRuntime } from "./runtime.mjs";

const PATIENCE_MS = 60_000;
/** Requests that are on their way at a time. */
const CLIENTS = 4;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const idOf = (isolate, sequence) => `${isolate}-${sequence}`;

/** Sends numbered requests until told to stop; notes when each was answered. */
function startClients(edge, answered, next) {
  let runs = true;
  const client = async () => {
    while (runs) {
      const number = next();
      try {
        const reply = await fetch(`${edge}/n/${number}`);
        if ((await reply.text()).includes(`/n/${number}\n`)) answered.set(number, Date.now());
      } catch {
        await pause(5);
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  return () => ((runs = false), Promise.all(clients));
}

/** The records in the bucket. */
async function stored(runtime) {
  const objects = await runtime.list("logs/edge_requests/");
  const bodies = await Promise.all(objects.map(({ key }) => runtime.get(key)));
  return bodies.flatMap((body) => gunzipSync(body).toString().trim().split("\n").map((line) => JSON.parse(line)));
}

/**
 * Kills the runtime this number of times. Returns the numbers of requests that were answered, handed over, stored and lost, of
 * records that are not as promised, and the time from the answer of the first lost request to its kill.
 */
export async function killEdge({ kills, seed = 1, tell = () => {} }) {
  const random = generator(seed);
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "edge-kills-"));
  const [origin, collector] = [await startOrigin(), await startCollector()];
  const sinks = [
    { kind: "r2", through: "object" },
    { kind: "http", name: "lines", preset: "ndjson", url: `http://${collector.address}/lines`, through: "object" },
  ];
  const settings = { EDGE_SINKS: JSON.stringify(sinks), EDGE_SINK_PLAIN_HTTP: "allow", EDGE_FLUSH_SECONDS: "1" };
  const token = createHash("sha256").update("a-token").digest("hex");
  const [answered, killedAt, handed] = [new Map(), [], new Map()];
  const onLog = ({ event, isolate, sequence, lines }) => {
    if (event === "edge_handed_over") handed.set(isolate, [...(handed.get(isolate) ?? []), { sequence, lines }]);
  };
  const start = () => startRuntime({ state, onLog, settings: { API_TOKEN_SHA256: token, ...settings }, edge: { origin: origin.address, settings } });
  let number = 0;
  const lives = [];
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const runtime = await start();
      const first = number + 1;
      const stop = startClients(await runtime.direct(EDGE), answered, () => (number += 1));
      await pause(400 + Math.floor(random() * 1_800));
      killedAt.push(Date.now());
      await runtime.kill();
      await stop();
      lives.push([first, number, killedAt.at(-1)]);
      tell(`kill ${kill + 1}: ${answered.size} requests answered`);
    }
    const runtime = await start();
    const promised = promises(handed);
    let records = [];
    for (const begun = Date.now(); Date.now() - begun < PATIENCE_MS; await pause(250)) {
      const before = records.length;
      records = await stored(runtime);
      const received = new Set((collector.received.get("/lines") ?? []).map(keyOf));
      if (records.length === before && [...promised].every((id) => received.has(id)) && includesAll(records, promised)) break;
    }
    await runtime.stop();
    return judge({ answered, promised, records, collected: collector.received.get("/lines") ?? [], lives });
  } finally {
    origin.stop();
    collector.stop();
    fs.rmSync(state, { recursive: true, force: true });
  }
}

const keyOf = ({ EdgeLoggerIsolateID: isolate, EdgeLoggerSequence: sequence }) => idOf(isolate, sequence);

function includesAll(records, promised) {
  const found = new Set(records.map(keyOf));
  return [...promised].every((id) => found.has(id));
}

/** The records that were handed over: an isolate hands over in order, and its batches without a gap hold its first records. */
function promises(handed) {
  const promised = new Set();
  for (const [isolate, batches] of handed) {
    batches.sort((a, b) => a.sequence - b.sequence);
    let lines = 0;
    batches.every(({ sequence, lines: more }, place) => sequence === place + 1 && ((lines += more), true));
    for (let sequence = 1; sequence <= lines; sequence += 1) promised.add(idOf(isolate, sequence));
  }
  return promised;
}

function judge({ answered, promised, records, collected, lives }) {
  const counts = new Map();
  for (const record of records) counts.set(keyOf(record), (counts.get(keyOf(record)) ?? 0) + 1);
  const atCollector = new Set(collected.map(keyOf));
  const storedNumbers = new Set(records.map(({ ClientRequestPath: text }) => Number(text.slice(3))));
  const lost = [...answered].filter(([number]) => !storedNumbers.has(number));
  const ageOf = ([number, at]) => lives.find(([first, last]) => first <= number && number <= last)[2] - at;
  return {
    answered: answered.size,
    handed_over: promised.size,
    stored: records.length,
    stored_twice: [...counts.values()].filter((count) => count > 1).length,
    missing_in_bucket: [...promised].filter((id) => !counts.has(id)).length,
    missing_at_collector: [...promised].filter((id) => !atCollector.has(id)).length,
    lost: lost.length,
    lost_age_ms: Math.max(0, ...lost.map(ageOf)),
  };
}

/** The program of scripts/edge-kills. */
async function main() {
  const { values } = parseArgs({ options: { kills: { type: "string", default: "20" }, seed: { type: "string", default: "1" } } });
  exitAtSignals();
  const figures = await killEdge({ kills: Number(values.kills), seed: Number(values.seed), tell: (words) => process.stderr.write(`  ${words}\n`) });
  process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
  const { handed_over: promised, stored_twice: twice, missing_in_bucket: missing, missing_at_collector: uncollected } = figures;
  process.exit(promised > 0 && twice + missing + uncollected === 0 ? 0 : 1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
