// Clients that stall: connections that never read, and uploads that say nothing. Everyone else is answered meanwhile.
//
// What they hold has an end that does not depend on them: after the deadline it is free again, for the same callers too.
import { ask, atOnce, inTurns, isWhole, rawConnection, sleep } from "./lib/http.mjs";
import { IDLE_MS, OTHERS_MS } from "./lib/names.mjs";
import { keyOf, rayAt, request } from "./lib/records.mjs";
import { startWorld } from "./lib/world.mjs";

export const name = "stalled";
export const about = "76 connections that never read, 20 uploads that say nothing, and 24 that trickle";

const READERS = 76;
const UPLOADS = 20;
const TRICKLERS = 24;
/** How often the others ask while the stalled ones stay, and how long each may take, in milliseconds. */
const ROUNDS = { slice: 1, whole: 3, full: 3 };
const PATIENCE_MS = { slice: 20_000, whole: 20_000, full: 20_000 };

/**
 * What is wrong with an answer to someone else: it must be right, and soon. A slice runs wherever the tests do, so that its clock is not
 * judged: who is stopped gets no answer at all.
 */
export function lateFault(what, { status, ms, broken, text }, slice = false) {
  if (status === 0) return `${what}: no answer: ${broken}`;
  if (status !== 200) return `${what}: ${status} ${text.slice(0, 100)}`;
  if (broken) return `${what}: broken off: ${broken}`;
  return ms > OTHERS_MS && !slice ? `${what}: after ${Math.round(ms)} ms` : null;
}

const probe = async (url) => [lateFault("any", await ask(url, { timeoutMs: OTHERS_MS + 1_000 }))].filter(Boolean);

export const fakes = [
  { bad: "an answer after three seconds", answer: (_, response) => void setTimeout(() => response.end("{}"), OTHERS_MS + 500), good: () => ({ body: "{}" }), probe },
  { bad: "a refusal of someone who did nothing", answer: () => ({ status: 503, body: "busy" }), probe },
  { bad: "no answer at all", answer: () => {}, probe },
];

export async function attack(context) {
  const world = await startWorld({ build: context.build });
  try {
    const ms = Date.now() - 3_600_000;
    const known = await filledWorld(world, ms, context);
    await stall(world, "76 streams that are never read", readers(world, ms), known, context);
    await stall(world, "20 uploads that say nothing", uploads(world), known, context);
    await stall(world, "24 uploads that trickle", tricklers(world), known, context);
    const traps = await world.traps();
    context.check("the module never trapped", traps > 0 ? [`${traps} traps`] : [], `wasm memory: ${(await world.wasmMiB()).toFixed(1)} MiB`);
  } finally {
    await world.stop();
  }
}

/** Records of more bytes than the sockets of a stream hold. */
async function filledWorld(world, ms, { random, slice, tell }) {
  const each = 400;
  const batches = slice ? 12 : 20;
  tell(`${batches * each} records are indexed`);
  const filler = (at) => `https://www.a.example/${at}?${random.text(300)}${"the same again ".repeat(250)}`;
  for (let at = 0; at < batches; at += 4) {
    const part = Array.from({ length: 4 }, (_, batch) => ({
      key: keyOf("http_requests", ms, at + batch),
      lines: Array.from({ length: each }, (_, line) => request({ ms: ms + line, low: (at + batch) * each + line, ClientRequestReferer: filler(line) })),
    }));
    await world.index(part);
  }
  const small = { ms: ms - 7_200_000, low: 1 };
  await world.index([{ key: keyOf("http_requests", small.ms, 0xfff), lines: [request(small)] }]);
  return small;
}

/** Connections that ask for a stream and never read it. */
function readers(world, ms) {
  // A caller who sees whole lines: their streams are longer than what sockets hold.
  const { authorization } = world.headers("forensics");
  const range = `start=${new Date(ms - 1_000).toISOString()}&end=${new Date(ms + 60_000).toISOString()}`;
  const text = `GET /v1/logs?${range} HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n\r\n`;
  return { caller: "forensics", connect: () => Array.from({ length: READERS }, () => rawConnection(world.url, text)) };
}

/** Uploads of a kilobyte that then say nothing. */
function uploads(world) {
  const { authorization } = world.headers("ingest");
  const piece = `${request({ ms: Date.now(), low: 9 }).padEnd(1_023)}\n`;
  const head = `POST /v1/ingest/http_requests HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`;
  return { caller: "ingest", connect: () => Array.from({ length: UPLOADS }, () => rawConnection(world.url, `${head}400\r\n${piece}\r\n`)) };
}

