// What each fault of the partner comes to, under the real runtime and in true time (scripts/partner-faults).
//
// The partner (partner.mjs) keeps its own count of every line. A fault is over when the partner has each line, or when
// patience ends; then its row of the table is printed. Everything of a run is in a folder of its own, which is removed.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { startPartner } from "./partner.mjs";
import { startRuntime } from "./runtime.mjs";

const TOKEN = "a-token-for-tests";
const PARTNER = { uri: "/cdn-log/v3", key: "a-partner-key-for-tests" };
/** Lines of a payload. */
const LINES = 100;
/** Interval between looks at the partner and at /v1/stats, in milliseconds. */
const LOOK_MS = 500;

/** The faults: payloads to send, and what happens. `repaired()` is called when the partner is well. */
const FAULTS = {
  busy: {
    words: "503 for 2 s under 30 POSTs",
    payloads: 30,
    async run(scene) {
      scene.partner.behave([{ do: { status: 503 } }]);
      await scene.arrive();
      await scene.posted();
      await sleep(2_000);
      scene.repaired();
    },
  },
  key: { words: "401 for 90 s, then right", payloads: 30, run: (scene) => failsFor(scene, { status: 401 }, 90_000) },
  redeployed: {
    words: "wrong key for 90 s, then deployed with the right one",
    payloads: 30,
    settings: { PARTNER_PRIVATE_KEY: "the-wrong-key" },
    async run(scene) {
      await scene.arrive();
      await scene.posted();
      await sleep(90_000);
      await scene.restart({ PARTNER_PRIVATE_KEY: PARTNER.key });
      scene.repaired();
    },
  },
  redirect: {
    words: "302 for 60 s",
    payloads: 30,
    run: (scene) => failsFor(scene, { redirect: "https://elsewhere.example/" }, 60_000),
  },
  slow: {
    words: "every POST takes 35 s",
    payloads: 30,
    async run(scene) {
      scene.partner.behave([{ do: { delay: 35_000 } }]);
      await scene.arrive();
      scene.repaired();
    },
  },
  hangs: {
    words: "one POST in 50 hangs for 60 s",
    payloads: 200,
    async run(scene) {
      scene.partner.behave([{ every: 50, do: { delay: 60_000 } }]);
      await scene.arrive();
      scene.repaired();
    },
  },
  kills: {
    words: "10 kills of the runtime",
    payloads: 100,
    async run(scene) {
      for (let kill = 0; kill < 10; kill += 1) {
        await scene.arrive(10);
        await sleep(200 + ((kill * 137) % 600));
        await scene.kill();
        await scene.announceAgain();
      }
      scene.repaired();
    },
  },
};

async function failsFor(scene, deed, ms) {
  scene.partner.behave([{ do: deed }]);
  await scene.arrive();
  await scene.posted();
  await sleep(ms);
  scene.repaired();
}

/** A Worker, its partner, and what was put into the bucket. */
class Scene {
  #said = new Map();
  #objects = [];
  #rays = [];
  #state;
  #options;
  #repairedAt = null;

  constructor(fault, options) {
    this.fault = fault;
    this.#options = options;
    this.#state = fs.mkdtempSync(path.join(os.tmpdir(), "raydex-partner-faults-"));
    this.settings = {};
  }

  async start() {
    this.partner = await startPartner(PARTNER);
    const hash = createHash("sha256").update(TOKEN).digest("hex");
    this.settings = { API_TOKEN_SHA256: hash, API_RATE_PER_MINUTE: "0", BATCH_SIZE: String(LINES), ...this.partner.settings, ...this.fault.settings };
    await this.#begin();
    // The deployment has begun before anything arrives.
    await this.stats();
  }

