// The real Worker, end to end, with the JavaScript Worker, the plumbing and the bench's own Worker beside it: one workerd,
// one bucket, the local R2, queues and Durable Objects.
//
// Every Worker is called over HTTP, the same way, at an address of its own. A batch is in the index when its message was
// sealed. A lookup's answer is compared with the line that Node reads before its CPU counts.
import { createHash } from "node:crypto";
import path from "node:path";
import { startPartner } from "../local/partner.mjs";
import { ROOT, startRuntime } from "../local/runtime.mjs";
import { worker as benchWorker, same } from "./compute.mjs";
import { meterOf, workerds } from "./cpu.mjs";
import { ask, Wrong } from "./http.mjs";

const TOKEN = "a-token-for-the-bench";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
/** How long a batch may take to be sealed, and to be delivered, in milliseconds. */
const PATIENCE_MS = 300_000;
const BUCKET = "cdn-logs-raw";
/** Bytes of a packed window with those before it in its group, on average. */
const WINDOW = 5_400;

/** Starts it. `partner`: whether its lines are delivered, to a receiver that stands for the partner. */
export async function startWorld({ partner: delivers = false } = {}) {
  const partner = delivers ? await startPartner({ uri: "/cdn-log/v3", key: "a-partner-key-for-the-bench" }) : undefined;
  const log = [];
  const before = new Set(workerds());
  const runtime = await startRuntime({
    settings: { API_TOKEN_SHA256: createHash("sha256").update(TOKEN).digest("hex"), API_RATE_PER_MINUTE: "0", ...partner?.settings },
    onLog: (line) => log.push(line),
    beside: await beside(),
  });
  const [pid] = workerds().filter((pid) => !before.has(pid));
  const names = ["raydex", "javascript", "plumbing", "bench"];
  const urls = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await runtime.direct(name)])));
  return new World({ runtime, partner, log, urls, meter: meterOf(pid) });
}

/** The other Workers. */
async function beside() {
  const { compatibilityDate, ...bench } = benchWorker();
  const plain = { compatibilityDate, modules: true, r2Buckets: { RAW: BUCKET } };
  return [
    { ...plain, name: "javascript", script: await bundled("javascript-worker.mjs") },
    {
      ...plain,
      name: "plumbing",
      script: await bundled("plumbing.mjs"),
      durableObjects: { NOTHING: { className: "Nothing", useSQLite: true } },
    },
    {
      ...bench,
      compatibilityDate,
      durableObjects: { RAY_SHARD: { className: "RayShard", scriptName: "raydex", useSQLite: true } },
    },
  ];
}

/** One of the bench's modules with all that it imports. */
async function bundled(name) {
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [path.join(ROOT, "bench", name)],
    bundle: true,
    format: "esm",
    write: false,
    loader: { ".csv": "text" },
    external: ["cloudflare:workers"],
  });
  return outputFiles[0].text;
}

class World {
  #runtime;
  #partner;
  #log;
  #urls;

  constructor({ runtime, partner, log, urls, meter }) {
    this.#runtime = runtime;
    this.#partner = partner;
    this.#log = log;
    this.#urls = urls;
    this.meter = meter;
  }

  /** Writes a batch into the bucket. */
  put({ key, gzip }) {
    return this.#runtime.put(key, gzip);
  }

  /** Announces a batch that is there and waits until it is sealed; the line of the log that says so. */
  async index(object, lines) {
    const from = this.#log.length;
    await this.#runtime.announce(object);
    const said = (line) => line.event === "parse_message" && line.key === object.key;
    const line = await until("the verdict on a batch", () => this.#log.slice(from).find(said));
    same("the verdict on a batch", line.verdict, "sealed");
    same("the rays indexed", line.batch.rays, lines);
    return line;
  }

  /** Waits until the partner has every line. */
  async delivered(lines) {
    await until("every line at the partner", () => this.#partner.figures().distinct_lines === lines);
  }

  /** Looks a ray up; the answer must be that line. Says what it cost. */
  async lookup({ ray, line }) {
    const reply = await ask(`${this.#urls.raydex}/v1/rays/${ray}?format=native`, { headers: AUTHORIZED });
    same(`the answer to ${ray}`, await reply.text(), `${line}\n`);
    return costOf(reply.headers.get("raydex-cost"));
  }

  /** The same by the JavaScript Worker; `key`: it is told the batch. */
  async baseline({ ray, line }, key) {
    const told = key ? `?key=${encodeURIComponent(key)}` : "";
    const reply = await ask(`${this.#urls.javascript}/rays/${ray}${told}`);
    same(`the baseline's answer to ${ray}`, await reply.text(), `${line}\n`);
  }

  /** Has the JavaScript Worker index a batch that is there. */
  async baselineIndex(key) {
    await this.#post("javascript", `/index?key=${encodeURIComponent(key)}`);
  }

  /** Has the JavaScript Worker keep arrays of batches that were never written. */
  async baselineArrays(from, to, records) {
    await this.#post("javascript", `/arrays?from=${from}&to=${to}&records=${records}`);
  }

  /** Makes the calls of a lookup: ours by its reads, the baseline's without. */
  async plumbing(key, reads) {
    const query = `key=${encodeURIComponent(key)}&shard=plumbing&reads=${JSON.stringify(reads ?? [])}`;
    const reply = await ask(`${this.#urls.plumbing}/${reads ? "ours" : "baseline"}?${query}`);
    await reply.arrayBuffer();
  }

  /** Puts entries of batches that were never written into the shards. */
  async seed(asked) {
    return (await this.#post("bench", "/seed", asked)).json();
  }

  #post(name, path, body) {
    return ask(`${this.#urls[name]}${path}`, { method: "POST", body: body && JSON.stringify(body) });
  }

  async stop() {
    await this.#runtime.stop();
    await this.#partner?.stop();
  }
}

/** The figures of the header `raydex-cost`. */
export function costOf(header) {
  return Object.fromEntries(header.split(", ").map((pair) => pair.split("=")).map(([name, value]) => [name, Number(value)]));
}

/**
 * The ranged reads of the bucket that a lookup of this cost made, as `[offset, length]`: a range of the batch, and beside
 * it one of its windows, which is small. The cost does not say where they begin; any place costs the same.
 */
export function readsOf({ objects_read: objects, bytes_read: bytes }) {
  const small = Array.from({ length: objects - 1 }, () => [1, WINDOW]);
  return [[0, bytes - small.length * WINDOW], ...small];
}

async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > end) throw new Wrong(`${what}: nothing within ${PATIENCE_MS / 1000} s`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
