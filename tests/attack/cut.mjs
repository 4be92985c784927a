// Cut streams: the bucket fails in the middle of a stream, in every form. A stream is whole and says so, or says that it is cut,
// or breaks; it never ends short as if it were whole. Nothing that is stored can look like its last line.
import { ask, inTurns, linesOf } from "./lib/http.mjs";
import { endOf, endsOf } from "./lib/ends.mjs";
import { END_HEADER, PURE } from "./lib/names.mjs";
import { keyOf, rayAt, request } from "./lib/records.mjs";
import { startWorld, ZONE } from "./lib/world.mjs";

export const name = "cut";
export const about = "streams of every form while the bucket fails: whole and said so, or broken";

const BATCHES = 6;
const EACH = 400;

/** Streams of every form: how each ends, and how many lines come before the records. */
function streams(from, to, rays) {
  const range = `start=${new Date(from).toISOString()}&end=${new Date(to).toISOString()}`;
  const plain = range.replace(/\.\d+Z/g, "Z");
  const marked = ["native", "csv", "partner"].map((form) => [form, { path: `/v1/logs?${range}&format=${form}`, end: "marked", head: form === "csv" ? 1 : 0 }]);
  const pure = ["native", "csv", "partner"].map((form) => [`${form}, ${PURE}`, { path: `/v1/logs?${range}&format=${form}&${PURE}`, end: "pure", head: form === "csv" ? 1 : 0 }]);
  return Object.fromEntries([
    ...marked,
    ["json", { path: `/v1/logs?${range}&format=json`, end: "document" }],
    ...pure,
    ["Logpull", { path: `/client/v4/zones/${ZONE}/logs/received?${plain}`, end: "pure", head: 0 }],
    ["Logs Engine", { path: `/client/v4/accounts/a/logs/retrieve?${plain}&bucket=cdn-logs-raw&prefix=logs/http_requests/%7BDATE%7D`, end: "pure", head: 0 }],
    // Its start, the nearest 500 of all records, which are of one client, and their numbers.
    ["neighbours", { path: `/v1/rays/${rays[0]}/neighbours?by=client&limit=500&format=ndjson`, end: "marked", lines: 502 }],
    ["POST /v1/rays", { path: "/v1/rays", body: JSON.stringify({ rays }), end: "marked", lines: rays.length }],
  ]);
}

const marked = (lines, last, token = "t0ken") => ({ headers: { [END_HEADER]: token }, body: `${[...lines, last].join("\n")}\n` });
const judged = (form, lines) => async (url) => [endOf(await ask(url), form, lines).fault].filter(Boolean);
const WHOLE = '{"raydex":{"complete":true,"end":"t0ken"}}';

export const fakes = [
  { bad: "a stream without a marker", answer: () => marked(['{"a":1}'], '{"a":2}'), good: () => marked(['{"a":1}'], WHOLE), probe: judged("marked", 1) },
  { bad: "a stored record in the place of the marker", answer: () => marked(['{"a":1}'], '{"raydex":{"complete":true}}'), probe: judged("marked", 1) },
  { bad: "a marker that says whole of half the lines", answer: () => marked(['{"a":1}'], WHOLE), probe: judged("marked", 2) },
  { bad: "a token that is in another line too", answer: () => marked([WHOLE], WHOLE), probe: judged("marked", 1) },
  { bad: "a pure stream that ends short", answer: () => ({ body: "1\n" }), good: () => ({ body: "1\n2\n" }), probe: judged("pure", 2) },
  { bad: "the last words of another response", answer: () => ({ headers: { [END_HEADER]: "t0ken" }, body: "1\nError streaming data: other\n" }), good: () => ({ headers: { [END_HEADER]: "t0ken" }, body: "1\nError streaming data: t0ken\n" }), probe: judged("pure", 3) },
  { bad: "half a document", answer: (_, response) => void (response.write('{"a":['), response.end()), good: () => ({ body: "{}" }), probe: judged("document") },
];

export async function attack(context) {
  const { build, check, slice } = context;
  const bucket = { fault: null, reads: 0, after: 0 };
  const faults = ({ op, key }) => {
    if (op !== "get" || !key.startsWith("logs/") || !bucket.fault) return null;
    bucket.reads += 1;
    return bucket.reads > bucket.after ? bucket.fault : null;
  };
  const world = await startWorld({ build, faults });
  try {
    const ms = Date.now() - 3_600_000;
    const lines = await filled(world, ms, context);
    const rays = Array.from({ length: 60 }, (_, at) => rayAt(ms + at, at));
    const all = Object.entries(streams(ms - 1_000, ms + 60_000, rays));
    await whole(world, all, lines, check);
    const kinds = slice ? ["cut"] : ["cut", "error", "missing"];
    const places = slice ? [2] : [0, 1, 2, 4];
    for (const [form, stream] of all) await cut(world, form, stream, lines, { bucket, kinds, places }, check);
    await tokens(world, all, check);
    const traps = await world.traps();
    check("the module never trapped", traps > 0 ? [`${traps} traps`] : []);
  } finally {
    await world.stop();
  }
}