  async #begin() {
    this.runtime = await startRuntime({ settings: this.settings, state: this.#state, build: this.#options.against });
  }

  async restart(settings) {
    await this.runtime.stop();
    this.settings = { ...this.settings, ...settings };
    await this.#begin();
  }

  async kill() {
    await this.runtime.kill();
    await this.#begin();
  }

  async stop() {
    await this.runtime.stop();
    await this.partner.stop();
    fs.rmSync(this.#state, { recursive: true, force: true });
  }

  /** Puts and announces a batch of so many payloads. */
  async arrive(payloads = this.fault.payloads) {
    const { key, lines, rays } = batch(this.#objects.length, payloads * LINES);
    const object = await this.runtime.put(key, gzipSync(lines));
    this.#objects.push(object);
    this.#rays.push(...rays);
    await this.runtime.announce(object);
  }

  /** Announces everything again, as R2 and the sweep do with what was not read. */
  async announceAgain() {
    for (const object of this.#objects) await this.runtime.announce(object);
  }

  /** Waits until the partner has been asked. */
  async posted() {
    while (this.partner.figures().posts === 0) await sleep(20);
  }

  repaired() {
    if (this.fault.words.match(/^(503|401|302|wrong)/)) this.partner.behave([]);
    this.#repairedAt = Date.now();
  }

  /** The totals, or null while the Worker does not answer. */
  async stats() {
    try {
      const reply = await fetch(`${this.runtime.url}/v1/stats`, { headers: { authorization: `Bearer ${TOKEN}` } });
      return reply.ok ? await reply.json() : null;
    } catch {
      return null;
    }
  }

  /** Runs the fault until every line has arrived; returns its row. */
  async row() {
    const looking = this.#look();
    await this.fault.run(this);
    const end = Date.now() + this.#options.patience * 1000;
    while (Date.now() < end && this.#missing() > 0) await sleep(LOOK_MS);
    const seconds = (Date.now() - this.#repairedAt) / 1000;
    const missing = this.#missing();
    // The last commits.
    await sleep(2_000);
    this.over = true;
    await looking;
    const stats = await this.stats();
    const { duplicate_lines: doubled } = this.partner.figures();
    const lost = missing - this.#held(stats);
    return { words: this.fault.words, lost: Math.max(lost, 0), doubled, seconds: missing > 0 ? null : seconds, missing, stats, said: [...this.#said.keys()] };
  }

  #missing() {
    const { request_ids: stored } = this.partner.lines();
    return this.#rays.filter((ray) => stored[ray] === undefined).length;
  }

  /** Lines that the books know of and that have not arrived: nothing is lost, somebody waits. */
  #held(stats) {
    return stats ? stats.lines.pending + stats.lines.parked : 0;
  }

  /** Notes what /v1/stats says of the breaker. */
  async #look() {
    while (!this.over) {
      const stats = await this.stats();
      if (stats) {
        const { state, reason, status } = stats.delivery.breaker;
        this.#said.set([state, reason, status].filter((word) => word !== null && word !== undefined).join(" "), true);
      }
      await sleep(LOOK_MS);
    }
  }
}

/** The nth batch: plain requests of the last seconds, each with a ray of its own. */
function batch(nth, count) {
  const now = new Date();
  const stamp = (date) => date.toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
  const rays = Array.from({ length: count }, (_, line) => (0x9e355n * 0x100000000000n + BigInt(now.getTime() % 1e9) * 0x10000n + BigInt(nth * 100_000 + line)).toString(16));
  const record = (ray) => JSON.stringify({
    RayID: ray,
    EdgeStartTimestamp: now.toISOString(),
    EdgeEndTimestamp: now.toISOString(),
    ClientIP: "192.0.2.7",
    ClientRequestHost: "shop.example.com",
    ClientRequestMethod: "GET",
    ClientRequestURI: `/${ray}`,
    EdgeResponseStatus: 200,
    EdgeResponseBytes: 1234,
    CacheCacheStatus: "hit",
  });
  const key = `logs/http_requests/${stamp(now).slice(0, 8)}/${stamp(now)}_${stamp(now)}_${String(nth).padStart(8, "0")}.log.gz`;
  return { key, rays, lines: `${rays.map(record).join("\n")}\n` };
}

function print(row) {
  const { words, lost, doubled, seconds, missing, stats, said } = row;
  const parked = stats?.payloads.parked ?? "?";
  const took = seconds === null ? `not within patience (${missing} lines missing)` : seconds.toFixed(0);
  console.log(`| ${words} | ${lost} | ${doubled} | ${took} | ${said.join(", ")}; ${parked} payloads parked |`);
}

const { values } = parseArgs({
  options: { against: { type: "string" }, only: { type: "string" }, patience: { type: "string", default: "1200" } },
});
const names = values.only ? [values.only] : Object.keys(FAULTS);
const unknown = names.find((name) => !FAULTS[name]);
if (unknown) {
  console.error(`there is no fault ${unknown}: use one of ${Object.keys(FAULTS).join(", ")}`);
  process.exit(2);
}
console.log("| fault | lines lost | doubled | seconds from its end until all had arrived | stats meanwhile |\n|---|---|---|---|---|");
let whole = true;
for (const name of names) {
  const scene = new Scene(FAULTS[name], { against: values.against, patience: Number(values.patience) });
  await scene.start();
  const row = await scene.row();
  print(row);
  whole &&= row.lost === 0 && row.seconds !== null;
  await scene.stop();
}
process.exit(whole || values.against ? 0 : 1);
