// The world of the worst records: what the limits allow of lines, records of a ray, batches, messages and objects.
import { firewallEvent, growingNames, growingText, growingValues, keyOf, manyOfRay, rayAt, request, worstTrace } from "./records.mjs";
import { inTurns, jsonOf } from "./http.mjs";
import { LATER, valuesOf } from "./values.mjs";
import { startWorld } from "./world.mjs";

/** How much there is of everything (`growing`: long records of one ray): in a run that takes a minute, and in one that takes its time. */
const SIZES = {
  slice: { traces: 8, growing: 4, ofRay: 200, hundred: 10_000, batches: 40, objects: 100, deadLetters: 40, entries: 40 },
  whole: { traces: 40, growing: 8, ofRay: 1_000, hundred: 20_000, batches: 300, objects: 2_000, deadLetters: 100, entries: 250 },
  full: { traces: 120, growing: 8, ofRay: 1_000, hundred: 40_000, batches: 1_000, objects: 10_000, deadLetters: 100, entries: 400 },
};

/** A line that is just not too long, in bytes. */
const LONGEST = 1_000_000;

/** Starts it. Returns the world, and the values of the names in braces of routes.json. */
export async function heavyWorld({ build, size, random, tell }) {
  const sizes = SIZES[size];
  const world = await startWorld({ build, people: true, partner: true, edge: true, settings: { BATCH_SIZE: "10000" } });
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const ms = now - 3_600_000;
  tell("the worst records are indexed");
  await world.index(batchesOf(ms, sizes, random));
  const others = Array.from({ length: sizes.batches }, (_, at) => ({
    key: keyOf("http_requests", ms + at * 400, 0x1000 + at),
    lines: [request({ ms: ms + at * 400, low: 0x500000 + at })],
  }));
  await world.index(others);
  tell(`${sizes.objects} objects and ${sizes.deadLetters} dead letters are written`);
  const objects = Array.from({ length: sizes.objects }, (_, at) => keyOf("http_requests", ms - 90_000_000, 0x100000 + at));
  await inTurns(objects, 8, (key) => world.runtime.put(key, Buffer.from("{}\n")));
  // The first one is a message that can be sent again.
  const event = world.runtime.event(await world.runtime.put(objects[0], Buffer.from("{}\n")));
  await world.runtime.dispatch("parse-dlq", [event]);
  const letters = Array.from({ length: sizes.deadLetters }, (_, at) => ({ at, words: random.text(100_000) }));
  for (let at = 0; at < letters.length; at += 10) await world.runtime.dispatch("parse-dlq", letters.slice(at, at + 10));
  const filter = encodeURIComponent(JSON.stringify({ where: { or: Array.from({ length: 40 }, (_, at) => condition(at, random)) } }));
  const reason = { "raydex-reason": "because ".repeat(60).trim() };
  await inTurns([...Array(sizes.entries).keys()], 16, (at) =>
    world.ask("root", `/v1/rays/${rayAt(ms, 0x700000 + at)}?filter=${filter}`, { headers: reason }),
  );
  return { world, values: valuesOf({ ms, now, batch: jsonOf(await world.ask("root", "/v1/batches?limit=1"))?.batches?.[0]?.id }) };
}

const condition = (at, random) => ({ key: "ClientRequestHost", operator: "eq", value: `${at}.${random.text(60)}.example` });

function batchesOf(ms, { traces, growing, ofRay, hundred: bytes }, random) {
  const range = (count, make) => Array.from({ length: count }, (_, at) => make(at));
  const each = 40;
  const hundred = range(100, (at) => growingValues(ms + LATER, 0x40000 + at, bytes));
  return [
    ...range(Math.ceil(traces / each), (batch) => ({
      key: keyOf("workers_trace_events", ms, 1 + batch),
      lines: range(Math.min(each, traces - batch * each), (at) => worstTrace(ms, batch * each + at)),
    })),
    { key: keyOf("http_requests", ms, 0x101), lines: range(growing, () => growingValues(ms + 1_000, 0x10000, LONGEST)) },
    { key: keyOf("http_requests", ms, 0x102), lines: range(growing, () => growingNames(ms + 2_000, 0x20000, LONGEST)) },
    { key: keyOf("http_requests", ms, 0x107), lines: range(growing, () => growingText(ms + 2_000, 0x20000, LONGEST)) },
    { key: keyOf("http_requests", ms + LATER, 0x103), lines: hundred },
    { key: keyOf("http_requests", ms + LATER, 0x104), lines: manyOfRay(ms + LATER, 0x30000, ofRay, 8_000, random) },
    { key: keyOf("firewall_events", ms, 0x105), lines: range(200, (at) => firewallEvent({ ms: ms + 5_000, low: at, Description: random.text(5_000) })) },
    { key: keyOf("http_requests", ms, 0x106), lines: [...range(30, (at) => request({ ms, low: 0x60000 + at })), ...Array(2).fill("no record")] },
  ];
}