/** Batches of records of one zone, some of which try to look like the last line of a stream. Returns how many lines there are. */
async function filled(world, ms, { random }) {
  const forged = { raydex: { complete: true, truncated: false, stats: {}, elapsed_ms: 1 } };
  const cell = `# raydex ${JSON.stringify(forged.raydex)}`;
  const batches = Array.from({ length: BATCHES }, (_, batch) => ({
    key: keyOf("http_requests", ms, batch),
    lines: Array.from({ length: EACH }, (_, line) => {
      const made = request({ ms: ms + line, low: batch * 0x1000 + line, ClientRequestReferer: `https://www.a.example/${random.text(600)}` });
      if (line % 50 === 1) return `${JSON.stringify(forged).slice(0, -1)},${made.slice(1)}`;
      if (line % 50 === 2) return JSON.stringify({ ...JSON.parse(made), ClientRequestUserAgent: cell, ClientRequestHost: "www.a.example", raydex: forged.raydex });
      return made;
    }),
  }));
  await world.index(batches);
  return BATCHES * EACH;
}

/** Every stream in the normal case: whole, and said so, plain and compressed; with records that look like its end, too. */
async function whole(world, all, lines, check) {
  for (const [form, { path, body, end, head = 0, lines: own }] of all) {
    const expected = (own ?? lines) + head;
    const method = body ? "POST" : "GET";
    const headers = body ? { "content-type": "application/json" } : {};
    let answer = await world.ask("forensics", path, { method, body, headers });
    let asked = 1;
    // A stream that broke has said so: its client asks again. One that is short and well ended is a fault at once.
    for (; asked < 3 && endOf(answer, end, expected).end === "broken"; asked += 1) {
      answer = await world.ask("forensics", path, { method, body, headers });
    }
    const { end: how, fault } = endOf(answer, end, expected);
    const faults = fault ? [fault] : how === "whole" ? [] : [`it is ${how} (${answer.status}) ${answer.text.slice(-700)}`];
    check(`${form}: a whole stream says so`, faults, `${linesOf(answer.text).length} lines, asked for ${asked === 1 ? "once" : `${asked} times`}`);
    if (end !== "marked" || body) continue;
    const forging = `${path}&fields=raydex,RayID`;
    const forged = endOf(await world.ask("forensics", forging), end, undefined);
    check(`${form}: no stored record makes a marker`, forged.fault ? [forged.fault] : [], "fields=raydex,RayID");
  }
}

/** A stream while the bucket fails at one of its reads. */
async function cut(world, form, { path, body, end, head = 0, lines: own }, lines, { bucket, kinds, places }, check) {
  const ends = [];
  for (const kind of kinds) {
    for (const after of places) {
      for (const encoding of ["identity", "gzip"]) {
        Object.assign(bucket, { fault: kind, reads: 0, after });
        const method = body ? "POST" : "GET";
        const headers = { "accept-encoding": encoding, ...(body ? { "content-type": "application/json" } : {}) };
        const answer = await inflated(await world.ask("forensics", path, { method, body, headers }));
        bucket.fault = null;
        const ended = endOf(answer, end, (own ?? lines) + head);
        ends.push({ ...ended, fault: ended.fault && `${kind} at read ${after}, ${encoding}: ${ended.fault}` });
      }
    }
  }
  const faults = ends.map(({ fault }) => fault).filter(Boolean);
  if (ends.every(({ end: how }) => how === "refused")) faults.push("every request was refused");
  check(`${form}: a cut stream is never short and well ended`, faults, endsOf(ends));
}

/** The answer as text, whatever its encoding; a gzip that ends early is broken. */
async function inflated(answer) {
  if (answer.headers["content-encoding"] !== "gzip") return answer;
  const { gunzipSync } = await import("node:zlib");
  try {
    const text = gunzipSync(answer.body).toString();
    return { ...answer, text, tail: text.slice(-8_192), bytes: Buffer.byteLength(text), lines: linesOf(text).length };
  } catch (error) {
    return { ...answer, broken: answer.broken ?? error.code };
  }
}

/** Tokens that a reader cannot guess: of a hundred answers no two are equal, and none is short. */
async function tokens(world, all, check) {
  const [, { path }] = all[0];
  const found = await inTurns(Array(100).fill(`${path}&limit=1`), 8, async (url) => (await world.ask("forensics", url)).headers[END_HEADER]);
  const known = new Set(found);
  const faults = [];
  if (known.size < found.length) faults.push(`${known.size} different tokens in ${found.length} answers: ${[...known].slice(0, 2)}`);
  if (found.some((token) => (token ?? "").length < 16)) faults.push("a token has fewer than 16 signs");
  check("the token of an end cannot be guessed", faults, `${known.size} of ${found.length} differ`);
}
