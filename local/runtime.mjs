// The Worker under the real runtime (workerd, through miniflare), locally and without network access.
//
// scripts/run and the tests all start it through this module. wrangler.toml defines the bindings; build/ contains the
// modules. There are two differences from production: R2 sends no events here, so code that writes an object must also
// announce it (announce); and queues hand over a batch after `batchTimeout` seconds instead of the ten of wrangler.toml.
//
// Alarms of Durable Objects fire on their own, also after a crash if there is a `state`. Cron triggers fire only when
// `scheduled` is called.
//
// This file contains no binding name but that of the optional data bucket. The only network access is the Worker's to the partner in `settings`. workerd
// stops with this process (guard.mjs). `onLog` receives what the Worker logs as objects.
import { randomUUID } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { cronsOf } from "./crons.mjs";
import { faultyBucket, untouchables } from "./doubles.mjs";
import { edgeWorkers } from "./edge.mjs";
import { bounded } from "./memory.mjs";
import { boundTo } from "./mixed.mjs";
import { forgetEnded, guardWorkerd, killWorkerd } from "./guard.mjs";

/** The project folder. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The queue of objects to parse, as named in wrangler.toml. */
export const PARSE_QUEUE = "parse-queue";
const WORKER = "raydex";
/** The metadata of the edge logger's batches. */
const EDGE_LABEL = "raydex-edge";
/** The binding of the data bucket, which wrangler.toml has in a comment. */
const DATA = "DATA";

// No HTTP server of this process, miniflare's own among them, closes a connection that waits: after five seconds Node
// would, perhaps just as workerd sends the next request on it, and the Worker would see a call fail that nobody failed.
subscribe("http.server.request.start", ({ server }) => {
  server.keepAliveTimeout = 0;
});

/** The Worker is not built. */
export class NotBuilt extends Error {}

/**
 * Starts the Worker.
 *
 * `settings`: variables and secrets. `state`: the folder for the bucket and the objects; without it they are in memory.
 * `port`: 0 selects a free port. `batchTimeout`: seconds. `onLog(line)`: called with each line that the Worker or the
 * runtime logs. `decide({op, key})`: faults of the bucket (doubles.mjs). `untouchable`: every binding throws on use.
 * `retries`: number of retries before a message becomes a dead letter, in place of the value in wrangler.toml (whose
 * delays add up to hours). `memoryPages`: maximum memory of the module in pages of 64 KiB, in place of the linked value.
 * `build`: the folder of the modules, in place of the one in wrangler.toml. `objects`: the folder of the modules of another Worker,
 * whose Durable Objects are bound in place of its own (mixed.mjs).
 * `startFirst`: false makes no first start of deliveries, which the cron would make within a minute: what is written before
 * one is not delivered.
 * `edge`: the edge logger in front of an origin (edge.mjs), which has its own address.
 * `dataBucket`: the name of a data bucket to bind. `beside`: additional Workers for benchmarks, as miniflare options; each Worker then also has its own address
 * (`direct`).
 */
export async function startRuntime(options = {}) {
  const { settings = {}, state, port = 0, batchTimeout = 0.05, onLog = () => {}, decide, untouchable, memoryPages, build, objects, dataBucket, beside = [], edge, startFirst = true } = options;
  guardWorkerd();
  const [{ Miniflare }, worker] = await Promise.all([import("miniflare"), workerOptions(settings, memoryPages, build)]);
  for (const consumer of Object.values(worker.queueConsumers)) {
    consumer.maxBatchTimeout = batchTimeout;
    if (consumer.deadLetterQueue) consumer.maxRetries = options.retries ?? consumer.maxRetries;
  }
  const names = { ...bindingNames(worker), dataBucket };
  if (dataBucket) worker.r2Buckets[DATA] = { id: dataBucket };
  let doubles = [];
  if (untouchable) doubles = untouchables(worker);
  else if (decide) doubles = faultyBucket(worker, names.bucket, decide);
  const workers = objects ? boundTo(worker, await workerOptions(settings, memoryPages, objects)) : [worker];
  const atEdge = edge ? await edgeWorkers(ROOT, edge) : [];
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port,
    cf: false,
    telemetry: { enabled: false },
    log: await logOf(onLog),
    structuredWorkerdLogs: true,
    handleRuntimeStdio: (...streams) => streams.forEach((stream) => readLog(stream, onLog)),
    ...persistence(state),
    workers: [...withSockets([...workers, ...beside]), ...atEdge, ...doubles, plainBucket(worker, names)],
  });
  const url = await miniflare.ready;
  const runtime = new Runtime(miniflare, url, names);
  if (settings.PARTNER_ENDPOINT && !untouchable && startFirst) await runtime.firstStart();
  return runtime;
}

