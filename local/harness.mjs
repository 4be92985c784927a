// What the tests in tests/worker/ drive: the Worker under the real runtime, and a control server beside it.
//
// `node local/harness.mjs OPTIONS`: OPTIONS is JSON with `settings`, `state`, `batchTimeout`, `faulty` (a bucket that
// can fail) and `untouchable` (every binding throws). When all is ready it prints one line of JSON: {worker,
// control}. It ends with its standard input. Bodies and answers are JSON, objects excepted:
//
//   PUT, GET, DELETE /objects/KEY       an object of the bucket, behind the Worker's back
//   GET /objects?prefix=P               [{key, size, etag}]
//   POST /announce  {key, size, etag}   the notification that R2 would send
//   POST /enqueue   BODY                a message on parse-queue
//   POST /dispatch/QUEUE  [BODY…]       a batch of messages at once: {outcome, retryAll, verdicts}; ?attempts=N
//   GET /dead-letters                   the messages that came to one of these queues
//   GET /log?from=N                     what was logged from line N on
//   POST /faults  [{op, key, fault}…]   each is used up by the first call that it fits (doubles.mjs)
//   GET /calls                          the calls of the bucket, where it is `faulty`
//   POST /restart                       the runtime ends and starts on the same state: {worker, control}
import http from "node:http";
import { NotBuilt, startRuntime } from "./runtime.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
const log = [];
const calls = [];
let faults = [];
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
    case "GET dead-letters": return runtime.deadLetters;
    case "GET log": return log.slice(Number(url.searchParams.get("from") ?? 0));
    case "POST faults": return (faults = json());
    case "GET calls": return calls;
    case "POST restart":
      await runtime.stop();
      await start();
      return addresses();
    default: throw new Error(`there is no ${request.method} /${verb}`);
  }
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
