// Reads write nothing: lookups of made-up rays, handles and ranges leave no database with tables on the disk.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ask, jsonOf } from "./lib/http.mjs";
import { keyOf, rayAt, request } from "./lib/records.mjs";
import { startWorld, ZONE } from "./lib/world.mjs";

export const name = "objects";
export const about = "reads create no object and open no table, whatever handle is made up";

/** A table that the runtime has not made for itself. */
const TABLE = /CREATE TABLE (?:IF NOT EXISTS )?["'`]?(?!_cf_|sqlite_)[a-z]/i;

/** The databases under a folder that have tables; what a write-ahead log says counts as its database's. */
export function databases(folder) {
  const found = new Set();
  for (const entry of fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true, withFileTypes: true }) : []) {
    if (!/\.sqlite(-wal)?$/.test(entry.name) || entry.name.startsWith("metadata")) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (TABLE.test(fs.readFileSync(file, "latin1"))) found.add(file.replace(/-wal$/, ""));
  }
  return found;
}

/** Databases that are new since `before`. */
export function created(before, after) {
  return [...after].filter((file) => !before.has(file));
}

const folderOf = () => fs.mkdtempSync(path.join(os.tmpdir(), "raydex-attack-"));
const probe = async (url) => {
  const folder = folderOf();
  const before = databases(folder);
  const { text } = await ask(url);
  // What the server says it would write is written here.
  for (const file of jsonOf({ text }) ?? []) fs.writeFileSync(path.join(folder, file), "SQLite… CREATE TABLE entries (a)");
  const found = created(before, databases(folder));
  fs.rmSync(folder, { recursive: true });
  return found;
};

export const fakes = [
  { bad: "a read that makes a database", answer: () => ({ body: '["a.sqlite"]' }), good: () => ({ body: '["a.txt"]' }), probe },
];

export async function attack({ build, random, check }) {
  const state = folderOf();
  const world = await startWorld({ build, state });
  const folder = path.join(state, "objects");
  try {
    const ms = Date.now() - 3_600_000;
    await world.index([{ key: keyOf("http_requests", ms, 1), lines: [request({ ms, low: 1 })] }]);
    const batch = jsonOf(await world.ask("root", "/v1/batches"))?.batches?.[0]?.id ?? "h.1";
    // Objects that every deployment has exist once they were asked.
    for (const [, make] of reads({ ms, batch, random, known: true })) await make(world);
    for (const [what, make] of reads({ ms, batch, random, known: false })) {
      const before = databases(folder);
      const answers = [await make(world)].flat();
      const found = created(before, databases(folder));
      const refused = answers.every(({ status }) => status === 401 || status === 403 || status >= 500 || status === 0);
      const faults = found.length > 0 ? [`${found.length} databases are new`] : refused ? [`${answers[0].status} ${answers[0].text.slice(0, 100)}`] : [];
      check(`${what} creates no object`, faults, `${answers.length} requests (${answers[0].status}); ${before.size} databases before, ${before.size + found.length} after`);
    }
  } finally {
    await world.stop();
    fs.rmSync(state, { recursive: true, force: true });
  }
}

/** Reads of what is not there; `known`: of what is. */
function reads({ ms, batch, random, known }) {
  const anyRay = () => (known ? rayAt(ms, 1) : rayAt(1_360_000_000_000 + random.below(400_000) * 1_000_000, random.below(2 ** 28)));
  const madeUp = () => (known ? batch : batch.replace(/[0-9a-f]/g, (sign) => (random.chance(0.4) ? random.text(1, "0123456789") : sign)));
  const post = (where, body) => (world) => world.ask("operator", where, { method: "POST", body: body && JSON.stringify(body), headers: { "content-type": "application/json" } });
  const some = (count, make) => async (world) => {
    const answers = [];
    for (let at = 0; at < count; at += 1) answers.push(await make()(world));
    return answers;
  };
  const get = (where) => (world) => world.ask("operator", where);
  const old = known ? "start=0" : "start=2013-01-01T00:00:00Z&end=2031-01-01T00:00:00Z";
  const day = new Date(ms - 2 * 86_400_000).toISOString();
  return [
    ["a list of a hundred rays", post("/v1/rays", { rays: Array.from({ length: 100 }, anyRay) })],
    ["a list of a hundred names", post("/v1/rays", { rays: Array.from({ length: 100 }, () => (known ? "a-name" : `no-${random.text(12)}`)) })],
    ["a lookup", some(10, () => get(`/v1/rays/${anyRay()}`))],
    ["a lookup by Cloudflare's clients", some(10, () => get(`/client/v4/zones/${ZONE}/logs/rayids/${anyRay()}`))],
    ["the deliveries of a ray", some(10, () => get(`/v1/rays/${anyRay()}/deliveries`))],
    ["a range", get(`/v1/logs?${old}&limit=1`)],
    ["a batch", some(20, () => get(`/v1/batches/${madeUp()}`))],
    ["a replay", some(10, () => post(`/v1/batches/${madeUp()}/replay`, { reason: "x" }))],
    ["a decision about a payload", some(10, () => post(`/v1/payloads/${madeUp()}.${1 + random.below(9)}/drop`, { reason: "x" }))],
    ["a backfill", some(5, () => get(`/v1/backfills/${known ? 1 : random.below(1_000_000)}`))],
    ["the end of a backfill", some(5, () => post(`/v1/backfills/${known ? 1 : random.below(1_000_000)}/stop`))],
    ["a dead letter", some(5, () => post(`/v1/dead-letters/${known ? 1 : random.text(8)}/redrive`, { reason: "x" }))],
    ["coverage", get(`/v1/coverage?start=${known ? new Date(ms).toISOString() : day}`)],
    ["totals", get("/v1/stats")],
  ];
}