/** Uploads of three megabytes that then send a line every five seconds. */
function tricklers(world) {
  const { authorization } = world.headers("ingest");
  const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const line = () => `${request({ ms: Date.now(), low: 9 })}\n`;
  const megabyte = chunk(`${request({ ms: Date.now(), low: 9 }).padEnd(1_023)}\n`.repeat(1_024));
  const head = `POST /v1/ingest/http_requests HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`;
  const trickle = () => {
    const connection = rawConnection(world.url, head);
    const write = (text) => connection.socket.writable && connection.socket.write(text);
    connection.opened.then(() => write(megabyte.repeat(3)));
    const timer = setInterval(() => write(chunk(line())), 5_000);
    const destroy = () => (clearInterval(timer), connection.destroy());
    return { ...connection, destroy };
  };
  return { caller: "ingest", connect: () => Array.from({ length: TRICKLERS }, trickle) };
}

/** Connects those who stall, and asks as others; then waits for the deadline. */
async function stall(world, what, { caller, connect }, known, { slice, size, check, tell }) {
  const connections = connect();
  await Promise.all(connections.map(({ opened }) => opened));
  await sleep(slice ? 2_000 : 5_000);
  const [faults, times] = [[], []];
  for (let round = 0; round < ROUNDS[size]; round += 1) {
    for (const [about, make] of othersOf(world, known, PATIENCE_MS[size])) {
      const answer = await make();
      times.push(answer.ms);
      const fault = lateFault(about, answer, slice);
      if (fault) faults.push(fault);
    }
  }
  check(`others are answered beside ${what}`, faults, `${times.length} answers, the slowest after ${Math.round(Math.max(...times))} ms`);
  if (!slice) await deadline(world, what, connections, caller, check, tell);
  for (const { destroy } of connections) destroy();
  await sleep(500);
}

/** What other callers do: a lookup, a range, a health check, an upload. */
function othersOf(world, { ms, low }, timeoutMs) {
  const options = { timeoutMs };
  const start = new Date(ms - 1_000).toISOString();
  const line = request({ ms: Date.now(), low: 77 });
  const upload = { ...options, method: "POST", headers: { "content-type": "application/x-ndjson", "transfer-encoding": "chunked" }, body: `${line}\n` };
  return [
    ["GET /healthz", () => world.ask(null, "/healthz", options)],
    ["a lookup", () => world.ask("other", `/v1/rays/${rayAt(ms, low)}`, options)],
    ["a range", () => world.ask("other", `/v1/logs?start=${start}&end=${new Date(ms + 1_000).toISOString()}`, options)],
    ["an upload", () => world.ask("other-ingest", "/v1/ingest/http_requests", upload)],
  ];
}

/** After the deadline the peers are disconnected, and the same caller gets what it asks for. */
async function deadline(world, what, connections, caller, check, tell) {
  tell(`waiting ${IDLE_MS / 1000} s for the deadline`);
  const began = Date.now();
  let freed;
  while (Date.now() - began < IDLE_MS + 10_000 && freed === undefined) {
    await sleep(2_000);
    // Reading would be progress: whether a peer was disconnected shows in its socket alone, which a pause hides.
    const path = caller === "ingest" ? "/v1/ingest/http_requests" : "/v1/logs?start=0&limit=1";
    const body = caller === "ingest" ? `${request({ ms: Date.now(), low: 5 })}\n` : undefined;
    const options = { method: body ? "POST" : "GET", body, headers: body ? { "content-type": "application/x-ndjson", "transfer-encoding": "chunked" } : {}, timeoutMs: 8_000 };
    const answers = await atOnce(3, () => world.ask(caller, path, options));
    if (answers.every(({ status, broken }) => status === 200 && !broken)) freed = Date.now() - began;
  }
  // What is free before the deadline may have waited for room, not for the peers.
  await sleep(Math.max(0, IDLE_MS - (Date.now() - began)));
  const hasEnded = async (connection) => {
    if (connection.closed()) return true;
    const received = await connection.read(3_000, isWhole);
    // What was refused as a whole holds nothing.
    return connection.closed() || (isWhole(received) && !received.startsWith("HTTP/1.1 200"));
  };
  const stillOpen = async (some) => {
    const ended = await inTurns(some, 16, hasEnded);
    return some.filter((_, at) => !ended[at]);
  };
  let late = await stillOpen(connections);
  if (late.length > 0) {
    // A peer that waited for room began when others were disconnected, and has as long from then on.
    await sleep(IDLE_MS);
    late = await stillOpen(late);
  }
  const open = late.length;
  const faults = freed === undefined ? [`the caller itself gets nothing ${Math.round((Date.now() - began) / 1000)} s later`] : [];
  if (open > 0) faults.push(`${open} of ${connections.length} connections are still open`);
  check(`what ${what} held is free after the deadline`, faults, freed === undefined ? "" : `free after ${(freed / 1000).toFixed(0)} s`);
}
