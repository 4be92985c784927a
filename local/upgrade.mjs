// Upgrades, roll-backs and mixtures of two builds of the Worker under the real runtime, over one stored state, with a partner that
// counts. Used by scripts/upgrade and tests/run/upgrade.mjs.
//
// A deployment lives several lives, each of another build. In each, all that earlier lives indexed is looked up and compared byte
// for byte, what they left pending is delivered, a batch is indexed and delivered, and another one is left pending. Messages are
// handed over by hand, so that none is lost with a life: Cloudflare's queues keep theirs during a deployment.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { exitAtSignals } from "./guard.mjs";
import { startPartner } from "./partner.mjs";
import { startRuntime } from "./runtime.mjs";

const TOKEN = "a-token-for-upgrades";
const LINES = 40;
const PAYLOAD_LINES = 10;
/** Seconds for which the queues keep what the Worker sends: longer than a life, so that it is handed over by hand. */
const QUEUE_WAIT_S = 60;
/** Entries of a page of the audit log. */
const AUDIT_PAGE = 200;
/** The batches are an hour apart, so that each has a ledger and shards of its own. */
const HOUR_MS = 3_600_000;
const RAY_EPOCH_MS = 1_350_000_000_000;

/** The lives of a deployment: `front` takes requests and messages, `objects` are the Durable Objects. */
export const LIVES = {
  upgrade: ([before, after]) => [
    { name: "the old one", front: before },
    { name: "the new one, over its state", front: after },
    { name: "the old one again", front: before },
    { name: "the new one again", front: after },
  ],
  mixture: ([before, after]) => [
    { name: "the old one", front: before },
    { name: "the old Worker with new objects", front: before, objects: after },
    { name: "the new Worker with old objects", front: after, objects: before },
    { name: "the new one", front: after },
  ],
};

/** A deployment that outlives its builds. */
class Deployment {
  constructor(partner, state) {
    Object.assign(this, { partner, state, startMs: Date.now() - 12 * HOUR_MS, batches: 0, pending: 0, expected: new Map(), unknownCalls: 0 });
  }

  get settings() {
    const token = createHash("sha256").update(TOKEN).digest("hex");
    return { ...this.partner.settings, API_TOKEN_SHA256: token, API_RATE_PER_MINUTE: "0", BATCH_SIZE: String(PAYLOAD_LINES) };
  }

  /** One life. */
  async live({ front, objects }) {
    const onLog = (line) => (this.unknownCalls += /the call is unknown/.test(JSON.stringify(line)) ? 1 : 0);
    this.runtime = await startRuntime({ state: this.state, settings: this.settings, build: front, objects, batchTimeout: QUEUE_WAIT_S, onLog });
    try {
      await this.compare();
      await this.deliver();
      await this.index();
      await this.deliver();
      await this.index();
      await this.checkAccounts();
      await this.remember();
    } finally {
      await this.runtime.stop();
    }
  }

