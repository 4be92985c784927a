// A local simulation of the partner's receiver, which verifies deliveries.
//
// It stores what is signed and well-formed, keeps duplicates, and counts everything that it stored (partner-ledger.mjs).
// This makes it an independent witness: its ledger shares no code with the Worker's accounting. It can follow a plan of
// misbehaviour (partner-plan.mjs). `node local/partner.mjs --uri /PATH --key KEY [--port N]` runs it alone.
//
// Without a plan, it responds with 200 exactly to what it stored. It stores a delivery completely or not at all, and
// listens on 127.0.0.1 only.
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { Readable, pipeline } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Ledger, badLines } from "./partner-ledger.mjs";
import { Plan } from "./partner-plan.mjs";

/** Longest remaining validity of a signature, in seconds: the 300 of the contract, and a minute for clock skew. */
const LONGEST_S = 360;
/** Maximum size of a body as sent, in bytes. */
const MAX_BODY = 32 << 20;
/** Maximum size of an inflated body, in bytes: ten times a thousand of the longest lines. */
const MAX_TEXT = 256 << 20;
/** The timestamp, a random number from 0 to 99999, and the MD5 in lower case. */
const AUTH_KEY = /^(0|[1-9]\d{0,14})-(0|[1-9]\d{0,4})-([0-9a-f]{32})$/;

const inflate = promisify(gunzip);

/** A rejected delivery, with the status of the response. */
class Refusal extends Error {
  constructor(status, words, badLines = 0) {
    super(words);
    this.status = status;
    this.badLines = badLines;
  }
}

/** The sender disconnected before the end of the body. */
class BrokenOff extends Error {}

/**
 * Starts a receiver of `POST {uri}`, signed with `key`. `port`: 0 selects a free port. `onPost({batchId, status, stored,
 * misbehaved})` is called when a request is complete; `status` is null if there was no response. `onText(text)` gets the inflated
 * text of each stored delivery. `anyLines`: lines of any form are stored.
 */
export async function startPartner({ uri, key, port = 0, onPost = () => {}, onText = () => {}, anyLines = false }) {
  const receiver = new Receiver(uri, key, { onPost, onText, anyLines });
  await receiver.listen(port);
  return receiver;
}

class Receiver {
  #key;
  #onPost;
  #onText;
  #anyLines;
  #server;
  #ledger = new Ledger();
  #plan = new Plan();
  #nonces = new Set();
  #counts = { posts: 0, heads: 0, stored_posts: 0, broken_off: 0, bad_lines: 0, reused_nonces: 0, misbehaved: 0 };
  #refused = {};

  constructor(uri, key, { onPost, onText, anyLines }) {
    this.uri = uri;
    this.#key = key;
    this.#onPost = onPost;
    this.#onText = onText;
    this.#anyLines = anyLines;
    this.#server = http.createServer((request, response) => void this.#take(request, response));
    // A server that closes idle connections breaks requests that it has not read; only a plan does that here.
    this.#server.keepAliveTimeout = 0;
    this.#server.requestTimeout = 0;
  }

  async listen(port) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The settings with which the Worker delivers to this receiver. */
  get settings() {
    return {
      PARTNER_ENDPOINT: this.url,
      PARTNER_URI: this.uri,
      PARTNER_PRIVATE_KEY: this.#key,
      PARTNER_PLAIN_HTTP: "allow",
    };
  }

  /**
   * What it counted. `heads`: requests without a body. `broken_off`: posts whose sender went away in mid-body. `refused`: requests by status, those
   * that are no posts too; what a plan answered is in `misbehaved` alone.
   */
  figures() {
    return { ...this.#counts, ...this.#ledger.figures(), refused: { ...this.#refused } };
  }

  /** How often each request_id was stored, what was stored more than once, and how fast: see the ledger. */
  lines() {
    return this.#ledger.lines();
  }

  /** Replaces the plan: a list of rules, or {rules, seed} (partner-plan.mjs). */
  behave(plan) {
    this.#plan = new Plan(plan);
  }

  /** Stops the server and closes every connection. */
  async stop() {
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request, response) {
    // Someone looks whether this host can be reached.
    if (request.method === "HEAD") {
      this.#counts.heads += 1;
      response.writeHead(404);
      return void response.end();
    }
    const settled = { batchId: request.headers["x-batch-id"] ?? "", status: null, stored: false, misbehaved: false };
    try {
      this.#checkHead(request);
      const act = this.#plan.next(settled.batchId);
      settled.misbehaved = act !== undefined;
      if (act) await this.#misbehave(act, request, response, settled);
      else {
        await this.#store(await bodyOf(request), settled);
        answer(response, settled, 200);
      }
    } catch (error) {
      this.#refuse(error, response, settled);
    }
    if (settled.misbehaved) this.#counts.misbehaved += 1;
    this.#onPost(settled);
  }

  /** Checks a request before reading its body. */
  #checkHead({ url, method, headers }) {
    const [path, query] = url.split("?", 2);
    if (path !== this.uri) throw new Refusal(404, "there is nothing at this path");
    if (method !== "POST") throw new Refusal(405, "only POST is supported");
    this.#counts.posts += 1;
    this.#checkSignature(new URLSearchParams(query).getAll("auth_key"));
    if (headers["content-encoding"] !== "gzip") throw new Refusal(415, "the body must be gzip");
    if (!/^text\/plain; *charset=utf-8$/i.test(headers["content-type"] ?? "")) {
      throw new Refusal(415, "the body must be text/plain; charset=utf-8");
    }
  }

