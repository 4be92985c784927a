// Look-ups that wait for the audit log, and the log that is left of them. Used by scripts/audit-load and tests/run/audit.mjs.
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { lookupDollars } from "./cost.mjs";
import { exitAtSignals } from "./guard.mjs";
import { generator } from "./random.mjs";
import { startRuntime } from "./runtime.mjs";

const TOKEN = "a-token";
const HEADERS = headersOf(TOKEN);
/** Tokens of callers whose entries are spread among chains. */
const DESKS = Array.from({ length: 64 }, (_, number) => `desk-${number}`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

function headersOf(token) {
  return { authorization: `Bearer ${token}` };
}

/** The settings of a deployment with this number of chains of the audit log. */
function settingsOf(chains) {
  const tokens = DESKS.map((id) => ({ id, sha256: sha256(id), scopes: ["read"], role: "viewer" }));
  return { API_TOKEN_SHA256: sha256(TOKEN), API_TOKENS: JSON.stringify(tokens), API_RATE_PER_MINUTE: "0", AUDIT_CHAINS: String(chains) };
}

/** The ray of a number. */
function rayOf(number) {
  return `9e3${number.toString(16).padStart(13, "0")}`;
}

/** Looks up the ray of a number, which no batch has, as one of the callers. Returns whether the look-up was answered, and so recorded. */
async function lookUp(url, number) {
  const reply = await fetch(`${url}/v1/rays/${rayOf(number)}`, { headers: headersOf(DESKS[number % DESKS.length]) });
  const text = await reply.text();
  if (reply.status === 503) return false;
  if (reply.status !== 404) throw new Error(`ray ${number}: ${reply.status} ${text}`);
  return true;
}

/** Has callers look up rays until told to stop; notes the numbers of those that were answered. */
function startCallers(url, callers, answered, next) {
  let runs = true;
  const caller = async () => {
    while (runs) {
      const number = next();
      try {
        if (await lookUp(url, number)) answered.add(number);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        await pause(5);
      }
    }
  };
  const all = Array.from({ length: callers }, caller);
  return () => ((runs = false), Promise.all(all));
}

/** The entries of the audit log, from the bucket and from its objects; throws where a chain breaks. */
async function readLog(url) {
  const entries = [];
  for (let after = 0; after !== null; ) {
    const reply = await fetch(`${url}/v1/audit?format=ndjson&after=${after}`, { headers: HEADERS });
    const lines = (await reply.text()).trim().split("\n").map((line) => JSON.parse(line));
    const { raydex: end } = lines.pop();
    if (end.error || !end.chain_valid) throw new Error(`the log breaks: ${JSON.stringify(end)}`);
    entries.push(...lines);
    after = end.complete ? null : end.after;
  }
  const ends = new Map();
  for (const { chain = 0, seq, hash, entry } of entries) {
    const before = ends.get(chain) ?? { seq: 0, hash: String(chain).padStart(64, "0") };
    if (hash !== sha256(`${before.hash}\n${entry}`) || seq !== before.seq + 1) throw new Error(`chain ${chain} breaks at entry ${seq}`);
    ends.set(chain, { seq, hash });
  }
  return { chains: ends.size, entries: entries.map(({ entry }) => JSON.parse(entry)) };
}

/** What the objects of the audit log wrote since they were started, and the calls to each. */
async function written(url) {
  const text = await (await fetch(`${url}/metrics`, { headers: HEADERS })).text();
  const figure = (kind) => Number(new RegExp(`raydex_audit_written\\{kind="${kind}"\\} (\\d+)`).exec(text)[1]);
  const ofChains = [...text.matchAll(/raydex_audit_chain_calls\{chain="\d+"\} (\d+)/g)].map(([, calls]) => Number(calls));
  return { ofChains, ...Object.fromEntries(["calls", "commits", "rows", "entries"].map((kind) => [kind, figure(kind)])) };
}

/** Has this number of callers make look-ups. Returns how many calls and rows each took, and what a million costs. */
export async function measureCalls({ callers, lookups, chains = 1 }) {
  const runtime = await startRuntime({ settings: settingsOf(chains) });
  try {
    const url = runtime.url;
    // Each object has its tables, and each chain is known.
    for (let number = 0; number < (chains > 1 ? DESKS.length : 1); number += 1) await lookUp(url, number);
    const before = await written(url);
    const [begun, times] = [performance.now(), []];
    let number = 0;
    const caller = async () => {
      while (number < lookups) {
        const since = performance.now();
        if (!(await lookUp(url, (number += 1)))) throw new Error("a look-up was refused");
        times.push(performance.now() - since);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    const seconds = (performance.now() - begun) / 1000;
    const after = await written(url);
    // Asking for the figures is a call, too, and leaves no entry.
    const share = (kind, own) => (after[kind] - before[kind] - own) / (after.entries - before.entries);
    const figures = { calls: share("calls", 1), commits: share("commits", 1), rows: share("rows", 0) };
    const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
    const ofChains = after.ofChains.map((calls, chain) => calls - (before.ofChains[chain] ?? 0));
    return { callers, lookups: times.length, ...figures, ofChains, dollars: lookupDollars(figures), per_second: times.length / seconds, median_ms: median };
  } finally {
    await runtime.stop();
  }
}

/**
 * Kills the runtime this number of times while callers wait for the audit log. Returns the numbers of look-ups that were
 * answered, of entries, of answered look-ups without an entry, and of look-ups with two.
 */
export async function killLookups({ kills, seed = 1, callers = 24, chains = 1, tell = () => {} }) {
  const random = generator(seed);
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "audit-kills-"));
  const answered = new Set();
  let number = 0;
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      // Every other time there is one chain: their number is raised and lowered, and no entry is lost.
      const runtime = await startRuntime({ state, settings: settingsOf(kill % 2 ? 1 : chains) });
      const stop = startCallers(runtime.url, callers, answered, () => (number += 1));
      await pause(300 + Math.floor(random() * 1_200));
      await runtime.kill();
      await stop();
      tell(`kill ${kill + 1}: ${answered.size} look-ups answered`);
    }
    const runtime = await startRuntime({ state, settings: settingsOf(1) });
    const { chains: read, entries } = await readLog(runtime.url);
    await runtime.stop();
    const counts = new Map();
    for (const { resource } of entries) counts.set(resource, (counts.get(resource) ?? 0) + 1);
    const lookups = Array.from({ length: number }, (_, place) => rayOf(place + 1));
    return {
      answered: answered.size,
      entries: entries.length,
      chains: read,
      missing: [...answered].filter((found) => !counts.has(rayOf(found))).length,
      twice: lookups.filter((ray) => counts.get(ray) > 1).length,
    };
  } finally {
    fs.rmSync(state, { recursive: true, force: true });
  }
}

/** The program of scripts/audit-load. */
async function main() {
  const { values } = parseArgs({
    options: { kills: { type: "string" }, chains: { type: "string", default: "1" }, seed: { type: "string", default: "1" }, lookups: { type: "string", default: "2000" } },
  });
  exitAtSignals();
  const chains = Number(values.chains);
  if (values.kills) {
    const figures = await killLookups({ chains, kills: Number(values.kills), seed: Number(values.seed), tell: (words) => process.stderr.write(`  ${words}\n`) });
    process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
    process.exit(figures.answered > 0 && figures.missing + figures.twice === 0 ? 0 : 1);
  }
  for (const callers of [1, 10, 100]) {
    const figures = await measureCalls({ callers, chains, lookups: Number(values.lookups) });
    const { calls, rows, dollars: price, per_second, median_ms, ofChains } = figures;
    process.stdout.write(`${callers} callers: ${calls.toFixed(4)} calls and ${rows.toFixed(4)} rows a look-up, ${price.toFixed(2)} dollars a million; ${Math.round(per_second)} a second, median ${median_ms.toFixed(1)} ms\n`);
    if (chains > 1) process.stdout.write(`  calls to the object of each chain: ${ofChains.join(", ")}\n`);
  }
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