  async get(place) {
    const reply = await fetch(`${this.runtime.url}/v1/${place}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const text = await reply.text();
    assert.equal(reply.status, 200, `${place}: ${text}`);
    return text;
  }

  async getJson(place) {
    return JSON.parse(await this.get(place));
  }

  /** The ray of a line of a batch. */
  ray(nth, line) {
    const at = this.startMs + nth * HOUR_MS + line * 10;
    return ((BigInt(Math.floor((at - RAY_EPOCH_MS) / 10)) << 28n) | BigInt(line)).toString(16).padStart(16, "0");
  }

  /** The next batch, as Logpush writes it. */
  batch(nth) {
    const at = this.startMs + nth * HOUR_MS;
    const record = (line) => ({
      RayID: this.ray(nth, line), ParentRayID: line % 4 === 0 ? "00" : this.ray(nth, line - 1),
      EdgeStartTimestamp: new Date(at + line * 10).toISOString(), ClientIP: "203.0.113.9", ClientRequestMethod: "GET",
      ClientRequestHost: "www.example.com", ClientRequestURI: `/${nth}/${line}`, EdgeResponseStatus: 200,
    });
    const stamp = (ms) => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const text = Array.from({ length: LINES }, (_, line) => `${JSON.stringify(record(line))}\n`).join("");
    return [`logs/http_requests/${stamp(at).slice(0, 8)}/${stamp(at)}_${stamp(at + 60_000)}_${nth}.log.gz`, gzipSync(text)];
  }

  /** Hands messages over, and again while the Worker wants them later; those of parse-queue and send-queue come at least once. */
  async hand(queue, bodies) {
    let waiting = bodies;
    for (let attempt = 1; waiting.length > 0; attempt += 1) {
      assert.ok(attempt <= 3, `${queue}: ${waiting.length} messages are never acked`);
      const { verdicts } = await this.runtime.dispatch(queue, waiting, attempt);
      waiting = waiting.filter((_, at) => !verdicts[at].acked);
    }
  }

  /** Indexes the next batch, which is pending then; its event comes twice. */
  async index() {
    const event = this.runtime.event(await this.runtime.put(...this.batch(this.batches)));
    await this.hand("parse-queue", [event]);
    await this.hand("parse-queue", [event]);
    this.batches += 1;
    this.pending += LINES;
  }

  /** Delivers what is pending; its messages come twice. */
  async deliver() {
    const { payloads } = await this.getJson("payloads?state=prepared&limit=100");
    const messages = payloads.map(({ id }) => {
      const [hour, source, plan, index] = id.split(".");
      return { ledger: `v1/${hour}`, source, plan: Number(plan), index };
    });
    assert.equal(messages.length * PAYLOAD_LINES, this.pending, "what is pending");
    await this.hand("send-queue", messages);
    await this.hand("send-queue", messages);
    this.pending = 0;
    const { distinct_lines: lines, duplicate_lines: duplicates } = this.partner.figures();
    assert.deepEqual([lines, duplicates], [this.batches * LINES, 0], "what the partner has");
  }

  /** The accounts balance, and the chain of the audit log is whole. */
  async checkAccounts() {
    const { lines, dead_letters: letters } = await this.getJson("stats");
    const all = this.batches * LINES;
    assert.deepEqual([lines.in, lines.delivered, lines.pending, lines.unaccounted, letters], [all, all - this.pending, this.pending, 0, 0]);
    let after = 0;
    for (let more = true; more; ) {
      const { chain_valid: isValid, entries } = await this.getJson(`audit?after=${after}&limit=${AUDIT_PAGE}`);
      assert.equal(isValid, true, `the audit log after ${after}`);
      entries.forEach(({ seq }, at) => assert.equal(seq, after + at + 1, "an entry is missing"));
      // Reading a page adds an entry of its own.
      more = entries.length === AUDIT_PAGE;
      after += entries.length;
    }
    this.entries = after;
  }

  /** What is asked of a batch. */
  places(nth) {
    const first = this.startMs + nth * HOUR_MS;
    const rays = [0, 1, LINES - 1].map((line) => this.ray(nth, line));
    const range = `start=${first}&end=${first + 60_000}`;
    return [`logs?${range}`, `counts?${range}&by=ClientRequestURI`, ...rays.flatMap((ray) => ["", "?format=native", "?parts=tree"].map((form) => `rays/${ray}${form}`))];
  }

  /** What is answered, apart from what belongs to one answer. */
  async answer(place) {
    return (await this.get(place)).replaceAll(/"end":"[^"]*"/g, '"end":""').replaceAll(/"elapsed_ms":\d+/g, "");
  }

  async remember() {
    for (let nth = 0; nth < this.batches; nth += 1) {
      for (const place of this.places(nth)) this.expected.set(place, await this.answer(place));
    }
  }

  /** Everything that was answered before is answered the same, byte for byte. */
  async compare() {
    for (const [place, expected] of this.expected) assert.equal(await this.answer(place), expected, place);
  }
}

/**
 * Has a deployment live these lives (of `LIVES`); returns its figures: lives, batches, lines, answers that were compared, entries
 * of the audit log, and calls that an object did not know.
 */
export async function liveThrough(lives, tell = () => {}) {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-upgrade-"));
  const partner = await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-tests" });
  const deployment = new Deployment(partner, state);
  try {
    for (const life of lives) {
      await deployment.live(life);
      tell(`${life.name}: ${deployment.expected.size} answers, ${deployment.batches} batches, ${deployment.entries} entries of the audit log`);
    }
    const { batches, expected, entries, unknownCalls } = deployment;
    const { distinct_lines: delivered, duplicate_lines: duplicates } = partner.figures();
    return { lives: lives.length, batches, lines: batches * LINES, delivered, duplicates, answers: expected.size, entries, unknownCalls };
  } finally {
    await partner.stop();
    fs.rmSync(state, { recursive: true, force: true });
  }
}

/** The program of scripts/upgrade: `node local/upgrade.mjs OLD NEW`, two folders of built modules. */
async function main() {
  const { positionals } = parseArgs({ allowPositionals: true, options: {} });
  exitAtSignals();
  for (const [name, lives] of Object.entries(LIVES)) {
    process.stdout.write(`${name}\n`);
    const figures = await liveThrough(lives(positionals), (words) => process.stdout.write(`  ${words}\n`));
    process.stdout.write(`  ${JSON.stringify(figures)}\n`);
  }
  process.exit();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
