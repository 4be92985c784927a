// The bench's Worker: the crate's own work and the JavaScript baseline in one isolate, over batches in its memory.
//
//   PUT /batch/NAME?key=K        keeps a batch, and indexes it for lookups
//   POST /run    {side, work, batch, times, rays}   does it so often; answers with what the last time came to
//   POST /check  {side, work, batch, ray}           does it once, and answers with what it came to in full
//   GET /memory                                     what the wasm module has grown to
//   POST /seed   {from, to, records, start, step, within}  entries of batches that were never written, into the shards
//
// `side` is `ours`, `baseline`, `tuned` (baseline.mjs) or `miniz` (the inflater of another crate). Both sides get the
// same bytes, and `run` does nothing but the work.
import * as wasm from "raydex-wasm";
import * as baseline from "./baseline.mjs";

const batches = new Map();
const BATCHES_AT_ONCE = 6;

/** The work of each side, by name: done once. */
const WORKS = {
  ours: {
    inflate: ({ gzip }) => JSON.parse(wasm.bench_inflate(gzip)),
    index: ({ gzip }) => JSON.parse(wasm.bench_index(gzip, false)),
    transform: ({ gzip }) => JSON.parse(wasm.bench_transform(gzip, false)),
    parse: ({ gzip }) => JSON.parse(wasm.bench_parse(gzip)),
    gzip: (batch) => packed(batch, ours(batch)),
    lookup: (batch, rays) => JSON.parse(opened(batch).lookup(rays)),
  },
  baseline: {
    inflate: async ({ gzip }) => ({ inflated: await baseline.inflate(baseline.bodyOf(gzip)) }),
    index: async ({ gzip }) => ({ json: (await baseline.index(baseline.bodyOf(gzip))).length }),
    transform: async ({ gzip }) => ({ bytes: await transformed(gzip, (text) => text.length) }),
    parse: async ({ gzip }) => {
      const json = (await baseline.index(baseline.bodyOf(gzip))).length;
      return { json, bytes: await transformed(gzip, async (text) => (await baseline.pack(text)).length) };
    },
    gzip: (batch) => packed(batch, baseline.pack),
    lookup: ({ gzip }, rays) => found(gzip, rays),
  },
  miniz: { inflate: ({ gzip }) => JSON.parse(wasm.bench_inflate_miniz(gzip, false)) },
  tuned: {
    index: async ({ gzip }) => ({ json: (await baseline.index(baseline.bodyOf(gzip), baseline.eachLineTuned)).length }),
    lookup: ({ gzip }, rays) => found(gzip, rays, baseline.eachLineTuned),
  },
};

/** What each work comes to, to be compared. */
const CHECKS = {
  ours: {
    index: ({ gzip }) => JSON.parse(wasm.bench_index(gzip, true)),
    transform: ({ gzip }) => JSON.parse(wasm.bench_transform(gzip, true)),
    gzip: (batch) => bodies(batch, ours(batch)),
    lookup: (batch, ray) => opened(batch).lines(ray),
  },
  baseline: {
    index: async ({ gzip }) => {
      const json = await baseline.index(baseline.bodyOf(gzip));
      const rays = JSON.parse(json);
      const sorted = [...new Set(rays)].sort().map((ray) => `${ray}\n`).join("");
      return { rays: rays.length, json: json.length, sha256: await sha256([new TextEncoder().encode(sorted)]) };
    },
    transform: async (batch) => {
      const texts = await textsOf(batch);
      const bytes = texts.reduce((sum, text) => sum + text.length, 0);
      return { bytes, sha256: await sha256(texts) };
    },
    gzip: (batch) => bodies(batch, baseline.pack),
    lookup: ({ gzip }, ray) => linesOf(gzip, ray),
  },
  miniz: { inflate: ({ gzip }) => JSON.parse(wasm.bench_inflate_miniz(gzip, true)) },
  tuned: { lookup: ({ gzip }, ray) => linesOf(gzip, ray, baseline.eachLineTuned) },
};

export default {
  async fetch(request, env) {
    try {
      return answer(await respond(request, env));
    } catch (error) {
      return new Response(String(error.stack ?? error), { status: 500 });
    }
  },
};

async function respond(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  const [, verb, name] = pathname.split("/");
  if (verb === "batch") {
    batches.clear();
    batches.set(name, { gzip: new Uint8Array(await request.arrayBuffer()), key: searchParams.get("key") });
    return { bytes: batches.get(name).gzip.length };
  }
  if (verb === "memory") return { wasm_bytes: wasm.bench_memory() };
  const asked = await request.json();
  if (verb === "seed") return seed(env, asked);
  const batch = batches.get(asked.batch);
  if (verb === "check") return CHECKS[asked.side][asked.work](batch, asked.ray);
  const work = WORKS[asked.side][asked.work];
  let last = {};
  for (let done = 0; done < asked.times; done += 1) last = await work(batch, asked.rays);
  return last;
}

/** Bytes as they are, all else as JSON. */
function answer(value) {
  return value instanceof Uint8Array ? new Response(value) : Response.json(value);
}

async function found(gzip, rays, each) {
  let records = 0;
  for (const ray of rays) records += (await baseline.lookup(baseline.bodyOf(gzip), ray, each)).length;
  return { records };
}

function opened(batch) {
  batch.opened ??= new wasm.BenchBatch(batch.key, batch.gzip);
  return batch.opened;
}

function ours(batch) {
  batch.packer ??= new wasm.BenchPacker();
  return (text) => batch.packer.pack(text);
}

/** The partner's text of a batch, in payloads; made once, by the baseline, and compared with ours in `transform`. */
async function textsOf(batch) {
  if (!batch.texts) {
    const texts = [];
    await baseline.transform(baseline.bodyOf(batch.gzip), (text) => texts.push(text));
    batch.texts = texts;
  }
  return batch.texts;
}

async function transformed(gzip, take) {
  let bytes = 0;
  await baseline.transform(baseline.bodyOf(gzip), async (text) => {
    const taken = await take(text);
    bytes += taken;
  });
  return bytes;
}

async function packed(batch, pack) {
  let bytes = 0;
  for (const text of await textsOf(batch)) bytes += (await pack(text)).length;
  return { bytes };
}

async function bodies(batch, pack) {
  const packed = [];
  for (const text of await textsOf(batch)) packed.push(await pack(text));
  return new Uint8Array(await new Blob(packed).arrayBuffer());
}

async function linesOf(gzip, ray, each) {
  const lines = await baseline.lookup(baseline.bodyOf(gzip), ray, each);
  return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
}

async function sha256(pieces) {
  const digest = new crypto.DigestStream("SHA-256");
  const writer = digest.getWriter();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
  return [...new Uint8Array(await digest.digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Puts the entries of batches `from` to `to` into the shards: each begins `step` after the one before, `within` so many milliseconds. */
async function seed(env, { from, to, records, start, step, within = Infinity }) {
  let rows = 0;
  const put = async (number) => {
    for (const [shard, call, body] of wasm.bench_puts(number, start + (number * step) % within, records)) {
      const url = `http://object/${call}?${encodeURIComponent(shard)}`;
      const reply = await env.RAY_SHARD.getByName(shard).fetch(url, { method: "POST", body });
      if (!reply.ok) throw new Error(`batch ${number}: ${await reply.text()}`);
      const put = await reply.json();
      rows += put.rows_written;
    }
  };
  for (let next = from; next < to; next += BATCHES_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(BATCHES_AT_ONCE, to - next) }, (_, at) => next + at);
    await Promise.all(numbers.map(put));
  }
  return { rows };
}
