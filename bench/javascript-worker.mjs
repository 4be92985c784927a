// The JavaScript Worker end to end: the baseline (baseline.mjs) behind HTTP, with a bucket.
//
//   POST /index?key=K          reads a batch, and keeps a JSON array of its rays at index/K.json
//   GET /rays/R?key=K          the line of a ray of that batch
//   GET /rays/R                the same; the batch is looked for in the arrays of all batches
//   PUT /arrays?from&to&records  arrays of batches that were never written, to be looked through
//
// The batch and the arrays are in the same bucket as ours. A lookup reads what it needs and no more.
import { eachLineTuned, index, lookup } from "./baseline.mjs";

const ARRAYS = "index/";

export default {
  async fetch(request, { RAW }) {
    const { pathname, searchParams } = new URL(request.url);
    const [, verb, ray] = pathname.split("/");
    const key = searchParams.get("key");
    if (verb === "index") {
      const json = await index((await RAW.get(key)).body);
      await RAW.put(`${ARRAYS}${key}.json`, json);
      return Response.json({ json: json.length });
    }
    if (verb === "arrays") return Response.json(await seed(RAW, searchParams));
    const batch = key ?? (await batchOf(RAW, ray));
    if (!batch) return new Response("no such ray\n", { status: 404 });
    const object = await RAW.get(batch);
    const lines = await lookup(object.body, ray, searchParams.has("tuned") ? eachLineTuned : undefined);
    return new Response(lines.map((line) => `${line}\n`).join(""), { headers: { "bytes-read": String(object.size) } });
  },
};

/** The batch whose array has the ray. */
async function batchOf(bucket, ray) {
  let cursor;
  do {
    const page = await bucket.list({ prefix: ARRAYS, cursor });
    for (const { key } of page.objects) {
      const rays = JSON.parse(await (await bucket.get(key)).text());
      if (rays.includes(ray)) return key.slice(ARRAYS.length, -".json".length);
    }
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor);
  return undefined;
}

/** Writes arrays of so many rays, none of which is looked up: as many before the real ones as behind them. */
async function seed(bucket, asked) {
  const [from, to, records] = ["from", "to", "records"].map((name) => Number(asked.get(name)));
  for (let number = from; number < to; number += 1) {
    const ray = (record) => (number * 4096 + record).toString(16).padStart(16, "0");
    const json = JSON.stringify(Array.from({ length: records }, (_, record) => ray(record)));
    await bucket.put(`${ARRAYS}${number % 2 ? "z" : "-"}/${String(number).padStart(8, "0")}.json`, json);
  }
  return { arrays: to - from };
}