/** A running Worker. */
class Runtime {
  #miniflare;
  #names;
  #ended = false;

  constructor(miniflare, url, names) {
    this.#miniflare = miniflare;
    this.#names = names;
    /** The address of the Worker, without a trailing slash. */
    this.url = url.origin;
  }

  /** The address of the Worker `name` alone, if there are others (`beside`). */
  async direct(name = WORKER) {
    return (await this.#miniflare.unsafeGetDirectURL(name)).origin;
  }

  /** Makes a call with `work`, once more if workerd closed a connection that had waited for five seconds, or miniflare lost it. */
  async #call(work) {
    try {
      return await work();
    } catch (error) {
      if (this.#ended || !(wasClosed(error) || wasLost(error))) throw error;
      return work();
    }
  }

  #inBucket(work, which = "log") {
    return this.#call(async () => work(await this.#miniflare.getR2Bucket(which === "data" ? "DATA" : "BUCKET", "bucket")));
  }

  #inWorker(work) {
    return this.#call(async () => work(await this.#miniflare.getWorker(WORKER)));
  }

  /** Writes an object; returns its key, size and ETag. */
  async put(key, bytes) {
    // A plain Uint8Array, because the proxy rejects a Buffer.
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return described(await this.#inBucket((bucket) => bucket.put(key, view)));
  }

  /** The bytes of an object, or null. */
  async get(key) {
    return this.#inBucket(async (bucket) => {
      const object = await bucket.get(key);
      return object && Buffer.from(await object.arrayBuffer());
    });
  }

  /** Removes an object. */
  async remove(key) {
    await this.#inBucket((bucket) => bucket.delete(key));
  }

  /** Every object of the log bucket (or of the "data" bucket) whose key has the prefix. */
  async list(prefix = "", which = "log") {
    const found = [];
    for (let cursor, more = true; more; ) {
      const page = await this.#inBucket((bucket) => bucket.list({ prefix, cursor, include: ["customMetadata"] }), which);
      found.push(...page.objects.map(described));
      more = page.truncated;
      cursor = page.truncated ? page.cursor : undefined;
    }
    return found;
  }

  /** The notification that R2 would send for an object. */
  event({ key, size, etag }, action = "PutObject") {
    const object = { key, size, eTag: etag };
    const eventTime = new Date().toISOString();
    return { account: "local", action, bucket: this.#names.bucketName, object, eventTime };
  }

  /** Sends the notification for a written object, as R2 does in production. */
  announce(object) {
    return this.enqueue(this.event(object));
  }

  /** Puts a message on parse-queue, as JSON or with the given content type. */
  async enqueue(body, contentType = "json") {
    await this.#call(async () => {
      const queue = await this.#miniflare.getQueueProducer(this.#names.parseProducer, WORKER);
      await queue.send(body, { contentType });
    });
  }

  /** Hands the Worker a batch of messages from `queue`; returns the outcome of each. */
  async dispatch(queue, bodies, attempts = 1) {
    const messages = bodies.map((body) => ({ id: randomUUID(), timestamp: new Date(), attempts, body }));
    const result = await this.#inWorker((worker) => worker.queue(queue, messages));
    const acked = new Set(result.explicitAcks);
    const retried = new Map(result.retryMessages.map((message) => [message.msgId, message.delaySeconds ?? 0]));
    return {
      outcome: result.outcome,
      retryAll: result.retryBatch.retry,
      verdicts: messages.map(({ id }) => ({ acked: acked.has(id), retryS: retried.get(id) ?? null })),
    };
  }

  /** Makes the first start, as the cron of each minute would: what is written from now on is delivered. */
  firstStart() {
    return this.scheduled("* * * * *");
  }

  /** Fires the Worker's cron trigger, by default the first in wrangler.toml; returns the outcome. */
  async scheduled(cron) {
    const due = cron ?? (await cronsOf(ROOT))[0];
    return this.#inWorker((worker) => worker.scheduled({ cron: due }));
  }

  /** Stops the Worker; persisted state remains. */
  async stop() {
    this.#ended = true;
    await this.#miniflare.dispose();
    forgetEnded();
  }

  /** Kills the Worker like a crash, with every other runtime of this process: queued messages are lost. */
  async kill() {
    this.#ended = true;
    await killWorkerd();
    await this.stop();
  }
}