  #checkSignature(keys) {
    const [, ts, rand, sign] = (keys.length === 1 && AUTH_KEY.exec(keys[0])) || [];
    if (!sign) throw new Refusal(401, "auth_key must be {ts}-{rand}-{md5}");
    const right = createHash("md5").update(`${this.uri}-${ts}-${rand}-${this.#key}`).digest();
    if (!timingSafeEqual(right, Buffer.from(sign, "hex"))) throw new Refusal(401, "the signature is invalid");
    const left = Number(ts) - Date.now() / 1000;
    if (left < 0) throw new Refusal(403, "the signature has expired");
    if (left > LONGEST_S) throw new Refusal(403, "the signature is valid for too long");
    const nonce = `${ts}-${rand}`;
    if (this.#nonces.has(nonce)) this.#counts.reused_nonces += 1;
    this.#nonces.add(nonce);
  }

  /** Stores a body, completely or not at all. */
  async #store(body, settled) {
    const text = await inflate(body, { maxOutputLength: MAX_TEXT }).catch((error) => {
      if (error.code === "ERR_BUFFER_TOO_LARGE") throw new Refusal(413, "the body inflates to too many bytes");
      throw new Refusal(400, "the gzip data is damaged");
    });
    const bad = this.#anyLines ? 0 : badLines(text);
    if (bad > 0) throw new Refusal(422, `${bad} lines do not match the format`, bad);
    this.#ledger.store(settled.batchId, body, text);
    this.#counts.stored_posts += 1;
    settled.stored = true;
    this.#onText(text);
  }

  /** Follows the plan. Bodies to store are checked and rejected as usual. */
  async #misbehave(act, request, response, settled) {
    if (act.reset === "before") return request.socket.resetAndDestroy();
    const body = await bodyOf(request);
    if (act.store === "before") await this.#store(body, settled);
    if (act.reset) return request.socket.resetAndDestroy();
    if (act.waitMs === null) return response.destroyed || once(response, "close");
    // A sender that has stopped waiting does not prevent its body from being stored.
    await sleep(act.waitMs, undefined, { ref: false });
    if (act.store === "after") await this.#store(body, settled);
    answer(response, settled, act.status, act.headers, act.body);
  }

  #refuse(error, response, settled) {
    if (error instanceof BrokenOff) {
      this.#counts.broken_off += 1;
      return;
    }
    // A bug in this file ends the process: a silent error would make the witness worthless.
    if (!(error instanceof Refusal)) throw error;
    this.#refused[error.status] = (this.#refused[error.status] ?? 0) + 1;
    this.#counts.bad_lines += error.badLines;
    answer(response, settled, error.status, { "content-type": "text/plain" }, `${error.message}\n`);
  }
}

/** Reads the complete body. Bytes over the limit are read and dropped, so that the sender gets the reason. */
async function bodyOf(request) {
  const pieces = [];
  let length = 0;
  try {
    for await (const piece of request) {
      length += piece.length;
      if (length <= MAX_BODY) pieces.push(piece);
    }
  } catch {
    throw new BrokenOff();
  }
  if (length > MAX_BODY) throw new Refusal(413, `the body has more than ${MAX_BODY} bytes`);
  return Buffer.concat(pieces);
}

/** Responds if the connection is still open. `body`: text, or a number of bytes of junk. */
function answer(response, settled, status, headers = {}, body = "") {
  if (response.destroyed) return;
  settled.status = status;
  response.writeHead(status, headers);
  if (typeof body === "string") response.end(body);
  else pipeline(Readable.from(junk(body)), response, () => {});
}

function* junk(bytes) {
  const piece = Buffer.alloc(1 << 16, "x");
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left);
}

async function alone() {
  const options = { uri: { type: "string" }, key: { type: "string" }, port: { type: "string", default: "0" } };
  const { uri, key, port } = parseArgs({ options }).values;
  if (!uri?.startsWith("/") || !key) throw new Error("--uri /PATH and --key KEY are required");
  const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
  const partner = await startPartner({ uri, key, port: Number(port), onPost: say });
  say({ ready: `${partner.url}${uri}` });
  process.on("SIGINT", () => {
    say(partner.figures());
    process.exit();
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await alone();
