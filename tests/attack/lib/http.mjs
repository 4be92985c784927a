// Asks over HTTP, and keeps of an answer what an attack judges. Nothing here throws: a connection that fails is an answer.
//
// Every request has a connection of its own, so that one that breaks takes no other with it.
import http from "node:http";
import net from "node:net";

/** Bytes of the end of an answer that are kept, however long it is. */
const TAIL = 8 * 1024;
/** How long an answer may take as a whole, in milliseconds. */
const PATIENCE_MS = 120_000;

/**
 * Asks. `resends`: how often a request is sent again that the runtime did not take. `keep`: bytes of the body that are kept whole (default: all). Returns {status, headers, body, text, tail, bytes, lines, broken, ms,
 * firstMs}: `broken` says why the connection ended before the answer did, `status` is 0 where there was no answer.
 */
export async function ask(url, { resends = 0, ...options } = {}) {
  const answer = await openAnswer(url, options).done;
  if (answer.status !== 0 || resends === 0 || answer.broken !== "ECONNRESET") return answer;
  // The local runtime closes a connection that it could not look at for five seconds: the request never arrived.
  const again = await ask(url, { ...options, resends: resends - 1 });
  return { ...again, resent: (again.resent ?? 0) + 1 };
}

/** The same for a reader that may stop to read: `pause`, `resume`, `destroy`, and `head`, which settles with the headers. */
export function openAnswer(url, { method = "GET", headers = {}, body, keep = Infinity, timeoutMs = PATIENCE_MS, paused = false } = {}) {
  const began = performance.now();
  const answer = { status: 0, headers: {}, text: "", tail: "", bytes: 0, lines: 0, broken: null, ms: 0, firstMs: null };
  let [reply, headed, settle] = [null, null, null];
  const head = new Promise((done) => (headed = done));
  const done = new Promise((settled) => (settle = settled));
  const kept = [];
  let tail = Buffer.alloc(0);
  const end = (broken) => {
    clearTimeout(timer);
    answer.broken ??= broken;
    answer.ms = performance.now() - began;
    answer.body = Buffer.concat(kept);
    answer.text = answer.body.toString();
    answer.tail = tail.toString();
    headed(answer);
    settle(answer);
    request.destroy();
  };
  const request = http.request(url, { method, headers, agent: false }, (response) => {
    reply = response;
    answer.status = response.statusCode;
    answer.headers = response.headers;
    response.on("data", (piece) => {
      answer.firstMs ??= performance.now() - began;
      answer.bytes += piece.length;
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) answer.lines += 1;
      if (answer.bytes - piece.length < keep) kept.push(piece);
      tail = Buffer.concat([tail, piece]).subarray(-TAIL);
    });
    response.on("end", () => end(response.complete ? null : "ended early"));
    response.on("aborted", () => end("aborted"));
    response.on("error", (error) => end(error.code ?? String(error)));
    if (paused) response.pause();
    headed(answer);
  });
  const timer = setTimeout(() => end(`nothing within ${timeoutMs} ms`), timeoutMs);
  request.on("error", (error) => end(error.code ?? String(error)));
  request.end(body);
  return { head, done, resume: () => reply?.resume(), pause: () => reply?.pause(), destroy: () => end("given up") };
}

/** Does a thing `times` times at once. */
export function atOnce(times, work) {
  return Promise.all(Array.from({ length: times }, (_, number) => work(number)));
}

/** Does a thing for each element, `width` at a time. */
export async function inTurns(list, width, work) {
  const left = [...list.entries()];
  const results = [];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) results[next[0]] = await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker));
  return results;
}

/** The lines of a text, without the empty one at the end. */
export function linesOf(text) {
  const lines = text.split("\n");
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

/** The JSON of an answer; undefined where it is none. */
export function jsonOf({ text }) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The headers of a caller with a bearer token. */
export function bearer(token) {
  return { authorization: `Bearer ${token}` };
}

/**
 * A connection by hand: sends `text` and then neither reads nor writes. `closed()`: whether the peer has ended it.
 * `read()`: reads until the peer ends or nothing comes for `quietMs`.
 */
export function rawConnection(url, text) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port), allowHalfOpen: false });
  let closed = false;
  let received = "";
  socket.on("error", () => {});
  socket.on("close", () => (closed = true));
  socket.pause();
  const opened = new Promise((done) => {
    socket.on("connect", () => socket.write(text, done));
    socket.on("close", done);
  });
  const read = (quietMs = 5_000, whole = () => false) =>
    new Promise((done) => {
      let timer = setTimeout(() => done(received), quietMs);
      socket.on("data", (piece) => {
        received += piece.toString("latin1");
        clearTimeout(timer);
        if (whole(received)) return done(received);
        timer = setTimeout(() => done(received), quietMs);
      });
      socket.on("close", () => (clearTimeout(timer), done(received)));
      socket.resume();
    });
  return { opened, closed: () => closed, read, destroy: () => socket.destroy(), socket };
}

/** Sends a request by hand and returns {status, head, body} of what came back, or status 0. */
export async function askRaw(url, text, quietMs = 3_000) {
  const connection = rawConnection(url, text);
  await connection.opened;
  const received = await connection.read(quietMs, isWhole);
  connection.destroy();
  const [head, ...rest] = received.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: rest.join("\r\n\r\n") };
}

/** Whether these bytes are one whole answer, by its length or its last chunk. */
export function isWhole(received) {
  const at = received.indexOf("\r\n\r\n");
  if (at < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, at))?.[1];
  return length === undefined ? received.endsWith("\r\n0\r\n\r\n") : received.length - at - 4 >= Number(length);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until `look` returns something, which it returns. */
export async function until(what, look, patienceMs = 60_000) {
  for (const end = Date.now() + patienceMs; ; ) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: nothing within ${patienceMs / 1000} s`);
    await sleep(20);
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** The body of a call of an assistant's tool. */
export function toolCall(name, given) {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: given } });
}