/** Whether the connection of a call was closed before an answer. */
function wasClosed({ message, cause }) {
  // By its words, since an error loses its code where miniflare hands it from one thread to another.
  return message === "fetch failed" && /other side closed|ECONNRESET|EPIPE/.test(cause?.message);
}

/** Whether miniflare's thread for calls had no answer to pass on, as on a machine that is busy. */
function wasLost({ code, stack }) {
  return code === "ERR_ASSERTION" && /SynchronousFetcher/.test(stack);
}

function described({ key, size, etag, customMetadata }) {
  const label = customMetadata?.[EDGE_LABEL];
  return { key, size, etag, ...(label && { label: JSON.parse(label) }) };
}

/** The options in wrangler.toml, with the modules of `build` and these settings. */
async function workerOptions(settings, memoryPages, build) {
  const { unstable_getMiniflareWorkerOptions: read } = await import("wrangler");
  const { workerOptions: options, main } = read(path.join(ROOT, "wrangler.toml"));
  const folder = build ? path.resolve(build) : path.dirname(main);
  const modules = [
    { type: "ESModule", path: path.join(folder, path.basename(main)) },
    { type: "CompiledWasm", path: path.join(folder, "index_bg.wasm") },
  ];
  const missing = modules.find((module) => !fs.existsSync(module.path));
  if (missing) throw new NotBuilt(`${path.relative(ROOT, missing.path)} is missing: run scripts/build first`);
  if (memoryPages) modules[1].contents = bounded(fs.readFileSync(modules[1].path), memoryPages);
  options.bindings = { ...options.bindings, ...settings };
  return { ...options, name: WORKER, rootPath: folder, modulesRoot: folder, modules, modulesRules: undefined };
}

/** The Workers, each with its own address if there are several. */
function withSockets(workers) {
  if (workers.length === 1) return workers;
  return workers.map((worker) => ({ ...worker, unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] }));
}

/** The names of the bindings that this file uses, found by their targets. */
function bindingNames({ r2Buckets, queueProducers }) {
  const [[bucket, { id: bucketName }]] = Object.entries(r2Buckets);
  const [parseProducer] = Object.entries(queueProducers).find(([, { queueName }]) => queueName === PARSE_QUEUE);
  return { bucket, bucketName, parseProducer };
}

function persistence(state) {
  if (!state) return { r2Persist: false, durableObjectsPersist: false };
  return { r2Persist: path.join(state, "bucket"), durableObjectsPersist: path.join(state, "objects") };
}

/** Direct access to the buckets for the driver of the runtime: the Worker's own binding may be a replacement. */
function plainBucket(worker, { bucketName, dataBucket = bucketName }) {
  const { compatibilityDate } = worker;
  const script = "export default { fetch() { return new Response(null, { status: 404 }) } }";
  return { name: "bucket", modules: true, compatibilityDate, script, r2Buckets: { BUCKET: bucketName, DATA: dataBucket } };
}

/** Passes every line of a stream to `onLog`. */
function readLog(stream, onLog) {
  readline.createInterface(stream).on("line", (line) => onLog(parsedLog(line)));
}

/** A line of the runtime's output: the object of the Worker's JSON, or the text of anything else. */
function parsedLog(line) {
  const { level = "warn", message = line } = objectIn(line) ?? {};
  const own = objectIn(message);
  return typeof own?.event === "string" ? own : { level, event: "runtime", message };
}

function objectIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** miniflare's own messages, warnings and above. */
async function logOf(onLog) {
  const { Log, LogLevel } = await import("miniflare");
  class ToCallback extends Log {
    logWithLevel(level, message) {
      if (level <= LogLevel.WARN) onLog({ level: LogLevel[level].toLowerCase(), event: "miniflare", message });
    }
  }
  return new ToCallback(LogLevel.WARN);
}
