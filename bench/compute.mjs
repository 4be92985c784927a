// The rows of plain work: index, inflate, transform, payloads, lookup. Both sides in one workerd, bytes in its memory.
//
// It makes a row only after it found both sides' answers equal to each other, and to what Node's own zlib reads of the
// batch.
import { createHash } from "node:crypto";
import path from "node:path";
import zlib from "node:zlib";
import { guardWorkerd } from "../local/guard.mjs";
import { ROOT } from "../local/runtime.mjs";
import { spreadSamples } from "./batches.mjs";
import { inTurns, meterOf, workerds } from "./cpu.mjs";
import { ask, Wrong } from "./http.mjs";

/** Lookups that are compared byte for byte, of each batch. */
const COMPARED = 5;
/** Most lookups of one request. */
const MOST_LOOKUPS = 200;
/** The batch whose lookups show the tuned baseline too. */
const TUNED_MB = 10;
const TUNED = "baseline tuned with readAtLeast";

/** Stops where `ours` and `expected` are not the same. */
export function same(what, ours, expected) {
  if (ours !== expected) throw new Wrong(`${what}: ${ours} is not ${expected}`);
}

/** Starts the bench's Worker (build/bench). */
export async function startCompute() {
  guardWorkerd();
  const { Miniflare } = await import("miniflare");
  const before = new Set(workerds());
  const miniflare = new Miniflare({ host: "127.0.0.1", port: 0, cf: false, telemetry: { enabled: false }, ...worker() });
  const url = (await miniflare.ready).origin;
  const [pid] = workerds().filter((pid) => !before.has(pid));
  return new Compute(miniflare, url, pid);
}

/** The options of the bench's Worker. */
export function worker() {
  const folder = path.join(ROOT, "build", "bench");
  const modules = [
    { type: "ESModule", path: path.join(folder, "index.js") },
    { type: "CompiledWasm", path: path.join(folder, "index_bg.wasm") },
  ];
  return { name: "bench", rootPath: folder, modulesRoot: folder, modules, compatibilityDate: "2026-04-01" };
}

class Compute {
  #miniflare;
  #url;

  constructor(miniflare, url, pid) {
    this.#miniflare = miniflare;
    this.#url = url;
    this.meter = meterOf(pid);
  }

  #post(path, body) {
    return ask(`${this.#url}${path}`, { method: "POST", body: JSON.stringify(body) });
  }

  /** Gives it a batch, which takes the place of the one before. */
  async load({ mb, key, gzip }) {
    await ask(`${this.#url}/batch/${mb}?key=${encodeURIComponent(key)}`, { method: "PUT", body: gzip });
  }

  async memory() {
    return (await (await ask(`${this.#url}/memory`)).json()).wasm_bytes;
  }

  async run(side, work, batch, times, rays) {
    return (await this.#post("/run", { side, work, batch: String(batch.mb), times, rays })).json();
  }

  /** What the work comes to in full: JSON, or bytes. */
  async check(side, work, batch, ray) {
    const reply = await this.#post("/check", { side, work, batch: String(batch.mb), ray });
    const isJson = reply.headers.get("content-type")?.includes("json");
    return isJson ? reply.json() : Buffer.from(await reply.arrayBuffer());
  }

  /** CPU of one work of both sides. */
  turns(work, batch, options, names = ["ours", "baseline"]) {
    const sides = names.map((name) => ({ name, run: (times) => this.run(name, work, batch, times) }));
    return inTurns(this.meter, sides, options);
  }

  stop() {
    return this.#miniflare.dispose();
  }
}

