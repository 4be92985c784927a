// The two sides of scripts/compare: what raydex delivers, under the real runtime, and what the other Worker delivers or has sent.
//
// Each side has a receiver of its own on this machine (partner.mjs). The one of raydex refuses what is not of the format, as
// always; the other one takes any line, since what is wrong with it is to be shown.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import { MOST_BATCHES, inflated } from "./compare-batches.mjs";
import { startPartner } from "./partner.mjs";
import { startRuntime } from "./runtime.mjs";
import { Trouble } from "./sample.mjs";
import { checkWithWorker } from "./settings.mjs";

/** What the other Worker delivers to, with --listen for the port. It is on this machine alone, so the key is no secret. */
export const RECEIVER = { uri: "/compare", key: "compare" };
/** Verdicts after which no more comes of an object. */
const ENDS = ["sealed", "already_sealed", "quarantined", "already_quarantined", "ignored", "superseded", "gone", "removed"];
/** How long nothing may happen on raydex's side, in milliseconds. */
const PATIENCE = 120_000;
/** Objects that are announced and not read yet, at most. */
const UNDER_WAY = 20;
/** Why records are not delivered is asked of raydex for this number of rays at most. */
const MOST_ASKED = 500;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** The lines in the text of a payload. */
export function linesOf(text) {
  const lines = text.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The built Worker with a receiver. */
export class Raydex {
  #token = randomBytes(16).toString("hex");
  #runtime;
  #partner;
  /** What it delivered. */
  lines = [];
  /** By key, the last word on an object: {verdict, code}. */
  verdicts = new Map();

  async start(settings) {
    this.#partner = await startPartner({ uri: "/cdn-log/v3", key: this.#token, onText: (text) => this.lines.push(...linesOf(text)) });
    this.#runtime = await startRuntime({
      settings: {
        ...this.#partner.settings,
        API_TOKEN_SHA256: createHash("sha256").update(this.#token).digest("hex"),
        API_RATE_PER_MINUTE: "0",
        ...settings,
      },
      onLog: ({ event, key, verdict, code }) => event === "parse_message" && this.verdicts.set(key, { verdict, code }),
    });
    await checkWithWorker(this.#runtime.url);
  }

  async #get(path) {
    const reply = await fetch(`${this.#runtime.url}${path}`, { headers: { authorization: `Bearer ${this.#token}` } });
    return reply.json();
  }

  /** Has every batch read and delivered. `step(done, total)` is called as it goes on. */
  async take(batches, step) {
    const left = () => batches.slice(0, announced).filter(({ key }) => !ENDS.includes(this.verdicts.get(key)?.verdict)).length;
    let announced = 0;
    for (const { key, file } of batches) {
      await this.#until("an object is not read", () => left() < UNDER_WAY);
      await this.#runtime.announce(await this.#runtime.put(key, fs.readFileSync(file)));
      announced += 1;
      step(announced - left(), batches.length);
    }
    await this.#until("the last objects are not read", () => (step(announced - left(), batches.length), left() === 0));
    await this.#until("some lines are not delivered", async () => waiting(await this.#get("/v1/stats")) === 0);
  }

  /** Waits while something goes on. */
  async #until(what, isDone) {
    let seen = "";
    for (let end = Date.now() + PATIENCE; !(await isDone()); ) {
      const now = `${this.verdicts.size} ${this.lines.length}`;
      if (now !== seen) end = Date.now() + PATIENCE;
      else if (Date.now() > end) throw new Trouble(`${what} after ${PATIENCE / 1000} s`, "look at one batch alone; report it as a bug if that stops as well");
      seen = now;
      await pause(50);
    }
  }

  /** Why the records of each ray are not delivered, by raydex's own accounts: a map of ray to reasons; of records without one, `-`. */
  async reasons(rays) {
    const found = new Map();
    for (const ray of rays.slice(0, MOST_ASKED)) {
      const { records = [] } = await this.#get(`/v1/rays/${encodeURIComponent(ray)}/deliveries`);
      found.set(ray, records.map(({ delivery_status: status, reason }) => reason ?? status));
    }
    const { lines } = await this.#get("/v1/stats");
    const asked = [...found.values()].flat().filter((reason) => reason === "unsettled_dataset").length;
    const others = Math.max(0, (lines.filtered.unsettled_dataset ?? 0) - asked);
    return found.set("-", Array(others).fill("unsettled_dataset"));
  }

  /** The lines that raydex takes for no records: a map of key and offset to the code. */
  async rejected() {
    const found = new Map();
    const { batches } = await this.#get(`/v1/batches?limit=${MOST_BATCHES}`);
    for (const { id, object, counts } of batches) {
      if (Object.keys(counts?.rejected ?? {}).length === 0) continue;
      const { rejected } = await this.#get(`/v1/batches/${id}`);
      for (const { offset, code } of rejected.lines) found.set(`${object.key} ${offset}`, code);
    }
    return found;
  }

  async stop() {
    await this.#runtime?.stop();
    await this.#partner?.stop();
  }
}

function waiting({ lines, payloads, batches }) {
  return lines.pending + payloads.prepared + payloads.sending + batches.open;
}

/** What the other Worker sends when each batch is given to it at `url`: a POST with the object and its key. */
export async function otherByUrl(url, batches, { listen, quietS, step }) {
  const lines = [];
  const partner = await startPartner({ ...RECEIVER, port: listen, anyLines: true, onText: (text) => lines.push(...linesOf(text)) });
  try {
    for (const [at, { key, file }] of batches.entries()) {
      const headers = { "content-type": "application/octet-stream", "x-object-key": key };
      const reply = await fetch(url, { method: "POST", headers, body: fs.readFileSync(file) }).catch(() => undefined);
      if (!reply?.ok) throw new Trouble(`${new URL(url).origin} answered ${reply?.status ?? "nothing"} to ${key}`, "see docs/migrate.md for what --other expects");
      await reply.body?.cancel();
      step(at + 1, batches.length);
    }
    for (let last = -1; lines.length !== last; ) {
      last = lines.length;
      await pause(quietS * 1000);
    }
    return lines;
  } finally {
    await partner.stop();
  }
}

/** The lines of payloads that the other Worker has sent or kept, gzip or plain. */
export function otherByOutput(files) {
  const lines = [];
  for (const { key, file } of files) {
    const text = inflated(fs.readFileSync(file));
    if (!text) throw new Trouble(`${key} is damaged gzip`, "remove it, or write it anew");
    // A mark of a payload that was sent has one character.
    if (!key.endsWith(".done") && !key.endsWith(".queued")) lines.push(...linesOf(text));
  }
  return lines;
}
