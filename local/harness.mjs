// What the tests in tests/worker/ drive: the Worker under the real runtime, and a control server beside it.
//
// `node local/harness.mjs OPTIONS`: OPTIONS is JSON with `settings`, `state`, `batchTimeout`, `retries` (of a queue that
// has a dead-letter queue), `faulty` (a bucket that can fail), `untouchable` (every binding throws), `memoryPages` (the
// module has less memory) and `partner` (true, or {uri, key}: a receiver to deliver to, which outlives the runtime;
// `settings` win over its own). When all is ready it prints one line of JSON: {worker, control}. It ends with its
// standard input. Bodies and answers are JSON, objects excepted:
//
//   PUT, GET, DELETE /objects/KEY       an object of the bucket, behind the Worker's back
//   GET /objects?prefix=P               [{key, size, etag}]
//   POST /announce  {key, size, etag}   the notification that R2 would send
//   POST /enqueue   BODY                a message on parse-queue
//   POST /dispatch/QUEUE  [BODY…]       a batch of messages at once: {outcome, retryAll, verdicts}; ?attempts=N
//   GET /log?from=N                     what was logged from line N on
//   POST /faults  [{op, key, fault}…]   each is used up by the first call that it fits (doubles.mjs)
//   GET /calls                          the calls of the bucket, where it is `faulty`
//   POST /scheduled                     fires the cron trigger: {outcome, noRetry}; ?cron=C
//   GET /partner                        what the partner counted (partner.mjs)
//   GET /partner/lines                  {request_ids: {id: count}, duplicates: [{line, request_id, count, batches}]}
//   POST /partner/behave  PLAN          how it misbehaves from now on (partner-plan.mjs)
//   POST /restart                       the runtime ends and starts on the same state: {worker, control}
//   POST /kill                          the same by SIGKILL, as a crash; wants `state`
import http from "node:http";
import { startPartner } from "./partner.mjs";
import { NotBuilt, startRuntime } from "./runtime.mjs";

/** The partner of a test that does not say which. */
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
    send(response, 500, { error: String(error.stack ?? error) });
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
  const json = () => JSON.parse(body.toString());
  switch (`${request.method} ${verb}`) {
    case "PUT objects": return runtime.put(name, body);
    case "GET objects": return name ? runtime.get(name) : runtime.list(url.searchParams.get("prefix") ?? "");
    case "DELETE objects": return runtime.remove(name);
    case "POST announce": return runtime.announce(json());
    case "POST enqueue": return runtime.enqueue(json());
    case "POST dispatch": return runtime.dispatch(name, json(), Number(url.searchParams.get("attempts") ?? 1));
    case "GET log": return log.slice(Number(url.searchParams.get("from") ?? 0));
    case "POST faults": return (faults = json());
    case "GET calls": return calls;
    case "POST scheduled": return runtime.scheduled(url.searchParams.get("cron") ?? undefined);
    case "GET partner": return name === "lines" ? partner.lines() : partner.figures();
    case "POST partner": return partner.behave(json());
    case "POST restart": return again(() => runtime.stop());
    case "POST kill":
      if (!options.state) throw new Error("kill requires `state`: without it everything is in memory and would be lost");
      return again(() => runtime.kill());
    default: throw new Error(`unknown call: ${request.method} /${verb}`);
  }
}

/** Ends the runtime so, and starts it on the same state. */
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

/** Bytes as they are, nothing as null, everything else as JSON. */
function send(response, status, value) {
  if (Buffer.isBuffer(value)) {
    response.writeHead(status, { "content-type": "application/octet-stream" });
    return response.end(value);
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value ?? null));
}