/** Index, inflate, transform, payloads and (unless `quick`) all of them together, of one batch; and the bytes a ray. */
export async function workRows(compute, batch, { turns, quick, tell }) {
  const of = (words) => `${words}, ${batch.mb} MB`;
  const row = (name, words, figures, note) => ({ name, words: of(words), ...figures, unit: "ms", note });
  const rows = [];
  await compute.load(batch);

  tell(`index, ${batch.mb} MB`);
  const [ours, theirs] = [await compute.check("ours", "index", batch), await compute.check("baseline", "index", batch)];
  same("rays indexed", ours.rays, batch.lines);
  same("rays that the baseline indexed", theirs.rays, batch.lines);
  same("the rays of the index", ours.sha256, theirs.sha256);
  const { tuned, ...usual } = await compute.turns("index", batch, { turns }, sidesOf(quick));
  rows.push(row("index", "index a batch", usual));
  if (tuned) rows.push(row("index_tuned", "the same", { ours: usual.ours, baseline: tuned }, TUNED));
  rows.push({
    name: "bytes_per_ray", words: of("bytes a ray"), ours: exactly(ours.packed / ours.rays),
    baseline: exactly(theirs.json / theirs.rays), unit: "B", note: "baseline: a JSON array",
  });

  tell(`inflate, ${batch.mb} MB`);
  for (const side of ["ours", "baseline", "miniz"]) {
    same(`bytes inflated (${side})`, (await compute.run(side, "inflate", batch, 1)).inflated, batch.inflated);
  }
  const { blocks, crc } = await compute.check("miniz", "inflate", batch);
  same("the checksum of what miniz_oxide inflated", crc, batch.gzip.readUInt32LE(batch.gzip.length - 8));
  const { miniz, ...inflate } = await compute.turns("inflate", batch, { turns }, ["ours", "baseline", "miniz"]);
  rows.push(row("inflate", "inflate alone", inflate, "baseline: workerd's own, native"));
  const stopped = `baseline: miniz_oxide, stopped at ${blocks} blocks, without the checksum that ours takes`;
  rows.push(row("inflate_miniz", "the same", { ours: inflate.ours, baseline: miniz }, stopped));

  tell(`transform to 145 columns, ${batch.mb} MB`);
  const [text, textOfTheirs] = [await compute.check("ours", "transform", batch), await compute.check("baseline", "transform", batch)];
  same("lines transformed", text.lines, batch.lines);
  same("bytes of the partner's text", text.bytes, textOfTheirs.bytes);
  same("the partner's text", text.sha256, textOfTheirs.sha256);
  rows.push(row("transform", "transform to 145 columns", await compute.turns("transform", batch, { turns })));

  tell(`gzip of payloads, ${batch.mb} MB`);
  const packed = {};
  for (const side of ["ours", "baseline"]) {
    const bodies = await compute.check(side, "gzip", batch);
    packed[side] = bodies.length;
    same(`the text in the payloads (${side})`, sha256(zlib.gunzipSync(bodies)), text.sha256);
  }
  const sizes = `${mb(packed.ours)} MB of payloads (level 3, SHA-256 counted in), baseline ${mb(packed.baseline)} MB (level 6, native)`;
  rows.push(row("gzip", "gzip of payloads", await compute.turns("gzip", batch, { turns }), sizes));

  if (quick) return rows;
  tell(`all together, ${batch.mb} MB`);
  const all = await compute.run("ours", "parse", batch, 1);
  same("lines in payloads", all.lines, batch.lines);
  same("rays indexed beside them", all.rays, batch.lines);
  rows.push(row("batch", "all three: index, transform, gzip", await compute.turns("parse", batch, { turns }), "ours: one pass"));
  return rows;
}

/** Lookups in one batch. */
export async function lookupRows(compute, batch, { turns, quick, tell }) {
  tell(`lookup, ${batch.mb} MB`);
  await compute.load(batch);
  const names = sidesOf(quick || batch.mb !== TUNED_MB);
  for (const name of names) {
    // The whole batch is inflated for each by the baseline: a large one shows with one ray what it does.
    for (const { ray, line } of spreadSamples(batch, name === "ours" || batch.mb <= 10 ? COMPARED : 1)) {
      same(`the line of ${ray} (${name})`, (await compute.check(name, "lookup", batch, ray)).toString(), `${line}\n`);
    }
  }
  const sides = names.map((name) => lookupSide(compute, batch, name));
  const { tuned, ...usual } = await inTurns(compute.meter, sides, { turns, aimMs: 600, most: MOST_LOOKUPS });
  const row = (name, words, figures, note) => ({ name, words: `${words}, ${batch.mb} MB`, ...figures, unit: "ms", note });
  const rows = [row(`lookup_${batch.mb}mb`, "lookup", usual, `mean of ${usual.ours.times} rays all over the batch`)];
  if (tuned) rows.push(row(`lookup_${batch.mb}mb_tuned`, "the same", { ours: usual.ours, baseline: tuned }, TUNED));
  return rows;
}

/** The sides, the tuned baseline left out or not. */
function sidesOf(usual) {
  return usual ? ["ours", "baseline"] : ["ours", "baseline", "tuned"];
}

/** One side of a lookup: so many rays of all over the batch in one request, each found. */
function lookupSide(compute, batch, name) {
  const run = async (times) => {
    const rays = spreadSamples(batch, Math.max(times, 1)).map(({ ray }) => ray);
    const found = await compute.run(name, "lookup", batch, times > 0 ? 1 : 0, rays);
    if (times > 0) same(`records found (${name})`, found.records, rays.length);
  };
  // The baseline reads the whole batch, whichever ray it is; ours should meet rays near and far.
  return name === "ours" ? { name, run, least: 8 } : { name, run, times: 1 };
}

/** A figure that does not spread. */
export function exactly(value) {
  return { median: value, min: value, max: value };
}

function mb(bytes) {
  return (bytes / 1e6).toFixed(2);
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
