// The environment of the tests in tests/worker/: the Worker under the real runtime, and a control server.
//
// `node local/harness.mjs OPTIONS`: OPTIONS is JSON with `settings`, `state`, `batchTimeout`, `retries` (for queues that
// have a dead-letter queue), `faulty` (a bucket that can fail), `untouchable` (every binding throws), `memoryPages` (less
// memory for the module), `dataBucket` (the name of a data bucket to bind) and `partner` (true, or {uri, key}: a receiver to deliver to, which survives restarts; `settings`
// take precedence over its own). When everything is ready, it prints one line of JSON: {worker, control}. It exits at
// the end of its standard input. Bodies and responses are JSON, except for objects:
//
//   PUT, GET, DELETE /objects/KEY       an object of the bucket, accessed without the Worker
//   GET /objects?prefix=P               [{key, size, etag}]; ?bucket=data lists the data bucket
//   POST /announce  {key, size, etag}   sends the notification that R2 would send
//   POST /enqueue   BODY                puts a message on parse-queue; ?type=T: json, text, bytes or v8
//   POST /dispatch/QUEUE  [BODY…]       hands over a batch of messages: {outcome, retryAll, verdicts}; ?attempts=N
//                                       in a BODY, {$bytes: base64} is bytes, {$map: object} a map
//   GET /log?from=N                     the log from line N
//   POST /faults  [{op, key, fault}…]   each applies to the first call that matches (doubles.mjs)
//   GET /calls                          the calls of a `faulty` bucket
//   POST /scheduled                     fires the cron trigger: {outcome, noRetry}; ?cron=C
//   GET /partner                        the counts of the partner (partner.mjs)
//   GET /partner/lines                  {request_ids: {id: count}, duplicates: [{line, request_id, count, batches}]}
//   POST /partner/behave  PLAN          sets the partner's misbehaviour (partner-plan.mjs)
//   POST /restart  SETTINGS             restarts the runtime on the same state, with these settings changed: {worker, control}
//   POST /kill                          the same by SIGKILL, like a crash; requires `state`
import http from "node:http";
import { inspect } from "node:util";
import { startPartner } from "./partner.mjs";
import { NotBuilt, startRuntime } from "./runtime.mjs";

/** Default path and key of the partner. */
const PARTNER = { uri: "/cdn-log/v3", key: "a-partner-key-for-tests" };

const options = JSON.parse(process.argv[2] ?? "{}");
const log = [];
const calls = [];
let faults = [];
let partner;
let runtime;

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));

const control = http.createServer(async (request, response) => {
  try {
    send(response, 200, await answer(request));
  } catch (error) {
    // With its cause, which says what "fetch failed" means.
    send(response, 500, { error: inspect(error) });
  }
});

try {
  if (options.partner) partner = await startPartner({ ...PARTNER, ...options.partner });
  await start();
  control.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify(addresses())}\n`));
} catch (error) {
  const words = error instanceof NotBuilt ? error.message : String(error.stack);
  process.stdout.write(`${JSON.stringify({ error: words })}\n`);
  process.exit(1);
}

async function start() {
  runtime = await startRuntime({
    ...options,
    settings: { ...partner?.settings, ...options.settings },
    onLog: (line) => log.push(line),
    decide: options.faulty ? decide : undefined,
  });
}

function addresses() {
  return { worker: runtime.url, control: `http://127.0.0.1:${control.address().port}` };
}

function decide({ op, key }) {
  calls.push({ op, key });
  const at = faults.findIndex((fault) => fault.op === op && fault.key === key);
  return at < 0 ? null : faults.splice(at, 1)[0].fault;
}

async function answer(request) {
  const url = new URL(request.url, "http://control");
  const [, verb, ...rest] = url.pathname.split("/");
  const name = decodeURIComponent(rest.join("/"));
  const body = await bodyOf(request);
  const json = () => JSON.parse(body.toString(), revive);
  switch (`${request.method} ${verb}`) {
    case "PUT objects": return runtime.put(name, body);
    case "GET objects": return name ? runtime.get(name) : runtime.list(url.searchParams.get("prefix") ?? "", url.searchParams.get("bucket") ?? "log");
    case "DELETE objects": return runtime.remove(name);
    case "POST announce": return runtime.announce(json());
    case "POST enqueue": return runtime.enqueue(json(), url.searchParams.get("type") ?? undefined);
    case "POST dispatch": return runtime.dispatch(name, json(), Number(url.searchParams.get("attempts") ?? 1));
    case "GET log": return log.slice(Number(url.searchParams.get("from") ?? 0));
    case "POST faults": return (faults = json());
    case "GET calls": return calls;
    case "POST scheduled": return runtime.scheduled(url.searchParams.get("cron") ?? undefined);
    case "GET partner": return name === "lines" ? partner.lines() : partner.figures();
    case "POST partner": return partner.behave(json());
    case "POST restart":
      if (body.length > 0) options.settings = { ...options.settings, ...json() };
      return again(() => runtime.stop());
    case "POST kill":
      if (!options.state) throw new Error("kill requires `state`: without it everything is in memory and would be lost");
      return again(() => runtime.kill());
    default: throw new Error(`unknown call: ${request.method} /${verb}`);
  }
}

/** Ends the runtime with `end` and starts it again on the same state. */
async function again(end) {
  await end();
  await start();
  return addresses();
}

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Values that JSON cannot spell. */
function revive(_name, value) {
  if (typeof value?.$bytes === "string") return new Uint8Array(Buffer.from(value.$bytes, "base64"));
  if (value?.$map) return new Map(Object.entries(value.$map));
  return value;
}

/** Sends a buffer as bytes, undefined as null, and any other value as JSON. */
function send(response, status, value) {
  if (Buffer.isBuffer(value)) {
    response.writeHead(status, { "content-type": "application/octet-stream" });
    return response.end(value);
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value ?? null));
}
