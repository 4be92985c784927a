// A trap on purpose, under sixty-four streams: each of them is whole with its marker, or broken.
//
// The module gets less memory than its own accounts count on, and a batch of very many records is indexed while the streams are
// open: memory ends, and everything in flight in the isolate dies.
import { gzipSync } from "node:zlib";
import { endOf, endsOf } from "./lib/ends.mjs";
import { openAnswer, sleep } from "./lib/http.mjs";
import { END_HEADER } from "./lib/names.mjs";
import { keyOf, request } from "./lib/records.mjs";
import { startWorld, ZONE } from "./lib/world.mjs";

export const name = "trap";
export const about = "a provoked trap under 64 streams: each whole with its marker, or broken";

const STREAMS = 64;
/** Memory that the module may have, in pages of 64 KiB: 24 MiB. */
const PAGES = 384;

const cutBody = "1\n2\n";
const probe = async (url) => {
  const answer = await openAnswer(url).done;
  return [endOf(answer, "marked", 2).fault].filter(Boolean);
};

export const fakes = [
  { bad: "a stream that ends short with a proper end", answer: () => ({ headers: { [END_HEADER]: "t" }, body: cutBody }), good: (request, response) => void (response.write(cutBody), setTimeout(() => request.socket.destroy(), 20)), probe },
];

export async function attack({ build, slice, check, random, tell }) {
  const world = await startWorld({ build, memoryPages: PAGES, people: true });
  try {
    const ms = Date.now() - 3_600_000;
    const each = 300;
    const batches = slice ? 4 : 20;
    for (let batch = 0; batch < batches; batch += 1) {
      const filler = Array.from({ length: each }, () => random.text(1_000) + "so it goes on ".repeat(200));
      await world.index([{ key: keyOf("http_requests", ms, batch), lines: filler.map((words, at) => request({ ms: ms + at, low: batch * each + at, ClientRequestReferer: `https://www.a.example/${words}` })) }]);
    }
    const lines = batches * each;
    const open = opened(world, ms, slice ? 16 : STREAMS);
    await Promise.race([Promise.all(open.map(({ answer }) => answer.head)), sleep(15_000)]);
    tell(`${open.length} streams are open; the memory is exhausted`);
    const from = world.log.length;
    const many = await manySmall(ms);
    const object = await world.runtime.put(keyOf("http_requests", ms, 0xffff), many);
    const outcome = await world.runtime.dispatch("parse-queue", [world.runtime.event(object)]).catch((error) => ({ outcome: String(error) }));
    const traps = await provokedTraps(world, from);
    check("a trap was provoked", traps > 0 ? [] : [`none: ${JSON.stringify(outcome).slice(0, 200)}`], `${traps} traps`);
    for (const { answer } of open) answer.resume();
    const ends = await Promise.all(open.map(async ({ answer, end, head }) => endOf(await answer.done, end, lines + head)));
    check("no stream ended short and well", ends.map(({ fault }) => fault).filter(Boolean), endsOf(ends));
    const after = await world.ask("viewer", "/v1/logs?start=0&limit=1", { timeoutMs: 20_000 });
    check("the next request is answered", after.status === 200 ? [] : [`${after.status} ${after.broken ?? ""} ${after.text.slice(0, 100)}`]);
  } finally {
    await world.stop();
  }
}

/** The traps since line `from` of the log. On a busy machine their line comes after the answer of the request that caused it. */
async function provokedTraps(world, from) {
  let traps = 0;
  for (let asked = 0; traps === 0 && asked < 20; asked += 1) {
    await sleep(500);
    traps = await world.traps(from);
  }
  return traps;
}

/** Streams of every form, which are not read. */
function opened(world, ms, count) {
  const range = `start=${new Date(ms - 1_000).toISOString()}&end=${new Date(ms + 60_000).toISOString()}`;
  const forms = [
    [`/v1/logs?${range}`, "marked", 0],
    [`/v1/logs?${range}&format=csv`, "marked", 1],
    [`/v1/logs?${range}&format=json`, "document", 0],
    [`/client/v4/zones/${ZONE}/logs/received?${range.replace(/\.\d+Z/g, "Z")}`, "pure", 0],
  ];
  return Array.from({ length: count }, (_, at) => {
    const [path, end, head] = forms[at % forms.length];
    const caller = `s${at}@forensics.example`;
    return { end, head, answer: openAnswer(`${world.url}${path}`, { headers: world.headers(caller), paused: true, keep: 0, timeoutMs: 120_000 }) };
  });
}

/** A batch of very many small records, whose index takes 16 MiB while it is made, and 24 while it grows. */
async function manySmall(ms) {
  const pieces = [];
  for (let at = 0; at < 1_100_000; at += 1) {
    const low = (at * 2_654_435_761) >>> 4;
    pieces.push(`{"RayID":"${prefixOf(ms)}${low.toString(16).padStart(7, "0").slice(-7)}${(at & 0xff).toString(16).padStart(2, "0")}${"00"}"}`);
  }
  return gzipSync(`${pieces.join("\n")}\n`, { level: 1 });
}

/** The first five digits of the rays of that time. */
function prefixOf(ms) {
  return JSON.parse(request({ ms, low: 0 })).RayID.slice(0, 5);
}
